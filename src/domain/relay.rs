//! The health of the relay: while it is at fault, one message for each pause probes it and the others wait untouched;
//! where it only takes no more sessions at once, fewer are used.

mod limit;

use jiff::{SignedDuration, Timestamp};

use self::limit::Limit;
use super::mail::SendFault;

/// How many refusals of content, or failures without a reason, in a row are no longer taken for one message's.
const MOST_REFUSALS: u32 = 3;
/// For so many pauses a relay that refuses every session in words may be crowded by others.
const MOST_PAUSES_IN_WORDS: i32 = 3;
/// The pause between probes doubles up to this many times the first one.
const MOST_PROBE_FACTOR: i32 = 10;

/// What is known of the relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayHealth {
    probe_pause: SignedDuration,
    down: Option<Down>,
    refusals: u32,
    /// How many messages are under way.
    under_way: usize,
    /// How many messages it answered for, or refused for reasons of theirs.
    answers: u64,
    /// How many sessions it takes at once, where it was found to take only so many.
    limit: Option<Limit>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Down {
    pause: SignedDuration,
    next_probe: Timestamp,
    /// How many probes were let through that are not under way yet.
    probes_to_begin: u32,
    /// How many probes are under way: one that takes longer than the pause is not alone.
    probes_under_way: u32,
}

/// A message under way to the relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    is_probe: bool,
    /// How many answers there had been when it began.
    answers_before: u64,
}

/// What a fault of the relay means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// It works, and takes no more sessions at once; so many are used from now on, where these are fewer than before.
    Crowded(Option<usize>),
    /// It does not work, and is probed then.
    Down(Timestamp),
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
        Self { probe_pause, down: None, refusals: 0, under_way: 0, answers: 0, limit: None }
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
            Some(down) if still_lasts(down.pause, down.next_probe, now) => Err(down.next_probe),
            Some(down) => {
                down.next_probe = later(now, down.pause);
                down.probes_to_begin = down.probes_to_begin.saturating_add(1);
                Ok(Admission::Probe)
            }
        }
    }

    /// Nothing was there to be tried: the next message need not wait for another probe, unless one is still out.
    pub fn unused(&mut self, now: Timestamp) {
        if let Some(down) = &mut self.down {
            down.probes_to_begin = down.probes_to_begin.saturating_sub(1);
            down.hasten_if_none_is_out(now);
        }
    }

    /// Whether one more message may be begun beside so many that are under way.
    ///
    /// # Errors
    /// When to ask again.
    pub fn room_beside(&mut self, under_way: usize, now: Timestamp) -> Result<(), Timestamp> {
        self.limit.as_mut().map_or(Ok(()), |limit| limit.room_beside(under_way, now))
    }

    /// A message is under way from now on, until it is told what became of it.
    pub fn begin(&mut self) -> Attempt {
        self.under_way = self.under_way.saturating_add(1);
        let is_probe = self.down.as_mut().is_some_and(Down::begin_probe);
        Attempt { is_probe, answers_before: self.answers }
    }

    /// A message is under way no longer, whatever became of it.
    pub fn end(&mut self, attempt: Attempt) {
        self.under_way = self.under_way.saturating_sub(1);
        if let Some(down) = self.down.as_mut().filter(|_| attempt.is_probe) {
            down.probes_under_way = down.probes_under_way.saturating_sub(1);
        }
    }

    /// A message came to its end before the relay was asked for anything.
    pub fn unsent(&mut self, attempt: Attempt, now: Timestamp) {
        self.end(attempt);
        if let Some(down) = self.down.as_mut().filter(|_| attempt.is_probe) {
            down.hasten_if_none_is_out(now);
        }
    }

    /// The relay failed over a message. While others are under way, it works as far as anybody knows and is crowded; only
    /// when the last of them fails too is it down. Messages that were under way together when it went away are one
    /// failure: only a probe makes the pause longer.
    pub fn failed(&mut self, attempt: Attempt, fault: &SendFault, now: Timestamp) -> Failure {
        self.end(attempt);
        match &self.down {
            None if self.is_crowded(attempt, fault, now) => Failure::Crowded(self.lower_limit(now)),
            Some(down) if !attempt.is_probe => Failure::Down(down.next_probe),
            _ => Failure::Down(self.go_down(now)),
        }
    }

    /// Whether others are under way, or were until the relay answered for them. Once no session has brought an answer for a
    /// pause, or for some where each is at least refused in words, their number does not matter: otherwise a relay that
    /// takes its time to fail would never be down, since another one is tried before.
    fn is_crowded(&self, attempt: Attempt, fault: &SendFault, now: Timestamp) -> bool {
        let is_alone = self.under_way == 0 && self.answers == attempt.answers_before;
        let most = if fault.code.is_some() { MOST_PAUSES_IN_WORDS } else { 1 };
        !is_alone && !self.limit.as_ref().is_some_and(|limit| limit.is_unheard_for(most, now))
    }

    /// Uses no more sessions for a while than are in use. Returns how many, where these are fewer than before.
    fn lower_limit(&mut self, now: Timestamp) -> Option<usize> {
        let before = self.limit.as_ref().map_or(usize::MAX, Limit::sessions);
        let sessions = before.min(self.under_way).max(1);
        self.limit = Some(Limit::to(sessions, self.probe_pause, now).after(self.limit.as_ref()));
        (sessions < before).then_some(sessions)
    }

    /// Offers nothing more until a probe. The limit is forgotten, so that a backlog leaves over all sessions afterwards.
    fn go_down(&mut self, now: Timestamp) -> Timestamp {
        self.limit = None;
        let longest = self.longest_pause();
        let next = |pause| Down { pause, next_probe: later(now, pause), probes_to_begin: 0, probes_under_way: 0 };
        let down = match self.down.take() {
            None => next(self.probe_pause),
            Some(Down { pause, probes_to_begin, probes_under_way, .. }) => {
                Down { probes_to_begin, probes_under_way, ..next((pause * 2).min(longest)) }
            }
        };
        self.down.insert(down).next_probe
    }

    /// The relay took a message, or refused one for reasons of its recipient: it works.
    pub fn answered(&mut self, attempt: Attempt) {
        self.hear(attempt);
        self.refusals = 0;
    }

    /// The relay refused what a message says, or failed over it without a reason. Returns whether that is about all messages
    /// rather than about this one, because several in a row fared so before: then it must not end message by message. The
    /// relay goes on being offered mail, since it may well take that of others. That it said nothing at all is no sign that
    /// it works.
    pub fn turned_down(&mut self, attempt: Attempt, in_words: bool) -> bool {
        let doubted_before = self.is_doubted();
        if in_words {
            self.hear(attempt);
        } else {
            self.end(attempt);
        }
        self.refusals = self.refusals.saturating_add(1);
        doubted_before
    }

    fn hear(&mut self, attempt: Attempt) {
        self.end(attempt);
        self.down = None;
        self.answers = self.answers.wrapping_add(1);
        if let Some(limit) = &mut self.limit {
            limit.hear();
        }
    }
}

impl Down {
    /// Whether what begins now was let through as a probe. What was under way to its beginning when the relay went down
    /// was not.
    fn begin_probe(&mut self) -> bool {
        let is_probe = self.probes_to_begin > 0;
        if is_probe {
            self.probes_to_begin -= 1;
            self.probes_under_way = self.probes_under_way.saturating_add(1);
        }
        is_probe
    }

    fn hasten_if_none_is_out(&mut self, now: Timestamp) {
        if self.probes_to_begin == 0 && self.probes_under_way == 0 {
            self.next_probe = now;
        }
    }
}

/// Whether a pause is not over yet; a clock that is set back does not make it longer.
fn still_lasts(pause: SignedDuration, until: Timestamp, now: Timestamp) -> bool {
    until > now && until.duration_since(now) <= pause
}

fn later(now: Timestamp, pause: SignedDuration) -> Timestamp {
    now.saturating_add(pause).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
