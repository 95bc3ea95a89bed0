//! A customer on the roll.

use jiff::Timestamp;

use super::{
    customer_name::CustomerName,
    email_address::EmailAddress,
    external_id::ExternalId,
    ids::CustomerId,
    locale::Locale,
    metadata::Metadata,
    verification::{ProofProgress, ProofState},
};

/// What somebody must say to be put on the roll.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Particulars {
    /// The customer's name.
    pub name: CustomerName,
    /// The address to be proven.
    pub email: EmailAddress,
    /// The team's own key.
    pub external_id: Option<ExternalId>,
    /// The language the customer reads.
    pub locale: Option<Locale>,
    /// The team's own notes.
    pub metadata: Metadata,
}

/// A customer on the roll.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Customer {
    /// The customer's id.
    pub id: CustomerId,
    /// What is known of the customer.
    pub particulars: Particulars,
    /// When the owner proved the current address; none before.
    pub verified_at: Option<Timestamp>,
    /// A new address that waits for its proof.
    pub pending_email: Option<EmailAddress>,
    /// When the customer was put on the roll.
    pub created_at: Timestamp,
    /// When a field of the customer, or its being verified, last changed.
    pub updated_at: Timestamp,
    /// Where the proof of the address stands.
    pub proof: ProofProgress,
    /// Counts the changes of the customer's own fields and of its being verified, from 1.
    pub version: u64,
    /// Counts the steps of the proof, mail included, from 0.
    pub steps: u64,
}

impl Customer {
    /// A customer put on the roll now, unproven.
    #[must_use]
    pub const fn register(id: CustomerId, particulars: Particulars, proof: ProofProgress, now: Timestamp) -> Self {
        Self {
            id,
            particulars,
            verified_at: None,
            pending_email: None,
            created_at: now,
            updated_at: now,
            proof,
            version: 1,
            steps: 0,
        }
    }

    /// Version and progress, which make the strong validator of what is shown at a moment (RFC 9110, section 8.8.3).
    /// Expiry comes by the clock alone, so progress goes in twos and expiry adds the one between.
    #[must_use]
    pub fn validator(&self, now: Timestamp) -> (u64, u64) {
        let expired = self.proof.state_at(now) == ProofState::Expired;
        (self.version, 2 * self.steps + u64::from(expired))
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn the_validator_changes_when_a_proof_expires_though_nothing_is_written() {
        let second = |n| Timestamp::from_second(n).unwrap();
        let particulars = Particulars {
            name: CustomerName::parse("Ada").unwrap(),
            email: EmailAddress::parse("ada@example.org").unwrap(),
            external_id: None,
            locale: None,
            metadata: Metadata::default(),
        };
        let proof = ProofProgress::captured(second(0), SignedDuration::from_secs(10));
        let mut customer = Customer::register(CustomerId::new(Uuid::nil()), particulars, proof, second(0));
        assert_eq!(customer.validator(second(9)), (1, 0));
        assert_eq!(customer.validator(second(10)), (1, 1));
        customer.steps += 1;
        assert_eq!(customer.validator(second(9)), (1, 2));
    }
}
