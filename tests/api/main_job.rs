//! The main job, end to end: register, mail, confirm, look up.

use rollbook::application::deliver_message::Delivery;
use serde_json::json;

use crate::{harness::Rollbook, smtp_peer::SmtpPeer};

#[tokio::test]
async fn a_customer_registers_gets_one_mail_presses_once_and_is_verified() {
    let peer = SmtpPeer::start().await;
    let rollbook = Rollbook::sending_to(&peer, &[("public_url", "https://roll.example.org")]).await;
    let registered = rollbook.register("Ada@Example.org").await;
    assert_eq!(registered["verification"]["state"], "queued");
    assert_eq!(registered["verified"], false);

    assert_eq!(rollbook.deliver().await, [Delivery::Sent]);
    let mail = peer.next_mail().await;
    assert_eq!(mail.to, ["Ada@example.org"]);
    let link = mail.link();
    let undecoded = String::from_utf8(mail.raw.clone()).unwrap();
    assert!(undecoded.lines().any(|line| line == link), "whole, even to who decodes nothing: {undecoded}");
    let token = link.strip_prefix("https://roll.example.org/verify?token=").unwrap().to_owned();
    assert_eq!(rollbook.customer(&registered["id"]).await["verification"]["state"], "sent");

    let page = rollbook.get(&format!("/verify?token={token}")).await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("<button type=\"submit\">Confirm <span>Ada@Example.org</span></button>"), "{page:?}");
    assert_eq!(rollbook.customer(&registered["id"]).await["verified"], false, "looking is not confirming");

    let thanks = rollbook.press(&token).await;
    assert_eq!(thanks.status, 200);
    let verified = rollbook.customer(&registered["id"]).await;
    assert_eq!(verified["verified"], true);
    assert_eq!(verified["verified_at"], "2026-01-31T12:00:00.000000Z");
    assert_eq!(verified["verification"]["state"], "confirmed");

    let again = rollbook.press(&token).await;
    assert_eq!(again.status, 200);
    assert!(again.text.contains("already confirmed"), "{again:?}");
    assert_eq!(peer.mails_so_far().len(), 1);
}

#[tokio::test]
async fn a_program_confirms_with_the_token_too() {
    let rollbook = Rollbook::start().await;
    let customer = rollbook.register("ada@example.org").await;
    let token = rollbook.captured_token(&customer).await;
    let verified = rollbook.post("/api/verifications", &json!({ "token": token })).await;
    assert_eq!(verified.status, 200);
    assert_eq!(verified.json()["already_verified"], false);
    let again = rollbook.post("/api/verifications", &json!({ "token": token })).await;
    assert_eq!((again.status, again.json()["already_verified"].clone()), (200, json!(true)));
    assert_eq!(rollbook.customer(&customer["id"]).await["verified"], true);
}
