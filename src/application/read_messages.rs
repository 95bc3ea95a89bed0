//! Read messages: what was sent to whom and how far it came; its very words where mail is captured.

use super::{
    Registry,
    ports::{MessagePage, MessageQuery, StoreError},
};
use crate::domain::{
    ids::MessageId,
    mail::{Mail, SendFault},
    message::Message,
};

/// Why a message could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadMessageError {
    /// The store broke down.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its words could not be written.
    #[error("the words of a mail could not be written: {0}")]
    Words(SendFault),
}

impl Registry {
    /// A page of messages, newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list_messages(&self, query: MessageQuery) -> Result<MessagePage, StoreError> {
        self.outbox.list(query).await
    }

    /// A message; its words too, but only where mail is captured: nowhere else may a link be read by anybody but the
    /// owner of the address.
    ///
    /// # Errors
    /// [`ReadMessageError`].
    pub async fn read_message(&self, id: MessageId) -> Result<Option<(Message, Option<Mail>)>, ReadMessageError> {
        let Some(message) = self.outbox.find(id).await? else { return Ok(None) };
        let mail = if self.policy.captures_mail {
            let token = self.mac_key.token(message.verification.id, &message.verification.email);
            Some(self.composer.compose(&message, &token).map_err(ReadMessageError::Words)?)
        } else {
            None
        };
        Ok(Some((message, mail)))
    }
}
