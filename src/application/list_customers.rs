//! List: customers by page, filtered and searched.

use super::{
    Registry,
    ports::{CustomerPage, CustomerQuery, StoreError, WriteCustomer},
};

impl Registry {
    /// A page of customers, each written down as it is read.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list_customers(&self, query: CustomerQuery, write: WriteCustomer) -> Result<CustomerPage, StoreError> {
        self.customers.list(query, write).await
    }
}
