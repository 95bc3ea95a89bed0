//! Rollbook: the customer registry with verified e-mail that a small team runs itself.
//!
//! Arrows point inward: `main` → [`cli`] → [`app`] → [`infrastructure`] → [`application`] → [`domain`].
//!
//! - [`domain`] has the words of the business and what may become of them: a [`Customer`](domain::customer::Customer),
//!   the [`Verification`](domain::verification::Verification) of an address, the
//!   [`Message`](domain::message::Message) that asks for it, when to [`retry`](domain::retry), the mailed
//!   [`token`](domain::token). No I/O, no async.
//! - [`application`] has the use cases, one file each, on [`Registry`](application::Registry), over the
//!   [`ports`](application::ports) they need. No framework, no SQL, no HTTP.
//! - [`infrastructure`] has every framework behind its own door: [`http`](infrastructure::http) by poem,
//!   [`sqlite`](infrastructure::sqlite), [`mail`](infrastructure::mail) by lettre,
//!   [`config`](infrastructure::config), [`telemetry`](infrastructure::telemetry).
//! - [`app`] joins the parts, and [`cli`] has one verb a file.

pub mod app;
pub mod application;
pub mod cli;
pub mod domain;
pub mod infrastructure;
