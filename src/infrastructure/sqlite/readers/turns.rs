//! Turns for what reads long: so many at once, and now and then none, so that the WAL can begin anew.
//!
//! SQLite begins it anew only at a moment when nobody reads from it. Reads by id leave such moments all the time, and so do
//! a few scans; where they overlap without a pause there is none, and the file would grow until they end.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};

use crate::{
    application::ports::StoreError,
    infrastructure::sqlite::{commits::Commits, connection::LARGEST_RESTING_WAL},
};

/// How long nobody has a turn at the most: two commits are enough, where others read for microseconds only.
const LONGEST_GAP: Duration = Duration::from_millis(250);

/// How much the last turn counts in what turns take: an eighth.
const WEIGHT_OF_LAST: u64 = 8;

/// Between two looks whether the WAL has begun anew.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// After a gap in which the WAL did not begin anew there is none for so long, in milliseconds.
const REST_AFTER_GAP_IN_VAIN: u64 = 10_000;

/// After so long without a commit nothing makes the WAL any longer, nor begins it anew.
const REST: Duration = Duration::from_millis(100);

pub(super) struct Turns {
    free: Arc<Semaphore>,
    /// How many wait for one.
    waiting: AtomicU64,
    /// How long turns take, by those that ended last, in microseconds.
    usual: AtomicU64,
    at_once: u32,
    wal: PathBuf,
    commits: Arc<Commits>,
    /// A gap is being made.
    is_parting: AtomicBool,
    /// Until when there is none, in milliseconds of the monotonic clock: another program may read for hours.
    no_gap_until: AtomicU64,
}

impl Turns {
    pub(super) fn new(at_once: u32, database: &Path, commits: Arc<Commits>) -> Self {
        let wal = format!("{}-wal", database.display()).into();
        let free = Arc::new(Semaphore::new(usize::try_from(at_once).unwrap_or(1)));
        Self {
            free,
            waiting: AtomicU64::new(0),
            usual: AtomicU64::new(0),
            at_once,
            wal,
            commits,
            is_parting: AtomicBool::new(false),
            no_gap_until: AtomicU64::new(0),
        }
    }

    /// A turn, first come first served, which lasts until it is dropped. Who would hardly get one in time, behind those who
    /// wait already, hears so at once.
    pub(super) async fn take(self: &Arc<Self>, within: Duration) -> Result<Turn, StoreError> {
        let place = Place::behind(&self.waiting);
        if self.wait_behind(place.before) > within {
            return Err(StoreError::OutOfTime);
        }
        let permit = timeout(within, Arc::clone(&self.free).acquire_owned()).await;
        let permit = permit.map_err(|_| StoreError::OutOfTime)?.map_err(|error| StoreError::Broken(error.into()))?;
        self.part_if_needed();
        Ok(Turn { turns: Arc::clone(self), begun: self.commits.time(), _permit: permit })
    }

    /// Remembers how long a turn took.
    fn took(&self, time: Duration) {
        let last = u64::try_from(time.as_micros()).unwrap_or(u64::MAX) / WEIGHT_OF_LAST;
        let usual = self.usual.load(Ordering::Relaxed);
        // Of two that end at once one may be forgotten: it is an estimate.
        self.usual.store(usual - usual / WEIGHT_OF_LAST + last, Ordering::Relaxed);
    }

    fn wait_behind(&self, others: u64) -> Duration {
        let usual = self.usual.load(Ordering::Relaxed);
        Duration::from_micros(usual.saturating_mul(others) / u64::from(self.at_once.max(1)))
    }

    /// Where the WAL has grown too long, sees to it that nobody has a turn until it has begun anew, or for a moment in vain.
    /// Nobody waits for that here; whoever comes for a turn comes behind it.
    fn part_if_needed(self: &Arc<Self>) {
        if self.is_wal_too_long() && !self.is_parting.swap(true, Ordering::AcqRel) {
            let turns = Arc::clone(self);
            tokio::spawn(async move {
                turns.part().await;
                turns.is_parting.store(false, Ordering::Release);
            });
        }
    }

    fn is_wal_too_long(&self) -> bool {
        if self.milliseconds() < self.no_gap_until.load(Ordering::Relaxed) {
            return false;
        }
        let is_long = |size: u64| size > LARGEST_RESTING_WAL.unsigned_abs();
        !self.commits.have_rested_for(REST) && self.wal.metadata().is_ok_and(|wal| is_long(wal.len()))
    }

    async fn part(&self) {
        let Ok(_all) = self.free.acquire_many(self.at_once).await else { return };
        let before = self.number_of_wal();
        let begun = async {
            while self.number_of_wal() == before && !self.commits.have_rested_for(REST) {
                sleep(LOOK_AGAIN).await;
            }
        };
        if timeout(LONGEST_GAP, begun).await.is_err() {
            let rest = self.milliseconds() + REST_AFTER_GAP_IN_VAIN;
            self.no_gap_until.store(rest, Ordering::Relaxed);
        }
    }

    fn milliseconds(&self) -> u64 {
        u64::try_from(self.commits.time().as_millis()).unwrap_or(u64::MAX)
    }

    /// The checkpoint sequence number in the head of the WAL, which counts how often it has begun (SQLite's file format,
    /// section 4.1).
    fn number_of_wal(&self) -> Option<[u8; 4]> {
        let mut head = [0; 16];
        File::open(&self.wal).and_then(|mut wal| wal.read_exact(&mut head)).ok()?;
        head.last_chunk().copied()
    }
}

/// A turn, until it is dropped.
pub(super) struct Turn {
    turns: Arc<Turns>,
    begun: Duration,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.turns.took(self.turns.commits.time().saturating_sub(self.begun));
    }
}

/// A place among those who wait, until it is dropped.
struct Place<'a> {
    waiting: &'a AtomicU64,
    /// How many waited before.
    before: u64,
}

impl<'a> Place<'a> {
    fn behind(waiting: &'a AtomicU64) -> Self {
        Self { waiting, before: waiting.fetch_add(1, Ordering::Relaxed) }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
