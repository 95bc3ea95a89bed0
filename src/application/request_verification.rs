//! Request a verification: the owner of an address is asked once more to confirm it.

use jiff::{SignedDuration, Timestamp};

use super::{
    Registry,
    ports::{LatestRequest, StoreError},
};
use crate::domain::{
    history::{Actor, Deed, Event},
    ids::CustomerId,
    message::{Message, MessageState},
};

/// How often the store is looked at for one request, if others keep changing it.
const MOST_LOOKS: usize = 3;

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
        let now = self.clock.now();
        let event = Event { customer_id: id, at: now, deed: Deed::VerificationRequested, actor, note: None };
        // Whoever comes second of two at the same moment finds the store changed, and looks again.
        for _ in 0..MOST_LOOKS {
            let latest = self.verifications.latest(id).await?.ok_or(RequestVerificationError::NotFound)?;
            self.judge_request(&latest, now)?;
            let asked = if let Some(waiting) = latest.message.as_ref().filter(|message| is_waiting(message)) {
                self.verifications.hasten(waiting.id, latest.asked_at, &event).await?
            } else {
                let email = latest.customer.particulars.email.clone();
                let request = self.ask_for_proof(id, latest.number + 1, email, now);
                self.verifications.request(&request, &event).await?
            };
            if asked {
                return Ok(());
            }
        }
        Err(RequestVerificationError::TooSoon { wait: self.policy.resend_cooldown })
    }

    fn judge_request(&self, latest: &LatestRequest, now: Timestamp) -> Result<(), RequestVerificationError> {
        if latest.customer.verified_at.is_some() {
            return Err(RequestVerificationError::AlreadyVerified);
        }
        let age = now.duration_since(latest.asked_at);
        // A clock set back must not lock anybody out for longer than the cooldown.
        if !age.is_negative() && age < self.policy.resend_cooldown {
            return Err(RequestVerificationError::TooSoon { wait: self.policy.resend_cooldown - age });
        }
        Ok(())
    }
}

const fn is_waiting(message: &Message) -> bool {
    matches!(message.state, MessageState::Queued | MessageState::Deferred)
}
