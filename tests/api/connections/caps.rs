//! How much a client may send before it is refused, and how many may come.

use std::time::Duration;

use rollbook::infrastructure::http::server::Limits;
use tokio::time::{Instant, timeout};

use super::site::{Site, get};

/// A request with this many fields in all, `Host` being one.
fn with_fields(fields: usize) -> String {
    let extra = "X: y\r\n".repeat(fields - 1);
    format!("GET /hello HTTP/1.1\r\nHost: rollbook.example\r\n{extra}\r\n")
}

/// A request whose head has this many bytes.
fn with_head_of(size: usize) -> String {
    let bare = get("/hello").len() + "X: \r\n".len();
    get("/hello").replace("\r\n\r\n", &format!("\r\nX: {}\r\n\r\n", "y".repeat(size - bare)))
}

#[tokio::test]
async fn a_request_may_have_sixty_four_fields() {
    let site = Site::open(Limits::default());
    let mut client = site.visit().await;
    client.send(with_fields(64)).await;
    assert_eq!(client.response().await.status, 200);
}

#[tokio::test]
async fn the_sixty_fifth_field_is_refused() {
    let site = Site::open(Limits::default());
    let mut client = site.visit().await;
    client.send(with_fields(65)).await;
    assert_eq!(client.response().await.status, 431);
    client.say_no_more();
    assert_eq!(client.rest().await.0, "");
}

#[tokio::test]
async fn a_head_may_have_sixteen_kibibytes() {
    let site = Site::open(Limits::default());
    let mut client = site.visit().await;
    client.send(with_head_of(16 * 1024)).await;
    assert_eq!(client.response().await.status, 200);
}

#[tokio::test]
async fn a_longer_head_is_refused() {
    let site = Site::open(Limits::default());
    let mut client = site.visit().await;
    client.send(with_head_of(17 * 1024)).await;
    assert_eq!(client.response().await.status, 431);
}

#[tokio::test]
async fn a_head_without_end_is_refused_and_the_refusal_arrives() {
    let site = Site::open(Limits { linger: Duration::from_millis(200), ..Limits::default() });
    let mut client = site.visit().await;
    client.send("GET /hello HTTP/1.1\r\nX: ").await;
    let flood = client.flood(vec![b'x'; 64 * 1024]);
    assert_eq!(client.response().await.status, 431);
    client.rest().await;
    flood.await.unwrap();
}

#[tokio::test]
async fn at_the_cap_the_next_connection_waits_until_one_ends() {
    let site = Site::open(Limits { connections: 3, ..Limits::default() });
    let mut clients = [site.visit().await, site.visit().await, site.visit().await];
    for client in &mut clients {
        client.send(get("/hello")).await;
        assert_eq!(client.response().await.status, 200);
    }
    let mut fourth = site.visit().await;
    fourth.send(get("/hello")).await;
    timeout(Duration::from_millis(200), fourth.response()).await.expect_err("served beyond the cap");

    let [first, _second, _third] = clients;
    let freed = Instant::now();
    drop(first);
    assert_eq!(fourth.response().await.body, "hello");
    assert!(freed.elapsed() < Duration::from_secs(1), "served {:?} after a slot was free", freed.elapsed());
}

#[tokio::test]
async fn at_the_cap_those_who_are_in_are_served() {
    let site = Site::open(Limits { connections: 1, ..Limits::default() });
    let mut client = site.visit().await;
    client.send(get("/hello")).await;
    assert_eq!(client.response().await.status, 200);
    let _waits = site.visit().await;
    client.send(get("/hello")).await;
    assert_eq!(client.response().await.body, "hello");
}

#[tokio::test]
async fn cleartext_http2_is_refused() {
    let site = Site::open(Limits::default());
    let mut client = site.visit().await;
    client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await;
    assert_eq!(client.rest().await.0, "");
}

#[tokio::test]
async fn an_upgrade_to_http2_is_not_taken_up() {
    let site = Site::open(Limits::default());
    let mut client = site.visit().await;
    let fields = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n";
    client.send(format!("GET /hello HTTP/1.1\r\nHost: rollbook.example\r\n{fields}\r\n")).await;
    let response = client.response().await;
    assert_eq!((response.status, response.body.as_str()), (200, "hello"));
}

/// Who finds no room to wait is not answered, and comes again after a second.
#[tokio::test]
async fn hundreds_may_wait_to_be_accepted() {
    let site = Site::open(Limits { connections: 1, ..Limits::default() });
    let mut waiting = Vec::new();
    for _ in 0..400 {
        waiting.push(timeout(Duration::from_millis(900), site.visit()).await.expect("there should be room to wait"));
    }
}
