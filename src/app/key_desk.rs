//! The keys of a folder, beside a server that may be running.

use std::sync::Arc;

use super::{StartError, World, adapt, migrate_folder};
use crate::{
    application::manage_keys::KeyDesk,
    infrastructure::{
        config::Config,
        data_folder::{DataFolder, FolderError},
        sqlite::{
            SqliteStore, StoreSettings,
            migrations::{self, Migrated},
        },
    },
};

/// The keys of a folder that has a database. With no server running an older one is migrated, and `tell` hears of it.
///
/// # Errors
/// [`StartError`]; where there is no database nothing is made.
pub async fn key_desk(config: &Config, tell: impl FnOnce(&Migrated)) -> Result<KeyDesk, StartError> {
    let folder = DataFolder::at(config.store.data_dir.clone());
    if !folder.has_database()? {
        return Err(FolderError::NoDatabase(folder.database()).into());
    }
    open(&folder, config, tell).await
}

/// The same, but a folder without a database, or none, is begun, so that a key can be made before the first start.
///
/// # Errors
/// [`StartError`].
pub async fn key_desk_of_any_folder(config: &Config, tell: impl FnOnce(&Migrated)) -> Result<KeyDesk, StartError> {
    open(&DataFolder::at(config.store.data_dir.clone()), config, tell).await
}

async fn open(folder: &DataFolder, config: &Config, tell: impl FnOnce(&Migrated)) -> Result<KeyDesk, StartError> {
    let World { clock, entropy } = World::real();
    let settings = StoreSettings { serves: false, ..adapt::store_settings(config) };
    let is_ready = || -> Result<bool, StartError> {
        Ok(folder.has_database()? && migrations::is_up_to_date(&folder.database(), &settings)?)
    };
    // The folder is left to the server unless there is something to migrate.
    let lock = if is_ready()? {
        None
    } else {
        folder.make()?;
        folder.lock_unless(config.store.busy_timeout, is_ready)?
    };
    if lock.is_some() {
        let migrated = migrate_folder(folder, config, clock.as_ref())?;
        if migrated.from < migrated.to {
            tell(&migrated);
        }
    }
    let store = SqliteStore::open(&folder.database(), &settings, Arc::clone(&clock), Arc::new(|_| ()))?;
    if lock.is_some() {
        // With its mail key the folder counts as used: a database that vanishes is noticed from now on.
        folder.mail_key(store.has_proofs().await?, entropy.as_ref())?;
    }
    Ok(KeyDesk { keys: Arc::new(store), clock, entropy })
}
