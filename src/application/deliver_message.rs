//! Deliver: a message is offered to the relay, and what became of it is written down.

use jiff::Timestamp;

use super::{
    Registry,
    ports::{Outcome, Settlement, StoreError},
    under_way::UnderWay,
};
use crate::domain::{
    history::{Actor, Deed, Event},
    mail::{SendFault, Stage},
    message::Message,
    relay::{Failure, RelayHealth},
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
    /// The relay takes no more sessions at once: the message is due again, and so many sessions are used for a while, where
    /// these are fewer than before.
    Crowded(SendFault, Option<usize>),
    /// The relay is at fault; nothing is offered to it before that moment.
    RelayFault(SendFault, Timestamp),
}

impl Registry {
    /// Offers a message that is [due](Self::next_due) to the relay and writes down what became of it.
    ///
    /// # Errors
    /// [`StoreError`]; the outcome is kept then and written before the next message is due.
    pub async fn deliver(&self, message: &Message) -> Result<Delivery, StoreError> {
        let under_way = UnderWay::begin(self);
        let sent = self.send(message).await;
        let now = self.clock.now();
        let (outcome, delivery) = match sent {
            Ok(()) => self.accepted(under_way, now),
            Err(fault) if fault.is_the_relays() => relay_failed(under_way, message, fault, now),
            Err(fault) => self.refused(under_way, message, fault, now),
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

    fn accepted(&self, under_way: UnderWay<'_>, now: Timestamp) -> (Outcome, Delivery) {
        under_way.end(RelayHealth::answered);
        let expires_at = now.saturating_add(self.policy.verification_life).unwrap_or(Timestamp::MAX);
        (Outcome::Sent { expires_at }, Delivery::Sent)
    }

    fn refused(
        &self,
        under_way: UnderWay<'_>,
        message: &Message,
        fault: SendFault,
        now: Timestamp,
    ) -> (Outcome, Delivery) {
        let doubted = is_doubted(under_way, &fault, now);
        let error = fault.to_string();
        let chance = self.random_u32();
        match self.policy.retry.judge(&fault, doubted, message.attempts + 1, message.created_at, now, chance) {
            Verdict::Later(later) => {
                let next_attempt_at =
                    if doubted && fault.is_unexplained() { later.min(self.relays_next_chance(now)) } else { later };
                (Outcome::Later { next_attempt_at, error }, Delivery::Deferred(fault))
            }
            Verdict::Failed => (Outcome::Failed { error }, Delivery::Failed(fault)),
        }
    }

    /// When a relay that fails over all is asked again at the latest: it is no message's fault that must be waited out.
    fn relays_next_chance(&self, now: Timestamp) -> Timestamp {
        let longest = self.with_relay(|relay| relay.longest_pause());
        now.saturating_add(longest).unwrap_or(Timestamp::MAX)
    }

    pub(super) fn give_back_probe(&self, now: Timestamp) {
        self.with_relay(|relay| relay.unused(now));
    }
}

fn relay_failed(under_way: UnderWay<'_>, message: &Message, fault: SendFault, now: Timestamp) -> (Outcome, Delivery) {
    let error = fault.to_string();
    let due = message.next_attempt_at.unwrap_or(message.created_at);
    match under_way.end(|relay, attempt| relay.failed(attempt, &fault, now)) {
        Failure::Crowded(sessions) => {
            // As before: it has not lost its place.
            (Outcome::Untried { next_attempt_at: due, error }, Delivery::Crowded(fault, sessions))
        }
        Failure::Down(until) => {
            (Outcome::Untried { next_attempt_at: until, error }, Delivery::RelayFault(fault, until))
        }
    }
}

/// Tells the relay's health of a refusal, and whether that must not end the message.
fn is_doubted(under_way: UnderWay<'_>, fault: &SendFault, now: Timestamp) -> bool {
    if fault.refuses_content() || fault.is_unexplained() {
        return under_way.end(|relay, attempt| relay.turned_down(attempt, fault.code.is_some()));
    }
    if fault.stage == Stage::Build {
        under_way.end(|relay, attempt| relay.unsent(attempt, now));
    } else {
        under_way.end(RelayHealth::answered);
    }
    false
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
