//! SQLite's errors in the words of the ports.

use std::error::Error;

use rusqlite::ErrorCode;

use crate::application::ports::{RegisterError, StoreError};

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let code = error.sqlite_error_code();
        of_code(code, Box::new(error))
    }
}

impl From<rusqlite::Error> for RegisterError {
    fn from(error: rusqlite::Error) -> Self {
        StoreError::from(error).into()
    }
}

/// A breakdown by SQLite's primary code: what passes or can be mended by the operator, and what is our own fault.
pub(super) fn of_code(code: Option<ErrorCode>, source: Box<dyn Error + Send + Sync>) -> StoreError {
    match code {
        Some(ErrorCode::OperationInterrupted) => StoreError::OutOfTime,
        Some(
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::DiskFull
            | ErrorCode::SystemIoFailure
            | ErrorCode::ReadOnly
            | ErrorCode::CannotOpen
            | ErrorCode::PermissionDenied
            | ErrorCode::FileLockingProtocolFailed
            | ErrorCode::DatabaseCorrupt
            | ErrorCode::NotADatabase
            | ErrorCode::OutOfMemory,
        ) => StoreError::Unavailable(source),
        _ => StoreError::Broken(source),
    }
}

/// What stands between the program and a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// The file is damaged, or no database.
    Damaged,
    /// Another process is at it.
    Locked,
    /// Anything else.
    Other,
}

/// The obstacle that an error tells of; one that is not SQLite's tells of none in particular.
#[must_use]
pub fn obstacle(error: &(dyn Error + 'static)) -> Obstacle {
    match error.downcast_ref().and_then(rusqlite::Error::sqlite_error_code) {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => Obstacle::Damaged,
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Obstacle::Locked,
        _ => Obstacle::Other,
    }
}

/// Whether an error is the violation of the unique index over this column, such as `customers.email_canonical`: SQLite
/// names the columns of an index, not the index.
pub(super) fn violates_unique(error: &rusqlite::Error, column: &str) -> bool {
    match error {
        rusqlite::Error::SqliteFailure(failure, Some(message)) => {
            failure.extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE
                && message.strip_prefix("UNIQUE constraint failed: ") == Some(column)
        }
        _ => false,
    }
}
