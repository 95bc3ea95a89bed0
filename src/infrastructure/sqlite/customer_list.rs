//! Pages of customers: by key, never by offset, so that the ten-thousandth costs what the first one costs.

use rusqlite::{Connection, Row, params_from_iter, types::Value};

use super::{
    rows::{self, Columns},
    search_index,
};
use crate::{
    application::ports::{CustomerOrder, CustomerQuery},
    domain::{
        customer_page::{CustomerPage, Listed},
        ids::CustomerId,
        search::Search,
    },
};

/// The first says whether any of the last six is there: most have none of them, and what a row costs is its columns.
const COLUMNS: &str = "coalesce(c.verified_at, c.pending_email, c.external_id, c.locale, c.proof_last_error, \
    c.proof_next_attempt_at) IS NULL, c.id, c.id_tail, c.name, c.email, c.metadata, c.created_at, c.updated_at, \
    c.proof_state, c.proof_attempts, c.proof_sent_at, c.proof_expires_at, c.version, \
    c.verified_at, c.pending_email, c.external_id, c.locale, c.proof_last_error, c.proof_next_attempt_at";

/// What a search needs to see of a customer, with its key.
const NAME_AND_ADDRESS: &str = "c.id, c.name, c.email";

/// The page that a query asks for.
pub(super) fn page(db: &Connection, query: &CustomerQuery) -> rusqlite::Result<CustomerPage> {
    let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
    let mut page = CustomerPage::with_room_for(limit.min(256));
    match &query.search {
        None => {
            let more_than_asked = format!(" LIMIT {}", u64::from(query.limit) + 1);
            Statement::of(query, Source::of(query)).fill(db, &more_than_asked, &mut page, limit, None)?;
        }
        Some(search) => search_page(db, query, search, &mut page, limit)?,
    }
    Ok(page)
}

/// The index first or the rows beyond its mark, by the order; both as one transaction sees them.
fn search_page(
    db: &Connection,
    query: &CustomerQuery,
    search: &Search,
    page: &mut CustomerPage,
    limit: usize,
) -> rusqlite::Result<()> {
    let snapshot = db.unchecked_transaction()?;
    let mark = search_index::mark(&snapshot)?;
    let indexed = Source::Index { expression: search_index::expression(search), mark };
    let mut parts = [Source::Tail { mark }, indexed];
    if query.order == CustomerOrder::OldestFirst {
        parts.reverse();
    }
    for part in parts {
        if page.has_more {
            break;
        }
        let looks_through = matches!(part, Source::Tail { .. });
        let statement = Statement::of(query, part);
        if looks_through {
            statement.look_through(&snapshot, page, limit, search)?;
        } else {
            statement.fill(&snapshot, "", page, limit, Some(search))?;
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
    order: String,
}

impl Statement {
    fn of(query: &CustomerQuery, source: Source) -> Self {
        let looks_through = matches!(source, Source::Tail { .. });
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
        let columns = if looks_through { NAME_AND_ADDRESS } else { COLUMNS };
        let mut statement = Self {
            sql: format!("SELECT {columns} FROM {from} WHERE TRUE{condition}"),
            values,
            order: format!(" ORDER BY {key} {order}"),
        };
        let after = query.after.map_or(beginning, u64::cast_signed);
        statement.and(&format!("{key} {beyond} ?"), after);
        statement.filter(query, key);
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
            self.and("c.created_at < ?", rows::micros(time));
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

    /// Adds what is found to a page until it is full; one more says that there are more.
    fn fill(
        self,
        db: &Connection,
        tail: &str,
        page: &mut CustomerPage,
        limit: usize,
        search: Option<&Search>,
    ) -> rusqlite::Result<()> {
        let mut statement = db.prepare_cached(&format!("{}{}{tail}", self.sql, self.order))?;
        let mut rows = statement.query(params_from_iter(self.values))?;
        let mut text = String::new();
        while let Some(row) = rows.next()? {
            let customer = listed(row)?;
            if let Some(search) = search {
                text = search_index::searched_text(text, customer.name, customer.email);
                if !search.finds(&text) {
                    continue;
                }
            }
            if page.len() == limit {
                page.has_more = true;
                break;
            }
            page.push(customer);
        }
        Ok(())
    }

    /// The same where most do not fit: of those no more is read than [`NAME_AND_ADDRESS`].
    fn look_through(
        self,
        db: &Connection,
        page: &mut CustomerPage,
        limit: usize,
        search: &Search,
    ) -> rusqlite::Result<()> {
        let mut statement = db.prepare_cached(&format!("{}{}", self.sql, self.order))?;
        let mut whole = db.prepare_cached(&format!("SELECT {COLUMNS} FROM customers c WHERE c.id = ?1"))?;
        let mut rows = statement.query(params_from_iter(self.values))?;
        let mut text = String::new();
        while let Some(row) = rows.next()? {
            text = search_index::searched_text(text, row.get_ref(1)?.as_str()?, row.get_ref(2)?.as_str()?);
            if !search.finds(&text) {
                continue;
            }
            if page.len() == limit {
                page.has_more = true;
                break;
            }
            let key: i64 = row.get(0)?;
            if let Some(row) = whole.query([key])?.next()? {
                page.push(listed(row)?);
            }
        }
        Ok(())
    }
}

/// A customer from [`COLUMNS`], with its texts still in SQLite's hands.
fn listed<'row>(row: &'row Row<'_>) -> rusqlite::Result<Listed<&'row str>> {
    let text = |column| row.get_ref(column).and_then(|value| Ok(value.as_str()?));
    let text_if_any = |column| row.get_ref(column).and_then(|value| Ok(value.as_str_or_null()?));
    let time = |column: usize| Columns::at(row, column).time();
    let time_if_any = |column: usize| Columns::at(row, column).time_if_any();
    let mut listed = Listed {
        id: CustomerId::new(rows::uuid(row.get(1)?, row.get(2)?)),
        name: text(3)?,
        email: text(4)?,
        metadata: text(5)?,
        created_at: time(6)?,
        updated_at: time(7)?,
        proof_state: Columns::at(row, 8).word(rows::proof_state)?,
        proof_attempts: row.get(9)?,
        proof_sent_at: time_if_any(10)?,
        proof_expires_at: time_if_any(11)?,
        version: Columns::at(row, 12).number()?,
        verified_at: None,
        pending_email: None,
        external_id: None,
        locale: None,
        proof_last_error: None,
        proof_next_attempt_at: None,
    };
    let has_no_more: bool = row.get(0)?;
    if !has_no_more {
        listed.verified_at = time_if_any(13)?;
        listed.pending_email = text_if_any(14)?;
        listed.external_id = text_if_any(15)?;
        listed.locale = text_if_any(16)?;
        listed.proof_last_error = text_if_any(17)?;
        listed.proof_next_attempt_at = time_if_any(18)?;
    }
    Ok(listed)
}
