//! Errors of lettre, as faults of a stage in plain words.

use std::{error::Error, io};

use lettre::transport::smtp;

use crate::{
    domain::mail::{SendFault, Stage},
    infrastructure::mail::network,
};

/// A fault of a command: the server's own words where it answered.
pub(super) fn of_smtp(stage: Stage, error: &smtp::Error) -> SendFault {
    // lettre puts the reply's text into the source; its own `Display` would add "permanent error (550): ".
    let source = error.source().map(ToString::to_string).unwrap_or_default();
    if let Some(code) = error.status() {
        return SendFault::new(stage, Some(code.into()), &source);
    }
    if let Some(cause) = error.source().and_then(|source| source.downcast_ref::<io::Error>()) {
        return network::fault_of(stage, cause);
    }
    if error.is_response() {
        // lettre's words for a stream that ended.
        let words = if source == "incomplete response" { network::CUT } else { "the answer is no SMTP reply" };
        return SendFault::new(stage, None, words);
    }
    SendFault::new(stage, None, &source)
}
