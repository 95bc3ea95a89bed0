//! Deliver: a message is offered to the relay, and what became of it is written down.

use jiff::Timestamp;

use super::{
    Registry,
    ports::{Outcome, Settlement, StoreError},
};
use crate::domain::{
    history::{Actor, Deed, Event},
    mail::{SendFault, Stage},
    message::Message,
    relay::RelayHealth,
    retry::Verdict,
};

/// What became of a message that was offered to the relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// A server took it.
    Sent,
    /// It was put off.
    Deferred(SendFault),
    /// It was refused for good.
    Failed(SendFault),
    /// The relay is at fault; nothing is offered to it before that moment.
    RelayFault(SendFault, Timestamp),
}

impl Registry {
    /// Offers a message that is [due](Self::next_due) to the relay and writes down what became of it.
    ///
    /// # Errors
    /// [`StoreError`]; the outcome is kept then and written before the next message is due.
    pub async fn deliver(&self, message: &Message) -> Result<Delivery, StoreError> {
        let sent = self.send(message).await;
        let now = self.clock.now();
        let (outcome, delivery) = match sent {
            Ok(()) => self.accepted(now),
            Err(fault) if fault.is_the_relays() => self.relay_failed(fault, now),
            Err(fault) => self.refused(message, fault, now),
        };
        let event = event_of(message, &outcome, now);
        let settlement = Settlement { message: message.id, at: now, outcome, event };
        self.memory.owed.settle(self.outbox.as_ref(), settlement).await?;
        Ok(delivery)
    }

    async fn send(&self, message: &Message) -> Result<(), SendFault> {
        let token = self.mac_key.token(message.verification.id, &message.verification.email);
        let sent = self.mailer.send(&self.composer.compose(message, &token)?).await;
        // Who refuses a mail may well quote it, and faults are kept and shown.
        sent.map_err(|fault| fault.without(&token))
    }

    fn accepted(&self, now: Timestamp) -> (Outcome, Delivery) {
        self.with_relay(RelayHealth::answered);
        let expires_at = now.saturating_add(self.policy.verification_life).unwrap_or(Timestamp::MAX);
        (Outcome::Sent { expires_at }, Delivery::Sent)
    }

    fn relay_failed(&self, fault: SendFault, now: Timestamp) -> (Outcome, Delivery) {
        let until = self.with_relay(|relay| relay.failed(now));
        let outcome = Outcome::Untried { next_attempt_at: until, error: fault.to_string() };
        (outcome, Delivery::RelayFault(fault, until))
    }

    fn refused(&self, message: &Message, fault: SendFault, now: Timestamp) -> (Outcome, Delivery) {
        let may_be_for_all = fault.refuses_content() || fault.is_unexplained();
        let doubted = may_be_for_all && self.with_relay(RelayHealth::turned_down);
        if fault.stage == Stage::Build {
            self.give_back_probe(now);
        } else if !may_be_for_all {
            self.with_relay(RelayHealth::answered);
        }
        let error = fault.to_string();
        let chance = self.random_u32();
        match self.policy.retry.judge(&fault, doubted, message.attempts + 1, message.created_at, now, chance) {
            Verdict::Later(next_attempt_at) => (Outcome::Later { next_attempt_at, error }, Delivery::Deferred(fault)),
            Verdict::Failed => (Outcome::Failed { error }, Delivery::Failed(fault)),
        }
    }

    pub(super) fn give_back_probe(&self, now: Timestamp) {
        self.with_relay(|relay| relay.unused(now));
    }
}

/// The line for the history; a fault of the relay says nothing about the customer.
fn event_of(message: &Message, outcome: &Outcome, at: Timestamp) -> Option<Event> {
    let (deed, note) = match outcome {
        Outcome::Sent { .. } => (Deed::MailSent, None),
        Outcome::Later { error, .. } => (Deed::MailDeferred, Some(error.clone())),
        Outcome::Failed { error } => (Deed::MailFailed, Some(error.clone())),
        Outcome::Untried { .. } => return None,
    };
    Some(Event { customer_id: message.customer_id, at, deed, actor: Actor::Rollbook, note })
}
