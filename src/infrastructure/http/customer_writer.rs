//! Customers as JSON, one or a page of them, written straight from where they were read.
//!
//! A customer is what most answers consist of, so it does not go the way of the other answers, by a struct and serde; the
//! tests hold every answer against the document.

use jiff::Timestamp;

use super::json_writer::{number, text, text_or_null, time, time_or_null};
use crate::domain::{
    customer::Customer,
    customer_page::{CustomerPage, Listed},
    verification::ProofState,
};

/// Bytes of JSON that a customer usually takes.
const USUAL_CUSTOMER: usize = 640;

/// A customer as it is at a moment.
pub(super) fn one(customer: &Customer, now: Timestamp) -> Vec<u8> {
    let metadata = customer.particulars.metadata.entries();
    let metadata = if metadata.is_empty() { None } else { serde_json::to_string(metadata).ok() };
    let mut out = Vec::with_capacity(USUAL_CUSTOMER);
    write(&mut out, &Listed::of(customer, metadata.as_deref().unwrap_or("{}")), now);
    out
}

/// `{"items": […], "next_cursor": …}` as it is at a moment.
pub(super) fn page(page: &CustomerPage, next_cursor: Option<&str>, now: Timestamp) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 + USUAL_CUSTOMER * page.len());
    out.extend_from_slice(b"{\"items\":[");
    for (place, listed) in page.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        write(&mut out, &listed, now);
    }
    out.extend_from_slice(b"],\"next_cursor\":");
    text_or_null(&mut out, next_cursor);
    out.push(b'}');
    out
}

fn write(out: &mut Vec<u8>, listed: &Listed<&str>, now: Timestamp) {
    out.extend_from_slice(b"{\"id\":\"");
    out.extend_from_slice(listed.id.uuid().hyphenated().encode_lower(&mut [0; 36]).as_bytes());
    out.extend_from_slice(b"\",\"name\":");
    text(out, listed.name);
    out.extend_from_slice(b",\"email\":");
    text(out, listed.email);
    if let Some(verified_at) = listed.verified_at {
        out.extend_from_slice(b",\"verified\":true,\"verified_at\":");
        time(out, verified_at);
    } else {
        out.extend_from_slice(b",\"verified\":false,\"verified_at\":null");
    }
    out.extend_from_slice(b",\"pending_email\":");
    text_or_null(out, listed.pending_email);
    out.extend_from_slice(b",\"external_id\":");
    text_or_null(out, listed.external_id);
    out.extend_from_slice(b",\"locale\":");
    text_or_null(out, listed.locale);
    out.extend_from_slice(b",\"metadata\":");
    out.extend_from_slice(listed.metadata.as_bytes());
    out.extend_from_slice(b",\"created_at\":");
    time(out, listed.created_at);
    out.extend_from_slice(b",\"updated_at\":");
    time(out, listed.updated_at);
    proof(out, listed, now);
    out.extend_from_slice(b",\"version\":");
    number(out, listed.version);
    out.push(b'}');
}

fn proof(out: &mut Vec<u8>, listed: &Listed<&str>, now: Timestamp) {
    out.extend_from_slice(b",\"verification\":{\"state\":\"");
    out.extend_from_slice(word(listed.proof_state_at(now)).as_bytes());
    out.extend_from_slice(b"\",\"attempts\":");
    number(out, u64::from(listed.proof_attempts));
    out.extend_from_slice(b",\"last_error\":");
    text_or_null(out, listed.proof_last_error);
    out.extend_from_slice(b",\"next_attempt_at\":");
    time_or_null(out, listed.proof_next_attempt_at);
    out.extend_from_slice(b",\"sent_at\":");
    time_or_null(out, listed.proof_sent_at);
    out.extend_from_slice(b",\"expires_at\":");
    time_or_null(out, listed.proof_expires_at);
    out.push(b'}');
}

const fn word(state: ProofState) -> &'static str {
    match state {
        ProofState::None => "none",
        ProofState::Queued => "queued",
        ProofState::Sent => "sent",
        ProofState::Deferred => "deferred",
        ProofState::Failed => "failed",
        ProofState::Confirmed => "confirmed",
        ProofState::Expired => "expired",
    }
}
