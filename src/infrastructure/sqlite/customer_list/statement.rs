//! The statement that reads a part of a list.

use rusqlite::{Connection, params_from_iter, types::Value};

use super::{
    super::rows,
    page::{self, IS_FOUND, PUT_ON_PAGE},
    part::{ALL_KEYS, Part, Source},
};
use crate::application::ports::{CustomerOrder, CustomerQuery};

/// A statement in the making.
pub(super) struct Statement {
    sql: String,
    values: Vec<Value>,
}

impl Statement {
    pub(super) fn of(query: &CustomerQuery, Part { source, keys }: Part) -> Self {
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
            Source::Index(expression) => (
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
        // One bound on each side: of several, SQLite begins at the first that it is told. Where there is nothing beyond the
        // last one, to ask each row about it would cost a fiftieth of a page.
        if keys.start > ALL_KEYS.start || query.order == CustomerOrder::OldestFirst {
            statement.and(&format!("{key} >= ?"), keys.start);
        }
        if keys.end < ALL_KEYS.end || query.order == CustomerOrder::NewestFirst {
            statement.and(&format!("{key} < ?"), keys.end);
        }
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
    pub(super) fn fill_page(self, db: &Connection) -> rusqlite::Result<()> {
        let mut statement = db.prepare_cached(&self.sql)?;
        let mut rows = statement.query(params_from_iter(self.values))?;
        while rows.next()?.is_some() && !page::is_full() {}
        Ok(())
    }
}
