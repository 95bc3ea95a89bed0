//! Looking a customer up, and not getting again what is known already.

use std::time::Duration;

use reqwest::Method;
use rollbook::application::deliver_message::Delivery;

use crate::{
    harness::{Answer, Rollbook},
    smtp_peer::SmtpPeer,
};

async fn ask(rollbook: &Rollbook, path: &str, known: &[&str]) -> Answer {
    let known: Vec<_> = known.iter().map(|known| ("if-none-match", *known)).collect();
    rollbook.send(Method::GET, path, Some(&rollbook.key), &known, None).await
}

fn path_of(customer: &serde_json::Value) -> String {
    format!("/api/customers/{}", customer["id"].as_str().unwrap())
}

#[tokio::test]
async fn what_the_caller_knows_already_is_not_sent_again() {
    let rollbook = Rollbook::start().await;
    let path = path_of(&rollbook.register("ada@example.org").await);
    for known in [&["\"1.0\""][..], &["W/\"1.0\""], &["*"], &["\"0.9\" , \"1.0\""], &["\"0.9\"", "\"1.0\""]] {
        let answer = ask(&rollbook, &path, known).await;
        assert_eq!((answer.status, answer.text.as_str()), (304, ""), "{known:?}");
        assert_eq!(answer.header("etag"), Some("\"1.0\""), "{known:?}");
        assert_eq!(answer.header("content-type"), None, "{known:?}");
    }
    for known in [&[][..], &["\"1.1\""], &["1.0"], &["\"1\""], &[""], &["W/\"2.0\", \"1.00\""]] {
        let answer = ask(&rollbook, &path, known).await;
        assert_eq!((answer.status, answer.header("etag")), (200, Some("\"1.0\"")), "{known:?}");
    }
}

#[tokio::test]
async fn delivered_mail_changes_the_validator_and_not_the_version() {
    let peer = SmtpPeer::start().await;
    let rollbook = Rollbook::sending_to(&peer, &[]).await;
    let path = path_of(&rollbook.register("ada@example.org").await);
    let queued = rollbook.get(&path).await;
    assert_eq!(rollbook.deliver().await, [Delivery::Sent]);
    let sent = ask(&rollbook, &path, &[queued.header("etag").unwrap()]).await;
    assert_eq!((sent.status, sent.json()["version"].clone()), (200, queued.json()["version"].clone()));
    let validators = [&queued, &sent].map(|answer| answer.header("etag").unwrap().split_once('.').unwrap());
    assert_eq!(validators[0].0, validators[1].0, "the part that If-Match compares");
    assert_ne!(validators[0].1, validators[1].1);
}

#[tokio::test]
async fn a_proof_that_expires_by_the_clock_alone_changes_the_validator() {
    let rollbook = Rollbook::with(&[("verification_ttl", "1h")]).await;
    let path = path_of(&rollbook.register("ada@example.org").await);
    let fresh = rollbook.get(&path).await;
    let known = fresh.header("etag").unwrap();
    rollbook.pass(Duration::from_secs(3599));
    assert_eq!(ask(&rollbook, &path, &[known]).await.status, 304, "a second before");
    rollbook.pass(Duration::from_secs(1));
    let expired = ask(&rollbook, &path, &[known]).await;
    assert_eq!(expired.status, 200);
    assert_eq!(expired.json()["verification"]["state"], "expired");
    assert_eq!(expired.json()["version"], fresh.json()["version"]);
    assert_eq!(ask(&rollbook, &path, &[expired.header("etag").unwrap()]).await.status, 304);
}

#[tokio::test]
async fn an_id_that_is_none_or_nobodys_is_not_found() {
    let rollbook = Rollbook::start().await;
    let customer = rollbook.register("ada@example.org").await;
    let id = customer["id"].as_str().unwrap();
    let strange = [
        "x".to_owned(),
        "1".to_owned(),
        "%00".to_owned(),
        "%ff".to_owned(),
        "..%2f..%2fetc".to_owned(),
        "%F0%9F%98%80".to_owned(),
        "'%20OR%201=1".to_owned(),
        format!("{id}%20"),
        id.to_uppercase(),
        id.replace('-', ""),
        format!("{{{id}}}"),
        // Another tail behind the key of the row, and another version.
        format!("{}f", &id[..35]),
        id.replacen("-7", "-4", 1),
        "00000000-0000-0000-0000-000000000000".to_owned(),
        "ffffffff-ffff-ffff-ffff-ffffffffffff".to_owned(),
    ];
    for other in strange {
        for (method, path) in [
            (Method::GET, format!("/api/customers/{other}")),
            (Method::POST, format!("/api/customers/{other}/verification")),
            (Method::GET, format!("/api/messages/{other}")),
        ] {
            let answer = rollbook.send(method.clone(), &path, Some(&rollbook.key), &[], None).await;
            assert_eq!((answer.status, answer.code().as_str()), (404, "NOT_FOUND"), "{method} {path}");
        }
    }
}
