//! Every framework behind its own door: siblings do not know each other, `app` joins them.

pub mod config;
pub mod data_folder;
pub mod http;
pub mod mail;
pub mod sqlite;
pub mod system;
pub mod telemetry;
pub mod worker;
