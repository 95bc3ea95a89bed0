//! How SQLite goes about every statement that requests and workers issue: by a key or an index, never through a whole
//! table. The statements are not listed here but overheard, so that none can be forgotten.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use reqwest::Method;
use rusqlite::{Connection, functions::FunctionFlags};
use serde_json::json;
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    filter::Targets,
    layer::{Context, Layer, SubscriberExt},
    util::SubscriberInitExt,
};

use crate::{
    harness::{Rollbook, id_of},
    smtp_peer::{At, Do, SmtpPeer},
};

/// Tables of a few rows, which may be read whole.
const SMALL: [&str; 3] = ["outbox_counts", "api_keys", "CONSTANT"];

/// What the log says of statements, without the values bound to them.
#[derive(Clone, Default)]
struct Overheard(Arc<Mutex<BTreeSet<String>>>);

impl<S: Subscriber> Layer<S> for Overheard {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        event.record(&mut self.clone());
    }
}

impl Visit for Overheard {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "statement" {
            self.0.lock().unwrap().insert(format!("{value:?}"));
        }
    }
}

#[tokio::test]
async fn every_statement_is_answered_by_a_key_or_an_index() {
    let peer = SmtpPeer::start().await;
    let rollbook = Rollbook::sending_to(&peer, &[("db_echo", "true"), ("resend_cooldown", "0s")]).await;
    let overheard = Overheard::default();
    let only_sql = Targets::new().with_target("rollbook::sql", Level::INFO);
    tracing_subscriber::registry().with(only_sql).with(overheard.clone()).init();
    do_everything(&rollbook, &peer).await;

    let statements: Vec<_> = overheard.0.lock().unwrap().iter().filter(|sql| is_query(sql)).cloned().collect();
    assert!(statements.len() >= 36, "some were not overheard: {statements:#?}");
    let db = Connection::open(rollbook.folder().join("data/rollbook.db")).unwrap();
    for (function, arguments) in [("is_found", 2), ("put_on_page", 18)] {
        db.create_scalar_function(function, arguments, FunctionFlags::SQLITE_UTF8, |_| Ok(false)).unwrap();
    }
    for sql in &statements {
        for step in plan(&db, sql) {
            // Customers are put on a page as they are read, so they must be read in its order.
            assert!(!step.contains("TEMP B-TREE") || !sql.contains("put_on_page"), "{step}: {sql}");
            // What SQLite calls a scan of a virtual table by an index of its own is none.
            let is_scan = !step.contains("VIRTUAL TABLE INDEX");
            let scanned = step.strip_prefix("SCAN ").filter(|_| is_scan).and_then(|rest| rest.split(' ').next());
            assert!(scanned.is_none_or(|table| SMALL.contains(&table)), "{step}: {sql}");
        }
    }
}

/// With what was gathered when the roll had one customer, SQLite would read all of it for each hit of a search.
#[tokio::test]
async fn sqlite_plans_without_what_was_once_gathered_about_tables() {
    let rollbook = Rollbook::start().await;
    rollbook.register("ada@example.org").await;
    let rollbook = rollbook.restart().await;
    let gathered = |rollbook: &Rollbook| {
        let tables = "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'sqlite_stat%'";
        rollbook.database().query_row(tables, [], |row| row.get::<_, i64>(0)).unwrap()
    };
    assert_eq!(gathered(&rollbook), 0, "by Rollbook");
    rollbook.database().execute_batch("ANALYZE").unwrap();
    assert_eq!(gathered(&rollbook), 1, "by its operator");
    assert_eq!(gathered(&rollbook.restart().await), 0);
}

fn is_query(sql: &str) -> bool {
    // What FTS5 asks its own tables is its own business.
    let is_ours = !sql.contains("'main'.");
    is_ours && ["SELECT", "INSERT", "UPDATE", "DELETE"].iter().any(|verb| sql.starts_with(verb))
}

fn plan(db: &Connection, sql: &str) -> Vec<String> {
    let mut explained = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    // Nothing is bound: the plan does not depend on it.
    let mut rows = explained.raw_query();
    let mut steps = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        steps.push(row.get("detail").unwrap());
    }
    steps
}

/// Every operation, and every way that a delivery may end.
pub async fn do_everything(rollbook: &Rollbook, peer: &SmtpPeer) {
    peer.on(At::Rcpt, Do::Reply("451 4.7.1 greylisted")).times(1);
    peer.on(At::Banner, Do::Reply("421 4.3.2 out of order")).times(1);
    peer.on(At::Rcpt, Do::Reply("550 5.1.1 no such user")).times(1);
    let whole = json!({ "name": "Ada", "email": "ada@example.org", "external_id": "a" });
    let ada = rollbook.post("/api/customers", &whole).await.json();
    for taken in [whole, json!({ "name": "Eve", "email": "eve@example.org", "external_id": "a" })] {
        assert_eq!(rollbook.post("/api/customers", &taken).await.status, 409);
    }
    // Claimed along with hers, and given back or looked at again while they wait.
    for name in ["bob", "cyd", "dot"] {
        rollbook.register(&format!("{name}@example.org")).await;
    }
    for _ in 0..5 {
        rollbook.deliver().await;
        assert_eq!(rollbook.resend(&ada).await.status, 202);
        rollbook.pass(Duration::from_mins(10));
    }
    rollbook.deliver().await;
    let token = peer.mails_so_far().last().unwrap().token();
    rollbook.resend(&ada).await;
    assert_eq!(rollbook.press(&token).await.status, 200);
    assert_eq!(rollbook.press(&token).await.status, 200);
    rollbook.get(&format!("/verify?token={token}")).await;
    rollbook.customer(&ada["id"]).await;
    rollbook.message_to(&ada).await;
    // A search asks the index as well as those who wait for it.
    rollbook.until_indexed().await;
    let lists = [
        "",
        "?sort=created_at",
        "?verified=true",
        "?verified=false&sort=created_at",
        "?email=ada@example.org",
        "?external_id=a",
        "?metadata%5Bplan%5D=a&metadata%5Btier%5D=b&verified=false",
        "?created_after=2026-01-01T00:00:00Z&created_before=2027-01-01T00:00:00Z",
        "?q=ada",
        "?q=a&sort=created_at&verified=true",
        "?q=ada&email=ada@example.org&external_id=a",
        "?q=ada&metadata%5Bplan%5D=a&created_after=2026-01-01T00:00:00Z&created_before=2027-01-01T00:00:00Z",
    ];
    for list in lists {
        assert_eq!(rollbook.get(&format!("/api/customers{list}")).await.status, 200, "{list}");
    }
    for path in ["/api/messages", "/metrics", "/readyz"] {
        assert_eq!(rollbook.get(path).await.status, 200);
    }
    let id = id_of(&rollbook.key_with(&[]).await);
    rollbook.registry.key_desk().revoke(id).await.unwrap();
    rollbook.registry.key_desk().list().await.unwrap();
    assert_eq!(rollbook.send(Method::GET, "/api/messages", Some("rb_0_0"), &[], None).await.status, 401);
}
