//! What a client's connection may do, how long, and how it ends: raw bytes to the accept loop over a small site.

mod bodies;
mod caps;
pub(crate) mod client;
mod deadlines;
mod early_answers;
mod exchanges;
mod site;
mod stop;
