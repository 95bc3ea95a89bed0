//! The headers of every kind of answer, and which pages of other origins may call.

use std::collections::HashSet;

use reqwest::Method;
use serde_json::json;

use crate::harness::{Answer, Rollbook, operations};

const LISTED: &str = "https://shop.example.org";
const ALSO_LISTED: &str = "http://localhost:3000";

async fn open() -> Rollbook {
    Rollbook::with(&[("cors_origins", &format!("{LISTED},{ALSO_LISTED}"))]).await
}

/// One answer of every kind that there is, the pages, the document and the refusals of the edge included.
async fn one_of_each(rollbook: &Rollbook) -> Vec<(String, Answer)> {
    let customer = rollbook.register("ada@example.org").await;
    let token = rollbook.captured_token(&customer).await;
    let customer = format!("/api/customers/{}", customer["id"].as_str().unwrap());
    let (long, large) = (format!("/{}", "x".repeat(3000)), "x".repeat(70_000));
    let mut answers = Vec::new();
    for (method, path, headers, body, status) in [
        ("GET", customer.as_str(), &[][..], "", 200),
        ("HEAD", &customer, &[], "", 200),
        ("GET", &customer, &[("if-none-match", "*")], "", 304),
        ("POST", "/api/customers", &[("content-type", "application/json")], r#"{"name":"a","email":"a@b.cd"}"#, 201),
        ("POST", "/api/customers", &[("content-type", "application/json")], r#"{"name":"a","email":"a@b.cd"}"#, 409),
        ("POST", "/api/customers", &[("content-type", "application/json")], "{", 400),
        ("POST", "/api/customers", &[("content-type", "application/json")], "{}", 422),
        ("POST", "/api/customers", &[("content-type", "application/json")], &large, 413),
        ("POST", "/api/customers", &[("content-type", "text/plain")], "{}", 415),
        ("POST", &format!("{customer}/verification"), &[], "", 429),
        ("PUT", "/api/customers", &[], "", 405),
        ("GET", "/api/messages", &[], "", 200),
        ("GET", "/api/messages", &[("authorization", "x")], "", 401),
        ("OPTIONS", "/api/messages", &[], "", 204),
        ("GET", "/nowhere", &[], "", 404),
        ("GET", &long, &[], "", 414),
        ("GET", &format!("/verify?token={token}"), &[], "", 200),
        ("GET", "/verify", &[], "", 422),
        ("PUT", "/verify", &[], "", 405),
        ("POST", "/verify", &[("content-type", "application/x-www-form-urlencoded")], &format!("token={token}"), 200),
        ("GET", "/assets/page.css", &[], "", 200),
        ("GET", "/docs", &[], "", 200),
        ("GET", "/openapi.json", &[], "", 200),
        ("GET", "/openapi.yaml", &[], "", 200),
        ("GET", "/livez", &[], "", 200),
        ("GET", "/readyz", &[], "", 200),
        ("GET", "/metrics", &[], "", 200),
    ] {
        let key = headers.iter().all(|(name, _)| *name != "authorization").then_some(rollbook.key.as_str());
        let answer = rollbook.send(method.parse().unwrap(), path, key, headers, Some(body.to_owned())).await;
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
        answers.push((format!("{method} {path} {status}"), answer));
    }
    answers
}

#[tokio::test]
async fn every_answer_forbids_what_browsers_and_caches_might_do_with_it() {
    let rollbook = open().await;
    for (what, answer) in one_of_each(&rollbook).await {
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{what}");
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{what}");
        assert_eq!(answer.header("cross-origin-opener-policy"), Some("same-origin"), "{what}");
        let is_stylesheet = what.contains("/assets/");
        let cached = if is_stylesheet { "public, max-age=3600" } else { "no-store" };
        assert_eq!(answer.header("cache-control"), Some(cached), "{what}");
        let policy = answer.header("content-security-policy").unwrap_or_default();
        for part in ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"] {
            assert!(policy.split("; ").any(|directive| directive == part), "{what}: {policy}");
        }
        for told in ["server", "x-powered-by", "set-cookie"] {
            assert_eq!(answer.header(told), None, "{what}");
        }
    }
}

#[tokio::test]
async fn every_answer_with_a_body_says_its_media_type_and_its_charset() {
    let rollbook = open().await;
    for (what, answer) in one_of_each(&rollbook).await.into_iter().filter(|(_, answer)| !answer.text.is_empty()) {
        let media_type = answer.header("content-type").unwrap_or_else(|| panic!("{what}"));
        assert!(media_type.ends_with("; charset=utf-8"), "{what}: {media_type}");
        let is_page = what.contains("/verify?") || what.contains("T /verify ") || what.contains("/docs");
        assert_eq!(media_type.starts_with("text/html"), is_page, "{what}: {media_type}");
    }
}

#[tokio::test]
async fn every_answer_has_an_id_of_its_own() {
    let rollbook = open().await;
    let answers = one_of_each(&rollbook).await;
    let ids: HashSet<_> = answers.iter().map(|(_, answer)| answer.header("x-request-id").unwrap()).collect();
    assert_eq!(ids.len(), answers.len());
    let guessed = [("x-request-id", "mine")];
    let answer = rollbook.send(Method::GET, "/livez", None, &guessed, None).await;
    assert_ne!(answer.header("x-request-id"), Some("mine"), "nobody else gives ids");
}

/// What an answer lets pages of other origins do.
fn cors(answer: &Answer) -> Vec<(&str, &str)> {
    let allows = |name: &str| name.starts_with("access-control-");
    let mut headers: Vec<_> =
        answer.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
    headers.retain(|(name, _)| allows(name));
    headers.sort_unstable();
    headers
}

async fn verify_from(rollbook: &Rollbook, method: Method, origin: &str) -> Answer {
    let asked = [
        ("origin", origin),
        ("content-type", "application/json"),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "content-type"),
    ];
    rollbook.send(method, "/api/verifications", None, &asked, Some(json!({ "token": "x" }).to_string())).await
}

#[tokio::test]
async fn every_answer_varies_by_origin() {
    let rollbook = open().await;
    for (what, answer) in one_of_each(&rollbook).await {
        assert_eq!(answer.header("vary"), Some("Origin"), "{what}");
        assert_eq!(cors(&answer), [], "{what}, asked from no origin");
    }
    for origin in [LISTED, "https://evil.example"] {
        assert_eq!(verify_from(&rollbook, Method::POST, origin).await.header("vary"), Some("Origin"), "{origin}");
    }
}

#[tokio::test]
async fn pages_of_a_listed_origin_may_call_what_needs_no_key() {
    let rollbook = open().await;
    for origin in [LISTED, ALSO_LISTED] {
        let answer = verify_from(&rollbook, Method::POST, origin).await;
        assert_eq!(answer.status, 422, "{answer:?}");
        let simple =
            [("access-control-allow-origin", origin), ("access-control-expose-headers", "X-Request-Id, Retry-After")];
        assert_eq!(cors(&answer), simple);
        let preflight = verify_from(&rollbook, Method::OPTIONS, origin).await;
        assert_eq!(preflight.status, 204, "{preflight:?}");
        let allowed = [
            ("access-control-allow-headers", "content-type, idempotency-key"),
            ("access-control-allow-methods", "OPTIONS, POST"),
            ("access-control-allow-origin", origin),
            ("access-control-expose-headers", "X-Request-Id, Retry-After"),
            ("access-control-max-age", "600"),
        ];
        assert_eq!(cors(&preflight), allowed);
    }
}

#[tokio::test]
async fn pages_of_other_origins_may_not_however_much_they_look_like_a_listed_one() {
    let rollbook = open().await;
    for origin in [
        "https://evil.example",
        "null",
        "*",
        "",
        "https://shop.example.org.evil.example",
        "https://evil-shop.example.org",
        "https://shop.example.org:8443",
        "https://shop.example.org/",
        "https://sub.shop.example.org",
        "http://shop.example.org",
        "https://SHOP.example.org",
        "https://shop.example.org, https://evil.example",
        "https://shop.example.org@evil.example",
        "http://localhost",
        "http://localhost:30000",
        "https://sh\u{f6}p.example.org",
    ] {
        for method in [Method::POST, Method::OPTIONS] {
            let answer = verify_from(&rollbook, method.clone(), origin).await;
            assert!([422, 204].contains(&answer.status), "it is no error: {answer:?}");
            assert_eq!(cors(&answer), [], "{method} from {origin}");
        }
    }
}

#[tokio::test]
async fn pages_of_a_listed_origin_may_not_call_what_needs_a_key_nor_read_our_pages() {
    let rollbook = open().await;
    let keyed = operations().filter(|operation| operation.id() != "verify_email").map(|operation| operation.path());
    let ours = ["/verify", "/docs", "/openapi.json", "/livez", "/metrics", "/nowhere"].map(str::to_owned);
    for path in keyed.chain(ours) {
        for method in [Method::GET, Method::POST, Method::OPTIONS] {
            let asked = [("origin", LISTED), ("access-control-request-method", "POST")];
            let answer = rollbook.send(method.clone(), &path, Some(&rollbook.key), &asked, None).await;
            assert_eq!(cors(&answer), [], "{method} {path}");
        }
    }
}

#[tokio::test]
async fn an_empty_list_lets_nobody_call() {
    let rollbook = Rollbook::start().await;
    for origin in [LISTED, "null", "", &rollbook.url] {
        for method in [Method::POST, Method::OPTIONS] {
            assert_eq!(cors(&verify_from(&rollbook, method.clone(), origin).await), [], "{method} from {origin:?}");
        }
    }
}
