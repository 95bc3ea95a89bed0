//! Crashes, cut connections and a database in somebody else's hands.

use std::sync::Arc;

use rollbook::{
    application::ports::{Claim, Clock as _, StoreError},
    infrastructure::worker,
};
use rusqlite::Connection;
use tokio::sync::watch;

use super::*;

/// What a worker does before it dies.
pub async fn claim(rollbook: &Rollbook) {
    let terms = rollbook.registry.claim_terms(rollbook.clock.now(), 1);
    let claim = rollbook.registry.outbox.claim_due(terms).await.unwrap();
    assert!(matches!(claim, Claim::Taken(_)), "{claim:?}");
}

#[tokio::test]
async fn a_crash_between_claim_and_outcome_makes_a_mail_merely_late() {
    let peer = SmtpPeer::start().await;
    let rollbook = Rollbook::sending_to(&peer, &[]).await;
    rollbook.register("ada@example.org").await;
    claim(&rollbook).await;
    let rollbook = rollbook.restart().await;
    assert_eq!(rollbook.deliver().await, [Delivery::Sent]);
    assert_eq!(peer.mails_so_far().len(), 1);
}

#[tokio::test]
async fn a_claim_that_lapses_makes_its_message_due_again() {
    let peer = SmtpPeer::start().await;
    let rollbook = Rollbook::sending_to(&peer, &[]).await;
    let ada = rollbook.register("ada@example.org").await;
    claim(&rollbook).await;
    assert_eq!(rollbook.message_to(&ada).await["next_attempt_at"], Value::Null, "under way");
    rollbook.pass(19 * MINUTE);
    assert_eq!(rollbook.deliver().await, []);
    rollbook.pass(MINUTE);
    assert_eq!(rollbook.deliver().await, [Delivery::Sent]);
}

#[tokio::test]
async fn a_connection_cut_amid_the_mail_brings_it_again_under_the_same_id() {
    let peer = SmtpPeer::start().await;
    let rollbook = Rollbook::sending_to(&peer, &[]).await;
    let ada = rollbook.register("ada@example.org").await;
    peer.on(At::Body, Do::Drop).times(1);
    peer.on(At::Dot, Do::Drop).times(1);
    for _ in 0..2 {
        let delivered = rollbook.deliver().await;
        assert!(matches!(delivered[..], [Delivery::Deferred(_)]), "{delivered:?}");
        let (state, words) = shown(&rollbook, &ada).await;
        assert_eq!(state, "deferred");
        assert!(words.as_str().unwrap().ends_with("the server closed the connection without an answer"), "{words}");
        rollbook.pass_until(&rollbook.message_to(&ada).await["next_attempt_at"]);
    }
    assert_eq!(rollbook.deliver().await, [Delivery::Sent]);
    let [unanswered, taken] = &peer.mails_read()[..] else { panic!("{:?}", peer.mails_read()) };
    assert_eq!(unanswered.raw, taken.raw);
    assert_eq!(rollbook.message_to(&ada).await["attempts"], 3);
}

#[tokio::test]
async fn a_relay_that_never_answers_the_dot_is_given_up_and_asked_again() {
    let peer = SmtpPeer::start().await;
    let rollbook = Rollbook::sending_to(&peer, &[("smtp_final_dot_timeout", "50ms")]).await;
    let ada = rollbook.register("ada@example.org").await;
    peer.on(At::Dot, Do::Hang).times(1);
    rollbook.deliver().await;
    assert_eq!(shown(&rollbook, &ada).await, ("deferred".into(), "final dot: no answer within 50ms".into()));
    rollbook.pass(MINUTE);
    assert_eq!(rollbook.deliver().await, [Delivery::Sent]);
    assert_eq!(peer.mails_read()[0].raw, peer.next_mail().await.raw);
}

#[tokio::test]
async fn what_cannot_be_written_down_is_not_sent() {
    let peer = SmtpPeer::start().await;
    let rollbook = Rollbook::sending_to(&peer, &[("db_busy_timeout", "10ms")]).await;
    rollbook.register("ada@example.org").await;
    let other = rollbook.lock();
    let refused = rollbook.deliver_next().await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    assert_eq!(peer.connections(), 0);
    drop(other);
    assert_eq!(rollbook.deliver().await, [Delivery::Sent]);
}

/// A mail leaves, and another program has locked the database before that can be written down.
async fn send_and_owe_the_outcome(rollbook: &Rollbook, peer: &SmtpPeer) -> Connection {
    peer.on(At::Dot, Do::Wait);
    let (sent, other) = tokio::join!(rollbook.deliver_next(), async {
        peer.reached(At::Dot).await;
        let other = rollbook.lock();
        peer.go_on();
        other
    });
    assert!(matches!(sent, Err(StoreError::Unavailable(_))), "{sent:?}");
    other
}

#[tokio::test]
async fn an_outcome_that_could_not_be_written_is_owed_first_and_the_mail_not_sent_twice() {
    let peer = SmtpPeer::start().await;
    let rollbook = Rollbook::sending_to(&peer, &[("db_busy_timeout", "10ms")]).await;
    let ada = rollbook.register("ada@example.org").await;
    rollbook.register("eve@example.org").await;
    let other = send_and_owe_the_outcome(&rollbook, &peer).await;
    assert_eq!(peer.next_mail().await.to, ["ada@example.org"]);

    let said = peer.said().len();
    let still = rollbook.deliver_next().await;
    assert!(matches!(still, Err(StoreError::Unavailable(_))), "{still:?}");
    nothing_new_was_said(&peer, said);

    drop(other);
    rollbook.pass(HOUR);
    assert_eq!(rollbook.deliver().await, [Delivery::Sent], "eve's alone");
    assert_eq!(peer.mails_so_far().len(), 2);
    assert_eq!(shown(&rollbook, &ada).await, ("sent".into(), Value::Null));
    assert_eq!(rollbook.deeds(&ada), ["registered", "mail_sent"]);
}

#[tokio::test]
async fn a_stop_writes_down_what_is_owed() {
    let peer = SmtpPeer::start().await;
    let rollbook = Rollbook::sending_to(&peer, &[("db_busy_timeout", "10ms")]).await;
    let ada = rollbook.register("ada@example.org").await;
    let other = send_and_owe_the_outcome(&rollbook, &peer).await;

    let (_, stopped) = watch::channel(());
    let worker = worker::run(rollbook.registry.clone(), 1, Arc::default(), stopped);
    tokio::join!(worker, async { drop(other) });
    assert_eq!(shown(&rollbook, &ada).await, ("sent".into(), Value::Null));
}

#[tokio::test]
async fn a_mail_whose_outcome_can_never_be_written_is_sent_once_until_the_next_start() {
    let peer = SmtpPeer::start().await;
    let rollbook = Rollbook::sending_to(&peer, &[]).await;
    rollbook.register("ada@example.org").await;
    rollbook.register("eve@example.org").await;
    let refuse = "CREATE TRIGGER refusing BEFORE UPDATE OF state ON outbox \
        WHEN NEW.state = 'sent' AND NEW.customer_id = (SELECT id FROM customers WHERE email = 'ada@example.org') \
        BEGIN SELECT RAISE(ABORT, 'a fault of ours'); END";
    rollbook.database().execute_batch(refuse).unwrap();
    let sent = rollbook.deliver_next().await;
    assert!(matches!(sent, Err(StoreError::Broken(_))), "{sent:?}");
    for _ in 0..3 {
        rollbook.deliver().await;
        rollbook.pass(HOUR);
    }
    assert_eq!(peer.mails_so_far().len(), 2, "ada's and eve's");

    rollbook.database().execute_batch("DROP TRIGGER refusing").unwrap();
    let rollbook = rollbook.restart().await;
    assert_eq!(rollbook.deliver().await, [Delivery::Sent]);
    assert_eq!(peer.next_mail().await.to, ["ada@example.org"]);
}

#[tokio::test]
async fn mail_queued_for_a_relay_waits_for_it_while_mail_is_captured_and_can_be_read_meanwhile() {
    let peer = SmtpPeer::start().await;
    let rollbook = Rollbook::sending_to(&peer, &[]).await;
    let ada = rollbook.register("ada@example.org").await;
    let rollbook = rollbook.restart_with(&[("mail_transport", "capture")]).await;
    let delivered = rollbook.deliver().await;
    assert!(matches!(delivered[..], [Delivery::RelayFault(..)]), "{delivered:?}");
    let (state, words) = shown(&rollbook, &ada).await;
    assert_eq!(state, "deferred");
    assert!(words.as_str().unwrap().contains("mail is captured now"), "{words}");
    assert_eq!(rollbook.metric("rollbook_smtp_relay_up").await, 0);
    let token = rollbook.captured_token(&ada).await;

    let rollbook = rollbook.restart_with(&[("mail_transport", "smtp")]).await;
    rollbook.pass(HOUR);
    assert_eq!(rollbook.deliver().await, [Delivery::Sent]);
    let mail = peer.next_mail().await;
    assert_eq!((mail.to.clone(), mail.token()), (vec!["ada@example.org".to_owned()], token));
}
