//! The use cases, one file each, over ports.

pub mod ports;
