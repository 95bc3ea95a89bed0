//! The web, by poem: routes, what every request goes through, operations and wire types by resource.
//!
//! A request comes in by the [`server`], goes through the edge (id, log, count, headers, envelope) and
//! reaches an operation, which parses its wire type, calls one use case and writes the answer.

use std::{collections::HashMap, sync::Arc};

use poem::{Endpoint, Response, Route, RouteMethod};
use poem_openapi::OpenApi;

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
mod json;
mod json_writer;
mod key;
mod messages;
mod pages;
mod promises;
mod query;
mod routes;
pub mod server;
mod tags;
mod verifications;
mod wire;

pub use docs::{document_json, document_yaml};
pub use edge::{Answered, OnAnswer};
pub use health::MetricsText;

use cors::Cors;
use customers::CustomersApi;
use edge::{Edge, RequestIds};
use messages::MessagesApi;
use routes::Routes;
use server::Limits;
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
        let mut routes = operations();
        let mut known = Routes::default().with_api::<Apis>(&CROSS_ORIGIN);
        routes = pages::add_to(docs::add_to(routes));
        known = pages::routes(docs::routes(known));
        if with_health {
            routes = health::add_to(routes, Arc::clone(&self.store), Arc::clone(&self.metrics));
            known = health::routes(known);
        }
        self.edge(routes, known)
    }

    /// Health and metrics alone.
    #[must_use]
    pub fn admin(&self) -> impl Endpoint<Output = Response> + use<> {
        let routes = health::add_to(Route::new(), Arc::clone(&self.store), Arc::clone(&self.metrics));
        self.edge(routes, health::routes(Routes::default()))
    }

    fn edge(&self, routes: Route, known: Routes) -> Edge<impl Endpoint<Output = Response> + use<>> {
        let mut start = [0; 8];
        self.registry.entropy.fill(&mut start);
        Edge {
            inner: routes,
            registry: Arc::clone(&self.registry),
            routes: known,
            cors: Cors::of(self.cors_origins.clone()),
            limits: Arc::clone(&self.limits),
            largest_body: self.largest_body,
            on_answer: Arc::clone(&self.on_answer),
            request_ids: RequestIds::new(u64::from_be_bytes(start)),
        }
    }
}

/// The operations of the document, each right at its own path: as a nested service every one of them would cost a target
/// taken apart and put together again, and a copy of its query.
fn operations() -> Route {
    let mut table = HashMap::new();
    APIS.add_routes(&mut table);
    table.into_iter().fold(Route::new(), |route, (path, methods)| {
        let methods = methods.into_iter().fold(RouteMethod::new(), |all, (method, ep)| all.method(method, ep));
        route.at(path, methods)
    })
}
