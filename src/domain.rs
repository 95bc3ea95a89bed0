//! The words of the business and what may become of them: no I/O, no async, no wire or row format.

pub mod api_key;
pub mod customer;
pub mod customer_name;
pub mod email_address;
pub mod external_id;
pub mod history;
pub mod ids;
pub mod listed;
pub mod locale;
pub mod mail;
pub mod message;
pub mod metadata;
pub mod relay;
pub mod retry;
pub mod search;
pub mod secret;
pub mod sender;
pub mod text;
pub mod token;
pub mod verification;
