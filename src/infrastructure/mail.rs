//! Mail: how it is written, and how it leaves.
