//! The parts of a list: which table or index leads through each, and which keys it has.

use std::ops::Range;

use rusqlite::Connection;

use super::super::{
    rows,
    search_index::{self, Damage},
};
use crate::application::ports::{CustomerOrder, CustomerQuery};

/// None is below 0, and until the year 6429 none is the last number.
pub(super) const ALL_KEYS: Range<i64> = 0..i64::MAX;

/// A part of a list.
pub(super) struct Part {
    pub(super) source: Source,
    pub(super) keys: Range<i64>,
}

/// Which table or index leads, in the order of the key.
pub(super) enum Source {
    /// The customers themselves; or the one customer whose address, or key of the team's own, is asked for.
    Customers,
    /// Those whose address is proven, or is not.
    ByProof(bool),
    /// Those with a note.
    ByNote(String, String),
    /// Those that the search index finds by an expression.
    Index(String),
    /// Those whose ids are of a later time than their own.
    Ahead,
}

/// How those whose ids are ahead of their time are found by whoever asks who was created before a moment.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ahead {
    /// By an index of their own.
    Apart,
    /// Among all.
    AmongAll,
}

/// Whether a query is for one customer, whom an index finds.
pub(super) fn is_for_one(query: &CustomerQuery) -> bool {
    query.email.is_some() || query.external_id.is_some()
}

/// Whether a list bounded by time has more than so many customers in its way whose ids are ahead of their time.
pub(super) fn are_more_ahead(than: usize, db: &Connection, query: &CustomerQuery) -> rusqlite::Result<bool> {
    const AHEAD: &str = "SELECT 1 FROM customers INDEXED BY customers_ahead \
        WHERE created_at < (id >> 16) * 1000 AND id >= ?1 AND id < ?2";
    let since = query.created_after.map(rows::first_key);
    let from = since.or_else(|| query.created_before.map(rows::first_key_up));
    let Some(from) = from.filter(|_| !is_for_one(query)) else { return Ok(false) };
    let keys = both(&behind_the_cursor(query), &(from..ALL_KEYS.end));
    let mut ahead = db.prepare_cached(AHEAD)?;
    let mut ahead = ahead.query([keys.start, keys.end])?;
    for _ in 0..=than {
        if ahead.next()?.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The parts to read one after the other, in the order of the key. The search index is left out where it is damaged or
/// empty, and those who wait for it are a part of their own.
///
/// An id is never of an earlier time than its customer, and hardly ever of a later one. `ahead` tells whether those are a
/// part of their own, or so many that all are to be looked at instead.
pub(super) fn parts(
    db: &Connection,
    query: &CustomerQuery,
    damage: &Damage,
    ahead: Ahead,
) -> rusqlite::Result<Vec<Part>> {
    let since = query.created_after.map_or(ALL_KEYS.start, rows::first_key);
    let keys = both(&behind_the_cursor(query), &(since..ALL_KEYS.end));
    if is_for_one(query) {
        return Ok(vec![Part { source: Source::Customers, keys }]);
    }
    let mut newest_first = Vec::new();
    let mut put = |source, own: Range<i64>| newest_first.push(Part { source, keys: both(&keys, &own) });
    let until = query.created_before.filter(|_| ahead == Ahead::Apart).map_or(ALL_KEYS.end, rows::first_key_up);
    if until < ALL_KEYS.end {
        put(Source::Ahead, until..ALL_KEYS.end);
    }
    match &query.search {
        None => put(Source::of(query), ALL_KEYS.start..until),
        Some(search) => {
            let mark = if damage.is_noted() { 0 } else { search_index::mark(db)? };
            let unindexed = mark.saturating_add(1);
            put(Source::Customers, unindexed..until);
            if mark > 0 {
                // Should the index reach beyond its mark, nobody is to be found twice.
                put(Source::Index(search_index::expression(search)), ALL_KEYS.start..until.min(unindexed));
            }
        }
    }
    if query.order == CustomerOrder::OldestFirst {
        newest_first.reverse();
    }
    Ok(newest_first)
}

impl Source {
    fn of(query: &CustomerQuery) -> Self {
        match (query.metadata.first(), query.verified) {
            (Some((key, value)), _) => Self::ByNote(key.clone(), value.clone()),
            (None, Some(verified)) => Self::ByProof(verified),
            (None, None) => Self::Customers,
        }
    }
}

fn behind_the_cursor(query: &CustomerQuery) -> Range<i64> {
    match (query.order, query.after.map(u64::cast_signed)) {
        (_, None) => ALL_KEYS,
        (CustomerOrder::NewestFirst, Some(last)) => ALL_KEYS.start..last,
        (CustomerOrder::OldestFirst, Some(last)) => last.saturating_add(1)..ALL_KEYS.end,
    }
}

/// The keys that are in both ranges.
fn both(one: &Range<i64>, other: &Range<i64>) -> Range<i64> {
    one.start.max(other.start)..one.end.min(other.end)
}
