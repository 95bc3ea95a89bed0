//! What the writer does when nobody waits: it brings the search index up to date.

use super::{
    super::{commits::Commits, search_index},
    statements::Execute,
    transaction::Transaction,
};

/// So many parts of the index may be filled before they are merged, where there is more to fill.
const MERGED_AFTER: u32 = 4;

/// What is left to do. A step that fails is tried again after the next registration: a search finds everybody all the
/// same.
pub(super) struct Chores<'a> {
    statements: &'a dyn Execute,
    commits: &'a Commits,
    /// How many customers wait to be indexed; more may be known only to the mark.
    unindexed: usize,
    /// How many parts of the index were filled since it was last merged as far as can be.
    unmerged: u32,
}

impl<'a> Chores<'a> {
    pub(super) fn begin(statements: &'a dyn Execute, commits: &'a Commits) -> Self {
        let unindexed = search_index::has_tail(statements.db()).map_or(0, usize::from);
        Self { statements, commits, unindexed, unmerged: 0 }
    }

    /// So many more customers wait to be indexed.
    pub(super) fn registered(&mut self, customers: usize) {
        self.unindexed += customers;
    }

    pub(super) const fn are_left(&self) -> bool {
        self.unindexed > 0 || self.unmerged > 0
    }

    /// Whether they have to be done even while somebody waits.
    pub(super) const fn are_pressing(&self) -> bool {
        self.unindexed > search_index::LONGEST_TAIL
    }

    /// Does a little, as long as a command may be kept waiting.
    pub(super) fn step(&mut self) {
        let commits = self.commits;
        // While somebody waits the index is only filled: it holds a million customers before its parts are too many.
        let merges = self.unindexed == 0 || (self.unmerged >= MERGED_AFTER && !self.are_pressing());
        let done = commits.around(|| if merges { self.merge() } else { self.fill() });
        if let Err(error) = done {
            tracing::warn!(%error, "the search index could not be kept up");
            (self.unindexed, self.unmerged) = (0, 0);
        }
    }

    fn fill(&mut self) -> rusqlite::Result<()> {
        let transaction = Transaction::begin(self.statements)?;
        let filled = search_index::fill(&transaction)?;
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
            self.unmerged = 0;
        }
        Ok(())
    }
}
