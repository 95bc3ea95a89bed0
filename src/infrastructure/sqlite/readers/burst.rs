//! Reads that come in a burst share a snapshot, and so the three system calls that SQLite needs for one: where many ask at
//! once, these cost as much as the reading itself.
//!
//! A burst is what a thread reads until it has nothing else to do, [`MOST_READS`] at the most. It is over at once when this
//! program commits, so that nobody is shown less than what was acknowledged; what another program commits is seen by the
//! next burst, a millisecond later. A snapshot in hand keeps SQLite from beginning its WAL anew, so there are no bursts
//! while commits follow each other.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
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

/// The bursts that are on: one for each thread that reads, as far as there are cores.
pub(super) struct Bursts {
    pool: Pool<SqliteConnectionManager>,
    commits: Arc<Commits>,
    places: Vec<Mutex<Option<Burst>>>,
}

impl Bursts {
    pub(super) fn new(pool: Pool<SqliteConnectionManager>, commits: Arc<Commits>) -> Self {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        Self { pool, commits, places: (0..threads).map(|_| Mutex::new(None)).collect() }
    }

    /// Answers a question in the burst that is on, or begins one. Gives the question back where there can be none now.
    pub(super) fn read<T, F>(self: &Arc<Self>, question: F) -> Result<rusqlite::Result<T>, F>
    where
        F: FnOnce(&Connection) -> rusqlite::Result<T>,
    {
        let place = place_of_this_thread() % self.places.len();
        // Another thread may have the same place: it is not waited for.
        let Some(Ok(mut on)) = self.places.get(place).map(Mutex::try_lock) else { return Err(question) };
        // Asked before the snapshot is taken, which may then be newer than it is said to be, but never older.
        let commits = self.commits.count();
        drop(on.take_if(|burst| burst.reads_left == 0 || burst.commits != commits));
        if on.is_none() {
            let Some(burst) = self.begin(commits) else { return Err(question) };
            *on = Some(burst);
            self.end_soon(place);
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

    /// Ends the burst when the tasks that are ready now have had their turn.
    fn end_soon(self: &Arc<Self>, place: usize) {
        let bursts = Arc::clone(self);
        tokio::spawn(async move {
            tokio::task::yield_now().await;
            if let Some(place) = bursts.places.get(place) {
                // A panic in the middle of a read leaves a snapshot that is to be given back all the same.
                drop(place.lock().unwrap_or_else(PoisonError::into_inner).take());
                place.clear_poison();
            }
        });
    }
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

fn place_of_this_thread() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local!(static PLACE: usize = NEXT.fetch_add(1, Ordering::Relaxed));
    PLACE.with(|place| *place)
}

#[cfg(test)]
mod tests;
