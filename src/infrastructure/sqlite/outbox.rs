//! The outbox behind its port.

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{
    SqliteStore, history,
    rows::{self, Columns, halves, micros},
    verifications::{verification, verification_columns},
    writer::Transaction,
};
use crate::{
    application::ports::{
        Claim, ClaimTerms, Leased, MessagePage, MessageQuery, Outbox, OutboxCounts, Outcome, Settlement, StoreError,
    },
    domain::{
        ids::MessageId,
        message::{Message, MessageState},
    },
};

/// The columns and tables that [`message`] reads, in its order.
macro_rules! select_message {
    () => {
        concat!(
            "SELECT o.id, o.id_tail, o.kind, o.state, o.attempts, o.last_error, iif(o.claimed, NULL, o.due_at), ",
            "o.created_at, o.sent_at, ",
            verification_columns!(),
            " FROM outbox o",
            " JOIN verifications v ON v.customer_id = o.customer_id AND v.number = o.proof",
            " JOIN customers c ON c.id = o.customer_id"
        )
    };
}

const FIND: &str = concat!(select_message!(), " WHERE o.id = ?1 AND o.id_tail = ?2");
const OF_PROOF: &str =
    concat!(select_message!(), " WHERE o.customer_id = ?1 AND o.proof = ?2 ORDER BY o.id DESC LIMIT 1");
const PAGE: &str = concat!(select_message!(), " WHERE o.id < ?1 ORDER BY o.id DESC LIMIT ?2");
const PAGE_OF_CUSTOMER: &str = concat!(
    select_message!(),
    " WHERE o.customer_id = ?3 AND c.id_tail = ?4 AND o.id < ?1 ORDER BY o.id DESC LIMIT ?2"
);

/// The first and the last moment at which anything is due.
const DUE: &str = "SELECT (SELECT min(due_at) FROM outbox WHERE due_at IS NOT NULL), \
    (SELECT max(due_at) FROM outbox WHERE due_at IS NOT NULL)";

/// What lies beyond the horizon comes after all that is properly due.
const NEXT_DUE: &str = "SELECT coalesce((SELECT id FROM outbox WHERE due_at <= ?1 ORDER BY due_at LIMIT 1), \
    (SELECT id FROM outbox WHERE due_at > ?2 ORDER BY due_at LIMIT 1))";
const READ: &str = concat!(select_message!(), " WHERE o.id = ?1");
const CLAIM: &str = "UPDATE outbox SET due_at = ?2, claimed = 1 WHERE id = ?1";
const IS_CLAIMED: &str = "SELECT 1 FROM outbox WHERE id = ?1 AND claimed AND due_at = ?2";
const GIVE_BACK: &str = "UPDATE outbox SET due_at = ?3, claimed = 0 WHERE id = ?1 AND claimed AND due_at = ?2";

const INSERT: &str = "INSERT INTO outbox (id, id_tail, customer_id, proof, kind, state, attempts, due_at, claimed, \
    created_at, sent_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, ?9, ?10)";

/// A mail that a server took was sent, even if it was cancelled or its claim lapsed in the meantime.
const SETTLE_SENT: &str = "UPDATE outbox SET state = 'sent', attempts = attempts + 1, last_error = NULL, due_at = NULL, \
    claimed = 0, sent_at = ?2 WHERE id = ?1 AND state IN ('queued', 'deferred', 'cancelled') RETURNING customer_id, proof";
const SETTLE_LATER: &str = "UPDATE outbox SET state = 'deferred', attempts = attempts + ?3, last_error = ?4, due_at = ?2, \
    claimed = 0 WHERE id = ?1 AND state IN ('queued', 'deferred') RETURNING customer_id, proof";
const SETTLE_FAILED: &str = "UPDATE outbox SET state = 'failed', attempts = attempts + 1, last_error = ?2, due_at = NULL, \
    claimed = 0 WHERE id = ?1 AND state IN ('queued', 'deferred') RETURNING customer_id, proof";

/// The token's life begins with the first delivery that was accepted.
const START_LIFE: &str =
    "UPDATE verifications SET expires_at = coalesce(expires_at, ?3) WHERE customer_id = ?1 AND number = ?2";

/// The customer shows the newest proof only, and a proven address shows nothing of its mail any more.
const SHOW: &str = "UPDATE customers SET proof_state = ?3, proof_attempts = proof_attempts + ?4, proof_last_error = ?5, \
    proof_next_attempt_at = ?6, proof_sent_at = coalesce(proof_sent_at, ?7), \
    proof_expires_at = coalesce(proof_expires_at, ?8), steps = steps + 1 \
    WHERE id = ?1 AND proof = ?2 AND verified_at IS NULL";

#[async_trait]
impl Outbox for SqliteStore {
    async fn claim_due(&self, terms: ClaimTerms) -> Result<Claim, StoreError> {
        // A look before the leap spares the writer a transaction for nothing; the claim itself decides.
        let due = self.due().await?;
        if due.is_none_or(|(first, last)| first > terms.now && last <= terms.horizon) {
            return Ok(Claim::NothingUntil(due.map(|(first, _)| first)));
        }
        let (claimed, unreadable) = self.writer.write_patiently(move |tx| claim(tx, terms)).await?;
        if unreadable > 0 {
            tracing::error!(messages = unreadable, "mail cannot be sent: it cannot be read, or its customer is gone");
        }
        if claimed.is_empty() {
            return Ok(Claim::NothingUntil(self.due().await?.map(|(first, _)| first)));
        }
        Ok(Claim::Taken(claimed))
    }

    async fn is_ours(&self, leased: &Leased) -> Result<bool, StoreError> {
        let claim = claim_key(leased);
        self.readers.read(move |db| db.prepare_cached(IS_CLAIMED)?.exists(claim)).await
    }

    async fn give_back(&self, unsent: &[Leased]) -> Result<(), StoreError> {
        let unsent = unsent.to_vec();
        self.writer.write_patiently(move |tx| give_back(tx, &unsent)).await
    }

    async fn settle(&self, settlement: &Settlement) -> Result<(), StoreError> {
        let settlement = settlement.clone();
        self.writer.write_patiently(move |tx| settle(tx, &settlement)).await
    }

    async fn find(&self, id: MessageId) -> Result<Option<Message>, StoreError> {
        let key = halves(id.uuid());
        self.readers.read(move |db| db.prepare_cached(FIND)?.query_row(key, message).optional()).await
    }

    async fn list(&self, query: MessageQuery) -> Result<MessagePage, StoreError> {
        self.readers.read(move |db| page(db, query)).await
    }

    async fn counts(&self) -> Result<OutboxCounts, StoreError> {
        self.readers.read(counts).await
    }
}

impl SqliteStore {
    /// The first and the last moment at which anything is due.
    async fn due(&self) -> Result<Option<(Timestamp, Timestamp)>, StoreError> {
        let first_and_last = |row: &Row<'_>| {
            let mut columns = Columns::of(row);
            Ok(columns.time_if_any()?.zip(columns.time_if_any()?))
        };
        self.readers.read(move |db| db.prepare_cached(DUE)?.query_row([], first_and_last)).await
    }
}

pub(super) fn insert(tx: &Transaction<'_>, message: &Message) -> rusqlite::Result<()> {
    let (id, tail) = halves(message.id.uuid());
    let parameters = params![
        id,
        tail,
        halves(message.customer_id.uuid()).0,
        message.verification.id.number,
        rows::message_kind_word(message.kind),
        rows::message_state_word(message.state),
        message.attempts,
        message.next_attempt_at.map(micros),
        micros(message.created_at),
        message.sent_at.map(micros),
    ];
    tx.execute_kept(INSERT, parameters)?;
    tx.added_message(message.state);
    if message.next_attempt_at.is_some() {
        tx.queued_mail();
    }
    Ok(())
}

/// Counts messages that are new in a state; what becomes of them later is counted by triggers.
pub(super) fn count_new(tx: &Transaction<'_>, state: MessageState, new: u32) -> rusqlite::Result<()> {
    const COUNT: &str = "UPDATE outbox_counts SET messages = messages + ?2 WHERE state = ?1";
    tx.execute_kept(COUNT, params![rows::message_state_word(state), new])?;
    Ok(())
}

/// The newest message of a proof.
pub(super) fn of_proof(db: &Connection, customer: i64, proof: u32) -> rusqlite::Result<Option<Message>> {
    db.prepare_cached(OF_PROOF)?.query_row((customer, proof), message).optional()
}

/// Makes a message due; one that is being sent at this moment is as hasty as can be. Returns whose proof it carries.
pub(super) fn hasten(tx: &Transaction<'_>, key: i64, now: i64) -> rusqlite::Result<(i64, i64)> {
    const HASTEN: &str =
        "UPDATE outbox SET due_at = iif(claimed, due_at, ?2) WHERE id = ?1 RETURNING customer_id, proof";
    let found = whose(tx, HASTEN, (key, now))?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
    tx.queued_mail();
    Ok(found)
}

/// What waits for a customer whose address is proven has become needless.
pub(super) fn cancel_waiting(tx: &Transaction<'_>, customer: i64) -> rusqlite::Result<()> {
    const CANCEL: &str = "UPDATE outbox SET state = 'cancelled', due_at = NULL, claimed = 0 \
        WHERE customer_id = ?1 AND state IN ('queued', 'deferred')";
    tx.execute_kept(CANCEL, params![customer])?;
    Ok(())
}

/// Claims one message after the other, so that they come in the order in which they were due. One that cannot be read is
/// claimed and counted: it holds up nobody until its claim lapses, and is looked at again then.
fn claim(tx: &Transaction<'_>, terms: ClaimTerms) -> Result<(Vec<Leased>, usize), StoreError> {
    let (mut claimed, mut unreadable) = (Vec::new(), 0);
    let due = (micros(terms.now), micros(terms.horizon));
    for _ in 0..terms.most {
        let key: Option<i64> = tx.prepare_cached(NEXT_DUE)?.query_row(due, |row| row.get(0))?;
        let Some(key) = key else { break };
        match tx.prepare_cached(READ)?.query_row([key], message).optional() {
            Ok(Some(message)) => claimed.push(Leased { message, until: terms.lease_until }),
            Ok(None) => unreadable += 1,
            Err(error) if error.sqlite_error().is_none() => unreadable += 1,
            Err(error) => return Err(error.into()),
        }
        tx.execute_kept(CLAIM, params![key, micros(terms.lease_until)])?;
    }
    Ok((claimed, unreadable))
}

fn give_back(tx: &Transaction<'_>, unsent: &[Leased]) -> Result<(), StoreError> {
    for leased in unsent {
        let (key, until) = claim_key(leased);
        // Of one that was claimed again after its lease, the first claim has overwritten when it was due.
        let due_at = leased.message.next_attempt_at.unwrap_or(leased.message.created_at);
        tx.execute_kept(GIVE_BACK, params![key, until, micros(due_at)])?;
    }
    Ok(())
}

/// A claim as the outbox knows it: the message's key and the end of the lease.
fn claim_key(leased: &Leased) -> (i64, i64) {
    (halves(leased.message.id.uuid()).0, micros(leased.until))
}

fn settle(tx: &Transaction<'_>, settlement: &Settlement) -> Result<(), StoreError> {
    let (key, _) = halves(settlement.message.uuid());
    let at = micros(settlement.at);
    let settled = match &settlement.outcome {
        Outcome::Sent { .. } => whose(tx, SETTLE_SENT, (key, at))?,
        Outcome::Later { next_attempt_at, error } => {
            whose(tx, SETTLE_LATER, (key, micros(*next_attempt_at), 1, error))?
        }
        Outcome::Untried { next_attempt_at, error } => {
            whose(tx, SETTLE_LATER, (key, micros(*next_attempt_at), 0, error))?
        }
        Outcome::Failed { error } => whose(tx, SETTLE_FAILED, (key, error))?,
    };
    let Some((customer, proof)) = settled else {
        // Erased or cancelled while it was being sent: nobody is left to be told.
        return Ok(());
    };
    show(tx, (customer, proof), settlement)?;
    if let Some(event) = &settlement.event {
        history::add(tx, event)?;
    }
    Ok(())
}

/// Brings what the customer shows of its proof up to the settlement.
fn show(tx: &Transaction<'_>, (customer, proof): (i64, i64), settlement: &Settlement) -> rusqlite::Result<()> {
    let at = micros(settlement.at);
    let (state, counted, error, next, sent, expires) = match &settlement.outcome {
        Outcome::Sent { expires_at } => ("sent", 1, None, None, Some(at), Some(micros(*expires_at))),
        Outcome::Later { next_attempt_at, error } => {
            ("deferred", 1, Some(error), Some(micros(*next_attempt_at)), None, None)
        }
        Outcome::Untried { next_attempt_at, error } => {
            ("deferred", 0, Some(error), Some(micros(*next_attempt_at)), None, None)
        }
        Outcome::Failed { error } => ("failed", 1, Some(error), None, None, None),
    };
    if let Some(expires) = expires {
        tx.execute_kept(START_LIFE, params![customer, proof, expires])?;
    }
    tx.execute_kept(SHOW, params![customer, proof, state, counted, error, next, sent, expires])?;
    Ok(())
}

/// Runs an update of one message and says which customer's proof it was, if it was there. The statement is stepped to
/// its end: one that is reset after its row never lets SQLite checkpoint.
fn whose(
    tx: &Transaction<'_>,
    update: &str,
    parameters: impl rusqlite::Params,
) -> rusqlite::Result<Option<(i64, i64)>> {
    tx.prepare_cached(update)?.query_map(parameters, |row| Ok((row.get(0)?, row.get(1)?)))?.last().transpose()
}

fn page(db: &Connection, query: MessageQuery) -> rusqlite::Result<MessagePage> {
    let before = query.after.map_or(i64::MAX, u64::cast_signed);
    let one_more = i64::from(query.limit) + 1;
    let mut messages: Vec<Message> = match query.customer {
        Some(id) => {
            let (key, tail) = halves(id.uuid());
            let mut page = db.prepare_cached(PAGE_OF_CUSTOMER)?;
            page.query_map((before, one_more, key, tail), message)?.collect::<Result<_, _>>()?
        }
        None => db.prepare_cached(PAGE)?.query_map((before, one_more), message)?.collect::<Result<_, _>>()?,
    };
    let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
    let more = messages.len() > limit;
    messages.truncate(limit);
    let next = messages.last().filter(|_| more).map(|last| last.id.key());
    Ok(MessagePage { messages, next })
}

fn counts(db: &Connection) -> rusqlite::Result<OutboxCounts> {
    let mut counts = OutboxCounts::default();
    let mut statement = db.prepare_cached("SELECT state, messages FROM outbox_counts")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let mut columns = Columns::of(row);
        let state = columns.word(rows::message_state)?;
        let messages = columns.number()?;
        match state {
            MessageState::Queued => counts.queued = messages,
            MessageState::Sent => counts.sent = messages,
            MessageState::Deferred => counts.deferred = messages,
            MessageState::Failed => counts.failed = messages,
            MessageState::Cancelled => counts.cancelled = messages,
        }
    }
    Ok(counts)
}

/// A message from [`select_message`].
fn message(row: &Row<'_>) -> rusqlite::Result<Message> {
    let mut columns = Columns::of(row);
    let id = MessageId::new(columns.uuid()?);
    let kind = columns.word(rows::message_kind)?;
    let state = columns.word(rows::message_state)?;
    let attempts = columns.number()?;
    let last_error = columns.value()?;
    let next_attempt_at = columns.time_if_any()?;
    let created_at = columns.time()?;
    let sent_at = columns.time_if_any()?;
    let verification = verification(&mut columns)?;
    let customer_id = verification.customer_id;
    Ok(Message {
        id,
        customer_id,
        verification,
        kind,
        state,
        attempts,
        last_error,
        next_attempt_at,
        created_at,
        sent_at,
    })
}
