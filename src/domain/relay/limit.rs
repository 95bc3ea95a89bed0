//! How many sessions a relay takes at once, as far as that was found out.

use jiff::{SignedDuration, Timestamp};

use super::{later, still_lasts};

/// The most sessions that are used, for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Limit {
    sessions: usize,
    pause: SignedDuration,
    grows_at: Timestamp,
    has_grown: bool,
    is_heard_of: bool,
}

impl Limit {
    /// No more than so many, and one more after each such pause.
    pub(super) fn to(sessions: usize, pause: SignedDuration, now: Timestamp) -> Self {
        Self { sessions, pause, grows_at: later(now, pause), has_grown: false, is_heard_of: false }
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
            *self = Self {
                sessions: self.sessions.saturating_add(1),
                grows_at: later(now, self.pause),
                has_grown: true,
                ..*self
            };
        }
        if under_way < self.sessions { Ok(()) } else { Err(self.grows_at) }
    }

    /// The relay answered, over a session that it did take.
    pub(super) const fn hear(&mut self) {
        self.is_heard_of = true;
    }

    /// Whether for a whole pause since it was set no session brought an answer: then it is not for their number.
    pub(super) const fn grew_in_silence(&self) -> bool {
        self.has_grown && !self.is_heard_of
    }
}
