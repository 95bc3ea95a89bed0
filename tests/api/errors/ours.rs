//! Faults of our own: the caller learns nothing of them, and nobody else notices.

use std::sync::Arc;

use async_trait::async_trait;
use rollbook::{
    application::{
        Registry,
        ports::{CustomerPage, CustomerQuery, Customers, RegisterError, StoreError, StoreHealth, WriteCustomer},
    },
    domain::{customer::Customer, history::Event, ids::CustomerId, message::Request},
    infrastructure::http::{
        Web,
        server::{self, Limits},
    },
};
use serde_json::json;
use tokio::net::TcpListener;

use crate::harness::Rollbook;

const SECRET: &str = "what nobody outside may read";

/// Customers whose port has a bug.
struct Buggy;

#[async_trait]
impl Customers for Buggy {
    async fn register(&self, _: Arc<Customer>, _: Request, _: Event) -> Result<(), RegisterError> {
        panic!("{SECRET}")
    }

    async fn find(&self, _: CustomerId) -> Result<Option<Customer>, StoreError> {
        Err(StoreError::Broken(SECRET.into()))
    }

    async fn list(&self, _: CustomerQuery, _: WriteCustomer) -> Result<CustomerPage, StoreError> {
        Err(StoreError::Broken(SECRET.into()))
    }
}

struct Healthy;

#[async_trait]
impl StoreHealth for Healthy {
    async fn check(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

/// The real web over a registry that has bugs; gives its URL.
async fn serve(rollbook: &Rollbook) -> String {
    let web = Web {
        registry: Arc::new(Registry { customers: Arc::new(Buggy), ..rollbook.registry.clone() }),
        store: Arc::new(Healthy),
        metrics: Arc::new(|| Box::pin(async { Err(SECRET.into()) })),
        on_answer: Arc::new(|_| ()),
        limits: Arc::new(Limits::default()),
        largest_body: 65_536,
        cors_origins: Vec::new(),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let limits = Arc::clone(&web.limits);
    tokio::spawn(server::serve(listener, Arc::new(web.public(true)), limits, std::future::pending()));
    url
}

#[tokio::test]
async fn a_bug_is_answered_internal_with_nothing_leaked_and_the_server_goes_on() {
    let rollbook = Rollbook::start().await;
    let url = serve(&rollbook).await;
    let rollbook = rollbook.at(url);
    let ada = json!({ "name": "Ada", "email": "ada@example.org" });
    let before = rollbook.rows();
    for _ in 0..2 {
        let panicked = rollbook.post("/api/customers", &ada).await;
        let broken = rollbook.get("/api/customers/019ab697-e800-7000-8a5c-3d1f9b20c7e4").await;
        let metrics = rollbook.get("/metrics").await;
        for answer in [panicked, broken, metrics] {
            super::assert_failure(&answer, 500, "INTERNAL");
            assert!(!format!("{answer:?}").contains(SECRET), "{answer:?}");
            assert!(answer.header("x-request-id").is_some());
            assert_eq!(answer.header("cache-control"), Some("no-store"));
        }
        assert_eq!(rollbook.get("/readyz").await.status, 200);
    }
    assert_eq!(rollbook.rows(), before);
}
