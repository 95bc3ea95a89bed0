//! The health of the relay: while it is at fault, one message for each pause probes it and the others wait untouched.

use jiff::{SignedDuration, Timestamp};

/// How many refusals of content, or failures without a reason, in a row are no longer taken for one message's.
const MOST_REFUSALS: u32 = 3;
/// The pause between probes doubles up to this many times the first one.
const MOST_PROBE_FACTOR: i32 = 10;

/// What is known of the relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayHealth {
    probe_pause: SignedDuration,
    down: Option<Down>,
    refusals: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Down {
    pause: SignedDuration,
    next_probe: Timestamp,
    /// How many messages are out to probe: one that takes longer than the pause is not alone.
    probes_out: u32,
}

/// How much mail a relay is to be offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// As much as there is.
    All,
    /// One message, to see whether it works again.
    Probe,
}

impl RelayHealth {
    /// A relay of which nothing bad is known; when it fails it is probed after such a pause, then after ever longer ones.
    #[must_use]
    pub const fn good(probe_pause: SignedDuration) -> Self {
        Self { probe_pause, down: None, refusals: 0 }
    }

    /// The longest pause between probes.
    #[must_use]
    pub fn longest_pause(&self) -> SignedDuration {
        self.probe_pause * MOST_PROBE_FACTOR
    }

    /// Whether the last that was heard of the relay is good.
    #[must_use]
    pub const fn is_up(&self) -> bool {
        self.down.is_none() && !self.is_doubted()
    }

    /// Whether it has turned down so many messages in a row that our words, or the relay itself, must be at fault.
    const fn is_doubted(&self) -> bool {
        self.refusals >= MOST_REFUSALS
    }

    /// Whether a message may be tried now; a relay at fault lets one through for each pause.
    ///
    /// # Errors
    /// When to ask again.
    pub fn admit(&mut self, now: Timestamp) -> Result<Admission, Timestamp> {
        match &mut self.down {
            None => Ok(Admission::All),
            // A clock set back must not put the probe off further than a pause.
            Some(down) if down.next_probe > now && down.next_probe.duration_since(now) <= down.pause => {
                Err(down.next_probe)
            }
            Some(down) => {
                down.next_probe = later(now, down.pause);
                down.probes_out = down.probes_out.saturating_add(1);
                Ok(Admission::Probe)
            }
        }
    }

    /// Nothing was there to be tried: the next message need not wait for another probe, unless one is still out.
    pub fn unused(&mut self, now: Timestamp) {
        if let Some(down) = &mut self.down {
            down.probes_out = down.probes_out.saturating_sub(1);
            if down.probes_out == 0 {
                down.next_probe = now;
            }
        }
    }

    /// The relay failed; returns when it is probed next. Only a probe makes the pause longer: messages that were under
    /// way together when the relay went away are one failure.
    pub fn failed(&mut self, now: Timestamp) -> Timestamp {
        let (pause, probes_out) = match &self.down {
            None => (self.probe_pause, 0),
            Some(down) if down.probes_out == 0 => return down.next_probe,
            Some(down) => ((down.pause * 2).min(self.longest_pause()), down.probes_out - 1),
        };
        let next_probe = later(now, pause);
        self.down = Some(Down { pause, next_probe, probes_out });
        next_probe
    }

    /// The relay took a message, or refused one for reasons of its recipient: it works.
    pub fn answered(&mut self) {
        self.down = None;
        self.refusals = 0;
    }

    /// The relay refused what a message says, or failed over it without a reason. Returns whether that is about all messages
    /// rather than about this one, because several in a row fared so before: then it must not end message by message. The
    /// relay goes on being offered mail, since it may well take that of others.
    pub fn turned_down(&mut self) -> bool {
        let doubted_before = self.is_doubted();
        self.down = None;
        self.refusals = self.refusals.saturating_add(1);
        doubted_before
    }
}

fn later(now: Timestamp, pause: SignedDuration) -> Timestamp {
    now.saturating_add(pause).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn relay() -> RelayHealth {
        RelayHealth::good(SignedDuration::from_secs(30))
    }

    #[test]
    fn a_failing_relay_is_probed_by_one_message_after_ever_longer_pauses() {
        let mut relay = relay();
        assert_eq!(relay.admit(at(0)), Ok(Admission::All));
        assert_eq!(relay.failed(at(0)), at(30));
        assert_eq!(relay.admit(at(29)), Err(at(30)));
        assert_eq!(relay.admit(at(30)), Ok(Admission::Probe));
        assert_eq!(relay.admit(at(30)), Err(at(60)), "the probe is under way");
        assert_eq!(relay.failed(at(31)), at(91));
        let mut now = 91;
        for _ in 0..20 {
            relay.admit(at(now)).unwrap();
            now = relay.failed(at(now)).as_second();
        }
        relay.admit(at(now)).unwrap();
        assert_eq!(relay.failed(at(now)).as_second() - now, 300);
    }

    #[test]
    fn messages_that_fail_together_are_one_failure() {
        let mut relay = relay();
        assert_eq!([0, 1, 2, 3].map(|second| relay.failed(at(second))), [at(30); 4]);
    }

    #[test]
    fn an_answer_lets_all_through_again() {
        let mut relay = relay();
        relay.failed(at(0));
        relay.answered();
        assert!(relay.is_up());
        assert_eq!(relay.admit(at(1)), Ok(Admission::All));
    }

    #[test]
    fn a_probe_that_found_nothing_to_send_is_given_back() {
        let mut relay = relay();
        relay.failed(at(0));
        assert_eq!(relay.admit(at(30)), Ok(Admission::Probe));
        relay.unused(at(30));
        assert_eq!(relay.admit(at(31)), Ok(Admission::Probe));
    }

    #[test]
    fn a_probe_that_takes_longer_than_its_pause_makes_the_pause_longer_all_the_same() {
        let mut relay = relay();
        relay.failed(at(0));
        assert_eq!(relay.admit(at(30)), Ok(Admission::Probe));
        assert_eq!(relay.admit(at(60)), Ok(Admission::Probe), "the first one may never be heard of again");
        relay.unused(at(60));
        assert_eq!(relay.admit(at(61)), Err(at(90)), "the first one is still out");
        assert_eq!(relay.failed(at(65)), at(125));
        assert_eq!(relay.admit(at(124)), Err(at(125)));
    }

    #[test]
    fn a_probe_that_is_never_heard_of_again_does_not_silence_probing() {
        let mut relay = relay();
        relay.failed(at(0));
        for now in [30, 60, 90] {
            assert_eq!(relay.admit(at(now)), Ok(Admission::Probe));
        }
    }

    #[test]
    fn three_messages_turned_down_in_a_row_are_no_longer_their_own_fault() {
        let mut relay = relay();
        assert_eq!([(); 4].map(|()| relay.turned_down()), [false, false, false, true]);
        assert!(!relay.is_up());
        assert_eq!(relay.admit(at(0)), Ok(Admission::All), "mail to others goes on");
        relay.answered();
        assert!(relay.is_up());
        assert!(!relay.turned_down());
    }

    #[test]
    fn a_clock_set_back_does_not_silence_the_probe() {
        let mut relay = relay();
        relay.failed(at(1_000_000));
        assert_eq!(relay.admit(at(0)), Ok(Admission::Probe));
    }
}
