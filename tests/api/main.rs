//! What Rollbook promises to who talks to it, tried from outside.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what it expects, and fails by panicking; clippy lets only the test functions themselves do so"
)]

mod connections;
