//! How many commits this program has made, and when the last one was: so that who reads knows what is behind the times.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::application::ports::Clock;

#[cfg(test)]
pub(super) mod told_clock;

pub(super) struct Commits {
    clock: Arc<dyn Clock>,
    /// Each commit counts twice, see [`Self::around`].
    count: AtomicU64,
    /// When the last one was, in milliseconds of the monotonic clock.
    last: AtomicU64,
}

impl Commits {
    pub(super) fn by(clock: Arc<dyn Clock>) -> Self {
        let commits = Self { clock, count: AtomicU64::new(0), last: AtomicU64::new(0) };
        commits.last.store(commits.now(), Ordering::Relaxed);
        commits
    }

    /// Counts a transaction, before it begins and before anybody can be told of its commit. What is read from then on is of
    /// no older snapshot; and none that is kept holds up the checkpoint that may come with the commit.
    pub(super) fn around<T>(&self, transact: impl FnOnce() -> T) -> T {
        self.add();
        let outcome = transact();
        self.add();
        outcome
    }

    pub(super) fn count(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }

    /// Whether the last one is so long ago.
    pub(super) fn have_rested_for(&self, pause: Duration) -> bool {
        let last = Duration::from_millis(self.last.load(Ordering::Relaxed));
        self.time().saturating_sub(last) >= pause
    }

    /// The monotonic clock's time.
    pub(super) fn time(&self) -> Duration {
        self.clock.monotonic()
    }

    fn add(&self) {
        self.last.store(self.now(), Ordering::Relaxed);
        self.count.fetch_add(1, Ordering::Release);
    }

    fn now(&self) -> u64 {
        u64::try_from(self.time().as_millis()).unwrap_or(u64::MAX)
    }
}
