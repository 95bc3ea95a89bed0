//! `rollbook migrate`: bring the database up to date without serving.

use super::{Failed, say};
use crate::{
    app,
    infrastructure::{config::Config, sqlite::migrations::Migrated},
};

pub(super) fn run(config: &Config) -> Result<(), Failed> {
    let done = app::migrate(config)?;
    if done.from == done.to {
        say(&format!("rollbook: schema {} is up to date; nothing was changed", done.to));
    } else {
        tell(&done);
    }
    Ok(())
}

/// Says what a migration did, and where the way back is.
pub(super) fn tell(done: &Migrated) {
    say(&format!("rollbook: schema {} became {}", done.from, done.to));
    if let Some(snapshot) = &done.snapshot {
        say(&format!("rollbook: what was there before is kept in {}", snapshot.display()));
    }
}
