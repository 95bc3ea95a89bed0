//! Customers as JSON, one or a page of them, written straight from where they were read.
//!
//! A customer is what most answers consist of, so it does not go the way of the other answers, by a struct and serde; the
//! tests hold every answer against the document.

use jiff::Timestamp;

use super::json_writer::{Calendar, null, number, text, text_or_null};
use crate::{
    application::ports::WriteCustomer,
    domain::{customer::Customer, listed::Listed, verification::ProofState},
};

/// Bytes of JSON that a customer usually takes.
const USUAL_CUSTOMER: usize = 640;

const ITEMS: &[u8] = b"{\"items\":[";

/// A customer as it is at a moment.
pub(super) fn one(customer: &Customer, now: Timestamp) -> Vec<u8> {
    let metadata = customer.particulars.metadata.entries();
    let metadata = if metadata.is_empty() { None } else { serde_json::to_string(metadata).ok() };
    let mut out = Vec::with_capacity(USUAL_CUSTOMER);
    CustomerWriter::at(now).write(&mut out, &Listed::of(customer, metadata.as_deref().unwrap_or("{}")));
    out
}

/// How a page is written down customer by customer: `{"items":[…` as it is at a moment. There is room for so many
/// customers at once.
pub(super) fn items(most: u32, now: Timestamp) -> WriteCustomer {
    let mut writer = CustomerWriter::at(now);
    Box::new(move |out, listed| {
        if out.is_empty() {
            out.reserve(most as usize * USUAL_CUSTOMER);
            out.extend_from_slice(ITEMS);
        } else {
            out.push(b',');
        }
        writer.write(out, listed);
    })
}

/// Ends what [`items`] has begun: `…],"next_cursor":…}`.
pub(super) fn page(mut items: Vec<u8>, next_cursor: Option<&str>) -> Vec<u8> {
    if items.is_empty() {
        items.extend_from_slice(ITEMS);
    }
    items.extend_from_slice(b"],\"next_cursor\":");
    text_or_null(&mut items, next_cursor);
    items.push(b'}');
    items
}

/// Writes customers as they are at a moment.
struct CustomerWriter {
    now: Timestamp,
    calendar: Calendar,
}

impl CustomerWriter {
    fn at(now: Timestamp) -> Self {
        Self { now, calendar: Calendar::default() }
    }

    fn write(&mut self, out: &mut Vec<u8>, listed: &Listed<'_>) {
        out.extend_from_slice(b"{\"id\":\"");
        out.extend_from_slice(listed.id.uuid().hyphenated().encode_lower(&mut [0; 36]).as_bytes());
        out.extend_from_slice(b"\",\"name\":");
        text(out, listed.name);
        out.extend_from_slice(b",\"email\":");
        text(out, listed.email);
        if let Some(verified_at) = listed.verified_at {
            out.extend_from_slice(b",\"verified\":true,\"verified_at\":");
            self.time(out, verified_at);
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
        let created_at = self.calendar.rfc3339(listed.created_at);
        out.extend_from_slice(b",\"created_at\":\"");
        out.extend_from_slice(&created_at);
        // Most have never changed.
        let is_new = listed.updated_at == listed.created_at;
        out.extend_from_slice(b"\",\"updated_at\":\"");
        out.extend_from_slice(&if is_new { created_at } else { self.calendar.rfc3339(listed.updated_at) });
        out.push(b'"');
        self.proof(out, listed);
        out.extend_from_slice(b",\"version\":");
        number(out, listed.version);
        out.push(b'}');
    }

    fn proof(&mut self, out: &mut Vec<u8>, listed: &Listed<'_>) {
        out.extend_from_slice(b",\"verification\":{\"state\":\"");
        out.extend_from_slice(word(listed.proof_state_at(self.now)).as_bytes());
        out.extend_from_slice(b"\",\"attempts\":");
        number(out, u64::from(listed.proof_attempts));
        out.extend_from_slice(b",\"last_error\":");
        text_or_null(out, listed.proof_last_error);
        out.extend_from_slice(b",\"next_attempt_at\":");
        self.time_or_null(out, listed.proof_next_attempt_at);
        out.extend_from_slice(b",\"sent_at\":");
        self.time_or_null(out, listed.proof_sent_at);
        out.extend_from_slice(b",\"expires_at\":");
        self.time_or_null(out, listed.proof_expires_at);
        out.push(b'}');
    }

    fn time_or_null(&mut self, out: &mut Vec<u8>, micros: Option<i64>) {
        match micros {
            Some(micros) => self.time(out, micros),
            None => null(out),
        }
    }

    fn time(&mut self, out: &mut Vec<u8>, micros: i64) {
        out.push(b'"');
        out.extend_from_slice(&self.calendar.rfc3339(micros));
        out.push(b'"');
    }
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
