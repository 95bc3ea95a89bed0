//! Requests and their answers, as HTTP/1.1 lets a client put them.

use std::time::Duration;

use rollbook::infrastructure::http::server::Limits;
use tokio::time::{interval, timeout};

use super::site::{LARGE, Site, get, post, request, short};

#[tokio::test]
async fn pipelined_requests_are_all_answered_in_order() {
    let site = Site::open(Limits::default());
    let mut client = site.visit().await;
    let with_body = |text: &str| post("/echo", &format!("Content-Length: {}", text.len())) + text;
    let refused = post("/refuse", "Content-Length: 6") + "unread";
    client.send([get("/hello"), with_body("one"), refused, with_body("two"), get("/hello")].concat()).await;
    for expected in ["hello", "one", "too large", "two", "hello"] {
        assert_eq!(client.response().await.body, expected);
    }
}

#[tokio::test]
async fn a_head_begun_behind_another_request_may_be_finished() {
    let site = Site::open(short());
    let mut client = site.visit().await;
    let (begun, rest) = (get("/hello").split_at(20).0.to_owned(), get("/hello").split_at(20).1.to_owned());
    client.send(get("/hello") + &begun).await;
    assert_eq!(client.response().await.body, "hello");
    client.send(rest).await;
    assert_eq!(client.response().await.body, "hello");
}

#[tokio::test]
async fn an_answer_to_head_has_no_body_and_keeps_the_connection() {
    let site = Site::open(short());
    let mut client = site.visit().await;
    client.send(request("HEAD", "/hello")).await;
    let response = client.response_to("HEAD").await;
    assert!(response.head.contains("content-length: 5"), "{}", response.head);
    client.send(get("/hello")).await;
    assert_eq!(client.response().await.body, "hello");
}

#[tokio::test]
async fn a_client_that_has_said_all_still_gets_its_answer() {
    let soon = Limits { hang_up: Duration::from_mins(1), ..Limits::default() };
    for (request, limits) in [(post("/wait", "Content-Length: 0"), Limits::default()), (get("/wait"), soon)] {
        let mut site = Site::open(limits);
        let mut client = site.visit().await;
        client.send(&request).await;
        site.arrival().await;
        client.say_no_more();
        let answer = timeout(Duration::from_millis(200), client.read()).await;
        answer.expect_err("closed on a client that waits for its answer");
        site.release_one();
        assert_eq!(client.response().await.body, "waited", "{request}");
        assert_eq!(client.rest().await.0, "");
    }
}

#[tokio::test]
async fn what_was_asked_for_behind_one_another_before_all_was_said_is_answered() {
    let site = Site::open(Limits::default());
    let mut client = site.visit().await;
    client.send(get("/hello") + &get("/hello")).await;
    client.say_no_more();
    for _ in 0..2 {
        assert_eq!(client.response().await.body, "hello");
    }
    assert_eq!(client.rest().await.0, "");
}

#[tokio::test]
async fn what_changes_nothing_is_given_up_when_its_client_hangs_up() {
    let mut site = Site::open(Limits::default());
    let mut client = site.visit().await;
    client.send(get("/wait")).await;
    site.arrival().await;
    drop(client);
    site.departure().await;
}

#[tokio::test]
async fn who_has_said_all_may_take_a_long_answer_slowly() {
    let hang_up = Duration::from_millis(20);
    let site = Site::open(Limits { hang_up, ..Limits::default() });
    let mut client = site.visit().await;
    client.send(get("/pour")).await;
    client.say_no_more();
    let mut ticks = interval(hang_up);
    for _ in 0..5 {
        ticks.tick().await;
        client.read().await.unwrap();
    }
    // More than was on its way.
    let mut read = 0;
    while read < LARGE {
        let more = client.read().await.unwrap();
        assert_ne!(more, 0, "cut after {read} bytes");
        read += more;
    }
}

#[tokio::test]
async fn http_1_0_is_answered_and_closed() {
    let site = Site::open(Limits::default());
    let mut client = site.visit().await;
    client.send("GET /hello HTTP/1.0\r\n\r\n").await;
    assert_eq!(client.response().await.body, "hello");
    assert_eq!(client.rest().await.0, "");
}

#[tokio::test]
async fn the_endpoint_learns_the_peers_address() {
    let site = Site::open(Limits::default());
    let mut client = site.visit().await;
    client.send(get("/peer")).await;
    let body = client.response().await.body;
    assert!(body.contains("127.0.0.1:"), "{body}");
}
