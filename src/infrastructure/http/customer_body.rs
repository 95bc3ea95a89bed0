//! A customer as it is written on the wire.

use std::collections::BTreeMap;

use jiff::Timestamp;
use poem_openapi::{Enum, Object};
use serde::Serialize;

use super::wire::{Email, Id, Time};
use crate::domain::{
    customer::{Customer, Particulars},
    verification::ProofState,
};

/// A customer on the roll.
#[derive(Debug, Serialize, Object)]
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
#[derive(Debug, Serialize, Object)]
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
#[derive(Debug, Clone, Copy, Serialize, Enum)]
#[serde(rename_all = "snake_case")]
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

impl From<ProofState> for VerificationState {
    fn from(state: ProofState) -> Self {
        match state {
            ProofState::None => Self::None,
            ProofState::Queued => Self::Queued,
            ProofState::Sent => Self::Sent,
            ProofState::Deferred => Self::Deferred,
            ProofState::Failed => Self::Failed,
            ProofState::Confirmed => Self::Confirmed,
            ProofState::Expired => Self::Expired,
        }
    }
}

impl CustomerBody {
    /// The customer as it is shown at a moment.
    pub(super) fn at(customer: Customer, now: Timestamp) -> Self {
        let proof = &customer.proof;
        let verification = VerificationBody {
            state: proof.state_at(now).into(),
            attempts: proof.attempts,
            last_error: proof.last_error.clone(),
            next_attempt_at: proof.next_attempt_at.map(Time),
            sent_at: proof.sent_at.map(Time),
            expires_at: proof.expires_at.map(Time),
        };
        let Particulars { name, email, external_id, locale, metadata } = customer.particulars;
        Self {
            id: Id(customer.id.to_string()),
            name: name.as_str().to_owned(),
            email: Email(email.typed().to_owned()),
            verified: customer.verified_at.is_some(),
            verified_at: customer.verified_at.map(Time),
            pending_email: customer.pending_email.map(|email| Email(email.typed().to_owned())),
            external_id: external_id.map(|key| key.as_str().to_owned()),
            locale: locale.map(|tag| tag.as_str().to_owned()),
            metadata: metadata.entries().clone(),
            created_at: Time(customer.created_at),
            updated_at: Time(customer.updated_at),
            verification,
            version: customer.version,
        }
    }
}
