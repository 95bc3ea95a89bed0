//! What the writer does when nobody waits, or when it cannot wait any longer: it brings the search index up to date.

use std::time::Duration;

use super::{
    super::{commits::Commits, search_index},
    statements::Execute,
    transaction::Transaction,
};

/// So many pages of the index are merged for each that is filled. FTS5 merges parts from level to level, all together that
/// are on one when a merge of them begins: the more there are, the more go together. With two for each, parts of names
/// that have hardly a run of three in common were made faster than merged.
const MERGED_FOR_EACH_FILLED: i64 = 3;

/// So many pages are merged at once, where no list of theirs is longer: some milliseconds.
const MERGED_AT_ONCE: i64 = 32;

/// Filling, or merging, is left alone for so long after it failed: a search finds everybody all the same, if the index can
/// be read at all.
const REST_AFTER_FAILURE: Duration = Duration::from_secs(10);

/// After so long without a command the writer turns to its chores: longer than who registers one after the other takes.
const IDLE_AFTER: Duration = Duration::from_millis(20);

/// After so long, if that many customers wait to be indexed; or else some dozens of registrations a second, evenly spread,
/// would let all of them wait. Whoever registers as fast as he is answered is back before.
const IDLE_AFTER_IF_MANY_WAIT: Duration = Duration::from_millis(1);
const MANY: usize = 512;

/// What is left to do.
pub(super) struct Chores<'a> {
    statements: &'a dyn Execute,
    commits: &'a Commits,
    /// How many bytes of text a step indexes.
    bytes_at_once: usize,
    /// How many customers may wait to be indexed before registrations wait for it.
    longest_tail: usize,
    /// How many customers wait to be indexed, at the most, as far as is known.
    unindexed: usize,
    /// Whether there may be parts of the index to be merged.
    may_merge: bool,
    /// How many pages are to be merged in return for those that were filled; less than none, if more were.
    pages_due: i64,
    /// Until when nothing is filled, by the monotonic clock, since that failed the last time.
    no_filling_until: Duration,
    /// The same of merging.
    no_merging_until: Duration,
    /// How long a registration waits for other programs; chores do not.
    busy_timeout: Duration,
}

impl<'a> Chores<'a> {
    pub(super) fn begin(statements: &'a dyn Execute, commits: &'a Commits) -> Self {
        let longest_tail = search_index::LONGEST_TAIL;
        let has_tail = search_index::has_tail(statements.db()).unwrap_or(true);
        let busy_timeout: u32 =
            statements.db().pragma_query_value(None, "busy_timeout", |row| row.get(0)).unwrap_or_default();
        Self {
            statements,
            commits,
            bytes_at_once: search_index::STEP_BYTES,
            longest_tail,
            // To count them would take too long.
            unindexed: if has_tail { longest_tail } else { 0 },
            // Parts may be left from the last time, and what was due then is forgotten.
            may_merge: true,
            pages_due: MERGED_AT_ONCE,
            no_filling_until: Duration::ZERO,
            no_merging_until: Duration::ZERO,
            busy_timeout: Duration::from_millis(busy_timeout.into()),
        }
    }

    pub(super) const fn are_left(&self) -> bool {
        self.unindexed > 0 || self.may_merge
    }

    /// How long to wait for a command before the first step.
    pub(super) fn patience(&self) -> Duration {
        let patience = if self.unindexed >= MANY { IDLE_AFTER_IF_MANY_WAIT } else { IDLE_AFTER };
        patience.max(self.rest())
    }

    /// How long nothing that is left is to be tried.
    pub(super) fn rest(&self) -> Duration {
        let filling = (self.unindexed > 0).then_some(self.no_filling_until);
        let merging = self.may_merge.then_some(self.no_merging_until);
        let until = filling.into_iter().chain(merging).min().unwrap_or_default();
        until.saturating_sub(self.commits.time())
    }

    /// Does a little, as long as a command may be kept waiting.
    pub(super) fn step(&mut self) {
        if self.can_fill() && !(self.is_merge_due() && self.can_merge()) {
            self.fill();
        } else if self.can_merge() {
            self.merge(MERGED_AT_ONCE);
        }
    }

    /// Does what cannot wait until nobody waits, after so many more customers were put on the roll: half of the pages that
    /// are due are merged, so that they never come to more than those of two groups; and of the tail, what is too long is
    /// filled, twice as many as came at the most.
    pub(super) fn keep_up(&mut self, registered: usize) {
        self.unindexed += registered;
        self.may_merge |= registered > 0;
        if self.is_merge_due() && self.can_merge() {
            self.merge(MERGED_AT_ONCE.max(self.pages_due / 2));
        }
        let may_wait = self.longest_tail.max(self.unindexed.saturating_sub(2 * registered));
        while self.unindexed > may_wait && self.can_fill() {
            self.fill();
        }
    }

    const fn is_merge_due(&self) -> bool {
        self.pages_due >= MERGED_AT_ONCE
    }

    fn can_fill(&self) -> bool {
        self.unindexed > 0 && self.no_filling_until <= self.commits.time()
    }

    fn can_merge(&self) -> bool {
        self.may_merge && self.no_merging_until <= self.commits.time()
    }

    fn fill(&mut self) {
        match self.attempt(Self::try_to_fill) {
            Ok((filled, pages)) => {
                self.unindexed =
                    if filled.reached_end { 0 } else { self.unindexed.saturating_sub(filled.customers).max(1) };
                self.pages_due += MERGED_FOR_EACH_FILLED * pages;
                self.may_merge |= filled.customers > 0;
            }
            Err(error) => {
                self.no_filling_until = self.after_failure(&error);
                // It may be that merging helps.
                self.pages_due = self.pages_due.max(MERGED_AT_ONCE);
            }
        }
    }

    fn merge(&mut self, pages: i64) {
        match self.attempt(|chores| chores.try_to_merge(pages)) {
            Ok((may_merge, written)) => {
                self.may_merge = may_merge;
                self.pages_due = if may_merge { self.pages_due - written.max(pages) } else { 0 };
            }
            Err(error) => self.no_merging_until = self.after_failure(&error),
        }
    }

    /// Takes a step without waiting for other programs, since a command may wait for it.
    fn attempt<T>(&self, step: impl FnOnce(&Self) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
        let db = self.statements.db();
        db.busy_timeout(Duration::ZERO)?;
        let outcome = self.commits.around(|| step(self));
        db.busy_timeout(self.busy_timeout)?;
        outcome
    }

    /// Tells of a failure. Returns when to try again.
    fn after_failure(&self, error: &rusqlite::Error) -> Duration {
        tracing::warn!(%error, "the search index could not be kept up; it is tried again");
        self.commits.time() + REST_AFTER_FAILURE
    }

    /// Returns what was filled and how many pages of the index it came to, about.
    fn try_to_fill(&self) -> rusqlite::Result<(search_index::Filled, i64)> {
        let transaction = Transaction::begin(self.statements)?;
        let filled = search_index::fill(&transaction, self.bytes_at_once)?;
        // Every customer is a change, and every page two: itself and its entry in the list of pages.
        let changes = transaction.commit()?.map_or(0, |effects| effects.changes);
        let pages = changes.saturating_sub(filled.customers as u64) / 2;
        Ok((filled, i64::try_from(pages).unwrap_or(i64::MAX)))
    }

    /// Returns whether there may be more to merge and how many pages were written, about.
    fn try_to_merge(&self, pages: i64) -> rusqlite::Result<(bool, i64)> {
        let transaction = Transaction::begin(self.statements)?;
        let may_merge = search_index::merge(&transaction, pages)?;
        // As a page is written with its entry, so are about as many deleted that it replaces.
        let pages = transaction.commit()?.map_or(0, |effects| effects.changes / 4);
        Ok((may_merge, i64::try_from(pages).unwrap_or(i64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use rusqlite::{Connection, config::DbConfig};
    use tempfile::TempDir;

    use super::*;
    use crate::{
        application::ports::Clock,
        infrastructure::sqlite::{
            StoreSettings, commits::told_clock::ToldClock, connection, migrations, writer::statements::Statements,
        },
    };

    fn roll() -> (Connection, TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rollbook.db");
        migrations::migrate(&path, &StoreSettings::LEAST, folder.path(), "t").unwrap();
        let db = connection::open_to_write(&path, Duration::ZERO, false).unwrap();
        db.pragma_update(None, "synchronous", 0).unwrap();
        (db, folder)
    }

    fn register(db: &Connection, customers: std::ops::Range<i64>) {
        let all = "WITH RECURSIVE n (n) AS (SELECT ?1 UNION ALL SELECT n + 1 FROM n WHERE n + 1 < ?2)
            INSERT INTO customers (id, id_tail, name, email, email_canonical, metadata, created_at, updated_at, version,
                steps, proof, proof_state, proof_attempts)
            SELECT n, 0, 'Ada ' || n, n || '@example.org', n || '@example.org', '{}', 0, 0, 1, 1, 1, 'queued', 0 FROM n";
        db.execute(all, (customers.start, customers.end)).unwrap();
    }

    fn commits() -> Commits {
        Commits::by(Arc::new(ToldClock::default()))
    }

    fn finish(chores: &mut Chores<'_>) {
        while chores.are_left() {
            chores.step();
        }
    }

    fn tail(db: &Connection) -> i64 {
        let count = "SELECT count(*) FROM customers WHERE id > (SELECT indexed_to FROM customers_search_mark)";
        db.query_row(count, [], |row| row.get(0)).unwrap()
    }

    /// How many parts the index has. The upper bits of a page's key number its part (`FTS5_SEGMENT_ROWID` of FTS5's source);
    /// below the first of them lie the records of the index as a whole.
    fn parts(db: &Connection) -> i64 {
        let count = "SELECT count(DISTINCT id >> 37) FROM customers_search_data WHERE id >> 37 > 0";
        db.query_row(count, [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn however_long_registrations_press_few_wait_to_be_indexed_and_the_index_has_few_parts() {
        let (db, _folder) = roll();
        let (statements, commits) = (Statements::of(&db), commits());
        // Each customer makes a part.
        let mut chores = Chores { bytes_at_once: 1, longest_tail: 10, ..Chores::begin(&statements, &commits) };
        for group in 1..1_000 {
            register(&db, 4 * group..4 * (group + 1));
            chores.keep_up(4);
            assert!(tail(&db) <= 10, "{} wait", tail(&db));
            assert!(parts(&db) <= 40, "{} parts", parts(&db));
        }
        finish(&mut chores);
        assert_eq!(tail(&db), 0);
        // Up to three of a size are left alone.
        assert!(parts(&db) <= 3 * 6, "{} parts", parts(&db));
    }

    /// With a part more than it can have an index of FTS5 would take nobody any more, nor be merged.
    #[test]
    fn an_index_that_is_never_merged_takes_everybody_all_the_same() {
        let (db, _folder) = roll();
        let (statements, commits) = (Statements::of(&db), commits());
        register(&db, 1..3_000);
        let mut chores = Chores { bytes_at_once: 1, ..Chores::begin(&statements, &commits) };
        while tail(&db) > 0 {
            chores.try_to_fill().unwrap();
        }
        assert!((500..1_000).contains(&parts(&db)), "{} parts", parts(&db));
        finish(&mut chores);
        assert!(parts(&db) < 16, "{} parts", parts(&db));
    }

    #[test]
    fn what_was_merged_beyond_what_was_due_is_not_due_again() {
        let (db, _folder) = roll();
        let (statements, commits) = (Statements::of(&db), commits());
        // The list of all who have `exa`, say, takes several pages.
        register(&db, 1..20_000);
        let mut chores = Chores::begin(&statements, &commits);
        while tail(&db) > 0 {
            chores.fill();
        }
        chores.pages_due = MERGED_AT_ONCE;
        chores.merge(1);
        assert!(chores.pages_due < MERGED_AT_ONCE - 1, "{} due", chores.pages_due);
    }

    #[test]
    fn those_who_waited_when_the_program_ended_count_when_it_begins_anew() {
        let (db, _folder) = roll();
        let (statements, commits) = (Statements::of(&db), commits());
        register(&db, 1..100);
        let mut chores = Chores::begin(&statements, &commits);
        register(&db, 100..101);
        chores.keep_up(1);
        assert_eq!(tail(&db), 0);
    }

    #[test]
    fn a_step_that_failed_is_tried_again_after_a_while_and_what_was_left_then_little_by_little() {
        let (db, _folder) = roll();
        let clock = Arc::new(ToldClock::default());
        let (statements, commits) = (Statements::of(&db), Commits::by(Arc::clone(&clock) as Arc<dyn Clock>));
        let mut chores = Chores { bytes_at_once: 1, longest_tail: 10, ..Chores::begin(&statements, &commits) };
        finish(&mut chores);
        register(&db, 1..100);
        db.pragma_update(None, "query_only", true).unwrap();
        chores.keep_up(99);
        assert!(!chores.can_fill());
        db.pragma_update(None, "query_only", false).unwrap();
        register(&db, 100..102);
        chores.keep_up(2);
        assert_eq!(tail(&db), 101, "nothing is tried yet");
        clock.pass(REST_AFTER_FAILURE);
        register(&db, 102..104);
        chores.keep_up(2);
        assert_eq!(tail(&db), 99, "as many as came, and as many again");
        finish(&mut chores);
        assert_eq!(tail(&db), 0);
    }

    #[test]
    fn an_index_that_cannot_be_merged_is_filled_all_the_same() {
        let (db, _folder) = roll();
        let (statements, commits) = (Statements::of(&db), commits());
        register(&db, 1..100);
        let mut chores = Chores { bytes_at_once: 1, ..Chores::begin(&statements, &commits) };
        for _ in 0..10 {
            chores.fill();
        }
        // A page in the middle of a part is gone.
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, false).unwrap();
        db.execute("DELETE FROM customers_search_data WHERE id >> 37 = 5", []).unwrap();
        for _ in 0..100 {
            chores.step();
        }
        assert_eq!(tail(&db), 0);
        assert_eq!(chores.rest(), REST_AFTER_FAILURE, "it was tried to merge");
    }

    #[test]
    fn where_many_wait_to_be_indexed_a_short_pause_is_enough() {
        let (db, _folder) = roll();
        let (statements, commits) = (Statements::of(&db), commits());
        let mut chores = Chores::begin(&statements, &commits);
        finish(&mut chores);
        chores.keep_up(MANY - 1);
        assert_eq!(chores.patience(), IDLE_AFTER);
        chores.keep_up(1);
        assert_eq!(chores.patience(), IDLE_AFTER_IF_MANY_WAIT);
    }

    #[test]
    fn no_step_waits_for_another_program_as_a_registration_does() {
        let (db, folder) = roll();
        // With this the test would not end.
        db.busy_timeout(Duration::from_hours(1)).unwrap();
        let (statements, commits) = (Statements::of(&db), commits());
        let mut chores = Chores::begin(&statements, &commits);
        let other = Connection::open(folder.path().join("rollbook.db")).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        chores.step();
        assert_eq!(chores.rest(), REST_AFTER_FAILURE);
        let timeout: u32 = db.pragma_query_value(None, "busy_timeout", |row| row.get(0)).unwrap();
        assert_eq!(timeout, 3_600_000, "as before");
    }
}
