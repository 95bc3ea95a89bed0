//! The real clock and the real entropy: the one home of both.

#![expect(clippy::disallowed_methods, reason = "this is the home of what is banned elsewhere")]

use std::time::{Duration, Instant};

use jiff::{Timestamp, TimestampRound, Unit};

use crate::application::ports::{Clock, Entropy};

/// The machine's clocks.
#[derive(Debug)]
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// A clock whose monotonic time begins now.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "the moment of making it matters")]
    pub fn new() -> Self {
        Self { started: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let now = Timestamp::now();
        let micros = TimestampRound::new().smallest(Unit::Microsecond).mode(jiff::RoundMode::Floor);
        now.round(micros).unwrap_or(now)
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }
}

/// The operating system's randomness.
#[derive(Debug)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    /// # Panics
    /// Where the operating system has no randomness to give: nothing secret could be made then.
    #[expect(clippy::panic, reason = "going on with predictable secrets would be worse than stopping")]
    fn fill(&self, buffer: &mut [u8]) {
        if let Err(error) = getrandom::fill(buffer) {
            panic!("the operating system gives no randomness: {error}");
        }
    }
}
