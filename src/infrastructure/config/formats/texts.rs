//! Texts of one shape, each read by one function.

use std::{net::SocketAddr, path::PathBuf};

use tracing_subscriber::filter::{LevelFilter, Targets};

use super::{
    super::{base_url::BaseUrl, origin::Origin, smtp_url::SmtpUrl},
    Format, Shape,
};
use crate::domain::{secret::Secret, sender::Sender};

/// What one function reads.
pub(in super::super) struct Text<T> {
    placeholder: &'static str,
    read: fn(&str) -> Result<T, String>,
}

pub(in super::super) const ADDRESS: Text<SocketAddr> = Text { placeholder: "ADDRESS:PORT", read: address };
pub(in super::super) const PATH: Text<PathBuf> = Text { placeholder: "PATH", read: path };
pub(in super::super) const BASE_URL: Text<BaseUrl> = Text { placeholder: "URL", read: BaseUrl::parse };
pub(in super::super) const ORIGIN: Text<Origin> = Text { placeholder: "ORIGIN", read: Origin::parse };
pub(in super::super) const SMTP_URL: Text<SmtpUrl> = Text { placeholder: "URL", read: SmtpUrl::parse };
pub(in super::super) const SENDER: Text<Sender> = Text { placeholder: "SENDER", read: sender };
pub(in super::super) const SECRET: Text<Secret> = Text { placeholder: "SECRET", read: secret };
pub(in super::super) const LOG_FILTER: Text<Targets> = Text { placeholder: "FILTER", read: log_filter };

impl<T> Shape for Text<T> {
    fn placeholder(&self) -> String {
        self.placeholder.to_owned()
    }
}

impl<T> Format for Text<T> {
    type Value = T;

    fn read(&self, text: &str) -> Result<T, String> {
        (self.read)(text)
    }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "is not an address with a port, such as 127.0.0.1:8080".to_owned())
}

fn path(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() { Err("is not a path".to_owned()) } else { Ok(text.into()) }
}

/// A bearer token travels in a header field; a line break in it must not become a field of its own (RFC 9110,
/// section 5.5).
fn secret(text: &str) -> Result<Secret, String> {
    if text.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(Secret::new(text.to_owned()))
    } else {
        Err("has blanks or other than visible ASCII characters".to_owned())
    }
}

fn sender(text: &str) -> Result<Sender, String> {
    Sender::parse(text)
        .map_err(|error| format!("is not a sender, such as hello@acme.example or Acme <hello@acme.example>: {error}"))
}

/// A word that is no level is a slip, not the name of a module: taken as one, it would silence all others.
fn log_filter(text: &str) -> Result<Targets, String> {
    let mut directives = text.split(',').map(str::trim);
    let filter = directives.try_fold(Targets::new(), |filter, directive| match directive.split_once('=') {
        Some((module, level)) if is_module(module) => Some(filter.with_target(module, log_level(level)?)),
        Some(_) => None,
        None => Some(filter.with_default(log_level(directive)?)),
    });
    filter.ok_or_else(|| "is not a log filter, such as info or warn,rollbook=debug".to_owned())
}

fn is_module(path: &str) -> bool {
    !path.is_empty() && path.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':'))
}

fn log_level(word: &str) -> Option<LevelFilter> {
    word.parse().ok().filter(|_| !word.is_empty())
}
