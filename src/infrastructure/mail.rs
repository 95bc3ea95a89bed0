//! Mail: how it is written, and how it leaves.

pub mod capture;
mod mime;
mod network;
pub mod sender;
pub mod smtp;
pub mod tls;
pub mod words;
