//! What reads that come together may see, and what they leave behind.

use std::path::PathBuf;

use tempfile::TempDir;

use super::*;
use crate::{
    application::ports::StoreError,
    infrastructure::sqlite::{StoreSettings, commits::told_clock::ToldClock, connection, readers::Readers},
};

struct Stage {
    readers: Readers,
    commits: Arc<Commits>,
    clock: Arc<ToldClock>,
    path: PathBuf,
    _folder: TempDir,
}

impl Stage {
    /// With a table of nothing, and after a while without commits.
    fn at_rest() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.db");
        // A second reader would be opened behind the scenes, and look at the database for a moment.
        let settings = StoreSettings::LEAST;
        let clock = Arc::new(ToldClock::default());
        let commits = Arc::new(Commits::by(Arc::clone(&clock) as _));
        let writing = connection::open_to_write(&path, settings.busy_timeout, false).unwrap();
        writing.execute("CREATE TABLE t (n INTEGER) STRICT", []).unwrap();
        let readers = Readers::open(&path, &settings, Arc::clone(&commits)).unwrap();
        let stage = Self { readers, commits, clock, path, _folder: folder };
        stage.clock.pass(REST);
        stage
    }

    fn outsider(&self) -> Connection {
        let db = connection::open_to_write(&self.path, Duration::ZERO, false).unwrap();
        // What it commits stays in the WAL.
        db.pragma_update(None, "wal_autocheckpoint", 0).unwrap();
        db
    }

    async fn rows(&self) -> i64 {
        self.readers
            .read_together(|db| db.prepare_cached("SELECT count(*) FROM t")?.query_row([], |row| row.get(0)))
            .await
            .unwrap()
    }
}

fn insert(outsider: &Connection) {
    outsider.execute("INSERT INTO t VALUES (1)", []).unwrap();
}

/// Whether a snapshot keeps the WAL from beginning anew.
fn is_held_up(outsider: &Connection) -> bool {
    outsider.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).unwrap()
}

/// Lets everybody have a turn who is ready for one.
async fn until_all_had_their_turn() {
    for _ in 0..8 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn reads_of_a_burst_share_a_snapshot_and_the_next_burst_sees_what_is_new() {
    let stage = Stage::at_rest();
    let outsider = stage.outsider();
    assert_eq!(stage.rows().await, 0);
    insert(&outsider);
    assert_eq!(stage.rows().await, 0);
    until_all_had_their_turn().await;
    assert_eq!(stage.rows().await, 1);
}

#[tokio::test]
async fn what_this_program_commits_is_seen_at_once() {
    let stage = Stage::at_rest();
    let outsider = stage.outsider();
    assert_eq!(stage.rows().await, 0);
    insert(&outsider);
    stage.commits.around(|| ());
    assert_eq!(stage.rows().await, 1);
}

#[tokio::test]
async fn a_burst_is_over_before_a_commit_begins_and_none_begins_during_it() {
    let stage = Stage::at_rest();
    let outsider = stage.outsider();
    insert(&outsider);
    stage.rows().await;
    assert!(is_held_up(&outsider));
    stage.commits.around(|| {
        assert!(stage.readers.bursts.read(|_| Ok(())).is_err(), "there was a burst");
        assert!(!is_held_up(&outsider));
    });
}

#[tokio::test]
async fn while_commits_follow_each_other_each_read_has_a_snapshot_of_its_own() {
    let stage = Stage::at_rest();
    let outsider = stage.outsider();
    stage.commits.around(|| ());
    for rows in 0..3 {
        assert_eq!(stage.rows().await, rows);
        assert!(!is_held_up(&outsider));
        insert(&outsider);
        stage.clock.pass(REST / 4);
    }
}

#[tokio::test]
async fn a_burst_that_does_not_end_by_itself_is_ended() {
    let stage = Stage::at_rest();
    let outsider = stage.outsider();
    assert_eq!(stage.rows().await, 0);
    insert(&outsider);
    for _ in 1..MOST_READS {
        assert_eq!(stage.rows().await, 0);
    }
    assert_eq!(stage.rows().await, 1);
}

#[tokio::test]
async fn the_log_of_writes_can_begin_anew_when_a_burst_is_over() {
    let stage = Stage::at_rest();
    let outsider = stage.outsider();
    insert(&outsider);
    stage.rows().await;
    assert!(is_held_up(&outsider));
    until_all_had_their_turn().await;
    assert!(!is_held_up(&outsider));
}

#[tokio::test]
async fn a_read_that_fails_or_panics_leaves_no_snapshot_behind() {
    let stage = Stage::at_rest();
    let outsider = stage.outsider();
    insert(&outsider);
    stage.rows().await;
    let failed: Result<usize, StoreError> = stage.readers.read_together(|db| db.execute("nonsense", [])).await;
    assert!(failed.is_err());
    assert!(!is_held_up(&outsider));

    let readers = stage.readers.clone();
    let bug = async move { readers.read_together(|_| -> rusqlite::Result<()> { panic!("a bug") }).await };
    assert!(tokio::spawn(bug).await.unwrap_err().is_panic());
    until_all_had_their_turn().await;
    assert!(!is_held_up(&outsider));
    insert(&outsider);
    assert_eq!(stage.rows().await, 2);
}

#[test]
fn a_thread_that_is_to_end_a_burst_does_not_stand_still_behind_its_read() {
    let place = Place::default();
    let reading = place.lock().unwrap();
    assert!(!is_ended(&place));
    drop(reading);
    assert!(is_ended(&place));
}
