//! How long a scan may take, and what it leaves behind.

use super::*;
use crate::infrastructure::sqlite::commits::told_clock::ToldClock;

/// Counts, in as many steps of SQLite's.
fn count_to(db: &Connection, end: i64) -> rusqlite::Result<i64> {
    let count = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?1) SELECT count(*) FROM n";
    db.query_row(count, [end], |row| row.get(0))
}

fn ask(db: &Connection) -> rusqlite::Result<i64> {
    count_to(db, 10_000)
}

/// Readers of an empty database, whose scans may take no time at all.
fn readers() -> (Readers, tempfile::TempDir) {
    readers_of(&StoreSettings::LEAST)
}

fn readers_of(settings: &StoreSettings) -> (Readers, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.db");
    connection::open_to_write(&path, Duration::ZERO, false).unwrap();
    let commits = Arc::new(Commits::by(Arc::new(ToldClock::default())));
    (Readers::open(&path, settings, commits).unwrap(), folder)
}

#[tokio::test]
async fn a_scan_that_takes_too_long_is_broken_off_and_its_connection_reads_on() {
    let (readers, _folder) = readers();
    assert!(matches!(readers.scan(ask).await, Err(StoreError::OutOfTime)));
    assert_eq!(readers.read(ask).await.unwrap(), 10_000, "of the same connection, which is the only one");
}

#[tokio::test]
async fn a_scan_that_waits_too_long_for_its_turn_is_refused() {
    let (readers, _folder) = readers();
    let _only = readers.scans.take(Duration::from_secs(1)).await.unwrap();
    assert!(matches!(readers.scan(|_| Ok(())).await, Err(StoreError::OutOfTime)));
}

#[tokio::test]
async fn a_scan_that_nobody_waits_for_any_more_leaves_its_turn_to_the_next() {
    // The clock stands still, so that nothing else breaks it off.
    let (readers, _folder) =
        readers_of(&StoreSettings { list_timeout: Duration::from_secs(5), ..StoreSettings::LEAST });
    let (begins, begun) = tokio::sync::oneshot::channel();
    // Takes many times as long as the next one waits for its turn.
    let long = readers.scan(|db| {
        let _ = begins.send(());
        count_to(db, 200_000_000)
    });
    tokio::select! {
        answer = long => panic!("{answer:?}"),
        begins = begun => begins.unwrap(),
    }
    assert_eq!(readers.scan(|_| Ok(1)).await.unwrap(), 1);
}
