//! The use cases, one file each, over [`ports`]; [`Registry`] is all they need, in one struct.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

use crate::domain::{
    email_address::EmailAddress,
    ids::{CustomerId, IdSequence, MessageId},
    message::{Departure, Request},
    relay::RelayHealth,
    retry::RetryPolicy,
    token::MacKey,
    verification::{Verification, VerificationId},
};

pub mod authenticate;
pub mod claim_messages;
mod claimed;
pub mod deliver_message;
pub mod find_customer;
pub mod list_customers;
pub mod manage_keys;
mod owed;
pub mod ports;
pub mod read_messages;
pub mod register_customer;
pub mod request_verification;
mod under_way;
pub mod verify_email;

use authenticate::KnownKeys;
use claimed::Claimed;
use manage_keys::KeyDesk;
use owed::Owed;
use ports::{ApiKeys, Clock, Composer, Customers, Entropy, Mailer, Outbox, Verifications};

/// The use cases over the ports they need. Cheap to clone.
#[derive(Clone)]
pub struct Registry {
    /// The customers on the roll.
    pub customers: Arc<dyn Customers>,
    /// The proofs of their addresses.
    pub verifications: Arc<dyn Verifications>,
    /// The messages to be sent.
    pub outbox: Arc<dyn Outbox>,
    /// Who may call.
    pub keys: Arc<dyn ApiKeys>,
    /// Writes the mails.
    pub composer: Arc<dyn Composer>,
    /// Sends them.
    pub mailer: Arc<dyn Mailer>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Makes the ids.
    pub ids: Arc<IdSequence>,
    /// The secret that tokens are derived from.
    pub mac_key: MacKey,
    /// What the operator decided.
    pub policy: Arc<Policy>,
    /// What is remembered between calls.
    pub memory: Arc<Memory>,
}

/// What the operator decided, or left at its default.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Whether mail is kept to be read instead of sent.
    pub captures_mail: bool,
    /// How long a token lives, from the first accepted delivery.
    pub verification_life: SignedDuration,
    /// The least pause between two verification mails of one customer.
    pub resend_cooldown: SignedDuration,
    /// When to knock again.
    pub retry: RetryPolicy,
    /// How long a claim on a message holds.
    pub lease: SignedDuration,
    /// For how long a key check may be trusted without asking the store again.
    pub key_trust: std::time::Duration,
}

/// What is remembered between calls; all of it can be forgotten.
pub struct Memory {
    /// What is known of the relay.
    relay: Mutex<RelayHealth>,
    /// Keys that were looked up lately.
    known_keys: KnownKeys,
    /// Messages that are claimed and whose sending nobody has begun.
    claimed: Claimed,
    /// Outcomes of attempts that could not be written down yet.
    owed: Owed,
}

impl Memory {
    /// Nothing is known yet; a relay that fails is probed after such a pause.
    #[must_use]
    pub fn new(probe_pause: SignedDuration) -> Self {
        Self {
            relay: Mutex::new(RelayHealth::good(probe_pause)),
            known_keys: KnownKeys::default(),
            claimed: Claimed::default(),
            owed: Owed::default(),
        }
    }
}

impl Registry {
    /// Whether the last that was heard of the mail relay is good.
    #[must_use]
    pub fn relay_is_up(&self) -> bool {
        self.with_relay(|relay| relay.is_up())
    }

    fn with_relay<T>(&self, look: impl FnOnce(&mut RelayHealth) -> T) -> T {
        // The lock is held for a few assignments only; a panic in between leaves a health that is still true enough.
        look(&mut self.memory.relay.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The use cases of whoever hands out keys.
    #[must_use]
    pub fn key_desk(&self) -> KeyDesk {
        KeyDesk { keys: Arc::clone(&self.keys), clock: Arc::clone(&self.clock), entropy: Arc::clone(&self.entropy) }
    }

    fn random_u64(&self) -> u64 {
        let mut bytes = [0; 8];
        self.entropy.fill(&mut bytes);
        u64::from_be_bytes(bytes)
    }

    fn random_u32(&self) -> u32 {
        let mut bytes = [0; 4];
        self.entropy.fill(&mut bytes);
        u32::from_be_bytes(bytes)
    }

    fn next_customer_id(&self, now: Timestamp) -> CustomerId {
        CustomerId::new(self.ids.next(now, self.random_u64()))
    }

    /// Asks the owner of an address for the proof of that number, with a message of its own.
    fn ask_for_proof(&self, customer: CustomerId, number: u32, email: EmailAddress, now: Timestamp) -> Request {
        let id = VerificationId { customer_key: customer.key(), number, salt: self.random_u32() };
        let verification = Verification::issue(id, customer, email, now);
        let departure = if self.policy.captures_mail {
            Departure::Capture(self.policy.verification_life)
        } else {
            Departure::Queue
        };
        Request::issue(MessageId::new(self.ids.next(now, self.random_u64())), verification, departure, now)
    }
}
