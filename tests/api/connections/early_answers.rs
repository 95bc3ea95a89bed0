//! An answer given before the request's body is read still arrives.

use std::time::Duration;

use rollbook::infrastructure::http::server::Limits;

use super::site::{Site, get, post};

#[tokio::test]
async fn a_refusal_reaches_a_client_that_sends_a_megabyte_first() {
    let site = Site::open(Limits::default());
    let mut client = site.visit().await;
    client.send(post("/refuse", "Content-Length: 1000000")).await;
    client.send(vec![b'x'; 1_000_000]).await;
    let response = client.response().await;
    assert_eq!((response.status, response.body.as_str()), (413, "too large"));
    assert!(!response.closes(), "{}", response.head);
    client.send(get("/hello")).await;
    assert_eq!(client.response().await.body, "hello");
}

#[tokio::test]
async fn what_is_left_of_a_body_read_in_part_is_read_too() {
    let site = Site::open(Limits::default());
    let mut client = site.visit().await;
    client.send(post("/echo", "Content-Length: 3000000")).await;
    client.send(vec![b'x'; 3_000_000]).await;
    assert_eq!(client.response().await.status, 413);
    client.send(get("/hello")).await;
    assert_eq!(client.response().await.body, "hello");
}

#[tokio::test]
async fn an_endless_body_is_cut_and_the_refusal_arrives() {
    let limits = Limits { discard_size: 1024 * 1024, linger: Duration::from_millis(500), ..Limits::default() };
    let site = Site::open(limits);
    let mut client = site.visit().await;
    client.send(post("/refuse", "Transfer-Encoding: chunked")).await;
    let flood = client.flood(format!("4000\r\n{}\r\n", "x".repeat(0x4000)).into_bytes());
    let response = client.response().await;
    assert_eq!((response.status, response.body.as_str()), (413, "too large"));
    assert!(response.closes(), "{}", response.head);
    let sent = flood.await.unwrap();
    assert!(sent < 32 * 1024 * 1024, "{sent} bytes were taken from a body refused after one mebibyte");
}

#[tokio::test]
async fn a_body_announced_beyond_the_bounds_is_not_waited_for() {
    let site = Site::open(Limits::default());
    let mut client = site.visit().await;
    client.send(post("/refuse", "Content-Length: 9000000000") + "a beginning").await;
    let response = client.response().await;
    assert_eq!(response.status, 413);
    assert!(response.closes(), "{}", response.head);
    client.say_no_more();
    let (text, elapsed) = client.rest().await;
    assert_eq!(text, "");
    assert!(elapsed < Limits::default().linger, "closed only after {elapsed:?}");
}

#[tokio::test]
async fn a_refused_body_that_stalls_holds_the_answer_up_no_longer_than_allowed() {
    let limits =
        Limits { discard_time: Duration::from_millis(200), linger: Duration::from_millis(200), ..Limits::default() };
    let site = Site::open(limits);
    let mut client = site.visit().await;
    client.send(post("/refuse", "Content-Length: 1000") + "a beginning").await;
    let response = client.response().await;
    assert_eq!(response.status, 413);
    assert!(response.closes(), "{}", response.head);
    let (text, elapsed) = client.rest().await;
    assert_eq!(text, "");
    assert!(elapsed >= Duration::from_millis(200), "answered after {elapsed:?} already");
    assert!(elapsed < Duration::from_secs(2), "closed only after {elapsed:?}");
}

#[tokio::test]
async fn a_client_that_lingers_after_a_refusal_is_closed_on() {
    let linger = Duration::from_millis(400);
    let site = Site::open(Limits { linger, ..Limits::default() });
    let mut client = site.visit().await;
    client.send(post("/refuse", "Content-Length: 9000000000")).await;
    let dripped = client.drip("x", Duration::from_millis(20));
    assert_eq!(client.response().await.status, 413);
    assert!(dripped.await.unwrap() > 5, "closed at once on a client that was sending");
    assert!(client.since.elapsed() < Duration::from_secs(2), "closed only after {:?}", client.since.elapsed());
}

#[tokio::test]
async fn a_body_is_not_invited_to_be_refused() {
    let site = Site::open(Limits::default());
    let mut client = site.visit().await;
    client.send(post("/refuse", "Content-Length: 1000\r\nExpect: 100-continue")).await;
    let response = client.response().await;
    assert_eq!((response.status, response.body.as_str()), (413, "too large"));
    assert!(response.closes(), "{}", response.head);
}

#[tokio::test]
async fn a_body_that_is_wanted_is_invited() {
    let site = Site::open(Limits::default());
    let mut client = site.visit().await;
    client.send(post("/echo", "Content-Length: 5\r\nExpect: 100-continue")).await;
    assert_eq!(client.response().await.status, 100);
    client.send("hello").await;
    assert_eq!(client.response().await.body, "hello");
    client.send(get("/hello")).await;
    assert_eq!(client.response().await.status, 200);
}
