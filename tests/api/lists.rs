//! Lists of customers: pages, filters, order.

use std::{collections::BTreeSet, time::Duration};

use jiff::SignedDuration;
use rollbook::{
    application::ports::{CustomerQuery, StoreError},
    domain::listed::Listed,
};
use serde_json::{Value, json};

use crate::{
    errors::assert_failure,
    harness::Rollbook,
    smtp_peer::{At, Do, SmtpPeer},
};

fn ids(page: &Value) -> Vec<String> {
    page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

impl Rollbook {
    /// All that a list brings, page by page.
    async fn all_pages(&self, query: &str) -> Vec<String> {
        let first = self.get(&format!("/api/customers?{query}")).await.json();
        [ids(&first), self.pages_behind(&first, query).await].concat()
    }

    /// All that a list brings behind one of its pages.
    async fn pages_behind(&self, page: &Value, query: &str) -> Vec<String> {
        let (mut all, mut next) = (Vec::new(), page["next_cursor"].clone());
        while let Some(cursor) = next.as_str() {
            let page = self.get(&format!("/api/customers?{query}&cursor={cursor}")).await.json();
            all.extend(ids(&page));
            next = page["next_cursor"].clone();
        }
        all
    }
}

#[tokio::test]
async fn a_customer_is_listed_just_as_it_is_found_whatever_became_of_its_mail() {
    let peer = SmtpPeer::start().await;
    let rollbook = Rollbook::sending_to(&peer, &[]).await;
    peer.on(At::Rcpt, Do::Reply("451 4.7.1 \"later\" \\o/")).times(1);
    peer.on(At::Rcpt, Do::Reply("550 5.1.1 nobody")).times(1);
    for (name, metadata) in [
        ("O'Neil \"The\" Sm\u{ee}th \\", json!({ "a\"b": "c\\d", "e": "\u{1f600}\n\u{1}" })),
        ("\u{738b}\u{5c0f}\u{660e}", json!({})),
        ("Ada", json!({ "plan": "x" })),
    ] {
        let email = format!("{}@b\u{fc}cher.example", rollbook.all_pages("").await.len());
        let body =
            json!({ "name": name, "email": email, "metadata": metadata, "external_id": email, "locale": "pt-BR" });
        assert_eq!(rollbook.post("/api/customers", &body).await.status, 201);
        rollbook.deliver().await;
    }
    rollbook.register("waiting@example.org").await;
    let page = rollbook.get("/api/customers").await.json();
    let states: Vec<&str> =
        page["items"].as_array().unwrap().iter().map(|item| item["verification"]["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["queued", "sent", "failed", "deferred"]);
    for item in page["items"].as_array().unwrap() {
        assert_eq!(*item, rollbook.customer(&item["id"]).await);
    }
    rollbook.pass(Duration::from_hours(25));
    let later = rollbook.get("/api/customers").await.json();
    assert_eq!(later["items"][1]["verification"]["state"], "expired");
    assert_eq!(later["items"][1], rollbook.customer(&later["items"][1]["id"]).await);
}

#[tokio::test]
async fn a_page_that_cannot_be_written_or_read_is_an_error_and_the_next_one_is_whole() {
    let rollbook = Rollbook::start().await;
    for name in ["a", "b", "c"] {
        rollbook.register(&format!("{name}@example.org")).await;
    }
    let query = || CustomerQuery { limit: 50, ..CustomerQuery::default() };
    let bug = Box::new(|text: &mut Vec<u8>, _: &Listed<'_>| {
        text.push(b'x');
        assert!(text.len() < 2, "a bug in the middle of a page");
    });
    assert!(matches!(rollbook.registry.list_customers(query(), bug).await, Err(StoreError::Broken(_))));
    assert_eq!(rollbook.all_pages("").await.len(), 3);

    let year_10000 = "UPDATE customers SET updated_at = 253402300800000000 WHERE email = 'b@example.org'";
    rollbook.database().execute(year_10000, []).unwrap();
    let answer = rollbook.get("/api/customers").await;
    assert_failure(&answer, 500, "INTERNAL");
    assert_eq!(rollbook.all_pages("email=a@example.org").await.len(), 1);
}

#[tokio::test]
async fn a_moment_between_two_microseconds_is_behind_the_first_of_them() {
    let rollbook = Rollbook::start().await;
    let created_at = rollbook.register("ada@example.org").await["created_at"].as_str().unwrap().to_owned();
    let a_little_later = created_at.replace('Z', "5Z");
    assert_eq!(rollbook.all_pages(&format!("created_before={a_little_later}")).await.len(), 1);
    assert_eq!(rollbook.all_pages(&format!("created_after={a_little_later}")).await.len(), 0);
    assert_eq!(rollbook.all_pages(&format!("created_before={created_at}")).await.len(), 0);
}

#[tokio::test]
async fn pages_miss_nobody_and_show_nobody_twice_while_others_come() {
    let rollbook = Rollbook::start().await;
    let mut registered = Vec::new();
    for n in 0..11 {
        registered.push(rollbook.register(&format!("c{n}@example.org")).await["id"].as_str().unwrap().to_owned());
    }
    let first = rollbook.get("/api/customers?limit=4").await.json();
    rollbook.register("late@example.org").await;
    let rest = rollbook.pages_behind(&first, "limit=4").await;
    let newest_first: Vec<String> = registered.iter().rev().cloned().collect();
    assert_eq!([ids(&first), rest].concat(), newest_first);
    assert_eq!(rollbook.all_pages("limit=1&sort=created_at").await[..11], registered);
    assert_eq!(rollbook.all_pages("limit=12").await.len(), 12);
    let exact = rollbook.get("/api/customers?limit=12").await.json();
    assert_eq!(exact["next_cursor"], Value::Null, "a full last page is the last one");
}

#[tokio::test]
async fn each_filter_finds_its_own_and_several_must_all_fit() {
    let rollbook = Rollbook::start().await;
    let ada = rollbook.register("Ada@Example.org").await;
    rollbook.pass(Duration::from_hours(1));
    let body = json!({ "name": "Grace", "email": "grace@example.org", "external_id": "g/1", "metadata": { "plan": "a", "tier": "b" } });
    let grace = rollbook.post("/api/customers", &body).await.json();
    rollbook.pass(Duration::from_hours(1));
    let body = json!({ "name": "Alan", "email": "alan@example.org", "metadata": { "plan": "a" } });
    let alan = rollbook.post("/api/customers", &body).await.json();
    let token = rollbook.captured_token(&grace).await;
    assert_eq!(rollbook.press(&token).await.status, 200);
    let (ada, grace, alan) = (&ada["id"], &grace["id"], &alan["id"]);
    for (query, found) in [
        ("email=ADA@example.ORG", vec![ada]),
        ("email=nobody@example.org", vec![]),
        ("external_id=g/1", vec![grace]),
        ("external_id=G/1", vec![]),
        ("verified=true", vec![grace]),
        ("verified=false", vec![alan, ada]),
        ("metadata%5Bplan%5D=a", vec![alan, grace]),
        ("metadata%5Bplan%5D=a&metadata%5Btier%5D=b", vec![grace]),
        ("metadata%5Bplan%5D=b", vec![]),
        ("metadata%5Bplan%5D=a&verified=false", vec![alan]),
        ("created_after=2026-01-31T12:00:00Z", vec![alan, grace]),
        ("created_before=2026-01-31T13:00:00Z", vec![ada]),
        ("created_after=2026-01-31T12:30:00Z&created_before=2026-01-31T13:30:00Z", vec![grace]),
        ("created_before=9999-12-31T23:59:59.999999999Z", vec![alan, grace, ada]),
        ("created_after=9999-12-31T23:59:59-12:00", vec![]),
        ("email=ada@example.org&verified=true", vec![]),
        ("q=grace&metadata%5Bplan%5D=a", vec![grace]),
    ] {
        let found: Vec<&str> = found.into_iter().map(|id| id.as_str().unwrap()).collect();
        assert_eq!(rollbook.all_pages(&format!("limit=1&{query}")).await, found, "{query}");
    }
}

/// An id is never below the one before, whatever the clock says: who comes after it was set back has an id that is ahead of
/// the time of creation, which is what counts.
#[tokio::test]
async fn who_was_created_before_a_moment_is_found_in_order_where_the_clock_was_set_back() {
    let rollbook = Rollbook::start().await;
    let mut roll = Vec::new();
    for (hour, change) in [("ten", -2), ("noon", 2), ("eleven", -1), ("eleven.again", 0), ("one", 2)] {
        // All but the last are in the search index.
        rollbook.until_indexed().await;
        rollbook.clock.set_by(SignedDuration::from_hours(change));
        let email = format!("{hour}@example.org");
        let noted = json!({ "name": "Ada", "email": email, "metadata": { "plan": "a" } });
        let customer = rollbook.post("/api/customers", &noted).await.json();
        roll.push(customer["id"].as_str().unwrap().to_owned());
    }
    for filter in ["", "&verified=false", "&metadata%5Bplan%5D=a", "&q=ada", "&q=ada&verified=false"] {
        for (before, found) in [
            ("2026-01-31T10:00:00Z", &[][..]),
            ("2026-01-31T11:00:00Z", &[0]),
            ("2026-01-31T11:00:00.0000001Z", &[0, 2, 3]),
            ("2026-01-31T12:00:00Z", &[0, 2, 3]),
            ("2026-01-31T12:00:00.0005Z", &[0, 1, 2, 3]),
            ("2026-01-31T14:00:00Z", &[0, 1, 2, 3, 4]),
            ("9999-12-30T00:00:00Z", &[0, 1, 2, 3, 4]),
        ] {
            let found: Vec<_> = found.iter().map(|n: &usize| roll[*n].clone()).collect();
            for limit in 1..=4 {
                let query = format!("limit={limit}&created_before={before}{filter}");
                assert_eq!(rollbook.all_pages(&format!("{query}&sort=created_at")).await, found, "{query}");
                assert!(rollbook.all_pages(&query).await.iter().rev().eq(&found), "{query}");
            }
        }
    }
    let before_noon = "created_before=2026-01-31T12:00:00Z&email=";
    assert_eq!(rollbook.all_pages(&format!("{before_noon}eleven@example.org")).await, [roll[2].clone()]);
    assert_eq!(rollbook.all_pages(&format!("{before_noon}noon@example.org")).await.len(), 0);
    assert_eq!(rollbook.all_pages("created_after=9999-12-30T00:00:00Z").await.len(), 0);
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused_by_name_all_at_once() {
    let rollbook = Rollbook::start().await;
    let answer = rollbook
        .get("/api/customers?limit=201&cursor=x&q=%20&email=x&verified=1&created_after=today&sort=name&metadata%5B=1&page=2")
        .await;
    assert_eq!((answer.status, answer.code().as_str()), (422, "VALIDATION_ERROR"));
    let fields: BTreeSet<String> = answer.fields().into_iter().collect();
    let all = ["limit", "cursor", "q", "email", "verified", "created_after", "sort", "metadata[", "page"];
    assert_eq!(fields, all.map(str::to_owned).into());
}

#[tokio::test]
async fn a_customer_that_has_but_one_of_what_may_be_left_out_is_listed_and_searched_with_it() {
    let peer = SmtpPeer::start().await;
    peer.on(At::Rcpt, Do::Reply("550 5.1.1 nobody")).times(1);
    peer.on(At::Rcpt, Do::Reply("451 4.7.1 later")).times(1);
    let rollbook = Rollbook::sending_to(&peer, &[]).await;
    let name = "Ad\u{e9}le \"Q\" \\ \u{1f600}";
    let metadata = json!({ "a\"b": "c\\d\n\u{1}" });
    for own in [json!({}), json!({}), json!({ "external_id": "x" }), json!({ "locale": "de" }), json!({})] {
        let email = format!("a{}@example.org", rollbook.all_pages("").await.len());
        let mut body = json!({ "name": name, "email": email, "metadata": metadata });
        body.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
        assert_eq!(rollbook.post("/api/customers", &body).await.status, 201);
        rollbook.deliver().await;
    }
    let token = peer.mails_so_far().last().unwrap().token();
    assert_eq!(rollbook.press(&token).await.status, 200);
    for query in ["", "q=example", "metadata%5Ba%22b%5D=c%5Cd%0A%01"] {
        let page = rollbook.get(&format!("/api/customers?{query}")).await.json();
        let items = page["items"].as_array().unwrap();
        assert_eq!(items.len(), 5, "{query}");
        for item in items {
            assert_eq!(*item, rollbook.customer(&item["id"]).await);
            assert_eq!((&item["name"], &item["metadata"]), (&json!(name), &metadata));
        }
        assert!(items[0]["verified_at"].is_string(), "{items:?}");
        assert_eq!((&items[1]["locale"], &items[2]["external_id"]), (&json!("de"), &json!("x")));
        assert!(items[3]["verification"]["next_attempt_at"].is_string(), "{items:?}");
        assert_eq!(items[4]["verification"]["state"], "failed");
        assert!(items[4]["verification"]["last_error"].is_string(), "{items:?}");
    }
}

#[tokio::test]
async fn no_more_notes_can_be_asked_for_than_a_customer_can_have() {
    let rollbook = Rollbook::start().await;
    let asked = |notes: u32| (0..notes).map(|n| format!("metadata%5Bk{n}%5D=v")).collect::<Vec<_>>().join("&");
    assert_eq!(rollbook.get(&format!("/api/customers?{}", asked(50))).await.status, 200);
    let refused = rollbook.get(&format!("/api/customers?{}", asked(51))).await;
    assert_eq!(refused.status, 422);
    assert_eq!(refused.json()["details"][0]["field"], "metadata");
}

/// Long pages that nobody takes are not kept without end: who asks for one more is told to come again.
#[tokio::test]
async fn pages_that_nobody_reads_have_so_much_room_together() {
    let rollbook = Rollbook::start().await;
    let notes: serde_json::Map<String, Value> = (0..50).map(|n| (n.to_string(), "\u{e9}".repeat(500).into())).collect();
    for n in 0..160 {
        let body = json!({ "name": "Ada", "email": format!("a{n}@example.org"), "metadata": notes });
        assert_eq!(rollbook.post("/api/customers", &body).await.status, 201);
    }
    let ask = format!(
        "GET /api/customers?limit=200 HTTP/1.1\r\nHost: roll\r\nAuthorization: Bearer {}\r\n\r\n",
        rollbook.key
    );
    // Eight megabytes each: more than the kernels take off us.
    let mut unread = Vec::new();
    for _ in 0..12 {
        let mut client = rollbook.visit().await;
        client.send(ask.clone()).await;
        unread.push(client);
    }
    let refused = r#"rollbook_http_requests_total{route="/api/customers",method="GET",status="503"}"#;
    let refusals = async { while !rollbook.without_key("/metrics").await.text.contains(refused) {} };
    tokio::time::timeout(std::time::Duration::from_secs(20), refusals).await.expect("there is an end to it");
    assert_eq!(rollbook.get("/api/customers?limit=1").await.status, 200, "a short one needs no room");

    drop(unread);
    let again = async { while rollbook.get("/api/customers?limit=10").await.status != 200 {} };
    tokio::time::timeout(std::time::Duration::from_secs(20), again).await.expect("the room is given back");
}
