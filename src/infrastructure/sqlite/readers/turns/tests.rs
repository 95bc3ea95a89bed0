//! Who has a turn, and when nobody has.

use rusqlite::Connection;

use super::*;
use crate::{
    application::ports::Clock,
    infrastructure::sqlite::{commits::told_clock::ToldClock, connection},
};

#[tokio::test]
async fn who_would_hardly_get_a_turn_in_time_is_sent_away_at_once() {
    let commits = Arc::new(Commits::by(Arc::new(ToldClock::default())));
    let turns = Arc::new(Turns::new(2, Path::new("x.db"), commits));
    let second = Duration::from_secs(1);
    for _ in 0..100 {
        turns.took(second);
    }
    let both = [turns.take(second).await.unwrap(), turns.take(second).await.unwrap()];
    let waiting: Vec<_> = (0..20)
        .map(|_| {
            let turns = Arc::clone(&turns);
            tokio::spawn(async move { turns.take(60 * second).await })
        })
        .collect();
    while turns.waiting.load(Ordering::Relaxed) < 20 {
        tokio::task::yield_now().await;
    }
    assert!(
        matches!(turns.take(9 * second).await, Err(StoreError::OutOfTime)),
        "twenty turns of a second, two at once"
    );
    drop(both);
    for waiting in waiting {
        drop(waiting.await.unwrap().unwrap());
    }
    assert_eq!(turns.waiting.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn what_turns_take_follows_those_that_ended_last() {
    let clock = Arc::new(ToldClock::default());
    let commits = Arc::new(Commits::by(Arc::clone(&clock) as Arc<dyn Clock>));
    let turns = Arc::new(Turns::new(1, Path::new("x.db"), commits));
    let wait = async |time: u64| {
        for _ in 0..100 {
            let _turn = turns.take(Duration::from_secs(1)).await.unwrap();
            clock.pass(Duration::from_millis(time));
        }
        turns.wait_behind(10).as_millis()
    };
    assert!((9_900..=10_100).contains(&wait(1000).await));
    assert!((90..=110).contains(&wait(10).await));
}

/// A database whose WAL grows by a megabyte with each commit, and somebody who reads it.
struct Growing {
    writer: Connection,
    reader: Connection,
    commits: Arc<Commits>,
    turns: Arc<Turns>,
    folder: tempfile::TempDir,
}

impl Growing {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.db");
        let writer = connection::open_to_write(&path, Duration::ZERO, false).unwrap();
        writer.execute("CREATE TABLE t (b BLOB) STRICT", []).unwrap();
        let commits = Arc::new(Commits::by(Arc::new(ToldClock::default())));
        let turns = Arc::new(Turns::new(2, &path, Arc::clone(&commits)));
        let reader = Connection::open(&path).unwrap();
        Self { writer, reader, commits, turns, folder }
    }

    fn read(&self) -> rusqlite::Transaction<'_> {
        let snapshot = self.reader.unchecked_transaction().unwrap();
        snapshot.query_row("SELECT count(*) FROM t", [], |_| Ok(())).unwrap();
        snapshot
    }

    fn commit(&self) {
        self.commits.around(|| self.writer.execute("INSERT INTO t VALUES (zeroblob(1048576))", [])).unwrap();
    }

    fn is_wal_long(&self) -> bool {
        let wal = std::fs::metadata(self.folder.path().join("x.db-wal")).unwrap();
        wal.len() > LARGEST_RESTING_WAL.unsigned_abs()
    }
}

#[tokio::test]
async fn scans_that_overlap_make_room_for_the_wal_to_begin_anew() {
    let roll = Growing::new();
    let turn = roll.turns.take(LONGEST_GAP).await.unwrap();
    let snapshot = roll.read();
    while !roll.is_wal_long() {
        assert!(roll.turns.take(LONGEST_GAP).await.is_ok(), "as long as it is not too long there are turns");
        roll.commit();
    }

    assert!(roll.turns.take(LONGEST_GAP).await.is_ok(), "and one more, with which the gap begins");
    tokio::task::yield_now().await;
    let next = roll.turns.take(Duration::from_millis(10)).await;
    assert!(matches!(next, Err(StoreError::OutOfTime)), "though one of two turns is free");
    drop((snapshot, turn));
    let (next, ()) = tokio::join!(roll.turns.take(10 * LONGEST_GAP), async {
        for _ in 0..3 {
            tokio::task::yield_now().await;
            roll.commit();
        }
    });
    drop(next.unwrap());
    assert!(!roll.is_wal_long());
}

#[tokio::test]
async fn where_something_else_reads_on_there_is_one_gap_in_vain_and_not_one_after_the_other() {
    let roll = Growing::new();
    let _snapshot = roll.read();
    while !roll.is_wal_long() {
        roll.commit();
    }
    assert!(roll.turns.take(LONGEST_GAP).await.is_ok(), "the gap begins with it");
    tokio::task::yield_now().await;
    assert!(roll.turns.take(10 * LONGEST_GAP).await.is_ok(), "once the gap is over");
    tokio::task::yield_now().await;
    assert!(roll.turns.take(Duration::from_millis(10)).await.is_ok());
}
