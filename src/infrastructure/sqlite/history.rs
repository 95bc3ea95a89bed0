//! The history's table: what happened to each customer, counted from 1.

use rusqlite::params;

use super::{
    rows::{halves, micros},
    writer::Transaction,
};
use crate::domain::history::{Actor, Event};

const ADD: &str = "INSERT INTO history (customer_id, number, at, deed, actor, note) \
    VALUES (?1, 1 + coalesce((SELECT max(number) FROM history WHERE customer_id = ?1), 0), ?2, ?3, ?4, ?5)";

const BEGIN: &str = "INSERT INTO history (customer_id, number, at, deed, actor, note) VALUES (?1, 1, ?2, ?3, ?4, ?5)";

/// Adds a line to the history of its customer.
pub(super) fn add(tx: &Transaction<'_>, event: &Event) -> rusqlite::Result<()> {
    write(tx, ADD, event)
}

/// The first line of a history, whose number need not be looked for.
pub(super) fn begin(tx: &Transaction<'_>, event: &Event) -> rusqlite::Result<()> {
    write(tx, BEGIN, event)
}

fn write(tx: &Transaction<'_>, sql: &'static str, event: &Event) -> rusqlite::Result<()> {
    let (customer, _) = halves(event.customer_id.uuid());
    let actor = match event.actor {
        Actor::Key(id) => format!("key:{id}"),
        Actor::Owner => "owner".to_owned(),
        Actor::Rollbook => "rollbook".to_owned(),
    };
    tx.execute_kept(sql, params![customer, micros(event.at), event.deed.as_str(), actor, event.note])?;
    Ok(())
}
