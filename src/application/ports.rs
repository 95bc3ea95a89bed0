//! What the use cases need from the world, and how each of it may fail.

use async_trait::async_trait;

use crate::domain::mail::{Mail, SendFault};

/// Hands mails to a server that takes responsibility for them.
#[async_trait]
pub trait Mailer: Send + Sync {
    /// Hands one mail over; `Ok` means that the server answered for it with a 2xx after the final dot.
    ///
    /// # Errors
    /// How far it came and what the server said.
    async fn send(&self, mail: &Mail) -> Result<(), SendFault>;
}
