//! The schema: embedded, forward only, all that is pending in one transaction, under a snapshot taken first.

use std::{
    error::Error as _,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use refinery::Runner;
use rusqlite::{Connection, OptionalExtension};

use super::{OpenError, StoreSettings, connection};

mod snapshots;

mod embedded {
    refinery::embed_migrations!("migrations");
}

/// A line of refinery's table: the version, name and checksum of a migration that was applied.
type Applied<T> = (i64, T, T);

/// What refinery's table holds when just what is embedded was applied.
const EMBEDDED: &[Applied<&str>] = &include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// Why the schema was not brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The file cannot be opened as it must be.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Another program's database.
    #[error("the file is a database of another program; nothing was changed")]
    Foreign,
    /// A newer version has been here.
    #[error(
        "the database has schema {found}, which is newer than this binary (it knows {known}); install the version that wrote it"
    )]
    Newer {
        /// The schema in the file.
        found: i64,
        /// The newest schema this binary knows.
        known: i64,
    },
    /// The record of what was applied is not as it was written.
    #[error("the record of applied migrations (refinery_schema_history) is damaged at version {0}; restore a backup")]
    Garbled(i64),
    /// What was applied is not what is embedded.
    #[error("the database was migrated by another build: {0}")]
    Different(#[source] refinery::Error),
    /// A migration failed and was rolled back.
    #[error("the migration failed and was rolled back: {0}")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Rows that a migration cannot answer for, since they were there before it.
    #[error(
        "rows of {table} refer to nothing (PRAGMA foreign_key_check shows them); nothing was changed; restore a backup"
    )]
    Dangling {
        /// Whose rows.
        table: String,
    },
    /// No snapshot could be taken, so nothing was changed.
    #[error("no snapshot could be taken at {path}, so nothing was migrated: {source}")]
    NoSnapshot {
        /// Where it was to be.
        path: PathBuf,
        /// Why not.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The file cannot be read as a database.
    #[error("the database cannot be read: {0}")]
    Unreadable(#[source] rusqlite::Error),
}

/// What a migration did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrated {
    /// The schema before; 0 for a new database.
    pub from: i64,
    /// The schema now.
    pub to: i64,
    /// The snapshot that was taken first, if there was anything to lose.
    pub snapshot: Option<PathBuf>,
}

/// Brings the schema of a file up to date. `backups` is the folder for the snapshot, `stamp` the time for its name.
///
/// # Errors
/// [`MigrateError`]; the database is then as it was.
pub fn migrate(path: &Path, settings: &StoreSettings, backups: &Path, stamp: &str) -> Result<Migrated, MigrateError> {
    let migrated = match outdated(path, settings)? {
        Some(found) => {
            let mut db = connection::open_to_write(path, settings.busy_timeout, settings.echo)?;
            bring_up(&runner(), &mut db, found, backups, stamp)?
        }
        // Refinery would keep half a megabyte of regular expressions to find that out.
        None => Migrated { from: newest_embedded(), to: newest_embedded(), snapshot: None },
    };
    snapshots::forget_old(backups);
    Ok(migrated)
}

/// Whether a file holds the schema that this binary knows, so that nothing is to be migrated.
///
/// # Errors
/// [`MigrateError`] if it cannot be migrated either.
pub fn is_up_to_date(path: &Path, settings: &StoreSettings) -> Result<bool, MigrateError> {
    let db = connection::open_to_look(path, settings.busy_timeout, settings.echo)?;
    Ok(judge(&db, newest_embedded())? == newest_embedded())
}

/// The schema of a file that is to be brought up to date; none if it is. Looks without opening it to write, which makes
/// even another program's database one with a WAL.
fn outdated(path: &Path, settings: &StoreSettings) -> Result<Option<i64>, MigrateError> {
    if !path.exists() {
        return Ok(Some(0));
    }
    let db = connection::open_to_look(path, settings.busy_timeout, settings.echo)?;
    if holds_what_is_embedded(&db) { Ok(None) } else { admit(&db, newest_embedded()).map(Some) }
}

/// Whether all that is embedded was applied as it is, and nothing else. Of what cannot be read refinery is to say what is
/// wrong.
fn holds_what_is_embedded(db: &Connection) -> bool {
    let embedded = EMBEDDED.iter().map(|(version, name, checksum)| (*version, (*name).into(), (*checksum).into()));
    applied(db).is_ok_and(|applied| applied.into_iter().eq(embedded))
}

fn newest_embedded() -> i64 {
    EMBEDDED.last().map_or(0, |(version, ..)| *version)
}

/// Grouped: the migrations and their lines in the history table commit together, or not at all.
fn runner() -> Runner {
    embedded::migrations::runner().set_grouped(true)
}

/// The schema of a database that is ours and not of the future.
fn judge(db: &Connection, known: i64) -> Result<i64, MigrateError> {
    let found = schema_of(db).map_err(MigrateError::Unreadable)?;
    // refinery writes its own table before it looks, so a file of the future is turned away before refinery sees it.
    if found > known {
        return Err(MigrateError::Newer { found, known });
    }
    if found == 0 && has_tables(db).map_err(MigrateError::Unreadable)? {
        return Err(MigrateError::Foreign);
    }
    Ok(found)
}

/// The schema of a database that can be migrated.
fn admit(db: &Connection, known: i64) -> Result<i64, MigrateError> {
    let found = judge(db, known)?;
    if found > 0
        && let Some(version) = garbled(db).map_err(MigrateError::Unreadable)?
    {
        return Err(MigrateError::Garbled(version));
    }
    if found > 0 && found < known {
        check_references(db)?;
    }
    Ok(found)
}

/// Migrates a database that was admitted.
fn bring_up(
    runner: &Runner,
    db: &mut Connection,
    found: i64,
    backups: &Path,
    stamp: &str,
) -> Result<Migrated, MigrateError> {
    let known = newest(runner);
    let snapshot = if found > 0 && found < known {
        Some(snapshots::take(db, backups, &format!("{found}-{known}-{stamp}"))?)
    } else {
        None
    };
    if let Err(error) = runner.run(db) {
        // If all is as it was, nobody needs it; and a start that fails is tried again, and again.
        if let Some(snapshot) = snapshot.filter(|_| schema_of(db).is_ok_and(|now| now == found)) {
            snapshots::remove(&snapshot);
        }
        return Err(failed(error));
    }
    Ok(Migrated { from: found, to: known, snapshot })
}

fn failed(error: refinery::Error) -> MigrateError {
    match error.kind() {
        refinery::error::Kind::DivergentVersion(..) | refinery::error::Kind::MissingVersion(..) => {
            MigrateError::Different(error)
        }
        // refinery's own words bring the whole of the SQL along; the cause behind them is enough.
        _ => MigrateError::Failed(error.source().map_or_else(|| error.to_string(), ToString::to_string).into()),
    }
}

/// Looks before the migration and not after it: foreign keys are on while it runs, so it leaves no such row itself, but
/// would be blamed for one.
fn check_references(db: &Connection) -> Result<(), MigrateError> {
    let dangling: Option<String> =
        db.query_row("PRAGMA foreign_key_check", [], |row| row.get(0)).optional().map_err(MigrateError::Unreadable)?;
    dangling.map_or(Ok(()), |table| Err(MigrateError::Dangling { table }))
}

fn newest(runner: &Runner) -> i64 {
    runner.get_migrations().iter().map(|migration| i64::from(migration.version())).max().unwrap_or(0)
}

fn schema_of(db: &Connection) -> rusqlite::Result<i64> {
    if !db.table_exists(None, "refinery_schema_history")? {
        return Ok(0);
    }
    db.query_row("SELECT coalesce(max(version), 0) FROM refinery_schema_history", [], |row| row.get(0))
}

/// What was applied, the oldest first.
fn applied(db: &Connection) -> rusqlite::Result<Vec<Applied<String>>> {
    let mut lines = db.prepare("SELECT version, name, checksum FROM refinery_schema_history ORDER BY version")?;
    lines.query_map([], |line| Ok((line.get(0)?, line.get(1)?, line.get(2)?)))?.collect()
}

/// The first version whose checksum or time cannot be read: refinery would panic at it.
fn garbled(db: &Connection) -> rusqlite::Result<Option<i64>> {
    let mut lines = db.prepare("SELECT version, checksum, applied_on FROM refinery_schema_history ORDER BY version")?;
    let mut lines = lines.query([])?;
    while let Some(line) = lines.next()? {
        let is_readable = line.get::<_, String>(1).is_ok_and(|checksum| checksum.parse::<u64>().is_ok())
            && line.get::<_, String>(2).is_ok_and(|time| time.parse::<Timestamp>().is_ok());
        if !is_readable {
            return line.get(0).map(Some);
        }
    }
    Ok(None)
}

/// Whether there is anything but refinery's own table.
fn has_tables(db: &Connection) -> rusqlite::Result<bool> {
    // Its table has an index, which goes by another name.
    let any = "SELECT 1 FROM sqlite_schema WHERE tbl_name <> 'refinery_schema_history' LIMIT 1";
    Ok(db.query_row(any, [], |_| Ok(())).optional()?.is_some())
}

#[cfg(test)]
mod tests;
