//! The headings that the document's operations stand under.

use poem_openapi::Tags;

#[derive(Tags)]
pub(super) enum Tag {
    /// The roll: who is on it, and how far the proof of each address has come.
    Customers,
    /// What the owner of an address does with the mailed token.
    Verifications,
    /// The outbox: what was sent to whom, and how far it came.
    Messages,
}
