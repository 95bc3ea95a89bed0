//! Manage keys: make one, list them, revoke one. It needs so little that a leaked key can be revoked whatever else of the
//! installation is broken.

use std::sync::Arc;

use jiff::Timestamp;

use super::ports::{ApiKeys, Clock, Entropy, StoreError};
use crate::domain::{
    api_key::{ApiKey, KeyId, KeyName, Scope},
    secret::Secret,
};

/// The use cases of whoever hands out keys.
#[derive(Clone)]
pub struct KeyDesk {
    /// Who may call.
    pub keys: Arc<dyn ApiKeys>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
}

impl KeyDesk {
    /// Makes a key. What its owner presents is returned once and kept nowhere.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn create(&self, name: KeyName, scopes: Vec<Scope>) -> Result<(ApiKey, Secret), StoreError> {
        let (mut id, mut secret) = ([0; 8], zeroize::Zeroizing::new([0; 32]));
        self.entropy.fill(secret.as_mut());
        self.entropy.fill(&mut id);
        let id = KeyId::new(u64::from_be_bytes(id));
        let (key, presented) = ApiKey::make(id, *secret, name, scopes, self.now());
        self.keys.add(&key).await?;
        Ok((key, presented))
    }

    /// All keys, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list(&self) -> Result<Vec<ApiKey>, StoreError> {
        self.keys.list().await
    }

    /// Revokes a key for good. Answers false if there is none with that id.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn revoke(&self, id: KeyId) -> Result<bool, StoreError> {
        self.keys.revoke(id, self.now()).await
    }

    /// The moment that a key is judged by.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }
}
