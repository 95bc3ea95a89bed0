//! What a registration answers, and what it leaves behind.

use serde_json::json;
use uuid::Uuid;

use crate::{harness::Rollbook, smtp_peer::SmtpPeer};

#[tokio::test]
async fn a_registration_answers_the_whole_customer_where_it_is_and_its_validator() {
    let peer = SmtpPeer::start().await;
    let rollbook = Rollbook::sending_to(&peer, &[]).await;
    let wanted = json!({
        "name": " \u{a0}Jose\u{301} de Ñuñoa\t",
        "email": " Jose+Roll@Bu\u{308}cher.EXAMPLE ",
        "external_id": " CRM/42 ",
        "locale": "es-cl",
        "metadata": { "plan": "gold", "b": "", "a": "\u{1f600}" },
    });
    let answer = rollbook.post("/api/customers", &wanted).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let whole = json!({
        "id": "019c13ec-9e00-7000-8000-000000000002",
        "name": "Jos\u{e9} de Ñuñoa",
        "email": "Jose+Roll@B\u{fc}cher.EXAMPLE",
        "verified": false,
        "verified_at": null,
        "pending_email": null,
        "external_id": " CRM/42 ",
        "locale": "es-CL",
        "metadata": { "a": "\u{1f600}", "b": "", "plan": "gold" },
        "created_at": "2026-01-31T12:00:00.000000Z",
        "updated_at": "2026-01-31T12:00:00.000000Z",
        "verification": {
            "state": "queued",
            "attempts": 0,
            "last_error": null,
            "next_attempt_at": "2026-01-31T12:00:00.000000Z",
            "sent_at": null,
            "expires_at": null,
        },
        "version": 1,
    });
    assert_eq!(answer.text, whole.to_string(), "fields in the order of the document, nothing between them");
    assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
    assert_eq!(answer.header("etag"), Some("\"1.0\""));
    let location = answer.header("location").unwrap();
    assert_eq!(location, format!("/api/customers/{}", whole["id"].as_str().unwrap()));

    let found = rollbook.get(location).await;
    assert_eq!((found.status, &found.text, found.header("etag")), (200, &answer.text, Some("\"1.0\"")));
}

#[tokio::test]
async fn what_is_left_out_or_null_is_null_and_captured_mail_counts_as_sent() {
    let rollbook = Rollbook::start().await;
    let least = json!({ "name": "Ada", "email": "ada@example.org" });
    let nulls = json!({ "name": "Bob", "email": "bob@example.org", "external_id": null, "locale": null });
    for body in [least, nulls] {
        let customer = rollbook.post("/api/customers", &body).await.json();
        assert_eq!(customer["external_id"], json!(null));
        assert_eq!(customer["locale"], json!(null));
        assert_eq!(customer["metadata"], json!({}));
        let proof = json!({
            "state": "sent",
            "attempts": 1,
            "last_error": null,
            "next_attempt_at": null,
            "sent_at": "2026-01-31T12:00:00.000000Z",
            "expires_at": "2026-02-01T12:00:00.000000Z",
        });
        assert_eq!(customer["verification"], proof);
    }
}

#[tokio::test]
async fn a_registration_is_a_customer_a_proof_a_message_and_a_line_of_history_and_nothing_else() {
    let rollbook = Rollbook::start().await;
    let before = rollbook.rows();
    rollbook.register("ada@example.org").await;
    for (table, rows) in rollbook.rows() {
        let more = rows.len() - before[&table].len();
        let grows = ["customers", "history", "outbox", "verifications"].contains(&table.as_str());
        assert_eq!(more, usize::from(grows), "{table}");
    }
}

#[tokio::test]
async fn a_refused_registration_leaves_nothing_anywhere() {
    let rollbook = Rollbook::start().await;
    let taken = json!({ "name": "Ada", "email": "ada@example.org", "external_id": "crm-1" });
    assert_eq!(rollbook.post("/api/customers", &taken).await.status, 201);
    let before = rollbook.rows();
    for (status, body) in [
        (409, json!({ "name": "Eve", "email": "ADA@example.org" })),
        (409, json!({ "name": "Eve", "email": "eve@example.org", "external_id": "crm-1" })),
        (422, json!({ "name": "\u{202e}", "email": "eve@example.org" })),
        (422, json!({ "name": "Eve", "email": "eve@example.org", "verified": true })),
        (422, json!([])),
    ] {
        assert_eq!(rollbook.post("/api/customers", &body).await.status, status, "{body}");
        assert_eq!(rollbook.rows(), before, "{body}");
    }
}

#[tokio::test]
async fn ids_are_uuids_of_version_7_that_rise_also_across_a_restart_and_a_clock_set_back() {
    let rollbook = Rollbook::start().await;
    let mut ids = Vec::new();
    for n in 0..3 {
        ids.push(rollbook.register(&format!("a{n}@example.org")).await);
    }
    rollbook.clock.set_by(jiff::SignedDuration::from_hours(-48));
    ids.push(rollbook.register("b@example.org").await);
    let rollbook = rollbook.restart().await;
    ids.push(rollbook.register("c@example.org").await);
    let ids: Vec<Uuid> = ids.iter().map(|customer| customer["id"].as_str().unwrap().parse().unwrap()).collect();
    assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
    for id in ids {
        assert_eq!((id.get_version_num(), id.get_variant()), (7, uuid::Variant::RFC4122), "{id}");
    }
}
