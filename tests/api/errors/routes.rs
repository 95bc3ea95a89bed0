//! Paths that lead nowhere, and methods that a path does not know.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;

use super::assert_failure;
use crate::harness::{Answer, Rollbook, operations};

const PLAIN: [&str; 7] =
    ["/docs", "/openapi.json", "/openapi.yaml", "/livez", "/readyz", "/metrics", "/assets/page.css"];

/// Every path with the methods it knows, as `Allow` says them.
fn routes() -> Vec<(String, String)> {
    let mut routes = BTreeMap::<String, BTreeSet<String>>::new();
    let mut know = |path: &str, method: &str| {
        let methods = routes.entry(path.to_owned()).or_default();
        methods.insert("OPTIONS".to_owned());
        methods.insert(method.to_owned());
        if method == "GET" {
            methods.insert("HEAD".to_owned());
        }
    };
    operations().for_each(|operation| know(&operation.path(), operation.method.as_str()));
    for path in PLAIN {
        know(path, "GET");
    }
    for method in ["GET", "POST"] {
        know("/verify", method);
    }
    routes.into_iter().map(|(path, methods)| (path, methods.into_iter().collect::<Vec<_>>().join(", "))).collect()
}

async fn send(rollbook: &Rollbook, method: &str, path: &str) -> Answer {
    rollbook.send(method.parse().unwrap(), path, Some(&rollbook.key), &[], None).await
}

#[tokio::test]
async fn every_path_answers_a_method_it_does_not_know_with_those_it_does() {
    let rollbook = Rollbook::start().await;
    for (path, allow) in routes() {
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "BREW", "get"] {
            let answer = send(&rollbook, method, &path).await;
            if allow.split(", ").any(|known| known == method) {
                assert_ne!(answer.status, 405, "{method} {path}");
                continue;
            }
            assert_eq!((answer.status, answer.header("allow")), (405, Some(allow.as_str())), "{method} {path}");
            if method == "HEAD" {
                assert_eq!(answer.text, "");
            } else if path == "/verify" {
                assert!(answer.text.contains("<h1>"), "a page for people: {answer:?}");
            } else {
                assert_failure(&answer, 405, "METHOD_NOT_ALLOWED");
            }
        }
    }
}

#[tokio::test]
async fn every_path_tells_what_it_knows_when_asked_for_its_options_without_a_key() {
    let rollbook = Rollbook::start().await;
    for (path, allow) in routes() {
        let answer = rollbook.send(Method::OPTIONS, &path, None, &[], None).await;
        let told = (answer.status, answer.text.as_str(), answer.header("allow"));
        assert_eq!(told, (204, "", Some(allow.as_str())), "{path}");
    }
}

#[tokio::test]
async fn head_is_answered_as_get_without_the_body() {
    let rollbook = Rollbook::start().await;
    let customer = rollbook.register("ada@example.org").await;
    let known = format!("/api/customers/{}", customer["id"].as_str().unwrap());
    for path in PLAIN.into_iter().chain([known.as_str(), "/api/messages", "/verify", "/nowhere"]) {
        let (get, head) = (send(&rollbook, "GET", path).await, send(&rollbook, "HEAD", path).await);
        assert_eq!((head.status, head.text.as_str()), (get.status, ""), "{path}");
        for name in ["content-type", "etag", "cache-control", "content-security-policy"] {
            assert_eq!(head.header(name), get.header(name), "{path} {name}");
        }
    }
}

#[tokio::test]
async fn a_path_that_leads_nowhere_is_not_found_whoever_asks_and_however() {
    let rollbook = Rollbook::start().await;
    for path in [
        "/",
        "/nowhere",
        "/api",
        "/api/",
        "/api/nowhere",
        "/api/customers/",
        "/api/customers/x/y",
        "/api/messages/",
        "/API/customers",
        "/api//customers",
        "/api%2Fcustomers",
        "/verify/",
        "/docs/",
        "/docs/swagger-ui.css",
        "/openapi.json/",
        "/livez/x",
        "/favicon.ico",
        "/%ff",
        "/verify%ff",
        "/api/customers/%ff/verification",
        "/api/customers/%c3%28",
        "/api/nowhere?x=%ff",
    ] {
        for method in ["GET", "POST", "DELETE", "OPTIONS"] {
            let answer = send(&rollbook, method, path).await;
            assert_failure(&answer, 404, "NOT_FOUND");
        }
    }
}

#[tokio::test]
async fn a_target_may_have_two_kibibytes_and_no_more() {
    let rollbook = Rollbook::start().await;
    for path in ["/api/customers", "/verify", "/nowhere"] {
        let longest = format!("{path}?q={}", "x".repeat(2048 - path.len() - 3));
        assert_ne!(send(&rollbook, "GET", &longest).await.status, 414, "{path}");
        let refused = send(&rollbook, "GET", &format!("{longest}x")).await;
        if path == "/verify" {
            assert_eq!((refused.status, refused.text.contains("This link is not valid")), (414, true), "{refused:?}");
        } else {
            assert_failure(&refused, 414, "MALFORMED_REQUEST");
        }
    }
    let unlisted = send(&rollbook, "GET", &format!("/api/messages?cursor={}", "x".repeat(2048))).await;
    assert_failure(&unlisted, 414, "MALFORMED_REQUEST");
}

#[tokio::test]
async fn a_request_names_one_host() {
    let rollbook = Rollbook::start().await;
    for (version, hosts, status) in [
        ("1.1", "Host: roll.example:8080\r\n", 200),
        ("1.1", "Host: [::1]:8080\r\n", 200),
        ("1.1", "Host:\r\n", 200),
        ("1.0", "", 200),
        ("1.1", "", 400),
        ("1.1", "Host: roll.example\r\nHost: roll.example\r\n", 400),
        ("1.0", "Host: a.example\r\nHost: b.example\r\n", 400),
        ("1.1", "Host: roll.example/x\r\n", 400),
        ("1.1", "Host: a@b.example\r\n", 400),
        ("1.1", "Host: ro ll\r\n", 400),
        ("1.1", "Host: r\u{f6}ll.example\r\n", 400),
    ] {
        let mut client = rollbook.visit().await;
        client.send(format!("GET /livez HTTP/{version}\r\n{hosts}\r\n")).await;
        let response = client.response().await;
        assert_eq!(response.status, status, "{hosts:?}: {response:?}");
        if status == 400 {
            assert!(response.body.starts_with("{\"code\":\"MALFORMED_REQUEST\""), "{response:?}");
            assert!(response.closes(), "{response:?}");
        }
    }
}

#[tokio::test]
async fn strange_targets_are_answered_and_harm_nobody() {
    let rollbook = Rollbook::start().await;
    for line in
        ["OPTIONS *", "CONNECT example.org:443", "GET http://elsewhere.example/api/customers", "GET /?%", "GET //"]
    {
        let mut client = rollbook.visit().await;
        client.send(format!("{line} HTTP/1.1\r\nHost: roll\r\n\r\n")).await;
        let response = client.response().await;
        assert!((400..500).contains(&response.status), "{line}: {response:?}");
        assert!(response.body.starts_with("{\"code\":"), "{line}: {response:?}");
    }
    assert_eq!(rollbook.get("/livez").await.status, 200);
}
