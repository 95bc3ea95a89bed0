//! Answers in JSON, written straight from the wire types, or written already.

use std::marker::PhantomData;

use bytes::Bytes;
use poem::{
    Body, IntoResponse, Response,
    http::{HeaderValue, StatusCode, header},
};
use poem_openapi::{
    payload::Payload,
    registry::{MetaSchemaRef, Registry},
    types::Type,
};
use serde::Serialize;

use super::failure::Failure;

const JSON: &str = "application/json; charset=utf-8";

/// How many headers an answer usually has.
const HEADERS: usize = 12;

/// A JSON body with the schema of its type.
#[derive(Debug)]
pub(super) struct Answer<T>(pub(super) T);

/// JSON that is written already, with the schema of its type.
pub(super) struct Written<T> {
    json: Bytes,
    schema: PhantomData<T>,
}

impl<T> Written<T> {
    pub(super) fn new(json: impl Into<Bytes>) -> Self {
        Self { json: json.into(), schema: PhantomData }
    }
}

/// A response with a JSON body.
pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(bytes) => written(status, bytes),
        Err(error) => {
            tracing::error!(%error, "an answer could not be written");
            Failure::internal().into_response()
        }
    }
}

fn written(status: StatusCode, json: impl Into<Body>) -> Response {
    let mut response = Response::from(json.into());
    response.set_status(status);
    // Room for all that is still to come, at once.
    response.headers_mut().reserve(HEADERS);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(JSON));
    response
}

impl<T: Type> Payload for Answer<T> {
    const CONTENT_TYPE: &'static str = "application/json";

    fn schema_ref() -> MetaSchemaRef {
        T::schema_ref()
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

impl<T: Serialize + Send> IntoResponse for Answer<T> {
    fn into_response(self) -> Response {
        json(StatusCode::OK, &self.0)
    }
}

impl<T: Type> Payload for Written<T> {
    const CONTENT_TYPE: &'static str = "application/json";

    fn schema_ref() -> MetaSchemaRef {
        T::schema_ref()
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

impl<T: Send> IntoResponse for Written<T> {
    fn into_response(self) -> Response {
        written(StatusCode::OK, self.json)
    }
}
