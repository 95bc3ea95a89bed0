//! What is asked of a roll.

use rollbook::{
    application::ports::{CustomerQuery, WriteCustomer},
    domain::{ids::CustomerId, search::Search},
};

use super::{Outcome, People};

/// As many as a page shows unless it is asked for more.
const ON_A_PAGE: u32 = 50;

/// The newest customers.
pub fn first_page() -> CustomerQuery {
    CustomerQuery { limit: ON_A_PAGE, ..CustomerQuery::default() }
}

/// Those behind a customer.
pub fn page_behind(customer: CustomerId) -> CustomerQuery {
    CustomerQuery { after: Some(customer.key()), ..first_page() }
}

/// The newest customers in whom all these words are found.
pub fn search(words: &str) -> Outcome<CustomerQuery> {
    Ok(CustomerQuery { search: Some(Search::parse(words)?), ..first_page() })
}

/// Writes down the names of those who are found.
pub fn names() -> WriteCustomer {
    Box::new(|text, customer| text.extend_from_slice(customer.name.as_bytes()))
}

/// What one types who looks for somebody: the first name and how the surname begins.
pub fn words_of_one(people: &People) -> String {
    let (first, surname) = people.somebodys_name();
    let beginning: String = surname.chars().take(4).collect();
    format!("{first} {beginning}")
}
