//! The relay as one URL.

use std::fmt;

use percent_encoding::percent_decode_str;
use url::Url;

use super::host;
use crate::domain::secret::Secret;

/// Where the relay is, how it is spoken to, and as whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmtpUrl {
    /// A name or an address, without brackets.
    pub host: String,
    /// 587 (RFC 6409) or, where TLS comes first, 465 (RFC 8314), unless another is given.
    pub port: u16,
    /// What keeps others from reading along.
    pub security: SmtpSecurity,
    /// User and password, for AUTH.
    pub credentials: Option<(String, Secret)>,
}

/// What keeps others from reading along. There is no "TLS if offered": whoever can read along can also take the offer
/// away (RFC 3207, section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpSecurity {
    /// Nothing: mail to a relay on this machine.
    Plain,
    /// STARTTLS, and no mail without it.
    StartTls,
    /// TLS from the first byte.
    Tls,
}

impl SmtpUrl {
    /// Reads `smtp://user:password@host:587?tls=required` and its kin.
    ///
    /// # Errors
    /// The rule that is broken, to stand after "the value"; no word of the URL itself, since a password is in it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|_| EXPECTED.to_owned())?;
        let host = host_of(&url).ok_or_else(|| EXPECTED.to_owned())?;
        if !matches!(url.path(), "" | "/") || url.fragment().is_some() {
            return Err("must end after the port, but for ?tls=…".to_owned());
        }
        let (security, usual_port) = match url.scheme() {
            "smtp" => (plain_or_starttls(url.query(), &host)?, 587),
            "smtps" if url.query().is_none() => (SmtpSecurity::Tls, 465),
            "smtps" => return Err("must not have ?tls=… after smtps://, which is TLS from the first byte".to_owned()),
            _ => return Err(EXPECTED.to_owned()),
        };
        let port = url.port().unwrap_or(usual_port);
        if port == 0 {
            return Err("must not have port 0".to_owned());
        }
        Ok(Self { host, port, security, credentials: credentials_of(&url)? })
    }
}

impl fmt::Display for SmtpUrl {
    /// Host and port: enough for a log, and no secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

const EXPECTED: &str = "is not a URL such as smtp://user:password@relay.example:587 or smtps://relay.example";

/// The URL standard leaves hosts of schemes that no browser speaks as they are, so they are judged here.
fn host_of(url: &Url) -> Option<String> {
    let host = url.host_str()?.to_ascii_lowercase();
    let is_name = |host: &str| host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
    match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(literal) => Some(literal.to_owned()),
        None => (!host.is_empty() && is_name(&host)).then_some(host),
    }
}

fn plain_or_starttls(query: Option<&str>, host: &str) -> Result<SmtpSecurity, String> {
    match query {
        None | Some("tls=none") if host::is_loopback(host) => Ok(SmtpSecurity::Plain),
        None | Some("tls=required") => Ok(SmtpSecurity::StartTls),
        Some("tls=none") => Err("must not have tls=none unless its host is loopback".to_owned()),
        Some(_) => Err("may have nothing but tls=required or tls=none after the question mark".to_owned()),
    }
}

fn credentials_of(url: &Url) -> Result<Option<(String, Secret)>, String> {
    let decoded = |part: &str| {
        let text = percent_decode_str(part).decode_utf8().ok()?.into_owned();
        (!text.contains(char::is_control)).then_some(text)
    };
    match (url.username(), url.password()) {
        ("", None) => Ok(None),
        ("", Some(_)) | (_, None) => Err("must have both a user and a password, or neither".to_owned()),
        (user, Some(password)) => decoded(user)
            .zip(decoded(password).map(Secret::new))
            .map(Some)
            .ok_or_else(|| "must have a user and a password of UTF-8 text without control characters".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scheme_and_host_decide_port_and_encryption() {
        use SmtpSecurity::{Plain, StartTls, Tls};
        for (text, host, port, security) in [
            ("smtp://relay.example", "relay.example", 587, StartTls),
            ("smtp://relay.example:25/", "relay.example", 25, StartTls),
            ("smtp://Relay.example?tls=required", "relay.example", 587, StartTls),
            ("smtps://relay.example", "relay.example", 465, Tls),
            ("smtps://localhost:4650", "localhost", 4650, Tls),
            ("smtp://localhost", "localhost", 587, Plain),
            ("smtp://127.0.0.1:2525", "127.0.0.1", 2525, Plain),
            ("smtp://[::1]:2525?tls=none", "::1", 2525, Plain),
            ("smtp://localhost:2525?tls=required", "localhost", 2525, StartTls),
        ] {
            let url = SmtpUrl::parse(text).unwrap();
            assert_eq!((url.host.as_str(), url.port, url.security), (host, port, security), "{text}");
            assert_eq!(url.credentials, None);
        }
    }

    #[test]
    fn user_and_password_are_percent_decoded() {
        let url = SmtpUrl::parse("smtp://me%40acme.example:p%3Ass%2Fw%25rd%20%C3%BC@relay.example").unwrap();
        let (user, password) = url.credentials.unwrap();
        assert_eq!((user.as_str(), password.expose()), ("me@acme.example", "p:ss/w%rd ü"));
    }

    #[test]
    fn a_relay_that_cannot_be_meant_is_refused() {
        for text in [
            "",
            "relay.example:587",
            "http://relay.example",
            "smtp:relay.example",
            "smtp://",
            "smtp://:587",
            "smtp://relay.example:0",
            "smtp://relay.example:70000",
            "smtp://re%20lay.example",
            "smtp://relay.example/inbox",
            "smtp://relay.example#x",
            "smtp://relay.example?tls=none",
            "smtp://10.0.0.1?tls=none",
            "smtp://localhost?tls=maybe",
            "smtp://localhost?tls=none&x=y",
            "smtps://localhost?tls=none",
            "smtp://user@relay.example",
            "smtp://:password@relay.example",
            "smtp://user:pass%0D%0Aword@relay.example",
            "smtp://user:%FF@relay.example",
        ] {
            assert!(SmtpUrl::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn neither_debug_nor_display_nor_a_fault_shows_the_password() {
        let url = SmtpUrl::parse("smtp://user:hunter2@relay.example").unwrap();
        let fault = SmtpUrl::parse("smtp://user:hunter2@relay.example?tls=none").unwrap_err();
        assert!(!format!("{url:?} {url} {fault}").contains("hunter2"));
    }
}
