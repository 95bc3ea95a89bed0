//! A web origin that may call the public routes.

use std::fmt;

use url::Url;

/// An origin exactly as browsers send it (RFC 6454, section 6.2), so that comparing texts is enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(String);

impl Origin {
    /// Takes `scheme://host[:port]` in its one normal form: lower case, ASCII, no default port, no slash at the end.
    ///
    /// # Errors
    /// What is wrong, with the normal form where one is meant, to stand after the value in a sentence.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let Some(url) = url else {
            return Err("is not an exact origin, such as https://shop.example (no pattern, no null)".to_owned());
        };
        let origin = url.origin().ascii_serialization();
        if origin.contains('*') {
            Err("is a pattern; every origin must be named".to_owned())
        } else if origin == text {
            Ok(Self(origin))
        } else {
            Err(format!("is not how a browser writes an origin; did you mean {origin}?"))
        }
    }

    /// The text to compare an `Origin` field with.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exact_origin_is_taken_as_it_is() {
        for text in ["https://shop.example", "http://localhost:5173", "https://xn--bcher-kva.example", "http://[::1]:1"]
        {
            assert_eq!(Origin::parse(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn what_a_browser_would_never_send_is_refused() {
        for text in [
            "",
            "*",
            "null",
            "shop.example",
            "https://*.shop.example",
            "https://shop.example/",
            "https://shop.example/path",
            "https://shop.example:443",
            "https://Shop.example",
            "https://user@shop.example",
            "https://bücher.example",
            "file:///tmp",
        ] {
            assert!(Origin::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_near_miss_is_told_what_to_write() {
        let fault = Origin::parse("https://Shop.example:443/").unwrap_err();
        assert!(fault.ends_with("did you mean https://shop.example?"), "{fault}");
    }
}
