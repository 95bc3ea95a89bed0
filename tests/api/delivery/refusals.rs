//! What a recipient's server refuses, for now or for good.

use super::*;

#[tokio::test]
async fn a_greylisted_message_is_sent_later_and_still_verifies() {
    let peer = SmtpPeer::start().await;
    let rollbook = Rollbook::sending_to(&peer, &[]).await;
    let ada = rollbook.register("ada@example.org").await;
    peer.on(At::Rcpt, Do::Reply("451 4.7.1 greylisted, come back later")).times(1);
    let delivered = rollbook.deliver().await;
    assert!(matches!(delivered[..], [Delivery::Deferred(_)]), "{delivered:?}");

    let (state, words) = shown(&rollbook, &ada).await;
    assert_eq!((state, words), ("deferred".into(), "RCPT TO: 451 4.7.1 greylisted, come back later".into()));
    let message = rollbook.message_to(&ada).await;
    assert_eq!(message["attempts"], 1);
    let pause = rollbook.time_until(&message["next_attempt_at"]).as_secs();
    assert!((24..=36).contains(&pause), "{pause}");
    assert_eq!(rollbook.deliver().await, [], "not before its time");

    rollbook.pass_until(&message["next_attempt_at"]);
    assert_eq!(rollbook.deliver().await, [Delivery::Sent]);
    let (state, words) = shown(&rollbook, &ada).await;
    assert_eq!((state, words), ("sent".into(), Value::Null));
    assert_eq!(rollbook.press(&peer.next_mail().await.token()).await.status, 200);
    assert_eq!(rollbook.customer(&ada["id"]).await["verified"], true);
    assert_eq!(rollbook.deeds(&ada), ["registered", "mail_deferred", "mail_sent", "verified"]);
}

#[tokio::test]
async fn every_attempt_brings_the_same_octets() {
    let peer = SmtpPeer::start().await;
    let rollbook = Rollbook::sending_to(&peer, &[]).await;
    let ada = rollbook.register("ada@example.org").await;
    peer.on(At::Dot, Do::Reply("451 4.3.0 try again")).times(3);
    for _ in 0..3 {
        rollbook.deliver().await;
        rollbook.pass_until(&rollbook.message_to(&ada).await["next_attempt_at"]);
    }
    assert_eq!(rollbook.deliver().await, [Delivery::Sent]);
    let read = peer.mails_read();
    assert_eq!(read.len(), 4);
    assert!(read.iter().all(|mail| mail.raw == read[0].raw));
    let id = rollbook.message_to(&ada).await["id"].as_str().unwrap().to_owned();
    assert_eq!(read[0].header("Message-ID"), format!("<{id}@acme.example>"));
}

#[tokio::test]
async fn pauses_grow_and_the_last_is_repeated() {
    let peer = SmtpPeer::start().await;
    let rollbook = Rollbook::sending_to(&peer, &[]).await;
    let ada = rollbook.register("ada@example.org").await;
    peer.on(At::Rcpt, Do::Reply("451 4.7.1 greylisted"));
    for pause in [30, 120, 300, 900, 1800, 3600, 7200, 14400, 14400, 14400] {
        rollbook.deliver().await;
        let next = rollbook.message_to(&ada).await["next_attempt_at"].clone();
        let waits = rollbook.time_until(&next).as_secs();
        assert!((pause * 8 / 10..=pause * 12 / 10).contains(&waits), "{waits} for {pause}");
        rollbook.pass_until(&next);
    }
}

#[tokio::test]
async fn a_mailbox_that_is_not_there_fails_at_once_with_the_servers_words() {
    for reply in ["550 5.1.1 no such user", "550 no such user", "553 5.1.3 no such user"] {
        let peer = SmtpPeer::start().await;
        let rollbook = Rollbook::sending_to(&peer, &[]).await;
        let ada = rollbook.register("ada@example.org").await;
        peer.on(At::Rcpt, Do::Reply(reply));
        let delivered = rollbook.deliver().await;
        assert!(matches!(delivered[..], [Delivery::Failed(_)]), "{delivered:?}");
        let (state, words) = shown(&rollbook, &ada).await;
        assert_eq!((state, words), ("failed".into(), format!("RCPT TO: {reply}").into()));
        assert_eq!(rollbook.deeds(&ada), ["registered", "mail_failed"]);
        let said = peer.said().len();
        rollbook.pass(10 * DAY);
        assert_eq!(rollbook.deliver().await, []);
        nothing_new_was_said(&peer, said);
    }
}

#[tokio::test]
async fn a_full_mailbox_or_a_policy_fails_after_three_tries_over_six_hours() {
    for reply in ["552 too much mail", "550 5.2.2 mailbox full", "550 5.7.1 policy", "554 5.3.4 too big today"] {
        for (pause, tries) in [("1h", 5..=10), ("4h", 3..=3), ("1d", 3..=3)] {
            let peer = SmtpPeer::start().await;
            let rollbook = Rollbook::sending_to(&peer, &[("mail_backoff", pause)]).await;
            let ada = rollbook.register("ada@example.org").await;
            peer.on(At::Rcpt, Do::Reply(reply));
            let (age, attempts) = tried_until_it_ends(&rollbook, &ada).await;
            assert!(age >= 6 * 60 * 60, "{reply} after {age} s");
            assert!(tries.contains(&attempts), "{reply}, a try every {pause}: {attempts}");
        }
    }
}

#[tokio::test]
async fn a_refused_content_fails_at_once() {
    for (at, words) in [(At::Data, "DATA: 554 5.7.1 spam"), (At::Dot, "final dot: 554 5.7.1 spam")] {
        let peer = SmtpPeer::start().await;
        let rollbook = Rollbook::sending_to(&peer, &[]).await;
        let ada = rollbook.register("ada@example.org").await;
        peer.on(at, Do::Reply("554 5.7.1 spam"));
        rollbook.deliver().await;
        assert_eq!(shown(&rollbook, &ada).await, ("failed".into(), words.into()));
    }
}

#[tokio::test]
async fn what_is_put_off_for_five_days_fails() {
    let peer = SmtpPeer::start().await;
    let rollbook = Rollbook::sending_to(&peer, &[]).await;
    let ada = rollbook.register("ada@example.org").await;
    peer.on(At::Rcpt, Do::Reply("451 4.7.1 never now"));
    let (age, attempts) = tried_until_it_ends(&rollbook, &ada).await;
    let days = 24 * 60 * 60;
    assert!((5 * days..=5 * days + 5 * 60 * 60).contains(&age), "{age}");
    assert!(attempts >= 30, "{attempts}");
    assert_eq!(shown(&rollbook, &ada).await, ("failed".into(), "RCPT TO: 451 4.7.1 never now".into()));
}
