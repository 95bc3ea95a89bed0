//! Verifications over HTTP: a program presents the token that its user was mailed.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::{ApiResponse, Object, OpenApi};
use serde::Serialize;

use super::{
    answer::Answer,
    body::{Body, Wire},
    failure::{Code, Failure},
    fields::Fields,
    query::NoParameters,
    tags::Tag,
    wire::{Email, Id, Time},
};
use crate::application::{Registry, verify_email::VerifyEmailError};

/// The token of a mailed link.
#[derive(Debug, Object)]
#[oai(example)]
pub(super) struct MailedToken {
    /// 64 characters, as they stand behind `token=` in the link.
    #[oai(validator(min_length = 64, max_length = 64))]
    token: String,
}

impl poem_openapi::types::Example for MailedToken {
    fn example() -> Self {
        Self { token: "AZq2l-gAcAAAAAABWlrLw0o3nqV8mG0gYx1s5d9yQeX2cVbN7uTzR4hKfJpWmS_A".to_owned() }
    }
}

impl Wire for MailedToken {
    type Meaning = String;

    fn parse(fields: &mut Fields) -> Option<String> {
        fields.text("token", |token| Ok::<_, std::convert::Infallible>(token.to_owned()))
    }
}

/// An address, proven.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "Verified")]
pub(super) struct VerifiedBody {
    customer_id: Id,
    email: Email,
    verified: bool,
    verified_at: Option<Time>,
    /// Whether the address had been confirmed before; then nothing was changed.
    already_verified: bool,
    /// The same for people.
    message: String,
}

#[derive(ApiResponse)]
enum Verified {
    /// The address is verified, by this request or before it.
    #[oai(status = 200)]
    Verified(Answer<VerifiedBody>),
}

pub(super) struct VerificationsApi;

#[OpenApi(prefix_path = "/api/verifications", tag = "Tag::Verifications")]
impl VerificationsApi {
    /// Confirm an address with a mailed token
    ///
    /// The token is the proof. Twice is once: a repeat answers 200 and changes nothing.
    #[oai(path = "/", method = "post", operation_id = "verify_email")]
    async fn verify(
        &self,
        registry: Data<&Arc<Registry>>,
        _query: NoParameters,
        body: Body<MailedToken>,
    ) -> Result<Verified, Failure> {
        let verified = registry.verify_email(&body.0).await.map_err(not_verified)?;
        let message =
            if verified.repeated { "This address was already confirmed" } else { "This address is confirmed" };
        Ok(Verified::Verified(Answer(VerifiedBody {
            customer_id: Id(verified.customer.id.to_string()),
            email: Email(verified.customer.particulars.email.typed().to_owned()),
            verified: true,
            verified_at: verified.customer.verified_at.map(Time),
            already_verified: verified.repeated,
            message: message.to_owned(),
        })))
    }
}

/// Why a token proves nothing, in the envelope's words.
pub(super) fn not_verified(error: VerifyEmailError) -> Failure {
    match error {
        VerifyEmailError::Invalid => Failure::new(Code::TokenInvalid, "This link or token is not valid")
            .with_detail("token", "is not one that was mailed, or not for this address any more"),
        VerifyEmailError::Expired => {
            Failure::new(Code::TokenExpired, "This link or token has expired; ask for a new mail")
        }
        VerifyEmailError::Store(error) => error.into(),
    }
}
