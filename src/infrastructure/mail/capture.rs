//! Mail that is kept instead of sent: who may read messages reads it there.

use async_trait::async_trait;

use crate::{
    application::ports::Mailer,
    domain::mail::{Mail, SendFault, Stage},
};

/// Sends nothing. In capture a message is born as sent and comes by no mailer; what comes here was queued for a relay
/// before. It waits for that, readable as all mail is in capture: a start that lacks the relay's settings loses nothing.
#[derive(Debug, Clone, Copy)]
pub struct CaptureMailer;

#[async_trait]
impl Mailer for CaptureMailer {
    async fn send(&self, _mail: &Mail) -> Result<(), SendFault> {
        let words = "mail is captured now; this one was queued for a relay and waits for a start with its settings";
        Err(SendFault::new(Stage::Connect, None, words))
    }
}
