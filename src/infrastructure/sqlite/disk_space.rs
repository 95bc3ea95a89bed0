//! Whether the disk has room for what may come.

use std::path::Path;

use rustix::fs::statvfs;

use crate::application::ports::StoreError;

/// With fewer bytes left a disk counts as full: about as much as one group of the largest requests wants. What is small may
/// fit in all the same, into what the WAL has of the disk already.
const LEAST_FREE: u64 = 16 << 20;

/// Fails where the disk of a folder counts as full.
pub(super) fn check(folder: &Path) -> Result<(), StoreError> {
    let disk = statvfs(folder).map_err(|error| StoreError::Unavailable(error.into()))?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    if free < LEAST_FREE {
        return Err(StoreError::Unavailable(format!("the disk of the database has only {free} bytes left").into()));
    }
    Ok(())
}
