//! Customers: what a registration answers and leaves behind, and how one is looked up.

mod concurrency;
mod lookup;
mod registration;
mod uniqueness;
