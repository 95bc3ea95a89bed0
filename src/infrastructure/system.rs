//! The real clock and the real entropy: the one home of both.

#![expect(clippy::disallowed_methods, reason = "this is the home of what is banned elsewhere")]

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use jiff::Timestamp;

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
        Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }
}

/// How many random bytes are asked for at once, for what needs few.
const DRAUGHT: usize = 512;

/// Whoever needs more than this makes a secret, which is asked for alone: nothing of it lies about beforehand.
const LARGEST_SIP: usize = 16;

/// The operating system's randomness. Small numbers are drawn in draughts: the ids of a customer take three sips.
#[derive(Default)]
pub struct SystemEntropy {
    draught: Mutex<Vec<u8>>,
}

impl Entropy for SystemEntropy {
    /// # Panics
    /// Where the operating system has no randomness to give: nothing secret could be made then.
    fn fill(&self, buffer: &mut [u8]) {
        if buffer.len() > LARGEST_SIP {
            return draw(buffer);
        }
        // A panic on the way leaves what is left as random as before.
        let mut draught = self.draught.lock().unwrap_or_else(PoisonError::into_inner);
        if draught.len() < buffer.len() {
            let mut fresh = vec![0; DRAUGHT];
            draw(&mut fresh);
            draught.fill(0);
            *draught = fresh;
        }
        // Taken off, so that nobody gets them again, and wiped, so that nobody finds them.
        let left = draught.len() - buffer.len();
        for (to, from) in buffer.iter_mut().zip(draught.iter_mut().skip(left)) {
            *to = std::mem::take(from);
        }
        draught.truncate(left);
    }
}

#[expect(clippy::panic, reason = "going on with predictable secrets would be worse than stopping")]
fn draw(buffer: &mut [u8]) {
    if let Err(error) = getrandom::fill(buffer) {
        panic!("the operating system gives no randomness: {error}");
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_randomness_is_given_twice() {
        let entropy = SystemEntropy::default();
        let mut seen = HashSet::new();
        for _ in 0..1000 {
            let mut sip = [0; 12];
            entropy.fill(&mut sip);
            assert!(seen.insert(sip));
        }
        let mut gulp = vec![0; 2 * DRAUGHT];
        entropy.fill(&mut gulp);
        assert!(gulp.chunks(12).all(|part| part.iter().any(|byte| *byte != 0)), "{gulp:?}");
    }
}
