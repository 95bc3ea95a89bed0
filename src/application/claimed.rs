//! Messages that are claimed and whose sending nobody has begun.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::ports::Leased;

/// What waits on a claim, in the order in which it is to be sent.
#[derive(Default)]
pub(super) struct Claimed(Mutex<VecDeque<Waiting>>);

/// A message that waits on a claim.
pub(super) struct Waiting {
    pub(super) leased: Leased,
    /// Until when its sending may begin, on the monotonic clock.
    pub(super) begin_by: Duration,
}

impl Claimed {
    /// Puts messages behind those that wait.
    pub(super) fn put(&self, messages: impl IntoIterator<Item = Waiting>) {
        self.waiting().extend(messages);
    }

    /// Puts messages in front of those that wait: where they were taken from.
    pub(super) fn put_back(&self, messages: impl IntoIterator<Item = Waiting, IntoIter: DoubleEndedIterator>) {
        let mut waiting = self.waiting();
        messages.into_iter().rev().for_each(|message| waiting.push_front(message));
    }

    /// Takes the next one.
    pub(super) fn take(&self) -> Option<Waiting> {
        self.waiting().pop_front()
    }

    /// Takes all of which this is true.
    pub(super) fn take_all(&self, that: impl Fn(&Waiting) -> bool) -> Vec<Waiting> {
        let mut waiting = self.waiting();
        let (taken, left) = std::mem::take(&mut *waiting).into_iter().partition(that);
        *waiting = left;
        Vec::from(taken)
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<Waiting>> {
        // The lock is held for whole moves only: what panics in between leaves nothing half moved.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
