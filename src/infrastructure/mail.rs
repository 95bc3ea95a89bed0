//! Mail: how it is written, and how it leaves.
#![expect(
    clippy::disallowed_methods,
    reason = "the deadlines of sessions run on tokio's clock, which paces their waiting"
)]

pub mod capture;
pub mod http_api;
mod mime;
mod network;
pub mod smtp;
pub mod tls;
pub mod words;
