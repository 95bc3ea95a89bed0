//! The data folder: who may read it, who holds it, and the key in it.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use data_encoding::HEXLOWER_PERMISSIVE;
use zeroize::Zeroizing;

use crate::{application::ports::Entropy, domain::token::MacKey};

/// The folder with the database, the lock, the mail key and the backups.
#[derive(Debug, Clone)]
pub struct DataFolder {
    root: PathBuf,
}

/// Between two looks whether the folder is free.
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// Why the folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// It cannot be made, read or written.
    #[error("{path}: {source}")]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Another process holds it.
    #[error("{0} is in use by another rollbook; stop that one first")]
    Locked(PathBuf),
    /// It was in use before, but the database is gone: an empty one must not take its place in silence.
    #[error(
        "{0} is missing, though this folder was in use; is the right disk mounted? Restore it from a backup, or remove mail.key to begin anew"
    )]
    DatabaseMissing(PathBuf),
    /// There is none, and who asks for what is in it may have mistyped where.
    #[error("there is no database at {0}; `rollbook serve` or `rollbook key create` makes one")]
    NoDatabase(PathBuf),
    /// The key is gone or damaged, and links that were mailed depend on it.
    #[error(
        "{path} is {fault}, and links that were mailed depend on it; restore it from a backup, or, to make those links useless and go on, put 64 random hexadecimal digits there"
    )]
    MailKey {
        /// Where it should be.
        path: PathBuf,
        /// What is wrong with it.
        fault: &'static str,
    },
}

/// The proof that no other process serves, migrates or restores this folder; dropping it gives the folder free.
#[derive(Debug)]
pub struct FolderLock {
    _file: File,
}

impl DataFolder {
    /// A folder that may not be there yet.
    #[must_use]
    pub const fn at(root: PathBuf) -> Self {
        Self { root }
    }

    /// Where the folder is.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The database.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.root.join("rollbook.db")
    }

    /// Where snapshots go.
    #[must_use]
    pub fn backups(&self) -> PathBuf {
        self.root.join("backups")
    }

    fn mail_key_file(&self) -> PathBuf {
        self.root.join("mail.key")
    }

    /// Makes the folder, for its owner alone, unless it is there.
    ///
    /// # Errors
    /// [`FolderError::Io`].
    pub fn make(&self) -> Result<(), FolderError> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.root).map_err(|source| of_io(&self.root, source))
    }

    /// Takes the folder for this process, waiting so long for another one to give it free: a verb of the staff may hold
    /// it for the moment that a first migration takes.
    ///
    /// # Errors
    /// [`FolderError::Locked`] if another one keeps it.
    pub fn lock_within(&self, patience: Duration) -> Result<FolderLock, FolderError> {
        self.lock_unless(patience, || Ok(false))?.ok_or_else(|| FolderError::Locked(self.root.clone()))
    }

    /// The same, but takes nothing once `is_done` says that the other one has done what the folder is wanted for: a
    /// server does not give it free.
    ///
    /// # Errors
    /// [`FolderError::Locked`] if another one keeps it, and that of `is_done`.
    pub fn lock_unless<E: From<FolderError>>(
        &self,
        patience: Duration,
        mut is_done: impl FnMut() -> Result<bool, E>,
    ) -> Result<Option<FolderLock>, E> {
        let mut pauses = patience.as_millis() / LOCK_PAUSE.as_millis();
        loop {
            match self.lock() {
                Err(FolderError::Locked(_)) if is_done()? => return Ok(None),
                Err(FolderError::Locked(_)) if pauses > 0 => thread::sleep(LOCK_PAUSE),
                taken_or_broken => return Ok(Some(taken_or_broken?)),
            }
            pauses -= 1;
        }
    }

    /// Takes the folder for this process.
    ///
    /// # Errors
    /// [`FolderError::Locked`] if another one has it.
    pub fn lock(&self) -> Result<FolderLock, FolderError> {
        let path = self.root.join("rollbook.db.lock");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(|source| of_io(&path, source))?;
        match file.try_lock() {
            Ok(()) => Ok(FolderLock { _file: file }),
            Err(TryLockError::WouldBlock) => Err(FolderError::Locked(self.root.clone())),
            Err(TryLockError::Error(source)) => Err(of_io(&path, source)),
        }
    }

    /// Whether there is a database: nothing is made.
    ///
    /// # Errors
    /// [`FolderError::DatabaseMissing`] if there is none where one was.
    pub fn has_database(&self) -> Result<bool, FolderError> {
        let path = self.database();
        match fs::metadata(&path) {
            Ok(file) if file.len() > 0 => Ok(true),
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(of_io(&path, error)),
            // A crash amid the very first start leaves an empty file, and no key yet.
            _ if self.mail_key_file().exists() => Err(FolderError::DatabaseMissing(path)),
            _ => Ok(false),
        }
    }

    /// Makes sure that a database that was here is still here, and that a new one is made for its owner alone.
    ///
    /// # Errors
    /// [`FolderError::DatabaseMissing`], [`FolderError::Io`].
    pub fn expect_database(&self) -> Result<(), FolderError> {
        let path = self.database();
        if self.has_database()? || path.exists() {
            return Ok(());
        }
        private_file(&path).map(drop).map_err(|source| of_io(&path, source))
    }

    /// Reads the key that links are derived from. Makes it where there is none, unless links depend on one.
    ///
    /// # Errors
    /// [`FolderError::MailKey`], [`FolderError::Io`].
    pub fn mail_key(&self, links_depend_on_it: bool, entropy: &dyn Entropy) -> Result<MacKey, FolderError> {
        let path = self.mail_key_file();
        match read_private(&path) {
            Ok(bytes) => self.parse_key(&bytes),
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(of_io(&path, error)),
            Err(_) if links_depend_on_it => Err(FolderError::MailKey { path, fault: "missing" }),
            Err(_) => self.make_key(entropy),
        }
    }

    /// Whether somebody other than the owner may read the key: worth a warning.
    #[must_use]
    pub fn others_may_read_the_key(&self) -> bool {
        fs::metadata(self.mail_key_file()).is_ok_and(|file| file.mode() & 0o077 != 0)
    }

    fn parse_key(&self, text: &[u8]) -> Result<MacKey, FolderError> {
        let bytes = HEXLOWER_PERMISSIVE.decode(text.trim_ascii()).map(Zeroizing::new);
        let key = bytes.ok().and_then(|bytes| Some(MacKey::new(bytes.as_slice().try_into().ok()?)));
        key.ok_or_else(|| FolderError::MailKey { path: self.mail_key_file(), fault: "damaged" })
    }

    /// Writes a new key beside its place and moves it there when it is on the disk: no crash leaves half a key.
    fn make_key(&self, entropy: &dyn Entropy) -> Result<MacKey, FolderError> {
        let mut bytes = Zeroizing::new([0; 32]);
        entropy.fill(&mut *bytes);
        let path = self.mail_key_file();
        let beside = self.root.join("mail.key.new");
        let text = Zeroizing::new(HEXLOWER_PERMISSIVE.encode(&*bytes) + "\n");
        let write = || {
            let _ = fs::remove_file(&beside);
            let mut file = private_file(&beside)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&beside, &path)?;
            File::open(&self.root)?.sync_all()
        };
        write().map_err(|source| of_io(&path, source))?;
        Ok(MacKey::new(&bytes))
    }
}

fn of_io(path: &Path, source: io::Error) -> FolderError {
    FolderError::Io { path: path.to_owned(), source }
}

fn private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().create_new(true).write(true).mode(0o600).open(path)
}

fn read_private(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::new());
    // A key is 65 bytes; a file of another kind is not read into memory.
    File::open(path)?.take(1024).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sevens;

    impl Entropy for Sevens {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(7);
        }
    }

    struct Eights;

    impl Entropy for Eights {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(8);
        }
    }

    fn folder() -> (tempfile::TempDir, DataFolder) {
        let parent = tempfile::tempdir().unwrap();
        let folder = DataFolder::at(parent.path().join("data"));
        folder.make().unwrap();
        (parent, folder)
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn the_folder_and_its_files_are_for_their_owner_alone() {
        let (_parent, folder) = folder();
        folder.expect_database().unwrap();
        folder.mail_key(false, &Sevens).unwrap();
        let _lock = folder.lock().unwrap();
        assert_eq!(mode(folder.root()), 0o700);
        for file in ["rollbook.db", "mail.key", "rollbook.db.lock"] {
            assert_eq!(mode(&folder.root().join(file)), 0o600, "{file}");
        }
        assert!(!folder.others_may_read_the_key());
    }

    #[test]
    fn the_key_is_made_once_and_read_ever_after() {
        let (_parent, folder) = folder();
        folder.mail_key(false, &Sevens).unwrap();
        let before = fs::read(folder.mail_key_file()).unwrap();
        folder.mail_key(true, &Eights).unwrap();
        assert_eq!(fs::read(folder.mail_key_file()).unwrap(), before);
    }

    #[test]
    fn a_key_that_links_depend_on_is_neither_made_anew_nor_guessed() {
        let (_parent, folder) = folder();
        assert!(matches!(folder.mail_key(true, &Sevens), Err(FolderError::MailKey { fault: "missing", .. })));
        for damaged in ["", "07", &"x".repeat(64), &"07".repeat(33)] {
            fs::write(folder.mail_key_file(), damaged).unwrap();
            assert!(
                matches!(folder.mail_key(false, &Sevens), Err(FolderError::MailKey { fault: "damaged", .. })),
                "{damaged}"
            );
        }
    }

    #[test]
    fn a_database_that_was_here_is_not_replaced_by_an_empty_one() {
        let (_parent, folder) = folder();
        folder.expect_database().unwrap();
        folder.mail_key(false, &Sevens).unwrap();
        fs::remove_file(folder.database()).unwrap();
        assert!(matches!(folder.expect_database(), Err(FolderError::DatabaseMissing(_))));
        assert!(!folder.database().exists());
        fs::write(folder.database(), "").unwrap();
        assert!(
            matches!(folder.expect_database(), Err(FolderError::DatabaseMissing(_))),
            "nor is an empty file taken for it"
        );
    }

    #[test]
    fn only_one_process_holds_the_folder() {
        let (_parent, folder) = folder();
        let lock = folder.lock().unwrap();
        assert!(matches!(folder.lock(), Err(FolderError::Locked(_))));
        drop(lock);
        assert!(folder.lock().is_ok());
    }

    #[test]
    fn a_folder_is_not_waited_for_once_its_holder_has_done_what_it_was_wanted_for() {
        const LONG: Duration = Duration::from_mins(1);
        let (_parent, folder) = folder();
        let held = folder.lock().unwrap();
        let mut looks = 0;
        let third_look = || {
            looks += 1;
            Ok::<_, FolderError>(looks == 3)
        };
        assert!(folder.lock_unless(LONG, third_look).unwrap().is_none());
        assert!(
            folder.lock_unless(Duration::ZERO, || Ok::<_, FolderError>(true)).unwrap().is_none(),
            "without patience"
        );
        assert!(matches!(folder.lock_within(LOCK_PAUSE), Err(FolderError::Locked(_))));
        drop(held);
        let never = || -> Result<bool, FolderError> { panic!("looked though the folder was free") };
        assert!(folder.lock_unless(LONG, never).unwrap().is_some());
    }
}
