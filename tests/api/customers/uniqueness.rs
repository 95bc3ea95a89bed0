//! An address, and a team's own key, can be on the roll only once.

use reqwest::Method;
use rollbook::domain::api_key::Scope;
use serde_json::{Value, json};

use crate::harness::{Answer, Rollbook};

async fn post_with(rollbook: &Rollbook, key: &str, body: &Value) -> Answer {
    let json = [("content-type", "application/json")];
    rollbook.send(Method::POST, "/api/customers", Some(key), &json, Some(body.to_string())).await
}

#[tokio::test]
async fn an_address_can_be_on_the_roll_only_once_however_it_is_written() {
    let rollbook = Rollbook::start().await;
    let customer = rollbook.register("Ada.L+x@B\u{fc}cher.example").await;
    let before = rollbook.rows();
    for same in [
        "Ada.L+x@B\u{fc}cher.example",
        " ada.l+X@BU\u{308}CHER.EXAMPLE ",
        "ADA.L+X@xn--bcher-kva.example",
        "ada.l+x@XN--BCHER-KVA.Example",
        "ada.l+x@b\u{fc}cher\u{3002}example",
    ] {
        let answer = rollbook.post("/api/customers", &json!({ "name": "Eve", "email": same })).await;
        assert_eq!((answer.status, answer.code().as_str()), (409, "EMAIL_TAKEN"), "{same}: {answer:?}");
        assert_eq!(answer.fields(), ["email"]);
        assert!(answer.text.contains(customer["id"].as_str().unwrap()), "{answer:?}");
    }
    assert_eq!(rollbook.rows(), before);
    for another in ["adal+x@b\u{fc}cher.example", "ada.l@b\u{fc}cher.example", "ada.l+x@bucher.example"] {
        rollbook.register(another).await;
    }
}

#[tokio::test]
async fn only_a_key_that_may_read_learns_who_has_an_address_or_an_external_id() {
    let rollbook = Rollbook::start().await;
    let ada = json!({ "name": "Ada", "email": "ada@example.org", "external_id": "crm-1" });
    let id = rollbook.post("/api/customers", &ada).await.json()["id"].as_str().unwrap().to_owned();
    let reader = rollbook.key_with(&[Scope::CustomersRead, Scope::CustomersWrite]).await;
    let writer = rollbook.key_with(&[Scope::CustomersWrite, Scope::MailRead, Scope::MailWrite]).await;
    for (code, field, body) in [
        ("EMAIL_TAKEN", "email", json!({ "name": "Eve", "email": "ada@example.org" })),
        (
            "EXTERNAL_ID_TAKEN",
            "external_id",
            json!({ "name": "Eve", "email": "eve@example.org", "external_id": "crm-1" }),
        ),
    ] {
        let told = post_with(&rollbook, &reader, &body).await;
        assert_eq!((told.status, told.code().as_str(), told.fields()), (409, code, vec![field.to_owned()]));
        assert_eq!(told.header("location"), Some(format!("/api/customers/{id}").as_str()));
        assert!(told.json()["details"][0]["message"].as_str().unwrap().contains(&id), "{told:?}");

        let untold = post_with(&rollbook, &writer, &body).await;
        assert_eq!((untold.status, untold.code().as_str(), untold.fields()), (409, code, vec![field.to_owned()]));
        assert_eq!(untold.header("location"), None);
        assert!(!untold.text.contains(&id), "{untold:?}");
    }
}

#[tokio::test]
async fn external_ids_are_told_apart_by_every_character_and_none_is_not_one() {
    let rollbook = Rollbook::start().await;
    for (n, external_id) in
        [json!("crm-1"), json!("CRM-1"), json!("crm-1 "), json!(null), json!(null)].iter().enumerate()
    {
        let body = json!({ "name": "Ada", "email": format!("a{n}@example.org"), "external_id": external_id });
        assert_eq!(rollbook.post("/api/customers", &body).await.status, 201, "{body}");
    }
}

#[tokio::test]
async fn an_address_and_an_external_id_that_are_both_taken_are_both_told() {
    let rollbook = Rollbook::start().await;
    let ada = rollbook.register("ada@example.org").await;
    let eve = json!({ "name": "Eve", "email": "eve@example.org", "external_id": "crm-1" });
    let eve = rollbook.post("/api/customers", &eve).await.json();
    let both = json!({ "name": "Kim", "email": "ada@example.org", "external_id": "crm-1" });
    let refused = rollbook.post("/api/customers", &both).await;
    assert_eq!((refused.status, refused.code().as_str()), (409, "EMAIL_TAKEN"));
    assert_eq!(refused.fields(), ["email", "external_id"]);
    let location = format!("/api/customers/{}", ada["id"].as_str().unwrap());
    assert_eq!(refused.header("location"), Some(location.as_str()));
    for (detail, holder) in [(0, &ada), (1, &eve)] {
        let message = refused.json()["details"][detail]["message"].as_str().unwrap().to_owned();
        assert!(message.contains(holder["id"].as_str().unwrap()), "{message}");
    }
}
