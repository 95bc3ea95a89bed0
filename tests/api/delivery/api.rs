//! What an HTTP e-mail API does to one mail, and what that does to the others.

use super::*;
use crate::api_peer::ApiPeer;

/// Sending by an API that answers mail to Eve with a status, and takes all other mail.
async fn sending(to_eve: u16) -> (ApiPeer, Rollbook) {
    let peer = ApiPeer::judging(move |request| if request.contains("eve") { to_eve } else { 200 }).await;
    let url = peer.url();
    let settings = [
        ("mail_transport", "http"),
        ("mail_from", "Acme <hello@acme.example>"),
        ("mail_api_url", &url),
        ("mail_api_key", "secret"),
    ];
    (peer, Rollbook::with(&settings).await)
}

#[tokio::test]
async fn a_mail_that_an_api_fails_over_holds_up_no_other() {
    let (_peer, rollbook) = sending(500).await;
    let eve = rollbook.register("eve@example.org").await;
    for name in ["ada", "kim"] {
        rollbook.register(&format!("{name}@example.org")).await;
    }
    let delivered = rollbook.deliver().await;
    assert!(matches!(delivered[..], [Delivery::Deferred(_), Delivery::Sent, Delivery::Sent]), "{delivered:?}");
    assert_eq!(shown(&rollbook, &eve).await, ("deferred".into(), "e-mail API: 500 {}".into()));
    assert_eq!(rollbook.message_to(&eve).await["attempts"], 1);
}

#[tokio::test]
async fn a_mail_that_an_api_always_fails_over_ends_as_failed() {
    let (_peer, rollbook) = sending(500).await;
    let eve = rollbook.register("eve@example.org").await;
    let (age, attempts) = tried_until_it_ends(&rollbook, &eve).await;
    assert!(age >= 5 * 24 * 60 * 60 && attempts >= 30, "{attempts} in {age} s");
}

#[tokio::test]
async fn an_api_that_fails_over_three_mails_in_a_row_is_told_of_and_goes_on_being_asked() {
    let (_peer, rollbook) = sending(500).await;
    for name in ["eve1", "eve2", "eve3"] {
        assert_eq!(rollbook.metric("rollbook_smtp_relay_up").await, 1);
        rollbook.register(&format!("{name}@example.org")).await;
        rollbook.deliver().await;
    }
    assert_eq!(rollbook.metric("rollbook_smtp_relay_up").await, 0);
    rollbook.register("ada@example.org").await;
    assert_eq!(rollbook.deliver().await, [Delivery::Sent]);
    assert_eq!(rollbook.metric("rollbook_smtp_relay_up").await, 1);
}

#[tokio::test]
async fn an_api_that_has_a_bad_day_costs_no_mail_an_attempt() {
    let (_peer, rollbook) = sending(503).await;
    let eve = rollbook.register("eve@example.org").await;
    let delivered = rollbook.deliver().await;
    assert!(matches!(delivered[..], [Delivery::RelayFault(..)]), "{delivered:?}");
    assert_eq!(rollbook.message_to(&eve).await["attempts"], 0);
}
