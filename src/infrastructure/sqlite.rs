//! The store: SQLite behind the ports. One [`writer`] thread, a pool of [`readers`], [`migrations`] inside the binary.
//!
//! Every connection is `synchronous=FULL` in WAL mode: what a port method has returned from is on the disk.

use std::{
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rusqlite::OptionalExtension;
use uuid::Uuid;

use crate::application::ports::{Clock, StoreError};

mod api_keys;
mod arguments;
mod commits;
mod connection;
mod customer_list;
mod customers;
mod disk_space;
mod errors;
mod health;
mod history;
pub mod migrations;
mod outbox;
mod readers;
mod rows;
mod search_index;
mod verifications;
mod writer;

use commits::Commits;
pub use connection::OpenError;
pub use errors::{Obstacle, obstacle};
use health::Probes;
use readers::Readers;
use search_index::Damage;
pub use writer::Commit;
use writer::{Terms, Writer};

/// How the store is opened.
#[derive(Debug, Clone)]
pub struct StoreSettings {
    /// How many connections read.
    pub readers: NonZeroUsize,
    /// How many commands may wait for the writer; one more is refused.
    pub writer_queue: NonZeroUsize,
    /// How long a statement waits for another process's lock.
    pub busy_timeout: Duration,
    /// How long a list may look for those it is asked for.
    pub list_timeout: Duration,
    /// Whether statements are logged, without the values bound to them.
    pub echo: bool,
    /// Whether this is the program that serves: it alone fills the search index, and waits for those who read to leave all in
    /// the database's file when it ends. Who writes beside it would hold up its writes with that.
    pub serves: bool,
}

#[cfg(test)]
impl StoreSettings {
    /// One reader, one place before the writer, and no patience.
    const LEAST: Self = Self {
        readers: NonZeroUsize::MIN,
        writer_queue: NonZeroUsize::MIN,
        busy_timeout: Duration::ZERO,
        list_timeout: Duration::ZERO,
        echo: false,
        serves: true,
    };
}

/// What is told of each commit, on the writer's thread.
pub type OnCommit = Arc<dyn Fn(Commit) + Send + Sync>;

/// The database, open for reading and writing. Dropping it finishes what was taken and closes the file.
pub struct SqliteStore {
    writer: Writer,
    readers: Readers,
    index_damage: Arc<Damage>,
    probes: Probes,
    path: PathBuf,
}

impl SqliteStore {
    /// Opens a database that has been migrated, see [`migrations::migrate`].
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(
        path: &Path,
        settings: &StoreSettings,
        clock: Arc<dyn Clock>,
        on_commit: OnCommit,
    ) -> Result<Self, OpenError> {
        let writing = connection::open_without_statistics(path, settings.busy_timeout, settings.echo)?;
        let commits = Arc::new(Commits::by(clock));
        let index_damage = Arc::new(Damage::default());
        let terms = Terms { queue: settings.writer_queue, serves: settings.serves };
        let writer = Writer::start(writing, terms, Arc::clone(&commits), Arc::clone(&index_damage), on_commit)?;
        let readers = Readers::open(path, settings, commits)?;
        Ok(Self { writer, readers, index_damage, probes: Probes::default(), path: path.to_owned() })
    }

    /// Makes every claim on the outbox due at once: for the start of the one server, when nobody else can hold one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn release_claims(&self) -> Result<(), StoreError> {
        self.writer
            .write(|tx| {
                let released = tx.execute(
                    "UPDATE outbox SET due_at = created_at, claimed = 0 WHERE due_at IS NOT NULL AND claimed = 1",
                    [],
                )?;
                if released > 0 {
                    tracing::info!(released, "messages whose sending was cut off are due again");
                }
                Ok::<_, StoreError>(())
            })
            .await
    }

    /// The highest id of a customer or a message, for the sequence to go on behind.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn highest_id(&self) -> Result<Option<Uuid>, StoreError> {
        self.readers
            .read(|db| {
                let highest =
                    "SELECT max(id) FROM (SELECT max(id) AS id FROM customers UNION ALL SELECT max(id) FROM outbox)";
                let head: Option<i64> = db.query_row(highest, [], |row| row.get(0))?;
                Ok(head.map(|head| rows::uuid(head, 0)))
            })
            .await
    }

    /// Whether any link was ever mailed, which a new secret key would make useless.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn has_proofs(&self) -> Result<bool, StoreError> {
        self.readers
            .read(|db| Ok(db.query_row("SELECT 1 FROM verifications LIMIT 1", [], |_| Ok(())).optional()?.is_some()))
            .await
    }
}
