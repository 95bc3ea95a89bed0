//! Who has a turn, and when nobody has.

use rusqlite::Connection;

use super::*;
use crate::infrastructure::sqlite::{commits::told_clock::ToldClock, connection};

const LONG: &str = "INSERT INTO t VALUES (zeroblob(1048576))";

#[tokio::test]
async fn who_would_wait_behind_too_many_is_sent_away_at_once() {
    let commits = Arc::new(Commits::by(Arc::new(ToldClock::default())));
    let turns = Arc::new(Turns::new(1, Path::new("x.db"), commits));
    let ever = Duration::from_hours(1);
    let turn = turns.take(ever).await.unwrap();
    let waiting: Vec<_> = (0..MOST_WAITING)
        .map(|_| {
            let turns = Arc::clone(&turns);
            tokio::spawn(async move { turns.take(ever).await })
        })
        .collect();
    while turns.waiting.available_permits() > 0 {
        tokio::task::yield_now().await;
    }
    assert!(matches!(turns.take(ever).await, Err(StoreError::OutOfTime)));
    drop(turn);
    for waiting in waiting {
        drop(waiting.await.unwrap().unwrap());
    }
    assert!(turns.take(ever).await.is_ok());
}

#[tokio::test]
async fn scans_that_overlap_make_room_for_the_wal_to_begin_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.db");
    let writer = connection::open_to_write(&path, Duration::ZERO, false).unwrap();
    writer.execute("CREATE TABLE t (b BLOB) STRICT", []).unwrap();
    let commits = Arc::new(Commits::by(Arc::new(ToldClock::default())));
    let turns = Arc::new(Turns::new(2, &path, Arc::clone(&commits)));
    let wal = || std::fs::metadata(folder.path().join("x.db-wal")).unwrap().len();

    let turn = turns.take(LONGEST_GAP).await.unwrap();
    let scanning = Connection::open(&path).unwrap();
    let snapshot = scanning.unchecked_transaction().unwrap();
    snapshot.query_row("SELECT count(*) FROM t", [], |_| Ok(())).unwrap();
    while wal() <= LARGEST_RESTING_WAL.unsigned_abs() {
        turns.part_if_needed();
        assert!(turns.take(LONGEST_GAP).await.is_ok(), "as long as it is not too long there are turns");
        commits.around(|| writer.execute(LONG, [])).unwrap();
    }

    turns.part_if_needed();
    tokio::task::yield_now().await;
    let next = turns.take(Duration::from_millis(10)).await;
    assert!(matches!(next, Err(StoreError::OutOfTime)), "though one of two turns is free");
    drop((snapshot, turn));
    let (next, ()) = tokio::join!(turns.take(10 * LONGEST_GAP), async {
        for _ in 0..3 {
            tokio::task::yield_now().await;
            commits.around(|| writer.execute("INSERT INTO t VALUES (x'')", [])).unwrap();
        }
    });
    drop(next.unwrap());
    assert!(wal() <= LARGEST_RESTING_WAL.unsigned_abs(), "{}", wal());
}
