//! How a request's body may come.

use std::time::Duration;

use rollbook::infrastructure::http::server::Limits;

use super::site::{Site, get, post};

#[tokio::test]
async fn a_body_that_stalls_is_late_when_its_grace_is_over() {
    let site = Site::open(Limits { body_grace: Duration::from_millis(200), ..Limits::default() });
    let mut client = site.visit().await;
    client.send(post("/echo", "Content-Length: 10") + "12345").await;
    let response = client.response().await;
    assert_eq!((response.status, response.body.as_str()), (408, "late"));
    assert!(response.closes(), "{}", response.head);
    assert!(client.since.elapsed() >= Duration::from_millis(200));
}

#[tokio::test]
async fn a_body_that_drips_below_the_rate_is_late() {
    let limits = Limits { body_grace: Duration::from_millis(200), body_rate: 1024, ..Limits::default() };
    let site = Site::open(limits);
    let mut client = site.visit().await;
    client.send(post("/echo", "Content-Length: 100000")).await;
    client.drip("x", Duration::from_millis(20));
    assert_eq!(client.response().await.status, 408);
    assert!(client.since.elapsed() < Duration::from_secs(2), "late after {:?}", client.since.elapsed());
}

#[tokio::test]
async fn a_body_above_the_rate_outlives_its_grace_and_ends_with_its_time() {
    let (grace, body) = (Duration::from_millis(100), Duration::from_millis(600));
    let site = Site::open(Limits { body_grace: grace, body_rate: 1024, body, ..Limits::default() });
    let mut client = site.visit().await;
    client.send(post("/echo", "Content-Length: 1000000")).await;
    client.drip([b'x'; 512], Duration::from_millis(20));
    assert_eq!(client.response().await.status, 408);
    let elapsed = client.since.elapsed();
    assert!(elapsed >= body && elapsed < body * 4, "late after {elapsed:?}");
}

#[tokio::test]
async fn a_slow_body_within_its_deadlines_arrives_whole() {
    let site = Site::open(Limits { body_grace: Duration::from_millis(50), ..Limits::default() });
    let mut client = site.visit().await;
    let piece = "x".repeat(2000);
    client.send(post("/echo", "Transfer-Encoding: chunked")).await;
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    for _ in 0..10 {
        ticks.tick().await;
        client.send(format!("7d0\r\n{piece}\r\n")).await;
    }
    client.send("0\r\n\r\n").await;
    let response = client.response().await;
    assert_eq!((response.status, response.body), (200, piece.repeat(10)));
}

#[tokio::test]
async fn a_chunked_body_is_measured_while_it_is_read() {
    let site = Site::open(Limits::default());
    let mut client = site.visit().await;
    let chunk = format!("40000\r\n{}\r\n", "x".repeat(0x40000));
    client.send(post("/echo", "Transfer-Encoding: chunked") + &chunk.repeat(5) + "0\r\n\r\n").await;
    assert_eq!(client.response().await.status, 413);
}

#[tokio::test]
async fn a_broken_chunk_fails_the_body_and_closes() {
    let site = Site::open(Limits::default());
    let mut client = site.visit().await;
    client.send(post("/echo", "Transfer-Encoding: chunked") + "5\r\nhello\r\nnonsense\r\n").await;
    let response = client.response().await;
    assert_eq!(response.status, 400);
    assert!(response.closes(), "{}", response.head);
    assert_eq!(client.rest().await.0, "");
}

/// Whoever passed it on may have gone by the other length, and taken what follows for a request of its own (RFC 9112,
/// section 11.2).
#[tokio::test]
async fn what_follows_a_body_of_two_lengths_is_no_request() {
    let site = Site::open(Limits::default());
    for lengths in
        ["Content-Length: 5\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nContent-Length: 5"]
    {
        let mut client = site.visit().await;
        client.send(post("/echo", lengths) + "2\r\nhi\r\n0\r\n\r\n" + &get("/hello")).await;
        let response = client.response().await;
        assert_eq!(response.body, "hi");
        assert!(response.closes(), "{}", response.head);
        assert_eq!(client.rest().await.0, "");
    }
}

#[tokio::test]
async fn a_body_that_nobody_reads_is_not_taken_in() {
    let mut site = Site::open(Limits::default());
    let mut client = site.visit().await;
    client.send(post("/wait", "Transfer-Encoding: chunked")).await;
    site.arrival().await;
    let chunk = format!("40000\r\n{}\r\n", "x".repeat(0x40000));
    let taken = client.flood(chunk.into_bytes()).await.unwrap();
    // What the two kernels' buffers hold: the server itself takes a piece or two.
    assert!(taken < 24 * 1024 * 1024, "{taken} bytes were taken though nobody read them");
}

#[tokio::test]
async fn a_response_may_stream_out_of_the_requests_body() {
    let site = Site::open(Limits::default());
    let mut client = site.visit().await;
    client.send(post("/mirror", "Content-Length: 10\r\nConnection: close") + "12345").await;
    assert_eq!(client.response().await.status, 200);
    client.send("67890").await;
    let (text, _) = client.rest().await;
    assert!(text.contains("12345") && text.contains("67890"), "{text:?}");
}
