//! The customers' table behind its port.

use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{
    SqliteStore, customer_list,
    errors::violates_unique,
    history, outbox,
    rows::{self, Columns, count, halves, micros},
    search_index, verifications,
    writer::Transaction,
};
use crate::{
    application::ports::{CustomerPage, CustomerQuery, Customers, RegisterError, StoreError, WriteCustomer},
    domain::{
        customer::{Customer, Particulars},
        customer_name::CustomerName,
        email_address::EmailAddress,
        external_id::ExternalId,
        history::Event,
        ids::CustomerId,
        locale::Locale,
        message::Request,
        metadata::Metadata,
        verification::ProofProgress,
    },
};

/// The columns that [`customer`] reads, in its order.
macro_rules! customer_columns {
    () => {
        "id, id_tail, name, email, email_canonical, external_id, locale, metadata, verified_at, pending_email, \
         created_at, updated_at, version, steps, proof_state, proof_attempts, proof_last_error, \
         proof_next_attempt_at, proof_sent_at, proof_expires_at"
    };
}

const FIND: &str = concat!("SELECT ", customer_columns!(), " FROM customers WHERE id = ?1 AND id_tail = ?2");

const FIND_BY_KEY: &str = concat!("SELECT ", customer_columns!(), " FROM customers WHERE id = ?1");

const INSERT: &str = "INSERT INTO customers (id, id_tail, name, email, email_canonical, external_id, locale, metadata, \
    created_at, updated_at, version, steps, proof, proof_state, proof_attempts, proof_next_attempt_at, proof_sent_at, \
    proof_expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9, ?10, ?11, 1, ?12, ?13, ?14, ?15, ?16)";

const INSERT_NOTE: &str = "INSERT INTO customers_metadata (key, value, customer_id) VALUES (?1, ?2, ?3)";

#[async_trait]
impl Customers for SqliteStore {
    async fn register(&self, customer: Arc<Customer>, request: Request, event: Event) -> Result<(), RegisterError> {
        let damage = Arc::clone(&self.index_damage);
        self.writer
            .write(move |tx| {
                insert(tx, &customer).or_else(|error| Err(refusal(tx, &customer.particulars, error)?))?;
                verifications::insert(tx, &request.message.verification)?;
                outbox::insert(tx, &request.message)?;
                history::begin(tx, &event)?;
                search_index::register(tx, &customer, &damage)?;
                Ok(())
            })
            .await
    }

    async fn list(&self, query: CustomerQuery, mut write: WriteCustomer) -> Result<CustomerPage, StoreError> {
        let query = Arc::new(query);
        if !customer_list::looks_at_many(&query) {
            let query = Arc::clone(&query);
            match self.readers.read_together(move |db| customer_list::short_page(db, &query, write)).await? {
                Ok(page) => return Ok(page),
                Err(unused) => write = unused,
            }
        }
        let damage = Arc::clone(&self.index_damage);
        let page = self.readers.scan(move |db| customer_list::page(db, &query, write, &damage)).await;
        if self.index_damage.is_noted() {
            self.writer.wake();
        }
        page
    }

    async fn find(&self, id: CustomerId) -> Result<Option<Customer>, StoreError> {
        let key = halves(id.uuid());
        self.readers.read_together(move |db| db.prepare_cached(FIND)?.query_row(key, customer).optional()).await
    }
}

/// Finds a customer by the first half of the id, which is the key.
pub(super) fn find_by_key(db: &Connection, key: i64) -> rusqlite::Result<Option<Customer>> {
    db.prepare_cached(FIND_BY_KEY)?.query_row([key], customer).optional()
}

fn insert(tx: &Transaction<'_>, customer: &Customer) -> rusqlite::Result<()> {
    let (id, tail) = halves(customer.id.uuid());
    let Particulars { name, email, external_id, locale, metadata } = &customer.particulars;
    let proof = &customer.proof;
    let parameters = params![
        id,
        tail,
        name.as_str(),
        email.typed(),
        email.canonical(),
        external_id.as_ref().map(ExternalId::as_str),
        locale.as_ref().map(Locale::as_str),
        metadata_text(metadata)?,
        micros(customer.created_at),
        count(customer.version),
        count(customer.steps),
        rows::proof_state_word(proof.state),
        proof.attempts,
        proof.next_attempt_at.map(micros),
        proof.sent_at.map(micros),
        proof.expires_at.map(micros),
    ];
    tx.execute_kept(INSERT, parameters)?;
    for (key, value) in metadata.entries() {
        tx.execute_kept(INSERT_NOTE, params![key, value, id])?;
    }
    Ok(())
}

fn metadata_text(metadata: &Metadata) -> rusqlite::Result<String> {
    serde_json::to_string(metadata.entries()).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

/// The index decides whether something is taken; who has it is looked up only then, in the same transaction. Where both
/// are taken both are told: which index SQLite asks first is its own affair.
fn refusal(db: &Connection, wanted: &Particulars, error: rusqlite::Error) -> rusqlite::Result<RegisterError> {
    let holder = |column: &str, value: &str| {
        let query = format!("SELECT id, id_tail FROM customers WHERE {column} = ?1");
        db.query_row(&query, [value], |row| Columns::of(row).customer_id()).optional()
    };
    if !["customers.email_canonical", "customers.external_id"].iter().any(|column| violates_unique(&error, column)) {
        return Ok(error.into());
    }
    let email_of = holder("email_canonical", wanted.email.canonical())?;
    let external_id_of =
        wanted.external_id.as_ref().map(|key| holder("external_id", key.as_str())).transpose()?.flatten();
    Ok(match (email_of, external_id_of) {
        (Some(by), external_id_of) => RegisterError::EmailTaken { by, external_id_of },
        (None, Some(by)) => RegisterError::ExternalIdTaken { by },
        (None, None) => error.into(),
    })
}

/// A customer from [`customer_columns`].
pub(super) fn customer(row: &Row<'_>) -> rusqlite::Result<Customer> {
    let mut columns = Columns::of(row);
    Ok(Customer {
        id: columns.customer_id()?,
        particulars: Particulars {
            name: CustomerName::stored(columns.value()?),
            email: columns.email()?,
            external_id: columns.value::<Option<_>>()?.map(ExternalId::stored),
            locale: columns.value::<Option<_>>()?.map(Locale::stored),
            metadata: columns.word(|text| serde_json::from_str(text).ok()).map(Metadata::stored)?,
        },
        verified_at: columns.time_if_any()?,
        pending_email: columns.parsed_if_any(EmailAddress::parse)?,
        created_at: columns.time()?,
        updated_at: columns.time()?,
        version: columns.number()?,
        steps: columns.number()?,
        proof: ProofProgress {
            state: columns.word(rows::proof_state)?,
            attempts: columns.number()?,
            last_error: columns.value()?,
            next_attempt_at: columns.time_if_any()?,
            sent_at: columns.time_if_any()?,
            expires_at: columns.time_if_any()?,
        },
    })
}
