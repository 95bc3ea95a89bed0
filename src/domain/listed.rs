//! A customer as a list shows it. Lists are shown by the thousand and changed by nobody on the way, so its texts stay where
//! they were read.

use jiff::Timestamp;

use super::{
    customer::Customer, email_address::EmailAddress, external_id::ExternalId, ids::CustomerId, locale::Locale,
    verification::ProofState,
};

/// What a list shows of a customer. Its times are microseconds since 1970 (UTC): a page has hundreds, and reckons with none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listed<'a> {
    /// The customer's id.
    pub id: CustomerId,
    /// The name.
    pub name: &'a str,
    /// The address as its owner typed it.
    pub email: &'a str,
    /// When the owner proved the current address.
    pub verified_at: Option<i64>,
    /// A new address that waits for its proof.
    pub pending_email: Option<&'a str>,
    /// The team's own key.
    pub external_id: Option<&'a str>,
    /// The language the customer reads.
    pub locale: Option<&'a str>,
    /// The team's own notes, as the JSON object that they are stored as.
    pub metadata: &'a str,
    /// When the customer was put on the roll.
    pub created_at: i64,
    /// When the customer last changed.
    pub updated_at: i64,
    /// The stored state of the proof.
    pub proof_state: ProofState,
    /// How often a server was offered the mail.
    pub proof_attempts: u32,
    /// What the last attempt ended with, if it failed.
    pub proof_last_error: Option<&'a str>,
    /// When the mail is tried next.
    pub proof_next_attempt_at: Option<i64>,
    /// When the mail was first accepted.
    pub proof_sent_at: Option<i64>,
    /// When the token dies.
    pub proof_expires_at: Option<i64>,
    /// Counts the changes of the customer.
    pub version: u64,
}

impl<'a> Listed<'a> {
    /// The state of the proof at a moment, expiry included.
    #[must_use]
    pub fn proof_state_at(&self, now: Timestamp) -> ProofState {
        self.proof_state.at(self.proof_expires_at, now.as_microsecond())
    }

    /// What a list would show of a customer, whose notes are this JSON object.
    #[must_use]
    pub fn of(customer: &'a Customer, metadata: &'a str) -> Self {
        let (particulars, proof) = (&customer.particulars, &customer.proof);
        Self {
            id: customer.id,
            name: particulars.name.as_str(),
            email: particulars.email.typed(),
            verified_at: customer.verified_at.map(Timestamp::as_microsecond),
            pending_email: customer.pending_email.as_ref().map(EmailAddress::typed),
            external_id: particulars.external_id.as_ref().map(ExternalId::as_str),
            locale: particulars.locale.as_ref().map(Locale::as_str),
            metadata,
            created_at: customer.created_at.as_microsecond(),
            updated_at: customer.updated_at.as_microsecond(),
            proof_state: proof.state,
            proof_attempts: proof.attempts,
            proof_last_error: proof.last_error.as_deref(),
            proof_next_attempt_at: proof.next_attempt_at.map(Timestamp::as_microsecond),
            proof_sent_at: proof.sent_at.map(Timestamp::as_microsecond),
            proof_expires_at: proof.expires_at.map(Timestamp::as_microsecond),
            version: customer.version,
        }
    }
}
