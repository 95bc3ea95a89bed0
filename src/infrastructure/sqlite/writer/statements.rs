//! The statements that the writer keeps at hand.
//!
//! rusqlite's own cache takes a statement out of a list by its text, wipes its parameters afterwards and puts it back: for
//! five statements that is a twelfth of a registration. Here each is found by where its text lies, and stays.

use std::{
    cell::RefCell,
    collections::{HashMap, hash_map::Entry},
};

use rusqlite::{Connection, PrepFlags, Result, Statement, ToSql};

/// Where a text lies, and how long it is: no two texts share both.
type Place = (*const u8, usize);

/// Statements that are prepared when they are first needed.
pub(super) struct Statements<'db> {
    db: &'db Connection,
    prepared: RefCell<HashMap<Place, Statement<'db>>>,
}

/// The same without saying how long the connection lives, which a transaction need not know.
pub(super) trait Execute {
    fn db(&self) -> &Connection;
    fn execute(&self, sql: &'static str, parameters: &[&dyn ToSql]) -> Result<usize>;
}

impl<'db> Statements<'db> {
    pub(super) fn of(db: &'db Connection) -> Self {
        Self { db, prepared: RefCell::default() }
    }
}

impl Execute for Statements<'_> {
    fn db(&self) -> &Connection {
        self.db
    }

    fn execute(&self, sql: &'static str, parameters: &[&dyn ToSql]) -> Result<usize> {
        match self.prepared.borrow_mut().entry((sql.as_ptr(), sql.len())) {
            Entry::Occupied(prepared) => prepared.into_mut(),
            Entry::Vacant(place) => {
                place.insert(self.db.prepare_with_flags(sql, PrepFlags::SQLITE_PREPARE_PERSISTENT)?)
            }
        }
        .execute(parameters)
    }
}
