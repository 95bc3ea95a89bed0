//! A page in the making. SQLite hands each row to a function of ours, all columns at once: asked for one by one, with a
//! lock and a check for each, they would cost as much as all the rest of a page.

use std::cell::RefCell;

use rusqlite::{
    Connection, Error, Result,
    functions::{Context, FunctionFlags},
    types::{FromSqlResult, Null},
};

use super::super::{arguments::Arguments, rows, search_index};
use crate::{
    application::ports::{CustomerPage, CustomerQuery, WriteCustomer},
    domain::{ids::CustomerId, listed::Listed, search::Search},
};

/// Puts a customer on the page in hand, with the arguments that [`listed`] reads, in its order. A query that sorts its rows
/// must not call it: they would come before they are sorted.
///
/// The last column of the table is asked for first: SQLite then finds in one go where all of them begin.
pub(super) const PUT_ON_PAGE: &str = "put_on_page(c.proof_expires_at, c.id, c.id_tail, c.name, c.email, c.external_id, \
    c.locale, c.metadata, c.verified_at, c.pending_email, c.created_at, c.updated_at, c.version, c.proof_state, \
    c.proof_attempts, c.proof_last_error, c.proof_next_attempt_at, c.proof_sent_at)";

/// Whether the search of the page in hand finds a customer.
pub(super) const IS_FOUND: &str = "is_found(c.name, c.email)";

thread_local! {
    /// The page that is being filled. A function has no other way to it than the thread, which is the one that steps the
    /// statement.
    static IN_HAND: RefCell<Option<Page>> = const { RefCell::new(None) };
}

/// Teaches a connection the functions of this module.
pub(in super::super) fn teach(db: &Connection) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DIRECTONLY;
    db.create_scalar_function("is_found", 2, flags, |row| with_page(|page| page.finds(row)))?;
    db.create_scalar_function("put_on_page", 18, flags, |row| {
        with_page(|page| {
            page.put(&listed(row)?);
            Ok(Null)
        })
    })
}

/// Fails where a column holds what no version of ours has written. A panic becomes an error as well: it must not go on
/// through SQLite.
fn with_page<T>(act: impl FnOnce(&mut Page) -> FromSqlResult<T>) -> Result<T> {
    IN_HAND.with_borrow_mut(|page| {
        let page = page.as_mut().ok_or(Error::InvalidQuery)?;
        act(page).map_err(|error| Error::UserFunctionError(error.into()))
    })
}

/// Whether the page in hand has no room for one that was found.
pub(super) fn is_full() -> bool {
    IN_HAND.with_borrow(|page| page.as_ref().is_none_or(|page| page.has_more || page.is_too_long()))
}

pub(super) struct Page {
    write: WriteCustomer,
    search: Option<Search>,
    /// The text that was searched last.
    searched: String,
    written: Vec<u8>,
    /// How many it still takes.
    room: u32,
    /// How many bytes it may come to.
    most_bytes: usize,
    last: Option<u64>,
    has_more: bool,
}

impl Page {
    pub(super) fn of(query: &CustomerQuery, write: WriteCustomer) -> Self {
        Self {
            write,
            search: query.search.clone(),
            searched: String::new(),
            written: Vec::new(),
            room: query.limit,
            most_bytes: usize::MAX,
            last: None,
            has_more: false,
        }
    }

    /// The same, which is given up once it comes to more bytes.
    pub(super) fn of_at_most(self, most_bytes: usize) -> Self {
        Self { most_bytes, ..self }
    }

    /// The page when all is read that fills it.
    pub(super) fn filled_by(self, read: impl FnOnce() -> Result<()>) -> Result<Self> {
        IN_HAND.set(Some(self));
        let outcome = read();
        let page = IN_HAND.take().ok_or(Error::InvalidQuery)?;
        outcome.map(|()| page)
    }

    /// What it has come to; or, if it was given up, what was to write it.
    pub(super) fn if_whole(self) -> std::result::Result<CustomerPage, WriteCustomer> {
        if self.is_too_long() { Err(self.write) } else { Ok(self.finished()) }
    }

    /// What it has come to.
    pub(super) fn finished(self) -> CustomerPage {
        CustomerPage { text: self.written, next: self.last.filter(|_| self.has_more) }
    }

    const fn is_too_long(&self) -> bool {
        self.written.len() > self.most_bytes
    }

    fn finds(&mut self, row: &Context<'_>) -> FromSqlResult<bool> {
        let mut row = Arguments::of(row);
        search_index::searched_text(&mut self.searched, row.text()?, row.text()?);
        Ok(self.search.as_ref().is_none_or(|search| search.finds(&self.searched)))
    }

    fn put(&mut self, customer: &Listed<'_>) {
        match self.room.checked_sub(1) {
            Some(room) => {
                (self.write)(&mut self.written, customer);
                self.last = Some(customer.id.key());
                self.room = room;
            }
            None => self.has_more = true,
        }
    }
}

/// A customer from the arguments of [`PUT_ON_PAGE`], with its texts still in SQLite's hands.
fn listed<'row>(row: &'row Context<'_>) -> FromSqlResult<Listed<'row>> {
    let mut row = Arguments::of(row);
    Ok(Listed {
        proof_expires_at: row.time_if_any()?,
        id: CustomerId::new(rows::uuid(row.integer()?, row.integer()?)),
        name: row.text()?,
        email: row.text()?,
        external_id: row.text_if_any()?,
        locale: row.text_if_any()?,
        metadata: row.text()?,
        verified_at: row.time_if_any()?,
        pending_email: row.text_if_any()?,
        created_at: row.time()?,
        updated_at: row.time()?,
        version: row.number()?,
        proof_state: row.word(rows::proof_state)?,
        proof_attempts: row.number()?,
        proof_last_error: row.text_if_any()?,
        proof_next_attempt_at: row.time_if_any()?,
        proof_sent_at: row.time_if_any()?,
    })
}
