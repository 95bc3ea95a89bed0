//! Delivery: what becomes of a message, whatever the recipient, the relay, the disk or the clock does.

mod api;
mod batches;
mod clock;
mod crashes;
mod crowds;
mod refusals;
mod relay;
mod workers;

use std::time::Duration;

use rollbook::application::{
    claim_messages::Due,
    deliver_message::Delivery,
    ports::{Clock as _, MessageQuery},
};
use serde_json::Value;

use crate::{
    harness::Rollbook,
    smtp_peer::{At, Do, SmtpPeer},
};

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// Nobody says another word to the peer than was said before.
fn nothing_new_was_said(peer: &SmtpPeer, before: usize) {
    assert_eq!(peer.said().len(), before, "{:?}", peer.said());
}

/// What a customer and its newest message show alike.
async fn shown(rollbook: &Rollbook, customer: &Value) -> (Value, Value) {
    let proof = rollbook.customer(&customer["id"]).await["verification"].clone();
    let message = rollbook.message_to(customer).await;
    for field in ["state", "attempts", "last_error", "next_attempt_at", "sent_at"] {
        assert_eq!(proof[field], message[field], "{field}");
    }
    (message["state"].clone(), message["last_error"].clone())
}

/// Delivers whenever the message is due until it has failed: after how many seconds, and how many attempts.
async fn tried_until_it_ends(rollbook: &Rollbook, customer: &Value) -> (i64, u64) {
    let beginning = rollbook.clock.now();
    loop {
        rollbook.deliver().await;
        let message = rollbook.message_to(customer).await;
        if message["state"] != "deferred" {
            assert_eq!(message["state"], "failed");
            assert_eq!(message["next_attempt_at"], Value::Null);
            let age = rollbook.clock.now().duration_since(beginning);
            return (age.as_secs(), message["attempts"].as_u64().unwrap());
        }
        rollbook.pass_until(&message["next_attempt_at"]);
    }
}

#[tokio::test]
async fn the_message_due_the_longest_is_sent_first() {
    let peer = SmtpPeer::start().await;
    let rollbook = Rollbook::sending_to(&peer, &[]).await;
    for name in ["first", "second", "third"] {
        rollbook.register(&format!("{name}@example.org")).await;
        rollbook.pass(MINUTE);
    }
    assert_eq!(rollbook.deliver().await, [Delivery::Sent, Delivery::Sent, Delivery::Sent]);
    let to: Vec<_> = peer.mails_so_far().into_iter().flat_map(|mail| mail.to).collect();
    assert_eq!(to, ["first@example.org", "second@example.org", "third@example.org"]);
}

#[tokio::test]
async fn a_bad_recipient_does_not_block_the_others() {
    let peer = SmtpPeer::start().await;
    let rollbook = Rollbook::sending_to(&peer, &[]).await;
    for name in ["gone", "full", "ada", "eve"] {
        rollbook.register(&format!("{name}@example.org")).await;
    }
    peer.on(At::Rcpt, Do::Reply("550 5.1.1 no such user")).times(1);
    peer.on(At::Rcpt, Do::Reply("452 4.2.2 mailbox full")).times(1);
    let delivered = rollbook.deliver().await;
    assert!(
        matches!(delivered[..], [Delivery::Failed(_), Delivery::Deferred(_), Delivery::Sent, Delivery::Sent]),
        "{delivered:?}"
    );
    for (state, messages) in [("queued", 0), ("sent", 2), ("deferred", 1), ("failed", 1), ("cancelled", 0)] {
        assert_eq!(rollbook.metric(&format!("rollbook_outbox_messages{{state=\"{state}\"}}")).await, messages);
    }
    assert_eq!(rollbook.metric("rollbook_smtp_relay_up").await, 1);
}

#[tokio::test]
async fn no_secret_is_at_rest() {
    let peer = SmtpPeer::start().await;
    let rollbook = Rollbook::sending_to(&peer, &[]).await;
    rollbook.register("ada@example.org").await;
    rollbook.deliver().await;
    let token = peer.next_mail().await.token();
    let mac = token.split_at(22).1;
    let data = rollbook.folder().join("data");
    let mut bytes = std::fs::read(data.join("rollbook.db")).unwrap();
    bytes.extend(std::fs::read(data.join("rollbook.db-wal")).unwrap());
    let holds = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
    assert!(holds(b"ada@example.org"), "the search finds what is there");
    assert!(!holds(&mac.as_bytes()[..16]));
    assert!(!holds(&data_encoding::BASE64URL_NOPAD.decode(token.as_bytes()).unwrap()[16..32]));
}

#[tokio::test]
async fn a_server_that_quotes_the_link_does_not_put_it_on_record() {
    let peer = SmtpPeer::start().await;
    let rollbook = Rollbook::sending_to(&peer, &[]).await;
    let ada = rollbook.register("ada@example.org").await;
    let page = rollbook.registry.list_messages(MessageQuery { after: None, limit: 1, customer: None }).await.unwrap();
    let proof = &page.messages[0].verification;
    let token = rollbook.registry.mac_key.token(proof.id, &proof.email);
    let quote = format!("554 5.7.1 blocked link http://x/verify?token={} sorry", token.expose());
    peer.on(At::Dot, Do::Reply(quote.leak()));
    rollbook.deliver().await;
    let (state, words) = shown(&rollbook, &ada).await;
    assert_eq!(state, "failed");
    assert_eq!(words, "final dot: 554 5.7.1 blocked link http://x/verify?token=\u{2026}");
}

#[tokio::test]
async fn a_message_becomes_needless_once_the_address_is_confirmed() {
    let peer = SmtpPeer::start().await;
    let rollbook = Rollbook::sending_to(&peer, &[("resend_cooldown", "0s")]).await;
    let ada = rollbook.register("ada@example.org").await;
    rollbook.deliver().await;
    let first = peer.next_mail().await.token();
    assert_eq!(rollbook.resend(&ada).await.status, 202);
    assert_eq!(rollbook.press(&first).await.status, 200);
    let message = rollbook.message_to(&ada).await;
    assert_eq!((&message["state"], &message["next_attempt_at"]), (&"cancelled".into(), &Value::Null));
    assert_eq!(rollbook.deliver().await, []);
    assert_eq!(peer.mails_so_far().len(), 1);
    assert_eq!(rollbook.customer(&ada["id"]).await["verification"]["state"], "confirmed");
}

#[tokio::test]
async fn a_mail_that_left_while_its_address_was_confirmed_counts_as_sent() {
    let peer = SmtpPeer::start().await;
    let rollbook = Rollbook::sending_to(&peer, &[("resend_cooldown", "0s")]).await;
    let ada = rollbook.register("ada@example.org").await;
    rollbook.deliver().await;
    let first = peer.next_mail().await.token();
    rollbook.resend(&ada).await;
    peer.on(At::Dot, Do::Wait);
    let (delivered, ()) = tokio::join!(rollbook.deliver(), async {
        peer.reached_times(At::Dot, 2).await;
        rollbook.press(&first).await;
        peer.go_on();
    });
    assert_eq!(delivered, [Delivery::Sent]);
    assert_eq!(rollbook.message_to(&ada).await["state"], "sent");
    assert_eq!(rollbook.customer(&ada["id"]).await["verification"]["state"], "confirmed");
}
