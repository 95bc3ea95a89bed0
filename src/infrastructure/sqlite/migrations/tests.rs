//! What a migration promises to whoever starts a new version.

use std::{fs, time::Duration};

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

fn migrate_by(runner: &Runner, db: &mut Connection, backups: &Path, stamp: &str) -> Result<Migrated, MigrateError> {
    let found = admit(db, newest(runner))?;
    bring_up(runner, db, found, backups, stamp)
}

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
        ("UPDATE refinery_schema_history SET checksum = 'seven'", "damaged at version 1"),
        (
            "UPDATE refinery_schema_history SET checksum = '7', applied_on = 'once' WHERE version = 2",
            "damaged at version 2",
        ),
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
    assert_eq!(fs::read_dir(backups).unwrap().count(), snapshots::KEPT);
}

#[test]
fn what_is_left_of_a_snapshot_that_was_never_finished_makes_room_for_the_next_and_counts_for_none() {
    let folder = tempfile::tempdir().unwrap();
    let backups = folder.path().join("backups");
    let mut db = open(folder.path());
    migrate_by(&steps(&[ONE]), &mut db, &backups, "t").unwrap();
    fs::create_dir(&backups).unwrap();
    for name in ["pre-0-1-a.db", "pre-0-1-b.db", "pre-1-2-c.part", "pre-1-2-c.part-journal", "pre-1-2-d.part", "own"] {
        fs::write(backups.join(name), "").unwrap();
    }
    migrate_by(&steps(&[ONE, TWO]), &mut db, &backups, "e").unwrap();
    assert!(!backups.join("pre-1-2-d.part").exists(), "the snapshot may need its room");
    fs::write(backups.join("pre-2-3-f.part"), "").unwrap();
    snapshots::forget_old(&backups);
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
    let path = folder.path().join("rollbook.db");
    open(folder.path()).execute_batch("CREATE TABLE theirs (n INTEGER)").unwrap();
    let before = fs::read(&path).unwrap();
    for _ in 0..2 {
        let error = migrate(&path, &StoreSettings::LEAST, folder.path(), "t").unwrap_err();
        assert!(matches!(error, MigrateError::Foreign), "{error}");
        let error = is_up_to_date(&path, &StoreSettings::LEAST).unwrap_err();
        assert!(matches!(error, MigrateError::Foreign), "{error}");
        assert!(fs::read(&path).unwrap() == before, "it was changed");
    }
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
fn rows_that_referred_to_nothing_before_a_migration_are_told_of_before_anything_is_changed() {
    const CHILD: (&str, &str) =
        ("V1__child", "CREATE TABLE one (n INTEGER PRIMARY KEY); CREATE TABLE child (n INTEGER REFERENCES one (n));");
    let folder = tempfile::tempdir().unwrap();
    let backups = folder.path().join("backups");
    let mut db = open(folder.path());
    migrate_by(&steps(&[CHILD]), &mut db, &backups, "t").unwrap();
    db.execute_batch("PRAGMA foreign_keys = OFF; INSERT INTO child VALUES (7); PRAGMA foreign_keys = ON").unwrap();
    assert!(migrate_by(&steps(&[CHILD]), &mut db, &backups, "t").is_ok(), "nothing is to be migrated");
    for _ in 0..2 {
        let error = migrate_by(&steps(&[CHILD, TWO]), &mut db, &backups, "t").unwrap_err();
        assert!(matches!(&error, MigrateError::Dangling { table } if table == "child"), "{error}");
        assert_eq!(schema_of(&db).unwrap(), 1);
        assert!(!backups.exists(), "no snapshot is needed");
    }
}

#[test]
fn a_migration_cannot_leave_rows_that_refer_to_nothing() {
    const CHILD: (&str, &str) = (
        "V1__child",
        "CREATE TABLE one (n INTEGER PRIMARY KEY);
         CREATE TABLE child (n INTEGER REFERENCES one (n) DEFERRABLE INITIALLY DEFERRED);
         INSERT INTO one VALUES (7); INSERT INTO child VALUES (7);",
    );
    for careless in ["DELETE FROM one;", "DROP TABLE one;", "PRAGMA foreign_keys = OFF; DELETE FROM one;"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rollbook.db");
        let mut db = connection::open_to_write(&path, Duration::ZERO, false).unwrap();
        migrate_by(&steps(&[CHILD]), &mut db, folder.path(), "t").unwrap();
        let error = migrate_by(&steps(&[CHILD, ("V2__two", careless)]), &mut db, folder.path(), "t").unwrap_err();
        assert!(matches!(error, MigrateError::Failed(_)), "{careless}: {error}");
        assert!(check_references(&db).is_ok());
    }
}

#[test]
fn a_failing_migration_leaves_everything_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let backups = folder.path().join("backups");
    let mut db = open(folder.path());
    let broken = ("V3__broken", "CREATE TABLE one (n INTEGER) STRICT;");
    migrate_by(&steps(&[ONE]), &mut db, &backups, "t").unwrap();
    let error = migrate_by(&steps(&[ONE, TWO, broken]), &mut db, &backups, "t2").unwrap_err();
    assert!(matches!(error, MigrateError::Failed(_)), "{error}");
    assert_eq!(schema_of(&db).unwrap(), 1);
    assert!(db.prepare("SELECT * FROM two").is_err());
    assert_eq!(fs::read_dir(&backups).unwrap().count(), 0, "one for each start that fails would fill the disk");
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
    let error =
        migrate_by(&steps(&[("V1__one", "CREATE TABLE other (n INTEGER);")]), &mut db, folder.path(), "t").unwrap_err();
    assert!(matches!(error, MigrateError::Different(_)), "{error}");
}

#[test]
fn those_whose_ids_are_ahead_of_the_clock_are_listed_by_the_migration_that_began_it() {
    const TWO_CUSTOMERS: &str =
        "INSERT INTO customers (id, id_tail, name, email, email_canonical, metadata, created_at,
            updated_at, version, steps, proof, proof_state, proof_attempts)
        VALUES (7 << 16, 0, 'Ada', 'a@example.org', 'a@example.org', '{}', 7000, 7000, 1, 1, 1, 'queued', 0),
            (8 << 16, 0, 'Bob', 'b@example.org', 'b@example.org', '{}', 7999, 7999, 1, 1, 1, 'queued', 0)";
    const AHEAD: &str =
        "SELECT name FROM customers INDEXED BY customers_ahead WHERE created_at < (id >> 16) * 1000 ORDER BY id";
    let folder = tempfile::tempdir().unwrap();
    let mut db = open(folder.path());
    let first = Runner::new(&runner().get_migrations()[..1]).set_grouped(true);
    assert_eq!(migrate_by(&first, &mut db, folder.path(), "t").unwrap().to, 1);
    db.execute(TWO_CUSTOMERS, []).unwrap();
    let migrated = migrate_by(&runner(), &mut db, folder.path(), "t").unwrap();
    assert_eq!((migrated.from, migrated.snapshot.is_some()), (1, true));
    assert_eq!(db.query_one(AHEAD, [], |row| row.get::<_, String>(0)).unwrap(), "Bob");
}
