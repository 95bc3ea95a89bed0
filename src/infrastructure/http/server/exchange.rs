//! A request to the endpoint and its response back, with the request's body seen out in between.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::TryFutureExt;
use http_body_util::BodyExt;
use hyper::{
    Version,
    body::{Body as _, Incoming},
    header::{CONNECTION, EXPECT, HeaderValue},
    http::{request, uri::Scheme},
};
use poem::{
    Body, Endpoint, Request, RequestParts, Response,
    web::{LocalAddr, RemoteAddr},
};

use super::{
    limits::Limits,
    progress::Progress,
    request_body::{Intake, RequestBody},
    response_body::ResponseBody,
};

/// What all the requests of one connection share.
pub(super) struct Exchange<E> {
    pub(super) endpoint: Arc<E>,
    pub(super) limits: Arc<Limits>,
    pub(super) progress: Arc<Progress>,
    pub(super) local: LocalAddr,
    pub(super) remote: RemoteAddr,
}

impl<E: Endpoint<Output = Response>> Exchange<E> {
    /// The endpoint's answer, given once the request's body is read, thrown away, or given up.
    pub(super) async fn answer(&self, request: hyper::Request<Incoming>) -> hyper::Response<ResponseBody> {
        let (parts, incoming) = request.into_parts();
        let response = if incoming.is_end_stream() {
            self.call(self.request(parts, Body::empty())).await
        } else {
            self.answer_with_body(parts, incoming).await
        };
        hyper::Response::from(response).map(|body| ResponseBody::new(body, self.progress.clone()))
    }

    async fn answer_with_body(&self, parts: request::Parts, incoming: Incoming) -> Response {
        let awaits_invitation = expects_continue(&parts);
        let intake = Arc::new(Mutex::new(Intake::new(incoming, self.limits.clone())));
        let body = RequestBody(intake.clone()).boxed().into();
        let mut response = self.call(self.request(parts, body)).await;
        // A response that streams out of the request's body goes on reading it.
        let Some(intake) = Arc::into_inner(intake) else { return response };
        let intake = intake.into_inner().unwrap_or_else(PoisonError::into_inner);
        // To read a body that waits to be invited would invite it (RFC 9110, section 10.1.1).
        let is_spent = (intake.was_asked() || !awaits_invitation) && intake.discard().await;
        if !is_spent {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            self.progress.leave_unread();
        }
        response
    }

    /// Straight to the endpoint: each layer between would keep a request of its own.
    fn call(&self, request: Request) -> impl Future<Output = Response> {
        E::call(&self.endpoint, request).unwrap_or_else(poem::Error::into_response)
    }

    fn request(&self, parts: request::Parts, body: Body) -> Request {
        let parts = RequestParts::from((parts, self.local.clone(), self.remote.clone(), Scheme::HTTP));
        Request::from_parts(parts, body)
    }
}

fn expects_continue(parts: &request::Parts) -> bool {
    let asks = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"100-continue");
    parts.version > Version::HTTP_10 && parts.headers.get_all(EXPECT).iter().any(asks)
}
