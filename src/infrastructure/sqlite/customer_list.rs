//! Pages of customers: by key, never by offset, so that the ten-thousandth costs what the first one costs.

use rusqlite::Connection;

use super::search_index::Damage;
use crate::application::ports::{CustomerPage, CustomerQuery, WriteCustomer};

mod page;
mod part;
mod statement;

use page::Page;
pub(super) use page::teach;
use part::{are_many_ahead, is_for_one, parts};
use statement::Statement;

/// The most that a short page comes to, in bytes: that of 200 customers with a dozen notes each.
const SHORT: usize = 256 << 10;

/// Whether many customers may have to be looked at who are not asked for, on the way to those who are.
pub(super) fn looks_at_many(query: &CustomerQuery) -> bool {
    let notes = query.metadata.len();
    !is_for_one(query) && (query.search.is_some() || notes > 1 || (notes == 1 && query.verified.is_some()))
}

/// The page that a query asks for that does not look at many, if it turns out to be a short one; otherwise what was to
/// write it.
pub(super) fn short_page(
    db: &Connection,
    query: &CustomerQuery,
    write: WriteCustomer,
    damage: &Damage,
) -> rusqlite::Result<Result<CustomerPage, WriteCustomer>> {
    if are_many_ahead(db, query)? {
        return Ok(Err(write));
    }
    let page = Page::of(query, write).of_at_most(SHORT);
    Ok(page.filled_by(|| read(db, query, damage, false))?.if_whole())
}

/// The page that a query asks for, as one transaction sees it.
pub(super) fn page(
    db: &Connection,
    query: &CustomerQuery,
    write: WriteCustomer,
    damage: &Damage,
) -> rusqlite::Result<CustomerPage> {
    let snapshot = db.unchecked_transaction()?;
    let are_many_ahead = are_many_ahead(&snapshot, query)?;
    Ok(Page::of(query, write).filled_by(|| read(&snapshot, query, damage, are_many_ahead))?.finished())
}

/// Puts customers on the page in hand, part by part, until it is full.
fn read(db: &Connection, query: &CustomerQuery, damage: &Damage, are_many_ahead: bool) -> rusqlite::Result<()> {
    let known = damage.known();
    for part in parts(db, query, damage, are_many_ahead)? {
        if !page::is_full() {
            Statement::of(query, part).fill_page(db).inspect_err(|error| damage.note(known, error))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
