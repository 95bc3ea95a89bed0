//! A customer as the document describes it; `customer_writer` writes it.

use std::collections::BTreeMap;

use poem_openapi::{Enum, Object};

use super::wire::{Email, Id, Time};

/// A customer on the roll.
#[derive(Debug, Object)]
#[oai(rename = "Customer")]
pub(super) struct CustomerBody {
    id: Id,
    name: String,
    /// As its owner typed it.
    email: Email,
    /// Whether the owner proved the current address.
    verified: bool,
    verified_at: Option<Time>,
    /// A new address that waits for its proof.
    pending_email: Option<Email>,
    external_id: Option<String>,
    locale: Option<String>,
    metadata: BTreeMap<String, String>,
    created_at: Time,
    updated_at: Time,
    verification: VerificationBody,
    /// Counts the changes of the customer's own fields and of `verified`, not the progress of mail.
    version: u64,
}

/// Where the proof of the address stands.
#[derive(Debug, Object)]
#[oai(rename = "Verification")]
struct VerificationBody {
    state: VerificationState,
    /// How often a server was offered the mail.
    attempts: u32,
    /// What the last attempt ended with, in the server's words, if it failed.
    last_error: Option<String>,
    next_attempt_at: Option<Time>,
    sent_at: Option<Time>,
    expires_at: Option<Time>,
}

/// How far the proof has come. Captured mail counts as `sent`.
#[derive(Debug, Clone, Copy, Enum)]
#[oai(rename_all = "snake_case")]
enum VerificationState {
    None,
    Queued,
    Sent,
    Deferred,
    Failed,
    Confirmed,
    Expired,
}
