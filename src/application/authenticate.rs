//! Authenticate: who calls, by the key presented.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use jiff::SignedDuration;

use super::{Registry, ports::StoreError};
use crate::domain::{
    api_key::{ApiKey, KeyId, PresentedKey, Scope},
    history::Actor,
};

/// A use of a key is noted when the last one that was is so long ago.
const USES_ARE_NOTED_EVERY: SignedDuration = SignedDuration::from_hours(1);

/// Somebody whose key counts.
#[derive(Debug, Clone)]
pub struct Caller {
    key: Arc<ApiKey>,
}

impl Caller {
    /// Whether the caller may do what a scope allows.
    #[must_use]
    pub fn may(&self, scope: Scope) -> bool {
        self.key.may(scope)
    }

    /// The caller as the one who did something.
    #[must_use]
    pub fn actor(&self) -> Actor {
        Actor::Key(self.key.id)
    }
}

/// Keys looked up lately. It holds only keys that exist, so strangers cannot fill it.
#[derive(Default)]
pub(super) struct KnownKeys(RwLock<HashMap<KeyId, Known>>);

struct Known {
    key: Arc<ApiKey>,
    looked_up: Duration,
}

impl Registry {
    /// Tells who calls; none where the text is no key, or one that does not count. An unknown key is always looked up,
    /// a known one again when its last look-up is older than the policy's `key_trust`: so a new key counts at once, and
    /// a revoked one stops within that time.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn authenticate(&self, presented: &str) -> Result<Option<Caller>, StoreError> {
        let Some(presented) = PresentedKey::parse(presented) else { return Ok(None) };
        if let Some(key) = self.known_key(presented.id) {
            return Ok(self.caller(&presented, key));
        }
        let looked_up = self.clock.monotonic();
        let found = self.keys.find(presented.id).await?.map(Arc::new);
        self.remember_key(presented.id, found.clone(), looked_up);
        let caller = found.and_then(|key| self.caller(&presented, key));
        if let Some(Caller { key }) = &caller {
            self.note_use(key);
        }
        Ok(caller)
    }

    fn note_use(&self, key: &ApiKey) {
        let now = self.clock.now();
        if key.last_used_at.is_none_or(|last| now.duration_since(last).abs() >= USES_ARE_NOTED_EVERY) {
            self.keys.note_use(key.id, now);
        }
    }

    fn caller(&self, presented: &PresentedKey, key: Arc<ApiKey>) -> Option<Caller> {
        (presented.is(&key) && key.counts(self.clock.now())).then_some(Caller { key })
    }

    fn known_key(&self, id: KeyId) -> Option<Arc<ApiKey>> {
        let now = self.clock.monotonic();
        let known = self.memory.known_keys.0.read().unwrap_or_else(PoisonError::into_inner);
        let known = known.get(&id)?;
        (now.saturating_sub(known.looked_up) < self.policy.key_trust).then(|| Arc::clone(&known.key))
    }

    fn remember_key(&self, id: KeyId, key: Option<Arc<ApiKey>>, looked_up: Duration) {
        let mut known = self.memory.known_keys.0.write().unwrap_or_else(PoisonError::into_inner);
        match key {
            Some(key) => known.insert(id, Known { key, looked_up }),
            None => known.remove(&id),
        };
    }
}
