//! The readers: a pool of connections that cannot write.

use std::{ffi::c_int, path::Path, sync::Arc, thread, time::Duration};

use r2d2::{CustomizeConnection, Pool};
use r2d2_sqlite::SqliteConnectionManager;
use rusqlite::{Connection, OpenFlags};

use super::{OpenError, StoreSettings, commits::Commits, connection, customer_list};
use crate::application::ports::StoreError;

/// How long a read waits for a free connection where all are taken.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// After so many steps of SQLite's virtual machine a scan looks at the clock: those of some hundred rows.
const STEPS_BETWEEN_LOOKS: c_int = 4096;

/// The page caches of all readers together, in KiB, as far as [`LEAST_CACHE_KIB`] allows: where there are few, each may
/// keep more.
const CACHES_KIB: u32 = 48 << 10;

/// The least page cache of one reader, in KiB: room for the inner pages of the indexes of millions of customers.
const LEAST_CACHE_KIB: u32 = 2 << 10;

mod burst;
mod turns;

use burst::Bursts;
use turns::Turns;

#[derive(Clone)]
pub(super) struct Readers {
    pool: Pool<SqliteConnectionManager>,
    bursts: Bursts,
    scans: Arc<Turns>,
    longest_scan: Duration,
    commits: Arc<Commits>,
}

#[derive(Debug)]
struct MakeReader {
    busy_timeout: Duration,
    echo: bool,
    cache_kib: u32,
}

impl CustomizeConnection<Connection, rusqlite::Error> for MakeReader {
    fn on_acquire(&self, db: &mut Connection) -> Result<(), rusqlite::Error> {
        connection::make_reader(db, self.busy_timeout, self.echo, self.cache_kib).map_err(|error| match error {
            OpenError::Sqlite(error) => error,
            other => rusqlite::Error::ToSqlConversionFailure(other.into()),
        })?;
        customer_list::teach(db)
    }
}

impl Readers {
    pub(super) fn open(path: &Path, settings: &StoreSettings, commits: Arc<Commits>) -> Result<Self, OpenError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let readers = u32::try_from(settings.readers.get()).unwrap_or(u32::MAX);
        let cache_kib = (CACHES_KIB / readers).max(LEAST_CACHE_KIB);
        let customizer = MakeReader { busy_timeout: settings.busy_timeout, echo: settings.echo, cache_kib };
        let pool = Pool::builder()
            .max_size(readers)
            .min_idle(Some(1))
            .connection_timeout(LONGEST_WAIT)
            .test_on_check_out(false)
            .connection_customizer(Box::new(customizer))
            .build(SqliteConnectionManager::file(path).with_flags(flags))
            .map_err(|error| OpenError::Threads(error.into()))?;
        let cores = thread::available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(u32::MAX));
        let bursts = Bursts::new(pool.clone(), Arc::clone(&commits));
        // One connection is left to those that take microseconds, if there is more than one.
        let scans = cores.min(readers.saturating_sub(1)).max(1);
        let scans = Arc::new(Turns::new(scans, path, Arc::clone(&commits)));
        Ok(Self { pool, bursts, scans, longest_scan: settings.list_timeout, commits })
    }

    /// Answers a question that an index answers in microseconds, right on the async thread: a hop to a blocking thread
    /// costs several times the read itself. Only where every connection is taken does it wait, and then elsewhere.
    pub(super) async fn read<T, F>(&self, question: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        if let Some(db) = self.pool.try_get() {
            return Ok(question(&db)?);
        }
        self.read_elsewhere(question).await
    }

    /// The same for what many ask at once: reads that come together share a snapshot.
    pub(super) async fn read_together<T, F>(&self, question: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        match self.bursts.read(question) {
            Ok(answer) => Ok(answer?),
            Err(question) => self.read(question).await,
        }
    }

    /// Answers a question that may take milliseconds, on another thread; no more of them at once than there are cores,
    /// so that they do not take the connections of those that take microseconds. One that takes too long, its turn waited
    /// for included, is broken off, and so is one that nobody waits for any more.
    pub(super) async fn scan<T, F>(&self, question: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let deadline = self.commits.time() + self.longest_scan;
        let turn = self.scans.take(self.longest_scan).await?;
        let commits = Arc::clone(&self.commits);
        // Whoever goes away drops this future, and with it what says that somebody waits.
        let caller = Arc::new(());
        let awaited = Arc::downgrade(&caller);
        self.read_elsewhere(move |db| {
            let _turn = turn;
            let _limit = Limit::set(db, move || awaited.strong_count() == 0 || commits.time() >= deadline)?;
            question(db)
        })
        .await
    }

    async fn read_elsewhere<T, F>(&self, question: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let pool = self.pool.clone();
        let waited = tokio::task::spawn_blocking(move || {
            let db = pool.get().map_err(|error| StoreError::Unavailable(error.into()))?;
            Ok(question(&db)?)
        });
        waited.await.map_err(|error| StoreError::Broken(error.into()))?
    }
}

/// Breaks off what a connection reads, with `SQLITE_INTERRUPT`, once a condition is met. Holds until it is dropped.
struct Limit<'db>(&'db Connection);

impl<'db> Limit<'db> {
    fn set(db: &'db Connection, is_reached: impl FnMut() -> bool + Send + 'static) -> rusqlite::Result<Self> {
        db.progress_handler(STEPS_BETWEEN_LOOKS, Some(is_reached))?;
        Ok(Self(db))
    }
}

impl Drop for Limit<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.0.progress_handler(0, None::<fn() -> bool>) {
            tracing::error!(%error, "a limit could not be taken from a connection");
        }
    }
}

#[cfg(test)]
mod tests;
