//! A message in the outbox: what is to be sent to whom, and how far it came.

use jiff::{SignedDuration, Timestamp};

use super::{
    ids::{CustomerId, MessageId},
    verification::{ProofProgress, Verification},
};

/// What a message is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageKind {
    /// It asks the owner of an address to confirm it.
    Verification,
}

/// Where a message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageState {
    /// It waits for its first attempt.
    Queued,
    /// A server took it, or it was captured.
    Sent,
    /// It was put off and will be tried again.
    Deferred,
    /// It was refused for good.
    Failed,
    /// It became needless before it was sent.
    Cancelled,
}

impl MessageState {
    /// Every state.
    pub const ALL: [Self; 5] = [Self::Queued, Self::Sent, Self::Deferred, Self::Failed, Self::Cancelled];
}

/// A message in the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its id, the local part of its `Message-ID` on every attempt.
    pub id: MessageId,
    /// Whom it is about.
    pub customer_id: CustomerId,
    /// The proof it carries the link of.
    pub verification: Verification,
    /// What it is about.
    pub kind: MessageKind,
    /// Where it stands.
    pub state: MessageState,
    /// How often a server was offered it; relay faults are not counted.
    pub attempts: u32,
    /// What the last attempt ended with, if it failed.
    pub last_error: Option<String>,
    /// When it is tried next; none while an attempt is under way, and none once it is over.
    pub next_attempt_at: Option<Timestamp>,
    /// When it was queued.
    pub created_at: Timestamp,
    /// When a server took it.
    pub sent_at: Option<Timestamp>,
}

/// A verification and the message that carries its link, made together and stored together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The message, with its verification inside.
    pub message: Message,
    /// What the customer shows of both.
    pub progress: ProofProgress,
}

/// What becomes of a new message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Departure {
    /// It is queued, to be sent at once.
    Queue,
    /// It is kept to be read and counts as sent; its token lives so long.
    Capture(SignedDuration),
}

impl Request {
    /// Asks the owner of an address for its proof.
    #[must_use]
    pub fn issue(id: MessageId, mut verification: Verification, departure: Departure, now: Timestamp) -> Self {
        let progress = match departure {
            Departure::Queue => ProofProgress::queued(now),
            Departure::Capture(life) => ProofProgress::captured(now, life),
        };
        verification.expires_at = progress.expires_at;
        let message = Message {
            id,
            customer_id: verification.customer_id,
            verification,
            kind: MessageKind::Verification,
            state: if progress.sent_at.is_some() { MessageState::Sent } else { MessageState::Queued },
            attempts: progress.attempts,
            last_error: None,
            next_attempt_at: progress.next_attempt_at,
            created_at: now,
            sent_at: progress.sent_at,
        };
        Self { message, progress }
    }
}
