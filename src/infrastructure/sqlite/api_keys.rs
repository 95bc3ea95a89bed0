//! The API keys' table behind its port.

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, params};

use super::{
    SqliteStore,
    rows::{Columns, micros},
};
use crate::{
    application::ports::{ApiKeys, StoreError},
    domain::api_key::{ApiKey, KeyDigest, KeyId, KeyName, Scope},
};

const FIND: &str =
    "SELECT id, name, digest, scopes, created_at, expires_at, revoked_at, last_used_at FROM api_keys WHERE id = ?1";
const LIST: &str = "SELECT id, name, digest, scopes, created_at, expires_at, revoked_at, last_used_at FROM api_keys ORDER BY created_at, id";
const INSERT: &str =
    "INSERT INTO api_keys (id, name, digest, scopes, created_at, expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

#[async_trait]
impl ApiKeys for SqliteStore {
    async fn add(&self, key: &ApiKey) -> Result<(), StoreError> {
        let key = key.clone();
        let scopes = key.scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(" ");
        self.writer
            .write(move |tx| {
                let expires_at = key.expires_at.map(micros);
                let (id, created_at) = (key.id.to_string(), micros(key.created_at));
                tx.execute_kept(INSERT, params![id, key.name.as_str(), key.digest.0, scopes, created_at, expires_at])?;
                Ok(())
            })
            .await
    }

    async fn find(&self, id: KeyId) -> Result<Option<ApiKey>, StoreError> {
        self.readers.read(move |db| db.prepare_cached(FIND)?.query_row([id.to_string()], api_key).optional()).await
    }

    async fn list(&self) -> Result<Vec<ApiKey>, StoreError> {
        self.readers.read(|db| db.prepare_cached(LIST)?.query_map([], api_key)?.collect()).await
    }

    async fn revoke(&self, id: KeyId, now: Timestamp) -> Result<bool, StoreError> {
        self.writer
            .write(move |tx| {
                let revoke = "UPDATE api_keys SET revoked_at = coalesce(revoked_at, ?2) WHERE id = ?1";
                Ok(tx.execute(revoke, (id.to_string(), micros(now)))? == 1)
            })
            .await
    }

    fn note_use(&self, id: KeyId, now: Timestamp) {
        self.writer.offer(move |tx| {
            let note = "UPDATE api_keys SET last_used_at = ?2 WHERE id = ?1";
            tx.execute(note, (id.to_string(), micros(now))).map(drop)
        });
    }
}

fn api_key(row: &Row<'_>) -> rusqlite::Result<ApiKey> {
    let mut columns = Columns::of(row);
    Ok(ApiKey {
        id: columns.word(KeyId::parse)?,
        name: columns.word(|name| KeyName::parse(name).ok())?,
        digest: KeyDigest(columns.value()?),
        scopes: columns.word(|words| words.split_whitespace().map(Scope::parse).collect())?,
        created_at: columns.time()?,
        expires_at: columns.time_if_any()?,
        revoked_at: columns.time_if_any()?,
        last_used_at: columns.time_if_any()?,
    })
}
