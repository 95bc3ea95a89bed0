//! Many registrations at once, and clients that do not stay to hear the answer.

use std::{collections::BTreeMap, fs, time::Duration};

use rollbook::{
    application::register_customer::RegisterCustomer,
    domain::{
        customer::Particulars, customer_name::CustomerName, email_address::EmailAddress, history::Actor,
        metadata::Metadata,
    },
};
use serde_json::json;
use tokio::time::timeout;

use crate::harness::Rollbook;

/// Somebody with this in front of the @.
fn newcomer(local: &str) -> RegisterCustomer {
    let name = CustomerName::parse("Ada").unwrap();
    let email = EmailAddress::parse(&format!("{local}@example.org")).unwrap();
    let particulars = Particulars { name, email, external_id: None, locale: None, metadata: Metadata::default() };
    RegisterCustomer { particulars, actor: Actor::Rollbook }
}

/// A counter of `/metrics`.
async fn counted(rollbook: &Rollbook, name: &str) -> u64 {
    let metrics = rollbook.get("/metrics").await.text;
    let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).unwrap();
    line.parse().unwrap()
}

async fn commits_and_commands(rollbook: &Rollbook) -> (u64, u64) {
    (counted(rollbook, "rollbook_commits_total").await, counted(rollbook, "rollbook_committed_commands_total").await)
}

#[tokio::test]
async fn registrations_that_wait_together_are_committed_together() {
    const MANY: u64 = 64;
    let rollbook = Rollbook::start().await;
    let before = commits_and_commands(&rollbook).await;
    let bodies: Vec<_> = (0..MANY).map(|n| json!({ "name": "Ada", "email": format!("a{n}@example.org") })).collect();
    let locked = rollbook.lock();
    let posts = futures_util::future::join_all(bodies.iter().map(|body| rollbook.post("/api/customers", body)));
    let release = async {
        // Each of these is answered while the others queue behind the lock.
        for _ in 0..MANY {
            rollbook.get("/livez").await;
        }
        drop(locked);
    };
    let (answers, ()) = tokio::join!(posts, release);
    assert!(answers.iter().all(|answer| answer.status == 201), "{answers:?}");
    let after = commits_and_commands(&rollbook).await;
    assert_eq!(after.1 - before.1, MANY);
    assert!(after.0 - before.0 < MANY / 2, "{} commits", after.0 - before.0);
    assert_eq!(rollbook.count("customers"), answers.len());
}

#[tokio::test]
async fn what_is_acknowledged_is_read_at_once_even_where_reads_share_a_snapshot() {
    let rollbook = Rollbook::start().await;
    let registry = &rollbook.registry;
    let before = registry.register_customer(newcomer("before")).await.unwrap();
    rollbook.pass(Duration::from_secs(1));
    // Nothing here waits, so the snapshot is in hand until something does.
    assert!(registry.find_customer(before.id).await.unwrap().is_some());
    let registering = registry.clone();
    let elsewhere = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(registering.register_customer(newcomer("now"))).unwrap().id
    });
    let now = elsewhere.join().unwrap();
    assert!(registry.find_customer(now).await.unwrap().is_some());
}

#[tokio::test]
async fn the_log_of_writes_stays_small_however_many_are_registered() {
    const MANY: u32 = 6400;
    const AT_ONCE: usize = 64;
    /// Twice the 1,000 pages of 4 KiB that SQLite lets it grow to before it carries them over, in bytes.
    const MOST: u64 = 2 * 1000 * 4096;
    let rollbook = Rollbook::start().await;
    let log = rollbook.folder().join("data/rollbook.db-wal");
    let mut longest = 0;
    let everybody: Vec<u32> = (0..MANY).collect();
    for some in everybody.chunks(AT_ONCE) {
        let registered = some.iter().map(|n| rollbook.registry.register_customer(newcomer(&format!("a{n}"))));
        let registered = futures_util::future::join_all(registered).await;
        assert!(registered.iter().all(Result::is_ok));
        longest = longest.max(fs::metadata(&log).unwrap().len());
    }
    assert!(longest > MOST / 4, "too few to say: {longest}");
    assert!(longest < MOST, "{longest}");
}

#[tokio::test]
async fn one_of_many_with_the_same_address_gets_on_the_roll() {
    let rollbook = Rollbook::start().await;
    let body = json!({ "name": "Ada", "email": "ada@example.org" });
    let answers = futures_util::future::join_all((0..16).map(|_| rollbook.post("/api/customers", &body))).await;
    let mut statuses = BTreeMap::<u16, usize>::new();
    for answer in &answers {
        *statuses.entry(answer.status).or_default() += 1;
    }
    assert_eq!(statuses, BTreeMap::from([(201, 1), (409, 15)]));
    assert_eq!(rollbook.count("customers"), 1);
}

#[tokio::test]
async fn a_registration_whose_client_hangs_up_is_there_whole_or_not_at_all() {
    let rollbook = Rollbook::start().await;
    let before = commits_and_commands(&rollbook).await;
    for n in 0..16 {
        let request = registration(&rollbook.key, &format!("whole{n}@example.org"));
        rollbook.visit().await.send(&request).await;
        let request = registration(&rollbook.key, &format!("cut{n}@example.org"));
        rollbook.visit().await.send(&request[..request.len() - 1 - 7 * n]).await;
    }
    // A hang-up may overtake its request; one that was read is committed, whoever hears of it.
    let committed = async { while commits_and_commands(&rollbook).await.1 == before.1 {} };
    timeout(Duration::from_secs(10), committed).await.expect("somebody should be on the roll");
    let rollbook = rollbook.restart().await;
    let rows = rollbook.rows();
    let customers = rows["customers"].len();
    assert!((1..=16).contains(&customers), "{customers}");
    for table in ["verifications", "outbox", "history"] {
        assert_eq!(rows[table].len(), customers, "{table}");
    }
    assert!(rows["customers"].iter().all(|row| row.contains("whole")), "{rows:?}");
}

fn registration(key: &str, email: &str) -> String {
    let body = json!({ "name": "Ada", "email": email }).to_string();
    let length = body.len();
    format!(
        "POST /api/customers HTTP/1.1\r\nHost: roll\r\nAuthorization: Bearer {key}\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}
