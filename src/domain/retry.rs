//! When to knock again, and when a refusal is final.

use jiff::{SignedDuration, Timestamp};

use super::mail::{EnhancedCode, SendFault, Stage};

/// A refusal that may be about the moment (a full mailbox, a policy) ends a message only after this many attempts…
const MOST_DOUBTFUL_ATTEMPTS: u32 = 3;
/// …and this long after it was queued.
const DOUBTFUL_FOR: SignedDuration = SignedDuration::from_hours(6);

/// However old it is, a message has this many attempts before its age ends it: a clock set forward, or a relay that was
/// down for days, uses up none of them.
const FEWEST_ATTEMPTS: u32 = 5;

/// The pauses between the attempts of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The pause after the first attempt, the second…; the last one is repeated.
    pub pauses: Vec<SignedDuration>,
    /// How long after a message was queued a failed attempt becomes its last (RFC 5321, section 4.5.4.1: 4–5 days).
    pub give_up: SignedDuration,
}

/// What an attempt that failed by a fault of the message means for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It comes back then.
    Later(Timestamp),
    /// It is over.
    Failed,
}

impl RetryPolicy {
    /// Judges a fault of the message (not of the relay, see [`SendFault::is_the_relays`]) after so many attempts, this
    /// one included. A fault that is `doubted` ends no message, however final it sounds. `chance` spreads the pauses by
    /// ±20 %, so that what failed together does not return together.
    #[must_use]
    pub fn judge(
        &self,
        fault: &SendFault,
        doubted: bool,
        attempts: u32,
        queued_at: Timestamp,
        now: Timestamp,
        chance: u32,
    ) -> Verdict {
        let age = now.duration_since(queued_at);
        let finality = if doubted { Finality::Transient } else { finality(fault) };
        let over = match finality {
            Finality::Final => true,
            Finality::Doubtful => attempts >= MOST_DOUBTFUL_ATTEMPTS && age >= DOUBTFUL_FOR,
            Finality::Transient => false,
        };
        if over || (age >= self.give_up && attempts >= FEWEST_ATTEMPTS) {
            return Verdict::Failed;
        }
        Verdict::Later(now.saturating_add(self.pause(attempts, chance)).unwrap_or(Timestamp::MAX))
    }

    /// The longest that anything is put off.
    #[must_use]
    pub fn longest_pause(&self) -> SignedDuration {
        spread(self.pauses.iter().max().copied().unwrap_or_default(), u32::MAX)
    }

    /// The pause after so many attempts, spread by up to a fifth either way.
    fn pause(&self, attempts: u32, chance: u32) -> SignedDuration {
        let place = usize::try_from(attempts.saturating_sub(1)).unwrap_or(usize::MAX);
        let pause = self.pauses.get(place).or(self.pauses.last()).copied().unwrap_or_default();
        spread(pause, chance)
    }
}

/// A duration times 0.8 to 1.2, by a random number.
fn spread(duration: SignedDuration, chance: u32) -> SignedDuration {
    let factor = 0.8 + 0.4 * f64::from(chance) / f64::from(u32::MAX);
    SignedDuration::try_from_secs_f64(duration.as_secs_f64() * factor).unwrap_or(duration)
}

enum Finality {
    Final,
    Doubtful,
    Transient,
}

/// How much a refusal says about the message: the table of stages of Postfix's manners, in four lines.
fn finality(fault: &SendFault) -> Finality {
    match (fault.stage, fault.code) {
        (Stage::Build, _) => Finality::Final,
        (Stage::Recipient, Some(code @ 500..=599)) => refused_recipient(code, fault.enhanced),
        _ if fault.refuses_content() => Finality::Final,
        _ => Finality::Transient,
    }
}

/// A mailbox that is not there is final; one that is full, or a server with a policy of the day, is not yet.
fn refused_recipient(code: u16, enhanced: Option<EnhancedCode>) -> Finality {
    match (code, enhanced) {
        (_, Some(EnhancedCode { class: 5, subject: 1, .. })) => Finality::Final,
        (552, _) | (_, Some(EnhancedCode { subject: 2, detail: 2, .. } | EnhancedCode { subject: 3 | 7, .. })) => {
            Finality::Doubtful
        }
        _ => Finality::Final,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIDDLE: u32 = u32::MAX / 2;

    fn policy() -> RetryPolicy {
        RetryPolicy {
            pauses: [30, 120, 300].map(SignedDuration::from_secs).to_vec(),
            give_up: SignedDuration::from_hours(120),
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn seconds_until_next(attempts: u32, chance: u32) -> i64 {
        let fault = SendFault::new(Stage::Recipient, Some(451), "4.7.1 greylisted");
        match policy().judge(&fault, false, attempts, at(0), at(0), chance) {
            Verdict::Later(then) => then.as_second(),
            Verdict::Failed => panic!("greylisting is not final"),
        }
    }

    #[test]
    fn pauses_grow_and_the_last_is_repeated() {
        assert_eq!([1, 2, 3, 4, 99].map(|n| (seconds_until_next(n, MIDDLE) + 5) / 10 * 10), [30, 120, 300, 300, 300]);
    }

    #[test]
    fn pauses_are_spread_by_a_fifth_either_way() {
        assert_eq!([0, u32::MAX].map(|chance| seconds_until_next(2, chance)), [96, 144]);
    }

    #[test]
    fn refusals_are_told_apart_by_stage_and_code() {
        let early = |stage, code, words: &str| {
            policy().judge(&SendFault::new(stage, code, words), false, 1, at(0), at(0), MIDDLE) == Verdict::Failed
        };
        assert!(early(Stage::Recipient, Some(550), "no such user"));
        assert!(early(Stage::Recipient, Some(550), "5.1.1 no such user"));
        assert!(early(Stage::Recipient, Some(553), "not allowed"));
        assert!(early(Stage::Data, Some(554), "5.6.0 content"));
        assert!(early(Stage::FinalDot, Some(554), "5.7.1 spam"));
        assert!(early(Stage::Api, Some(422), "no"));
        assert!(early(Stage::Build, None, "no"));
        assert!(!early(Stage::Recipient, Some(552), "quota"));
        assert!(!early(Stage::Recipient, Some(550), "5.2.2 mailbox full"));
        assert!(!early(Stage::Recipient, Some(550), "5.7.1 policy"));
        assert!(!early(Stage::Recipient, Some(451), "greylisted"));
        assert!(!early(Stage::Recipient, None, "connection lost"));
        assert!(!early(Stage::FinalDot, None, "no answer"));
    }

    #[test]
    fn a_doubtful_refusal_becomes_final_by_repetition_over_hours() {
        let full = SendFault::new(Stage::Recipient, Some(550), "5.2.2 mailbox full");
        let after = |attempts, hours: i64| policy().judge(&full, false, attempts, at(0), at(hours * 3600), MIDDLE);
        assert_ne!(after(9, 5), Verdict::Failed);
        assert_ne!(after(2, 7), Verdict::Failed);
        assert_eq!(after(3, 6), Verdict::Failed);
    }

    #[test]
    fn what_is_put_off_for_five_days_ends_visibly() {
        let busy = SendFault::new(Stage::Recipient, Some(451), "busy");
        assert_ne!(policy().judge(&busy, false, 40, at(0), at(120 * 3600 - 1), MIDDLE), Verdict::Failed);
        assert_eq!(policy().judge(&busy, false, 40, at(0), at(120 * 3600), MIDDLE), Verdict::Failed);
    }

    #[test]
    fn age_alone_ends_nothing_that_was_hardly_tried() {
        let busy = SendFault::new(Stage::Recipient, Some(451), "busy");
        assert_ne!(policy().judge(&busy, false, 4, at(0), at(1_000_000_000), MIDDLE), Verdict::Failed);
        assert_eq!(policy().judge(&busy, false, 5, at(0), at(1_000_000_000), MIDDLE), Verdict::Failed);
    }

    #[test]
    fn the_longest_pause_is_one_spread_to_its_end() {
        assert_eq!(policy().longest_pause(), SignedDuration::from_secs(360));
    }
}
