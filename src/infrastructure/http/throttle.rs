//! Lines of the log that many requests would write at once: the first is written, and then one now and then.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// One line of a kind in so long is enough.
const PAUSE: Duration = Duration::from_secs(10);

/// So many kinds are remembered; of more, the one that was written least lately is forgotten.
const MOST_KINDS: usize = 8;

/// What was written lately.
#[derive(Debug, Default)]
pub(super) struct Throttle(Mutex<Vec<Written>>);

#[derive(Debug)]
struct Written {
    kind: String,
    /// When the last line was, by the monotonic clock.
    last: Duration,
    /// How many were kept back since.
    kept_back: u64,
}

impl Throttle {
    /// Whether a line of a kind is to be written now; if so, how many were kept back since the last one.
    pub(super) fn admit(&self, kind: &str, now: Duration) -> Option<u64> {
        let mut kinds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(place) = kinds.iter().position(|written| written.kind == kind) else {
            kinds.truncate(MOST_KINDS - 1);
            kinds.insert(0, Written { kind: kind.to_owned(), last: now, kept_back: 0 });
            return Some(0);
        };
        let mut written = kinds.remove(place);
        if now.saturating_sub(written.last) < PAUSE {
            written.kept_back += 1;
            kinds.insert(place, written);
            return None;
        }
        let kept_back = written.kept_back;
        kinds.insert(0, Written { last: now, kept_back: 0, ..written });
        Some(kept_back)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_is_written_and_then_one_in_a_while_that_tells_how_many_were_kept_back() {
        let (throttle, begin) = (Throttle::default(), Duration::ZERO);
        assert_eq!(throttle.admit("full", begin), Some(0));
        assert_eq!(throttle.admit("full", begin), None);
        assert_eq!(throttle.admit("full", begin + PAUSE / 2), None);
        assert_eq!(throttle.admit("locked", begin + PAUSE / 2), Some(0), "another kind");
        assert_eq!(throttle.admit("full", begin + PAUSE), Some(2));
        assert_eq!(throttle.admit("full", begin + PAUSE), None);
        assert_eq!(throttle.admit("full", begin + 3 * PAUSE), Some(1));
        assert_eq!(throttle.admit("locked", begin + 3 * PAUSE), Some(0));
    }

    #[test]
    fn few_kinds_are_remembered() {
        let throttle = Throttle::default();
        for kind in 0..=MOST_KINDS {
            assert_eq!(throttle.admit(&kind.to_string(), Duration::ZERO), Some(0));
        }
        assert_eq!(throttle.admit("1", Duration::ZERO), None);
        assert_eq!(throttle.admit("0", Duration::ZERO), Some(0), "forgotten");
    }
}
