//! The one writer: a thread that owns the write connection and commits for everybody who is waiting at once.
//!
//! It takes the first command that waits and all that wait behind it, runs each in a savepoint of one transaction,
//! commits, and only then answers all of them: one fsync serves the whole group. There is no timer: while one group
//! syncs, the next one gathers. A command that fails, or panics, is undone alone.

use std::{
    cell::Cell,
    num::NonZeroUsize,
    ops::Deref,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        mpsc::{self, Receiver, Sender},
    },
    thread::{self, JoinHandle},
};

use rusqlite::{Connection, ErrorCode};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::{OnCommit, OpenError, errors};
use crate::application::ports::StoreError;

/// How many commands one commit serves at the most, so that the first of them is not kept waiting without end.
const MOST_IN_A_GROUP: usize = 256;

/// What is told of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Commit {
    /// How many commands it served.
    pub commands: usize,
    /// Whether it queued mail that is due.
    pub queued_mail: bool,
}

/// The transaction that a command runs in.
pub(super) struct Transaction<'db> {
    db: &'db Connection,
    queued_mail: &'db Cell<bool>,
}

impl Transaction<'_> {
    /// The commit is to wake whoever sends mail.
    pub(super) fn queued_mail(&self) {
        self.queued_mail.set(true);
    }
}

impl Deref for Transaction<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.db
    }
}

/// The queue's end that commands are put in. Dropping it finishes what was taken and joins the thread.
pub(super) struct Writer {
    queue: Option<Sender<Box<dyn Command>>>,
    places: Arc<Semaphore>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(db: Connection, queue: NonZeroUsize, on_commit: OnCommit) -> Result<Self, OpenError> {
        let (sender, commands) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("writer".to_owned())
            .spawn(move || run(&db, &commands, &on_commit))
            .map_err(|error| OpenError::Threads(error.into()))?;
        Ok(Self { queue: Some(sender), places: Arc::new(Semaphore::new(queue.get())), thread: Some(thread) })
    }

    /// Runs a command in the next group and returns once its commit is on the disk. It runs even if nobody waits for
    /// the answer any more. Where the queue is full it is refused at once.
    pub(super) async fn write<T, E, F>(&self, command: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(&Transaction<'_>) -> Result<T, E> + Send + 'static,
    {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| StoreError::Overloaded)?;
        self.enqueue(place, command).await
    }

    /// The same for what must not be shed, such as the outcome of a mail: it waits for a place.
    pub(super) async fn write_patiently<T, E, F>(&self, command: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(&Transaction<'_>) -> Result<T, E> + Send + 'static,
    {
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| stopped())?;
        self.enqueue(place, command).await
    }

    async fn enqueue<T, E, F>(&self, place: OwnedSemaphorePermit, command: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(&Transaction<'_>) -> Result<T, E> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting { command: Some(command), result: None, answer, place: Some(place) };
        let Some(queue) = &self.queue else { return Err(stopped().into()) };
        queue.send(Box::new(waiting)).map_err(|_| stopped())?;
        answered.await.unwrap_or_else(|_| Err(stopped().into()))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the writer's thread panicked");
        }
    }
}

fn stopped() -> StoreError {
    StoreError::Unavailable("the writer has stopped".into())
}

/// A command on its way through the writer.
trait Command: Send {
    /// Gives its place in the queue free.
    fn leave_queue(&mut self);
    /// Runs it; whether its changes are to be kept.
    fn run(&mut self, transaction: &Transaction<'_>) -> bool;
    /// Tells whoever waits what became of it.
    fn answer(self: Box<Self>, committed: Result<(), StoreError>);
}

struct Waiting<T, E, F> {
    command: Option<F>,
    result: Option<Result<T, E>>,
    answer: oneshot::Sender<Result<T, E>>,
    place: Option<OwnedSemaphorePermit>,
}

impl<T, E, F> Command for Waiting<T, E, F>
where
    T: Send,
    E: From<StoreError> + Send,
    F: FnOnce(&Transaction<'_>) -> Result<T, E> + Send,
{
    fn leave_queue(&mut self) {
        self.place = None;
    }

    fn run(&mut self, transaction: &Transaction<'_>) -> bool {
        self.result = self.command.take().map(|command| command(transaction));
        matches!(self.result, Some(Ok(_)))
    }

    fn answer(self: Box<Self>, committed: Result<(), StoreError>) {
        let result = match (self.result, committed) {
            // A refusal was judged by what the transaction held, and counts no more than that was committed.
            (_, Err(breakdown)) => Err(breakdown.into()),
            (Some(Err(refusal)), Ok(())) => Err(refusal),
            (Some(Ok(value)), Ok(())) => Ok(value),
            (None, Ok(())) => Err(StoreError::Broken("the command panicked".into()).into()),
        };
        // Whoever asked may have gone; the commit stands all the same.
        let _ = self.answer.send(result);
    }
}

fn run(db: &Connection, commands: &Receiver<Box<dyn Command>>, on_commit: &OnCommit) {
    while let Ok(first) = commands.recv() {
        let mut group: Vec<_> = std::iter::once(first).chain(commands.try_iter()).take(MOST_IN_A_GROUP).collect();
        group.iter_mut().for_each(|command| command.leave_queue());
        let committed = commit_together(db, &mut group);
        if let Ok(Some(commit)) = committed {
            on_commit(commit);
        }
        let committed = committed.map(|_| ()).map_err(Arc::new);
        for command in group {
            command.answer(committed.as_ref().copied().map_err(breakdown));
        }
    }
    if let Err(error) = db.execute_batch("PRAGMA optimize; PRAGMA wal_checkpoint(TRUNCATE)") {
        tracing::warn!(%error, "the last checkpoint failed; the next start does it");
    }
}

/// Runs a group in one transaction; none if it changed nothing. On an error nothing of it is kept.
fn commit_together(db: &Connection, group: &mut [Box<dyn Command>]) -> rusqlite::Result<Option<Commit>> {
    let before = db.total_changes();
    db.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    let queued_mail = Cell::new(false);
    let transaction = Transaction { db, queued_mail: &queued_mail };
    let mut kept = 0;
    for command in &mut *group {
        match run_alone(&transaction, command.as_mut()) {
            Ok(keep) => kept += usize::from(keep),
            Err(error) => {
                roll_back(db);
                return Err(error);
            }
        }
    }
    db.prepare_cached("COMMIT")?.execute([]).inspect_err(|_| roll_back(db))?;
    let changed = db.total_changes() > before;
    Ok(changed.then(|| Commit { commands: kept, queued_mail: queued_mail.get() }))
}

/// Runs one command in a savepoint, undone if it fails or panics. An error means that the whole transaction is lost: a
/// full disk, say, makes SQLite roll all of it back.
fn run_alone(transaction: &Transaction<'_>, command: &mut dyn Command) -> rusqlite::Result<bool> {
    transaction.prepare_cached("SAVEPOINT command")?.execute([])?;
    let keep = catch_unwind(AssertUnwindSafe(|| command.run(transaction))).unwrap_or_else(|_| {
        tracing::error!("a write command panicked; it is undone");
        false
    });
    if !keep {
        transaction.prepare_cached("ROLLBACK TO command")?.execute([])?;
    }
    transaction.prepare_cached("RELEASE command")?.execute([])?;
    Ok(keep)
}

fn roll_back(db: &Connection) {
    if !db.is_autocommit()
        && let Err(error) = db.execute_batch("ROLLBACK")
    {
        tracing::error!(%error, "a transaction could not be rolled back");
    }
}

/// One error for everybody in the group.
fn breakdown(error: &Arc<rusqlite::Error>) -> StoreError {
    // A lost transaction shows as a missing savepoint when SQLite rolled it back itself: the cause was the disk's.
    let code =
        error.sqlite_error_code().filter(|code| *code != ErrorCode::Unknown).unwrap_or(ErrorCode::SystemIoFailure);
    errors::of_code(Some(code), Box::new(Arc::clone(error)))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    type Commits = Arc<Mutex<Vec<Commit>>>;

    fn writer(queue: usize) -> (Writer, Commits, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let db = super::super::connection::open_to_write(&folder.path().join("x.db"), std::time::Duration::ZERO, false)
            .unwrap();
        db.execute_batch("CREATE TABLE t (n INTEGER PRIMARY KEY) STRICT").unwrap();
        let commits = Commits::default();
        let seen = Arc::clone(&commits);
        let on_commit: OnCommit = Arc::new(move |commit| seen.lock().unwrap().push(commit));
        (Writer::start(db, NonZeroUsize::new(queue).unwrap(), on_commit).unwrap(), commits, folder)
    }

    async fn insert(writer: &Writer, n: i64) -> Result<usize, StoreError> {
        writer.write(move |tx| Ok(tx.execute("INSERT INTO t VALUES (?1)", [n])?)).await
    }

    async fn stored(writer: &Writer) -> i64 {
        writer
            .write(|tx| Ok::<_, StoreError>(tx.query_row("SELECT count(*) FROM t", [], |row| row.get(0))?))
            .await
            .unwrap()
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
        let waiting = Waiting { command: Some(command), result: None, answer, place: None };
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
        let (first, second, ()) =
            tokio::join!(biased; insert(&writer, 1), patient, async { release.send(()).unwrap() });
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
        assert_eq!(stored(&writer).await, 0);
        assert!(insert(&writer, 1).await.is_ok());
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
}
