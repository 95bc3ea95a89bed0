//! Mail: how it is written, and how it leaves.

pub mod sender;
