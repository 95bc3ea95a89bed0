//! The index behind a search: FTS5 over runs of three characters, filled behind the answers.
//!
//! Indexing is the dearest part of a registration, so no registration waits for it: the writer fills the index when it
//! has nothing else to do, and in between only when more than [`LONGEST_TAIL`] customers wait to be indexed. The mark
//! says up to which key the index reaches; it moves in the transaction that fills, so a crash loses nothing of either.

use rusqlite::{Connection, OptionalExtension};

use super::{rows::halves, writer::Transaction};
use crate::domain::{
    customer::{Customer, Particulars},
    search::{ANYWHERE_FROM, Search, folded, words},
};

/// How many customers one transaction indexes: a registration that comes meanwhile waits for it.
const STEP: usize = 512;

/// How many customers may wait to be indexed before registrations have to wait for it: a search looks through them one
/// by one, in about a microsecond each.
pub(super) const LONGEST_TAIL: usize = 16_384;

/// Stands before each word, so that a word's first one or two characters make a run of three with it.
const BEGINNING: char = '\u{2}';

const MARK: &str = "SELECT indexed_to FROM customers_search_mark WHERE only = 1";
const UNINDEXED: &str = "SELECT id, name, email FROM customers WHERE id > ?1 ORDER BY id LIMIT ?2";
const INDEX: &str = "INSERT INTO customers_search (rowid, text) VALUES (?1, ?2)";
const MOVE_MARK: &str = "UPDATE customers_search_mark SET indexed_to = ?1 WHERE only = 1";

/// The key up to which customers are indexed.
pub(super) fn mark(db: &Connection) -> rusqlite::Result<i64> {
    db.prepare_cached(MARK)?.query_row([], |row| row.get(0))
}

/// Leaves a new customer to be indexed later, or, if the mark has passed it already, indexes it: ids are made before the
/// writer's turn comes, and one that was long on its way there must not be forgotten.
pub(super) fn register(tx: &Transaction<'_>, customer: &Customer) -> rusqlite::Result<()> {
    let (id, _) = halves(customer.id.uuid());
    if id > tx.search_mark()? {
        tx.registered();
        return Ok(());
    }
    let Particulars { name, email, .. } = &customer.particulars;
    tx.prepare_cached(INDEX)?.execute((id, indexed_text(name.as_str(), email.typed())))?;
    Ok(())
}

/// Indexes some customers in a transaction of its own. Returns how many.
pub(super) fn fill(db: &Connection) -> rusqlite::Result<usize> {
    db.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    let filled = fill_step(db).and_then(|filled| db.prepare_cached("COMMIT")?.execute([]).map(|_| filled));
    if filled.is_err() && !db.is_autocommit() {
        db.prepare_cached("ROLLBACK")?.execute([])?;
    }
    filled
}

fn fill_step(db: &Connection) -> rusqlite::Result<usize> {
    let mut unindexed = db.prepare_cached(UNINDEXED)?;
    let mut rows = unindexed.query((mark(db)?, i64::try_from(STEP).unwrap_or(i64::MAX)))?;
    let mut insert = db.prepare_cached(INDEX)?;
    let (mut filled, mut last) = (0, None);
    while let Some(row) = rows.next()? {
        let id: i64 = row.get(0)?;
        insert.execute((id, indexed_text(row.get_ref(1)?.as_str()?, row.get_ref(2)?.as_str()?)))?;
        (filled, last) = (filled + 1, Some(id));
    }
    if let Some(last) = last {
        db.prepare_cached(MOVE_MARK)?.execute([last])?;
    }
    Ok(filled)
}

/// How many customers wait to be indexed, counted up to a bit more than the longest tail.
pub(super) fn tail(db: &Connection) -> rusqlite::Result<usize> {
    let count = "SELECT count(*) FROM (SELECT 1 FROM customers WHERE id > ?1 LIMIT ?2)";
    let most = i64::try_from(LONGEST_TAIL).unwrap_or(i64::MAX).saturating_add(1);
    let tail: Option<i64> = db.query_row(count, (mark(db)?, most), |row| row.get(0)).optional()?;
    Ok(tail.and_then(|tail| usize::try_from(tail).ok()).unwrap_or(0))
}

/// What is searched of a customer.
pub(super) fn searched_text(name: &str, email: &str) -> String {
    let mut text = String::with_capacity(name.len() + email.len() + 1);
    text.push_str(name);
    text.push(' ');
    text.push_str(email);
    folded(&text)
}

/// The searched text, and behind it the beginning of each word on a line of its own.
fn indexed_text(name: &str, email: &str) -> String {
    let searched = searched_text(name, email);
    let mut text = searched.clone();
    for word in words(&searched) {
        text.extend(['\n', BEGINNING, BEGINNING]);
        text.extend(word.chars().take(ANYWHERE_FROM - 1));
    }
    text
}

/// The FTS5 expression that every match of a search fulfils; what fulfils it is still to be looked at, since runs of
/// three may stand apart from each other.
pub(super) fn expression(search: &Search) -> String {
    let mut runs: Vec<String> = Vec::new();
    for term in search.terms() {
        let characters: Vec<char> = term.chars().collect();
        if characters.len() < ANYWHERE_FROM {
            let fill = std::iter::repeat_n(BEGINNING, ANYWHERE_FROM - characters.len());
            runs.push(fill.chain(characters).collect());
        } else {
            runs.extend(characters.windows(ANYWHERE_FROM).map(|run| run.iter().collect::<String>()));
        }
    }
    runs.sort_unstable();
    runs.dedup();
    let quoted: Vec<String> = runs.iter().map(|run| format!("\"{}\"", run.replace('"', "\"\""))).collect();
    quoted.join(" AND ")
}
