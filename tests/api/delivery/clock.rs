//! Time: how long a token lives, and a clock that is set.

use jiff::SignedDuration;

use super::*;

const FIVE_YEARS: SignedDuration = SignedDuration::from_hours(5 * 365 * 24);

#[tokio::test]
async fn a_token_lives_from_the_first_accepted_delivery() {
    let peer = SmtpPeer::start().await;
    let rollbook = Rollbook::sending_to(&peer, &[]).await;
    let ada = rollbook.register("ada@example.org").await;
    assert_eq!(ada["verification"]["expires_at"], Value::Null);
    peer.on(At::Banner, Do::Reply("421 4.3.2 out of order"));
    for _ in 0..3 {
        rollbook.deliver().await;
        rollbook.pass(DAY);
    }
    peer.behave();
    assert_eq!(rollbook.deliver().await, [Delivery::Sent]);
    let proof = rollbook.customer(&ada["id"]).await["verification"].clone();
    assert_eq!(rollbook.time_until(&proof["expires_at"]), SignedDuration::from_hours(24));
    rollbook.pass(Duration::from_secs(24 * 60 * 60 - 1));
    assert_eq!(rollbook.press(&peer.next_mail().await.token()).await.status, 200);
}

#[tokio::test]
async fn a_clock_set_back_or_forward_by_years_does_not_stall_what_is_queued() {
    for jump in [FIVE_YEARS, -FIVE_YEARS] {
        let peer = SmtpPeer::start().await;
        let rollbook = Rollbook::sending_to(&peer, &[]).await;
        rollbook.register("ada@example.org").await;
        rollbook.clock.set_by(jump);
        rollbook.register("eve@example.org").await;
        assert_eq!(rollbook.deliver().await, [Delivery::Sent, Delivery::Sent], "{jump}");
        assert_eq!(rollbook.press(&peer.next_mail().await.token()).await.status, 200);
    }
}

#[tokio::test]
async fn a_clock_set_back_or_forward_by_years_neither_stalls_nor_ends_what_was_put_off() {
    for jump in [FIVE_YEARS, -FIVE_YEARS] {
        let peer = SmtpPeer::start().await;
        let rollbook = Rollbook::sending_to(&peer, &[]).await;
        let ada = rollbook.register("ada@example.org").await;
        peer.on(At::Rcpt, Do::Reply("451 4.7.1 greylisted")).times(3);
        rollbook.deliver().await;
        rollbook.clock.set_by(jump);
        for _ in 0..2 {
            let delivered = rollbook.deliver().await;
            assert!(matches!(delivered[..], [Delivery::Deferred(_)]), "{jump}: {delivered:?}");
            rollbook.pass_until(&rollbook.message_to(&ada).await["next_attempt_at"]);
        }
        assert_eq!(rollbook.deliver().await, [Delivery::Sent], "{jump}");
    }
}

#[tokio::test]
async fn a_clock_set_back_among_messages_put_off_does_not_hide_one_behind_another() {
    let peer = SmtpPeer::start().await;
    let rollbook = Rollbook::sending_to(&peer, &[]).await;
    rollbook.register("ada@example.org").await;
    rollbook.clock.set_by(-FIVE_YEARS);
    rollbook.register("eve@example.org").await;
    peer.on(At::Rcpt, Do::Reply("451 4.7.1 greylisted")).times(1);
    let delivered = rollbook.deliver().await;
    assert!(matches!(delivered[..], [Delivery::Deferred(_), Delivery::Sent]), "{delivered:?}");
}

#[tokio::test]
async fn a_claim_left_behind_before_the_clock_was_set_back_lapses_all_the_same() {
    let peer = SmtpPeer::start().await;
    let rollbook = Rollbook::sending_to(&peer, &[]).await;
    rollbook.register("ada@example.org").await;
    crashes::claim(&rollbook).await;
    rollbook.clock.set_by(-FIVE_YEARS);
    assert_eq!(rollbook.deliver().await, [Delivery::Sent]);
}

#[tokio::test]
async fn a_pause_as_long_as_any_is_waited_for() {
    let peer = SmtpPeer::start().await;
    let rollbook = Rollbook::sending_to(&peer, &[("mail_backoff", "1s,1d")]).await;
    let ada = rollbook.register("ada@example.org").await;
    peer.on(At::Rcpt, Do::Reply("451 4.7.1 greylisted")).times(2);
    rollbook.deliver().await;
    rollbook.pass(2 * Duration::from_secs(1));
    rollbook.deliver().await;
    assert_eq!(rollbook.message_to(&ada).await["attempts"], 2);
    assert_eq!(rollbook.deliver().await, [], "far ahead, but as it was decided");
}

#[tokio::test]
async fn a_relay_is_probed_again_after_the_clock_was_set() {
    for jump in [FIVE_YEARS, -FIVE_YEARS] {
        let peer = SmtpPeer::start().await;
        let rollbook = Rollbook::sending_to(&peer, &[]).await;
        rollbook.register("ada@example.org").await;
        peer.on(At::Banner, Do::Reply("421 4.3.2 out of order")).times(1);
        rollbook.deliver().await;
        rollbook.clock.set_by(jump);
        assert_eq!(rollbook.deliver().await, [Delivery::Sent], "{jump}");
    }
}
