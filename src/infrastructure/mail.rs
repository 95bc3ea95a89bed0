//! Mail: how it is written, and how it leaves.

pub mod capture;
mod mime;
pub mod sender;
pub mod smtp;
pub mod words;
