//! Find: a customer by id.

use super::{Registry, ports::StoreError};
use crate::domain::{customer::Customer, ids::CustomerId};

impl Registry {
    /// Finds a customer.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_customer(&self, id: CustomerId) -> Result<Option<Customer>, StoreError> {
        self.customers.find(id).await
    }
}
