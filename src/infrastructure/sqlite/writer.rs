//! The one writer: a thread that owns the write connection and commits for everybody who is waiting at once.
//!
//! It takes the first command that waits and all that wait behind it, runs them in one transaction, commits, and only
//! then answers all of them: one fsync serves the whole group. There is no timer: while one group syncs, the next one
//! gathers. A command that fails, or panics, is undone alone.
//!
//! When nobody waits, and in between where it must, it fills the search index, see [`search_index`](super::search_index).

use std::{
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use rusqlite::{Connection, ErrorCode};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::{OnCommit, OpenError, commits::Commits, errors, search_index::Damage};
use crate::application::ports::StoreError;

mod chores;
mod group;
mod statements;
mod transaction;

use chores::Chores;
use group::commit_together;
use statements::Statements;
pub(super) use transaction::Transaction;

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

/// What a writer is started for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    /// How many commands may wait.
    pub(super) queue: NonZeroUsize,
    /// Whether it does the chores, and waits for those who read to leave all in the database's file at its end.
    pub(super) serves: bool,
}

/// The queue's end that commands are put in. Dropping it finishes what was taken and joins the thread.
pub(super) struct Writer {
    queue: Option<Sender<Box<dyn Command>>>,
    places: Arc<Semaphore>,
    /// Whether the last transaction failed.
    in_trouble: Arc<AtomicBool>,
    commits: Arc<Commits>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(
        db: Connection,
        terms: Terms,
        commits: Arc<Commits>,
        damage: Arc<Damage>,
        on_commit: OnCommit,
    ) -> Result<Self, OpenError> {
        let (sender, commands) = mpsc::channel();
        let in_trouble = Arc::new(AtomicBool::new(false));
        let (trouble, announced) = (Arc::clone(&in_trouble), Arc::clone(&commits));
        let thread = thread::Builder::new()
            .name("writer".to_owned())
            .spawn(move || run(&db, terms.serves, &commands, &announced, &damage, &on_commit, &trouble))
            .map_err(|error| OpenError::Threads(error.into()))?;
        Ok(Self {
            queue: Some(sender),
            places: Arc::new(Semaphore::new(terms.queue.get())),
            in_trouble,
            commits,
            thread: Some(thread),
        })
    }

    /// Runs a command in the next group and returns once its commit is on the disk. It runs even if nobody waits for
    /// the answer any more, and runs again, with nothing of the first run left, if another one of its group has to be
    /// undone. Where the queue is full it is refused at once.
    pub(super) async fn write<T, E, F>(&self, command: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: Fn(&Transaction<'_>) -> Result<T, E> + Send + 'static,
    {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| StoreError::Overloaded)?;
        answer(self.enqueue(Some(place), command)).await
    }

    /// The same for what must not be shed, such as the outcome of a mail: it waits for a place.
    pub(super) async fn write_patiently<T, E, F>(&self, command: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: Fn(&Transaction<'_>) -> Result<T, E> + Send + 'static,
    {
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| stopped())?;
        answer(self.enqueue(Some(place), command)).await
    }

    /// The same for what nobody waits for; where the queue is full, or nothing can be written, it is left out.
    pub(super) fn offer<F>(&self, command: F)
    where
        F: Fn(&Transaction<'_>) -> rusqlite::Result<()> + Send + 'static,
    {
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            drop(self.enqueue(Some(place), move |tx| command(tx).map_err(StoreError::from)));
        }
    }

    /// Lets the writer look what there is to do besides commands. Nobody waits for it.
    pub(super) fn wake(&self) {
        drop(self.enqueue(None, |_| Ok::<_, StoreError>(())));
    }

    /// Whether it has begun and ended nothing for so long.
    pub(super) fn has_rested_for(&self, pause: Duration) -> bool {
        self.commits.have_rested_for(pause)
    }

    /// Whether the last transaction failed, so that only another one can tell whether the next will.
    pub(super) fn is_in_trouble(&self) -> bool {
        self.in_trouble.load(Ordering::Relaxed)
    }

    /// Puts a command in the queue; of a writer that has stopped no answer comes.
    fn enqueue<T, E, F>(&self, place: Option<OwnedSemaphorePermit>, command: F) -> oneshot::Receiver<Result<T, E>>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: Fn(&Transaction<'_>) -> Result<T, E> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting { command, result: None, answer, place, since: self.commits.time() };
        if let Some(queue) = &self.queue {
            // Dropped where the thread has ended, with the sender of the answer.
            let _ = queue.send(Box::new(waiting));
        }
        answered
    }
}

async fn answer<T, E: From<StoreError>>(answered: oneshot::Receiver<Result<T, E>>) -> Result<T, E> {
    answered.await.unwrap_or_else(|_| Err(stopped().into()))
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
    /// Since when it waits, by the monotonic clock.
    fn since(&self) -> Duration;
    /// Gives its place in the queue free.
    fn leave_queue(&mut self);
    /// Runs it; whether its changes are to be kept.
    fn run(&mut self, transaction: &Transaction<'_>) -> bool;
    /// Tells whoever waits what became of it.
    fn answer(self: Box<Self>, committed: Result<(), StoreError>);
}

struct Waiting<T, E, F> {
    command: F,
    result: Option<Result<T, E>>,
    answer: oneshot::Sender<Result<T, E>>,
    place: Option<OwnedSemaphorePermit>,
    since: Duration,
}

impl<T, E, F> Command for Waiting<T, E, F>
where
    T: Send,
    E: From<StoreError> + Send,
    F: Fn(&Transaction<'_>) -> Result<T, E> + Send,
{
    fn since(&self) -> Duration {
        self.since
    }

    fn leave_queue(&mut self) {
        self.place = None;
    }

    fn run(&mut self, transaction: &Transaction<'_>) -> bool {
        // Nothing is left of a run before, whose result would hide a panic of this one.
        self.result = None;
        self.result = Some((self.command)(transaction));
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

fn run(
    db: &Connection,
    serves: bool,
    commands: &Receiver<Box<dyn Command>>,
    commits: &Commits,
    damage: &Damage,
    on_commit: &OnCommit,
    in_trouble: &AtomicBool,
) {
    let statements = Statements::of(db);
    let busy_timeout = busy_timeout(db);
    let mut chores = serves.then(|| Chores::begin(&statements, commits, damage));
    while let Some(first) = next(commands, chores.as_mut()) {
        let waited = commits.time().saturating_sub(first.since());
        let mut group: Vec<_> = std::iter::once(first).chain(commands.try_iter()).take(MOST_IN_A_GROUP).collect();
        for command in &mut group {
            command.leave_queue();
        }
        let committed = commits.around(|| {
            // Who has waited in the queue, behind others that waited for a lock, does not wait as long again; nor do those
            // that came later, in the same group.
            db.busy_timeout(busy_timeout.saturating_sub(waited))?;
            commit_together(&statements, &mut group)
        });
        // One that changed nothing proves nothing.
        if !matches!(committed, Ok(None)) {
            in_trouble.store(committed.is_err(), Ordering::Relaxed);
        }
        let committed = committed.inspect_err(|error| damage.note_in_writing(error)).map_err(Arc::new);
        if let Ok(Some((commit, _))) = committed {
            on_commit(commit);
        }
        for command in group {
            command.answer(committed.as_ref().map(|_| ()).map_err(breakdown));
        }
        // Also where it failed: it may have been for the index, and there may be no pause in which to mend that.
        if let Some(chores) = &mut chores {
            chores.keep_up(committed.ok().flatten().map_or(0, |(_, registered)| registered));
        }
    }
    // To wait for those who read would hold up the writes of the program that serves.
    match end(db, if serves { busy_timeout } else { Duration::ZERO }) {
        Ok(true) => {}
        Ok(false) => tracing::warn!("somebody uses the database; the next start does the last checkpoint"),
        Err(error) => tracing::warn!(%error, "the last checkpoint failed; the next start does it"),
    }
}

/// Leaves everything in the database file. False while somebody else reads or writes, which is no error to SQLite.
fn end(db: &Connection, busy_timeout: Duration) -> rusqlite::Result<bool> {
    db.busy_timeout(busy_timeout)?;
    let is_busy: bool = db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    Ok(!is_busy)
}

fn busy_timeout(db: &Connection) -> Duration {
    let milliseconds: u32 = db.pragma_query_value(None, "busy_timeout", |row| row.get(0)).unwrap_or_default();
    Duration::from_millis(milliseconds.into())
}

/// The next command; until it comes, chores are done, each as short as a command may be kept waiting.
fn next(commands: &Receiver<Box<dyn Command>>, chores: Option<&mut Chores<'_>>) -> Option<Box<dyn Command>> {
    let Some(chores) = chores else { return commands.recv().ok() };
    let mut patience = chores.patience();
    while chores.are_left() {
        match commands.recv_timeout(patience) {
            Ok(command) => return Some(command),
            Err(RecvTimeoutError::Disconnected) => return None,
            Err(RecvTimeoutError::Timeout) => chores.step(),
        }
        patience = chores.rest();
    }
    commands.recv().ok()
}

/// One error for everybody in the group.
fn breakdown(error: &Arc<rusqlite::Error>) -> StoreError {
    // What has no code of its own is a transaction that was lost or left open: the cause was the disk's.
    let code =
        error.sqlite_error_code().filter(|code| *code != ErrorCode::Unknown).unwrap_or(ErrorCode::SystemIoFailure);
    errors::of_code(Some(code), Box::new(Arc::clone(error)))
}

#[cfg(test)]
mod tests;
