//! Reads that come in a burst share a snapshot, and so the three system calls that SQLite needs for one: where many ask at
//! once, these cost as much as the reading itself.
//!
//! A burst is what a thread reads until it has nothing else to do, [`MOST_READS`] at the most. It is over at once when this
//! program commits, so that nobody is shown less than what was acknowledged; what another program commits is seen by the
//! next burst, a millisecond later. A snapshot in hand keeps SQLite from beginning its WAL anew, so there are no bursts
//! while commits follow each other.

use std::{
    sync::{
        Arc, Mutex, TryLockError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use r2d2::{Pool, PooledConnection};
use r2d2_sqlite::SqliteConnectionManager;
use rusqlite::Connection;

use crate::infrastructure::sqlite::commits::Commits;

/// How many reads share a snapshot at the most.
const MOST_READS: u32 = 64;

/// How long the last commit must be ago.
const REST: Duration = Duration::from_millis(100);

/// How long a burst that is to end waits for a read that takes longer than usual, before it asks again.
const PATIENCE: Duration = Duration::from_millis(1);

/// Where the burst of a thread is, if one is on.
type Place = Arc<Mutex<Option<Burst>>>;

/// The bursts that are on: one for each thread that reads, as far as there are cores.
#[derive(Clone)]
pub(super) struct Bursts {
    pool: Pool<SqliteConnectionManager>,
    commits: Arc<Commits>,
    places: Vec<Place>,
}

impl Bursts {
    pub(super) fn new(pool: Pool<SqliteConnectionManager>, commits: Arc<Commits>) -> Self {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        Self { pool, commits, places: (0..threads).map(|_| Place::default()).collect() }
    }

    /// Answers a question in the burst that is on, or begins one. Gives the question back where there can be none now.
    pub(super) fn read<T, F>(&self, question: F) -> Result<rusqlite::Result<T>, F>
    where
        F: FnOnce(&Connection) -> rusqlite::Result<T>,
    {
        let Some(place) = self.places.get(number_of_this_thread() % self.places.len()) else { return Err(question) };
        // Another thread may have the same place: it is not waited for.
        let Ok(mut on) = place.try_lock() else { return Err(question) };
        // Asked before the snapshot is taken, which may then be newer than it is said to be, but never older.
        let commits = self.commits.count();
        drop(on.take_if(|burst| burst.reads_left == 0 || burst.commits != commits));
        if on.is_none() {
            let Some(burst) = self.begin(commits) else { return Err(question) };
            *on = Some(burst);
            tokio::spawn(end(Arc::clone(place)));
        }
        let Some(burst) = on.as_mut() else { return Err(question) };
        burst.reads_left -= 1;
        let answer = question(&burst.db);
        if answer.is_err() {
            *on = None;
        }
        Ok(answer)
    }

    fn begin(&self, commits: u64) -> Option<Burst> {
        if !self.commits.have_rested_for(REST) {
            return None;
        }
        let db = self.pool.try_get()?;
        db.prepare_cached("BEGIN").and_then(|mut begin| begin.execute([])).ok()?;
        Some(Burst { db, commits, reads_left: MOST_READS })
    }
}

/// Ends the burst when the tasks that are ready now have had their turn.
async fn end(place: Place) {
    tokio::task::yield_now().await;
    // Another thread may have come to run this, and must not stand still while the burst's own reads something long.
    while !is_ended(&place) {
        tokio::time::sleep(PATIENCE).await;
    }
}

fn is_ended(place: &Mutex<Option<Burst>>) -> bool {
    let mut on = match place.try_lock() {
        Ok(on) => on,
        Err(TryLockError::WouldBlock) => return false,
        // A panic in the middle of a read leaves a snapshot that is to be given back all the same.
        Err(TryLockError::Poisoned(on)) => on.into_inner(),
    };
    *on = None;
    place.clear_poison();
    true
}

/// A connection with its snapshot; dropping it gives both back.
struct Burst {
    db: PooledConnection<SqliteConnectionManager>,
    /// How many commits the snapshot holds at least.
    commits: u64,
    reads_left: u32,
}

impl Drop for Burst {
    fn drop(&mut self) {
        // After some errors SQLite has ended it already.
        if !self.db.is_autocommit()
            && let Err(error) = self.db.prepare_cached("COMMIT").and_then(|mut commit| commit.execute([]))
        {
            tracing::error!(%error, "a snapshot could not be given back");
        }
    }
}

fn number_of_this_thread() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local!(static NUMBER: usize = NEXT.fetch_add(1, Ordering::Relaxed));
    NUMBER.with(|number| *number)
}

#[cfg(test)]
mod tests;
