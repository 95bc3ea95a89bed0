//! The transaction of a group of commands, and what follows from its commit.

use std::{
    cell::{Cell, OnceCell},
    ops::Deref,
};

use rusqlite::{Connection, ToSql};

use super::{
    super::{outbox, search_index},
    statements::Execute,
};
use crate::domain::message::MessageState;

/// The transaction that a command runs in. What is not committed when it is dropped is undone.
pub(in crate::infrastructure::sqlite) struct Transaction<'db> {
    statements: &'db dyn Execute,
    changes_before: u64,
    effects: Cell<Effects>,
    search_mark: OnceCell<i64>,
}

/// What follows from a commit.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Effects {
    /// Whether there is mail that is due.
    pub(super) queued_mail: bool,
    /// How many more customers are on the roll.
    pub(super) registered: usize,
    /// How many changes were made, by SQLite's count.
    pub(super) changes: u64,
    /// How many more messages there are, by [`MessageState::ALL`].
    messages: [u32; MessageState::ALL.len()],
}

impl<'db> Transaction<'db> {
    pub(super) fn begin(statements: &'db dyn Execute) -> rusqlite::Result<Self> {
        statements.execute("BEGIN IMMEDIATE", &[])?;
        let changes_before = statements.db().total_changes();
        Ok(Self { statements, changes_before, effects: Cell::default(), search_mark: OnceCell::new() })
    }

    /// Executes a statement that returns no rows and is kept prepared; tells how many it changed.
    pub(in crate::infrastructure::sqlite) fn execute_kept(
        &self,
        sql: &'static str,
        parameters: &[&dyn ToSql],
    ) -> rusqlite::Result<usize> {
        self.statements.execute(sql, parameters)
    }

    /// The commit is to wake whoever sends mail.
    pub(in crate::infrastructure::sqlite) fn queued_mail(&self) {
        self.affect(|effects| effects.queued_mail = true);
    }

    /// One more customer is on the roll.
    pub(in crate::infrastructure::sqlite) fn registered(&self) {
        self.affect(|effects| effects.registered += 1);
    }

    /// The key up to which customers are indexed, as the transaction has found it.
    pub(in crate::infrastructure::sqlite) fn search_mark(&self) -> rusqlite::Result<i64> {
        if let Some(mark) = self.search_mark.get() {
            return Ok(*mark);
        }
        let mark = search_index::mark(self)?;
        Ok(*self.search_mark.get_or_init(|| mark))
    }

    /// One more message is there, in that state.
    pub(in crate::infrastructure::sqlite) fn added_message(&self, state: MessageState) {
        self.affect(|effects| {
            if let Some((count, _)) = effects.messages.iter_mut().zip(MessageState::ALL).find(|(_, of)| *of == state) {
                *count += 1;
            }
        });
    }

    fn affect(&self, change: impl FnOnce(&mut Effects)) {
        let mut effects = self.effects.get();
        change(&mut effects);
        self.effects.set(effects);
    }

    /// What would follow from a commit now.
    pub(super) fn effects(&self) -> Effects {
        self.effects.get()
    }

    /// Takes back what a command that is undone has said.
    pub(super) fn reset(&self, effects: Effects) {
        self.effects.set(effects);
    }

    /// Commits; tells what follows, if anything was changed.
    pub(super) fn commit(self) -> rusqlite::Result<Option<Effects>> {
        let effects = self.effects.get();
        for (count, state) in effects.messages.into_iter().zip(MessageState::ALL).filter(|(count, _)| *count > 0) {
            outbox::count_new(&self, state, count)?;
        }
        // What is written by the commit itself, as the search index is, counts as well.
        self.execute_kept("COMMIT", &[])?;
        let changes = self.total_changes() - self.changes_before;
        Ok((changes > 0).then_some(Effects { changes, ..effects }))
    }
}

impl Drop for Transaction<'_> {
    /// Undoes what was not committed.
    fn drop(&mut self) {
        if !self.is_autocommit()
            && let Err(error) = self.execute_kept("ROLLBACK", &[])
        {
            tracing::error!(%error, "a transaction could not be rolled back");
        }
    }
}

impl Deref for Transaction<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.statements.db()
    }
}
