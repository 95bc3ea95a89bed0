//! Rollbook.

pub mod application;
pub mod cli;
pub mod domain;
pub mod infrastructure;
