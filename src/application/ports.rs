//! What the use cases need from the world, and how each of it may fail.
//!
//! A port method is one transaction: what a crash must not split, one method does. Its error names the refusals that
//! its caller can act on, plus the one opaque breakdown [`StoreError`].

use std::{error::Error, sync::Arc, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;

use crate::domain::{
    api_key::{ApiKey, KeyId},
    customer::Customer,
    history::Event,
    ids::{CustomerId, MessageId},
    listed::Listed,
    mail::{Mail, SendFault},
    message::{Message, Request},
    search::Search,
    secret::Secret,
    verification::{Verification, VerificationId},
};

mod outbox;

pub use outbox::{Claim, ClaimTerms, Leased, MessagePage, MessageQuery, Outbox, OutboxCounts, Outcome, Settlement};

/// A breakdown of the store, told apart only by what the caller should be told.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// More is waiting to be written than is taken on; nothing was written.
    #[error("too many writes are waiting")]
    Overloaded,
    /// To find what was asked for takes longer than is allowed.
    #[error("it would take too long")]
    OutOfTime,
    /// The disk is full, the file locked or unreadable; nothing was written.
    #[error("the database cannot be used now")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// Anything else: a fault of ours.
    #[error("the database answered what was not expected")]
    Broken(#[source] Box<dyn Error + Send + Sync>),
}

impl StoreError {
    /// Whether the same may work another time.
    #[must_use]
    pub const fn may_pass(&self) -> bool {
        match self {
            Self::Overloaded | Self::OutOfTime | Self::Unavailable(_) => true,
            Self::Broken(_) => false,
        }
    }
}

/// Why a customer was not put on the roll.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// The address is on the roll already.
    #[error("the address is on the roll")]
    EmailTaken {
        /// Whose it is.
        by: CustomerId,
        /// Whose the external id is, where that is on the roll too.
        external_id_of: Option<CustomerId>,
    },
    /// The team's own key is on the roll already.
    #[error("the external id is on the roll")]
    ExternalIdTaken {
        /// Whose it is.
        by: CustomerId,
    },
    /// The store broke down.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The customers on the roll.
#[async_trait]
pub trait Customers: Send + Sync {
    /// Stores the customer, the proof, its message and the event in one transaction, whose commit wakes the outbox.
    ///
    /// # Errors
    /// [`RegisterError`]; nothing is stored then.
    async fn register(&self, customer: Arc<Customer>, request: Request, event: Event) -> Result<(), RegisterError>;

    /// Finds a customer by id.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn find(&self, id: CustomerId) -> Result<Option<Customer>, StoreError>;

    /// A page of customers. What was registered before it was asked for is on it, if it fits the query.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn list(&self, query: CustomerQuery, write: WriteCustomer) -> Result<CustomerPage, StoreError>;
}

/// Writes a customer down behind those of its page that are written already.
pub type WriteCustomer = Box<dyn FnMut(&mut Vec<u8>, &Listed<'_>) + Send>;

/// A page of customers as they were written down one by one: what is only passed on is not kept in between.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CustomerPage {
    /// All that was written; empty where nobody is on the page.
    pub text: Vec<u8>,
    /// The row to go on behind, if there are more.
    pub next: Option<u64>,
}

/// In which order customers are listed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CustomerOrder {
    /// The last one put on the roll comes first.
    #[default]
    NewestFirst,
    /// The first one put on the roll comes first.
    OldestFirst,
}

/// What a page of customers is asked for; all that is said must fit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CustomerQuery {
    /// Behind which row; none for the first page.
    pub after: Option<u64>,
    /// How many at the most.
    pub limit: u32,
    /// In which order.
    pub order: CustomerOrder,
    /// Only the one with this canonical address.
    pub email: Option<String>,
    /// Only the one with this key of the team's.
    pub external_id: Option<String>,
    /// Only those whose address is proven, or is not.
    pub verified: Option<bool>,
    /// Only those put on the roll later.
    pub created_after: Option<Timestamp>,
    /// Only those put on the roll earlier.
    pub created_before: Option<Timestamp>,
    /// Only those with these notes.
    pub metadata: Vec<(String, String)>,
    /// Only those in whose name and address this is found.
    pub search: Option<Search>,
}

/// What became of an attempt to confirm a proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Confirmed {
    /// The address is proven by this very attempt.
    Now(Customer),
    /// It had been proven before.
    Before(Customer),
    /// The proof is not for the customer's address any more, or the customer is gone.
    NoLonger,
}

/// The newest proof of a customer, with what is needed to judge whether to ask for another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LatestRequest {
    /// The customer.
    pub customer: Customer,
    /// The proof's number.
    pub number: u32,
    /// When it was last asked for.
    pub asked_at: Timestamp,
    /// The message that asks for it, unless it is gone.
    pub message: Option<Message>,
}

/// The proofs of addresses.
#[async_trait]
pub trait Verifications: Send + Sync {
    /// Finds a proof by its id.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn find(&self, id: VerificationId) -> Result<Option<Verification>, StoreError>;

    /// The newest request of a customer, to judge whether another may be made.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn latest(&self, customer: CustomerId) -> Result<Option<LatestRequest>, StoreError>;

    /// Stores a further proof and its message, closes the oldest ones beyond
    /// [`MOST_OPEN`](crate::domain::verification::MOST_OPEN), and shows the new one on the customer. Answers false, with
    /// nothing stored, if the customer is verified, or has a newest proof that is not the one before it.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn request(&self, request: &Request, event: &Event) -> Result<bool, StoreError>;

    /// Makes an undelivered message due at the event's moment. Answers false, with nothing changed, if it does not wait
    /// any more, or its proof was asked for since `asked_at`.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn hasten(&self, message: MessageId, asked_at: Timestamp, event: &Event) -> Result<bool, StoreError>;

    /// Confirms a proof once, marks the customer verified and cancels the customer's waiting messages.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn confirm(&self, proof: &Verification, now: Timestamp, event: &Event) -> Result<Confirmed, StoreError>;
}

/// The API keys.
#[async_trait]
pub trait ApiKeys: Send + Sync {
    /// Stores a new key.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn add(&self, key: &ApiKey) -> Result<(), StoreError>;

    /// Finds a key, revoked and expired ones too.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn find(&self, id: KeyId) -> Result<Option<ApiKey>, StoreError>;

    /// All keys, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn list(&self) -> Result<Vec<ApiKey>, StoreError>;

    /// Revokes a key for good. Answers false if there is none with that id.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn revoke(&self, id: KeyId, now: Timestamp) -> Result<bool, StoreError>;

    /// Notes that a key was used. Nobody waits for it, and where much is to be written it may be left out.
    fn note_use(&self, id: KeyId, now: Timestamp);
}

/// Whether the store can be relied on.
#[async_trait]
pub trait StoreHealth: Send + Sync {
    /// Asks the database a question, the disk for room and the writer for a sign of life.
    ///
    /// # Errors
    /// [`StoreError`] with the reason.
    async fn check(&self) -> Result<(), StoreError>;
}

/// Writes the words of a mail.
pub trait Composer: Send + Sync {
    /// Renders the mail of a message around the token of its link.
    ///
    /// # Errors
    /// A fault at [`Stage::Build`](crate::domain::mail::Stage::Build).
    fn compose(&self, message: &Message, token: &Secret) -> Result<Mail, SendFault>;
}

/// Hands mails to a server that takes responsibility for them.
#[async_trait]
pub trait Mailer: Send + Sync {
    /// Hands one mail over; `Ok` means that the server answered for it with a 2xx: after the final dot, or as an API.
    ///
    /// # Errors
    /// How far it came and what the server said.
    async fn send(&self, mail: &Mail) -> Result<(), SendFault>;
}

/// The time.
pub trait Clock: Send + Sync {
    /// The time of day, in whole microseconds: what is stored is what was answered.
    fn now(&self) -> Timestamp;

    /// Time since some moment in the past that never goes back, whatever the time of day does.
    fn monotonic(&self) -> Duration;
}

/// Randomness nobody can guess.
pub trait Entropy: Send + Sync {
    /// Fills a buffer with random bytes.
    fn fill(&self, buffer: &mut [u8]);
}
