//! `kill -9` at any moment: what was acknowledged is there after the next start, and its mail arrives.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::{sync::mpsc, task::JoinSet, time::timeout};

use super::{
    running::PATIENCE,
    server::{Caller, Home},
};
use crate::smtp_peer::{At, Do, ReceivedMail, SmtpPeer};

/// Follows the link of a mail at a server that listens elsewhere by now.
async fn confirm(caller: &Caller, link: &str) -> Value {
    let (_, token) = link.split_once("/verify?token=").unwrap();
    caller.post("/api/verifications", &json!({ "token": token })).await.json()
}

/// The Message-ID that all attempts to send a message carry.
fn message_id_of(message: &Value) -> String {
    format!("<{}@acme.example>", message["id"].as_str().unwrap())
}

#[tokio::test]
async fn a_kill_between_the_201_and_the_delivery_loses_no_mail() {
    let peer = SmtpPeer::start().await;
    peer.on(At::Banner, Do::Hang);
    let home = Home::make().await;
    let server = home.serve_sending_to(&peer).await;
    let customer = server.caller().register("ada@example.org").await;
    peer.reached(At::Banner).await;
    server.kill().await;
    peer.behave();

    let server = home.serve_sending_to(&peer).await;
    let mail = peer.next_mail().await;
    assert_eq!(mail.to, ["ada@example.org"]);
    assert_eq!(confirm(&server.caller(), &mail.link()).await["verified"], true);
    assert_eq!(server.caller().customer(&customer["id"]).await["verified"], true);
}

#[tokio::test]
async fn a_kill_amid_the_mail_sends_it_again_under_the_same_message_id() {
    for moment in [At::Body, At::Dot] {
        let peer = SmtpPeer::start().await;
        peer.on(moment, Do::Hang);
        let home = Home::make().await;
        let server = home.serve_sending_to(&peer).await;
        let customer = server.caller().register("ada@example.org").await;
        peer.reached(moment).await;
        let message = server.caller().message_to(&customer).await;
        server.kill().await;
        peer.behave();

        let server = home.serve_sending_to(&peer).await;
        let mail = peer.next_mail().await;
        assert_eq!(mail.header("Message-ID"), message_id_of(&message), "{moment:?}");
        assert_eq!(confirm(&server.caller(), &mail.link()).await["verified"], true);
        assert_eq!(server.stop().await.code, Some(0));
        assert_eq!(peer.mails_so_far().len(), 1, "{moment:?}");
    }
}

#[tokio::test]
async fn a_kill_amid_a_batch_loses_nothing_and_repeats_only_what_was_under_way() {
    let peer = SmtpPeer::start().await;
    peer.on(At::Banner, Do::Hang);
    let home = Home::make().await;
    let server = home.serve_sending_to(&peer).await;
    let mut ids = BTreeSet::new();
    for number in 0..7 {
        let customer = server.caller().register(&format!("ada{number}@example.org")).await;
        ids.insert(message_id_of(&server.caller().message_to(&customer).await));
    }
    server.kill().await;
    peer.behave();
    // All are due at the next start, and claimed together.
    peer.on(At::Dot, Do::Hang);
    let server = home.serve_sending_to(&peer).await;
    peer.reached_times(At::Dot, 4).await;
    server.kill().await;
    peer.behave();

    let server = home.serve_sending_to(&peer).await;
    for _ in &ids {
        peer.next_mail().await;
    }
    assert_eq!(server.stop().await.code, Some(0));
    let ids_of = |mails: Vec<ReceivedMail>| mails.iter().map(|mail| mail.header("Message-ID")).collect::<Vec<_>>();
    let (taken, read) = (ids_of(peer.mails_so_far()), ids_of(peer.mails_read()));
    assert_eq!(taken.iter().cloned().collect::<BTreeSet<_>>(), ids);
    assert_eq!((taken.len(), read.len()), (7, 7 + 4), "{read:?}");
    assert!(read.iter().all(|id| ids.contains(id)), "{read:?}");
}

#[tokio::test]
async fn every_acknowledged_customer_outlives_many_kills_and_so_does_its_mail() {
    const CYCLES: usize = 10;
    const CALLERS: usize = 8;
    let home = Home::make().await;
    let acknowledged = Arc::new(Mutex::new(Vec::new()));
    let number = Arc::new(AtomicUsize::new(0));
    for cycle in 0..CYCLES {
        let server = home.serve().await;
        let (told, mut tells) = mpsc::unbounded_channel();
        let mut callers = JoinSet::new();
        for _ in 0..CALLERS {
            let (caller, number, acknowledged) = (server.caller(), number.clone(), acknowledged.clone());
            callers.spawn(register_until_it_dies(caller, number, acknowledged, told.clone()));
        }
        // A different moment in each cycle, with other requests on their way.
        for _ in 0..=(cycle * 7) % 23 {
            timeout(PATIENCE, tells.recv()).await.expect("registrations should go on").unwrap();
        }
        server.kill().await;
        callers.join_all().await;
    }

    let server = home.serve().await;
    let acknowledged = acknowledged.lock().unwrap().clone();
    assert!(acknowledged.len() >= CYCLES * CALLERS / 2, "only {} were registered", acknowledged.len());
    for customer in &acknowledged {
        let found = server.caller().customer(&customer["id"]).await;
        assert_eq!(found["email"], customer["email"]);
        let message = server.caller().message_to(customer).await;
        assert_eq!(message["to"], customer["email"]);
    }
}

/// Registers one customer after the other and keeps what was acknowledged.
async fn register_until_it_dies(
    caller: Caller,
    number: Arc<AtomicUsize>,
    acknowledged: Arc<Mutex<Vec<Value>>>,
    told: mpsc::UnboundedSender<()>,
) {
    loop {
        let number = number.fetch_add(1, Ordering::Relaxed);
        let body = json!({ "name": "Ada Lovelace", "email": format!("ada{number}@example.org") });
        let Ok(answer) = caller.send(Method::POST, "/api/customers", Some(&body)).await else { return };
        assert_eq!(answer.status, 201, "{answer:?}");
        acknowledged.lock().unwrap().push(answer.json());
        // Once the kill is decided, nobody counts any more.
        let _ = told.send(());
    }
}
