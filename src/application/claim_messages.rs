//! Claim: messages that are due are claimed many at a time, and handed out one by one to whoever sends.

use jiff::Timestamp;

use super::{
    Registry,
    claimed::Waiting,
    ports::{Claim, ClaimTerms, StoreError},
};
use crate::domain::{message::Message, relay::Admission};

/// How many messages one claim takes: so many that its commit weighs nothing beside the sending of each, and that several
/// times as many sessions as there are by default do not wait for it; so few that the writer has it done in a
/// millisecond, and that all of them are begun in time by a relay that takes seconds for each.
const MOST_AT_ONCE: usize = 64;

/// A message waits for the eighth part of its lease at the most before its sending begins. The sending is cut at three
/// quarters of a lease, so as much is left again to write down what became of it.
const WAITING_PART_OF_LEASE: u32 = 8;

/// What there is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Due {
    /// This message, now.
    Now(Box<Message>),
    /// The relay is at fault; nothing is offered to it before that moment.
    WithRelay(Timestamp),
    /// Nothing is due before that moment.
    Later(Option<Timestamp>),
}

impl Registry {
    /// Whether one more message may be begun beside so many that are under way, in so many sessions at the most.
    ///
    /// # Errors
    /// When to ask again, where that is not only once one of them has ended.
    pub fn room_beside(&self, under_way: usize, most: usize) -> Result<(), Option<Timestamp>> {
        let now = self.clock.now();
        let room = self.with_relay(|relay| relay.room_beside(under_way, now));
        if under_way < most { room.map_err(Some) } else { Err(None) }
    }

    /// The message to be sent next. Its claim is on the disk before anybody hears of it (no write, no send), and there is
    /// none while an outcome could not be written down. What was claimed along with it waits in memory; should it never
    /// be asked for, its claim lapses.
    ///
    /// # Errors
    /// [`StoreError`]; what waits in memory stays there.
    pub async fn next_due(&self) -> Result<Due, StoreError> {
        self.pay_owed().await?;
        let now = self.clock.now();
        match self.with_relay(|relay| relay.admit(now)) {
            Ok(Admission::All) => self.find_due(now, MOST_AT_ONCE).await,
            Ok(Admission::Probe) => {
                let found = self.find_probe(now).await;
                if !matches!(found, Ok(Due::Now(_))) {
                    self.give_back_probe(now);
                }
                found
            }
            Err(until) => {
                self.give_back_claimed().await?;
                Ok(Due::WithRelay(until))
            }
        }
    }

    /// Writes down what is still owed to the outbox.
    ///
    /// # Errors
    /// [`StoreError`]; what is not written stays owed.
    pub async fn pay_owed(&self) -> Result<(), StoreError> {
        self.memory.owed.pay(self.outbox.as_ref()).await
    }

    /// Gives back what is claimed and not begun, for others to send or for another day: it is due as it was.
    ///
    /// # Errors
    /// [`StoreError`]; what may still be given back stays in memory.
    pub async fn give_back_claimed(&self) -> Result<(), StoreError> {
        self.give_back(self.memory.claimed.take_all(|_| true)).await
    }

    /// A claim made now. Its horizon is twice as far ahead as anything is put off, so that a clock set back by a little
    /// hastens nothing, and one set back by years stalls nothing.
    #[must_use]
    pub fn claim_terms(&self, now: Timestamp, most: usize) -> ClaimTerms {
        let longest_probe = self.with_relay(|relay| relay.longest_pause());
        let furthest = self.policy.lease.max(self.policy.retry.longest_pause()).max(longest_probe);
        let later = |wait| now.saturating_add(wait).unwrap_or(Timestamp::MAX);
        ClaimTerms { most, now, lease_until: later(self.policy.lease), horizon: later(furthest.saturating_mul(2)) }
    }

    /// The one message that is claimed while the relay is at fault.
    async fn find_probe(&self, now: Timestamp) -> Result<Due, StoreError> {
        self.give_back_claimed().await?;
        self.find_due(now, 1).await
    }

    async fn find_due(&self, now: Timestamp, most: usize) -> Result<Due, StoreError> {
        if let Some(message) = self.next_claimed(now).await? {
            return Ok(Due::Now(message));
        }
        let begin_by = self.clock.monotonic() + self.policy.lease.unsigned_abs() / WAITING_PART_OF_LEASE;
        let claimed = match self.outbox.claim_due(self.claim_terms(now, most)).await? {
            Claim::Taken(claimed) => claimed,
            Claim::NothingUntil(next) => return Ok(Due::Later(next)),
        };
        let mut claimed = claimed.into_iter().filter(|leased| !self.memory.owed.is_unwritable(leased.message.id));
        // The first is handed out however long the claim took: where a lease is short something is sent all the same.
        let first = claimed.next();
        self.memory.claimed.put(claimed.map(|leased| Waiting { leased, begin_by }));
        Ok(first.map_or(Due::Later(None), |leased| Due::Now(Box::new(leased.message))))
    }

    /// The next of the messages that wait on their claims. One that became needless while it waited is let go.
    async fn next_claimed(&self, now: Timestamp) -> Result<Option<Box<Message>>, StoreError> {
        self.give_back_late(now).await?;
        while let Some(waiting) = self.memory.claimed.take() {
            match self.outbox.is_ours(&waiting.leased).await {
                Ok(true) => return Ok(Some(Box::new(waiting.leased.message))),
                Ok(false) => {}
                Err(error) => {
                    self.memory.claimed.put_back([waiting]);
                    return Err(error);
                }
            }
        }
        Ok(None)
    }

    /// Gives back what waited for so long that its claim might lapse, and another be made, while it is being sent; also
    /// when that is so only because the time of day was set.
    async fn give_back_late(&self, now: Timestamp) -> Result<(), StoreError> {
        let passed = self.clock.monotonic();
        let is_late = |waiting: &Waiting| waiting.begin_by < passed || waiting.leased.until <= now;
        self.give_back(self.memory.claimed.take_all(is_late)).await
    }

    async fn give_back(&self, unsent: Vec<Waiting>) -> Result<(), StoreError> {
        if unsent.is_empty() {
            return Ok(());
        }
        let leased: Vec<_> = unsent.iter().map(|waiting| waiting.leased.clone()).collect();
        let given_back = self.outbox.give_back(&leased).await;
        // What the store will never take must not hold up all mail: it comes back when its claim lapses.
        if given_back.as_ref().is_err_and(StoreError::may_pass) {
            self.memory.claimed.put_back(unsent);
        }
        given_back
    }
}
