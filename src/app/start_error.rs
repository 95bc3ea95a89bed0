//! Why Rollbook does not start, and with which exit code it says so.

use std::{error::Error, io, net::SocketAddr};

use crate::{
    application::ports::StoreError,
    infrastructure::{
        data_folder::FolderError,
        mail::{http_api::HttpApiSetupError, smtp::SmtpSetupError, words::WordsSetupError},
        sqlite::{self, Obstacle, OpenError, migrations::MigrateError},
    },
};

/// Why Rollbook does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The schema.
    #[error(transparent)]
    Migrate(#[from] MigrateError),
    /// The database.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The database, once it was open.
    #[error("the database cannot be used: {0}")]
    Store(#[from] StoreError),
    /// The words of our mail.
    #[error(transparent)]
    Words(#[from] WordsSetupError),
    /// The mail relay's settings.
    #[error("mail: {0}")]
    Smtp(#[from] SmtpSetupError),
    /// The e-mail API's settings.
    #[error("mail: {0}")]
    HttpApi(#[from] HttpApiSetupError),
    /// Settings that do not go together.
    #[error("{0}")]
    Settings(String),
    /// The address is taken or not ours.
    #[error("cannot listen at {address}: {source}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

impl StartError {
    /// A thread of ours could not do its work.
    pub(super) fn threads(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        OpenError::Threads(error.into()).into()
    }

    /// The exit code: 1 failed, 2 configuration, 3 data damaged or missing, 4 locked or of a newer schema, 5 a
    /// migration failed.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Folder(FolderError::Locked(_))
            | Self::Migrate(MigrateError::Newer { .. } | MigrateError::Different(_)) => 4,
            Self::Folder(
                FolderError::DatabaseMissing(_) | FolderError::NoDatabase(_) | FolderError::MailKey { .. },
            )
            | Self::Migrate(MigrateError::Foreign | MigrateError::Garbled(_) | MigrateError::Dangling { .. }) => 3,
            Self::Migrate(MigrateError::Open(error)) | Self::Open(error) => of_opening(error),
            Self::Migrate(MigrateError::Unreadable(error)) => of_obstacle(sqlite::obstacle(error)),
            Self::Migrate(MigrateError::NoSnapshot { source, .. }) => of_snapshot(source.as_ref()),
            Self::Migrate(MigrateError::Failed(_)) => 5,
            Self::Smtp(_) | Self::HttpApi(_) | Self::Settings(_) => 2,
            Self::Folder(FolderError::Io { .. }) | Self::Store(_) | Self::Words(_) | Self::Listen { .. } => 1,
        }
    }
}

fn of_opening(error: &OpenError) -> u8 {
    match error {
        OpenError::Sqlite(error) => of_obstacle(sqlite::obstacle(error)),
        OpenError::Setting { .. } | OpenError::TooOld(_) | OpenError::Threads(_) => 1,
    }
}

/// A snapshot reads all there is, and so finds damage that nobody has met before.
fn of_snapshot(error: &(dyn Error + 'static)) -> u8 {
    if sqlite::obstacle(error) == Obstacle::Damaged { 3 } else { 5 }
}

const fn of_obstacle(obstacle: Obstacle) -> u8 {
    match obstacle {
        Obstacle::Damaged => 3,
        Obstacle::Locked => 4,
        Obstacle::Other => 1,
    }
}
