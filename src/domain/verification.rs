//! The proof of an address: issued with a mail, confirmed once by its owner, expiring.

use jiff::{SignedDuration, Timestamp};

use super::{email_address::EmailAddress, ids::CustomerId};

/// How many proofs of one customer may be open at a time; a further one closes the oldest.
pub const MOST_OPEN: usize = 3;

/// Names one proof: the customer's key, the number of the proof and random bits, 16 bytes in all. They open the mailed
/// token and say nothing that its owner may not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerificationId {
    /// The first 64 bits of the customer's id.
    pub customer_key: u64,
    /// Counts the proofs of this customer, from 1.
    pub number: u32,
    /// 32 random bits.
    pub salt: u32,
}

impl VerificationId {
    /// The id as bytes, big-endian.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 16] {
        let number = u128::from(self.customer_key) << 64 | u128::from(self.number) << 32 | u128::from(self.salt);
        number.to_be_bytes()
    }

    /// The id that such bytes stand for.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "each part takes just its own bits")]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        let number = u128::from_be_bytes(bytes);
        Self { customer_key: (number >> 64) as u64, number: (number >> 32) as u32, salt: number as u32 }
    }
}

/// A proof that somebody reads the mail of an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// Its id, the first part of the mailed token.
    pub id: VerificationId,
    /// Whose address it is.
    pub customer_id: CustomerId,
    /// The address to be proven; the token is bound to its canonical form.
    pub email: EmailAddress,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// When its token dies: counted from the first accepted delivery, unknown before.
    pub expires_at: Option<Timestamp>,
    /// When its owner confirmed it.
    pub confirmed_at: Option<Timestamp>,
    /// Whether a newer proof has taken its place.
    pub closed: bool,
}

/// What may become of a proof at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It can be confirmed.
    Open,
    /// It was confirmed at that moment.
    Confirmed(Timestamp),
    /// Its time is over, or a newer one has taken its place.
    Expired,
}

impl Verification {
    /// The first proof of a new customer's address, or a further one.
    #[must_use]
    pub const fn issue(id: VerificationId, customer_id: CustomerId, email: EmailAddress, now: Timestamp) -> Self {
        Self { id, customer_id, email, issued_at: now, expires_at: None, confirmed_at: None, closed: false }
    }

    /// Whether it can be confirmed, already was, or has died.
    #[must_use]
    pub fn standing(&self, now: Timestamp) -> Standing {
        match (self.confirmed_at, self.expires_at) {
            (Some(at), _) => Standing::Confirmed(at),
            (None, Some(end)) if end <= now => Standing::Expired,
            (None, _) if self.closed => Standing::Expired,
            (None, _) => Standing::Open,
        }
    }
}

/// Where a customer's newest proof stands, mail included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProofState {
    /// No proof was asked for.
    None,
    /// Its mail waits for the first attempt.
    Queued,
    /// Its mail was accepted by a server, or captured.
    Sent,
    /// Its mail was put off and will be tried again.
    Deferred,
    /// Its mail was refused for good.
    Failed,
    /// Its owner confirmed it.
    Confirmed,
    /// Its token died unused.
    Expired,
}

impl ProofState {
    /// What a stored state has become at a moment: a sent proof whose time is over has expired without anybody touching
    /// it.
    #[must_use]
    pub fn at<Time: PartialOrd + Copy>(self, expires_at: Option<Time>, now: Time) -> Self {
        match (self, expires_at) {
            (Self::Sent, Some(end)) if end <= now => Self::Expired,
            (state, _) => state,
        }
    }
}

/// Where the proof of a customer's address stands: what the staff see instead of reading logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProofProgress {
    /// The state as stored; see [`ProofProgress::state_at`] for expiry.
    pub state: ProofState,
    /// How often a server was offered the mail; relay faults are not counted.
    pub attempts: u32,
    /// What the last attempt ended with, if it failed.
    pub last_error: Option<String>,
    /// When the mail is tried next.
    pub next_attempt_at: Option<Timestamp>,
    /// When the mail was first accepted.
    pub sent_at: Option<Timestamp>,
    /// When the token dies.
    pub expires_at: Option<Timestamp>,
}

impl ProofProgress {
    /// A proof whose mail has just been queued.
    #[must_use]
    pub const fn queued(now: Timestamp) -> Self {
        Self {
            state: ProofState::Queued,
            attempts: 0,
            last_error: None,
            next_attempt_at: Some(now),
            sent_at: None,
            expires_at: None,
        }
    }

    /// A proof whose mail was captured instead of sent, which counts as sent.
    #[must_use]
    pub fn captured(now: Timestamp, life: SignedDuration) -> Self {
        Self {
            state: ProofState::Sent,
            attempts: 1,
            next_attempt_at: None,
            sent_at: Some(now),
            expires_at: Some(now.saturating_add(life).unwrap_or(Timestamp::MAX)),
            ..Self::queued(now)
        }
    }

    /// The state at a moment, expiry included.
    #[must_use]
    pub fn state_at(&self, now: Timestamp) -> ProofState {
        self.state.at(self.expires_at, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn an_id_survives_its_bytes() {
        let id = VerificationId { customer_key: 0x0123_4567_89ab_cdef, number: 2, salt: u32::MAX };
        assert_eq!(VerificationId::from_bytes(id.to_bytes()), id);
    }

    #[test]
    fn a_proof_is_open_until_it_is_confirmed_closed_or_its_time_is_over() {
        let id = VerificationId { customer_key: 1, number: 1, salt: 1 };
        let email = EmailAddress::parse("ada@example.org").unwrap();
        let mut proof = Verification::issue(id, CustomerId::new(uuid::Uuid::nil()), email, at(0));
        assert_eq!(proof.standing(at(1_000_000)), Standing::Open, "an undelivered token does not die");
        proof.expires_at = Some(at(100));
        assert_eq!(proof.standing(at(99)), Standing::Open);
        assert_eq!(proof.standing(at(100)), Standing::Expired);
        proof.closed = true;
        assert_eq!(proof.standing(at(99)), Standing::Expired);
        proof.confirmed_at = Some(at(50));
        assert_eq!(proof.standing(at(200)), Standing::Confirmed(at(50)), "a repeat is told so for ever");
    }

    #[test]
    fn a_sent_proof_expires_by_the_clock_alone() {
        let progress = ProofProgress::captured(at(0), SignedDuration::from_secs(10));
        assert_eq!(progress.state_at(at(9)), ProofState::Sent);
        assert_eq!(progress.state_at(at(10)), ProofState::Expired);
    }
}
