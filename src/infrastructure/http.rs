//! The web, by poem: routes, what every request goes through, operations and wire types by resource.
//!
//! A request comes in by the [`server`], goes through the edge (id, log, count, headers, envelope) and
//! reaches an operation, which parses its wire type, calls one use case and writes the answer.

use std::sync::Arc;

use poem::{Endpoint, Response};

use crate::application::{Registry, ports::StoreHealth};

mod answer;
mod body;
mod cors;
mod customer_body;
mod customer_list;
mod customer_writer;
mod customers;
mod docs;
mod document;
mod edge;
mod failure;
mod fields;
mod health;
mod host;
mod json;
mod json_writer;
mod key;
mod messages;
mod pages;
mod path_id;
mod promises;
mod query;
mod room;
mod routes;
pub mod server;
mod tags;
mod throttle;
mod verifications;
mod wire;

pub use docs::{document_json, document_yaml};
pub use edge::{Answered, OnAnswer};
pub use health::MetricsText;

use cors::Cors;
use customers::CustomersApi;
use edge::{Edge, RequestIds};
use messages::MessagesApi;
use room::Rooms;
use routes::Routes;
use server::Limits;
use throttle::Throttle;
use verifications::VerificationsApi;

/// The operations of the document.
type Apis = (CustomersApi, VerificationsApi, MessagesApi);

const APIS: Apis = (CustomersApi, VerificationsApi, MessagesApi);

/// The operations that pages of listed origins may call: those that need no key.
const CROSS_ORIGIN: [&str; 1] = ["/api/verifications"];

/// What the web is made of.
#[derive(Clone)]
pub struct Web {
    /// The use cases.
    pub registry: Arc<Registry>,
    /// Whether the store can be relied on.
    pub store: Arc<dyn StoreHealth>,
    /// Writes the metrics.
    pub metrics: MetricsText,
    /// Hears of every answer.
    pub on_answer: OnAnswer,
    /// The deadlines and caps.
    pub limits: Arc<Limits>,
    /// How large a body may be, in bytes.
    pub largest_body: usize,
    /// The origins whose pages may call the public routes, as browsers send them.
    pub cors_origins: Vec<String>,
}

impl Web {
    /// The API, the pages and the document; health and metrics too, unless they are served elsewhere.
    #[must_use]
    pub fn public(&self, with_health: bool) -> impl Endpoint<Output = Response> + use<> {
        let routes = Routes::default().with_api(APIS, &CROSS_ORIGIN);
        let routes = pages::add_to(docs::add_to(routes));
        self.edge(if with_health { self.add_health_to(routes) } else { routes })
    }

    /// Health and metrics alone.
    #[must_use]
    pub fn admin(&self) -> impl Endpoint<Output = Response> + use<> {
        self.edge(self.add_health_to(Routes::default()))
    }

    fn add_health_to(&self, routes: Routes) -> Routes {
        health::add_to(routes, Arc::clone(&self.store), Arc::clone(&self.metrics))
    }

    fn edge(&self, routes: Routes) -> Edge {
        let mut start = [0; 8];
        self.registry.entropy.fill(&mut start);
        Edge {
            registry: Arc::clone(&self.registry),
            routes,
            cors: Cors::of(self.cors_origins.clone()),
            limits: Arc::clone(&self.limits),
            rooms: Arc::new(Rooms::new(self.largest_body)),
            on_answer: Arc::clone(&self.on_answer),
            request_ids: RequestIds::new(u64::from_be_bytes(start)),
            breakdowns: Throttle::default(),
        }
    }
}
