//! Manage keys: make one, list them, revoke one.

use super::{Registry, ports::StoreError};
use crate::domain::{
    api_key::{ApiKey, KeyId, KeyName, Scope},
    secret::Secret,
};

impl Registry {
    /// Makes a key. What its owner presents is returned once and kept nowhere.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn create_key(&self, name: KeyName, scopes: Vec<Scope>) -> Result<(ApiKey, Secret), StoreError> {
        let mut secret = zeroize::Zeroizing::new([0; 32]);
        self.entropy.fill(secret.as_mut());
        let (key, presented) = ApiKey::make(KeyId::new(self.random_u64()), *secret, name, scopes, self.clock.now());
        self.keys.add(&key).await?;
        Ok((key, presented))
    }

    /// All keys, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list_keys(&self) -> Result<Vec<ApiKey>, StoreError> {
        self.keys.list().await
    }

    /// Revokes a key for good. Answers false if there is none with that id.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn revoke_key(&self, id: KeyId) -> Result<bool, StoreError> {
        self.keys.revoke(id, self.clock.now()).await
    }
}
