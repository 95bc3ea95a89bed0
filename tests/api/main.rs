//! What Rollbook promises, capability by capability, kept by the real thing over real sockets.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "what a test stands on either holds or ends the test; the lints excuse #[test] functions only"
)]

mod api_peer;
mod browser;
mod connections;
mod customers;
mod delivery;
mod document;
mod errors;
mod harness;
mod headers;
mod health;
mod http_api;
mod keys;
mod lists;
mod main_job;
mod messages;
mod program;
mod readme;
mod resend;
mod search;
mod smtp;
mod smtp_peer;
mod statements;
mod verification;
