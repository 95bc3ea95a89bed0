//! Errors of lettre and of the network, as faults of a stage in plain words.

use std::{error::Error, io};

use lettre::transport::smtp;

use super::tls;
use crate::domain::mail::{SendFault, Stage};

/// A fault of a command: the server's own words where it answered.
pub(super) fn of_smtp(stage: Stage, error: &smtp::Error) -> SendFault {
    // lettre puts the reply's text into the source; its own `Display` would add "permanent error (550): ".
    let source = error.source().map(ToString::to_string).unwrap_or_default();
    if let Some(code) = error.status() {
        return SendFault::new(stage, Some(code.into()), &source);
    }
    if let Some(cause) = error.source().and_then(|source| source.downcast_ref::<io::Error>()) {
        return of_io(stage, cause);
    }
    if error.is_response() {
        // lettre's words for a stream that ended.
        let words = if source == "incomplete response" { CUT } else { "the answer is no SMTP reply" };
        return SendFault::new(stage, None, words);
    }
    SendFault::new(stage, None, &source)
}

/// A fault of the connection itself.
pub(super) fn of_io(stage: Stage, error: &io::Error) -> SendFault {
    use io::ErrorKind as Kind;
    let words = match error.kind() {
        Kind::ConnectionRefused => "connection refused".to_owned(),
        Kind::ConnectionReset | Kind::ConnectionAborted | Kind::BrokenPipe | Kind::UnexpectedEof => CUT.to_owned(),
        Kind::TimedOut => "no answer in time".to_owned(),
        _ => tls::words(error).unwrap_or_else(|| error.to_string()),
    };
    SendFault::new(stage, None, &words)
}

const CUT: &str = "the server closed the connection without an answer";
