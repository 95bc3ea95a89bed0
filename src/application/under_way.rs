//! A message under way: however its sending ends, it is counted as long as it lasts and no longer.

use super::Registry;
use crate::domain::relay::{Attempt, RelayHealth};

/// Counts a message among those that are under way, until it is dropped: also by a panic, or when it is cut off.
pub(super) struct UnderWay<'a> {
    registry: &'a Registry,
    attempt: Attempt,
    is_told: bool,
}

impl<'a> UnderWay<'a> {
    pub(super) fn begin(registry: &'a Registry) -> Self {
        Self { registry, attempt: registry.with_relay(RelayHealth::begin), is_told: false }
    }

    /// Tells the relay's health how it ended, in one step with its being under way no longer: of messages that fail
    /// together just one is the last.
    pub(super) fn end<T>(mut self, tell: impl FnOnce(&mut RelayHealth, Attempt) -> T) -> T {
        self.is_told = true;
        self.registry.with_relay(|relay| tell(relay, self.attempt))
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if !self.is_told {
            self.registry.with_relay(|relay| relay.end(self.attempt));
        }
    }
}
