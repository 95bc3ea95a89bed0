//! Outcomes of attempts that could not be written down when they were known.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::ports::{Outbox, Settlement, StoreError};
use crate::domain::ids::MessageId;

/// What is owed to the outbox, oldest first. While anything is, nothing more is sent.
#[derive(Default)]
pub(super) struct Owed(Mutex<State>);

#[derive(Default)]
struct State {
    settlements: VecDeque<Settlement>,
    /// Somebody is writing them down.
    is_paying: bool,
    /// Messages whose outcome the store will never take.
    unwritable: HashSet<MessageId>,
}

impl Owed {
    /// Writes down what is owed.
    ///
    /// # Errors
    /// [`StoreError`]; what is not written stays owed. Also while somebody else is at it.
    pub(super) async fn pay(&self, outbox: &dyn Outbox) -> Result<(), StoreError> {
        let Some(_paying) = Paying::begin(self) else { return Err(StoreError::Overloaded) };
        // Each is owed until it is written, whatever breaks off in between.
        while let Some(settlement) = self.first() {
            let paid = outbox.settle(&settlement).await;
            if !paid.as_ref().is_err_and(StoreError::may_pass) {
                self.state().settlements.pop_front();
            }
            self.note_unwritable(settlement.message, &paid);
            paid?;
        }
        Ok(())
    }

    /// Writes an outcome down, or owes it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) async fn settle(&self, outbox: &dyn Outbox, settlement: Settlement) -> Result<(), StoreError> {
        let settled = outbox.settle(&settlement).await;
        self.note_unwritable(settlement.message, &settled);
        if settled.as_ref().is_err_and(StoreError::may_pass) {
            self.state().settlements.push_back(settlement);
        }
        settled
    }

    /// Whether what became of a message cannot be written down, so that to send it again would only send it once more.
    pub(super) fn is_unwritable(&self, message: MessageId) -> bool {
        self.state().unwritable.contains(&message)
    }

    /// A settlement that the store will never take must not hold up all mail, nor bring its message again and again.
    fn note_unwritable(&self, message: MessageId, settled: &Result<(), StoreError>) {
        if settled.as_ref().is_err_and(|error| !error.may_pass()) {
            self.state().unwritable.insert(message);
        }
    }

    fn first(&self) -> Option<Settlement> {
        self.state().settlements.front().cloned()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to write down what is owed, which one has at a time.
struct Paying<'owed>(&'owed Owed);

impl<'owed> Paying<'owed> {
    fn begin(owed: &'owed Owed) -> Option<Self> {
        let is_free = !std::mem::replace(&mut owed.state().is_paying, true);
        is_free.then_some(Self(owed))
    }
}

impl Drop for Paying<'_> {
    fn drop(&mut self) {
        self.0.state().is_paying = false;
    }
}
