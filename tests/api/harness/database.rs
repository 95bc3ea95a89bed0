//! The database of a test as another program meets it.

use std::{collections::BTreeMap, time::Duration};

use rusqlite::Connection;
use tokio::{task::yield_now, time::timeout};

use super::Rollbook;

impl Rollbook {
    /// Every row of every table, but for the search index, which is filled behind the answers.
    pub fn rows(&self) -> BTreeMap<String, Vec<String>> {
        let db = self.database();
        let mut tables = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'customers\\_search%' ESCAPE '\\' ORDER BY name").unwrap();
        let tables = tables.query_map([], |row| row.get::<_, String>(0)).unwrap().map(Result::unwrap);
        tables.map(|table| (table.clone(), rows_of(&db, &table))).collect()
    }

    /// How many rows a table has.
    pub fn count(&self, table: &str) -> usize {
        self.rows()[table].len()
    }

    /// Locks the database against writing until the connection is dropped.
    pub fn lock(&self) -> Connection {
        let db = self.database();
        db.execute_batch("BEGIN IMMEDIATE").unwrap();
        db
    }

    /// Returns once the writer has had the leisure to index everybody.
    pub async fn until_indexed(&self) {
        let unindexed = "SELECT count(*) FROM customers WHERE id > (SELECT indexed_to FROM customers_search_mark)";
        let db = self.database();
        let indexed = async {
            while db.query_row(unindexed, [], |row| row.get::<_, i64>(0)).unwrap() > 0 {
                yield_now().await;
            }
        };
        timeout(Duration::from_secs(10), indexed).await.expect("an idle writer indexes");
    }

    /// The database, opened beside the app as another program would.
    pub fn database(&self) -> Connection {
        Connection::open(self.folder().join("data/rollbook.db")).unwrap()
    }
}

fn rows_of(db: &Connection, table: &str) -> Vec<String> {
    let mut rows = db.prepare(&format!("SELECT * FROM {table}")).unwrap();
    let columns = rows.column_count();
    let row = |row: &rusqlite::Row<'_>| {
        let values: Result<Vec<_>, _> =
            (0..columns).map(|column| row.get::<_, rusqlite::types::Value>(column)).collect();
        Ok(format!("{:?}", values?))
    };
    rows.query_map([], row).unwrap().map(Result::unwrap).collect()
}
