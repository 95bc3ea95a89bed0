//! What each operation promises besides its good answer: the scope it needs and the failures it may give.

#[allow(clippy::enum_glob_use, reason = "the table below is nothing but codes")]
use super::failure::Code::{self, *};
use crate::domain::api_key::Scope;

/// The promises of one operation.
pub(super) struct Promise {
    /// Its operation id.
    pub(super) operation: &'static str,
    /// The scope its caller needs; none for a public one.
    pub(super) scope: Option<Scope>,
    /// The failures it may give, in groups.
    pub(super) failures: &'static [&'static [Code]],
}

/// What any operation may give.
const ANY: &[Code] = &[Internal, Overloaded, StorageUnavailable];
/// What asking for a key may give.
const KEYED: &[Code] = &[Unauthenticated, Forbidden];
/// What a JSON body may give.
const BODY: &[Code] = &[MalformedRequest, BodyLate, PayloadTooLarge, UnsupportedMediaType, ValidationError];

/// What the parameters of a query may give, those included that an operation does not know.
const QUERY: &[Code] = &[ValidationError];

/// All operations.
pub(super) const PROMISES: &[Promise] = &[
    Promise {
        operation: "register_customer",
        scope: Some(Scope::CustomersWrite),
        failures: &[BODY, KEYED, &[EmailTaken, ExternalIdTaken], ANY],
    },
    Promise { operation: "list_customers", scope: Some(Scope::CustomersRead), failures: &[KEYED, QUERY, ANY] },
    Promise {
        operation: "find_customer",
        scope: Some(Scope::CustomersRead),
        failures: &[KEYED, QUERY, &[NotFound], ANY],
    },
    Promise {
        operation: "request_verification",
        scope: Some(Scope::CustomersWrite),
        failures: &[KEYED, QUERY, &[NotFound, AlreadyVerified, RateLimited], ANY],
    },
    Promise { operation: "verify_email", scope: None, failures: &[BODY, &[TokenExpired, TokenInvalid], ANY] },
    Promise { operation: "list_messages", scope: Some(Scope::MailRead), failures: &[KEYED, QUERY, ANY] },
    Promise { operation: "read_message", scope: Some(Scope::MailRead), failures: &[KEYED, QUERY, &[NotFound], ANY] },
];

/// What a failure means and what it looks like, for the document.
pub(super) struct Illustration {
    /// When it happens.
    pub(super) when: &'static str,
    /// The sentence of the example.
    pub(super) message: &'static str,
    /// A field at fault in the example.
    pub(super) detail: Option<(&'static str, &'static str)>,
}

/// The illustration of a failure.
pub(super) const fn illustration(code: Code) -> Illustration {
    let (when, message, detail) = match code {
        MalformedRequest => (
            "The body is no JSON that is taken here, or did not arrive.",
            "The body is no JSON that is taken here: expected `,` or `}` at line 1 column 17",
            None,
        ),
        BodyLate => ("The body did not arrive in time.", "The body did not arrive in time", None),
        TargetTooLong => {
            ("The path and query are longer than is taken.", "The path and query are longer than is taken here", None)
        }
        Unauthenticated => (
            "No key was sent, or one that does not count.",
            "Send an API key that counts: Authorization: Bearer rb_…",
            None,
        ),
        Forbidden => ("The key lacks the scope.", "The key lacks the scope customers:write", None),
        NotFound => ("There is nothing of that id.", "There is nothing here", None),
        MethodNotAllowed => {
            ("The path does not know the method.", "This path does not know that method; see the Allow header", None)
        }
        EmailTaken => (
            "The address is on the roll already; a key that may read is told whose it is.",
            "The e-mail address is on the roll already",
            Some(("email", "is on the roll already, as customer 019ab697-e800-7000-8a5c-3d1f9b20c7e4")),
        ),
        ExternalIdTaken => (
            "The external id is on the roll already.",
            "The external id is on the roll already",
            Some(("external_id", "is on the roll already, as customer 019ab697-e800-7000-8a5c-3d1f9b20c7e4")),
        ),
        AlreadyVerified => ("There is nothing left to prove.", "The address is verified already", None),
        TokenExpired => (
            "The token's time is over; ask for a new mail.",
            "This link or token has expired; ask for a new mail",
            None,
        ),
        PayloadTooLarge => ("The body is larger than is taken.", "A body may have at most 65536 bytes", None),
        UnsupportedMediaType => {
            ("The body is not plain JSON by its own word.", "Send the body as Content-Type: application/json", None)
        }
        ValidationError => (
            "Fields or parameters are refused: each bad one is named, once.",
            "Validation failed",
            Some(("email", "must be one address like name@example.org")),
        ),
        TokenInvalid => (
            "The token is not one that was mailed, or not for this address any more.",
            "This link or token is not valid",
            Some(("token", "is not one that was mailed, or not for this address any more")),
        ),
        RateLimited => (
            "A mail was asked for a moment ago; wait as long as `Retry-After` says.",
            "A mail was asked for a moment ago; see the Retry-After header",
            None,
        ),
        Overloaded => (
            "Too much is under way, or what is asked for takes too long to find; nothing was changed. Try again after \
             `Retry-After`.",
            "Too much is being written; try again in a moment",
            None,
        ),
        StorageUnavailable => (
            "The disk is full or the database locked; nothing was changed. Try again after `Retry-After`.",
            "The database cannot be used now; nothing was changed",
            None,
        ),
        Internal => (
            "A fault of ours; the log has more under the request id.",
            "Something went wrong on our side; the log has more under the request id",
            None,
        ),
    };
    Illustration { when, message, detail }
}
