//! Where mail is posted, and the way there.

use tokio::{net::TcpStream, time::Instant};
use url::{Host, Position, Url};

use super::HttpApiSetupError;
use crate::{
    domain::mail::{SendFault, Stage},
    infrastructure::mail::{network, tls::Tls},
};

pub(super) struct Endpoint {
    host: String,
    port: u16,
    /// None where the URL asks for none.
    pub(super) tls: Option<Tls>,
    /// Host and port, as the `Host` header has them (RFC 9110, section 7.2).
    pub(super) authority: String,
    /// The path of `/send`, with whatever comes before it.
    pub(super) path: String,
}

impl Endpoint {
    pub(super) fn parse(base: &str) -> Result<Self, HttpApiSetupError> {
        let wrong = || HttpApiSetupError::Url(base.to_owned());
        let url = Url::parse(base).map_err(|_| wrong())?;
        let host = match url.host().ok_or_else(wrong)? {
            // Its own `Display` adds the brackets that only a URL has.
            Host::Ipv6(address) => address.to_string(),
            host => host.to_string(),
        };
        let tls = match url.scheme() {
            "https" => Some(Tls::new(&host, None)?),
            "http" => None,
            _ => return Err(wrong()),
        };
        Ok(Self {
            port: url.port_or_known_default().ok_or_else(wrong)?,
            authority: url[Position::BeforeHost..Position::AfterPort].to_owned(),
            path: format!("{}/send", url.path().trim_end_matches('/')),
            host,
            tls,
        })
    }

    pub(super) async fn dial(&self, ends: Instant) -> Result<TcpStream, SendFault> {
        let within = ends.saturating_duration_since(Instant::now());
        network::by(ends, Stage::Connect, network::dial(&self.host, self.port, within)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mail_is_posted_below_the_path_of_the_url() {
        for (base, host, port, authority, path) in [
            ("https://mail.acme.example", "mail.acme.example", 443, "mail.acme.example", "/send"),
            ("http://127.0.0.1:8025/v1", "127.0.0.1", 8025, "127.0.0.1:8025", "/v1/send"),
            ("http://[::1]:8025/", "::1", 8025, "[::1]:8025", "/send"),
            ("https://b\u{fc}cher.example/a%20b", "xn--bcher-kva.example", 443, "xn--bcher-kva.example", "/a%20b/send"),
        ] {
            let endpoint = Endpoint::parse(base).unwrap();
            assert_eq!((endpoint.host.as_str(), endpoint.port), (host, port), "{base}");
            assert_eq!((endpoint.authority.as_str(), endpoint.path.as_str()), (authority, path), "{base}");
            assert_eq!(endpoint.tls.is_some(), base.starts_with("https"), "{base}");
        }
    }

    #[test]
    fn a_url_that_nothing_can_be_posted_to_is_refused() {
        for base in ["", "acme.example", "ftp://acme.example", "mailto:ada@acme.example", "http://"] {
            assert!(matches!(Endpoint::parse(base), Err(HttpApiSetupError::Url(_))), "{base}");
        }
    }
}
