//! Pages of customers: by key, never by offset, so that the ten-thousandth costs what the first one costs.

use rusqlite::Connection;

use super::search_index::Damage;
use crate::application::ports::{CustomerPage, CustomerQuery, WriteCustomer};

mod page;
mod part;
mod statement;

use page::Page;
pub(super) use page::teach;
use part::{Ahead, are_more_ahead, is_for_one, parts};
use statement::Statement;

/// The most that a short page comes to, in bytes: that of 200 customers with a dozen notes each.
const SHORT: usize = 256 << 10;

/// So many whose ids are ahead of their time are passed over in no time to speak of.
const FEW_AHEAD: usize = 256;

/// So many of them are looked at in some milliseconds. Where there are more, nearly all may be ahead, since a clock that was
/// years ahead stays in the ids for years; then a search, or a note, leads to those who are asked for more quickly.
const MANY_AHEAD: usize = 1 << 16;

/// Whether many customers may have to be looked at who are not asked for, on the way to those who are.
pub(super) fn looks_at_many(query: &CustomerQuery) -> bool {
    let notes = query.metadata.len();
    !is_for_one(query) && (query.search.is_some() || notes > 1 || (notes == 1 && query.verified.is_some()))
}

/// For a query that does not look at many: its page if that is a short one, or else `write` again, for [`page()`].
pub(super) fn short_page(
    db: &Connection,
    query: &CustomerQuery,
    write: WriteCustomer,
) -> rusqlite::Result<Result<CustomerPage, WriteCustomer>> {
    if are_more_ahead(FEW_AHEAD, db, query)? {
        return Ok(Err(write));
    }
    let (page, none) = (Page::of(query, write).of_at_most(SHORT), Damage::default());
    Ok(page.filled_by(|| read(db, query, &none, none.known(), Ahead::Apart))?.if_whole())
}

/// The page that a query asks for, as one transaction sees it.
pub(super) fn page(
    db: &Connection,
    query: &CustomerQuery,
    write: WriteCustomer,
    damage: &Damage,
) -> rusqlite::Result<CustomerPage> {
    page_with_apart(MANY_AHEAD, db, query, write, damage)
}

/// The same, with so many whose ids are ahead of their time as a part of their own.
fn page_with_apart(
    most: usize,
    db: &Connection,
    query: &CustomerQuery,
    write: WriteCustomer,
    damage: &Damage,
) -> rusqlite::Result<CustomerPage> {
    // Before the snapshot, which may be of an index that is made anew meanwhile.
    let known = damage.known();
    let snapshot = db.unchecked_transaction()?;
    let ahead = if are_more_ahead(most, &snapshot, query)? { Ahead::AmongAll } else { Ahead::Apart };
    Ok(Page::of(query, write).filled_by(|| read(&snapshot, query, damage, known, ahead))?.finished())
}

/// Puts customers on the page in hand, part by part, until it is full. What it finds damaged is what was there when so much
/// was known of it.
fn read(db: &Connection, query: &CustomerQuery, damage: &Damage, known: u64, ahead: Ahead) -> rusqlite::Result<()> {
    for part in parts(db, query, damage, ahead)? {
        if !page::is_full() && !part.keys.is_empty() {
            Statement::of(query, part).fill_page(db).inspect_err(|error| damage.note(known, error))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
