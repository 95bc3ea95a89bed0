//! Who may call: every operation of the document, tried with every kind of key.

use std::time::Duration;

use jiff::SignedDuration;
use reqwest::Method;
use rollbook::domain::{
    api_key::{ApiKey, KeyId, KeyName, Scope},
    secret::Secret,
};
use serde_json::json;

use crate::harness::{Answer, Operation, Rollbook, id_of, operations};

/// Whom each operation needs, as its `x-scope` says; none for a public one.
fn scope_of(operation: &Operation) -> Option<Scope> {
    let said = &operation.said["x-scope"];
    said.as_str().map(|word| Scope::parse(word).unwrap_or_else(|| panic!("{operation:?}")))
}

fn keyed() -> impl Iterator<Item = (Operation, Scope)> {
    operations().filter_map(|operation| scope_of(&operation).map(|scope| (operation, scope)))
}

/// The operation with the least it takes: an id that nobody has, an empty object for a body.
async fn call(rollbook: &Rollbook, operation: &Operation, authorization: Option<&str>) -> Answer {
    let authorization = authorization.map(|value| ("authorization", value));
    let headers: Vec<_> = authorization.into_iter().chain([("content-type", "application/json")]).collect();
    rollbook.send(operation.method.clone(), &operation.path(), None, &headers, Some("{}".to_owned())).await
}

/// A look at one customer, which is known to exist or not by the status.
async fn look(rollbook: &Rollbook, authorization: &str) -> u16 {
    let path = "/api/customers/019ab697-e800-7000-8a5c-3d1f9b20c7e4";
    rollbook.send(Method::GET, path, None, &[("authorization", authorization)], None).await.status
}

/// A key as its owner presents it, stored as given.
async fn store(rollbook: &Rollbook, change: impl FnOnce(&mut ApiKey)) -> Secret {
    let name = KeyName::parse("test").unwrap();
    let now = rollbook.registry.clock.now();
    let (mut key, presented) = ApiKey::make(KeyId::new(77), [7; 32], name, vec![Scope::Admin], now);
    change(&mut key);
    rollbook.registry.keys.add(&key).await.unwrap();
    presented
}

fn is_unauthenticated(answer: &Answer) -> bool {
    answer.status == 401
        && answer.code() == "UNAUTHENTICATED"
        && answer.header("www-authenticate") == Some("Bearer realm=\"rollbook\"")
}

#[tokio::test]
async fn every_operation_that_is_not_public_refuses_whoever_has_no_key_that_counts() {
    let rollbook = Rollbook::start().await;
    let revoked = rollbook.key_with(&[Scope::Admin]).await;
    rollbook.registry.key_desk().revoke(id_of(&revoked)).await.unwrap();
    let expired = store(&rollbook, |key| key.expires_at = Some(key.created_at)).await;
    let good = &rollbook.key;
    let (head, secret) = good.rsplit_once('_').unwrap();
    let wrong = [
        String::new(),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        "Bearer x".to_owned(),
        "Bearer rb_".to_owned(),
        good.clone(),
        format!("Basic {good}"),
        format!("Bearer{good}"),
        format!("Bearer {good} {good}"),
        format!("Bearer {}", good.to_uppercase()),
        format!("Bearer {head}_{}", "0".repeat(64)),
        format!("Bearer rb_{}_{secret}", "f".repeat(16)),
        format!("Bearer {good}0"),
        format!("Bearer {revoked}"),
        format!("Bearer {}", expired.expose()),
    ];
    for (operation, _) in keyed() {
        let unsaid = call(&rollbook, &operation, None).await;
        assert!(is_unauthenticated(&unsaid), "{} {unsaid:?}", operation.id());
        for authorization in &wrong {
            let answer = call(&rollbook, &operation, Some(authorization)).await;
            assert!(is_unauthenticated(&answer), "{} {authorization} {answer:?}", operation.id());
            assert_eq!(answer.text, unsaid.text, "what is wrong with a key is not told");
        }
    }
}

#[tokio::test]
async fn every_operation_is_open_to_its_scope_and_to_admins_and_to_no_other() {
    let rollbook = Rollbook::start().await;
    let mut keys = Vec::new();
    for scope in Scope::ALL {
        let others =
            Scope::ALL.into_iter().filter(|&other| other != scope && other != Scope::Admin).collect::<Vec<_>>();
        keys.push((scope, rollbook.key_with(&[scope]).await, rollbook.key_with(&others).await));
    }
    for (operation, needed) in keyed() {
        for (scope, alone, all_others) in &keys {
            let may = *scope == needed || *scope == Scope::Admin;
            let answer = call(&rollbook, &operation, Some(&format!("Bearer {alone}"))).await;
            assert_eq!(is_forbidden(&answer, needed), !may, "{} with {scope}: {answer:?}", operation.id());
            assert_ne!(answer.status, 401);
            let lacks = *scope == needed;
            let answer = call(&rollbook, &operation, Some(&format!("Bearer {all_others}"))).await;
            assert_eq!(is_forbidden(&answer, needed), lacks, "{} without {scope}: {answer:?}", operation.id());
        }
    }
}

fn is_forbidden(answer: &Answer, needed: Scope) -> bool {
    if answer.status != 403 {
        return false;
    }
    assert_eq!(answer.code(), "FORBIDDEN");
    assert!(answer.text.contains(needed.as_str()), "{answer:?} should name {needed}");
    true
}

#[tokio::test]
async fn public_operations_ask_for_no_key_and_mind_none() {
    let rollbook = Rollbook::start().await;
    let public: Vec<_> = operations().filter(|operation| scope_of(operation).is_none()).collect();
    assert_eq!(public.iter().map(Operation::id).collect::<Vec<_>>(), ["verify_email"]);
    for operation in public {
        for authorization in [None, Some("Bearer x")] {
            let answer = call(&rollbook, &operation, authorization).await;
            assert!(![401, 403].contains(&answer.status), "{} {answer:?}", operation.id());
        }
    }
}

#[tokio::test]
async fn who_calls_is_asked_before_what_is_wanted() {
    let rollbook = Rollbook::start().await;
    let reader = rollbook.key_with(&[Scope::CustomersRead]).await;
    let nonsense = [
        ("/api/customers", "text/plain", "{".to_owned()),
        ("/api/customers", "application/json", "{".to_owned()),
        ("/api/customers", "application/json", "x".repeat(70_000)),
        ("/api/customers/nobody/verification", "text/plain", String::new()),
    ];
    for (path, content_type, body) in nonsense {
        let headers = [("content-type", content_type), ("content-encoding", "gzip")];
        let answer = rollbook.send(Method::POST, path, None, &headers, Some(body.clone())).await;
        assert!(is_unauthenticated(&answer), "{path} {answer:?}");
        let answer = rollbook.send(Method::POST, path, Some(&reader), &headers, Some(body)).await;
        assert!(is_forbidden(&answer, Scope::CustomersWrite), "{path} {answer:?}");
    }
    for path in ["/api/customers/nobody", "/api/messages/nobody", "/api/messages?limit=0&x=1"] {
        let answer = rollbook.without_key(path).await;
        assert!(is_unauthenticated(&answer), "{path} {answer:?}");
    }
}

#[tokio::test]
async fn the_scheme_has_no_case() {
    let rollbook = Rollbook::start().await;
    for scheme in ["Bearer", "bearer", "BEARER", "bEaReR"] {
        assert_eq!(look(&rollbook, &format!("{scheme} {}", rollbook.key)).await, 404, "{scheme}");
    }
}

#[tokio::test]
async fn a_key_made_beside_the_running_server_counts_at_once() {
    let rollbook = Rollbook::start().await;
    let presented = format!("Bearer rb_{:016x}_{}", 77, "07".repeat(32));
    assert_eq!(look(&rollbook, &presented).await, 401);
    let secret = store(&rollbook, |_| {}).await;
    assert_eq!(presented, format!("Bearer {}", secret.expose()));
    assert_eq!(look(&rollbook, &presented).await, 404, "though it was unknown a moment ago");
}

#[tokio::test]
async fn a_revoked_key_stops_within_a_second_and_for_good() {
    let rollbook = Rollbook::start().await;
    let key = rollbook.key_with(&[Scope::CustomersRead]).await;
    let authorization = format!("Bearer {key}");
    assert_eq!(look(&rollbook, &authorization).await, 404);
    assert!(rollbook.registry.key_desk().revoke(id_of(&key)).await.unwrap());
    rollbook.pass(Duration::from_millis(499));
    assert_eq!(look(&rollbook, &authorization).await, 404, "it was looked up half a second ago");
    rollbook.pass(Duration::from_millis(501));
    assert_eq!(look(&rollbook, &authorization).await, 401);
    rollbook.clock.set_by(SignedDuration::from_hours(-1000));
    assert_eq!(look(&rollbook, &authorization).await, 401, "whatever becomes of the time of day");
    let rollbook = rollbook.restart().await;
    assert_eq!(look(&rollbook, &authorization).await, 401);
}

#[tokio::test]
async fn a_revoked_key_stops_at_once_where_no_key_check_is_trusted() {
    let rollbook = Rollbook::with(&[("key_refresh", "0s")]).await;
    let key = rollbook.key_with(&[Scope::CustomersRead]).await;
    assert_eq!(look(&rollbook, &format!("Bearer {key}")).await, 404);
    rollbook.registry.key_desk().revoke(id_of(&key)).await.unwrap();
    assert_eq!(look(&rollbook, &format!("Bearer {key}")).await, 401);
}

#[tokio::test]
async fn a_key_expires_to_the_microsecond_though_its_look_up_is_still_trusted() {
    let rollbook = Rollbook::start().await;
    let soon = SignedDuration::from_millis(100);
    let secret = store(&rollbook, |key| key.expires_at = Some(key.created_at.saturating_add(soon).unwrap())).await;
    let authorization = format!("Bearer {}", secret.expose());
    assert_eq!(look(&rollbook, &authorization).await, 404);
    rollbook.pass(Duration::from_micros(99_999));
    assert_eq!(look(&rollbook, &authorization).await, 404);
    rollbook.pass(Duration::from_micros(1));
    assert_eq!(look(&rollbook, &authorization).await, 401);
}

#[tokio::test]
async fn no_secret_of_a_key_is_kept_anywhere() {
    let rollbook = Rollbook::start().await;
    let key = rollbook.key_with(&[Scope::CustomersWrite]).await;
    let body = json!({ "name": "Ada", "email": "ada@example.org" }).to_string();
    let headers = [("content-type", "application/json")];
    let answer = rollbook.send(Method::POST, "/api/customers", Some(&key), &headers, Some(body)).await;
    assert_eq!(answer.status, 201);
    let (_, secret) = key.rsplit_once('_').unwrap();
    let raw = data_encoding::HEXLOWER.decode(secret.as_bytes()).unwrap();
    let id = id_of(&key).to_string();
    let mut names = Vec::new();
    for entry in std::fs::read_dir(rollbook.folder().join("data")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            continue;
        }
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let bytes = std::fs::read(&path).unwrap();
        assert!(!contains(&bytes, secret.as_bytes()), "{name} has the secret");
        assert!(!contains(&bytes, &raw), "{name} has the bytes of the secret");
        if contains(&bytes, id.as_bytes()) {
            names.push(name);
        }
    }
    assert_eq!(names, ["rollbook.db-wal"], "where the id is, the search has looked");
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[tokio::test]
async fn when_a_key_was_last_used_is_noted_to_the_hour() {
    let rollbook = Rollbook::start().await;
    let other = store(&rollbook, |_| {}).await.expose().to_owned();
    let last_used = async |key: &str| {
        // Who registers is answered once all that was queued before is written.
        rollbook.register(&format!("{}@example.org", rollbook.registry.clock.now().as_second())).await;
        let keys = rollbook.registry.keys.list().await.unwrap();
        keys.into_iter().find(|listed| listed.id == id_of(key)).unwrap().last_used_at
    };
    assert_eq!(look(&rollbook, &format!("Bearer {}x", &other[..other.len() - 1])).await, 401);
    assert_eq!(last_used(&other).await, None, "somebody else's try is no use");
    let mut noted = rollbook.registry.clock.now();
    for (minutes, is_noted) in [(1, true), (59, false), (1, true), (60 * 24, true)] {
        rollbook.pass(Duration::from_mins(minutes));
        assert_eq!(look(&rollbook, &format!("Bearer {other}")).await, 404);
        if is_noted {
            noted = rollbook.registry.clock.now();
        }
        assert_eq!(last_used(&other).await, Some(noted), "{minutes} minutes later");
    }
    // By a clock that was a year ahead.
    rollbook.database().execute("UPDATE api_keys SET last_used_at = last_used_at + 31536000000000", []).unwrap();
    rollbook.pass(Duration::from_mins(1));
    assert_eq!(look(&rollbook, &format!("Bearer {other}")).await, 404);
    assert_eq!(last_used(&other).await, Some(rollbook.registry.clock.now()), "what is in the future is mended");
}
