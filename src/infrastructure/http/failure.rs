//! The seed's envelope: every failure, whoever found it, leaves as `{code, message, details}`.

use std::{borrow::Cow, error::Error, mem::take, sync::Arc};

use jiff::SignedDuration;
use poem::{
    IntoResponse, Response,
    http::{HeaderName, HeaderValue, StatusCode, header},
};
use poem_openapi::{ApiResponse, Object, registry};
use serde::Serialize;

use crate::application::ports::StoreError;

/// What went wrong, in one word that a program can tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// The request cannot be read.
    MalformedRequest,
    /// The body did not arrive in time.
    BodyLate,
    /// The path and query are longer than is taken.
    TargetTooLong,
    /// No key, or none that counts.
    Unauthenticated,
    /// The key lacks the scope.
    Forbidden,
    /// There is nothing of that name.
    NotFound,
    /// There is, but not for this method.
    MethodNotAllowed,
    /// The address is on the roll already.
    EmailTaken,
    /// The external id is on the roll already.
    ExternalIdTaken,
    /// The address is proven already.
    AlreadyVerified,
    /// The token's time is over.
    TokenExpired,
    /// The body is larger than is taken.
    PayloadTooLarge,
    /// The body is not plain JSON by its own word.
    UnsupportedMediaType,
    /// The request was read, but fields of it are refused.
    ValidationError,
    /// The token is not one of ours.
    TokenInvalid,
    /// Too soon after the last time.
    RateLimited,
    /// Too much is under way.
    Overloaded,
    /// The database cannot be used now.
    StorageUnavailable,
    /// A fault of ours.
    Internal,
}

impl Code {
    /// The word of the envelope, and the status that goes with it.
    #[must_use]
    pub const fn word_and_status(self) -> (&'static str, StatusCode) {
        match self {
            Self::MalformedRequest => ("MALFORMED_REQUEST", StatusCode::BAD_REQUEST),
            Self::BodyLate => ("MALFORMED_REQUEST", StatusCode::REQUEST_TIMEOUT),
            Self::TargetTooLong => ("MALFORMED_REQUEST", StatusCode::URI_TOO_LONG),
            Self::Unauthenticated => ("UNAUTHENTICATED", StatusCode::UNAUTHORIZED),
            Self::Forbidden => ("FORBIDDEN", StatusCode::FORBIDDEN),
            Self::NotFound => ("NOT_FOUND", StatusCode::NOT_FOUND),
            Self::MethodNotAllowed => ("METHOD_NOT_ALLOWED", StatusCode::METHOD_NOT_ALLOWED),
            Self::EmailTaken => ("EMAIL_TAKEN", StatusCode::CONFLICT),
            Self::ExternalIdTaken => ("EXTERNAL_ID_TAKEN", StatusCode::CONFLICT),
            Self::AlreadyVerified => ("ALREADY_VERIFIED", StatusCode::CONFLICT),
            Self::TokenExpired => ("TOKEN_EXPIRED", StatusCode::GONE),
            Self::PayloadTooLarge => ("PAYLOAD_TOO_LARGE", StatusCode::PAYLOAD_TOO_LARGE),
            Self::UnsupportedMediaType => ("UNSUPPORTED_MEDIA_TYPE", StatusCode::UNSUPPORTED_MEDIA_TYPE),
            Self::ValidationError => ("VALIDATION_ERROR", StatusCode::UNPROCESSABLE_ENTITY),
            Self::TokenInvalid => ("TOKEN_INVALID", StatusCode::UNPROCESSABLE_ENTITY),
            Self::RateLimited => ("RATE_LIMITED", StatusCode::TOO_MANY_REQUESTS),
            Self::Overloaded => ("OVERLOADED", StatusCode::SERVICE_UNAVAILABLE),
            Self::StorageUnavailable => ("STORAGE_UNAVAILABLE", StatusCode::SERVICE_UNAVAILABLE),
            Self::Internal => ("INTERNAL", StatusCode::INTERNAL_SERVER_ERROR),
        }
    }
}

/// One field at fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
pub struct Detail {
    /// The field's name; `body` where the body itself is at fault.
    pub field: String,
    /// The first rule it breaks, as a sentence about it.
    pub message: String,
}

/// What every failure looks like.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "Error")]
pub(super) struct Envelope {
    /// What went wrong, in one word that a program can tell apart.
    pub code: String,
    /// The same for people.
    pub message: String,
    /// The fields at fault, each once; only where fields are at fault.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[oai(skip_serializing_if_is_empty)]
    pub details: Vec<Detail>,
}

/// A failure on its way to the caller.
#[derive(Debug, Clone)]
pub struct Failure {
    /// What went wrong.
    pub code: Code,
    /// The sentence for people.
    pub message: Cow<'static, str>,
    details: Vec<Detail>,
    headers: Vec<(HeaderName, HeaderValue)>,
    breakdown: Option<Breakdown>,
}

/// Why the database cannot be used, for the log.
#[derive(Debug, Clone)]
pub(super) struct Breakdown(pub(super) Arc<dyn Error + Send + Sync>);

impl Failure {
    /// A failure with its sentence.
    #[must_use]
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into(), details: Vec::new(), headers: Vec::new(), breakdown: None }
    }

    /// The request was read, but these fields of it are refused.
    #[must_use]
    pub fn validation(details: Vec<Detail>) -> Self {
        Self { details, ..Self::new(Code::ValidationError, "Validation failed") }
    }

    /// There is nothing of that name.
    #[must_use]
    pub fn not_found() -> Self {
        Self::new(Code::NotFound, "There is nothing here")
    }

    /// No key, or none that counts; which of both is not told.
    #[must_use]
    pub fn unauthenticated() -> Self {
        Self::new(Code::Unauthenticated, "Send an API key that counts: Authorization: Bearer rb_…")
            .with_header(header::WWW_AUTHENTICATE, "Bearer realm=\"rollbook\"")
    }

    /// A fault of ours, of which the caller learns nothing but the request id.
    #[must_use]
    pub fn internal() -> Self {
        Self::new(Code::Internal, "Something went wrong on our side; the log has more under the request id")
    }

    /// The same failure with one field at fault.
    #[must_use]
    pub fn with_detail(mut self, field: &str, message: impl Into<String>) -> Self {
        self.details.push(Detail { field: field.to_owned(), message: message.into() });
        self
    }

    /// The same failure with a header; one that is no visible ASCII is left out.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
        self
    }

    /// Gives an answer what goes with the failure besides its words: headers, and what the edge is to log.
    pub(super) fn go_with(&self, answer: &mut Response) {
        answer.headers_mut().extend(self.headers.iter().cloned());
        if let Some(breakdown) = &self.breakdown {
            answer.extensions_mut().insert(breakdown.clone());
        }
    }

    /// The same failure with the time after which to try again, in whole seconds and at least one.
    #[must_use]
    pub fn retry_after(self, wait: SignedDuration) -> Self {
        let seconds = wait.as_secs().saturating_add(i64::from(wait.subsec_nanos() > 0)).max(1);
        self.with_header(header::RETRY_AFTER, &seconds.to_string())
    }
}

impl From<StoreError> for Failure {
    /// A breakdown is logged once, here or, where all requests meet with it, now and then at the edge; the caller is told
    /// only what to do about it.
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Overloaded => Self::new(Code::Overloaded, "Too much is being written; try again in a moment"),
            StoreError::OutOfTime => Self::new(
                Code::Overloaded,
                "To find these takes too long: narrow the list, sort it the other way, or try again later",
            ),
            StoreError::Unavailable(cause) => {
                let failure =
                    Self::new(Code::StorageUnavailable, "The database cannot be used now; nothing was changed");
                Self { breakdown: Some(Breakdown(cause.into())), ..failure }
            }
            StoreError::Broken(cause) => {
                tracing::error!(cause = %cause, "the database answered what was not expected");
                Self::internal()
            }
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(mut self) -> Response {
        let (word, status) = self.code.word_and_status();
        let (message, details) = (take(&mut self.message).into_owned(), take(&mut self.details));
        let envelope = Envelope { code: word.to_owned(), message, details };
        let mut response = super::answer::json(status, &envelope);
        self.go_with(&mut response);
        response
    }
}

impl From<Failure> for poem::Error {
    fn from(mut failure: Failure) -> Self {
        let breakdown = failure.breakdown.take();
        let mut error = Self::from_response(failure.into_response());
        // A response in poem's error loses its extensions to those of the error.
        if let Some(breakdown) = breakdown {
            error.set_data(breakdown);
        }
        error
    }
}

/// The failures of each operation are declared by [`document`](super::document), with examples; what any request may
/// meet before it gets to one (a late body, a long target) is the default.
impl ApiResponse for Failure {
    fn meta() -> registry::MetaResponses {
        let envelope = registry::MetaMediaType {
            content_type: "application/json",
            schema: <Envelope as poem_openapi::types::Type>::schema_ref(),
        };
        let response = registry::MetaResponse {
            description: "Any other failure is the same envelope.",
            status: None,
            status_range: None,
            content: vec![envelope],
            headers: Vec::new(),
        };
        registry::MetaResponses { responses: vec![response] }
    }

    fn register(registry: &mut registry::Registry) {
        <Envelope as poem_openapi::types::Type>::register(registry);
    }
}

/// The envelope of what poem refused by itself.
pub(super) fn of_error(error: &poem::Error) -> Failure {
    match error.status() {
        StatusCode::NOT_FOUND => Failure::not_found(),
        StatusCode::PAYLOAD_TOO_LARGE => Failure::new(Code::PayloadTooLarge, "The body is larger than is taken here"),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            Failure::new(Code::UnsupportedMediaType, "Send the body as Content-Type: application/json")
        }
        status if status.is_client_error() => Failure::new(Code::MalformedRequest, error.to_string()),
        _ => {
            tracing::error!(%error, "a request failed");
            Failure::internal()
        }
    }
}
