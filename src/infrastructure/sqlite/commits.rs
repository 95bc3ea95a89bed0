//! How many commits this program has made, and when the last one was: so that who reads knows what is behind the times.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::application::ports::Clock;

pub(super) struct Commits {
    clock: Arc<dyn Clock>,
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

    /// There was one; to be said before anybody is told of it.
    pub(super) fn add(&self) {
        self.last.store(self.now(), Ordering::Relaxed);
        self.count.fetch_add(1, Ordering::Release);
    }

    pub(super) fn count(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }

    /// Whether the last one is so long ago.
    pub(super) fn have_rested_for(&self, pause: Duration) -> bool {
        let last = Duration::from_millis(self.last.load(Ordering::Relaxed));
        self.clock.monotonic().saturating_sub(last) >= pause
    }

    fn now(&self) -> u64 {
        u64::try_from(self.clock.monotonic().as_millis()).unwrap_or(u64::MAX)
    }
}

/// A clock that goes on when it is told to.
#[cfg(test)]
#[derive(Default)]
pub(super) struct ToldClock(std::sync::Mutex<Duration>);

#[cfg(test)]
impl ToldClock {
    pub(super) fn pass(&self, time: Duration) {
        *self.0.lock().unwrap() += time;
    }
}

#[cfg(test)]
impl Clock for ToldClock {
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::UNIX_EPOCH + self.monotonic()
    }

    fn monotonic(&self) -> Duration {
        *self.0.lock().unwrap()
    }
}
