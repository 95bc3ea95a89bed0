//! What the writer promises to whoever waits.

use std::sync::{Mutex, atomic::AtomicUsize};

use rusqlite::config::DbConfig;

use super::*;
use crate::{
    application::ports::Clock,
    domain::message::MessageState,
    infrastructure::sqlite::{StoreSettings, commits::told_clock::ToldClock, connection, migrations},
};

type Seen = Arc<Mutex<Vec<Commit>>>;

fn database() -> (Connection, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.db");
    let settings = StoreSettings::LEAST;
    migrations::migrate(&path, &settings, folder.path(), "t").unwrap();
    let db = connection::open_to_write(&path, settings.busy_timeout, settings.echo).unwrap();
    db.execute_batch("CREATE TABLE t (n INTEGER PRIMARY KEY) STRICT").unwrap();
    (db, folder)
}

fn commits() -> Arc<Commits> {
    Arc::new(Commits::by(Arc::new(ToldClock::default())))
}

fn terms(queue: usize) -> Terms {
    Terms { queue: NonZeroUsize::new(queue).unwrap(), serves: true }
}

fn writer(queue: usize) -> (Writer, Seen, tempfile::TempDir) {
    let (db, folder) = database();
    let seen_commits = Seen::default();
    let seen = Arc::clone(&seen_commits);
    let on_commit: OnCommit = Arc::new(move |commit| seen.lock().unwrap().push(commit));
    let writer = Writer::start(db, terms(queue), commits(), Arc::default(), on_commit).unwrap();
    (writer, seen_commits, folder)
}

async fn insert(writer: &Writer, n: i64) -> Result<usize, StoreError> {
    writer.write(move |tx| Ok(tx.execute("INSERT INTO t VALUES (?1)", [n])?)).await
}

async fn stored(writer: &Writer) -> i64 {
    writer.write(|tx| Ok::<_, StoreError>(tx.query_row("SELECT count(*) FROM t", [], |row| row.get(0))?)).await.unwrap()
}

/// Keeps the writer busy until told, so that what is sent meanwhile becomes one group.
fn hold(writer: &Writer) -> (mpsc::Sender<()>, impl Future<Output = Result<(), StoreError>> + use<>) {
    let (release, released) = mpsc::channel::<()>();
    let (started, begun) = mpsc::channel::<()>();
    let (answer, answered) = oneshot::channel();
    let command = move |_: &Transaction<'_>| {
        started.send(()).unwrap();
        released.recv().unwrap();
        Ok::<_, StoreError>(())
    };
    let waiting = Waiting { command, result: None, answer, place: None, since: Duration::ZERO };
    writer.queue.as_ref().unwrap().send(Box::new(waiting)).ok().unwrap();
    begun.recv().unwrap();
    (release, async { answered.await.unwrap() })
}

#[tokio::test]
async fn what_waits_is_committed_together_and_failures_are_undone_alone() {
    let (writer, commits, _folder) = writer(64);
    let (release, held) = hold(&writer);
    let all = async {
        tokio::join!(
            insert(&writer, 1),
            insert(&writer, 1),
            writer.write(|tx| -> Result<(), StoreError> {
                tx.execute("INSERT INTO t VALUES (7)", [])?;
                panic!("a bug")
            }),
            insert(&writer, 2),
            async { release.send(()).unwrap() },
        )
    };
    let (first, twice, panicked, last, ()) = all.await;
    held.await.unwrap();
    assert!(first.is_ok() && last.is_ok());
    assert!(matches!(twice, Err(StoreError::Broken(_))));
    assert!(matches!(panicked, Err(StoreError::Broken(_))));
    assert_eq!(stored(&writer).await, 2);
    assert_eq!(commits.lock().unwrap()[0], Commit { commands: 2, queued_mail: false });
}

/// A command that inserts a row and says that it brought a message, and how often it has run.
fn counted(n: i64) -> (impl Fn(&Transaction<'_>) -> Result<usize, StoreError> + Send + 'static, Arc<AtomicUsize>) {
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    let command = move |tx: &Transaction<'_>| {
        counted.fetch_add(1, Ordering::Relaxed);
        tx.added_message(MessageState::Sent);
        Ok(tx.execute("INSERT INTO t VALUES (?1)", [n])?)
    };
    (command, runs)
}

async fn sent_messages(writer: &Writer) -> i64 {
    let count = "SELECT messages FROM outbox_counts WHERE state = 'sent'";
    writer.write(move |tx| Ok::<_, StoreError>(tx.query_row(count, [], |row| row.get(0))?)).await.unwrap()
}

/// Runs a good command in one group with one that is refused, and tells how often the good one has run.
async fn beside_a_refusal(writer: &Writer, refused: fn(&Transaction<'_>) -> Result<(), StoreError>) -> usize {
    let (release, held) = hold(writer);
    let (good, runs) = counted(1);
    let all = async { tokio::join!(writer.write(good), writer.write(refused), async { release.send(()).unwrap() }) };
    let (kept, refused, ()) = all.await;
    held.await.unwrap();
    assert!(kept.is_ok());
    assert!(matches!(refused, Err(StoreError::Broken(cause)) if cause.to_string() == "refused"));
    assert_eq!((stored(writer).await, sent_messages(writer).await), (1, 1));
    runs.load(Ordering::Relaxed)
}

#[tokio::test]
async fn a_refusal_costs_the_others_nothing() {
    let (writer, _, _folder) = writer(64);
    let refused = |tx: &Transaction<'_>| {
        tx.added_message(MessageState::Sent);
        Err(StoreError::Broken("refused".into()))
    };
    assert_eq!(beside_a_refusal(&writer, refused).await, 1);
}

#[tokio::test]
async fn a_command_that_fails_half_way_makes_its_group_run_again_and_nothing_counts_twice() {
    let (writer, commits, _folder) = writer(64);
    let refused = |tx: &Transaction<'_>| {
        tx.added_message(MessageState::Sent);
        tx.execute("INSERT INTO t VALUES (2)", [])?;
        Err(StoreError::Broken("refused".into()))
    };
    assert_eq!(beside_a_refusal(&writer, refused).await, 2);
    assert_eq!(commits.lock().unwrap()[..], [Commit { commands: 1, queued_mail: false }]);
}

#[tokio::test]
async fn a_full_queue_is_told_at_once() {
    let (writer, _, _folder) = writer(1);
    let (release, held) = hold(&writer);
    let (waiting, refused, ()) =
        tokio::join!(biased; insert(&writer, 1), insert(&writer, 2), async { release.send(()).unwrap() });
    held.await.unwrap();
    assert!(waiting.is_ok());
    assert!(matches!(refused, Err(StoreError::Overloaded)));
}

#[tokio::test]
async fn what_must_not_be_shed_waits_for_a_place() {
    let (writer, _, _folder) = writer(1);
    let (release, held) = hold(&writer);
    let patient = writer.write_patiently(|tx| Ok::<_, StoreError>(tx.execute("INSERT INTO t VALUES (2)", [])?));
    let (first, second, ()) = tokio::join!(biased; insert(&writer, 1), patient, async { release.send(()).unwrap() });
    held.await.unwrap();
    assert!(first.is_ok() && second.is_ok());
    assert_eq!(stored(&writer).await, 2);
}

#[tokio::test]
async fn a_file_locked_by_another_program_fails_the_group_and_nothing_else() {
    let (writer, _, folder) = writer(8);
    let other = Connection::open(folder.path().join("x.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert!(matches!(insert(&writer, 1).await, Err(StoreError::Unavailable(_))));
    other.execute_batch("ROLLBACK").unwrap();
    assert!(insert(&writer, 1).await.is_ok());
}

/// A clock that is an hour further at each look.
#[derive(Default)]
struct Racing(ToldClock);

impl Clock for Racing {
    fn now(&self) -> jiff::Timestamp {
        self.0.now()
    }

    fn monotonic(&self) -> Duration {
        self.0.pass(Duration::from_hours(1));
        self.0.monotonic()
    }
}

#[tokio::test]
async fn who_has_waited_long_enough_in_the_queue_does_not_wait_for_a_lock_as_well() {
    let (db, folder) = database();
    // If it did, the test would not end.
    db.busy_timeout(Duration::from_hours(1)).unwrap();
    let commits = Arc::new(Commits::by(Arc::new(Racing::default())));
    let writer = Writer::start(db, terms(1), commits, Arc::default(), Arc::new(|_| ())).unwrap();
    insert(&writer, 1).await.unwrap();
    let other = Connection::open(folder.path().join("x.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert!(matches!(insert(&writer, 2).await, Err(StoreError::Unavailable(_))));
}

/// Nothing waits to be indexed, so that only the group can have found it.
#[tokio::test]
async fn an_index_that_a_group_finds_damaged_is_made_anew() {
    let (db, _folder) = database();
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, false).unwrap();
    // The key that the first part of the index is going to have.
    db.execute("INSERT INTO customers_search_idx (segid, term, pgno) VALUES (1, x'', 2)", []).unwrap();
    let writer = Writer::start(db, terms(1), commits(), Arc::default(), Arc::new(|_| ())).unwrap();
    let index = || {
        let ada = "INSERT INTO customers_search (rowid, text) VALUES (1, 'ada')";
        writer.write(move |tx| Ok::<_, StoreError>(tx.execute_kept(ada, &[])?))
    };
    assert!(index().await.is_err());
    assert!(index().await.is_ok());
}

#[test]
fn the_last_checkpoint_waits_for_a_lock_as_long_as_it_is_told() {
    let (db, _folder) = database();
    let setting = busy_timeout(&db) + Duration::from_secs(1);
    assert!(end(&db, setting).unwrap());
    assert_eq!(busy_timeout(&db), setting);
}

#[test]
fn the_last_checkpoint_says_when_somebody_reads() {
    let (db, folder) = database();
    let reading = Connection::open(folder.path().join("x.db")).unwrap();
    reading.execute_batch("BEGIN; SELECT count(*) FROM t").unwrap();
    db.execute("INSERT INTO t VALUES (1)", []).unwrap();
    assert!(!end(&db, Duration::ZERO).unwrap());
}

#[tokio::test]
async fn who_writes_beside_a_server_does_not_wait_at_its_end_for_those_who_read() {
    let (db, folder) = database();
    db.busy_timeout(Duration::from_hours(1)).unwrap();
    let reading = Connection::open(folder.path().join("x.db")).unwrap();
    reading.execute_batch("BEGIN; SELECT count(*) FROM t").unwrap();
    let beside = Terms { serves: false, ..terms(1) };
    let writer = Writer::start(db, beside, commits(), Arc::default(), Arc::new(|_| ())).unwrap();
    insert(&writer, 1).await.unwrap();
    // If it did, the test would not end.
    drop(writer);
}

#[tokio::test]
async fn a_full_disk_fails_the_whole_group_and_the_writer_goes_on() {
    let (writer, _, _folder) = writer(64);
    writer
        .write(|tx| {
            tx.execute_batch("CREATE TABLE big (b BLOB) STRICT")?;
            let pages: i64 = tx.query_row("PRAGMA page_count", [], |row| row.get(0))?;
            Ok::<_, StoreError>(tx.pragma_update(None, "max_page_count", pages + 2)?)
        })
        .await
        .unwrap();
    let (release, held) = hold(&writer);
    let fill =
        |tx: &Transaction<'_>| Ok::<_, StoreError>(tx.execute("INSERT INTO big VALUES (zeroblob(1000000))", [])?);
    let (big, small, ()) =
        tokio::join!(biased; writer.write(fill), insert(&writer, 1), async { release.send(()).unwrap() });
    held.await.unwrap();
    assert!(matches!(big, Err(StoreError::Unavailable(_))), "{big:?}");
    assert!(matches!(small, Err(StoreError::Unavailable(_))), "SQLite rolls all of it back: {small:?}");
    assert!(writer.is_in_trouble());
    assert_eq!(stored(&writer).await, 0);
    assert!(writer.is_in_trouble(), "looking proves nothing");
    assert!(insert(&writer, 1).await.is_ok());
    assert!(!writer.is_in_trouble());
}

#[tokio::test]
async fn nothing_is_acknowledged_when_the_commit_fails() {
    let (writer, commits, _folder) = writer(64);
    let deferred = "CREATE TABLE c (n INTEGER REFERENCES t (n) DEFERRABLE INITIALLY DEFERRED) STRICT";
    writer.write(move |tx| Ok::<_, StoreError>(tx.execute_batch(deferred)?)).await.unwrap();
    let before = commits.lock().unwrap().len();
    let (release, held) = hold(&writer);
    let orphan = |tx: &Transaction<'_>| Ok::<_, StoreError>(tx.execute("INSERT INTO c VALUES (99)", [])?);
    let judged = |_: &Transaction<'_>| Err::<(), _>(StoreError::Broken("what it was judged by is gone".into()));
    let (good, bad, refused, ()) = tokio::join!(biased; insert(&writer, 1), writer.write(orphan), writer.write(judged), async { release.send(()).unwrap() });
    held.await.unwrap();
    assert!(good.is_err() && bad.is_err());
    let told = refused.unwrap_err();
    let StoreError::Broken(cause) = &told else { panic!("{told}") };
    assert!(cause.to_string().contains("FOREIGN KEY"), "{cause}");
    assert_eq!(commits.lock().unwrap().len(), before);
    assert_eq!(stored(&writer).await, 0);
    assert!(insert(&writer, 1).await.is_ok());
}

#[tokio::test]
async fn a_command_that_is_undone_is_no_commit_and_proves_nothing() {
    let (writer, commits, _folder) = writer(8);
    writer.in_trouble.store(true, Ordering::Relaxed);
    let undone = writer.write(|tx| {
        tx.execute("INSERT INTO t VALUES (1)", [])?;
        Err::<(), _>(StoreError::Broken("refused half way".into()))
    });
    assert!(undone.await.is_err());
    assert!(writer.is_in_trouble() && commits.lock().unwrap().is_empty());
    assert_eq!(stored(&writer).await, 0);
}

#[test]
fn what_is_done_when_nobody_waits_is_announced_to_readers_too() {
    let (db, _folder) = database();
    let (statements, commits, damage) = (Statements::of(&db), commits(), Damage::default());
    let mut chores = Chores::begin(&statements, &commits, &damage);
    chores.step();
    assert_eq!(commits.count(), 2, "before and after");
}
