//! The words of the business and what may become of them: no I/O, no async, no wire or row format.

pub mod email_address;
pub mod ids;
pub mod mail;
pub mod secret;
