//! Query parameters that are refused, all at once like the fields of a body.

use super::assert_failure;
use crate::harness::{Rollbook, operations};

#[tokio::test]
async fn each_bad_parameter_is_named_once_and_all_at_once() {
    let rollbook = Rollbook::start().await;
    for (query, fields) in [
        ("limit=0", &["limit"][..]),
        ("limit=201", &["limit"]),
        ("limit=-1", &["limit"]),
        ("limit=%2B5", &["limit"]),
        ("limit=5.0", &["limit"]),
        ("limit=0x5", &["limit"]),
        ("limit=%D9%A5", &["limit"]),
        ("limit=99999999999999999999", &["limit"]),
        ("limit=", &["limit"]),
        ("limit", &["limit"]),
        ("limit=5&limit=5", &["limit"]),
        ("limit=0&limit=0&limit=0", &["limit"]),
        ("cursor=", &["cursor"]),
        ("cursor=x", &["cursor"]),
        ("cursor=%00", &["cursor"]),
        ("cursor=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", &["cursor"]),
        ("customer_id=x", &["customer_id"]),
        ("customer_id=019AB697-E800-7000-8A5C-3D1F9B20C7E4", &["customer_id"]),
        ("page=2", &["page"]),
        ("Limit=5", &["Limit"]),
        ("limit%20=5", &["limit "]),
        ("=5", &[""]),
        ("%ff=5", &["\u{fffd}"]),
        ("limit=0&cursor=x&customer_id=y&page=2", &["limit", "cursor", "customer_id", "page"]),
        ("page=1&page=2&limit=x&limit=1", &["page", "limit"]),
    ] {
        let answer = rollbook.get(&format!("/api/messages?{query}")).await;
        assert_failure(&answer, 422, "VALIDATION_ERROR");
        let mut named = answer.fields();
        let mut expected: Vec<String> = fields.iter().map(|&field| field.to_owned()).collect();
        named.sort();
        expected.sort();
        assert_eq!(named, expected, "{query}: {answer:?}");
    }
}

/// What an operation does not know is not there to be ignored: who sent it counts on it.
#[tokio::test]
async fn no_operation_ignores_a_parameter() {
    let rollbook = Rollbook::start().await;
    for operation in operations() {
        let path = format!("{}?on_duplicates=return", operation.path());
        let answer = rollbook.send(operation.method.clone(), &path, Some(&rollbook.key), &[], None).await;
        assert_failure(&answer, 422, "VALIDATION_ERROR");
        assert_eq!(answer.fields(), ["on_duplicates"], "{}", operation.id());
    }
}

#[tokio::test]
async fn a_cursor_is_taken_only_as_it_was_given() {
    let rollbook = Rollbook::start().await;
    for n in 0..3 {
        rollbook.register(&format!("a{n}@example.org")).await;
    }
    let page = rollbook.get("/api/messages?limit=1").await.json();
    let cursor = page["next_cursor"].as_str().unwrap();
    assert_eq!(rollbook.get(&format!("/api/messages?limit=1&cursor={cursor}")).await.status, 200);
    for at in 0..cursor.len() {
        let other = if &cursor[at..=at] == "A" { "B" } else { "A" };
        let changed = format!("{}{other}{}", &cursor[..at], &cursor[at + 1..]);
        let answer = rollbook.get(&format!("/api/messages?cursor={changed}")).await;
        assert_failure(&answer, 422, "VALIDATION_ERROR");
        assert_eq!(answer.fields(), ["cursor"], "{changed}");
    }
    for other in ["/api/customers?", "/api/customers?sort=created_at&"] {
        let answer = rollbook.get(&format!("{other}cursor={cursor}")).await;
        assert_eq!((answer.status, answer.fields()), (422, vec!["cursor".to_owned()]), "{other}");
    }
}
