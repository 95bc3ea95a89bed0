//! Whether the disk has room for what may come.

use std::path::Path;

use rustix::fs::statvfs;

use crate::application::ports::StoreError;

/// With fewer bytes left a disk counts as full: a group of the largest requests wants about as much. What is small may fit
/// in all the same, into what the WAL has of the disk already.
const LEAST_FREE: u64 = 16 << 20;

/// Fails where the disk of a file counts as full.
pub(super) fn check(file: &Path) -> Result<(), StoreError> {
    let disk = statvfs(file).map_err(|error| StoreError::Unavailable(error.into()))?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    if free < LEAST_FREE {
        return Err(StoreError::Unavailable("less than 16 MiB are left on the disk of the database".into()));
    }
    Ok(())
}
