//! List: customers by page, filtered and searched.

use super::{
    Registry,
    ports::{CustomerQuery, StoreError},
};
use crate::domain::customer_page::CustomerPage;

impl Registry {
    /// A page of customers.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list_customers(&self, query: CustomerQuery) -> Result<CustomerPage, StoreError> {
        self.customers.list(query).await
    }
}
