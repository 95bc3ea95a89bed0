//! The index behind a search: FTS5 over runs of three characters, filled behind the answers.
//!
//! Indexing is the dearest part of a registration, so no registration waits for it: the writer fills the index when it
//! has nothing else to do, and in between only when more than [`LONGEST_TAIL`] customers wait to be indexed. The mark
//! says up to which key the index reaches; it moves in the transaction that fills, so a crash loses nothing of either.
//!
//! Every filling leaves a part of the index of its own, a search has to look into all of them, and FTS5 takes 2,000 at the
//! most; so they are merged as fast as they are filled, and where there is nothing to fill until there are few. A step is
//! as short as FTS5 lets it be: it writes the list of all who have one run of three without a stop, and of `com`, say, most
//! of the roll has it.
//!
//! An index that is damaged, or was made by other rules, is emptied and filled again: all that it holds, the roll holds too.

use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::{Connection, ErrorCode, ffi};

use super::{rows::halves, writer::Transaction};
use crate::domain::{
    customer::{Customer, Particulars},
    search::{ANYWHERE_FROM, RULES, Search, folded, words},
};

/// How many bytes of text one transaction indexes, those of some 500 customers: a registration that comes meanwhile waits
/// for it, some milliseconds.
pub(super) const STEP_BYTES: usize = 48 << 10;

/// How many customers may come to wait to be indexed before registrations have to wait for it: a search looks through
/// them one by one, a microsecond each, and more where a name is long to fold.
pub(super) const LONGEST_TAIL: usize = 1 << 18;

/// Stands before each word, so that a word's first one or two characters make a run of three with it.
const BEGINNING: char = '\u{2}';

const MARK: &str = "SELECT iif(rules = ?1, indexed_to, 0) FROM customers_search_mark WHERE only = 1";
const UNINDEXED: &str = "SELECT id, name, email FROM customers WHERE id > ?1 ORDER BY id";
const INDEX: &str = "INSERT INTO customers_search (rowid, text) VALUES (?1, ?2)";
const MERGE: &str = "INSERT INTO customers_search (customers_search, rank) VALUES ('merge', ?1)";
const MOVE_MARK: &str = "UPDATE customers_search_mark SET indexed_to = ?1, rules = ?2 WHERE only = 1";
const EMPTY: &str = "INSERT INTO customers_search (customers_search) VALUES ('delete-all')";
/// As if it were of rules that nobody knows.
const DISOWN: &str = "UPDATE customers_search_mark SET rules = -1 WHERE only = 1";
const OF_OTHER_RULES: &str = "SELECT rules <> ?1 AND indexed_to > 0 FROM customers_search_mark WHERE only = 1";

/// Whether the index was found to be of no use, by whoever reads or writes it. An odd number says so; every index that is
/// made anew has the next even one.
#[derive(Debug, Default)]
pub(super) struct Damage(AtomicU64);

impl Damage {
    /// What is known of it, to be remembered before the index is read.
    pub(super) fn known(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    /// Notes the damage if it is what an error tells of: not of an index that was replaced meanwhile, and not of the file,
    /// which nothing here can mend.
    pub(super) fn note(&self, known: u64, error: &rusqlite::Error) {
        if is_corrupt(error) {
            self.set(known);
        }
    }

    /// The same for an error that the writer meets: it may be of keys that are there already, though the index's records say
    /// nothing of them.
    pub(super) fn note_in_writing(&self, error: &rusqlite::Error) {
        if is_corrupt(error) || error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) {
            self.set(self.known());
        }
    }

    /// Notes that the index is of other rules, which is as bad.
    pub(super) fn note_other_rules(&self) {
        self.set(self.known());
    }

    fn set(&self, known: u64) {
        // If that fails, it is noted already, or another index is there.
        let _ = self.0.compare_exchange(known & !1, known | 1, Ordering::AcqRel, Ordering::Acquire);
    }

    pub(super) fn is_noted(&self) -> bool {
        self.known() & 1 == 1
    }

    /// The index was made anew.
    pub(super) fn mended(&self) {
        self.0.store((self.known() | 1) + 1, Ordering::Release);
    }
}

fn is_corrupt(error: &rusqlite::Error) -> bool {
    matches!(error, rusqlite::Error::SqliteFailure(failure, _) if failure.extended_code == ffi::SQLITE_CORRUPT_VTAB)
}

/// The key up to which customers are indexed by the rules of now.
pub(super) fn mark(db: &Connection) -> rusqlite::Result<i64> {
    db.prepare_cached(MARK)?.query_row([RULES], |row| row.get(0))
}

/// Leaves a new customer to be indexed later, or, if the mark has passed it already, indexes it: ids are made before the
/// writer's turn comes, and one that was long on its way there must not be forgotten. A damaged index is going to be filled
/// anew with everybody, which must not be forgotten either.
pub(super) fn register(tx: &Transaction<'_>, customer: &Customer, damage: &Damage) -> rusqlite::Result<()> {
    tx.registered();
    let (id, _) = halves(customer.id.uuid());
    if id > tx.search_mark()? {
        return Ok(());
    }
    if damage.is_noted() {
        tx.execute_kept(DISOWN, &[])?;
        return Ok(());
    }
    let Particulars { name, email, .. } = &customer.particulars;
    let text = indexed_text(name.as_str(), email.typed());
    tx.execute_kept(INDEX, &[&id, &text]).inspect_err(|error| damage.note_in_writing(error))?;
    Ok(())
}

/// Merges so many pages of the index, or more to write a list to its end. Returns whether there may be more to merge.
pub(super) fn merge(tx: &Transaction<'_>, pages: i64) -> rusqlite::Result<bool> {
    let before = tx.total_changes();
    // FTS5 takes a number for a signed one of 32 bits, and a negative one for all there is.
    tx.execute_kept(MERGE, &[&pages.min(i64::from(i32::MAX))])?;
    // The command itself counts as a change (FTS5, section 6.9).
    Ok(tx.total_changes() > before + 1)
}

/// Empties the index; everybody waits to be indexed from then on. It takes half a second for each million customers, since
/// what is deleted is overwritten, so that an erased customer leaves nothing behind.
pub(super) fn begin_anew(tx: &Transaction<'_>) -> rusqlite::Result<()> {
    tx.execute_kept(EMPTY, &[])?;
    tx.execute_kept(MOVE_MARK, &[&0, &RULES])?;
    Ok(())
}

/// What a filling has done.
pub(super) struct Filled {
    pub(super) customers: usize,
    /// Whether nobody is left to be indexed.
    pub(super) reached_end: bool,
}

/// Indexes customers, the first that wait, until it has indexed so many bytes of text. None if what the index holds is of
/// other rules.
pub(super) fn fill(tx: &Transaction<'_>, bytes: usize) -> rusqlite::Result<Option<Filled>> {
    if tx.query_row(OF_OTHER_RULES, [RULES], |row| row.get(0))? {
        return Ok(None);
    }
    let mut unindexed = tx.prepare_cached(UNINDEXED)?;
    let mut rows = unindexed.query([mark(tx)?])?;
    let (mut customers, mut last, mut left) = (0, None, bytes);
    while left > 0
        && let Some(row) = rows.next()?
    {
        let id: i64 = row.get(0)?;
        let text = indexed_text(row.get_ref(1)?.as_str()?, row.get_ref(2)?.as_str()?);
        tx.execute_kept(INDEX, &[&id, &text])?;
        (customers, last, left) = (customers + 1, Some(id), left.saturating_sub(text.len()));
    }
    if let Some(last) = last {
        tx.execute_kept(MOVE_MARK, &[&last, &RULES])?;
    }
    Ok(Some(Filled { customers, reached_end: left > 0 }))
}

/// Whether any customer waits to be indexed.
pub(super) fn has_tail(db: &Connection) -> rusqlite::Result<bool> {
    db.query_row("SELECT EXISTS (SELECT 1 FROM customers WHERE id > ?1)", [mark(db)?], |row| row.get(0))
}

/// What is searched of a customer, in place of whatever a text held before.
pub(super) fn searched_text(text: &mut String, name: &str, email: &str) {
    text.clear();
    text.push_str(name);
    text.push(' ');
    text.push_str(email);
    *text = folded(std::mem::take(text));
}

/// The searched text, and behind it the beginning of each word.
fn indexed_text(name: &str, email: &str) -> String {
    let mut searched = String::new();
    searched_text(&mut searched, name, email);
    let mut text = searched.clone();
    for word in words(&searched) {
        text.extend([BEGINNING, BEGINNING]);
        text.extend(word.chars().take(ANYWHERE_FROM - 1));
    }
    text
}

/// The FTS5 expression that every match of a search fulfils; what fulfils it is still to be looked at, since runs of
/// three may stand apart from each other. Every run costs a walk through all customers who have it, and those between
/// others hardly ever tell any more of them apart: each character of a term is asked for once, as far as threes allow.
pub(super) fn expression(search: &Search) -> String {
    let mut runs: Vec<String> = Vec::new();
    for term in search.terms() {
        let characters: Vec<char> = term.chars().collect();
        if characters.len() < ANYWHERE_FROM {
            let fill = std::iter::repeat_n(BEGINNING, ANYWHERE_FROM - characters.len());
            runs.push(fill.chain(characters).collect());
        } else {
            let last = characters.len() - ANYWHERE_FROM;
            let beginnings = (0..last).step_by(ANYWHERE_FROM).chain([last]);
            runs.extend(beginnings.map(|from| characters.iter().skip(from).take(ANYWHERE_FROM).collect::<String>()));
        }
    }
    runs.sort_unstable();
    runs.dedup();
    let quoted: Vec<String> = runs.iter().map(|run| format!("\"{}\"", run.replace('"', "\"\""))).collect();
    quoted.join(" AND ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_asks_for_each_character_of_a_term_once_as_far_as_threes_allow() {
        for (typed, expected) in [
            ("ada", r#""ada""#),
            ("lovelace", r#""ace" AND "ela" AND "lov""#),
            ("marianne", r#""ian" AND "mar" AND "nne""#),
            ("mari", r#""ari" AND "mar""#),
            ("東京都港区", r#""東京都" AND "都港区""#),
            ("al", "\"\u{2}al\""),
            ("ada adaada", r#""ada""#),
        ] {
            assert_eq!(expression(&Search::parse(typed).unwrap()), expected, "{typed}");
        }
    }
}
