//! Verifying: the page behind a mailed link, its button, and the tokens that are none.

mod page;
mod tokens;

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;

use crate::harness::{Answer, Rollbook};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const DAY: Duration = Duration::from_hours(24);

/// Presses the button with headers of one's own.
async fn press_with(rollbook: &Rollbook, headers: &[(&str, &str)], body: &str) -> Answer {
    rollbook.send(Method::POST, "/verify", None, headers, Some(body.to_owned())).await
}

#[tokio::test]
async fn the_button_confirms_once_and_says_so_ever_after() {
    let rollbook = Rollbook::start().await;
    let ada = rollbook.register("ada@example.org").await;
    let token = rollbook.captured_token(&ada).await;
    let thanks = rollbook.press(&token).await;
    assert_eq!(thanks.status, 200);
    assert!(thanks.text.contains("<strong>ada@example.org</strong> is now confirmed"), "{thanks:?}");
    let verified = rollbook.customer(&ada["id"]).await;

    for time in [Duration::ZERO, 2 * DAY, 1000 * DAY] {
        rollbook.pass(time);
        for again in [rollbook.press(&token).await, rollbook.get(&format!("/verify?token={token}")).await] {
            assert_eq!(again.status, 200);
            assert!(again.text.contains("This address is already confirmed"), "{again:?}");
            assert!(!again.text.contains("<button"), "{again:?}");
        }
        let again = rollbook.post("/api/verifications", &json!({ "token": token })).await;
        assert_eq!((again.status, &again.json()["already_verified"]), (200, &json!(true)));
    }
    assert_eq!(rollbook.customer(&ada["id"]).await, verified, "a repeat changes nothing");
    assert_eq!(rollbook.deeds(&ada), ["registered", "verified"]);
}

#[tokio::test]
async fn of_many_presses_at_once_one_confirms_and_all_are_thanked() {
    let rollbook = Rollbook::start().await;
    let ada = rollbook.register("ada@example.org").await;
    let token = rollbook.captured_token(&ada).await;
    let answers = join_all((0..16).map(|_| rollbook.press(&token))).await;
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    let first = answers.iter().filter(|answer| answer.text.contains("is now confirmed")).count();
    let again = answers.iter().filter(|answer| answer.text.contains("already confirmed")).count();
    assert_eq!((first, again), (1, 15));
    assert_eq!(rollbook.deeds(&ada), ["registered", "verified"]);
    assert_eq!(rollbook.customer(&ada["id"]).await["version"], 2);
}

#[tokio::test]
async fn a_token_dies_with_its_time() {
    let rollbook = Rollbook::with(&[("verification_ttl", "1h")]).await;
    let ada = rollbook.register("ada@example.org").await;
    let token = rollbook.captured_token(&ada).await;
    rollbook.pass(Duration::from_secs(60 * 60 - 1));
    assert_eq!(rollbook.get(&format!("/verify?token={token}")).await.status, 200);
    rollbook.pass(Duration::from_secs(1));
    for page in [rollbook.press(&token).await, rollbook.get(&format!("/verify?token={token}")).await] {
        assert_eq!(page.status, 410);
        assert!(page.text.contains("<h1>This link has expired</h1>"), "{page:?}");
    }
    let answer = rollbook.post("/api/verifications", &json!({ "token": token })).await;
    assert_eq!((answer.status, answer.code().as_str()), (410, "TOKEN_EXPIRED"));
    let shown = rollbook.customer(&ada["id"]).await;
    assert_eq!((&shown["verified"], &shown["verification"]["state"]), (&json!(false), &json!("expired")));
}

#[tokio::test]
async fn another_site_cannot_press_the_button() {
    let rollbook = Rollbook::start().await;
    let ada = rollbook.register("ada@example.org").await;
    let body = format!("token={}", rollbook.captured_token(&ada).await);
    let refused = press_with(&rollbook, &[FORM, ("sec-fetch-site", "cross-site")], &body).await;
    assert_eq!(refused.status, 403);
    assert!(refused.text.starts_with("<!doctype html>"), "{refused:?}");
    assert_eq!(rollbook.customer(&ada["id"]).await["verified"], false);
}

#[tokio::test]
async fn our_own_page_and_browsers_that_do_not_say_can_press_the_button() {
    for headers in [&[FORM][..], &[FORM, ("sec-fetch-site", "none")], &[FORM, ("sec-fetch-site", "same-origin")]] {
        let rollbook = Rollbook::start().await;
        let ada = rollbook.register("ada@example.org").await;
        let body = format!("token={}", rollbook.captured_token(&ada).await);
        // What a browser sends along from a page under no-referrer.
        let headers = [headers, &[("origin", "null")]].concat();
        assert_eq!(press_with(&rollbook, &headers, &body).await.status, 200);
        assert_eq!(rollbook.customer(&ada["id"]).await["verified"], true);
    }
}

#[tokio::test]
async fn what_is_no_form_is_refused_with_a_page() {
    let rollbook = Rollbook::start().await;
    let ada = rollbook.register("ada@example.org").await;
    let body = format!("token={}", rollbook.captured_token(&ada).await);
    for media_type in ["application/json", "text/plain", "multipart/form-data; boundary=x", ""] {
        let refused = press_with(&rollbook, &[("content-type", media_type)], &body).await;
        assert_eq!(refused.status, 415, "{media_type}");
        assert!(refused.text.starts_with("<!doctype html>"), "{refused:?}");
    }
    assert_eq!(press_with(&rollbook, &[], &body).await.status, 415);
    let zipped = press_with(&rollbook, &[FORM, ("content-encoding", "gzip")], &body).await;
    assert_eq!(zipped.status, 415);
    let large = format!("{body}&more={}", "x".repeat(64 * 1024));
    let refused = press_with(&rollbook, &[FORM], &large).await;
    assert_eq!(refused.status, 413);
    assert!(refused.text.starts_with("<!doctype html>"), "{refused:?}");
    assert_eq!(rollbook.customer(&ada["id"]).await["verified"], false);

    let charset = ("content-type", "Application/X-WWW-Form-Urlencoded; charset=UTF-8");
    assert_eq!(press_with(&rollbook, &[charset], &body).await.status, 200);
}
