//! Snapshots of the database as it was before a migration.

use std::{
    ffi::OsStr,
    fs,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
    time::SystemTime,
};

use rusqlite::Connection;

use super::MigrateError;

/// How many are kept.
pub(super) const KEPT: usize = 3;

/// How all of their names begin, and how those of finished and of unfinished ones end.
const BEGINNING: &str = "pre-";
const FINISHED: &str = "db";
const UNFINISHED: &str = "part";

/// Takes one, with a name of its own.
///
/// # Errors
/// [`MigrateError::NoSnapshot`].
pub(super) fn take(db: &Connection, backups: &Path, name: &str) -> Result<PathBuf, MigrateError> {
    let path = backups.join(format!("{BEGINNING}{name}.{FINISHED}"));
    // Of a start that was killed in the middle; the room may be needed.
    remove_unfinished(backups);
    write(db, backups, &path).map_err(|source| {
        remove_unfinished(backups);
        MigrateError::NoSnapshot { path: path.clone(), source }
    })?;
    Ok(path)
}

/// Writes beside the place and moves there what is on the disk, so that half a snapshot never passes for one.
fn write(db: &Connection, backups: &Path, path: &Path) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(backups)?;
    let beside = path.with_extension(UNFINISHED);
    db.execute("VACUUM INTO ?1", [beside.to_str().ok_or("the path is not UTF-8")?])?;
    fs::set_permissions(&beside, fs::Permissions::from_mode(0o600))?;
    fs::File::open(&beside)?.sync_all()?;
    fs::rename(&beside, path)?;
    fs::File::open(backups)?.sync_all()?;
    Ok(())
}

/// Removes all but the last ones that are finished.
pub(super) fn forget_old(backups: &Path) {
    remove_unfinished(backups);
    let mut snapshots: Vec<_> = all(backups).filter(|(_, path)| ends_with(path, |end| end == FINISHED)).collect();
    snapshots.sort();
    let surplus = snapshots.len().saturating_sub(KEPT);
    for (_, path) in snapshots.into_iter().take(surplus) {
        remove(&path);
    }
}

/// Removes those that are only begun, with SQLite's journals of them.
fn remove_unfinished(backups: &Path) {
    let is_unfinished =
        |end: &str| end.strip_prefix(UNFINISHED).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
    for (_, path) in all(backups).filter(|(_, path)| ends_with(path, is_unfinished)) {
        remove(&path);
    }
}

/// Whether the part of a name behind its last dot is as it must be.
fn ends_with(path: &Path, must: impl Fn(&str) -> bool) -> bool {
    path.extension().and_then(OsStr::to_str).is_some_and(must)
}

/// What there is of snapshots, finished or not, and when it was written last.
fn all(backups: &Path) -> impl Iterator<Item = (SystemTime, PathBuf)> {
    let entries = fs::read_dir(backups).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(BEGINNING))
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
}

/// A snapshot too many is no reason to stop a start.
pub(super) fn remove(snapshot: &Path) {
    if let Err(error) = fs::remove_file(snapshot) {
        tracing::warn!(%error, path = %snapshot.display(), "a snapshot could not be removed");
    }
}
