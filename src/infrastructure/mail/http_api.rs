//! Mail by an HTTP e-mail API: `POST {url}/send` with a bearer key.
//!
//! Each mail has a connection of its own, which no mail before it can have spoilt. What hyper offers is the bare
//! exchange, and that is what a key wants: no redirect is followed with it, no proxy of the environment sees it.

mod endpoint;
mod exchange;

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Request,
    header::{AUTHORIZATION, CONNECTION, CONTENT_TYPE, HOST, HeaderValue, USER_AGENT},
};
use lettre::address::AddressError;
use serde::Serialize;
use tokio::time::Instant;

use self::{endpoint::Endpoint, exchange::exchange};
use super::{mime, network, tls::TlsSetupError};
use crate::{
    application::ports::Mailer,
    domain::{
        mail::{Mail, SendFault, Stage},
        secret::Secret,
        sender::Sender,
    },
};

/// An HTTP e-mail API as it is configured.
#[derive(Debug, Clone)]
pub struct HttpApi {
    /// The `http` or `https` URL that `/send` is put after.
    pub url: String,
    /// The bearer key (RFC 6750, section 2.1).
    pub key: Secret,
    /// Who the mail comes from.
    pub from: Sender,
    /// How long one attempt may take in all, from name look-up to answer.
    pub deadline: Duration,
}

/// Why an API's configuration cannot work.
#[derive(Debug, thiserror::Error)]
pub enum HttpApiSetupError {
    /// Nothing can be posted there.
    #[error("the e-mail API's URL {0:?} must begin with https:// or http:// and name a host")]
    Url(String),
    /// The key is empty or would break out of its header. It is not shown.
    #[error("the e-mail API's key must be one word of visible ASCII characters")]
    Key,
    /// The sender's address.
    #[error("the sender cannot be mailed from: {0}")]
    From(#[from] AddressError),
    /// The URL asks for TLS, and it cannot be spoken.
    #[error(transparent)]
    Tls(#[from] TlsSetupError),
}

/// Hands mails to an HTTP e-mail API.
pub struct HttpApiMailer {
    endpoint: Endpoint,
    key: Secret,
    authorization: HeaderValue,
    from: String,
    deadline: Duration,
}

/// What is posted.
#[derive(Serialize)]
struct Letter<'a> {
    from: &'a str,
    to: &'a str,
    subject: &'a str,
    content: &'a str,
}

impl HttpApiMailer {
    /// Judges the configuration; connects to nobody yet.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(api: HttpApi) -> Result<Self, HttpApiSetupError> {
        Ok(Self {
            endpoint: Endpoint::parse(&api.url)?,
            authorization: bearer(&api.key)?,
            key: api.key,
            from: mime::mailbox(&api.from)?.to_string(),
            deadline: api.deadline,
        })
    }

    /// Every attempt names the message, so that an API may tell a repeat from a further mail.
    fn request(&self, mail: &Mail) -> Result<Request<Full<Bytes>>, SendFault> {
        let to = mail.to.mailable();
        let letter = Letter { from: &self.from, to: &to, subject: &mail.subject, content: &mail.text };
        let body = serde_json::to_vec(&letter).map_err(|cause| unbuilt(&cause))?;
        Request::post(&self.endpoint.path)
            .header(HOST, &self.endpoint.authority)
            .header(AUTHORIZATION, &self.authorization)
            .header(CONTENT_TYPE, "application/json")
            .header("idempotency-key", mail.id.to_string())
            .header(USER_AGENT, concat!("rollbook/", env!("CARGO_PKG_VERSION")))
            .header(CONNECTION, "close")
            .body(Full::from(body))
            .map_err(|cause| unbuilt(&cause))
    }

    async fn post(&self, request: Request<Full<Bytes>>) -> Result<(), SendFault> {
        let ends = Instant::now() + self.deadline;
        let tcp = self.endpoint.dial(ends).await?;
        match &self.endpoint.tls {
            None => exchange(tcp, request, ends).await,
            Some(tls) => {
                let stream = network::by(ends, Stage::Tls, tls.handshake(tcp)).await?;
                exchange(stream, request, ends).await
            }
        }
    }
}

#[async_trait]
impl Mailer for HttpApiMailer {
    async fn send(&self, mail: &Mail) -> Result<(), SendFault> {
        self.post(self.request(mail)?).await.map_err(|fault| fault.without(&self.key))
    }
}

fn bearer(key: &Secret) -> Result<HeaderValue, HttpApiSetupError> {
    let key = key.expose();
    if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(HttpApiSetupError::Key);
    }
    let mut value = HeaderValue::try_from(format!("Bearer {key}")).map_err(|_| HttpApiSetupError::Key)?;
    value.set_sensitive(true);
    Ok(value)
}

fn unbuilt(cause: &dyn std::error::Error) -> SendFault {
    SendFault::new(Stage::Build, None, &cause.to_string())
}
