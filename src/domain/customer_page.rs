//! A page of customers, kept as compactly as it was read: lists are shown by the thousand and changed by nobody on the
//! way, so a page is one text with places in it instead of a dozen texts a customer.

use jiff::Timestamp;

use super::{
    customer::Customer, email_address::EmailAddress, external_id::ExternalId, ids::CustomerId, locale::Locale,
    verification::ProofState,
};

/// What a list shows of a customer; its texts are borrowed (`&str`) or places in a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listed<Text> {
    /// The customer's id.
    pub id: CustomerId,
    /// The name.
    pub name: Text,
    /// The address as its owner typed it.
    pub email: Text,
    /// When the owner proved the current address.
    pub verified_at: Option<Timestamp>,
    /// A new address that waits for its proof.
    pub pending_email: Option<Text>,
    /// The team's own key.
    pub external_id: Option<Text>,
    /// The language the customer reads.
    pub locale: Option<Text>,
    /// The team's own notes, as the JSON object that they are stored as.
    pub metadata: Text,
    /// When the customer was put on the roll.
    pub created_at: Timestamp,
    /// When the customer last changed.
    pub updated_at: Timestamp,
    /// The stored state of the proof.
    pub proof_state: ProofState,
    /// How often a server was offered the mail.
    pub proof_attempts: u32,
    /// What the last attempt ended with, if it failed.
    pub proof_last_error: Option<Text>,
    /// When the mail is tried next.
    pub proof_next_attempt_at: Option<Timestamp>,
    /// When the mail was first accepted.
    pub proof_sent_at: Option<Timestamp>,
    /// When the token dies.
    pub proof_expires_at: Option<Timestamp>,
    /// Counts the changes of the customer.
    pub version: u64,
}

impl<Text> Listed<Text> {
    /// The state of the proof at a moment, expiry included.
    #[must_use]
    pub fn proof_state_at(&self, now: Timestamp) -> ProofState {
        self.proof_state.at(self.proof_expires_at, now)
    }

    /// The same customer with its texts changed, one by one.
    fn map<Other>(self, mut change: impl FnMut(Text) -> Other) -> Listed<Other> {
        Listed {
            id: self.id,
            name: change(self.name),
            email: change(self.email),
            verified_at: self.verified_at,
            pending_email: self.pending_email.map(&mut change),
            external_id: self.external_id.map(&mut change),
            locale: self.locale.map(&mut change),
            metadata: change(self.metadata),
            created_at: self.created_at,
            updated_at: self.updated_at,
            proof_state: self.proof_state,
            proof_attempts: self.proof_attempts,
            proof_last_error: self.proof_last_error.map(&mut change),
            proof_next_attempt_at: self.proof_next_attempt_at,
            proof_sent_at: self.proof_sent_at,
            proof_expires_at: self.proof_expires_at,
            version: self.version,
        }
    }
}

impl<'a> Listed<&'a str> {
    /// What a list would show of a customer, whose notes are this JSON object.
    #[must_use]
    pub fn of(customer: &'a Customer, metadata: &'a str) -> Self {
        let (particulars, proof) = (&customer.particulars, &customer.proof);
        Self {
            id: customer.id,
            name: particulars.name.as_str(),
            email: particulars.email.typed(),
            verified_at: customer.verified_at,
            pending_email: customer.pending_email.as_ref().map(EmailAddress::typed),
            external_id: particulars.external_id.as_ref().map(ExternalId::as_str),
            locale: particulars.locale.as_ref().map(Locale::as_str),
            metadata,
            created_at: customer.created_at,
            updated_at: customer.updated_at,
            proof_state: proof.state,
            proof_attempts: proof.attempts,
            proof_last_error: proof.last_error.as_deref(),
            proof_next_attempt_at: proof.next_attempt_at,
            proof_sent_at: proof.sent_at,
            proof_expires_at: proof.expires_at,
            version: customer.version,
        }
    }
}

/// Where a text stands in its page, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    start: usize,
    end: usize,
}

/// A page of customers in the order asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CustomerPage {
    texts: String,
    customers: Vec<Listed<Place>>,
    /// Whether there are more behind the last one.
    pub has_more: bool,
}

impl CustomerPage {
    /// An empty page with room for so many customers.
    #[must_use]
    pub fn with_room_for(customers: usize) -> Self {
        const USUAL_TEXT: usize = 96;
        Self {
            texts: String::with_capacity(customers * USUAL_TEXT),
            customers: Vec::with_capacity(customers),
            has_more: false,
        }
    }

    /// Adds a customer at the end.
    pub fn push(&mut self, customer: Listed<&str>) {
        let texts = &mut self.texts;
        self.customers.push(customer.map(|text| {
            let start = texts.len();
            texts.push_str(text);
            Place { start, end: texts.len() }
        }));
    }

    /// How many customers are on it.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.customers.len()
    }

    /// Whether nobody is on it.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.customers.is_empty()
    }

    /// The customers in their order.
    pub fn iter(&self) -> impl Iterator<Item = Listed<&str>> {
        self.customers.iter().map(|customer| customer.map(|place| self.texts.get(place.start..place.end).unwrap_or("")))
    }

    /// The row to go on behind, if there are more.
    #[must_use]
    pub fn next(&self) -> Option<u64> {
        self.customers.last().filter(|_| self.has_more).map(|last| last.id.uuid().as_u64_pair().0)
    }
}
