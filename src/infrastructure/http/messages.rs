//! Messages over HTTP: what was sent to whom, and how far it came.

use std::sync::Arc;

use poem::{Request, web::Data};
use poem_openapi::{ApiResponse, Enum, Object, OpenApi};
use serde::Serialize;

use super::{
    answer::Answer,
    failure::Failure,
    key::{Key, MailRead},
    path_id::PathId,
    query::{Documented, NoParameters, Parameters, Whole},
    tags::Tag,
    wire::{Email, Id, Time},
};
use crate::{
    application::{Registry, ports::MessageQuery, read_messages::ReadMessageError},
    domain::{
        ids::{CustomerId, MessageId},
        mail::Mail,
        message::{Message, MessageKind, MessageState},
        token::List,
    },
};

const MOST_ON_A_PAGE: u32 = 200;
const USUAL_ON_A_PAGE: u32 = 50;

/// A message in the outbox.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "Message")]
pub(super) struct MessageBody {
    id: Id,
    customer_id: Id,
    /// The address it goes to.
    to: Email,
    kind: MessageKindBody,
    state: MessageStateBody,
    /// How often a server was offered it.
    attempts: u32,
    /// What the last attempt ended with, in the server's words, if it failed.
    last_error: Option<String>,
    /// When it is tried next; null while an attempt is under way and once it is over.
    next_attempt_at: Option<Time>,
    created_at: Time,
    sent_at: Option<Time>,
}

/// A message with its words, where mail is captured.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "MessageWithWords")]
pub(super) struct WordsBody {
    #[oai(flatten)]
    #[serde(flatten)]
    message: MessageBody,
    /// The subject; null unless mail is captured.
    subject: Option<String>,
    /// The plain text; null unless mail is captured.
    text: Option<String>,
    /// The HTML; null unless mail is captured.
    html: Option<String>,
}

/// What a message is about.
#[derive(Debug, Clone, Copy, Serialize, Enum)]
#[serde(rename_all = "snake_case")]
#[oai(rename = "MessageKind", rename_all = "snake_case")]
enum MessageKindBody {
    Verification,
}

/// Where a message stands.
#[derive(Debug, Clone, Copy, Serialize, Enum)]
#[serde(rename_all = "snake_case")]
#[oai(rename = "MessageState", rename_all = "snake_case")]
enum MessageStateBody {
    Queued,
    Sent,
    Deferred,
    Failed,
    Cancelled,
}

/// A page of messages, newest first.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "MessagePage")]
pub(super) struct PageBody {
    items: Vec<MessageBody>,
    /// What to send as `cursor` for the next page; null on the last one.
    next_cursor: Option<String>,
}

impl From<Message> for MessageBody {
    fn from(message: Message) -> Self {
        Self {
            id: Id(message.id.to_string()),
            customer_id: Id(message.customer_id.to_string()),
            to: Email(message.verification.email.typed().to_owned()),
            kind: match message.kind {
                MessageKind::Verification => MessageKindBody::Verification,
            },
            state: match message.state {
                MessageState::Queued => MessageStateBody::Queued,
                MessageState::Sent => MessageStateBody::Sent,
                MessageState::Deferred => MessageStateBody::Deferred,
                MessageState::Failed => MessageStateBody::Failed,
                MessageState::Cancelled => MessageStateBody::Cancelled,
            },
            attempts: message.attempts,
            last_error: message.last_error,
            next_attempt_at: message.next_attempt_at.map(Time),
            created_at: Time(message.created_at),
            sent_at: message.sent_at.map(Time),
        }
    }
}

#[derive(ApiResponse)]
enum Page {
    /// The page.
    #[oai(status = 200)]
    Messages(Answer<PageBody>),
}

#[derive(ApiResponse)]
enum Words {
    /// The message.
    #[oai(status = 200)]
    Message(Answer<WordsBody>),
}

fn not_read(error: ReadMessageError) -> Failure {
    match error {
        ReadMessageError::Store(error) => error.into(),
        ReadMessageError::Words(fault) => {
            tracing::error!(%fault, "the words of a mail could not be written");
            Failure::internal()
        }
    }
}

pub(super) struct MessagesApi;

#[OpenApi(prefix_path = "/api/messages", tag = "Tag::Messages")]
impl MessagesApi {
    /// List messages, newest first
    #[oai(path = "/", method = "get", operation_id = "list_messages")]
    async fn list(
        &self,
        _key: Key<MailRead>,
        registry: Data<&Arc<Registry>>,
        request: &Request,
        /// How many at the most, 1 to 200; 50 unless said.
        #[oai(name = "limit", validator(minimum(value = "1"), maximum(value = "200")))]
        _limit: Documented<Option<Whole>>,
        /// Goes on where a page ended: its `next_cursor`.
        #[oai(name = "cursor")]
        _cursor: Documented<Option<String>>,
        /// Only the messages of one customer.
        #[oai(name = "customer_id")]
        _customer_id: Documented<Option<Id>>,
    ) -> Result<Page, Failure> {
        let mut parameters = Parameters::of(request);
        let limit = parameters.whole("limit", 1, MOST_ON_A_PAGE);
        let after = parameters.cursor(&registry.mac_key, List::Messages);
        let customer = parameters.parse("customer_id", |id| CustomerId::parse(id).ok_or("must be a UUID"));
        parameters.done()?;
        let query = MessageQuery { after, limit: limit.unwrap_or(USUAL_ON_A_PAGE), customer };
        let page = registry.list_messages(query).await?;
        Ok(Page::Messages(Answer(PageBody {
            items: page.messages.into_iter().map(MessageBody::from).collect(),
            next_cursor: page.next.map(|row| registry.mac_key.cursor(List::Messages, row)),
        })))
    }

    /// Read a message
    ///
    /// Its words are there only where mail is captured; nowhere else is a link ever shown.
    #[oai(path = "/:id", method = "get", operation_id = "read_message")]
    async fn read(
        &self,
        _key: Key<MailRead>,
        registry: Data<&Arc<Registry>>,
        /// The message's id.
        id: PathId<MessageId>,
        _query: NoParameters,
    ) -> Result<Words, Failure> {
        let (message, mail) = registry.read_message(id.0).await.map_err(not_read)?.ok_or_else(Failure::not_found)?;
        let (subject, text, html) =
            mail.map_or((None, None, None), |Mail { subject, text, html, .. }| (Some(subject), Some(text), Some(html)));
        Ok(Words::Message(Answer(WordsBody { message: message.into(), subject, text, html })))
    }
}
