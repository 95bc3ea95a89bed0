//! By when a client has to say something, and by when to listen.

use std::time::Duration;

use rollbook::infrastructure::http::server::Limits;
use tokio::time::{Instant, interval, timeout};

use super::site::{LARGE, Site, get, short};

/// Far below the ten seconds that an unlimited client of these tests would take, far above what a slow machine adds.
const SLACK: Duration = Duration::from_secs(2);

fn assert_closed_at(deadline: Duration, elapsed: Duration) {
    assert!(elapsed >= deadline, "closed after {elapsed:?}, before the deadline of {deadline:?}");
    assert!(elapsed < deadline + SLACK, "closed after {elapsed:?}, late for the deadline of {deadline:?}");
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_closed_at_the_head_deadline() {
    let site = Site::open(short());
    let (text, elapsed) = site.visit().await.rest().await;
    assert_eq!(text, "");
    assert_closed_at(short().head, elapsed);
}

#[tokio::test]
async fn half_a_head_is_closed_at_the_head_deadline() {
    let site = Site::open(short());
    let mut client = site.visit().await;
    client.send("GET /hello HTTP/1.1\r\nHost: rollb").await;
    let (text, elapsed) = client.rest().await;
    assert_eq!(text, "");
    assert_closed_at(short().head, elapsed);
}

#[tokio::test]
async fn a_dripping_head_does_not_move_its_deadline() {
    let site = Site::open(short());
    let mut client = site.visit().await;
    client.send("GET /hello HTTP/1.1\r\nX: ").await;
    client.drip("x", Duration::from_millis(20));
    assert_closed_at(short().head, client.rest().await.1);
}

#[tokio::test]
async fn an_idle_connection_outlives_the_head_deadline_and_ends_at_its_own() {
    let site = Site::open(short());
    let mut client = site.visit().await;
    client.send(get("/hello")).await;
    assert_eq!(client.response().await.body, "hello");
    let (text, elapsed) = client.rest().await;
    assert_eq!(text, "");
    assert_closed_at(short().idle, elapsed);
}

#[tokio::test]
async fn the_head_after_an_idle_while_has_the_head_deadline_again() {
    let site = Site::open(Limits { idle: Duration::from_mins(1), ..short() });
    let mut client = site.visit().await;
    client.send(get("/hello")).await;
    assert_eq!(client.response().await.body, "hello");
    client.since = Instant::now();
    client.send("GET /hello HT").await;
    assert_closed_at(short().head, client.rest().await.1);
}

#[tokio::test]
async fn an_endpoint_may_take_longer_than_any_deadline_for_clients() {
    let every = Duration::from_millis(100);
    let limits = Limits { head: every, idle: every, body: every, write_stall: every, ..Limits::default() };
    let mut site = Site::open(limits);
    let mut client = site.visit().await;
    client.send(get("/wait")).await;
    site.arrival().await;
    // Silent connections measure the time: each is closed after one deadline.
    for _ in 0..3 {
        site.visit().await.rest().await;
    }
    site.release_one();
    assert_eq!(client.response().await.body, "waited");
}

#[tokio::test]
async fn a_client_that_never_reads_its_response_is_cut() {
    let limits = Limits { write_stall: Duration::from_millis(300), ..Limits::default() };
    let mut site = Site::open(limits.clone());
    let mut client = site.visit().await;
    client.send(get("/pour")).await;
    site.departure().await;
    assert_closed_at(limits.write_stall, client.since.elapsed());
}

#[tokio::test]
async fn a_client_that_reads_slowly_is_not_cut() {
    let stall = Duration::from_millis(300);
    let site = Site::open(Limits { write_stall: stall, ..Limits::default() });
    let mut client = site.visit().await;
    client.send(get("/pour")).await;
    let mut ticks = interval(Duration::from_millis(50));
    let mut read = 0;
    while client.since.elapsed() < stall * 4 {
        ticks.tick().await;
        // As much as opens the window again, and no more.
        let enough = read + 4 * 1024 * 1024;
        while read < enough {
            let more = client.read().await.unwrap();
            assert_ne!(more, 0, "cut after {read} bytes");
            read += more;
        }
    }
}

#[tokio::test]
async fn a_response_may_be_read_for_longer_than_a_connection_may_be_idle() {
    let idle = Duration::from_millis(200);
    let site = Site::open(Limits { idle, ..Limits::default() });
    let mut client = site.visit().await;
    client.send(get("/large")).await;
    let mut ticks = interval(Duration::from_millis(50));
    let mut read = 0;
    while client.since.elapsed() < idle * 2 {
        ticks.tick().await;
        read += client.read().await.unwrap();
    }
    assert!(read < LARGE, "read to its end before the idle deadline told anything");
    assert_eq!(client.response().await.body.len(), LARGE);
}

#[tokio::test]
async fn a_stall_that_is_over_is_forgotten() {
    let write_stall = Duration::from_millis(200);
    let site = Site::open(Limits { write_stall, ..Limits::default() });
    let mut client = site.visit().await;
    client.send(get("/large")).await;
    assert_eq!(client.response().await.body.len(), LARGE);
    timeout(write_stall * 2, client.read()).await.expect_err("cut for a stall that was over");
    client.send(get("/hello")).await;
    assert_eq!(client.response().await.body, "hello");
}
