//! Whether the store can be relied on, for whoever watches it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use tokio::{
    sync::{Mutex, OwnedMutexGuard},
    time::timeout,
};

use super::{SqliteStore, disk_space, writer::Transaction};
use crate::application::ports::{StoreError, StoreHealth};

/// A writer of which nothing is heard for so long hangs, as it does with its disk: longer than it waits for a lock unless
/// told otherwise.
const LONGEST_SILENCE: Duration = Duration::from_secs(5);

/// The questions to the writer whether it lives. One is asked at a time, so that those who ask, who may be strangers, take no
/// more than one place before the writer; who has waited takes the answer to one that was put after he came.
#[derive(Default)]
pub(super) struct Probes {
    begun: AtomicU64,
    /// The last one with a good answer.
    good: AtomicU64,
    /// Locked by a question until the writer is done with it, even where whoever asked has gone away.
    asking: Arc<Mutex<()>>,
}

#[async_trait]
impl StoreHealth for SqliteStore {
    async fn check(&self) -> Result<(), StoreError> {
        self.readers.read(|db| db.query_row("SELECT 1", [], |_| Ok(()))).await?;
        disk_space::check(&self.path)?;
        self.hear_of_the_writer_within(LONGEST_SILENCE).await
    }
}

impl SqliteStore {
    async fn hear_of_the_writer_within(&self, limit: Duration) -> Result<(), StoreError> {
        let hangs = || StoreError::Unavailable("nothing was heard of the writer for seconds".into());
        let came = self.probes.begun.load(Ordering::Relaxed);
        let asking = timeout(limit, Arc::clone(&self.probes.asking).lock_owned()).await.map_err(|_| hangs())?;
        if self.probes.good.load(Ordering::Relaxed) > came {
            return Ok(());
        }
        // Kept here as well until the answer is told to those who wait.
        let asking = Arc::new(asking);
        let number = self.probes.begun.fetch_add(1, Ordering::Relaxed) + 1;
        match timeout(limit, self.probe(Arc::clone(&asking))).await {
            Ok(Ok(())) => {}
            // A writer with its hands full is alive, as long as it does something.
            Ok(Err(StoreError::Overloaded)) if !self.writer.has_rested_for(limit) => {}
            Ok(Err(StoreError::Overloaded)) | Err(_) => return Err(hangs()),
            Ok(Err(error)) => return Err(error),
        }
        self.probes.good.store(number, Ordering::Relaxed);
        Ok(())
    }

    /// An empty transaction says whether the writer lives; after one that failed, only a real one says more.
    async fn probe(&self, asking: Arc<OwnedMutexGuard<()>>) -> Result<(), StoreError> {
        let is_real = self.writer.is_in_trouble();
        let probe = move |tx: &Transaction<'_>| {
            let _until_this_is_dropped = &asking;
            if is_real {
                // What stays the same is not written: it is changed, and changed back.
                tx.execute("UPDATE outbox_counts SET messages = messages + 1", [])?;
                tx.execute("UPDATE outbox_counts SET messages = messages - 1", [])?;
            }
            Ok(())
        };
        self.writer.write(probe).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::infrastructure::sqlite::{StoreSettings, commits::told_clock::ToldClock, migrations};

    /// A store whose writer does nothing until something is sent, or the sender is dropped.
    async fn stuck() -> (Arc<SqliteStore>, Arc<ToldClock>, mpsc::Sender<()>, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.db");
        migrations::migrate(&path, &StoreSettings::LEAST, folder.path(), "t").unwrap();
        let clock = Arc::new(ToldClock::default());
        let store = SqliteStore::open(&path, &StoreSettings::LEAST, Arc::clone(&clock) as _, Arc::new(|_| ())).unwrap();
        let store = Arc::new(store);
        let (go_on, wait) = mpsc::channel();
        let (began, begins) = tokio::sync::oneshot::channel();
        let (wait, began) = (std::sync::Mutex::new(wait), std::sync::Mutex::new(Some(began)));
        let stuck = Arc::clone(&store);
        tokio::spawn(async move {
            let command = move |_: &Transaction<'_>| {
                began.lock().unwrap().take().map(|began| began.send(()));
                let _ = wait.lock().unwrap().recv();
                Ok::<_, StoreError>(())
            };
            stuck.writer.write(command).await
        });
        begins.await.unwrap();
        (store, clock, go_on, folder)
    }

    #[tokio::test]
    async fn a_writer_of_which_nothing_is_heard_is_not_ready() {
        let (store, _clock, go_on, _folder) = stuck().await;
        let heard = store.hear_of_the_writer_within(Duration::from_millis(20)).await;
        assert!(matches!(heard, Err(StoreError::Unavailable(_))), "{heard:?}");
        drop(go_on);
        store.check().await.unwrap();
    }

    #[tokio::test]
    async fn a_full_queue_is_a_sign_of_life_only_while_something_is_done() {
        let (store, clock, go_on, _folder) = stuck().await;
        let waiting = Arc::clone(&store);
        tokio::spawn(async move { waiting.writer.write(|_| Ok::<_, StoreError>(())).await });
        tokio::task::yield_now().await;
        store.check().await.unwrap();
        clock.pass(LONGEST_SILENCE);
        let heard = store.check().await;
        assert!(matches!(heard, Err(StoreError::Unavailable(_))), "{heard:?}");
        drop(go_on);
    }

    #[tokio::test]
    async fn those_who_ask_together_take_one_place_before_the_writer() {
        let (store, _clock, go_on, _folder) = stuck().await;
        let asking: Vec<_> = (0..100)
            .map(|_| {
                let store = Arc::clone(&store);
                tokio::spawn(async move { store.check().await })
            })
            .collect();
        while store.probes.begun.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
        drop(go_on);
        for asked in asking {
            asked.await.unwrap().unwrap();
        }
        assert!(store.probes.begun.load(Ordering::Relaxed) <= 3, "{:?}", store.probes.begun);
    }

    #[tokio::test]
    async fn who_goes_away_leaves_his_place_before_the_writer_to_nobody() {
        let (store, _clock, go_on, _folder) = stuck().await;
        for _ in 0..3 {
            timeout(Duration::from_millis(20), store.check()).await.unwrap_err();
        }
        assert_eq!(store.probes.begun.load(Ordering::Relaxed), 1);
        drop(go_on);
        store.check().await.unwrap();
    }
}
