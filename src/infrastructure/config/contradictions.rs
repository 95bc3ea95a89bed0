//! What no value says alone: settings that need, exclude or outlast each other.

use super::{BaseUrl, Config, MailTransport, SmtpUrl};
use crate::domain::{secret::Secret, sender::Sender};

/// How mail leaves, with all that this way needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery<'a> {
    /// It is kept to be read.
    Capture,
    /// By SMTP.
    Smtp {
        /// The relay.
        relay: &'a SmtpUrl,
        /// The sender: an address with or without a name.
        from: &'a Sender,
    },
    /// By an HTTP e-mail API.
    Http {
        /// The API: mail is posted to its `/send`.
        api: &'a BaseUrl,
        /// The bearer key.
        key: &'a Secret,
        /// The sender: an address with or without a name.
        from: &'a Sender,
    },
}

impl Config {
    /// How mail leaves. Never fails for a [loaded](Config::load) configuration, which was judged by it.
    ///
    /// # Errors
    /// The setting that the chosen way needs and that is missing, in a sentence.
    pub fn delivery(&self) -> Result<Delivery<'_>, String> {
        let mail = &self.mail;
        match mail.transport {
            MailTransport::Capture => Ok(Delivery::Capture),
            MailTransport::Smtp => Ok(Delivery::Smtp {
                relay: self.smtp.url.as_ref().ok_or_else(|| missing("SMTP_URL", "smtp"))?,
                from: mail.from.as_ref().ok_or_else(|| missing("MAIL_FROM", "smtp"))?,
            }),
            MailTransport::Http => Ok(Delivery::Http {
                api: mail.api_url.as_ref().ok_or_else(|| missing("MAIL_API_URL", "http"))?,
                key: mail.api_key.as_ref().ok_or_else(|| missing("MAIL_API_KEY", "http"))?,
                from: mail.from.as_ref().ok_or_else(|| missing("MAIL_FROM", "http"))?,
            }),
        }
    }

    /// Why the whole cannot work although each value could.
    pub(super) fn contradictions(&self) -> Vec<String> {
        let listen = self.http.listen;
        let no_links = (self.http.public_url.is_none() && !listen.ip().to_canonical().is_loopback()).then(|| {
            format!(
                "ROLLBOOK_PUBLIC_URL is required when listening beyond loopback, as at {listen}: \
                 links in mail are made from it"
            )
        });
        [no_links, self.delivery().err()].into_iter().flatten().collect()
    }

    /// What works and is probably not meant.
    pub(super) fn doubts(&self) -> Vec<String> {
        let named = [("PUBLIC_URL", &self.http.public_url), ("MAIL_API_URL", &self.mail.api_url)];
        let readable = named.into_iter().filter_map(|(name, url)| Some((name, url.as_ref()?)));
        readable
            .filter(|(_, url)| !url.is_safe_on_the_way())
            .map(|(name, url)| format!("ROLLBOOK_{name} is not https: whoever is on the way to {url} can read along"))
            .collect()
    }
}

fn missing(name: &str, transport: &str) -> String {
    format!("ROLLBOOK_{name} is required when ROLLBOOK_MAIL_TRANSPORT is {transport}")
}
