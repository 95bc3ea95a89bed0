//! Health and metrics: what a watcher sees.

use rusqlite::Connection;
use tokio::time::timeout;

use crate::{
    connections::client::PATIENCE,
    harness::Rollbook,
    smtp_peer::{At, Do, SmtpPeer},
};

#[tokio::test]
async fn it_is_alive_and_ready_without_a_key() {
    let rollbook = Rollbook::start().await;
    for path in ["/livez", "/readyz", "/metrics"] {
        assert_eq!(rollbook.without_key(path).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn it_is_alive_but_not_ready_while_it_cannot_write() {
    let rollbook = Rollbook::with(&[("db_busy_timeout", "10ms")]).await;
    let other = Connection::open(rollbook.folder().join("data/rollbook.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let readyz = rollbook.without_key("/readyz").await;
    assert_eq!((readyz.status, readyz.code().as_str()), (503, "STORAGE_UNAVAILABLE"));
    assert!(readyz.header("retry-after").is_some());
    assert_eq!(rollbook.without_key("/livez").await.status, 200);
    other.execute_batch("ROLLBACK").unwrap();
    let log = || std::fs::metadata(rollbook.folder().join("data/rollbook.db-wal")).unwrap().len();
    let before = log();
    assert_eq!(rollbook.without_key("/readyz").await.status, 200);
    assert!(log() > before, "it says so because it has written");
}

#[tokio::test]
async fn a_relay_that_is_down_shows_in_the_metrics_and_does_not_unready() {
    let peer = SmtpPeer::start().await;
    peer.on(At::Banner, Do::Reply("554 go away"));
    let rollbook = Rollbook::sending_to(&peer, &[]).await;
    rollbook.register("ada@example.org").await;
    rollbook.deliver().await;
    let metrics = rollbook.without_key("/metrics").await.text;
    for line in ["rollbook_smtp_relay_up 0", r#"rollbook_outbox_messages{state="deferred"} 1"#] {
        assert!(metrics.lines().any(|l| l == line), "{line}\n{metrics}");
    }
    assert_eq!(rollbook.without_key("/readyz").await.status, 200);
}

#[tokio::test]
async fn requests_are_counted_by_template_and_looking_is_no_commit() {
    let rollbook = Rollbook::start().await;
    let written = async || {
        (rollbook.metric("rollbook_commits_total").await, rollbook.metric("rollbook_committed_commands_total").await)
    };
    let (commits, commands) = written().await;
    let customer = rollbook.register("ada@example.org").await;
    rollbook.customer(&customer["id"]).await;
    rollbook.without_key("/readyz").await;
    rollbook.without_key("/nowhere/ada@example.org").await;
    let metrics = rollbook.without_key("/metrics").await.text;
    for line in [
        r#"rollbook_http_requests_total{route="/api/customers",method="POST",status="201"} 1"#,
        r#"rollbook_http_requests_total{route="/api/customers/{id}",method="GET",status="200"} 1"#,
        r#"rollbook_http_requests_total{route="unknown",method="GET",status="404"} 1"#,
    ] {
        assert!(metrics.lines().any(|l| l == line), "{line}\n{metrics}");
    }
    assert!(!metrics.contains("ada@"));
    assert_eq!(written().await, (commits + 1, commands + 1));
}

#[tokio::test]
async fn a_request_whose_client_went_away_is_counted_as_that() {
    let rollbook = Rollbook::with(&[("db_busy_timeout", "1m")]).await;
    let other = Connection::open(rollbook.folder().join("data/rollbook.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    rollbook.visit().await.send("GET /readyz HTTP/1.1\r\nHost: roll\r\n\r\n").await;
    let given_up = r#"rollbook_http_requests_total{route="/readyz",method="GET",status="499"} 1"#;
    let told = async { while !rollbook.without_key("/metrics").await.text.contains(given_up) {} };
    timeout(PATIENCE, told).await.expect("it should be given up");
    other.execute_batch("ROLLBACK").unwrap();
}

#[tokio::test]
async fn health_and_metrics_can_be_kept_from_the_public() {
    let rollbook = Rollbook::with(&[("admin_listen", "127.0.0.1:0")]).await;
    let admin = rollbook.admin_url.clone().unwrap();
    for path in ["/livez", "/readyz", "/metrics"] {
        assert_eq!(rollbook.without_key(path).await.status, 404, "{path}");
        assert_eq!(reqwest::get(format!("{admin}{path}")).await.unwrap().status(), 200, "{path}");
    }
    assert_eq!(reqwest::get(format!("{admin}/api/messages")).await.unwrap().status(), 404);
}

#[tokio::test]
async fn what_the_database_does_not_tell_is_left_out_of_the_metrics_alone() {
    let rollbook = Rollbook::start().await;
    rollbook.database().execute_batch("ALTER TABLE outbox_counts RENAME TO elsewhere").unwrap();
    let metrics = rollbook.without_key("/metrics").await;
    assert_eq!(metrics.status, 200);
    assert!(metrics.text.contains("rollbook_smtp_relay_up 1"), "{}", metrics.text);
    assert!(!metrics.text.contains("rollbook_outbox_messages{"), "{}", metrics.text);
}
