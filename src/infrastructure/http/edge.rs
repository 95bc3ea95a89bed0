//! The outermost layer: every request gets an id, one line in the log and its count; every answer its headers; every
//! failure, a panic included, its envelope.

use std::{
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use data_encoding::HEXLOWER;
use futures_util::FutureExt;
use poem::{
    Endpoint, IntoResponse, Request, Response,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
};
use tracing::Instrument;

use super::{
    cors::Cors,
    failure::{self, Breakdown, Code, Failure},
    host, pages,
    room::Rooms,
    routes::{Route, Routes},
    server::Limits,
    throttle::Throttle,
};
use crate::application::Registry;

/// What stands for the status of a request that was given up: nobody is answered so, but others write it in their logs.
const GIVEN_UP: u16 = 499;

/// What is told of every request.
#[derive(Debug, Clone, Copy)]
pub struct Answered<'a> {
    /// The route's template, such as `/api/customers/{id}`; none for a path that leads nowhere.
    pub route: Option<&'a Arc<str>>,
    /// The method; `OTHER` for one that HTTP does not know.
    pub method: &'static str,
    /// The status; 499 where the client went away before there was one, or a stop had no more time for it.
    pub status: u16,
    /// From the end of the head to the answer, or to the giving up.
    pub duration: Duration,
}

/// Hears of every request, once it is answered or given up.
pub type OnAnswer = Arc<dyn Fn(Answered<'_>) + Send + Sync>;

pub(super) struct Edge {
    pub(super) registry: Arc<Registry>,
    pub(super) routes: Routes,
    pub(super) cors: Cors,
    pub(super) limits: Arc<Limits>,
    pub(super) rooms: Arc<Rooms>,
    pub(super) on_answer: OnAnswer,
    pub(super) request_ids: RequestIds,
    /// Of what is wrong with the database.
    pub(super) breakdowns: Throttle,
}

impl Endpoint for Edge {
    type Output = Response;

    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        let clock = self.registry.clock.as_ref();
        let id = self.request_ids.next();
        let span = tracing::info_span!("request", id = id.as_str());
        let method = request.method().clone();
        let origin = request.headers().get(header::ORIGIN).cloned();
        let route = self.routes.find(request.uri().path());
        let mut line = Line { edge: self, started: clock.monotonic(), id: &id, method: &method, route, status: None };
        request.set_data(Arc::clone(&self.rooms));
        request.set_data(Arc::clone(&self.registry));
        let mut response = self.answer(request, route).instrument(span).await;
        self.cors.finish(&mut response, origin.as_ref(), route, &method);
        add_headers(response.headers_mut(), id.as_str());
        spread_returns(&mut response, &id);
        if let Some(Breakdown(cause)) = response.extensions_mut().remove()
            && let Some(kept_back) = self.breakdowns.admit(&cause.to_string(), clock.monotonic())
        {
            tracing::error!(id = id.as_str(), %cause, kept_back, "the database cannot be used now");
        }
        line.status = Some(response.status());
        Ok(response)
    }
}

impl Edge {
    async fn answer(&self, request: Request, route: Option<&Route>) -> Response {
        if !host::is_clear(&request) {
            let failure = Failure::new(Code::MalformedRequest, "Name one host in one Host header");
            return worded(failure.with_header(header::CONNECTION, "close"), route);
        }
        if !self.limits.target_fits(request.uri()) {
            let failure = Failure::new(Code::TargetTooLong, "The path and query are longer than is taken here");
            return worded(failure, route);
        }
        let Some(route) = route else { return Failure::not_found().into_response() };
        match AssertUnwindSafe(answer_on(route, request)).catch_unwind().await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) if error.is_from_response() => error.into_response(),
            Ok(Err(error)) => worded(failure::of_error(&error), Some(route)),
            // The panic hook has logged where; the caller learns nothing of it.
            Err(_) => worded(Failure::internal(), Some(route)),
        }
    }
}

/// A request's line in the log, and its count: when it is dropped, so that one that was given up is told of, too.
struct Line<'a> {
    edge: &'a Edge,
    started: Duration,
    id: &'a RequestId,
    method: &'a Method,
    route: Option<&'a Route>,
    status: Option<StatusCode>,
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        let duration = self.edge.registry.clock.monotonic().saturating_sub(self.started);
        let id = self.id.as_str();
        let method = known_method(self.method);
        let route = self.route.map(|route| &route.template);
        let status = self.status.map_or(GIVEN_UP, |status| status.as_u16());
        let ms = duration.as_secs_f64() * 1000.0;
        let template = route.map_or("unknown", |template| template);
        tracing::info!(target: "rollbook::access", id, method, route = template, status, ms = format_args!("{ms:.3}"));
        (self.edge.on_answer)(Answered { route, method, status, duration });
    }
}

/// What a route answers to a request's method, those included that every route knows.
async fn answer_on(route: &Route, mut request: Request) -> poem::Result<Response> {
    if let Some(endpoint) = route.endpoint(request.method()) {
        return endpoint.call(request).await;
    }
    if *request.method() == Method::OPTIONS {
        return Ok(allowed(StatusCode::NO_CONTENT.into_response(), route));
    }
    if *request.method() == Method::HEAD
        && let Some(endpoint) = route.endpoint(&Method::GET)
    {
        request.set_method(Method::GET);
        let mut response = endpoint.call(request).await?;
        response.set_body(());
        return Ok(response);
    }
    let failure = Failure::new(Code::MethodNotAllowed, "This path does not know that method; see the Allow header");
    Ok(allowed(worded(failure, Some(route)), route))
}

/// A failure in the envelope, or, on the pages for people, as a page.
fn worded(failure: Failure, route: Option<&Route>) -> Response {
    if route.is_some_and(|route| route.is_page) { pages::of_failure(&failure) } else { failure.into_response() }
}

fn allowed(mut response: Response, route: &Route) -> Response {
    if let Ok(allow) = HeaderValue::from_str(&route.allow) {
        response.headers_mut().insert(header::ALLOW, allow);
    }
    response
}

/// The headers of every answer; what an answer says itself stays.
fn add_headers(headers: &mut HeaderMap, id: &str) {
    const COMMON: [(header::HeaderName, &str); 5] = [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'; base-uri 'none'"),
        (header::HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    for (name, value) in COMMON {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(header::HeaderName::from_static("x-request-id"), id);
    }
}

/// Who is sent away because of all the others is not sent to come back with all of them: the id of the request is drawn
/// anew for each.
fn spread_returns(response: &mut Response, id: &RequestId) {
    const LONGEST: u16 = 5;
    if response.status() == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(1 + id.last_digit() % LONGEST));
    }
}

/// Methods as a label: a stranger must not be able to make up new ones.
fn known_method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        Method::TRACE => "TRACE",
        Method::CONNECT => "CONNECT",
        _ => "OTHER",
    }
}

/// Ids of requests: a random start for each run of the program, then counted, scattered so that neighbours differ.
pub(super) struct RequestIds {
    start: u64,
    count: AtomicU64,
}

impl RequestIds {
    pub(super) const fn new(start: u64) -> Self {
        Self { start, count: AtomicU64::new(0) }
    }

    fn next(&self) -> RequestId {
        /// Odd, so that no two counts meet: 2^64 over the golden ratio.
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        RequestId::of(self.start.wrapping_add(count.wrapping_mul(STEP)))
    }
}

/// The id of one request: 16 hexadecimal digits.
struct RequestId([u8; 16]);

impl RequestId {
    fn of(number: u64) -> Self {
        let mut digits = [0; 16];
        // As many bytes as digits go in pairs: the buffer fits.
        let _ = HEXLOWER.encode_mut_str(&number.to_be_bytes(), &mut digits);
        Self(digits)
    }

    fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The last of the digits, as it is written.
    fn last_digit(&self) -> u16 {
        self.0.last().copied().unwrap_or_default().into()
    }
}
