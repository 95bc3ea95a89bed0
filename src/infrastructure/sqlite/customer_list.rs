//! Pages of customers: by key, never by offset, so that the ten-thousandth costs what the first one costs.

use rusqlite::{Connection, params_from_iter, types::Value};

use super::{
    rows,
    search_index::{self, Damage},
};
use crate::{
    application::ports::{CustomerOrder, CustomerPage, CustomerQuery, WriteCustomer},
    domain::search::Search,
};

mod page;

pub(super) use page::teach;
use page::{IS_FOUND, PUT_ON_PAGE, Page};

/// Whether many customers may have to be looked at who are not asked for, on the way to those who are.
pub(super) fn looks_at_many(query: &CustomerQuery) -> bool {
    let notes = query.metadata.len();
    query.search.is_some() || query.created_before.is_some() || notes > 1 || (notes == 1 && query.verified.is_some())
}

/// The page that a query asks for.
pub(super) fn page(
    db: &Connection,
    query: &CustomerQuery,
    write: WriteCustomer,
    damage: &Damage,
) -> rusqlite::Result<CustomerPage> {
    Page::of(query, write).filled_by(|| match &query.search {
        None => Statement::of(query, Source::of(query)).fill_page(db),
        Some(search) => search_page(db, query, search, damage),
    })
}

/// The index first or the rows beyond its mark, by the order; both as one transaction sees them. A damaged index is left
/// out, and so is an empty one.
fn search_page(db: &Connection, query: &CustomerQuery, search: &Search, damage: &Damage) -> rusqlite::Result<()> {
    let known = damage.known();
    let snapshot = db.unchecked_transaction()?;
    let mark = if damage.is_noted() { 0 } else { search_index::mark(&snapshot)? };
    let tail = Some(Source::Tail { mark });
    let indexed = (mark > 0).then(|| Source::Index { expression: search_index::expression(search), mark });
    let parts = match query.order {
        CustomerOrder::NewestFirst => [tail, indexed],
        CustomerOrder::OldestFirst => [indexed, tail],
    };
    for part in parts.into_iter().flatten() {
        if !page::is_full() {
            Statement::of(query, part).fill_page(&snapshot).inspect_err(|error| damage.note(known, error))?;
        }
    }
    Ok(())
}

/// Which table or index leads, in the order of the key.
enum Source {
    /// The customers themselves.
    Customers,
    /// Those whose address is proven, or is not.
    ByProof(bool),
    /// Those with a note.
    ByNote(String, String),
    /// The search index, up to its mark.
    Index { expression: String, mark: i64 },
    /// Those beyond the mark of the search index.
    Tail { mark: i64 },
}

impl Source {
    fn of(query: &CustomerQuery) -> Self {
        if query.email.is_some() || query.external_id.is_some() {
            return Self::Customers;
        }
        match (query.metadata.first(), query.verified) {
            (Some((key, value)), _) => Self::ByNote(key.clone(), value.clone()),
            (None, Some(verified)) => Self::ByProof(verified),
            (None, None) => Self::Customers,
        }
    }
}

/// A statement in the making.
struct Statement {
    sql: String,
    values: Vec<Value>,
}

impl Statement {
    fn of(query: &CustomerQuery, source: Source) -> Self {
        let (from, key, condition, values): (&str, &str, &str, Vec<Value>) = match source {
            Source::Customers => ("customers c", "c.id", "", vec![]),
            Source::ByProof(true) => ("customers c INDEXED BY customers_verified", "c.id", "", vec![]),
            Source::ByProof(false) => ("customers c INDEXED BY customers_unverified", "c.id", "", vec![]),
            Source::ByNote(key, value) => (
                "customers_metadata m CROSS JOIN customers c ON c.id = m.customer_id",
                "m.customer_id",
                " AND m.key = ? AND m.value = ?",
                vec![key.into(), value.into()],
            ),
            Source::Index { expression, mark } => (
                "customers_search s CROSS JOIN customers c ON c.id = s.rowid",
                "s.rowid",
                " AND s.customers_search MATCH ? AND s.rowid <= ?",
                vec![expression.into(), mark.into()],
            ),
            Source::Tail { mark } => ("customers c", "c.id", " AND c.id > ?", vec![mark.into()]),
        };
        let (beyond, order, beginning) = match query.order {
            CustomerOrder::NewestFirst => ("<", "DESC", i64::MAX),
            CustomerOrder::OldestFirst => (">", "ASC", 0),
        };
        let mut statement = Self { sql: format!("SELECT {PUT_ON_PAGE} FROM {from} WHERE TRUE{condition}"), values };
        let after = query.after.map_or(beginning, u64::cast_signed);
        statement.and(&format!("{key} {beyond} ?"), after);
        statement.filter(query, key);
        if query.search.is_some() {
            statement.sql.push_str(" AND ");
            statement.sql.push_str(IS_FOUND);
        }
        statement.sql.extend([" ORDER BY ", key, " ", order]);
        statement
    }

    fn filter(&mut self, query: &CustomerQuery, key: &str) {
        if let Some(email) = &query.email {
            self.and("c.email_canonical = ?", email.clone());
        }
        if let Some(external_id) = &query.external_id {
            self.and("c.external_id = ?", external_id.clone());
        }
        if let Some(verified) = query.verified {
            self.sql.push_str(if verified { " AND c.verified_at IS NOT NULL" } else { " AND c.verified_at IS NULL" });
        }
        if let Some(time) = query.created_after {
            // The time in an id is never behind the customer's own, so nobody is left out by beginning there.
            self.and(&format!("{key} >= ?"), rows::first_key_at(time));
            self.and("c.created_at > ?", rows::micros(time));
        }
        if let Some(time) = query.created_before {
            self.and("c.created_at < ?", rows::micros_up(time));
        }
        for (name, value) in &query.metadata {
            let noted =
                "EXISTS (SELECT 1 FROM customers_metadata n WHERE n.key = ? AND n.value = ? AND n.customer_id = c.id)";
            self.and(noted, name.clone());
            self.values.push(value.clone().into());
        }
    }

    fn and(&mut self, condition: &str, value: impl Into<Value>) {
        self.sql.push_str(" AND ");
        self.sql.push_str(condition);
        self.values.push(value.into());
    }

    /// Puts what is found on the page in hand until it is full.
    fn fill_page(self, db: &Connection) -> rusqlite::Result<()> {
        let mut statement = db.prepare_cached(&self.sql)?;
        let mut rows = statement.query(params_from_iter(self.values))?;
        while rows.next()?.is_some() && !page::is_full() {}
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looks_at_many_with(narrow: impl FnOnce(&mut CustomerQuery)) -> bool {
        let mut query = CustomerQuery { limit: 50, ..CustomerQuery::default() };
        narrow(&mut query);
        looks_at_many(&query)
    }

    /// What an index leads to is read where it is asked for; anything else could hold up all others there.
    #[test]
    fn only_lists_that_an_index_leads_through_are_read_among_the_quick_ones() {
        let note = |key: &str| (key.to_owned(), "x".to_owned());
        assert!(!looks_at_many_with(|_| ()));
        assert!(!looks_at_many_with(|query| query.after = Some(7)));
        assert!(!looks_at_many_with(|query| query.email = Some("ada@example.org".into())));
        assert!(!looks_at_many_with(|query| query.verified = Some(false)));
        assert!(!looks_at_many_with(|query| query.created_after = Some(jiff::Timestamp::UNIX_EPOCH)));
        assert!(!looks_at_many_with(|query| query.metadata = vec![note("plan")]));

        assert!(looks_at_many_with(|query| query.search = Some(Search::parse("ada").unwrap())));
        assert!(looks_at_many_with(|query| query.created_before = Some(jiff::Timestamp::UNIX_EPOCH)));
        assert!(looks_at_many_with(|query| query.metadata = vec![note("plan"), note("tier")]));
        assert!(looks_at_many_with(|query| {
            query.metadata = vec![note("plan")];
            query.verified = Some(true);
        }));
    }
}
