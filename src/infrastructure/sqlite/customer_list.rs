//! Pages of customers: by key, never by offset, so that the ten-thousandth costs what the first one costs.

use std::ops::Range;

use rusqlite::{Connection, params_from_iter, types::Value};

use super::{
    rows,
    search_index::{self, Damage},
};
use crate::application::ports::{CustomerOrder, CustomerPage, CustomerQuery, WriteCustomer};

/// None is below 0, and until the year 6429 none is the last number.
const ALL_KEYS: Range<i64> = 0..i64::MAX;

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
    Page::of(query, write).filled_by(|| {
        if query.search.is_none() && query.created_before.is_none() {
            return Statement::of(query, Source::of(query)).fill_page(db);
        }
        let known = damage.known();
        let snapshot = db.unchecked_transaction()?;
        for source in sources(&snapshot, query, damage)? {
            if !page::is_full() {
                Statement::of(query, source).fill_page(&snapshot).inspect_err(|error| damage.note(known, error))?;
            }
        }
        Ok(())
    })
}

/// Where to look one after the other, in the order of the key, as one transaction sees it. A damaged search index is left
/// out, and so is an empty one.
fn sources(snapshot: &Connection, query: &CustomerQuery, damage: &Damage) -> rusqlite::Result<Vec<Source>> {
    let mut newest_first: Vec<Source> = query.created_before.map(|_| Source::Ahead).into_iter().collect();
    if let Some(search) = &query.search {
        let mark = if damage.is_noted() { 0 } else { search_index::mark(snapshot)? };
        newest_first.push(Source::Tail { mark });
        if mark > 0 {
            newest_first.push(Source::Index { expression: search_index::expression(search), mark });
        }
    } else {
        newest_first.push(Source::of(query));
    }
    if query.order == CustomerOrder::OldestFirst {
        newest_first.reverse();
    }
    Ok(newest_first)
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
    /// Those whose ids are of a later time than their own, since a clock was set back.
    Ahead,
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

    /// The keys that are to be read: what the cursor, the times asked for and the source itself leave of all. An id is
    /// never of an earlier time than its customer, and hardly ever of a later one.
    fn keys(&self, query: &CustomerQuery) -> Range<i64> {
        let behind_the_cursor = match (query.order, query.after.map(u64::cast_signed)) {
            (_, None) => ALL_KEYS,
            (CustomerOrder::NewestFirst, Some(last)) => ALL_KEYS.start..last,
            (CustomerOrder::OldestFirst, Some(last)) => last.saturating_add(1)..ALL_KEYS.end,
        };
        let since = query.created_after.map_or(ALL_KEYS.start, rows::first_key_at);
        let until = query.created_before.map_or(ALL_KEYS.end, rows::first_key_from);
        let (of_the_times, own) = match *self {
            Self::Ahead => (since.max(until)..ALL_KEYS.end, ALL_KEYS),
            Self::Index { mark, .. } => (since..until, ALL_KEYS.start..mark.saturating_add(1)),
            Self::Tail { mark } => (since..until, mark.saturating_add(1)..ALL_KEYS.end),
            Self::Customers | Self::ByProof(_) | Self::ByNote(..) => (since..until, ALL_KEYS),
        };
        let both = |one: Range<i64>, other: Range<i64>| one.start.max(other.start)..one.end.min(other.end);
        both(behind_the_cursor, both(of_the_times, own))
    }
}

/// A statement in the making.
struct Statement {
    sql: String,
    values: Vec<Value>,
}

impl Statement {
    fn of(query: &CustomerQuery, source: Source) -> Self {
        let keys = source.keys(query);
        let (from, key, condition, values): (&str, &str, &str, Vec<Value>) = match source {
            Source::Customers | Source::Tail { .. } => ("customers c", "c.id", "", vec![]),
            Source::ByProof(true) => ("customers c INDEXED BY customers_verified", "c.id", "", vec![]),
            Source::ByProof(false) => ("customers c INDEXED BY customers_unverified", "c.id", "", vec![]),
            Source::ByNote(key, value) => (
                "customers_metadata m CROSS JOIN customers c ON c.id = m.customer_id",
                "m.customer_id",
                " AND m.key = ? AND m.value = ?",
                vec![key.into(), value.into()],
            ),
            Source::Index { expression, .. } => (
                "customers_search s CROSS JOIN customers c ON c.id = s.rowid",
                "s.rowid",
                " AND s.customers_search MATCH ?",
                vec![expression.into()],
            ),
            Source::Ahead => {
                ("customers c INDEXED BY customers_ahead", "c.id", " AND c.created_at < (c.id >> 16) * 1000", vec![])
            }
        };
        let mut statement = Self { sql: format!("SELECT {PUT_ON_PAGE} FROM {from} WHERE TRUE{condition}"), values };
        // One bound on each side: of several, SQLite begins at the first that it is told.
        statement.and(&format!("{key} >= ?"), keys.start);
        statement.and(&format!("{key} < ?"), keys.end);
        statement.filter(query);
        if query.search.is_some() {
            statement.sql.push_str(" AND ");
            statement.sql.push_str(IS_FOUND);
        }
        let order = match query.order {
            CustomerOrder::NewestFirst => "DESC",
            CustomerOrder::OldestFirst => "ASC",
        };
        statement.sql.extend([" ORDER BY ", key, " ", order]);
        statement
    }

    fn filter(&mut self, query: &CustomerQuery) {
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
    use std::time::Duration;

    use jiff::Timestamp;

    use super::*;
    use crate::{
        application::ports::CustomerOrder::{NewestFirst, OldestFirst},
        domain::search::Search,
        infrastructure::sqlite::{StoreSettings, connection, migrations},
    };

    /// A customer for each of the first 3,000 milliseconds.
    const ROLL: &str = "WITH RECURSIVE n (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < 2999)
        INSERT INTO customers (id, id_tail, name, email, email_canonical, metadata, created_at, updated_at, version,
            steps, proof, proof_state, proof_attempts, verified_at)
        SELECT n << 16, n, 'Ada ' || n, n || '@example.org', n || '@example.org', '{}', n * 1000, n * 1000, 1, 1, 1,
            'confirmed', 0, 0 FROM n;
        INSERT INTO customers_metadata SELECT 'plan', 'a', id FROM customers";

    fn roll() -> (Connection, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rollbook.db");
        migrations::migrate(&path, &StoreSettings::LEAST, folder.path(), "t").unwrap();
        let db = connection::open_to_write(&path, Duration::ZERO, false).unwrap();
        db.execute_batch(ROLL).unwrap();
        teach(&db).unwrap();
        (db, folder)
    }

    /// The times of a page's customers, which is read in no more steps than some dozen customers take.
    fn read_in_few_steps(db: &Connection, query: &CustomerQuery) -> Vec<u64> {
        let write: WriteCustomer = Box::new(|text, customer| text.extend(customer.id.key().to_le_bytes()));
        db.progress_handler(2_000, Some(|| true)).unwrap();
        let page = page(db, query, write, &Damage::default());
        db.progress_handler(0, None::<fn() -> bool>).unwrap();
        let text = page.unwrap_or_else(|error| panic!("{error}: {query:?}")).text;
        text.chunks_exact(8).map(|key| u64::from_le_bytes(key.try_into().unwrap()) >> 16).collect()
    }

    #[test]
    fn a_page_of_some_time_costs_no_look_at_those_of_another() {
        let (db, _folder) = roll();
        let at = |millisecond| Some(Timestamp::from_millisecond(millisecond).unwrap());
        let narrowings: [fn(&mut CustomerQuery); 4] = [
            |_| (),
            |query| query.verified = Some(true),
            |query| query.metadata = vec![("plan".into(), "a".into())],
            |query| query.search = Some(Search::parse("ada").unwrap()),
        ];
        for narrow in narrowings {
            let read = |order, created_after, created_before, after: Option<u64>| {
                let after = after.map(|millisecond| millisecond << 16);
                let mut query =
                    CustomerQuery { after, order, created_after, created_before, ..CustomerQuery::default() };
                query.limit = 3;
                narrow(&mut query);
                read_in_few_steps(&db, &query)
            };
            assert_eq!(read(NewestFirst, None, at(101), None), [100, 99, 98]);
            assert_eq!(read(NewestFirst, None, at(2_901), Some(102)), [101, 100, 99]);
            assert_eq!(read(OldestFirst, at(2_899), None, None), [2_900, 2_901, 2_902]);
            assert_eq!(read(OldestFirst, at(99), None, Some(2_900)), [2_901, 2_902, 2_903]);
            for order in [NewestFirst, OldestFirst] {
                assert_eq!(read(order, at(2_000), at(2_002), None), [2_001]);
                assert!(read(order, None, at(-7), None).is_empty(), "before 1970");
                assert!(read(order, at(250_000_000_000_000), None, None).is_empty(), "in the year 9892");
            }
        }
    }

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
