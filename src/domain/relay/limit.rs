//! How many sessions a relay takes at once, as far as that was found out.

use jiff::{SignedDuration, Timestamp};

use super::{later, still_lasts};

/// The most sessions that are used, for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Limit {
    sessions: usize,
    pause: SignedDuration,
    grows_at: Timestamp,
    /// Since when no session has brought an answer; none once one has.
    unheard_since: Option<Timestamp>,
}

impl Limit {
    /// No more than so many, and twice as many after each such pause.
    pub(super) fn to(sessions: usize, pause: SignedDuration, now: Timestamp) -> Self {
        Self { sessions, pause, grows_at: later(now, pause), unheard_since: Some(now) }
    }

    /// The same, where another limit was in force before.
    pub(super) fn after(self, before: Option<&Self>) -> Self {
        Self { unheard_since: before.and_then(|before| before.unheard_since).or(self.unheard_since), ..self }
    }

    pub(super) const fn sessions(&self) -> usize {
        self.sessions
    }

    /// Whether one more session may be used beside so many.
    ///
    /// # Errors
    /// When the limit grows.
    pub(super) fn room_beside(&mut self, under_way: usize, now: Timestamp) -> Result<(), Timestamp> {
        if !still_lasts(self.pause, self.grows_at, now) {
            *self = Self { sessions: self.sessions.saturating_mul(2), grows_at: later(now, self.pause), ..*self };
        }
        if under_way < self.sessions { Ok(()) } else { Err(self.grows_at) }
    }

    /// The relay answered, over a session that it did take.
    pub(super) const fn hear(&mut self) {
        self.unheard_since = None;
    }

    /// Whether no session has brought an answer for so many pauses: then it is not for their number.
    pub(super) fn is_unheard_for(&self, pauses: i32, now: Timestamp) -> bool {
        self.unheard_since.is_some_and(|since| now.duration_since(since) >= self.pause * pauses)
    }
}
