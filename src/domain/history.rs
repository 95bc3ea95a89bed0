//! What happened to a customer, when, and who did it.

use jiff::Timestamp;

use super::{api_key::KeyId, ids::CustomerId};

/// Who did something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// A caller of the API, by the key it presented.
    Key(KeyId),
    /// The owner of the address, by the mailed link.
    Owner,
    /// Rollbook itself.
    Rollbook,
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// The customer was put on the roll.
    Registered,
    /// A proof of the address was asked for again.
    VerificationRequested,
    /// The mail was taken by a server.
    MailSent,
    /// The mail was put off.
    MailDeferred,
    /// The mail was refused for good.
    MailFailed,
    /// The owner proved the address.
    Verified,
}

impl Deed {
    /// The deed's word, as it is stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::VerificationRequested => "verification_requested",
            Self::MailSent => "mail_sent",
            Self::MailDeferred => "mail_deferred",
            Self::MailFailed => "mail_failed",
            Self::Verified => "verified",
        }
    }
}

/// One line of a customer's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Whose history it is.
    pub customer_id: CustomerId,
    /// When it happened.
    pub at: Timestamp,
    /// What was done.
    pub deed: Deed,
    /// Who did it.
    pub actor: Actor,
    /// What is worth knowing besides, such as a server's words.
    pub note: Option<String>,
}
