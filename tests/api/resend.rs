//! Resending: the verification mail once more, and what becomes of the links mailed before.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Method;
use rollbook::application::deliver_message::Delivery;
use serde_json::{Value, json};

use crate::{
    harness::{Answer, Rollbook},
    smtp_peer::{At, Do, SmtpPeer},
};

const SECOND: Duration = Duration::from_secs(1);
const NO_COOLDOWN: (&str, &str) = ("resend_cooldown", "0s");

/// How many messages a customer was sent or is to be.
async fn messages(rollbook: &Rollbook, customer: &Value) -> usize {
    let path = format!("/api/messages?customer_id={}", customer["id"].as_str().unwrap());
    rollbook.get(&path).await.json()["items"].as_array().unwrap().len()
}

fn too_soon(answer: &Answer) -> u64 {
    assert_eq!((answer.status, answer.code().as_str()), (429, "RATE_LIMITED"), "{answer:?}");
    answer.header("retry-after").unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_further_mail_waits_for_the_cooldown() {
    let rollbook = Rollbook::start().await;
    let ada = rollbook.register("ada@example.org").await;
    assert_eq!(too_soon(&rollbook.resend(&ada).await), 60);
    rollbook.pass(Duration::from_millis(58_500));
    assert_eq!(too_soon(&rollbook.resend(&ada).await), 2);
    assert_eq!(messages(&rollbook, &ada).await, 1);

    rollbook.pass(2 * SECOND);
    let accepted = rollbook.resend(&ada).await;
    assert_eq!((accepted.status, accepted.text.as_str()), (202, ""));
    assert_eq!(messages(&rollbook, &ada).await, 2);
    assert_eq!(too_soon(&rollbook.resend(&ada).await), 60, "the cooldown begins anew");
    assert_eq!(rollbook.deeds(&ada), ["registered", "verification_requested"]);
}

#[tokio::test]
async fn a_clock_set_back_locks_nobody_out() {
    let rollbook = Rollbook::start().await;
    let ada = rollbook.register("ada@example.org").await;
    rollbook.clock.set_by(jiff::SignedDuration::from_hours(-24));
    assert_eq!(rollbook.resend(&ada).await.status, 202);
}

#[tokio::test]
async fn who_is_verified_or_unknown_gets_no_mail() {
    let rollbook = Rollbook::with(&[NO_COOLDOWN]).await;
    let ada = rollbook.register("ada@example.org").await;
    let token = rollbook.captured_token(&ada).await;
    rollbook.press(&token).await;
    let refused = rollbook.resend(&ada).await;
    assert_eq!((refused.status, refused.code().as_str()), (409, "ALREADY_VERIFIED"));
    let id = ada["id"].as_str().unwrap();
    let sibling = format!("{}{}", &id[..35], if id.ends_with('0') { "1" } else { "0" });
    for unknown in ["019ab697-e800-7000-8a5c-3d1f9b20c7e4", "nobody", &id.to_uppercase(), &sibling] {
        let path = format!("/api/customers/{unknown}/verification");
        let refused = rollbook.send(Method::POST, &path, Some(&rollbook.key), &[], None).await;
        assert_eq!((refused.status, refused.code().as_str()), (404, "NOT_FOUND"), "{unknown}");
    }
    assert_eq!(messages(&rollbook, &ada).await, 1);
    assert_eq!(rollbook.deeds(&ada), ["registered", "verified"]);
}

/// A customer whose mail was put off for about an hour, two minutes ago.
async fn deferred(peer: &SmtpPeer, rollbook: &Rollbook) -> Value {
    let ada = rollbook.register("ada@example.org").await;
    peer.on(At::Rcpt, Do::Reply("451 4.7.1 greylisted")).times(1);
    rollbook.deliver().await;
    rollbook.pass(120 * SECOND);
    assert_eq!(rollbook.deliver().await, [], "not due yet");
    ada
}

#[tokio::test]
async fn a_mail_that_still_waits_is_hastened_instead_of_doubled() {
    let peer = SmtpPeer::start().await;
    let rollbook = Rollbook::sending_to(&peer, &[("mail_backoff", "1h")]).await;
    let ada = deferred(&peer, &rollbook).await;
    let before = rollbook.message_to(&ada).await;

    assert_eq!(rollbook.resend(&ada).await.status, 202);
    for next in [&rollbook.customer(&ada["id"]).await["verification"], &rollbook.message_to(&ada).await] {
        assert_eq!((&next["state"], &next["attempts"]), (&json!("deferred"), &json!(1)));
        assert!(rollbook.time_until(&next["next_attempt_at"]).is_zero());
    }
    assert_eq!(too_soon(&rollbook.resend(&ada).await), 60);
    assert_eq!(rollbook.deliver().await, [Delivery::Sent]);
    assert_eq!(messages(&rollbook, &ada).await, 1);
    assert_eq!(rollbook.message_to(&ada).await["id"], before["id"]);
    assert_eq!(rollbook.deeds(&ada), ["registered", "mail_deferred", "verification_requested", "mail_sent"]);
}

#[tokio::test]
async fn a_mail_hastened_by_many_at_once_is_sent_once() {
    let peer = SmtpPeer::start().await;
    let rollbook = Rollbook::sending_to(&peer, &[("mail_backoff", "1h")]).await;
    let ada = deferred(&peer, &rollbook).await;
    let answers = join_all((0..16).map(|_| rollbook.resend(&ada))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 202).count(), 1, "{answers:?}");
    assert_eq!(rollbook.deliver().await, [Delivery::Sent]);
    assert_eq!(messages(&rollbook, &ada).await, 1);
}

#[tokio::test]
async fn after_a_failure_a_new_mail_brings_a_new_token() {
    let peer = SmtpPeer::start().await;
    let rollbook = Rollbook::sending_to(&peer, &[NO_COOLDOWN]).await;
    let ada = rollbook.register("ada@example.org").await;
    peer.on(At::Rcpt, Do::Reply("550 5.1.1 no such user")).times(1);
    rollbook.deliver().await;
    assert_eq!(rollbook.resend(&ada).await.status, 202);
    let shown = rollbook.customer(&ada["id"]).await["verification"].clone();
    assert_eq!((&shown["state"], &shown["attempts"]), (&json!("queued"), &json!(0)));
    assert_eq!(shown["last_error"], Value::Null);
    assert_eq!(rollbook.deliver().await, [Delivery::Sent]);
    let first = peer.next_mail().await.token();

    rollbook.resend(&ada).await;
    rollbook.deliver().await;
    let second = peer.next_mail().await.token();
    assert_ne!(first, second);
    assert_eq!(messages(&rollbook, &ada).await, 3);
    assert_eq!(rollbook.press(&first).await.status, 200, "an older link stays good");
    let deeds = ["registered", "mail_failed", "verification_requested", "mail_sent", "verification_requested"];
    assert_eq!(rollbook.deeds(&ada), [&deeds[..], &["mail_sent", "verified"]].concat());
}

#[tokio::test]
async fn the_three_newest_links_are_good_and_older_ones_are_closed() {
    let rollbook = Rollbook::with(&[NO_COOLDOWN]).await;
    let ada = rollbook.register("ada@example.org").await;
    let mut tokens = vec![rollbook.captured_token(&ada).await];
    for _ in 0..3 {
        rollbook.resend(&ada).await;
        tokens.push(rollbook.captured_token(&ada).await);
    }
    let looked = |token: String| {
        let rollbook = &rollbook;
        async move { rollbook.get(&format!("/verify?token={token}")).await.status }
    };
    let statuses = join_all(tokens.iter().cloned().map(looked)).await;
    assert_eq!(statuses, [410, 200, 200, 200]);
    let closed = rollbook.post("/api/verifications", &json!({ "token": tokens[0] })).await;
    assert_eq!((closed.status, closed.code().as_str()), (410, "TOKEN_EXPIRED"));

    assert!(rollbook.press(&tokens[1]).await.text.contains("is now confirmed"));
    for token in &tokens {
        let again = rollbook.press(token).await;
        assert_eq!(again.status, 200);
        assert!(again.text.contains("already confirmed"), "{again:?}");
    }
}

#[tokio::test]
async fn the_customer_shows_the_newest_proof() {
    let peer = SmtpPeer::start().await;
    let rollbook = Rollbook::sending_to(&peer, &[NO_COOLDOWN]).await;
    let ada = rollbook.register("ada@example.org").await;
    rollbook.deliver().await;
    rollbook.pass(48 * 60 * 60 * SECOND);
    assert_eq!(rollbook.customer(&ada["id"]).await["verification"]["state"], "expired");
    rollbook.resend(&ada).await;
    let queued = json!({
        "state": "queued", "attempts": 0, "last_error": null,
        "next_attempt_at": "2026-02-02T12:00:00.000000Z", "sent_at": null, "expires_at": null,
    });
    assert_eq!(rollbook.customer(&ada["id"]).await["verification"], queued);
    rollbook.deliver().await;
    let sent = json!({
        "state": "sent", "attempts": 1, "last_error": null, "next_attempt_at": null,
        "sent_at": "2026-02-02T12:00:00.000000Z", "expires_at": "2026-02-03T12:00:00.000000Z",
    });
    assert_eq!(rollbook.customer(&ada["id"]).await["verification"], sent);
    assert_eq!(rollbook.customer(&ada["id"]).await["version"], 1, "mail is no change of the customer's own");
}

#[tokio::test]
async fn of_many_requests_at_once_one_mail_is_sent() {
    let rollbook = Rollbook::start().await;
    let ada = rollbook.register("ada@example.org").await;
    rollbook.pass(60 * SECOND);
    let answers = join_all((0..16).map(|_| rollbook.resend(&ada))).await;
    let accepted = answers.iter().filter(|answer| answer.status == 202).count();
    assert_eq!(accepted, 1, "{answers:?}");
    answers.iter().filter(|answer| answer.status != 202).for_each(|answer| assert!(too_soon(answer) >= 1));
    assert_eq!(messages(&rollbook, &ada).await, 2);
    assert_eq!(rollbook.deeds(&ada), ["registered", "verification_requested"]);
}
