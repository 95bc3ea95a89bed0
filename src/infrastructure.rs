//! Every framework behind its own door.

pub mod config;
pub mod http;
pub mod mail;
pub mod sqlite;
