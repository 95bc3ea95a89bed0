//! The list of customers over HTTP: pages, filters, search.

use std::sync::Arc;

use poem::Request;
use poem_openapi::{ApiResponse, Object};

use super::{
    answer::Written, customer_body::CustomerBody, customer_writer, failure::Failure, query::Parameters, room::Rooms,
};
use crate::{
    application::{
        Registry,
        ports::{CustomerOrder, CustomerQuery},
    },
    domain::{email_address::EmailAddress, metadata::Metadata, search::Search, token::List},
};

const MOST_ON_A_PAGE: u32 = 200;
const USUAL_ON_A_PAGE: u32 = 50;

/// A page of customers.
#[derive(Debug, Object)]
#[oai(rename = "CustomerPage")]
pub(super) struct PageBody {
    items: Vec<CustomerBody>,
    /// What to send as `cursor` for the next page; null on the last one.
    next_cursor: Option<String>,
}

#[derive(ApiResponse)]
pub(super) enum CustomerList {
    /// The page.
    #[oai(status = 200)]
    Page(Written<PageBody>),
}

/// The page that a request asks for.
pub(super) async fn answer(request: &Request, registry: &Registry) -> Result<CustomerList, Failure> {
    let query = query_of(request, registry)?;
    let items = customer_writer::items(query.limit, registry.clock.now());
    let list = list_in(query.order);
    let page = registry.list_customers(query, items).await?;
    let cursor = page.next.map(|row| registry.mac_key.cursor(list, row));
    let rooms = request.data::<Arc<Rooms>>().ok_or_else(Failure::internal)?;
    let page = rooms.keep(customer_writer::page(page.text, cursor.as_deref()))?;
    Ok(CustomerList::Page(Written::new(page)))
}

/// What is asked for, all parameters judged at once.
fn query_of(request: &Request, registry: &Registry) -> Result<CustomerQuery, Failure> {
    let mut parameters = Parameters::of(request);
    let limit = parameters.whole("limit", 1, MOST_ON_A_PAGE);
    let order = parameters.parse("sort", |sort| match sort {
        "-created_at" => Ok(CustomerOrder::NewestFirst),
        "created_at" => Ok(CustomerOrder::OldestFirst),
        _ => Err("must be -created_at or created_at"),
    });
    let order = order.unwrap_or_default();
    let after = parameters.cursor(&registry.mac_key, list_in(order));
    let search = parameters.parse("q", Search::parse);
    let email = parameters.parse("email", |email| EmailAddress::parse(email).map(|email| email.canonical().to_owned()));
    let external_id = parameters.parse("external_id", |key| Ok::<_, std::convert::Infallible>(key.to_owned()));
    let verified = parameters.yes_or_no("verified");
    let created_after = parameters.moment("created_after");
    let created_before = parameters.moment("created_before");
    let metadata = parameters.bracketed("metadata", Metadata::MOST_KEYS);
    parameters.done()?;
    Ok(CustomerQuery {
        after,
        limit: limit.unwrap_or(USUAL_ON_A_PAGE),
        order,
        email,
        external_id,
        verified,
        created_after,
        created_before,
        metadata,
        search,
    })
}

const fn list_in(order: CustomerOrder) -> List {
    match order {
        CustomerOrder::NewestFirst => List::CustomersNewestFirst,
        CustomerOrder::OldestFirst => List::CustomersOldestFirst,
    }
}
