//! Between the domain's words and the columns: ids in halves, times in microseconds, states as words.

use jiff::Timestamp;
use rusqlite::{
    Row,
    types::{FromSqlError, Type},
};
use uuid::Uuid;

use crate::domain::{
    email_address::EmailAddress,
    ids::CustomerId,
    message::{MessageKind, MessageState},
    verification::ProofState,
};

/// The two halves of a UUID: the key of its row, and the rest.
pub(super) const fn halves(uuid: Uuid) -> (i64, i64) {
    let (head, tail) = uuid.as_u64_pair();
    (head.cast_signed(), tail.cast_signed())
}

pub(super) const fn uuid(head: i64, tail: i64) -> Uuid {
    Uuid::from_u64_pair(head.cast_unsigned(), tail.cast_unsigned())
}

/// The least key of the millisecond of a moment.
pub(super) fn first_key(time: Timestamp) -> i64 {
    first_key_of(time.as_millisecond())
}

/// The least key of the first millisecond that is not before a moment.
pub(super) fn first_key_up(time: Timestamp) -> i64 {
    first_key_of(time.as_millisecond() + i64::from(time.subsec_nanosecond() % 1_000_000 > 0))
}

/// No key is of a time before 1970, nor of one beyond the year 6429, when they run out.
fn first_key_of(millisecond: i64) -> i64 {
    const LAST: i64 = i64::MAX >> 16;
    if millisecond > LAST { i64::MAX } else { millisecond.max(0) << 16 }
}

pub(super) fn micros(time: Timestamp) -> i64 {
    time.as_microsecond()
}

/// The first microsecond that is not before a moment.
pub(super) fn micros_up(time: Timestamp) -> i64 {
    micros(time) + i64::from(time.subsec_nanosecond() % 1_000 > 0)
}

pub(super) fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Reads columns of a row in their order, each as what the domain calls it.
pub(super) struct Columns<'row> {
    row: &'row Row<'row>,
    next: usize,
}

impl<'row> Columns<'row> {
    pub(super) const fn of(row: &'row Row<'row>) -> Self {
        Self { row, next: 0 }
    }

    pub(super) fn value<T: rusqlite::types::FromSql>(&mut self) -> rusqlite::Result<T> {
        let value = self.row.get(self.next);
        self.next += 1;
        value
    }

    pub(super) fn uuid(&mut self) -> rusqlite::Result<Uuid> {
        Ok(uuid(self.value()?, self.value()?))
    }

    pub(super) fn customer_id(&mut self) -> rusqlite::Result<CustomerId> {
        Ok(CustomerId::new(self.uuid()?))
    }

    pub(super) fn time(&mut self) -> rusqlite::Result<Timestamp> {
        let micros = self.value()?;
        Timestamp::from_microsecond(micros).map_err(|error| self.unexpected(error))
    }

    pub(super) fn time_if_any(&mut self) -> rusqlite::Result<Option<Timestamp>> {
        let micros: Option<i64> = self.value()?;
        micros.map(Timestamp::from_microsecond).transpose().map_err(|error| self.unexpected(error))
    }

    pub(super) fn number<T: TryFrom<i64>>(&mut self) -> rusqlite::Result<T>
    where
        T::Error: std::error::Error + Send + Sync + 'static,
    {
        let number: i64 = self.value()?;
        number.try_into().map_err(|error| self.unexpected(error))
    }

    pub(super) fn email(&mut self) -> rusqlite::Result<EmailAddress> {
        Ok(EmailAddress::stored(self.value()?, self.value()?))
    }

    /// A text that was judged before it was stored, and is kept in one of its two forms only.
    pub(super) fn parsed_if_any<T, E>(
        &mut self,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> rusqlite::Result<Option<T>>
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        let text = self.row.get_ref(self.next)?.as_str_or_null()?;
        self.next += 1;
        text.map(parse).transpose().map_err(|error| self.unexpected(error))
    }

    pub(super) fn word<T>(&mut self, known: impl FnOnce(&str) -> Option<T>) -> rusqlite::Result<T> {
        let word = self.row.get_ref(self.next)?.as_str()?;
        self.next += 1;
        known(word).ok_or_else(|| self.unexpected(FromSqlError::InvalidType))
    }

    /// The last column read holds what no version of ours has written.
    pub(super) fn unexpected(&self, error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
        rusqlite::Error::FromSqlConversionFailure(self.next.saturating_sub(1), Type::Null, Box::new(error))
    }
}

pub(super) const fn proof_state_word(state: ProofState) -> &'static str {
    match state {
        ProofState::None => "none",
        ProofState::Queued => "queued",
        // Expiry comes by the clock and is not stored.
        ProofState::Sent | ProofState::Expired => "sent",
        ProofState::Deferred => "deferred",
        ProofState::Failed => "failed",
        ProofState::Confirmed => "confirmed",
    }
}

pub(super) fn proof_state(word: &str) -> Option<ProofState> {
    Some(match word {
        "none" => ProofState::None,
        "queued" => ProofState::Queued,
        "sent" => ProofState::Sent,
        "deferred" => ProofState::Deferred,
        "failed" => ProofState::Failed,
        "confirmed" => ProofState::Confirmed,
        _ => return None,
    })
}

pub(super) const fn message_state_word(state: MessageState) -> &'static str {
    match state {
        MessageState::Queued => "queued",
        MessageState::Sent => "sent",
        MessageState::Deferred => "deferred",
        MessageState::Failed => "failed",
        MessageState::Cancelled => "cancelled",
    }
}

pub(super) fn message_state(word: &str) -> Option<MessageState> {
    Some(match word {
        "queued" => MessageState::Queued,
        "sent" => MessageState::Sent,
        "deferred" => MessageState::Deferred,
        "failed" => MessageState::Failed,
        "cancelled" => MessageState::Cancelled,
        _ => return None,
    })
}

pub(super) const fn message_kind_word(kind: MessageKind) -> &'static str {
    match kind {
        MessageKind::Verification => "verification",
    }
}

pub(super) fn message_kind(word: &str) -> Option<MessageKind> {
    (word == "verification").then_some(MessageKind::Verification)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_tell_of_moments_as_far_as_they_reach() {
        let at = |micros| Timestamp::from_microsecond(micros).unwrap();
        assert_eq!((first_key(at(7_000)), first_key_up(at(7_000))), (7 << 16, 7 << 16));
        assert_eq!((first_key(at(7_001)), first_key_up(at(7_001))), (7 << 16, 8 << 16));
        assert_eq!((first_key(Timestamp::MIN), first_key_up(Timestamp::MIN)), (0, 0));
        assert_eq!((first_key(Timestamp::MAX), first_key_up(Timestamp::MAX)), (i64::MAX, i64::MAX));
    }
}
