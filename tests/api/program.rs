//! The binary itself: what its verbs say, with which code it ends, and what it keeps when it is stopped or killed.

mod descriptors;
mod exit_codes;
mod folder;
mod full_disk;
mod keys;
mod kills;
mod log;
pub(crate) mod running;
pub(crate) mod server;
mod stops;
mod verbs;
