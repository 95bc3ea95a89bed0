//! Outcomes of attempts that could not be written down when they were known.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::ports::{Outbox, Settlement, StoreError};

/// What is owed to the outbox, oldest first. While anything is, nothing more is sent.
#[derive(Default)]
pub(super) struct Owed(Mutex<State>);

#[derive(Default)]
struct State {
    settlements: VecDeque<Settlement>,
    /// Somebody has taken them all to write them down.
    is_paying: bool,
}

impl Owed {
    /// Writes down what is owed.
    ///
    /// # Errors
    /// [`StoreError`]; what is not written stays owed. Also while somebody else is at it.
    pub(super) async fn pay(&self, outbox: &dyn Outbox) -> Result<(), StoreError> {
        let mut settlements = {
            let mut state = self.state();
            if state.is_paying {
                return Err(StoreError::Overloaded);
            }
            if state.settlements.is_empty() {
                return Ok(());
            }
            state.is_paying = true;
            std::mem::take(&mut state.settlements)
        };
        let mut payment = Ok(());
        while let Some(settlement) = settlements.pop_front() {
            payment = outbox.settle(&settlement).await;
            // A settlement that the store will never take must not hold up all mail: its message comes back when its
            // claim lapses.
            if payment.as_ref().is_err_and(StoreError::may_pass) {
                settlements.push_front(settlement);
            }
            if payment.is_err() {
                break;
            }
        }
        let mut state = self.state();
        settlements.append(&mut state.settlements);
        *state = State { settlements, is_paying: false };
        payment
    }

    /// Writes an outcome down, or owes it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) async fn settle(&self, outbox: &dyn Outbox, settlement: Settlement) -> Result<(), StoreError> {
        let settled = outbox.settle(&settlement).await;
        if settled.as_ref().is_err_and(StoreError::may_pass) {
            self.state().settlements.push_back(settlement);
        }
        settled
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
