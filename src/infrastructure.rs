//! Every framework behind its own door.

pub mod http;
pub mod mail;
pub mod sqlite;
