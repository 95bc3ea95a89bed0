//! Messages: what was sent to whom, and how far it came.

use rollbook::application::deliver_message::Delivery;
use serde_json::{Value, json};

use crate::{
    harness::Rollbook,
    smtp_peer::{At, Do, SmtpPeer},
    statements,
};

/// A page of messages: their recipients, and where the next page begins.
async fn page(rollbook: &Rollbook, query: &str) -> (Vec<String>, Value) {
    let answer = rollbook.get(&format!("/api/messages?{query}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let page = answer.json();
    let to = page["items"].as_array().unwrap().iter().map(|item| item["to"].as_str().unwrap().to_owned()).collect();
    (to, page["next_cursor"].clone())
}

async fn register_many(rollbook: &Rollbook, numbers: std::ops::Range<u32>) -> Vec<String> {
    let mut addresses = Vec::new();
    for number in numbers {
        addresses.push(format!("c{number}@example.org"));
        rollbook.register(&addresses[addresses.len() - 1]).await;
    }
    addresses
}

#[tokio::test]
async fn pages_miss_and_double_nothing_while_new_messages_arrive() {
    let rollbook = Rollbook::start().await;
    // The clock is held: all of them are of the same moment.
    let mut expected = register_many(&rollbook, 0..23).await;
    expected.reverse();
    let (mut seen, mut next) = page(&rollbook, "limit=7").await;
    let mut pages = 1;
    while let Some(cursor) = next.as_str() {
        register_many(&rollbook, 100 * pages..100 * pages + 2).await;
        let (more, following) = page(&rollbook, &format!("limit=7&cursor={cursor}")).await;
        assert!(more.len() <= 7);
        seen.extend(more);
        next = following;
        pages += 1;
    }
    assert_eq!(seen, expected, "newest first");
    assert_eq!(pages, 4);
}

#[tokio::test]
async fn a_page_that_ends_with_the_last_message_is_the_last_page() {
    let rollbook = Rollbook::start().await;
    assert_eq!(page(&rollbook, "").await, (vec![], Value::Null));
    register_many(&rollbook, 0..4).await;
    let (_, next) = page(&rollbook, "limit=2").await;
    let (last, none) = page(&rollbook, &format!("limit=2&cursor={}", next.as_str().unwrap())).await;
    assert_eq!((last.len(), none), (2, Value::Null));
}

#[tokio::test]
async fn a_cursor_outlives_a_restart() {
    let rollbook = Rollbook::start().await;
    register_many(&rollbook, 0..2).await;
    let (_, next) = page(&rollbook, "limit=1").await;
    let rollbook = rollbook.restart().await;
    let (rest, _) = page(&rollbook, &format!("limit=1&cursor={}", next.as_str().unwrap())).await;
    assert_eq!(rest, ["c0@example.org"]);
}

#[tokio::test]
async fn the_messages_of_one_customer_can_be_paged_too() {
    let rollbook = Rollbook::with(&[("resend_cooldown", "0s")]).await;
    let ada = rollbook.register("ada@example.org").await;
    let mut ids = vec![rollbook.message_to(&ada).await["id"].clone()];
    for number in 0..3 {
        rollbook.register(&format!("c{number}@example.org")).await;
        rollbook.resend(&ada).await;
        ids.push(rollbook.message_to(&ada).await["id"].clone());
    }
    let of_ada = format!("customer_id={}&limit=3", ada["id"].as_str().unwrap());
    let first = rollbook.get(&format!("/api/messages?{of_ada}")).await.json();
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = rollbook.get(&format!("/api/messages?{of_ada}&cursor={cursor}")).await.json();
    let items = [first["items"].as_array().unwrap().clone(), second["items"].as_array().unwrap().clone()].concat();
    assert!(items.iter().all(|item| item["customer_id"] == ada["id"]));
    assert!(items.iter().map(|item| &item["id"]).eq(ids.iter().rev()));
    assert_eq!(second["next_cursor"], Value::Null);
}

#[tokio::test]
async fn an_id_that_differs_in_its_last_digit_is_another_one() {
    let rollbook = Rollbook::start().await;
    let ada = rollbook.register("ada@example.org").await;
    let sibling = |id: &Value| {
        let id = id.as_str().unwrap();
        format!("{}{}", &id[..35], if id.ends_with('0') { "1" } else { "0" })
    };
    let nobody = sibling(&ada["id"]);
    assert_eq!(page(&rollbook, &format!("customer_id={nobody}")).await, (vec![], Value::Null));
    for id in ["7", "", &nobody.to_uppercase()] {
        let answer = rollbook.get(&format!("/api/messages?customer_id={id}")).await;
        assert_eq!((answer.status, answer.fields()), (422, vec!["customer_id".to_owned()]), "{id}");
    }
    let nothing = sibling(&rollbook.message_to(&ada).await["id"]);
    for id in [nothing.as_str(), "019ab697-e800-7000-8a5c-3d1f9b20c7e4", "7", "%00", &nothing.to_uppercase()] {
        let answer = rollbook.get(&format!("/api/messages/{id}")).await;
        assert_eq!((answer.status, answer.code().as_str()), (404, "NOT_FOUND"), "{id}");
    }
}

#[tokio::test]
async fn a_message_shows_each_step_of_its_way() {
    let peer = SmtpPeer::start().await;
    let rollbook = Rollbook::sending_to(&peer, &[]).await;
    let ada = rollbook.register("ada@example.org").await;
    let id = rollbook.message_to(&ada).await["id"].clone();
    let queued = json!({
        "id": id, "customer_id": ada["id"], "to": "ada@example.org", "kind": "verification", "state": "queued",
        "attempts": 0, "last_error": null, "next_attempt_at": "2026-01-31T12:00:00.000000Z",
        "created_at": "2026-01-31T12:00:00.000000Z", "sent_at": null, "subject": null, "text": null, "html": null,
    });
    assert_eq!(rollbook.message(&id).await, queued);

    peer.on(At::Rcpt, Do::Reply("451 4.7.1 greylisted")).times(1);
    rollbook.deliver().await;
    let deferred = rollbook.message(&id).await;
    assert_eq!((&deferred["state"], &deferred["attempts"]), (&json!("deferred"), &json!(1)));
    assert_eq!(deferred["last_error"], "RCPT TO: 451 4.7.1 greylisted");
    rollbook.pass_until(&deferred["next_attempt_at"]);

    peer.on(At::Dot, Do::Wait);
    let (delivered, ()) = tokio::join!(rollbook.deliver(), async {
        peer.reached(At::Dot).await;
        let under_way = rollbook.message(&id).await;
        assert_eq!((&under_way["state"], &under_way["next_attempt_at"]), (&json!("deferred"), &Value::Null));
        peer.go_on();
    });
    assert_eq!(delivered, [Delivery::Sent]);
    let sent = rollbook.message(&id).await;
    assert_eq!((&sent["state"], &sent["attempts"], &sent["last_error"]), (&json!("sent"), &json!(2), &Value::Null));
    assert_eq!((&sent["sent_at"], &sent["next_attempt_at"]), (&deferred["next_attempt_at"], &Value::Null));
}

#[tokio::test]
async fn the_words_of_a_captured_mail_can_be_read() {
    let rollbook = Rollbook::with(&[("public_url", "https://roll.example.org")]).await;
    let ada = rollbook.register("ada@example.org").await;
    let message = rollbook.message_to(&ada).await;
    assert_eq!((&message["state"], &message["attempts"]), (&json!("sent"), &json!(1)));
    assert_eq!(message["subject"], "Confirm your e-mail address");
    for part in ["text", "html"] {
        assert!(message[part].as_str().unwrap().contains("verify?token="), "{part}");
    }
}

#[tokio::test]
async fn no_answer_holds_a_link_once_mail_really_leaves() {
    let peer = SmtpPeer::start().await;
    let rollbook = Rollbook::sending_to(&peer, &[]).await;
    let ada = rollbook.register("ada@example.org").await;
    rollbook.deliver().await;
    let token = peer.next_mail().await.token();
    let message = format!("/api/messages/{}", rollbook.message_to(&ada).await["id"].as_str().unwrap());
    let customer = format!("/api/customers/{}", ada["id"].as_str().unwrap());
    for path in ["/api/messages", &message, &customer, "/metrics"] {
        let text = rollbook.get(path).await.text;
        assert!(!text.contains(&token[22..38]) && !text.contains("verify?"), "{path}: {text}");
    }
    let message = rollbook.get(&message).await.json();
    assert_eq!((&message["subject"], &message["text"], &message["html"]), (&Value::Null, &Value::Null, &Value::Null));
}

#[tokio::test]
async fn a_page_has_1_to_200_messages() {
    let rollbook = Rollbook::start().await;
    register_many(&rollbook, 0..52).await;
    for (limit, messages) in [("limit=1", 1), ("limit=51", 51), ("limit=200", 52), ("", 50)] {
        assert_eq!(page(&rollbook, limit).await.0.len(), messages, "{limit}");
    }
    for limit in ["0", "201", "-1", "+5", "1.0", "1e1", "", "x", "99999999999999999999", "%31%00"] {
        let answer = rollbook.get(&format!("/api/messages?limit={limit}")).await;
        assert_eq!((answer.status, answer.code().as_str()), (422, "VALIDATION_ERROR"), "{limit}");
        assert_eq!(answer.fields(), ["limit"]);
    }
}

#[tokio::test]
async fn a_cursor_that_is_none_of_ours_is_refused() {
    let rollbook = Rollbook::start().await;
    register_many(&rollbook, 0..2).await;
    let (_, next) = page(&rollbook, "limit=1").await;
    let good = next.as_str().unwrap();
    let changed = format!("{}{}", &good[..good.len() - 1], if good.ends_with('A') { "Q" } else { "A" });
    for cursor in ["", "x", &changed, &good[1..], &format!("{good}A"), "AAAAAAAAAAAAAAAAAAAAAA", "%ff"] {
        let answer = rollbook.get(&format!("/api/messages?cursor={cursor}")).await;
        assert_eq!(answer.status, 422, "{cursor}");
        assert_eq!(answer.fields(), ["cursor"]);
    }
}

#[tokio::test]
async fn messages_are_counted_right_whatever_becomes_of_them() {
    let peer = SmtpPeer::start().await;
    let rollbook = Rollbook::sending_to(&peer, &[("resend_cooldown", "0s")]).await;
    statements::do_everything(&rollbook, &peer).await;
    let db = rollbook.database();
    let states = |sql: &str| -> Vec<(String, i64)> {
        let mut states = db.prepare(sql).unwrap();
        states.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
    };
    let counted = states("SELECT state, messages FROM outbox_counts WHERE messages <> 0 ORDER BY state");
    assert_eq!(counted, states("SELECT state, count(*) FROM outbox GROUP BY state ORDER BY state"));
    assert!(counted.len() >= 3, "{counted:?}");
}
