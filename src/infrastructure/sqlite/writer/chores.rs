//! What the writer does when nobody waits, or when it cannot wait any longer: it brings the search index up to date.

use super::{
    super::{commits::Commits, search_index},
    statements::Execute,
    transaction::Transaction,
};

/// So many parts of the index may be filled before they are merged, where there is more to fill.
const MERGED_AFTER: u32 = 4;

/// So many, where registrations do not let the writer rest; with so many again, it merges twice for each part it fills,
/// and so on: an index of FTS5 has at most 2,000 parts, and how much there is to merge depends on what people are called.
const MERGED_UNDER_PRESSURE: u32 = 64;

/// What is left to do. A step that fails is tried again after the next registration: a search finds everybody all the
/// same.
pub(super) struct Chores<'a> {
    statements: &'a dyn Execute,
    commits: &'a Commits,
    /// How many customers a step indexes.
    at_once: usize,
    /// How many customers may wait to be indexed before registrations wait for it.
    longest_tail: usize,
    /// How many customers wait to be indexed; more may be known only to the mark.
    unindexed: usize,
    /// How many parts of the index were filled since it was last merged as far as can be.
    unmerged: u32,
    /// How many merges are due for the last part that was filled under pressure.
    owed_merges: u32,
    /// Whether the last step failed, and nobody was registered since.
    has_failed: bool,
}

impl<'a> Chores<'a> {
    pub(super) fn begin(statements: &'a dyn Execute, commits: &'a Commits) -> Self {
        let unindexed = search_index::has_tail(statements.db()).map_or(0, usize::from);
        Self {
            statements,
            commits,
            at_once: search_index::STEP,
            longest_tail: search_index::LONGEST_TAIL,
            unindexed,
            // Parts may be left from the last time.
            unmerged: MERGED_AFTER,
            owed_merges: 0,
            has_failed: false,
        }
    }

    /// So many more customers wait to be indexed.
    pub(super) fn registered(&mut self, customers: usize) {
        self.unindexed += customers;
        self.has_failed &= customers == 0;
    }

    pub(super) const fn are_left(&self) -> bool {
        !self.has_failed && (self.unindexed > 0 || self.unmerged > 0)
    }

    /// Whether they have to be done even while somebody waits.
    pub(super) const fn are_pressing(&self) -> bool {
        self.unindexed > self.longest_tail || self.owed_merges > 0
    }

    /// Does a little, as long as a command may be kept waiting.
    pub(super) fn step(&mut self) {
        let commits = self.commits;
        let done = if self.owed_merges > 0 {
            self.owed_merges -= 1;
            commits.around(|| self.merge())
        } else if self.are_pressing() {
            let filled = commits.around(|| self.fill());
            self.owed_merges = self.unmerged / MERGED_UNDER_PRESSURE;
            filled
        } else if self.unindexed == 0 || self.unmerged >= MERGED_AFTER {
            commits.around(|| self.merge())
        } else {
            commits.around(|| self.fill())
        };
        if let Err(error) = done {
            tracing::warn!(%error, "the search index could not be kept up");
            // It may be that it has too many parts to take another: next time they are merged first.
            (self.unindexed, self.unmerged, self.owed_merges, self.has_failed) = (0, MERGED_AFTER, 0, true);
        }
    }

    fn fill(&mut self) -> rusqlite::Result<()> {
        let transaction = Transaction::begin(self.statements)?;
        let filled = search_index::fill(&transaction, self.at_once)?;
        transaction.commit()?;
        (self.unindexed, self.unmerged) = match filled {
            0 => (0, self.unmerged),
            _ => (self.unindexed.saturating_sub(filled).max(1), self.unmerged + 1),
        };
        Ok(())
    }

    fn merge(&mut self) -> rusqlite::Result<()> {
        let transaction = Transaction::begin(self.statements)?;
        let may_be_more = search_index::merge(&transaction)?;
        transaction.commit()?;
        if !may_be_more {
            (self.unmerged, self.owed_merges) = (0, 0);
        }
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

    /// Two thousand parts are all that an index of FTS5 can have: with one more it takes nobody any more.
    #[test]
    fn however_long_registrations_press_the_index_takes_all_of_them() {
        let folder = tempfile::tempdir().unwrap();
        let db = roll(folder.path());
        let (statements, commits) = (Statements::of(&db), Commits::by(Arc::new(ToldClock::default())));
        // Merged at leisure, some parts are larger than others; of these no merge of all that are equal gets hold.
        register(&db, 1..100);
        let mut chores = Chores { at_once: 1, ..Chores::begin(&statements, &commits) };
        while chores.are_left() {
            chores.step();
        }
        register(&db, 100..3_000);
        chores.longest_tail = 0;
        chores.registered(2_900);
        while chores.are_pressing() {
            chores.step();
        }
        assert!(!search_index::has_tail(&db).unwrap());
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
                search_index::merge(&transaction)?;
            }
            transaction.commit()
        };
        let refused = (1..3_000).find_map(|customer| add_part(customer).err());
        assert_eq!(refused.unwrap().sqlite_error_code(), Some(rusqlite::ErrorCode::DiskFull));
        assert!(search_index::has_tail(&db).unwrap());
        let mut chores = Chores::begin(&statements, &commits);
        while chores.are_left() {
            chores.step();
        }
        assert!(!search_index::has_tail(&db).unwrap());
    }
}
