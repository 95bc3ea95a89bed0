//! What lies in the data folder is used for what it is, or left as it is.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    mem::MaybeUninit,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use rusqlite::Connection;
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use tokio::{
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    time::timeout,
};

use super::{
    exit_codes::{assert_refused, serve_in_vain},
    running::{PATIENCE, Program, rollbook, run},
    server::Home,
};

const MIGRATE: &[&str] = &["migrate"];
const CREATE: &[&str] = &["key", "create", "--name", "second", "--scope", "admin"];
const LIST: &[&str] = &["key", "list"];
const REVOKE: &[&str] = &["key", "revoke", "0123456789abcdef"];

/// Puts a database of the first schema in the place of a folder's, and changes something in it.
fn make_older(home: &Home, change: &str) {
    let (database, older) = (home.path().join("rollbook.db"), home.path().join("older.db"));
    let db = Connection::open(&older).unwrap();
    db.pragma_update(None, "journal_mode", "wal").unwrap();
    db.execute_batch(include_str!("../../../migrations/V1__first_schema.sql")).unwrap();
    db.execute("ATTACH ?1 AS newest", [database.to_str().unwrap()]).unwrap();
    let of_the_first = "CREATE TABLE refinery_schema_history AS
        SELECT * FROM newest.refinery_schema_history WHERE version = 1; DETACH newest; PRAGMA foreign_keys = OFF";
    db.execute_batch(of_the_first).unwrap();
    db.execute_batch(change).unwrap();
    drop(db);
    fs::rename(older, database).unwrap();
}

/// Every file of a folder, and what is in it.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    let files = entries.filter(|entry| entry.path().is_file());
    files.map(|file| (file.file_name().into_string().unwrap(), fs::read(file.path()).unwrap())).collect()
}

#[tokio::test]
async fn an_empty_file_in_the_place_of_the_database_is_taken_for_a_loss_by_every_verb() {
    let home = Home::make().await;
    fs::write(home.path().join("rollbook.db"), "").unwrap();
    let before = files(home.path());
    let lost = "rollbook.db is missing, though this folder was in use";
    for verb in [LIST, CREATE, REVOKE, MIGRATE] {
        assert_refused(&run(home.path(), verb).await, 3, lost);
        assert_eq!(files(home.path()), before, "{verb:?}");
    }
    assert_refused(&serve_in_vain(home.path()).await, 3, lost);
    assert_eq!(files(home.path()), before);
}

#[tokio::test]
async fn the_database_of_another_program_stays_as_it_is_to_the_byte() {
    for mode in ["delete", "wal"] {
        let (theirs, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let db = Connection::open(theirs.path().join("their.db")).unwrap();
        db.pragma_update(None, "journal_mode", mode).unwrap();
        db.execute_batch("CREATE TABLE theirs (n INTEGER); INSERT INTO theirs VALUES (1)").unwrap();
        // As their program would leave it when it is killed: what was last written may be in the WAL alone.
        for (name, bytes) in files(theirs.path()).into_iter().filter(|(name, _)| !name.ends_with("-shm")) {
            fs::write(folder.path().join(name.replace("their", "rollbook")), bytes).unwrap();
        }
        let before = files(folder.path());
        let assert_unchanged = |verb: &[&str]| {
            let after = files(folder.path());
            assert!(before.iter().all(|(name, bytes)| after.get(name) == Some(bytes)), "{mode} {verb:?}");
        };
        let refusal = "is a database of another program; nothing was changed";
        for verb in [MIGRATE, LIST, CREATE, REVOKE] {
            assert_refused(&run(folder.path(), verb).await, 3, refusal);
            assert_unchanged(verb);
        }
        assert_refused(&serve_in_vain(folder.path()).await, 3, refusal);
        assert_unchanged(&["serve"]);
    }
}

/// Tells from now on of each time that somebody opens a file.
fn openings(path: &Path) -> UnboundedReceiver<()> {
    let watch = inotify::init(CreateFlags::CLOEXEC).unwrap();
    inotify::add_watch(&watch, path, WatchFlags::OPEN).unwrap();
    let (opened, openings) = unbounded_channel();
    thread::spawn(move || {
        let mut buffer = [MaybeUninit::uninit(); 1024];
        let mut events = inotify::Reader::new(watch, &mut buffer);
        while events.next().is_ok() && opened.send(()).is_ok() {}
    });
    openings
}

#[tokio::test]
async fn a_key_is_made_as_soon_as_the_server_that_is_starting_has_made_the_database() {
    let (home, folder) = (Home::make().await, tempfile::tempdir().unwrap());
    let finished = folder.path().join("finished.db");
    let db = Connection::open(home.path().join("rollbook.db")).unwrap();
    db.execute("VACUUM INTO ?1", [finished.to_str().unwrap()]).unwrap();
    let lock = folder.path().join("rollbook.db.lock");
    let server = File::create(&lock).unwrap();
    server.lock().unwrap();
    let mut openings = openings(&lock);

    let create = Program::spawn(rollbook(folder.path(), CREATE).env("ROLLBOOK_DB_BUSY_TIMEOUT", "15s"));
    // It has found the folder locked, and no database, when it tries again.
    for _ in 0..2 {
        timeout(PATIENCE, openings.recv()).await.expect("it should have tried").unwrap();
    }
    fs::rename(finished, folder.path().join("rollbook.db")).unwrap();
    let made = Instant::now();
    let ended = create.end().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(made.elapsed() < Duration::from_secs(5), "{:?}", made.elapsed());
    let listed = run(folder.path(), LIST).await.stdout;
    assert_eq!(listed.lines().count(), 2, "{listed}");
}

#[tokio::test]
async fn who_looks_for_keys_where_there_is_no_database_makes_none_and_hears_what_makes_one() {
    let parent = tempfile::tempdir().unwrap();
    let (empty, begun) = (parent.path().join("empty"), parent.path().join("begun"));
    for folder in [&empty, &begun] {
        fs::create_dir(folder).unwrap();
    }
    // As a crash amid the very first start leaves it.
    fs::write(begun.join("rollbook.db"), "").unwrap();
    for folder in [&parent.path().join("mistyped"), &empty, &begun] {
        let before = folder.exists().then(|| files(folder));
        let place = folder.join("rollbook.db").display().to_string();
        for verb in [LIST, REVOKE] {
            let ended = run(folder, verb).await;
            assert_refused(&ended, 3, &format!("there is no database at {place}"));
            assert!(ended.stderr.contains("`rollbook serve` or `rollbook key create` makes one"), "{ended:?}");
            assert_eq!(folder.exists().then(|| files(folder)), before, "{verb:?} {folder:?}");
        }
        assert_eq!(run(folder, CREATE).await.code, Some(0));
        assert_eq!(run(folder, LIST).await.code, Some(0));
    }
}

#[tokio::test]
async fn a_verb_for_keys_that_migrates_says_so_and_where_the_snapshot_is() {
    for verb in [CREATE, LIST] {
        let home = Home::make().await;
        make_older(&home, "");
        let ended = run(home.path(), verb).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let snapshot = fs::read_dir(home.path().join("backups")).unwrap().next().unwrap().unwrap().path();
        for words in ["rollbook: schema 1 became ", snapshot.to_str().unwrap()] {
            assert!(ended.stderr.contains(words), "{words}: {ended:?}");
        }
        assert!(!run(home.path(), LIST).await.stderr.contains("schema"), "once is enough");
    }
}

#[tokio::test]
async fn an_older_database_that_is_damaged_ends_with_3_and_is_not_migrated() {
    let home = Home::make().await;
    make_older(&home, "");
    let database = home.path().join("rollbook.db");
    let db = Connection::open(&database).unwrap();
    let of_history = "SELECT rootpage FROM sqlite_schema WHERE name = 'history'";
    let page: u32 = db.query_one(of_history, [], |row| row.get(0)).unwrap();
    let size: u32 = db.pragma_query_value(None, "page_size", |row| row.get(0)).unwrap();
    drop(db);
    let mut bytes = fs::read(&database).unwrap();
    let [from, to] = [page - 1, page].map(|pages| usize::try_from(pages * size).unwrap());
    bytes[from..to].fill(0xff);
    fs::write(&database, &bytes).unwrap();
    assert_refused(&run(home.path(), MIGRATE).await, 3, "so nothing was migrated: database disk image is malformed");
    assert_refused(&serve_in_vain(home.path()).await, 3, "malformed");
    assert!(fs::read(&database).unwrap() == bytes);
}

#[tokio::test]
async fn a_snapshot_that_cannot_be_written_ends_with_5_and_nothing_is_migrated() {
    let home = Home::make().await;
    make_older(&home, "");
    fs::write(home.path().join("backups"), "in the way").unwrap();
    assert_refused(&run(home.path(), MIGRATE).await, 5, "no snapshot could be taken");
}

#[tokio::test]
async fn rows_that_refer_to_nothing_end_with_3_before_anything_is_migrated_each_time() {
    let home = Home::make().await;
    make_older(&home, "INSERT INTO verifications VALUES (1, 1, 1, 'a@b.example', 'a@b.example', 1, 1, 1, NULL, 0)");
    let before = files(home.path());
    for _ in 0..2 {
        let ended = run(home.path(), MIGRATE).await;
        assert_refused(&ended, 3, "rows of verifications refer to nothing");
        assert!(ended.stderr.contains("nothing was changed"), "{ended:?}");
        assert_eq!(files(home.path())["rollbook.db"], before["rollbook.db"]);
        assert!(!home.path().join("backups").exists());
    }
}
