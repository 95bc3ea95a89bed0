//! Customers over HTTP: register one, look one up, ask its owner for the proof again.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use poem::{Request, http::header, web::Data};
use poem_openapi::{ApiResponse, Object, OpenApi, param::Header};

use super::{
    answer::Written,
    body::{Body, Wire},
    customer_body::CustomerBody,
    customer_list::{self, CustomerList},
    customer_writer,
    failure::{Code, Failure},
    fields::Fields,
    key::{CustomersRead, CustomersWrite, Key},
    path_id::PathId,
    query::{Documented, NoParameters, Whole, YesNo},
    tags::Tag,
    wire::{Email, Moment},
};
use crate::{
    application::{
        Registry, authenticate::Caller, ports::RegisterError, register_customer::RegisterCustomer,
        request_verification::RequestVerificationError,
    },
    domain::{
        api_key::Scope,
        customer::{Customer, Particulars},
        customer_name::CustomerName,
        email_address::EmailAddress,
        external_id::ExternalId,
        ids::CustomerId,
        locale::Locale,
        metadata::Metadata,
    },
};

/// Who is to be put on the roll.
#[derive(Debug, Object)]
#[oai(example)]
pub(super) struct NewCustomer {
    /// The name people read: trimmed, NFC, no control, line-break, bidi-override or zero-width characters, at least one
    /// letter or digit.
    #[oai(validator(min_length = 1, max_length = 100))]
    name: String,
    /// The address to be proven; unique on the roll whatever its case. No quoted local part, no address literal, no
    /// display name, at most 254 octets.
    email: Email,
    /// The team's own key, unique when set.
    #[oai(validator(min_length = 1, max_length = 200))]
    external_id: Option<String>,
    /// A BCP 47 tag; picks the mail's language. So far all mail is in English.
    #[oai(validator(max_length = 35))]
    locale: Option<String>,
    /// At most 50 keys of at most 40 characters, with values of at most 500.
    metadata: Option<BTreeMap<String, String>>,
}

impl poem_openapi::types::Example for NewCustomer {
    fn example() -> Self {
        Self {
            name: "Ada Lovelace".to_owned(),
            email: Email("ada@example.org".to_owned()),
            external_id: Some("crm-1815".to_owned()),
            locale: Some("en".to_owned()),
            metadata: Some([("plan".to_owned(), "analytical".to_owned())].into()),
        }
    }
}

impl Wire for NewCustomer {
    type Meaning = Particulars;

    fn parse(fields: &mut Fields) -> Option<Particulars> {
        let name = fields.text("name", CustomerName::parse);
        let email = fields.text("email", EmailAddress::parse);
        let external_id = fields.text_if_any("external_id", ExternalId::parse);
        let locale = fields.text_if_any("locale", Locale::parse);
        let metadata = fields.texts_if_any("metadata", Metadata::parse);
        Some(Particulars {
            name: name?,
            email: email?,
            external_id: external_id?,
            locale: locale?,
            metadata: metadata?.unwrap_or_default(),
        })
    }
}

#[derive(ApiResponse)]
enum Registered {
    /// On the roll; customer and mail are on the disk.
    #[oai(status = 201)]
    Created(
        Written<CustomerBody>,
        /// Where the customer is.
        #[oai(header = "Location")]
        String,
        /// The strong validator `"version.progress"`.
        #[oai(header = "ETag")]
        String,
    ),
}

#[derive(ApiResponse)]
enum Found {
    /// The customer.
    #[oai(status = 200)]
    Customer(
        Written<CustomerBody>,
        /// The strong validator `"version.progress"`.
        #[oai(header = "ETag")]
        String,
    ),
    /// The customer is as the caller knows it.
    #[oai(status = 304)]
    NotModified(
        /// The strong validator `"version.progress"`.
        #[oai(header = "ETag")]
        String,
    ),
}

#[derive(ApiResponse)]
enum Requested {
    /// The mail is queued.
    #[oai(status = 202)]
    Accepted,
}

pub(super) struct CustomersApi;

#[OpenApi(prefix_path = "/api/customers", tag = "Tag::Customers")]
impl CustomersApi {
    /// Put a customer on the roll
    ///
    /// When the answer is 201, the customer and its verification mail are on the disk, through `kill -9` and power loss.
    #[oai(path = "/", method = "post", operation_id = "register_customer")]
    async fn register(
        &self,
        key: Key<CustomersWrite>,
        registry: Data<&Arc<Registry>>,
        _query: NoParameters,
        body: Body<NewCustomer>,
    ) -> Result<Registered, Failure> {
        let command = RegisterCustomer { particulars: body.0, actor: key.caller.actor() };
        let customer = registry.register_customer(command).await.map_err(|error| not_registered(error, &key.caller))?;
        let now = customer.created_at;
        let location = location(customer.id);
        let etag = etag(&customer, now);
        Ok(Registered::Created(Written::new(customer_writer::one(&customer, now)), location, etag))
    }

    /// List and search customers
    ///
    /// All filters that are given must fit. Pages go by the key, so that the ten-thousandth costs what the first one
    /// costs. `metadata[key]=value` finds customers with that note; it may be given for several keys.
    #[oai(path = "/", method = "get", operation_id = "list_customers")]
    #[expect(clippy::too_many_arguments, reason = "each declares a parameter; Parameters judges them together")]
    async fn list(
        &self,
        _key: Key<CustomersRead>,
        registry: Data<&Arc<Registry>>,
        request: &Request,
        /// How many at the most, 1 to 200; 50 unless said.
        #[oai(name = "limit", validator(minimum(value = "1"), maximum(value = "200")))]
        _limit: Documented<Option<Whole>>,
        /// Goes on where a page ended: its `next_cursor`, with the same filters and order.
        #[oai(name = "cursor")]
        _cursor: Documented<Option<String>>,
        /// Found in the name or the address, without regard to case and accents: terms of three characters or more
        /// anywhere, shorter ones, by their letters and digits, where a word begins, as it does with each Chinese or Japanese
        /// character. All terms must be found. At most 100 characters.
        #[oai(name = "q")]
        _q: Documented<Option<String>>,
        /// The one with this address, whatever its case.
        #[oai(name = "email")]
        _email: Documented<Option<String>>,
        /// The one with this key of the team's own.
        #[oai(name = "external_id")]
        _external_id: Documented<Option<String>>,
        /// Those whose address is proven, or is not.
        #[oai(name = "verified")]
        _verified: Documented<Option<YesNo>>,
        /// Those put on the roll after this moment.
        #[oai(name = "created_after")]
        _created_after: Documented<Option<Moment>>,
        /// Those put on the roll before this moment.
        #[oai(name = "created_before")]
        _created_before: Documented<Option<Moment>>,
        /// `-created_at` (newest first, unless said) or `created_at`.
        #[oai(name = "sort")]
        _sort: Documented<Option<String>>,
    ) -> Result<CustomerList, Failure> {
        customer_list::answer(request, &registry).await
    }

    /// Look a customer up
    #[oai(path = "/:id", method = "get", operation_id = "find_customer")]
    async fn find(
        &self,
        _key: Key<CustomersRead>,
        registry: Data<&Arc<Registry>>,
        request: &Request,
        /// The customer's id.
        id: PathId<CustomerId>,
        _query: NoParameters,
        /// Validators the caller knows; if the present one is among them the answer is 304.
        #[oai(name = "If-None-Match")]
        _if_none_match: Header<Option<String>>,
    ) -> Result<Found, Failure> {
        let customer = registry.find_customer(id.0).await?.ok_or_else(Failure::not_found)?;
        let now = registry.clock.now();
        let etag = etag(&customer, now);
        // The parameter holds only the first line of a list that may have several (RFC 9110, section 5.3).
        let mut lines = request.headers().get_all(header::IF_NONE_MATCH).iter().filter_map(|line| line.to_str().ok());
        if lines.any(|known| is_among(&etag, known)) {
            return Ok(Found::NotModified(etag));
        }
        Ok(Found::Customer(Written::new(customer_writer::one(&customer, now)), etag))
    }

    /// Send the verification mail again
    ///
    /// A mail that still waits is tried at once; otherwise a new one is queued. Links mailed before stay good until they
    /// expire.
    #[oai(path = "/:id/verification", method = "post", operation_id = "request_verification")]
    async fn request_verification(
        &self,
        key: Key<CustomersWrite>,
        registry: Data<&Arc<Registry>>,
        /// The customer's id.
        id: PathId<CustomerId>,
        _query: NoParameters,
    ) -> Result<Requested, Failure> {
        registry.request_verification(id.0, key.caller.actor()).await.map_err(not_requested)?;
        Ok(Requested::Accepted)
    }
}

fn location(id: CustomerId) -> String {
    ["/api/customers/", id.uuid().hyphenated().encode_lower(&mut [0; 36])].concat()
}

fn etag(customer: &Customer, now: Timestamp) -> String {
    let (version, progress) = customer.validator(now);
    ["\"", &version.to_string(), ".", &progress.to_string(), "\""].concat()
}

/// Weak comparison with each of a list, or `*` (RFC 9110, section 13.1.2).
fn is_among(etag: &str, known: &str) -> bool {
    known.split(',').map(str::trim).any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

/// A key that may read learns whose the address is.
fn not_registered(error: RegisterError, caller: &Caller) -> Failure {
    let may_read = caller.may(Scope::CustomersRead);
    let with_holder = |failure: Failure, field: &str, by: CustomerId| {
        if may_read {
            failure.with_detail(field, format!("is on the roll already, as customer {by}"))
        } else {
            failure.with_detail(field, "is on the roll already")
        }
    };
    let taken = |code, field: &str, thing: &str, by: CustomerId| {
        let failure = with_holder(Failure::new(code, format!("The {thing} is on the roll already")), field, by);
        if may_read { failure.with_header(header::LOCATION, &location(by)) } else { failure }
    };
    match error {
        RegisterError::EmailTaken { by, external_id_of } => {
            let failure = taken(Code::EmailTaken, "email", "e-mail address", by);
            match external_id_of {
                Some(by) => with_holder(failure, "external_id", by),
                None => failure,
            }
        }
        RegisterError::ExternalIdTaken { by } => taken(Code::ExternalIdTaken, "external_id", "external id", by),
        RegisterError::Store(error) => error.into(),
    }
}

fn not_requested(error: RequestVerificationError) -> Failure {
    use RequestVerificationError as E;
    match error {
        E::NotFound => Failure::not_found(),
        E::AlreadyVerified => Failure::new(Code::AlreadyVerified, "The address is verified already"),
        E::TooSoon { wait } => {
            Failure::new(Code::RateLimited, "A mail was asked for a moment ago; see the Retry-After header")
                .retry_after(wait)
        }
        E::Store(error) => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::is_among;

    #[test]
    fn validators_are_compared_one_by_one() {
        for known in ["\"1.0\"", "W/\"1.0\"", "\"9.9\", \"1.0\"", "*", " \"1.0\" "] {
            assert!(is_among("\"1.0\"", known), "{known}");
        }
        for known in ["", "1.0", "\"1\"", "\"1.00\"", "\"11.0\""] {
            assert!(!is_among("\"1.0\"", known), "{known}");
        }
    }
}
