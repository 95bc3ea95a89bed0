//! The schema: embedded, forward only, all that is pending in one transaction, under a snapshot taken first.

use std::{
    error::Error as _,
    fs,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
    time::SystemTime,
};

use refinery::Runner;
use rusqlite::{Connection, OptionalExtension};

use super::{OpenError, StoreSettings, connection};

mod embedded {
    refinery::embed_migrations!("migrations");
}

/// A line of refinery's table: the version, name and checksum of a migration that was applied.
type Applied<T> = (i64, T, T);

/// What refinery's table holds when just what is embedded was applied.
const EMBEDDED: &[Applied<&str>] = &include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// How many snapshots are kept.
const KEPT_SNAPSHOTS: usize = 3;

/// How the names of finished and of unfinished snapshots end.
const FINISHED: &str = "db";
const UNFINISHED: &str = "part";

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
    /// What was applied is not what is embedded.
    #[error("the database was migrated by another build: {0}")]
    Different(#[source] refinery::Error),
    /// A migration failed and was rolled back.
    #[error("the migration failed and was rolled back: {0}")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A migration was committed, but left rows that refer to nothing.
    #[error("the migration left rows of {table} that refer to nothing; what was before is in {snapshot}")]
    Broken {
        /// Whose rows.
        table: String,
        /// The snapshot that was taken first.
        snapshot: PathBuf,
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
/// [`MigrateError`]; but for [`MigrateError::Broken`] the database is then as it was.
pub fn migrate(path: &Path, settings: &StoreSettings, backups: &Path, stamp: &str) -> Result<Migrated, MigrateError> {
    let mut db = connection::open_to_write(path, settings.busy_timeout, settings.echo)?;
    let migrated = if holds_what_is_embedded(&db) {
        // Refinery would keep half a megabyte of regular expressions to find that out.
        Migrated { from: newest_embedded(), to: newest_embedded(), snapshot: None }
    } else {
        migrate_by(&runner(), &mut db, backups, stamp)?
    };
    forget_old_snapshots(backups);
    Ok(migrated)
}

/// Whether a file holds the schema that this binary knows, so that nothing is to be migrated.
///
/// # Errors
/// [`MigrateError::Open`], [`MigrateError::Unreadable`].
pub fn is_up_to_date(path: &Path, settings: &StoreSettings) -> Result<bool, MigrateError> {
    let db = connection::open_to_write(path, settings.busy_timeout, settings.echo)?;
    Ok(schema_of(&db).map_err(MigrateError::Unreadable)? == newest_embedded())
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

fn migrate_by(runner: &Runner, db: &mut Connection, backups: &Path, stamp: &str) -> Result<Migrated, MigrateError> {
    let known = newest(runner);
    let found = schema_of(db).map_err(MigrateError::Unreadable)?;
    // refinery writes its own table before it looks, so a file of the future is turned away before refinery sees it.
    if found > known {
        return Err(MigrateError::Newer { found, known });
    }
    if found == 0 && has_tables(db).map_err(MigrateError::Unreadable)? {
        return Err(MigrateError::Foreign);
    }
    let snapshot = if found > 0 && found < known {
        Some(take_snapshot(db, backups, &format!("pre-{found}-{known}-{stamp}.{FINISHED}"))?)
    } else {
        None
    };
    if let Err(error) = runner.run(db) {
        // All is as it was, so nobody needs it; and a start that fails is tried again, and again.
        if let Some(snapshot) = &snapshot {
            remove(snapshot);
        }
        return Err(failed(error));
    }
    if found > 0 && found < known {
        check_references(db, snapshot.as_deref())?;
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

/// A migration that was committed and broke a reference is worse than one that failed: it names the way back.
fn check_references(db: &Connection, snapshot: Option<&Path>) -> Result<(), MigrateError> {
    let broken: Option<String> =
        db.query_row("PRAGMA foreign_key_check", [], |row| row.get(0)).optional().map_err(MigrateError::Unreadable)?;
    match broken {
        Some(table) => Err(MigrateError::Broken { table, snapshot: snapshot.map(Path::to_owned).unwrap_or_default() }),
        None => Ok(()),
    }
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

/// Whether there is anything but refinery's own table.
fn has_tables(db: &Connection) -> rusqlite::Result<bool> {
    // Its table has an index, which goes by another name.
    let any = "SELECT 1 FROM sqlite_schema WHERE tbl_name <> 'refinery_schema_history' LIMIT 1";
    Ok(db.query_row(any, [], |_| Ok(())).optional()?.is_some())
}

fn take_snapshot(db: &Connection, backups: &Path, name: &str) -> Result<PathBuf, MigrateError> {
    let path = backups.join(name);
    // Of a start that was killed in the middle; the room may be needed.
    remove_unfinished_snapshots(backups);
    write_snapshot(db, backups, &path).map_err(|source| {
        remove_unfinished_snapshots(backups);
        MigrateError::NoSnapshot { path: path.clone(), source }
    })?;
    Ok(path)
}

/// Writes beside the place and moves there what is on the disk, so that half a snapshot never passes for one.
fn write_snapshot(
    db: &Connection,
    backups: &Path,
    path: &Path,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(backups)?;
    let beside = path.with_extension(UNFINISHED);
    db.execute("VACUUM INTO ?1", [beside.to_str().ok_or("the path is not UTF-8")?])?;
    fs::set_permissions(&beside, fs::Permissions::from_mode(0o600))?;
    fs::File::open(&beside)?.sync_all()?;
    fs::rename(&beside, path)?;
    fs::File::open(backups)?.sync_all()?;
    Ok(())
}

fn forget_old_snapshots(backups: &Path) {
    let mut snapshots: Vec<_> = snapshots(backups)
        .filter(|(_, path)| path.extension().is_some_and(|extension| extension == FINISHED))
        .collect();
    snapshots.sort();
    let surplus = snapshots.len().saturating_sub(KEPT_SNAPSHOTS);
    for (_, path) in snapshots.into_iter().take(surplus) {
        remove(&path);
    }
}

/// Removes those that are only begun, with SQLite's journals of them.
fn remove_unfinished_snapshots(backups: &Path) {
    for (_, path) in snapshots(backups) {
        if path.extension().is_some_and(|extension| extension.to_string_lossy().starts_with(UNFINISHED)) {
            remove(&path);
        }
    }
}

/// What there is of snapshots, finished or not, and when it was written last.
fn snapshots(backups: &Path) -> impl Iterator<Item = (SystemTime, PathBuf)> {
    let entries = fs::read_dir(backups).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("pre-"))
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
}

/// A snapshot too many is no reason to stop a start.
fn remove(snapshot: &Path) {
    if let Err(error) = fs::remove_file(snapshot) {
        tracing::warn!(%error, path = %snapshot.display(), "a snapshot could not be removed");
    }
}

#[cfg(test)]
mod tests {
    use refinery::Migration;

    use super::*;

    fn open(folder: &Path) -> Connection {
        Connection::open(folder.join("rollbook.db")).unwrap()
    }

    fn steps(steps: &[(&str, &str)]) -> Runner {
        let migrations: Vec<_> = steps.iter().map(|(name, sql)| Migration::unapplied(name, sql).unwrap()).collect();
        Runner::new(&migrations).set_grouped(true)
    }

    const ONE: (&str, &str) = ("V1__one", "CREATE TABLE one (n INTEGER) STRICT; INSERT INTO one VALUES (1);");
    const TWO: (&str, &str) = ("V2__two", "CREATE TABLE two (n INTEGER) STRICT;");

    #[test]
    fn every_file_in_the_folder_is_embedded() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
        let mut files: Vec<String> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        let mut embedded: Vec<String> = runner().get_migrations().iter().map(|m| format!("{m}.sql")).collect();
        files.sort();
        embedded.sort();
        assert_eq!(files, embedded);
    }

    #[test]
    fn a_new_database_needs_no_snapshot_and_a_second_run_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut db = open(folder.path());
        let first = migrate_by(&runner(), &mut db, &folder.path().join("backups"), "t").unwrap();
        assert_eq!((first.from, first.snapshot), (0, None));
        let again = migrate_by(&runner(), &mut db, &folder.path().join("backups"), "t").unwrap();
        assert_eq!((again.from, again.to, again.snapshot), (first.to, first.to, None));
    }

    /// A folder whose database was migrated, and then changed by hand.
    fn changed_after_a_start(change: &str) -> (tempfile::TempDir, impl Fn() -> Result<Migrated, MigrateError>) {
        let folder = tempfile::tempdir().unwrap();
        let (path, backups) = (folder.path().join("rollbook.db"), folder.path().join("backups"));
        let start = move || migrate(&path, &StoreSettings::LEAST, &backups, "t");
        assert_eq!(start().unwrap().from, 0);
        open(folder.path()).execute_batch(change).unwrap();
        (folder, start)
    }

    #[test]
    fn a_start_that_finds_just_what_is_embedded_does_not_ask_refinery() {
        // Which reads the time too, and takes nothing but a time.
        let (_folder, start) = changed_after_a_start("UPDATE refinery_schema_history SET applied_on = 'once'");
        let again = start().unwrap();
        assert_eq!((again.from, again.snapshot), (again.to, None));
    }

    #[test]
    fn a_start_that_finds_anything_else_says_so() {
        for (change, refused) in [
            ("UPDATE refinery_schema_history SET checksum = '7'", "was migrated by another build"),
            ("UPDATE refinery_schema_history SET name = 'other'", "was migrated by another build"),
            ("INSERT INTO refinery_schema_history VALUES (99, NULL, NULL, NULL)", "newer than this binary"),
            ("DELETE FROM refinery_schema_history", "of another program"),
        ] {
            let (_folder, start) = changed_after_a_start(change);
            let error = start().unwrap_err().to_string();
            assert!(error.contains(refused), "{change}: {error}");
        }
    }

    #[test]
    fn three_snapshots_are_kept_whether_anything_was_to_be_migrated_or_not() {
        let (folder, start) = changed_after_a_start("");
        let backups = folder.path().join("backups");
        fs::create_dir(&backups).unwrap();
        for number in 1..=5 {
            fs::write(backups.join(format!("pre-{number}.db")), "").unwrap();
        }
        start().unwrap();
        assert_eq!(fs::read_dir(backups).unwrap().count(), KEPT_SNAPSHOTS);
    }

    #[test]
    fn what_is_left_of_a_snapshot_that_was_never_finished_makes_room_for_the_next_and_counts_for_none() {
        let folder = tempfile::tempdir().unwrap();
        let (path, backups) = (folder.path().join("rollbook.db"), folder.path().join("backups"));
        migrate_by(&steps(&[ONE]), &mut open(folder.path()), &backups, "t").unwrap();
        fs::create_dir(&backups).unwrap();
        for name in
            ["pre-0-1-a.db", "pre-0-1-b.db", "pre-1-2-c.part", "pre-1-2-c.part-journal", "pre-1-2-d.part", "own"]
        {
            fs::write(backups.join(name), "").unwrap();
        }
        let mut db = Connection::open(path).unwrap();
        migrate_by(&steps(&[ONE, TWO]), &mut db, &backups, "e").unwrap();
        forget_old_snapshots(&backups);
        let mut kept: Vec<_> = fs::read_dir(&backups).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        kept.sort();
        assert_eq!(kept, ["own", "pre-0-1-a.db", "pre-0-1-b.db", "pre-1-2-e.db"]);
    }

    #[test]
    fn a_snapshot_that_fails_leaves_nothing_and_migrates_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let backups = folder.path().join("backups");
        let mut db = open(folder.path());
        migrate_by(&steps(&[ONE]), &mut db, &backups, "t").unwrap();
        fs::create_dir_all(backups.join("pre-1-2-t.db")).unwrap();
        let error = migrate_by(&steps(&[ONE, TWO]), &mut db, &backups, "t").unwrap_err();
        assert!(matches!(error, MigrateError::NoSnapshot { .. }), "{error}");
        assert_eq!(schema_of(&db).unwrap(), 1);
        assert_eq!(fs::read_dir(&backups).unwrap().count(), 1, "what was in the way");
    }

    #[test]
    fn a_first_start_that_was_killed_before_its_migration_is_begun_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut db = open(folder.path());
        steps(&[]).run(&mut db).unwrap();
        assert!(db.table_exists(None, "refinery_schema_history").unwrap(), "refinery makes its table before all else");
        assert_eq!(migrate_by(&steps(&[ONE]), &mut db, folder.path(), "t").unwrap().to, 1);
    }

    #[test]
    fn another_programs_database_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let mut db = open(folder.path());
        db.execute_batch("CREATE TABLE theirs (n INTEGER)").unwrap();
        let error = migrate_by(&runner(), &mut db, folder.path(), "t").unwrap_err();
        assert!(matches!(error, MigrateError::Foreign), "{error}");
    }

    #[test]
    fn a_snapshot_of_what_was_there_is_taken_before_a_migration() {
        let folder = tempfile::tempdir().unwrap();
        let backups = folder.path().join("backups");
        let mut db = open(folder.path());
        migrate_by(&steps(&[ONE]), &mut db, &backups, "t1").unwrap();
        let done = migrate_by(&steps(&[ONE, TWO]), &mut db, &backups, "t2").unwrap();
        let snapshot = done.snapshot.unwrap();
        assert_eq!(snapshot.file_name().unwrap(), "pre-1-2-t2.db");
        let old = Connection::open(snapshot).unwrap();
        assert_eq!(old.query_row("SELECT n FROM one", [], |row| row.get::<_, i64>(0)).unwrap(), 1);
        assert_eq!(schema_of(&old).unwrap(), 1);
    }

    #[test]
    fn a_failing_migration_leaves_everything_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let mut db = open(folder.path());
        let broken = ("V3__broken", "CREATE TABLE one (n INTEGER) STRICT;");
        migrate_by(&steps(&[ONE]), &mut db, folder.path(), "t").unwrap();
        let error = migrate_by(&steps(&[ONE, TWO, broken]), &mut db, folder.path(), "t2").unwrap_err();
        assert!(matches!(error, MigrateError::Failed(_)), "{error}");
        assert_eq!(schema_of(&db).unwrap(), 1);
        assert!(db.prepare("SELECT * FROM two").is_err());
        assert_eq!(snapshots(folder.path()).count(), 0, "one for each start that fails would fill the disk");
    }

    #[test]
    fn a_database_of_the_future_is_turned_away_unchanged() {
        let folder = tempfile::tempdir().unwrap();
        let mut db = open(folder.path());
        migrate_by(&steps(&[ONE, TWO]), &mut db, folder.path(), "t").unwrap();
        let before = fs::read(folder.path().join("rollbook.db")).unwrap();
        let error = migrate_by(&steps(&[ONE]), &mut db, folder.path(), "t").unwrap_err();
        assert!(matches!(error, MigrateError::Newer { found: 2, known: 1 }), "{error}");
        assert_eq!(fs::read(folder.path().join("rollbook.db")).unwrap(), before);
    }

    #[test]
    fn a_migration_that_was_changed_after_its_release_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let mut db = open(folder.path());
        migrate_by(&steps(&[ONE]), &mut db, folder.path(), "t").unwrap();
        let error = migrate_by(&steps(&[("V1__one", "CREATE TABLE other (n INTEGER);")]), &mut db, folder.path(), "t")
            .unwrap_err();
        assert!(matches!(error, MigrateError::Different(_)), "{error}");
    }
}
