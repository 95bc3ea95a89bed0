//! What the writer does when nobody waits, or when it cannot wait any longer: it brings the search index up to date.

use std::time::Duration;

use rusqlite::ErrorCode;

use super::{
    super::{
        commits::Commits,
        search_index::{self, Damage},
    },
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

/// An index that was made anew is left alone for so long if it is found damaged again: then it is the disk's fault.
const REST_AFTER_RENEWAL: Duration = Duration::from_mins(1);

/// The same as after a failure, where another program wrote just then.
const REST_WHILE_LOCKED: Duration = Duration::from_secs(1);

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
    damage: &'a Damage,
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
    /// Until when the index is not made anew.
    no_renewal_until: Duration,
}

impl<'a> Chores<'a> {
    pub(super) fn begin(statements: &'a dyn Execute, commits: &'a Commits, damage: &'a Damage) -> Self {
        let longest_tail = search_index::LONGEST_TAIL;
        let has_tail = search_index::has_tail(statements.db()).unwrap_or(true);
        Self {
            statements,
            commits,
            damage,
            bytes_at_once: search_index::STEP_BYTES,
            longest_tail,
            // To count them would take too long.
            unindexed: if has_tail { longest_tail } else { 0 },
            // Parts may be left from the last time, and what was due then is forgotten.
            may_merge: true,
            pages_due: MERGED_AT_ONCE,
            no_filling_until: Duration::ZERO,
            no_merging_until: Duration::ZERO,
            no_renewal_until: Duration::ZERO,
        }
    }

    pub(super) fn are_left(&self) -> bool {
        self.unindexed > 0 || self.may_merge || self.damage.is_noted()
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
        let until = if self.damage.is_noted() {
            self.no_renewal_until
        } else {
            filling.into_iter().chain(merging).min().unwrap_or_default()
        };
        until.saturating_sub(self.commits.time())
    }

    /// Does a little, as long as a command may be kept waiting.
    pub(super) fn step(&mut self) {
        if self.damage.is_noted() {
            self.begin_anew();
        } else if self.can_fill() && !(self.is_merge_due() && self.can_merge()) {
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
        if self.damage.is_noted() {
            return self.begin_anew();
        }
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
        self.unindexed > 0 && !self.damage.is_noted() && self.no_filling_until <= self.commits.time()
    }

    fn can_merge(&self) -> bool {
        self.may_merge && self.no_merging_until <= self.commits.time()
    }

    fn begin_anew(&mut self) {
        if self.no_renewal_until > self.commits.time() {
            return;
        }
        match self.attempt(Self::try_to_begin_anew) {
            Ok(()) => {
                self.damage.mended();
                self.no_renewal_until = self.commits.time() + REST_AFTER_RENEWAL;
                // To count all would take too long.
                (self.unindexed, self.may_merge, self.pages_due) = (self.longest_tail, false, 0);
                (self.no_filling_until, self.no_merging_until) = (Duration::ZERO, Duration::ZERO);
                tracing::warn!("the search index is made anew; until that is done, searches take longer, or too long");
            }
            Err(error) => self.no_renewal_until = self.after_failure(&error),
        }
    }

    fn fill(&mut self) {
        match self.attempt(Self::try_to_fill) {
            Ok(None) => self.damage.note_other_rules(),
            Ok(Some((filled, pages))) => {
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
        self.statements.db().busy_timeout(Duration::ZERO)?;
        self.commits.around(|| step(self))
    }

    /// Returns when to try again after a failure, and tells of it unless it is only that another program writes just now.
    fn after_failure(&self, error: &rusqlite::Error) -> Duration {
        if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) {
            return self.commits.time() + REST_WHILE_LOCKED;
        }
        self.damage.note_in_writing(error);
        tracing::warn!(%error, "the search index could not be kept up; it is tried again");
        self.commits.time() + REST_AFTER_FAILURE
    }

    fn try_to_begin_anew(&self) -> rusqlite::Result<()> {
        let transaction = Transaction::begin(self.statements)?;
        search_index::begin_anew(&transaction)?;
        transaction.commit()?;
        Ok(())
    }

    /// Returns what was filled and how many pages of the index it came to, about; none if the index is of other rules.
    fn try_to_fill(&self) -> rusqlite::Result<Option<(search_index::Filled, i64)>> {
        let transaction = Transaction::begin(self.statements)?;
        let Some(filled) = search_index::fill(&transaction, self.bytes_at_once)? else { return Ok(None) };
        // Every customer is a change, and every page two: itself and its entry in the list of pages.
        let changes = transaction.commit()?.map_or(0, |effects| effects.changes);
        let pages = changes.saturating_sub(filled.customers as u64) / 2;
        Ok(Some((filled, i64::try_from(pages).unwrap_or(i64::MAX))))
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
mod tests;
