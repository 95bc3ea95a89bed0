//! SIGTERM and Ctrl-C: what was taken is finished, and nobody can hold the stop up.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use tokio::net::TcpStream;

use super::server::{Home, Server};
use crate::{
    connections::client::Client,
    smtp_peer::{At, Do, SmtpPeer},
};

const BODY: &str = r#"{"name":"Ada Lovelace","email":"ada@example.org"}"#;

/// A client whose request is in flight: the server has asked for its body.
async fn client_with_half_a_request(server: &Server, key: &str) -> Client {
    let mut client = Client::over(TcpStream::connect(server.address()).await.unwrap());
    let head = format!(
        "POST /api/customers HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {key}\r\nexpect: 100-continue\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        server.address(),
        BODY.len()
    );
    client.send(head).await;
    assert_eq!(client.response().await.status, 100);
    client.send(&BODY[..BODY.len() / 2]).await;
    client
}

#[tokio::test]
async fn a_request_in_flight_is_finished_after_either_signal_and_what_it_stored_stays() {
    for signal in [Signal::TERM, Signal::INT] {
        let home = Home::make().await;
        let mut server = home.serve().await;
        let mut client = client_with_half_a_request(&server, &home.key).await;
        server.program.signal(signal);
        server.program.hear_words("stopping").await;
        client.send(&BODY[BODY.len() / 2..]).await;
        let response = client.response().await;
        assert_eq!(response.status, 201, "{response:?}");
        assert!(response.closes(), "{}", response.head);
        let ended = server.program.end().await;
        assert_eq!(ended.code, Some(0), "{ended:?}");

        let registered: serde_json::Value = serde_json::from_str(&response.body).unwrap();
        home.serve().await.caller().customer(&registered["id"]).await;
    }
}

#[tokio::test]
async fn neither_a_stuck_client_nor_a_stuck_relay_holds_the_stop_up() {
    const DRAIN: Duration = Duration::from_secs(1);
    let peer = SmtpPeer::start().await;
    peer.on(At::Dot, Do::Hang);
    let home = Home::make().await;
    let relay = format!("smtp://127.0.0.1:{}", peer.port());
    let server = home
        .serve_with(&[
            ("ROLLBOOK_MAIL_TRANSPORT", "smtp"),
            ("ROLLBOOK_SMTP_URL", &relay),
            ("ROLLBOOK_MAIL_FROM", "hello@acme.example"),
            ("ROLLBOOK_SHUTDOWN_TIMEOUT", "1s"),
        ])
        .await;
    server.caller().register("grace@example.org").await;
    peer.reached(At::Dot).await;
    let _stuck = client_with_half_a_request(&server, &home.key).await;
    let told = Instant::now();
    let ended = server.stop().await;
    let took = told.elapsed();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(took >= DRAIN, "both had less than their time: {took:?}");
    assert!(ended.stderr.contains("method=\"POST\" route=\"/api/customers\" status=499"), "{ended:?}");
    // Both at once, not one after the other.
    assert!(took < DRAIN + DRAIN * 9 / 10, "the stop took {took:?}");
}

#[tokio::test]
async fn who_tells_it_twice_need_not_wait() {
    let home = Home::make().await;
    let mut server = home.serve().await;
    let _stuck = client_with_half_a_request(&server, &home.key).await;
    server.program.signal(Signal::INT);
    server.program.hear_words("stopping").await;
    let told = Instant::now();
    server.program.signal(Signal::INT);
    let ended = server.program.end().await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("told twice to stop"), "{ended:?}");
    assert!(told.elapsed() < Duration::from_secs(5), "{:?}", told.elapsed());
}

#[tokio::test]
async fn a_stop_with_nothing_to_do_is_immediate() {
    let home = Home::make().await;
    let server = home.serve().await;
    let told = Instant::now();
    assert_eq!(server.stop().await.code, Some(0));
    assert!(told.elapsed() < Duration::from_secs(2), "{:?}", told.elapsed());
}

#[tokio::test]
async fn the_end_of_whoever_reads_the_log_is_not_the_end_of_the_service() {
    let home = Home::make().await;
    let mut server = home.serve().await;
    server.program.stop_listening();
    // The first line breaks the pipe, each one after it meets the broken pipe.
    for number in 0..20 {
        server.caller().register(&format!("ada{number}@example.org")).await;
    }
    assert_eq!(server.stop().await.code, Some(0));
}
