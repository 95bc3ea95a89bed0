//! Stopping finishes what was taken, and waits for nothing else.

use std::time::Duration;

use rollbook::infrastructure::http::server::Limits;
use tokio::{net::TcpStream, time::Instant};

use super::site::{Site, get};

#[tokio::test]
async fn a_stop_waits_for_requests_in_flight_and_for_nothing_else() {
    let mut site = Site::open(Limits::default());
    let mut idle = site.visit().await;
    idle.send(get("/hello")).await;
    assert_eq!(idle.response().await.status, 200);
    let mut half_a_head = site.visit().await;
    half_a_head.send("GET /hello HTTP/1.1\r\n").await;
    let mut in_flight = site.visit().await;
    in_flight.send(get("/wait")).await;
    site.arrival().await;

    site.stop();
    assert_eq!(idle.rest().await.0, "");
    assert_eq!(half_a_head.rest().await.0, "");
    assert!(!site.server.is_finished(), "stopped with a request in flight");
    TcpStream::connect(site.address).await.expect_err("accepted after the stop");

    site.release_one();
    let response = in_flight.response().await;
    assert_eq!(response.body, "waited");
    assert!(response.closes(), "{}", response.head);
    site.ended().await;
}

#[tokio::test]
async fn a_stop_cuts_what_outlasts_the_drain() {
    let drain = Duration::from_millis(200);
    let mut site = Site::open(Limits { drain, ..Limits::default() });
    let mut client = site.visit().await;
    client.send(get("/wait")).await;
    site.arrival().await;
    let stopped = Instant::now();
    site.stop();
    site.ended().await;
    assert!(stopped.elapsed() >= drain, "cut after {:?}", stopped.elapsed());
    assert_eq!(client.rest().await.0, "");
}

#[tokio::test]
async fn a_stop_without_connections_is_immediate() {
    let mut site = Site::open(Limits::default());
    site.stop();
    site.ended().await;
}
