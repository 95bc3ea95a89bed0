//! Health and metrics: for whoever watches the program.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use poem::{
    Endpoint, EndpointExt, IntoResponse, Response, endpoint,
    http::{HeaderValue, StatusCode, header},
};
use serde::Serialize;

use super::{answer, failure::Failure, routes::Routes};
use crate::application::ports::{StoreError, StoreHealth};

/// Writes the metrics in the text format of OpenMetrics.
pub type MetricsText =
    Arc<dyn Fn() -> BoxFuture<'static, Result<String, Box<dyn std::error::Error + Send + Sync>>> + Send + Sync>;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Serialize)]
struct Health {
    status: &'static str,
}

/// `/livez`: the program answers. `/readyz`: the database answers, the disk has room and the writer lives; a mail relay that
/// is down does not count. `/metrics`: numbers.
pub(super) fn add_to(routes: Routes, store: Arc<dyn StoreHealth>, metrics: MetricsText) -> Routes {
    routes
        .with_plain("/livez", endpoint::make_sync(|_| answer::json(StatusCode::OK, &Health { status: "alive" })))
        .with_plain("/readyz", readyz(store))
        .with_plain("/metrics", metrics_page(metrics))
}

fn readyz(store: Arc<dyn StoreHealth>) -> impl Endpoint<Output = Response> {
    endpoint::make(move |_| {
        let store = Arc::clone(&store);
        async move {
            match store.check().await {
                Ok(()) => answer::json(StatusCode::OK, &Health { status: "ready" }),
                Err(error) => not_ready(error).into_response(),
            }
        }
    })
    .map_to_response()
}

/// A store that is not there is not there, whatever the reason; the log has that.
fn not_ready(error: StoreError) -> Failure {
    Failure::from(match error {
        StoreError::Broken(cause) => StoreError::Unavailable(cause),
        other => other,
    })
}

fn metrics_page(metrics: MetricsText) -> impl Endpoint<Output = Response> {
    endpoint::make(move |_| {
        let text = metrics();
        async move {
            match text.await {
                Ok(text) => {
                    let mut response = text.into_response();
                    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(OPEN_METRICS));
                    response
                }
                Err(error) => {
                    tracing::error!(%error, "the metrics could not be gathered");
                    Failure::internal().into_response()
                }
            }
        }
    })
    .map_to_response()
}
