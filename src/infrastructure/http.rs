//! The web, by poem.

pub mod server;
