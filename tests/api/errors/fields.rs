//! Fields that are refused: each is named once, with the first rule it breaks, and all of them at once.

use serde_json::{Value, json};

use super::assert_failure;
use crate::harness::{Answer, Rollbook};

/// A good registration with some fields said otherwise; null in place of a value would be a value.
fn otherwise(fields: &Value) -> Value {
    let mut body = json!({ "name": "Ada", "email": "ada@example.org" });
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    body
}

fn messages(answer: &Answer) -> Vec<(String, String)> {
    let json = answer.json();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let details = json["details"].as_array().cloned().unwrap_or_default();
    details.iter().map(|detail| (text(&detail["field"]), text(&detail["message"]))).collect()
}

#[tokio::test]
async fn each_field_is_refused_for_the_first_rule_it_breaks() {
    let rollbook = Rollbook::start().await;
    let before = rollbook.rows();
    let long = "x".repeat(201);
    let many: serde_json::Map<_, _> = (0..51).map(|n| (n.to_string(), json!(""))).collect();
    for (fields, field, words) in [
        (json!({ "name": null }), "name", "must be a string, not null"),
        (json!({ "name": 7 }), "name", "must be a string, not a number"),
        (json!({ "name": 7.5 }), "name", "must be a string, not a number"),
        (json!({ "name": true }), "name", "must be a string, not a boolean"),
        (json!({ "name": ["Ada"] }), "name", "must be a string, not a list"),
        (json!({ "name": { "first": "Ada" } }), "name", "must be a string, not an object"),
        (json!({ "name": "" }), "name", "must not be empty"),
        (json!({ "name": " \u{a0}\t" }), "name", "must not be empty"),
        (json!({ "name": "x".repeat(101) }), "name", "must have at most 100 characters"),
        (json!({ "name": "a\nb" }), "name", "U+000A"),
        (json!({ "name": "a\0b" }), "name", "U+0000"),
        (json!({ "name": "a\u{202e}b" }), "name", "U+202E"),
        (json!({ "name": "a\u{200b}b" }), "name", "U+200B"),
        (json!({ "name": "--" }), "name", "at least one letter or digit"),
        (json!({ "email": null }), "email", "must be a string, not null"),
        (json!({ "email": ["ada@example.org", "eve@example.org"] }), "email", "must be a string, not a list"),
        (json!({ "email": { "ada@example.org": 1 } }), "email", "must be a string, not an object"),
        (json!({ "email": "" }), "email", "must not be empty"),
        (json!({ "email": "ada" }), "email", "like name@example.org"),
        (json!({ "email": "Ada <ada@example.org>" }), "email", "before the @"),
        (json!({ "email": "ada@example.org, eve@example.org" }), "email", "must be one address"),
        (json!({ "email": "ada@example.org\0" }), "email", "domain"),
        (json!({ "email": "ada@localhost" }), "email", "domain"),
        (json!({ "email": "ada@[127.0.0.1]" }), "email", "not a number"),
        (json!({ "email": "ada@127.0.0.1" }), "email", "not a number"),
        (json!({ "email": format!("{}@example.org", "x".repeat(65)) }), "email", "at most 64 octets"),
        (json!({ "email": format!("a@{}example.org", "x.".repeat(130)) }), "email", "domain"),
        (json!({ "external_id": 7 }), "external_id", "must be a string or null, not a number"),
        (json!({ "external_id": "" }), "external_id", "must not be empty"),
        (json!({ "external_id": long }), "external_id", "at most 200 characters"),
        (json!({ "external_id": "a\0" }), "external_id", "U+0000"),
        (json!({ "locale": false }), "locale", "must be a string or null, not a boolean"),
        (json!({ "locale": "de_DE" }), "locale", "BCP 47"),
        (json!({ "metadata": null }), "metadata", "must be an object, not null"),
        (json!({ "metadata": [] }), "metadata", "must be an object, not a list"),
        (json!({ "metadata": "a" }), "metadata", "must be an object, not a string"),
        (json!({ "metadata": { "a": 1, "b": null } }), "metadata", "must have strings as values; \"a\" is a number"),
        (json!({ "metadata": { "a": null } }), "metadata", "\"a\" is null"),
        (json!({ "metadata": { "": "a" } }), "metadata", "1 to 40 characters"),
        (json!({ "metadata": { "k".repeat(41): "a" } }), "metadata", "1 to 40 characters"),
        (json!({ "metadata": { "a": "v".repeat(501) } }), "metadata", "500"),
        (json!({ "metadata": many }), "metadata", "50"),
        (json!({ "verified": true }), "verified", "is not a known field"),
        (json!({ "id": "x" }), "id", "is not a known field"),
        (json!({ "Name": "Ada" }), "Name", "is not a known field"),
        (json!({ "": null }), "", "is not a known field"),
    ] {
        let answer = rollbook.post("/api/customers", &otherwise(&fields)).await;
        assert_failure(&answer, 422, "VALIDATION_ERROR");
        let details = messages(&answer);
        assert_eq!(details.len(), 1, "{fields}: {details:?}");
        assert_eq!(details[0].0, field, "{fields}");
        assert!(details[0].1.contains(words), "{fields}: {details:?}");
    }
    assert_eq!(rollbook.rows(), before);
}

#[tokio::test]
async fn all_bad_fields_are_named_at_once_and_each_once() {
    let rollbook = Rollbook::start().await;
    let all = json!({
        "name": "\u{202e}\n",
        "email": "a..b@localhost",
        "external_id": [],
        "locale": "?",
        "metadata": { "": 1, "b": 2 },
        "verified": true,
        "version": null,
    });
    let answer = rollbook.post("/api/customers", &all).await;
    assert_failure(&answer, 422, "VALIDATION_ERROR");
    assert_eq!(answer.json()["message"], "Validation failed");
    assert_eq!(answer.fields(), ["name", "email", "external_id", "locale", "metadata", "verified", "version"]);

    let none = rollbook.post("/api/customers", &json!({})).await;
    assert_failure(&none, 422, "VALIDATION_ERROR");
    let required = |field: &str| (field.to_owned(), "is required".to_owned());
    assert_eq!(messages(&none), [required("name"), required("email")]);
}

#[tokio::test]
async fn a_body_that_is_no_object_is_at_fault_itself() {
    let rollbook = Rollbook::start().await;
    for (body, kind) in [
        (json!(null), "null"),
        (json!(true), "a boolean"),
        (json!(-1), "a number"),
        (json!(18_446_744_073_709_551_615_u64), "a number"),
        (json!("Ada"), "a string"),
        (json!([{ "name": "Ada", "email": "ada@example.org" }]), "a list"),
    ] {
        for path in ["/api/customers", "/api/verifications"] {
            let answer = rollbook.post(path, &body).await;
            assert_failure(&answer, 422, "VALIDATION_ERROR");
            assert_eq!(messages(&answer), [("body".to_owned(), format!("must be an object, not {kind}"))], "{path}");
        }
    }
}

#[tokio::test]
async fn a_token_is_judged_like_any_field() {
    let rollbook = Rollbook::start().await;
    for (body, fields) in [
        (json!({}), &["token"][..]),
        (json!({ "token": null }), &["token"]),
        (json!({ "token": 1, "x": 2 }), &["token", "x"]),
        (json!({ "token": ["a"] }), &["token"]),
    ] {
        let answer = rollbook.post("/api/verifications", &body).await;
        assert_failure(&answer, 422, "VALIDATION_ERROR");
        assert_eq!(answer.fields(), fields, "{body}");
    }
    for token in ["", "x", "\0", "\u{1f600}", &"A".repeat(64), &"=".repeat(64), &"x".repeat(60_000)] {
        let answer = rollbook.post("/api/verifications", &json!({ "token": token })).await;
        assert_failure(&answer, 422, "TOKEN_INVALID");
        assert_eq!(answer.fields(), ["token"]);
    }
}
