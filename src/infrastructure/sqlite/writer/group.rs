//! A group of commands in one transaction.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{Command, Commit, statements::Execute, transaction::Transaction};

/// Runs a group in one transaction and tells of its commit, with how many customers it put on the roll; none if it
/// changed nothing. On an error nothing of it is kept.
///
/// A savepoint for each command would cost a copy of every page that two of them change. So they run without, which is
/// good as long as those that fail do so before they change anything, as refusals do. If one fails later than that, the
/// transaction is rolled back, and the group runs again with savepoints.
pub(super) fn commit_together(
    statements: &dyn Execute,
    group: &mut [Box<dyn Command>],
) -> rusqlite::Result<Option<(Commit, usize)>> {
    let (transaction, kept) = match run_all(statements, group, run_trusted)? {
        Some(run) => run,
        None => run_all(statements, group, run_alone)?.ok_or_else(lost)?,
    };
    let effects = transaction.commit()?;
    // What was undone has been counted as a change all the same.
    let effects = effects.filter(|_| kept > 0);
    Ok(effects.map(|effects| (Commit { commands: kept, queued_mail: effects.queued_mail }, effects.registered)))
}

/// Runs every command of a group in a transaction; tells how many are to be kept. None if the run came to nothing.
fn run_all<'db>(
    statements: &'db dyn Execute,
    group: &mut [Box<dyn Command>],
    run: fn(&Transaction<'_>, &mut dyn Command) -> rusqlite::Result<Ran>,
) -> rusqlite::Result<Option<(Transaction<'db>, usize)>> {
    let transaction = Transaction::begin(statements)?;
    let mut kept = 0;
    for command in group {
        let effects = transaction.effects();
        match run(&transaction, command.as_mut())? {
            Ran::Kept => kept += 1,
            Ran::Undone => transaction.reset(effects),
            Ran::Spoiled => return Ok(None),
        }
        // A full disk, say, makes SQLite roll all of it back.
        if transaction.is_autocommit() {
            return Err(lost());
        }
    }
    Ok(Some((transaction, kept)))
}

/// What became of a command in its transaction.
enum Ran {
    /// Its changes are to be kept.
    Kept,
    /// It has left none.
    Undone,
    /// It failed and has left some.
    Spoiled,
}

#[expect(clippy::unnecessary_wraps, reason = "the other way of running a command can fail")]
fn run_trusted(transaction: &Transaction<'_>, command: &mut dyn Command) -> rusqlite::Result<Ran> {
    let before = transaction.total_changes();
    Ok(match run_caught(transaction, command) {
        true => Ran::Kept,
        false if transaction.total_changes() == before => Ran::Undone,
        false => Ran::Spoiled,
    })
}

fn run_alone(transaction: &Transaction<'_>, command: &mut dyn Command) -> rusqlite::Result<Ran> {
    transaction.execute_kept("SAVEPOINT command", &[])?;
    let keep = run_caught(transaction, command);
    if !keep && !transaction.is_autocommit() {
        transaction.execute_kept("ROLLBACK TO command", &[])?;
    }
    if !transaction.is_autocommit() {
        transaction.execute_kept("RELEASE command", &[])?;
    }
    Ok(if keep { Ran::Kept } else { Ran::Undone })
}

/// Whether a command is to be kept; one that panics is not.
fn run_caught(transaction: &Transaction<'_>, command: &mut dyn Command) -> bool {
    catch_unwind(AssertUnwindSafe(|| command.run(transaction))).unwrap_or_else(|_| {
        tracing::error!("a write command panicked; it is undone");
        false
    })
}

/// SQLite has rolled a transaction back by itself, which it does where the disk fails it.
fn lost() -> rusqlite::Error {
    let cause = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR);
    rusqlite::Error::SqliteFailure(cause, Some("the transaction was lost".to_owned()))
}
