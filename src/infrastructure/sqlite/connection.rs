//! How a connection is opened: durable, strict, and checked to be so.

use std::{path::Path, time::Duration};

use rusqlite::{
    Connection, ErrorCode, OpenFlags,
    config::DbConfig,
    limits::Limit,
    trace::{TraceEvent, TraceEventCodes},
};

/// Older versions can corrupt a WAL that two connections checkpoint at once.
const OLDEST_SQLITE: i32 = 3_051_003;

/// Statements that are kept prepared, for each connection.
const KEPT_STATEMENTS: usize = 64;

/// The page cache of the connection that writes, in KiB.
const WRITERS_CACHE_KIB: u32 = 4 << 10;

/// The page cache of a connection that only looks what a file is, in KiB.
const LOOKERS_CACHE_KIB: u32 = 1 << 10;

/// No value is longer than this, in bytes: far beyond what a request can bring.
const LONGEST_VALUE: i32 = 4 << 20;

/// To this size, in bytes, the WAL file is cut back when it begins anew; as long as nothing keeps it from that, it hardly
/// ever grows beyond.
pub(super) const LARGEST_RESTING_WAL: i64 = 16 << 20;

/// Why a database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// SQLite refused.
    #[error("the database cannot be opened: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// A setting did not take, without which nothing could be promised.
    #[error("the database does not take {setting} = {wanted} (it says {got}); is it on a network file system?")]
    Setting {
        /// The pragma.
        setting: &'static str,
        /// What was asked for.
        wanted: &'static str,
        /// What it answers.
        got: String,
    },
    /// The SQLite inside is too old to be trusted with a WAL.
    #[error("SQLite {0} is inside this binary; 3.51.3 or newer is needed")]
    TooOld(&'static str),
    /// A thread or a pool could not be started.
    #[error("the database's threads cannot be started: {0}")]
    Threads(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Opens the connection that writes, making the file if there is none.
///
/// # Errors
/// [`OpenError`].
pub fn open_to_write(path: &Path, busy_timeout: Duration, echo: bool) -> Result<Connection, OpenError> {
    check_version()?;
    let db = Connection::open_with_flags(path, OpenFlags::default())?;
    db.busy_timeout(busy_timeout)?;
    set(&db, "journal_mode", "wal")?;
    prepare(&db, echo, WRITERS_CACHE_KIB)?;
    db.pragma_update(None, "journal_size_limit", LARGEST_RESTING_WAL)?;
    Ok(db)
}

/// Opens a file that may be another program's, to look what it is: not a byte of it changes.
///
/// # Errors
/// [`OpenError`].
pub(super) fn open_to_look(path: &Path, busy_timeout: Duration, echo: bool) -> Result<Connection, OpenError> {
    check_version()?;
    let open = |flags| {
        let db =
            Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI)?;
        make_reader(&db, busy_timeout, echo, LOOKERS_CACHE_KIB)?;
        // What stands in the way of reading shows at the first page that is read.
        db.pragma_query(None, "schema_version", |_| Ok(()))?;
        Ok(db)
    };
    match open(OpenFlags::SQLITE_OPEN_READ_ONLY) {
        // A program that was killed left a journal to be rolled back, as it must be before anybody can read.
        Err(OpenError::Sqlite(error)) if error.sqlite_error_code() == Some(ErrorCode::ReadOnly) => {
            open(OpenFlags::SQLITE_OPEN_READ_WRITE)
        }
        opened_or_broken => opened_or_broken,
    }
}

/// The same as [`open_to_write`], and forgets what ANALYZE has gathered. It is soon out of date: of a roll of one, it makes SQLite read the whole
/// roll of a million instead of looking one up. Statements are written, and tested, for plans without it.
///
/// # Errors
/// [`OpenError`].
pub(super) fn open_without_statistics(
    path: &Path,
    busy_timeout: Duration,
    echo: bool,
) -> Result<Connection, OpenError> {
    let db = open_to_write(path, busy_timeout, echo)?;
    if !db.table_exists(None, "sqlite_stat1")? {
        return Ok(db);
    }
    db.execute("DROP TABLE sqlite_stat1", [])?;
    // A connection goes on with what it has read of them.
    drop(db);
    open_to_write(path, busy_timeout, echo)
}

/// Makes a connection of the pool one that only reads, with a page cache of so many KiB.
///
/// # Errors
/// [`OpenError`].
pub(super) fn make_reader(
    db: &Connection,
    busy_timeout: Duration,
    echo: bool,
    cache_kib: u32,
) -> Result<(), OpenError> {
    db.busy_timeout(busy_timeout)?;
    prepare(db, echo, cache_kib)?;
    set(db, "query_only", "1")
}

fn check_version() -> Result<(), OpenError> {
    if rusqlite::version_number() < OLDEST_SQLITE { Err(OpenError::TooOld(rusqlite::version())) } else { Ok(()) }
}

fn prepare(db: &Connection, echo: bool, cache_kib: u32) -> Result<(), OpenError> {
    db.set_prepared_statement_cache_capacity(KEPT_STATEMENTS);
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    db.set_limit(Limit::SQLITE_LIMIT_LENGTH, LONGEST_VALUE)?;
    for (setting, value) in [
        ("synchronous", "2"),
        ("foreign_keys", "1"),
        ("trusted_schema", "0"),
        ("cell_size_check", "1"),
        ("secure_delete", "1"),
        ("temp_store", "2"),
    ] {
        set(db, setting, value)?;
    }
    // Negative for KiB; positive would count pages.
    db.pragma_update(None, "cache_size", -i64::from(cache_kib))?;
    db.pragma_update(None, "mmap_size", 0)?;
    if echo {
        db.trace_v2(TraceEventCodes::SQLITE_TRACE_STMT, Some(log_statement));
    }
    Ok(())
}

/// Sets a pragma and reads it back: one that did not take would break a promise in silence.
fn set(db: &Connection, setting: &'static str, wanted: &'static str) -> Result<(), OpenError> {
    db.pragma_update(None, setting, wanted)?;
    let got: String = db.pragma_query_value(None, setting, |row| {
        Ok(match row.get_ref(0)? {
            rusqlite::types::ValueRef::Integer(number) => number.to_string(),
            other => other.as_str().unwrap_or_default().to_owned(),
        })
    })?;
    if got == wanted { Ok(()) } else { Err(OpenError::Setting { setting, wanted, got }) }
}

/// The statement as it was prepared: the values bound to it are people's, and stay out of the log.
fn log_statement(event: TraceEvent<'_>) {
    if let TraceEvent::Stmt(statement, _) = event {
        tracing::info!(target: "rollbook::sql", statement = %statement.sql());
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::PathBuf};

    use super::*;

    #[test]
    fn the_sqlite_inside_is_new_enough() {
        assert!(rusqlite::version_number() >= OLDEST_SQLITE, "{}", rusqlite::version());
    }

    #[test]
    fn the_sqlite_inside_is_compiled_as_asked() {
        let memory = Connection::open_in_memory().unwrap();
        let mut options = memory.prepare("PRAGMA compile_options").unwrap();
        let options: Vec<String> = options.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        for with in [
            "DEFAULT_MEMSTATUS=0",
            "DEFAULT_PCACHE_INITSZ=0",
            "OMIT_SHARED_CACHE",
            "OMIT_LOAD_EXTENSION",
            "ENABLE_FTS5",
        ] {
            assert!(options.iter().any(|option| option == with), "{with}: {options:?}");
        }
        for without in ["ENABLE_MEMORY_MANAGEMENT", "ENABLE_API_ARMOR", "ENABLE_LOAD_EXTENSION", "ENABLE_FTS3"] {
            assert!(!options.iter().any(|option| option == without), "{without}: {options:?}");
        }
    }

    /// A database as a program leaves it that is killed amid a transaction, after it made the table `whole`.
    fn killed_at_work(folder: &Path, journal_mode: &str) -> PathBuf {
        let (alive, killed) = (folder.join("alive.db"), folder.join("killed.db"));
        let db = Connection::open(&alive).unwrap();
        db.pragma_update(None, "journal_mode", journal_mode).unwrap();
        // With so small a cache it writes before it commits.
        let work = "PRAGMA cache_size = 1; CREATE TABLE whole (n INTEGER); BEGIN; CREATE TABLE half (text TEXT);
            INSERT INTO half VALUES (hex(zeroblob(100000)))";
        db.execute_batch(work).unwrap();
        for end in ["", "-journal", "-wal"] {
            // There is one of the two.
            let _ = fs::copy(format!("{}{end}", alive.display()), format!("{}{end}", killed.display()));
        }
        killed
    }

    #[test]
    fn who_looks_sees_what_was_committed_however_the_file_was_left() {
        let tables = |path: &Path| {
            let db = open_to_look(path, Duration::ZERO, false).unwrap();
            let mut names = db.prepare("SELECT name FROM sqlite_schema").unwrap();
            names.query_map([], |row| row.get::<_, String>(0)).unwrap().map(Result::unwrap).collect::<Vec<_>>()
        };
        for journal_mode in ["delete", "wal"] {
            let folder = tempfile::tempdir().unwrap();
            let path = killed_at_work(folder.path(), journal_mode);
            for _ in 0..2 {
                assert_eq!(tables(&path), ["whole"], "{journal_mode}");
            }
        }
        let empty = tempfile::NamedTempFile::new().unwrap();
        assert!(tables(empty.path()).is_empty());
    }

    #[test]
    fn who_looks_changes_nothing_and_cannot() {
        for journal_mode in ["delete", "wal"] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("x.db");
            let db = Connection::open(&path).unwrap();
            db.pragma_update(None, "journal_mode", journal_mode).unwrap();
            db.execute_batch("CREATE TABLE one (n INTEGER)").unwrap();
            drop(db);
            let before = fs::read(&path).unwrap();
            let db = open_to_look(&path, Duration::ZERO, false).unwrap();
            assert!(db.execute("INSERT INTO one VALUES (1)", []).is_err());
            drop(db);
            assert!(fs::read(&path).unwrap() == before, "{journal_mode}");
        }
    }

    #[test]
    fn nothing_is_planned_by_what_was_gathered_about_a_table_of_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.db");
        let db = open_to_write(&path, Duration::ZERO, false).unwrap();
        let gather = "CREATE TABLE a (n INTEGER PRIMARY KEY, m INTEGER); CREATE TABLE b (n INTEGER PRIMARY KEY);
            INSERT INTO a VALUES (1, 1); INSERT INTO b VALUES (1); ANALYZE";
        db.execute_batch(gather).unwrap();
        drop(db);
        let plan = |db: &Connection| {
            let look_up = "EXPLAIN QUERY PLAN SELECT 1 FROM a CROSS JOIN b ON b.n = a.m";
            let mut steps = db.prepare(look_up).unwrap();
            let steps = steps.query_map([], |row| row.get::<_, String>("detail")).unwrap();
            steps.map(Result::unwrap).collect::<Vec<_>>()
        };
        let misled = plan(&open_to_write(&path, Duration::ZERO, false).unwrap());
        assert_eq!(misled, ["SCAN a", "SCAN b"]);
        let db = open_without_statistics(&path, Duration::ZERO, false).unwrap();
        assert_eq!(plan(&db), ["SCAN a", "SEARCH b USING INTEGER PRIMARY KEY (rowid=?)"]);
    }

    #[test]
    fn a_setting_that_does_not_take_is_noticed() {
        let memory = Connection::open_in_memory().unwrap();
        assert!(matches!(set(&memory, "journal_mode", "wal"), Err(OpenError::Setting { setting: "journal_mode", .. })));
    }
}
