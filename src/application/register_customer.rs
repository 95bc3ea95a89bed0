//! Register: a customer is put on the roll, and its owner is asked to confirm the address.

use std::sync::Arc;

use super::{Registry, ports::RegisterError};
use crate::domain::{
    customer::{Customer, Particulars},
    history::{Actor, Deed, Event},
};

/// Who is to be put on the roll, and who asks for it.
#[derive(Debug, Clone)]
pub struct RegisterCustomer {
    /// What is known of the customer, judged already.
    pub particulars: Particulars,
    /// Who asks.
    pub actor: Actor,
}

impl Registry {
    /// Puts a customer on the roll. When this returns, customer, proof, message and history are on the disk.
    ///
    /// # Errors
    /// [`RegisterError`]; nothing is stored then.
    pub async fn register_customer(&self, command: RegisterCustomer) -> Result<Arc<Customer>, RegisterError> {
        let now = self.clock.now();
        let id = self.next_customer_id(now);
        let request = self.ask_for_proof(id, 1, command.particulars.email.clone(), now);
        let customer = Arc::new(Customer::register(id, command.particulars, request.progress.clone(), now));
        let event = Event { customer_id: id, at: now, deed: Deed::Registered, actor: command.actor, note: None };
        self.customers.register(Arc::clone(&customer), request, event).await?;
        Ok(customer)
    }
}
