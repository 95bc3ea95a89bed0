//! The rules of the house, held by reading its files. Each rule is shown to hold for the tree as it stands, and to catch
//! what is planted against it: a rule that cannot fail protects nothing.
//!
//! Only `std` is used: what judges the architecture must build although the architecture is broken.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what it expects, and fails by panicking; clippy lets only the test functions themselves do so"
)]

mod house_rules {
    // What the rules are written with.
    mod manifest;
    mod paths;
    mod rust;
    mod tree;

    // The rules.
    mod arrows;
    mod dependencies;
    mod doors;
    mod leftovers;
    mod names;
    mod pages;
    mod rooms;
    mod schema;
    mod statements;
}
