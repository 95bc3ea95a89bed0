//! The proofs' table behind its port.

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    SqliteStore, customers, history, outbox,
    rows::{self, Columns, halves, micros},
    writer::Transaction,
};
use crate::{
    application::ports::{Confirmed, LatestRequest, StoreError, Verifications},
    domain::{
        history::Event,
        ids::{CustomerId, MessageId},
        message::Request,
        verification::{MOST_OPEN, Verification, VerificationId},
    },
};

/// The columns that [`verification`] reads, in its order; `v` is the table, `c` the customer's.
macro_rules! verification_columns {
    () => {
        "v.customer_id, c.id_tail, v.number, v.salt, v.email, v.email_canonical, v.issued_at, v.expires_at, \
         v.confirmed_at, v.closed"
    };
}
pub(super) use verification_columns;

const FIND: &str = concat!(
    "SELECT ",
    verification_columns!(),
    " FROM verifications v JOIN customers c ON c.id = v.customer_id",
    " WHERE v.customer_id = ?1 AND v.number = ?2 AND v.salt = ?3"
);

const INSERT: &str = "INSERT INTO verifications (customer_id, number, salt, email, email_canonical, issued_at, asked_at, \
    expires_at, closed) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7, 0)";

/// A further proof takes the place of the one before in what the customer shows.
const SHOW_NEW: &str = "UPDATE customers SET proof = ?2, proof_state = ?3, proof_attempts = ?4, proof_last_error = NULL, \
    proof_next_attempt_at = ?5, proof_sent_at = ?6, proof_expires_at = ?7, steps = steps + 1 \
    WHERE id = ?1 AND proof = ?8 AND verified_at IS NULL";

/// Only of a message that waits, and only by the first of those who ask at the same moment.
const ASK_AGAIN: &str = "UPDATE verifications SET asked_at = ?3 WHERE asked_at = ?2 AND (customer_id, number) = \
    (SELECT customer_id, proof FROM outbox WHERE id = ?1 AND state IN ('queued', 'deferred'))";

const SHOW_HASTENED: &str =
    "UPDATE customers SET proof_next_attempt_at = ?3, steps = steps + 1 WHERE id = ?1 AND proof = ?2";

/// Only the proof of the customer's present address counts, and only once.
const CONFIRM: &str = "UPDATE verifications SET confirmed_at = ?3 WHERE customer_id = ?1 AND number = ?2 \
    AND confirmed_at IS NULL \
    AND email_canonical = (SELECT email_canonical FROM customers WHERE id = ?1 AND verified_at IS NULL)";

const SHOW_CONFIRMED: &str = "UPDATE customers SET verified_at = ?2, updated_at = ?2, version = version + 1, \
    steps = steps + 1, proof_state = 'confirmed', proof_next_attempt_at = NULL, proof_last_error = NULL WHERE id = ?1";

#[async_trait]
impl Verifications for SqliteStore {
    async fn find(&self, id: VerificationId) -> Result<Option<Verification>, StoreError> {
        let key = (id.customer_key.cast_signed(), id.number, id.salt);
        self.readers
            .read(move |db| {
                db.prepare_cached(FIND)?.query_row(key, |row| verification(&mut Columns::of(row))).optional()
            })
            .await
    }

    async fn latest(&self, customer: CustomerId) -> Result<Option<LatestRequest>, StoreError> {
        let (key, tail) = halves(customer.uuid());
        self.readers.read(move |db| latest(db, key, tail)).await
    }

    async fn request(&self, request: &Request, event: &Event) -> Result<bool, StoreError> {
        let (request, event) = (request.clone(), event.clone());
        self.writer
            .write(move |tx| {
                let id = request.message.verification.id;
                let progress = &request.progress;
                let parameters = params![
                    id.customer_key.cast_signed(),
                    id.number,
                    rows::proof_state_word(progress.state),
                    progress.attempts,
                    progress.next_attempt_at.map(micros),
                    progress.sent_at.map(micros),
                    progress.expires_at.map(micros),
                    id.number - 1,
                ];
                let shown = tx.execute_kept(SHOW_NEW, parameters)?;
                if shown == 0 {
                    return Ok(false);
                }
                insert(tx, &request.message.verification)?;
                outbox::insert(tx, &request.message)?;
                close_oldest(tx, id)?;
                history::add(tx, &event)?;
                Ok(true)
            })
            .await
    }

    async fn hasten(&self, message: MessageId, asked_at: Timestamp, event: &Event) -> Result<bool, StoreError> {
        let (key, _) = halves(message.uuid());
        let event = event.clone();
        self.writer
            .write(move |tx| {
                let now = micros(event.at);
                let asked = tx.execute_kept(ASK_AGAIN, params![key, micros(asked_at), now])? == 1;
                if asked {
                    let (customer, proof) = outbox::hasten(tx, key, now)?;
                    tx.execute_kept(SHOW_HASTENED, params![customer, proof, now])?;
                    history::add(tx, &event)?;
                }
                Ok(asked)
            })
            .await
    }

    async fn confirm(&self, proof: &Verification, now: Timestamp, event: &Event) -> Result<Confirmed, StoreError> {
        let (id, canonical, event) = (proof.id, proof.email.canonical().to_owned(), event.clone());
        self.writer
            .write(move |tx| {
                let key = id.customer_key.cast_signed();
                let confirmed = tx.execute_kept(CONFIRM, params![key, id.number, micros(now)])? == 1;
                if confirmed {
                    tx.execute_kept(SHOW_CONFIRMED, params![key, micros(now)])?;
                    outbox::cancel_waiting(tx, key)?;
                    history::add(tx, &event)?;
                }
                Ok(match customers::find_by_key(tx, key)? {
                    Some(customer) if confirmed => Confirmed::Now(customer),
                    Some(customer)
                        if customer.verified_at.is_some() && customer.particulars.email.canonical() == canonical =>
                    {
                        Confirmed::Before(customer)
                    }
                    _ => Confirmed::NoLonger,
                })
            })
            .await
    }
}

pub(super) fn insert(tx: &Transaction<'_>, proof: &Verification) -> rusqlite::Result<()> {
    let parameters = params![
        proof.id.customer_key.cast_signed(),
        proof.id.number,
        proof.id.salt,
        proof.email.typed(),
        proof.email.canonical(),
        micros(proof.issued_at),
        proof.expires_at.map(micros),
    ];
    tx.execute_kept(INSERT, parameters)?;
    Ok(())
}

/// Of a customer's open proofs the newest stay; the links of the others die.
fn close_oldest(tx: &Transaction<'_>, newest: VerificationId) -> rusqlite::Result<()> {
    const CLOSE: &str = "UPDATE verifications SET closed = 1 WHERE customer_id = ?1 AND number <= ?2 AND closed = 0";
    let oldest_open = i64::from(newest.number) - i64::try_from(MOST_OPEN).unwrap_or(i64::MAX);
    tx.execute_kept(CLOSE, params![newest.customer_key.cast_signed(), oldest_open])?;
    Ok(())
}

fn latest(db: &Connection, key: i64, tail: i64) -> rusqlite::Result<Option<LatestRequest>> {
    const NEWEST: &str =
        "SELECT number, asked_at FROM verifications WHERE customer_id = ?1 ORDER BY number DESC LIMIT 1";
    let Some(customer) = customers::find_by_key(db, key)? else { return Ok(None) };
    if halves(customer.id.uuid()).1 != tail {
        return Ok(None);
    }
    let (number, asked_at) = db.prepare_cached(NEWEST)?.query_row([key], |row| {
        let mut columns = Columns::of(row);
        Ok((columns.value::<u32>()?, columns.time()?))
    })?;
    let message = outbox::of_proof(db, key, number)?;
    Ok(Some(LatestRequest { customer, number, asked_at, message }))
}

/// A verification from [`verification_columns`].
pub(super) fn verification(columns: &mut Columns<'_>) -> rusqlite::Result<Verification> {
    let customer_id = columns.customer_id()?;
    Ok(Verification {
        customer_id,
        id: VerificationId { customer_key: customer_id.key(), number: columns.number()?, salt: columns.number()? },
        email: columns.email()?,
        issued_at: columns.time()?,
        expires_at: columns.time_if_any()?,
        confirmed_at: columns.time_if_any()?,
        closed: columns.value()?,
    })
}
