//! What looks like a token and is none.

use rollbook::{application::ports::MessageQuery, domain::token::MacKey};

use super::*;

/// Whichever way it is presented, it proves nothing and changes nothing.
async fn proves_nothing(rollbook: &Rollbook, token: &str) {
    let form = url::form_urlencoded::Serializer::new(String::new()).append_pair("token", token).finish();
    let looked = rollbook.get(&format!("/verify?{form}")).await;
    let pressed = press_with(rollbook, &[FORM], &form).await;
    for page in [looked, pressed] {
        assert_eq!(page.status, 422, "{token}");
        assert!(page.text.contains("<h1>This link is not valid</h1>"), "{page:?}");
        assert!(!page.text.contains("example.org"), "{page:?}");
    }
    let answer = rollbook.post("/api/verifications", &json!({ "token": token })).await;
    assert_eq!((answer.status, answer.code().as_str()), (422, "TOKEN_INVALID"), "{token}");
    assert_eq!(answer.fields(), ["token"]);
}

#[tokio::test]
async fn a_token_with_any_character_changed_proves_nothing() {
    let rollbook = Rollbook::start().await;
    let ada = rollbook.register("ada@example.org").await;
    let token = rollbook.captured_token(&ada).await;
    for place in 0..token.len() {
        let other = if &token[place..=place] == "A" { "B" } else { "A" };
        let changed = format!("{}{other}{}", &token[..place], &token[place + 1..]);
        proves_nothing(&rollbook, &changed).await;
    }
    assert_eq!(rollbook.customer(&ada["id"]).await, ada);
    assert_eq!(rollbook.press(&token).await.status, 200, "the right one still counts");
}

#[tokio::test]
async fn a_token_of_another_length_or_alphabet_proves_nothing() {
    let rollbook = Rollbook::start().await;
    let ada = rollbook.register("ada@example.org").await;
    let token = rollbook.captured_token(&ada).await;
    let (cut, doubled, swapped) = (&token[1..], format!("{token}{token}"), token.to_lowercase());
    for other in ["", "A", cut, &token[..63], &format!("{token}A"), &format!("{token}="), &doubled, &swapped] {
        proves_nothing(&rollbook, other).await;
    }
    for other in ["+", "/", "=", " ", "\u{e9}", "\u{0}", "%", "<"] {
        proves_nothing(&rollbook, &format!("{}{other}", &token[..63])).await;
        proves_nothing(&rollbook, &other.repeat(64 / other.len())).await;
    }
    proves_nothing(&rollbook, &format!(" {token}")).await;
}

#[tokio::test]
async fn a_token_counts_for_its_own_customer_alone() {
    let rollbook = Rollbook::start().await;
    let (ada, eve) = (rollbook.register("ada@example.org").await, rollbook.register("eve@example.org").await);
    let (of_ada, of_eve) = (rollbook.captured_token(&ada).await, rollbook.captured_token(&eve).await);
    // The first 16 of its 48 bytes name the proof; the 22nd character holds bits of both.
    proves_nothing(&rollbook, &format!("{}{}", &of_ada[..21], &of_eve[21..])).await;
    proves_nothing(&rollbook, &format!("{}{}", &of_ada[..22], &of_eve[22..])).await;
    assert_eq!(rollbook.press(&of_ada).await.status, 200);
    assert_eq!(rollbook.customer(&eve["id"]).await, eve);
}

#[tokio::test]
async fn a_token_by_another_key_proves_nothing() {
    let rollbook = Rollbook::start().await;
    rollbook.register("ada@example.org").await;
    let page = rollbook.registry.list_messages(MessageQuery { after: None, limit: 1, customer: None }).await.unwrap();
    let proof = &page.messages[0].verification;
    let forged = MacKey::new(&[7; 32]).token(proof.id, &proof.email);
    proves_nothing(&rollbook, forged.expose()).await;
}

#[tokio::test]
async fn a_link_without_one_token_is_not_valid() {
    let rollbook = Rollbook::start().await;
    let ada = rollbook.register("ada@example.org").await;
    let token = rollbook.captured_token(&ada).await;
    let twice = format!("token={token}&token={token}");
    for form in ["", "token", "token=", "other=1", &twice, &format!("Token={token}"), "token[]=x", "%ff=%ff"] {
        let looked = rollbook.get(&format!("/verify?{form}")).await;
        let pressed = press_with(&rollbook, &[FORM], form).await;
        assert_eq!((looked.status, pressed.status), (422, 422), "{form}");
    }
    for body in [json!({}), json!({ "token": null }), json!({ "token": 7 }), json!({ "token": [token] })] {
        let answer = rollbook.post("/api/verifications", &body).await;
        assert_eq!((answer.status, answer.code().as_str()), (422, "VALIDATION_ERROR"), "{body}");
        assert_eq!(answer.fields(), ["token"]);
    }
    assert_eq!(rollbook.customer(&ada["id"]).await, ada);
}

#[tokio::test]
async fn a_repeat_needs_no_turn_at_the_writer() {
    let rollbook = Rollbook::start().await;
    let ada = rollbook.register("ada@example.org").await;
    let token = rollbook.captured_token(&ada).await;
    assert_eq!(rollbook.press(&token).await.status, 200);
    let _other = rollbook.lock();
    assert_eq!(rollbook.press(&token).await.status, 200);
    let repeated = rollbook.post("/api/verifications", &json!({ "token": token })).await;
    assert_eq!((repeated.status, &repeated.json()["already_verified"]), (200, &json!(true)));
}
