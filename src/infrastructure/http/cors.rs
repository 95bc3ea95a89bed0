//! Which pages of other origins may call the public routes: an exact list, without credentials (Fetch, section 3.2).
//!
//! An origin that is not listed gets no CORS header, which is no error: the browser keeps the answer from the page.

use std::collections::HashSet;

use poem::{
    Response,
    http::{HeaderValue, Method, header},
};

use super::routes::Route;

/// How long a browser may remember a preflight, in seconds.
const MAX_AGE: &str = "600";

/// The origins of the list, as browsers send them.
pub(super) struct Cors {
    origins: HashSet<String>,
}

impl Cors {
    pub(super) fn of(origins: Vec<String>) -> Self {
        Self { origins: origins.into_iter().collect() }
    }

    /// Adds what an answer says about origins. Every one varies by them: a cache must not hand the answer for one
    /// origin to another.
    pub(super) fn finish(
        &self,
        response: &mut Response,
        origin: Option<&HeaderValue>,
        route: Option<&Route>,
        method: &Method,
    ) {
        let headers = response.headers_mut();
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
        let Some(origin) = origin.filter(|origin| self.lists(origin)) else { return };
        let Some(route) = route.filter(|route| route.is_cross_origin) else { return };
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("X-Request-Id, Retry-After"));
        if *method == Method::OPTIONS {
            if let Ok(allow) = HeaderValue::from_str(&route.allow) {
                headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, allow);
            }
            headers.insert(
                header::ACCESS_CONTROL_ALLOW_HEADERS,
                HeaderValue::from_static("content-type, idempotency-key"),
            );
            headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE));
        }
    }

    fn lists(&self, origin: &HeaderValue) -> bool {
        origin.to_str().is_ok_and(|origin| self.origins.contains(origin))
    }
}
