//! A URL that others are built on.

use std::{fmt, net::SocketAddr};

use url::Url;

use super::host;

/// An absolute `http` or `https` URL without user, query and fragment, its path without a slash at the end, so that a
/// path can be put after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl {
    text: String,
    is_safe_on_the_way: bool,
}

impl BaseUrl {
    /// The URL of what listens here, unencrypted and without a prefix.
    #[must_use]
    pub fn at(address: SocketAddr) -> Self {
        let text = format!("http://{address}");
        Self { text, is_safe_on_the_way: address.ip().to_canonical().is_loopback() }
    }

    /// Reads and normalises: scheme and host in lower case, host as ASCII, no default port.
    ///
    /// # Errors
    /// The rule that is broken, to stand after the value in a sentence.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|_| EXPECTED.to_owned())?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(EXPECTED.to_owned());
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("must not have a user or a password in it".to_owned());
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("must not have a query or a fragment".to_owned());
        }
        Ok(Self {
            text: url.as_str().trim_end_matches('/').to_owned(),
            is_safe_on_the_way: url.scheme() == "https" || url.host_str().is_some_and(host::is_loopback),
        })
    }

    /// The URL, to put a path after: `https://acme.example/roll`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether nobody on the way can read along: it is `https`, or never leaves the machine.
    #[must_use]
    pub fn is_safe_on_the_way(&self) -> bool {
        self.is_safe_on_the_way
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

const EXPECTED: &str = "is not a URL that begins with https:// or http://";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_is_normal_and_ready_for_a_path() {
        for (typed, normal) in [
            ("https://acme.example", "https://acme.example"),
            ("https://acme.example/", "https://acme.example"),
            ("HTTPS://Acme.Example:443/Roll/", "https://acme.example/Roll"),
            ("https://bücher.example/a/b", "https://xn--bcher-kva.example/a/b"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("http://[::1]:8080/x", "http://[::1]:8080/x"),
        ] {
            let url = BaseUrl::parse(typed).unwrap();
            assert_eq!(url.as_str(), normal, "{typed}");
        }
    }

    #[test]
    fn what_links_cannot_be_built_on_is_refused() {
        for typed in [
            "",
            "acme.example",
            "//acme.example",
            "ftp://acme.example",
            "javascript:alert(1)",
            "https://",
            "https://acme.example:99999",
            "https://user@acme.example",
            "https://:password@acme.example",
            "https://acme.example/?a=b",
            "https://acme.example/#top",
            "https://ac me.example",
        ] {
            assert!(BaseUrl::parse(typed).is_err(), "{typed}");
        }
    }

    #[test]
    fn only_https_and_loopback_are_safe_on_the_way() {
        for (typed, is_safe) in [
            ("https://acme.example", true),
            ("http://localhost:8080", true),
            ("http://127.0.0.2", true),
            ("http://[::1]", true),
            ("http://acme.example", false),
            ("http://localhost.acme.example", false),
            ("http://10.0.0.1", false),
        ] {
            assert_eq!(BaseUrl::parse(typed).unwrap().is_safe_on_the_way(), is_safe, "{typed}");
        }
    }

    #[test]
    fn without_a_public_url_links_go_where_the_program_listens() {
        let url = BaseUrl::at("[::1]:8080".parse().unwrap());
        assert_eq!(url, BaseUrl::parse("http://[::1]:8080").unwrap());
    }
}
