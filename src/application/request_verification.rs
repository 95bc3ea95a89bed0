//! Request a verification: the owner of an address is asked once more to confirm it.

use jiff::SignedDuration;

use super::{
    Registry,
    ports::{LatestRequest, StoreError},
};
use crate::domain::{
    history::{Actor, Deed, Event},
    ids::CustomerId,
    message::{Message, MessageState, Request},
    verification::{Verification, VerificationId},
};

/// Why no further mail is sent.
#[derive(Debug, thiserror::Error)]
pub enum RequestVerificationError {
    /// There is no such customer.
    #[error("no such customer")]
    NotFound,
    /// The address is proven; there is nothing to ask for.
    #[error("the address is proven")]
    AlreadyVerified,
    /// The last mail was asked for a moment ago.
    #[error("asked for a moment ago")]
    TooSoon {
        /// How long to wait.
        wait: SignedDuration,
    },
    /// The store broke down.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Registry {
    /// Sends the verification mail again. A mail that still waits is made due at once instead of being joined by a
    /// second one; otherwise a further proof is issued, and the links mailed before stay good until they expire.
    ///
    /// # Errors
    /// [`RequestVerificationError`]; nothing is changed then.
    pub async fn request_verification(&self, id: CustomerId, actor: Actor) -> Result<(), RequestVerificationError> {
        use RequestVerificationError as E;
        let now = self.clock.now();
        let latest = self.verifications.latest(id).await?.ok_or(E::NotFound)?;
        if latest.customer.verified_at.is_some() {
            return Err(E::AlreadyVerified);
        }
        if let Some(asked_at) = latest.asked_at {
            let age = now.duration_since(asked_at);
            // A clock set back must not lock anybody out for longer than the cooldown.
            if !age.is_negative() && age < self.policy.resend_cooldown {
                return Err(E::TooSoon { wait: self.policy.resend_cooldown - age });
            }
        }
        let event = Event { customer_id: id, at: now, deed: Deed::VerificationRequested, actor, note: None };
        if let Some(waiting) = latest.message.as_ref().filter(|message| is_waiting(message))
            && self.verifications.hasten(waiting.id, now, &event).await?
        {
            return Ok(());
        }
        let after = latest.message.as_ref().map_or(0, |message| message.verification.id.number);
        if self.verifications.request(&self.further_request(&latest, after), after, &event).await? {
            return Ok(());
        }
        // Somebody else asked in this very moment: their mail is on its way.
        Err(E::TooSoon { wait: self.policy.resend_cooldown })
    }

    fn further_request(&self, latest: &LatestRequest, after: u32) -> Request {
        let now = self.clock.now();
        let customer = &latest.customer;
        let id = VerificationId {
            customer_key: customer.id.uuid().as_u64_pair().0,
            number: after + 1,
            salt: self.random_u32(),
        };
        let verification = Verification::issue(id, customer.id, customer.particulars.email.clone(), now);
        Request::issue(self.next_message_id(now), verification, self.departure(), now)
    }
}

const fn is_waiting(message: &Message) -> bool {
    matches!(message.state, MessageState::Queued | MessageState::Deferred)
}
