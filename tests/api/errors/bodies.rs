//! Bodies that cannot be read, each refused before anything is made of it.

use reqwest::Method;
use serde_json::json;

use super::assert_failure;
use crate::harness::{Answer, Rollbook};

const JSON: (&str, &str) = ("content-type", "application/json");

async fn post(rollbook: &Rollbook, headers: &[(&str, &str)], body: impl Into<String>) -> Answer {
    rollbook.send(Method::POST, "/api/customers", Some(&rollbook.key), headers, Some(body.into())).await
}

fn ada() -> String {
    json!({ "name": "Ada", "email": "ada@example.org" }).to_string()
}

#[tokio::test]
async fn what_is_no_json_that_is_taken_here_is_malformed() {
    let rollbook = Rollbook::start().await;
    let deep = format!(r#"{{"metadata":{}{}}}"#, "[".repeat(8), "]".repeat(8));
    let wide = format!(r#"{{"metadata":[{}]}}"#, vec!["1"; 129].join(","));
    let bottomless = "[".repeat(60_000);
    let before = rollbook.rows();
    for body in [
        "",
        " ",
        "{",
        "}",
        "nul",
        "undefined",
        "NaN",
        "ada",
        "{'name':'Ada'}",
        "{name:\"Ada\"}",
        r#"{"name":"Ada"}{}"#,
        r#"{"name":"Ada"},"#,
        r#"{"name":"Ada",}"#,
        r#"{"name":"Ada" "email":"a@example.org"}"#,
        "// a comment\n{}",
        "\u{feff}{}",
        r#"{"name":"Ada","name":"Ada","email":"ada@example.org"}"#,
        r#"{"name":"Ada","n\u0061me":"Eve","email":"ada@example.org"}"#,
        r#"{"name":"Ada","email":"ada@example.org","metadata":{"a":"1","a":"2"}}"#,
        r#"{"name":"Ada","email":"ada@example.org","x":{"a":1,"a":2}}"#,
        r#"{"name":"\ud800","email":"ada@example.org"}"#,
        r#"{"name":"\ude00\ud83d","email":"ada@example.org"}"#,
        r#"{"name":"\x41"}"#,
        "{\"name\":\"a\nb\"}",
        "{\"name\":\"a\0b\"}",
        r#"{"version":01}"#,
        r#"{"version":1e999}"#,
        &deep,
        &wide,
        &bottomless,
    ] {
        let answer = post(&rollbook, &[JSON], body).await;
        assert_failure(&answer, 400, "MALFORMED_REQUEST");
        let answer = rollbook.send(Method::POST, "/api/verifications", None, &[JSON], Some(body.to_owned())).await;
        assert_failure(&answer, 400, "MALFORMED_REQUEST");
    }
    assert_eq!(rollbook.rows(), before);
}

#[tokio::test]
async fn a_body_that_is_no_utf_8_is_malformed() {
    let rollbook = Rollbook::start().await;
    let mut client = rollbook.visit().await;
    let body = b"{\"name\":\"Jos\xe9\",\"email\":\"ada@example.org\"}";
    client.send(head(&rollbook, &format!("Content-Length: {}\r\n", body.len()))).await;
    client.send(body).await;
    let response = client.response().await;
    assert_eq!(response.status, 400, "{response:?}");
    assert!(response.body.contains("MALFORMED_REQUEST"), "{response:?}");
}

#[tokio::test]
async fn only_plain_json_is_taken() {
    let rollbook = Rollbook::start().await;
    let before = rollbook.rows();
    for headers in [
        &[][..],
        &[("content-type", "")],
        &[("content-type", "text/plain")],
        &[("content-type", "application/x-www-form-urlencoded")],
        &[("content-type", "application/merge-patch+json")],
        &[("content-type", "application/json; charset=utf-16")],
        &[("content-type", "application/json, text/plain")],
        &[JSON, ("content-encoding", "gzip")],
        &[JSON, ("content-encoding", "br, identity")],
        &[JSON, ("content-encoding", "identity"), ("content-encoding", "gzip")],
    ] {
        for body in [ada(), String::new(), "{".to_owned()] {
            let answer = post(&rollbook, headers, body).await;
            assert_failure(&answer, 415, "UNSUPPORTED_MEDIA_TYPE");
        }
    }
    assert_eq!(rollbook.rows(), before);
    for (n, headers) in [
        &[("content-type", "APPLICATION/json;charset=UTF-8")][..],
        &[("content-type", "application/json; charset=\"utf-8\"; x=y")],
        &[JSON, ("content-encoding", "identity")],
        &[JSON, ("content-encoding", "Identity")],
    ]
    .into_iter()
    .enumerate()
    {
        let body = json!({ "name": "Ada", "email": format!("a{n}@example.org") }).to_string();
        assert_eq!(post(&rollbook, headers, body).await.status, 201, "{headers:?}");
    }
}

/// A registration of just so many bytes.
fn of_size(bytes: usize) -> String {
    let body = ada();
    let room = " ".repeat(bytes - body.len());
    body + &room
}

#[tokio::test]
async fn a_body_may_have_64_kibibytes_and_no_more() {
    let rollbook = Rollbook::start().await;
    for size in [65_537, 1_000_000] {
        assert_failure(&post(&rollbook, &[JSON], of_size(size)).await, 413, "PAYLOAD_TOO_LARGE");
    }
    assert_eq!(rollbook.count("customers"), 0);
    assert_eq!(post(&rollbook, &[JSON], of_size(65_536)).await.status, 201);
}

#[tokio::test]
async fn a_body_of_unsaid_size_is_refused_once_it_is_too_large_and_the_connection_stays_good() {
    let rollbook = Rollbook::start().await;
    let mut client = rollbook.visit().await;
    for (size, status) in [(65_537, 413), (3_000_000, 413), (65_536, 201), (1_000_000, 413)] {
        client.send(head(&rollbook, "Transfer-Encoding: chunked\r\n")).await;
        for chunk in of_size(size).as_bytes().chunks(10_000) {
            client.send(format!("{:x}\r\n", chunk.len())).await;
            client.send(chunk).await;
            client.send("\r\n").await;
        }
        client.send("0\r\n\r\n").await;
        let response = client.response().await;
        assert_eq!(response.status, status, "{size}: {response:?}");
        assert_eq!(response.body.contains("PAYLOAD_TOO_LARGE"), status == 413, "{response:?}");
    }
}

#[tokio::test]
async fn a_body_is_in_no_transfer_coding_but_chunked() {
    let rollbook = Rollbook::start().await;
    let mut client = rollbook.visit().await;
    let body = ada();
    for (coding, status) in [("gzip, chunked", 415), ("identity\r\nTransfer-Encoding: chunked", 415), ("Chunked", 201)]
    {
        client.send(head(&rollbook, &format!("Transfer-Encoding: {coding}\r\n"))).await;
        client.send(format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len())).await;
        let response = client.response().await;
        assert_eq!(response.status, status, "{coding}: {response:?}");
        assert_eq!(response.body.contains("UNSUPPORTED_MEDIA_TYPE"), status == 415, "{response:?}");
    }
}

#[tokio::test]
async fn a_body_that_is_said_to_be_too_large_is_refused_before_it_is_sent() {
    let rollbook = Rollbook::start().await;
    let mut client = rollbook.visit().await;
    client.send(head(&rollbook, "Content-Length: 65537\r\nExpect: 100-continue\r\n")).await;
    let response = client.response().await;
    assert_eq!(response.status, 413, "{response:?}");
}

#[tokio::test]
async fn a_body_that_ends_before_it_is_complete_registers_nobody() {
    let rollbook = Rollbook::start().await;
    let mut client = rollbook.visit().await;
    let body = ada();
    client.send(head(&rollbook, &format!("Content-Length: {}\r\n", body.len() + 1))).await;
    client.send(&body).await;
    client.say_no_more();
    client.rest().await;
    assert_eq!(rollbook.count("customers"), 0);
}

/// The head of a registration, up to the fields of its body.
fn head(rollbook: &Rollbook, fields: &str) -> String {
    let key = &rollbook.key;
    format!(
        "POST /api/customers HTTP/1.1\r\nHost: roll\r\nAuthorization: Bearer {key}\r\n\
         Content-Type: application/json\r\n{fields}\r\n"
    )
}
