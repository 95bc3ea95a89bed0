//! A store that cannot write now: told at once, nothing stored, nothing lost.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use serde_json::json;

use super::assert_failure;
use crate::harness::Rollbook;

#[tokio::test]
async fn a_database_that_another_program_locks_is_said_to_be_unavailable_in_time_and_nothing_is_stored() {
    let rollbook = Rollbook::with(&[("db_busy_timeout", "50ms")]).await;
    let customer = rollbook.register("ada@example.org").await;
    let before = rollbook.rows();
    let eve = json!({ "name": "Eve", "email": "eve@example.org" });
    let locked = rollbook.lock();
    let asked = Instant::now();
    let answer = rollbook.post("/api/customers", &eve).await;
    assert!((50..1000).contains(&asked.elapsed().as_millis()), "{:?}", asked.elapsed());
    assert_failure(&answer, 503, "STORAGE_UNAVAILABLE");
    assert!(answer.header("retry-after").is_some());
    assert_eq!(rollbook.customer(&customer["id"]).await, customer, "reading goes on");
    assert_eq!(rollbook.rows(), before);
    drop(locked);
    assert_eq!(rollbook.post("/api/customers", &eve).await.status, 201);
}

#[tokio::test]
async fn a_lock_that_goes_in_time_is_only_waited_for() {
    let rollbook = Rollbook::with(&[("db_busy_timeout", "10s")]).await;
    let locked = rollbook.lock();
    let eve = json!({ "name": "Eve", "email": "eve@example.org" });
    let release = async {
        rollbook.get("/livez").await;
        drop(locked);
    };
    let (answer, ()) = tokio::join!(rollbook.post("/api/customers", &eve), release);
    assert_eq!(answer.status, 201);
}

#[tokio::test]
async fn what_is_too_much_is_refused_at_once_and_the_rest_is_stored() {
    let rollbook = Rollbook::with(&[("writer_queue", "1"), ("db_busy_timeout", "30s")]).await;
    let bodies: Vec<_> = (0..8).map(|n| json!({ "name": "Ada", "email": format!("a{n}@example.org") })).collect();
    let locked = rollbook.lock();
    let mut posts: FuturesUnordered<_> = bodies.iter().map(|body| rollbook.post("/api/customers", body)).collect();
    // The writer holds one, its queue another at the most: the others are answered while the lock still holds.
    let mut returns = BTreeSet::new();
    for _ in 0..6 {
        let refused = tokio::time::timeout(Duration::from_secs(10), posts.next()).await.unwrap().unwrap();
        assert_failure(&refused, 503, "OVERLOADED");
        returns.insert(refused.header("retry-after").unwrap().parse::<u8>().unwrap());
    }
    assert!(returns.len() > 1 && returns.iter().all(|seconds| (1..=5).contains(seconds)), "{returns:?}");
    drop(locked);
    let last: Vec<_> = posts.map(|answer| answer.status).collect().await;
    assert!(last.contains(&201), "{last:?}");
    assert_eq!(rollbook.count("customers"), last.iter().filter(|&&status| status == 201).count());
}
