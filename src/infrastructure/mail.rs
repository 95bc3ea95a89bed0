//! Mail: how it is written, and how it leaves.

pub mod capture;
pub mod http_api;
mod mime;
mod network;
pub mod sender;
pub mod smtp;
pub mod tls;
pub mod words;
