//! Lines of the log that many requests would write at once: the first is written, and then one now and then.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// One line in so long is enough.
const PAUSE: Duration = Duration::from_secs(10);

/// What was written of one kind of line.
#[derive(Debug, Default)]
pub(super) struct Throttle(Mutex<Written>);

#[derive(Debug, Default)]
struct Written {
    /// When the last one was, by the monotonic clock.
    last: Option<Duration>,
    /// How many lines were kept back since.
    kept_back: u64,
}

impl Throttle {
    /// Whether a line is to be written now; if so, how many were kept back since the last one.
    pub(super) fn admit(&self, now: Duration) -> Option<u64> {
        let mut written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if written.last.is_some_and(|last| now.saturating_sub(last) < PAUSE) {
            written.kept_back += 1;
            return None;
        }
        written.last = Some(now);
        Some(std::mem::take(&mut written.kept_back))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_is_written_and_then_one_in_a_while_that_tells_how_many_were_kept_back() {
        let (throttle, begin) = (Throttle::default(), Duration::ZERO);
        assert_eq!(throttle.admit(begin), Some(0));
        assert_eq!(throttle.admit(begin), None);
        assert_eq!(throttle.admit(begin + PAUSE / 2), None);
        assert_eq!(throttle.admit(begin + PAUSE), Some(2));
        assert_eq!(throttle.admit(begin + PAUSE), None);
        assert_eq!(throttle.admit(begin + 3 * PAUSE), Some(1));
    }
}
