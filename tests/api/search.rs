//! Search: by substring and by word prefix, whatever the case and the accents, and never behind the write before it.

use std::{sync::Arc, time::Duration};

use jiff::SignedDuration;
use rollbook::{
    application::ports::Clock as _,
    domain::{
        customer::{Customer, Particulars},
        customer_name::CustomerName,
        email_address::EmailAddress,
        history::{Actor, Deed, Event},
        ids::{CustomerId, IdSequence, MessageId},
        message::{Departure, Request},
        metadata::Metadata,
        verification::{Verification, VerificationId},
    },
};
use serde_json::json;
use tokio::{task::yield_now, time::timeout};

use crate::{errors::assert_failure, harness::Rollbook};

impl Rollbook {
    async fn on_the_roll(&self, people: &[(&str, &str)]) {
        for (name, email) in people {
            let answer = self.post("/api/customers", &json!({ "name": name, "email": email })).await;
            assert_eq!(answer.status, 201, "{answer:?}");
        }
    }

    async fn names(&self, query: &str) -> Vec<String> {
        let page = self.get(&format!("/api/customers?{query}")).await.json();
        page["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
    }
}

const PEOPLE: [(&str, &str); 6] = [
    ("Ada Lovelace", "ada@example.org"),
    ("\u{c1}d\u{e1}m Nagy", "nagy.adam@pelda.example"),
    ("Grace Hopper", "grace+navy@example.org"),
    ("Alan Turing", "turing@bletchley.example"),
    ("Stra\u{df}er \"Quote\" (X)", "50%_off@example.org"),
    ("Łukasz O’Dea 山田太郎", "taro@pelda.example"),
];

const SEARCHES: [(&str, &[&str]); 19] = [
    ("lovel", &["Ada Lovelace"]),
    ("VELA", &["Ada Lovelace"]),
    ("adam", &["\u{c1}d\u{e1}m Nagy"]),
    ("%C3%81D%C3%81M", &["\u{c1}d\u{e1}m Nagy"]),
    ("a", &["Alan Turing", "\u{c1}d\u{e1}m Nagy", "Ada Lovelace"]),
    ("ad", &["\u{c1}d\u{e1}m Nagy", "Ada Lovelace"]),
    ("lan", &["Alan Turing"]),
    ("an", &[]),
    ("example.org", &["Stra\u{df}er \"Quote\" (X)", "Grace Hopper", "Ada Lovelace"]),
    ("grace navy", &["Grace Hopper"]),
    ("grace lovelace", &[]),
    ("%22quote%22", &["Stra\u{df}er \"Quote\" (X)"]),
    ("50%25_o", &["Stra\u{df}er \"Quote\" (X)"]),
    ("tur*ng", &[]),
    ("strasser", &["Stra\u{df}er \"Quote\" (X)"]),
    ("lukasz o'de", &["Łukasz O’Dea 山田太郎"]),
    ("太郎", &["Łukasz O’Dea 山田太郎"]),
    ("郎太", &[]),
    ("l. o'dea", &["Łukasz O’Dea 山田太郎"]),
];

#[tokio::test]
async fn a_customer_is_found_before_and_after_the_index_has_heard_of_it() {
    let rollbook = Rollbook::start().await;
    rollbook.on_the_roll(&PEOPLE).await;
    for indexed in [false, true] {
        if indexed {
            rollbook.until_indexed().await;
        }
        for (q, found) in SEARCHES {
            assert_eq!(rollbook.names(&format!("q={q}")).await, *found, "{q}, indexed: {indexed}");
        }
    }
}

#[tokio::test]
async fn pages_of_a_search_go_from_the_newest_over_the_mark_of_the_index_to_the_oldest_and_back() {
    let rollbook = Rollbook::start().await;
    let people = |range: std::ops::Range<u32>| {
        range.map(|n| (format!("Ada {n}"), format!("a{n}@example.org"))).collect::<Vec<_>>()
    };
    for range in [0..5, 5..9] {
        rollbook.until_indexed().await;
        for (name, email) in people(range) {
            rollbook.on_the_roll(&[(&name, &email)]).await;
        }
    }
    for (sort, last) in [("-created_at", "Ada 0"), ("created_at", "Ada 8")] {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("/api/customers?q=ada&limit=2&sort={sort}{cursor}");
            let page = rollbook.get(&path).await.json();
            seen.extend(page["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap().to_owned()));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        let mut all = seen.clone();
        all.sort();
        all.dedup();
        assert_eq!((seen.len(), all.len(), seen.last().unwrap().as_str()), (9, 9, last), "{seen:?}");
    }
}

#[tokio::test]
async fn an_index_that_was_left_behind_by_a_stop_is_filled_after_the_start() {
    let rollbook = Rollbook::start().await;
    rollbook.on_the_roll(&PEOPLE).await;
    let rollbook = rollbook.restart().await;
    assert_eq!(rollbook.names("q=hopper").await, ["Grace Hopper"]);
    rollbook.until_indexed().await;
    assert_eq!(rollbook.names("q=hopper").await, ["Grace Hopper"]);
}

#[tokio::test]
async fn a_customer_whose_id_was_long_on_its_way_to_the_writer_is_found_too() {
    let rollbook = Rollbook::start().await;
    rollbook.on_the_roll(&PEOPLE).await;
    rollbook.until_indexed().await;
    // Its id was made before theirs, and the index has reached theirs in the meantime.
    let made = rollbook.clock.now() - SignedDuration::from_hours(1);
    let id = CustomerId::new(IdSequence::after(None).next(made, 7));
    let email = EmailAddress::parse("late@example.org").unwrap();
    let proof = VerificationId { customer_key: id.key(), number: 1, salt: 7 };
    let verification = Verification::issue(proof, id, email.clone(), made);
    let message = MessageId::new(IdSequence::after(None).next(made, 8));
    let request = Request::issue(message, verification, Departure::Queue, made);
    let particulars = Particulars {
        name: CustomerName::parse("Late Comer").unwrap(),
        email,
        external_id: None,
        locale: None,
        metadata: Metadata::default(),
    };
    let customer = Customer::register(id, particulars, request.progress.clone(), made);
    let event = Event { customer_id: id, at: made, deed: Deed::Registered, actor: Actor::Rollbook, note: None };
    rollbook.registry.customers.register(Arc::new(customer), request, event).await.unwrap();
    assert_eq!(rollbook.names("q=comer").await, ["Late Comer"]);
}

#[tokio::test]
async fn a_search_for_what_no_text_can_hold_is_refused() {
    let rollbook = Rollbook::start().await;
    for q in ["%00", "ada%00", "ada%20%00"] {
        let refused = rollbook.get(&format!("/api/customers?q={q}")).await;
        assert_eq!((refused.status, refused.json()["details"][0]["field"].as_str()), (422, Some("q")), "{q}");
    }
}

#[tokio::test]
async fn parts_of_the_index_are_merged_when_nobody_waits() {
    const PARTS: i64 = 12;
    let rollbook = Rollbook::start().await;
    for n in 0..PARTS {
        rollbook.on_the_roll(&[(&format!("Ada {n}"), &format!("a{n}@example.org"))]).await;
        rollbook.until_indexed().await;
    }
    until(&rollbook, &format!("SELECT count(DISTINCT segid) <= {} FROM customers_search_idx", PARTS / 2)).await;
    assert_eq!(rollbook.names("q=ada&limit=1").await, ["Ada 11"]);
}

#[tokio::test]
async fn a_list_that_takes_too_long_to_find_is_refused_and_one_that_an_index_leads_through_is_not() {
    let rollbook = Rollbook::with(&[("db_list_timeout", "0s")]).await;
    rollbook.on_the_roll(&PEOPLE).await;
    assert_eq!(rollbook.names("q=hopper").await, ["Grace Hopper"], "at once");
    // The writer has nothing left to do, and does not know of the thousands.
    rollbook.until_indexed().await;
    let thousands = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 5000)
        INSERT INTO customers (id, id_tail, name, email, email_canonical, metadata, created_at, updated_at, version, steps,
            proof, proof_state, proof_attempts)
        SELECT id + n, n, 'Eve', 'eve' || n, 'eve' || n, metadata, created_at, updated_at, 1, 1, 1, 'queued', 0
        FROM n, (SELECT * FROM customers ORDER BY id DESC LIMIT 1)";
    rollbook.database().execute(thousands, []).unwrap();
    let refused = rollbook.get("/api/customers?q=hopper").await;
    assert_failure(&refused, 503, "OVERLOADED");
    assert!(refused.header("retry-after").is_some());
    assert!(rollbook.names("created_before=2020-01-01T00:00:00Z").await.is_empty());
    assert_eq!(rollbook.names("limit=1").await, ["Eve"]);
    assert_eq!(rollbook.names("email=grace%2Bnavy@example.org").await, ["Grace Hopper"]);
}

#[tokio::test]
async fn an_index_that_a_search_finds_damaged_is_made_anew_and_then_finds_everybody() {
    let rollbook = with_an_index_made_anew().await;
    assert_eq!(rollbook.names("q=hopper").await, ["Grace Hopper"]);
    rollbook.on_the_roll(&[("Grace Kelly", "kelly@example.org")]).await;
    assert_eq!(rollbook.names("q=grace").await, ["Grace Kelly", "Grace Hopper"]);
}

#[tokio::test]
async fn while_the_index_is_known_to_be_damaged_the_roll_is_searched() {
    let rollbook = Rollbook::with(&[("db_busy_timeout", "0s")]).await;
    rollbook.on_the_roll(&PEOPLE).await;
    rollbook.until_indexed().await;
    damage_index(&rollbook);
    // Nothing can be mended.
    let _locked = rollbook.lock();
    // Finds the damage, unless the writer has.
    rollbook.get("/api/customers?q=hopper").await;
    assert_eq!(rollbook.names("q=hopper").await, ["Grace Hopper"]);
    assert_eq!(rollbook.names("q=ad&sort=created_at").await, ["Ada Lovelace", "\u{c1}d\u{e1}m Nagy"]);
}

/// A damaged index is made anew once a minute at the most; until then a customer whose place the index has passed already
/// need not be put into it.
#[tokio::test]
async fn registrations_go_on_while_a_damaged_index_waits_to_be_made_anew() {
    let rollbook = with_an_index_made_anew().await;
    let passed_all_and_every_part_there = "UPDATE customers_search_mark SET indexed_to = 9223372036854775806;
        WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 2000)
        INSERT OR IGNORE INTO customers_search_idx (segid, term, pgno) SELECT n, x'', 2 FROM n";
    rollbook.database().execute_batch(passed_all_and_every_part_there).unwrap();
    let kelly = json!({ "name": "Grace Kelly", "email": "kelly@example.org" });
    assert_failure(&rollbook.post("/api/customers", &kelly).await, 500, "INTERNAL");
    assert_eq!(rollbook.post("/api/customers", &kelly).await.status, 201);
    assert_eq!(rollbook.names("q=grace").await, ["Grace Kelly", "Grace Hopper"]);
    let rollbook = rollbook.restart().await;
    rollbook.on_the_roll(&[("Grace Jones", "jones@example.org")]).await;
    until(&rollbook, "SELECT indexed_to < 9223372036854775806 FROM customers_search_mark").await;
    rollbook.until_indexed().await;
    assert_eq!(rollbook.names("q=grace").await, ["Grace Jones", "Grace Kelly", "Grace Hopper"]);
}

/// FTS5 reads the averages (`FTS5_AVERAGES_ROWID` of its source) as soon as something is put into the index.
#[tokio::test]
async fn who_finds_the_index_damaged_while_registering_is_registered_all_the_same() {
    let rollbook = Rollbook::start().await;
    rollbook.on_the_roll(&PEOPLE).await;
    rollbook.until_indexed().await;
    let passed_all_and_no_averages = "UPDATE customers_search_mark SET indexed_to = 9223372036854775806;
        DELETE FROM customers_search_data WHERE id = 1";
    rollbook.database().execute_batch(passed_all_and_no_averages).unwrap();
    rollbook.on_the_roll(&[("Grace Kelly", "kelly@example.org")]).await;
    assert_eq!(rollbook.names("q=grace").await, ["Grace Kelly", "Grace Hopper"]);
}

/// The pages of the index's parts; below them lie the records of the index as a whole.
const PARTS: &str = "FROM customers_search_data WHERE id >> 37 > 0";

fn damage_index(rollbook: &Rollbook) {
    rollbook.database().execute(&format!("DELETE {PARTS}"), []).unwrap();
}

/// The index was damaged, a search has found that, and the writer has mended it.
async fn with_an_index_made_anew() -> Rollbook {
    let rollbook = Rollbook::start().await;
    rollbook.on_the_roll(&PEOPLE).await;
    rollbook.until_indexed().await;
    damage_index(&rollbook);
    // Nothing is written meanwhile, which would let the writer look what there is to do as well.
    rollbook.get("/api/customers?q=hopper").await;
    until(&rollbook, &format!("SELECT count(*) > 0 {PARTS}")).await;
    rollbook.until_indexed().await;
    rollbook
}

/// Waits until a condition is met that the writer brings about.
async fn until(rollbook: &Rollbook, condition: &str) {
    let db = rollbook.database();
    let met = async {
        while !db.query_row(condition, [], |row| row.get::<_, bool>(0)).unwrap() {
            yield_now().await;
        }
    };
    timeout(Duration::from_secs(10), met).await.expect(condition);
}
