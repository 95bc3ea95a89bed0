//! The messages that are to be sent, as the use cases need them.

use async_trait::async_trait;
use jiff::Timestamp;

use super::StoreError;
use crate::domain::{
    history::Event,
    ids::{CustomerId, MessageId},
    message::Message,
};

/// What became of an attempt to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A server took it; the token dies at that moment.
    Sent {
        /// When the token dies.
        expires_at: Timestamp,
    },
    /// It comes back; the attempt counts.
    Later {
        /// When.
        next_attempt_at: Timestamp,
        /// What it ended with.
        error: String,
    },
    /// The relay was at fault: it comes back, and the attempt does not count.
    Untried {
        /// When.
        next_attempt_at: Timestamp,
        /// What it ended with.
        error: String,
    },
    /// It is over.
    Failed {
        /// What it ended with.
        error: String,
    },
}

/// What is to be written down about an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// Of which message.
    pub message: MessageId,
    /// When.
    pub at: Timestamp,
    /// What became of it.
    pub outcome: Outcome,
    /// The line for the customer's history, if the attempt is worth one.
    pub event: Option<Event>,
}

/// What a claim on the outbox goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClaimTerms {
    /// How many messages it takes at the most.
    pub most: usize,
    /// The moment of the claim.
    pub now: Timestamp,
    /// Until when it holds.
    pub lease_until: Timestamp,
    /// Nothing is put off as far ahead as this: what is due later was put off by a clock that was wrong, and is due now.
    pub horizon: Timestamp,
}

/// A message that is ours alone to send until its lease ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leased {
    /// As it stood before it was claimed.
    pub message: Message,
    /// When the lease ends, by which one claim is told from another.
    pub until: Timestamp,
}

/// What a claim on the outbox brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// These, one at least, the one that was due the longest first.
    Taken(Vec<Leased>),
    /// Nothing is due; the next one will be then.
    NothingUntil(Option<Timestamp>),
}

/// A page of messages, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessagePage {
    /// The messages.
    pub messages: Vec<Message>,
    /// The row to go on behind, if there are more.
    pub next: Option<u64>,
}

/// What a page of messages is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageQuery {
    /// Behind which row, newest first; none for the first page.
    pub after: Option<u64>,
    /// How many at the most.
    pub limit: u32,
    /// Of one customer only.
    pub customer: Option<CustomerId>,
}

/// How many messages stand where.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OutboxCounts {
    /// Waiting for the first attempt.
    pub queued: u64,
    /// Taken by a server, or captured.
    pub sent: u64,
    /// Put off.
    pub deferred: u64,
    /// Refused for good.
    pub failed: u64,
    /// Become needless.
    pub cancelled: u64,
}

/// The messages that are to be sent.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// Claims the messages that have been due the longest until the lease ends; a crash makes them merely late.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn claim_due(&self, terms: ClaimTerms) -> Result<Claim, StoreError>;

    /// Whether a message still waits to be sent by this very claim: it may have become needless or been erased, or the
    /// claim may have lapsed and another been made.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn is_ours(&self, leased: &Leased) -> Result<bool, StoreError>;

    /// Ends the claims on messages that nobody began to send, each as if it had not been made.
    ///
    /// # Errors
    /// [`StoreError`]; all of them stay claimed then.
    async fn give_back(&self, unsent: &[Leased]) -> Result<(), StoreError>;

    /// Writes down what became of an attempt and ends the claim; until then the message is not due again.
    ///
    /// # Errors
    /// [`StoreError`]; the settlement is still owed then.
    async fn settle(&self, settlement: &Settlement) -> Result<(), StoreError>;

    /// Finds a message by id.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn find(&self, id: MessageId) -> Result<Option<Message>, StoreError>;

    /// A page of messages, newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn list(&self, query: MessageQuery) -> Result<MessagePage, StoreError>;

    /// How many messages stand where.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn counts(&self) -> Result<OutboxCounts, StoreError>;
}
