//! How long a scan may take, and what it leaves behind.

use super::*;
use crate::infrastructure::sqlite::commits::told_clock::ToldClock;

const LONG: &str =
    "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 10000) SELECT count(*) FROM n";

fn ask(db: &Connection) -> rusqlite::Result<i64> {
    db.query_row(LONG, [], |row| row.get(0))
}

/// Readers of an empty database, whose scans may take no time at all.
fn readers() -> (Readers, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.db");
    connection::open_to_write(&path, Duration::ZERO, false).unwrap();
    let commits = Arc::new(Commits::by(Arc::new(ToldClock::default())));
    (Readers::open(&path, &StoreSettings::LEAST, commits).unwrap(), folder)
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
