//! What the writer does when nobody waits, or when it cannot wait any longer: it brings the search index up to date.

use super::{
    super::{commits::Commits, search_index},
    statements::Execute,
    transaction::Transaction,
};

/// So many pages of the index are merged for each that is filled. FTS5 merges parts from level to level, always all that
/// have gathered on one: the more there are, the more go together, and so they stay few however large the roll.
const MERGED_FOR_EACH_FILLED: u64 = 2;

/// So many pages are merged at once, which takes some milliseconds.
const MERGED_AT_ONCE: u64 = 32;

/// What is left to do. A step that fails is tried again after the next registration: a search finds everybody all the
/// same.
pub(super) struct Chores<'a> {
    statements: &'a dyn Execute,
    commits: &'a Commits,
    /// How many bytes of what is searched a step indexes.
    at_once: usize,
    /// How many customers may wait to be indexed before registrations wait for it.
    longest_tail: usize,
    /// How many customers wait to be indexed, at the most.
    unindexed: usize,
    /// Whether there may be parts of the index to be merged.
    unmerged: bool,
    /// How many pages are to be merged in return for those that were filled.
    due: u64,
    /// Whether the last step failed, and nobody was registered since.
    has_failed: bool,
}

impl<'a> Chores<'a> {
    pub(super) fn begin(statements: &'a dyn Execute, commits: &'a Commits) -> Self {
        let longest_tail = search_index::LONGEST_TAIL;
        let has_tail = search_index::has_tail(statements.db()).unwrap_or(true);
        Self {
            statements,
            commits,
            at_once: search_index::STEP,
            longest_tail,
            // To count them would take too long.
            unindexed: if has_tail { longest_tail } else { 0 },
            // Parts may be left from the last time, and what was due then is forgotten.
            unmerged: true,
            due: MERGED_AT_ONCE,
            has_failed: false,
        }
    }

    /// So many more customers wait to be indexed.
    pub(super) fn registered(&mut self, customers: usize) {
        self.unindexed += customers;
        self.has_failed &= customers == 0;
    }

    pub(super) const fn are_left(&self) -> bool {
        !self.has_failed && (self.unindexed > 0 || self.unmerged)
    }

    /// Does a little, as long as a command may be kept waiting.
    pub(super) fn step(&mut self) {
        if self.is_merge_due() || self.unindexed == 0 {
            self.attempt(|chores| chores.merge(MERGED_AT_ONCE));
        } else {
            self.attempt(Self::fill);
        }
    }

    /// Does what cannot wait until nobody does: no more customers than the longest tail are left to be indexed, and half
    /// of the merges that are due are made, so that they never come to more than those of two groups.
    pub(super) fn keep_up(&mut self) {
        while self.unindexed > self.longest_tail && !self.has_failed {
            self.attempt(Self::fill);
        }
        if self.is_merge_due() && !self.has_failed {
            self.attempt(|chores| chores.merge(MERGED_AT_ONCE.max(chores.due / 2)));
        }
    }

    const fn is_merge_due(&self) -> bool {
        self.due >= MERGED_AT_ONCE
    }

    fn attempt(&mut self, step: impl FnOnce(&mut Self) -> rusqlite::Result<()>) {
        let commits = self.commits;
        if let Err(error) = commits.around(|| step(self)) {
            tracing::warn!(%error, "the search index could not be kept up");
            self.has_failed = true;
            // It may be that it has too many parts to take another.
            (self.unmerged, self.due) = (true, self.due.max(MERGED_AT_ONCE));
        }
    }

    fn fill(&mut self) -> rusqlite::Result<()> {
        let changes_before = self.statements.db().total_changes();
        let transaction = Transaction::begin(self.statements)?;
        let filled = search_index::fill(&transaction, self.at_once)?;
        transaction.commit()?;
        let changes = self.statements.db().total_changes() - changes_before;
        self.unindexed = if filled.was_all { 0 } else { self.unindexed.saturating_sub(filled.customers).max(1) };
        self.unmerged |= filled.customers > 0;
        self.due += MERGED_FOR_EACH_FILLED * filled.pages(changes);
        Ok(())
    }

    fn merge(&mut self, pages: u64) -> rusqlite::Result<()> {
        let transaction = Transaction::begin(self.statements)?;
        self.unmerged = search_index::merge(&transaction, pages)?;
        transaction.commit()?;
        self.due = if self.unmerged { self.due.saturating_sub(pages) } else { 0 };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{path::Path, sync::Arc, time::Duration};

    use rusqlite::Connection;

    use super::*;
    use crate::infrastructure::sqlite::{
        StoreSettings, commits::told_clock::ToldClock, connection, migrations, writer::statements::Statements,
    };

    fn roll(folder: &Path) -> Connection {
        let path = folder.join("rollbook.db");
        migrations::migrate(&path, &StoreSettings::LEAST, folder, "t").unwrap();
        let db = connection::open_to_write(&path, Duration::ZERO, false).unwrap();
        db.pragma_update(None, "synchronous", 0).unwrap();
        db
    }

    fn register(db: &Connection, customers: std::ops::Range<i64>) {
        let all = "WITH RECURSIVE n (n) AS (SELECT ?1 UNION ALL SELECT n + 1 FROM n WHERE n + 1 < ?2)
            INSERT INTO customers (id, id_tail, name, email, email_canonical, metadata, created_at, updated_at, version,
                steps, proof, proof_state, proof_attempts)
            SELECT n, 0, 'Ada ' || n, n || '@example.org', n || '@example.org', '{}', 0, 0, 1, 1, 1, 'queued', 0 FROM n";
        db.execute(all, (customers.start, customers.end)).unwrap();
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

    /// Two thousand parts are all that an index of FTS5 can have: with one more it takes nobody any more.
    #[test]
    fn however_long_registrations_press_few_wait_to_be_indexed_and_the_index_has_few_parts() {
        let folder = tempfile::tempdir().unwrap();
        let db = roll(folder.path());
        let (statements, commits) = (Statements::of(&db), Commits::by(Arc::new(ToldClock::default())));
        // Each customer makes a part.
        let mut chores = Chores { at_once: 1, longest_tail: 10, ..Chores::begin(&statements, &commits) };
        for group in 1..1_000 {
            register(&db, 4 * group..4 * (group + 1));
            chores.registered(4);
            chores.keep_up();
            assert!(tail(&db) <= 10, "{} wait", tail(&db));
            assert!(parts(&db) <= 40, "{} parts", parts(&db));
        }
        while chores.are_left() {
            chores.step();
        }
        assert_eq!(tail(&db), 0);
        assert!(parts(&db) < 16, "{} parts", parts(&db));
    }

    #[test]
    fn those_who_waited_when_the_program_ended_count_when_it_begins_anew() {
        let folder = tempfile::tempdir().unwrap();
        let db = roll(folder.path());
        let (statements, commits) = (Statements::of(&db), Commits::by(Arc::new(ToldClock::default())));
        register(&db, 1..100);
        let mut chores = Chores::begin(&statements, &commits);
        register(&db, 100..101);
        chores.registered(1);
        chores.keep_up();
        assert_eq!(tail(&db), 0);
    }

    #[test]
    fn an_index_that_has_too_many_parts_is_merged_before_it_is_filled() {
        let folder = tempfile::tempdir().unwrap();
        let db = roll(folder.path());
        let (statements, commits) = (Statements::of(&db), Commits::by(Arc::new(ToldClock::default())));
        register(&db, 1..3_000);
        // As one left it that merged some of the first, and then never again.
        let add_part = |customer| {
            let transaction = Transaction::begin(&statements)?;
            search_index::fill(&transaction, 1)?;
            if customer < 100 {
                search_index::merge(&transaction, 1)?;
            }
            transaction.commit()
        };
        let refused = (1..3_000).find_map(|customer| add_part(customer).err());
        assert_eq!(refused.unwrap().sqlite_error_code(), Some(rusqlite::ErrorCode::DiskFull));
        let mut chores = Chores::begin(&statements, &commits);
        let mut registered = 3_000;
        while tail(&db) > 0 && registered < 3_100 {
            register(&db, registered..registered + 1);
            chores.registered(1);
            while chores.are_left() {
                chores.step();
            }
            registered += 1;
        }
        assert_eq!(tail(&db), 0);
    }

    #[test]
    fn a_step_that_failed_waits_for_the_next_registration() {
        let folder = tempfile::tempdir().unwrap();
        let db = roll(folder.path());
        let (statements, commits) = (Statements::of(&db), Commits::by(Arc::new(ToldClock::default())));
        register(&db, 1..100);
        let mut chores = Chores { longest_tail: 10, ..Chores::begin(&statements, &commits) };
        chores.registered(99);
        db.pragma_update(None, "query_only", true).unwrap();
        chores.keep_up();
        db.pragma_update(None, "query_only", false).unwrap();
        chores.keep_up();
        assert!(!chores.are_left());
        assert_eq!(tail(&db), 99);
        chores.registered(1);
        chores.keep_up();
        assert_eq!(tail(&db), 0);
    }
}
