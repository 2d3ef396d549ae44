//! The data folder as a whole: one Airlock at a time, a known format, folders that can be written.

use std::fs::DirBuilder;
use std::fs::File;
use std::fs::OpenOptions;
use std::fs::TryLockError;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::path::PathBuf;

use crate::storage::ledger::LedgerError;
use crate::storage::ledger::file::replace;
use crate::storage::state::ReadError;

/// Why the store cannot be opened. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(
        "the data folder {folder} cannot be written: {source}. Choose another with storage.data_dir, or give this user the right to write there"
    )]
    Unwritable {
        folder: String,
        #[source]
        source: io::Error,
    },
    #[error("the data folder {folder} is in use by another Airlock. Stop that one first, or choose another folder with storage.data_dir")]
    InUse { folder: String },
    #[error(
        "the data folder {folder} has format {found}, and this version of Airlock knows formats up to {FORMAT}. Start the newer version that wrote it"
    )]
    Newer { folder: String, found: u32 },
    #[error(
        "{file} should hold the data folder's format and does not ({found:?}). Put it back from a backup, or point storage.data_dir at an empty folder"
    )]
    Format { file: String, found: String },
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error("the ledger cannot be folded: {0}")]
    Read(#[from] ReadError),
    #[error("could not start a thread: {0}")]
    Thread(#[source] io::Error),
}

/// Of the data folder's layout.
pub const FORMAT: u32 = 1;

/// The data folder, held against every other process for as long as this lives.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    lock: File,
}

impl Drop for DataDir {
    /// Said, not left to the closing of the file: a child that is just being started holds a copy of it for a moment, and
    /// the lock with it. Were it to fail, the closing is still to come.
    fn drop(&mut self) {
        _ = self.lock.unlock();
    }
}

impl DataDir {
    pub fn open(path: &Path) -> Result<DataDir, OpenError> {
        let folder = path.display().to_string();
        let unwritable = |source| OpenError::Unwritable { folder: folder.clone(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(unwritable)?;
        let lock = OpenOptions::new().write(true).create(true).truncate(false).open(path.join("lock")).map_err(unwritable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OpenError::InUse { folder }),
            Err(TryLockError::Error(source)) => return Err(unwritable(source)),
        }
        let opened = DataDir { path: path.to_owned(), lock };
        opened.check_format()?;
        Ok(opened)
    }

    pub fn ledger(&self) -> PathBuf {
        self.path.join("ledger")
    }

    pub fn projection(&self) -> PathBuf {
        self.path.join("projection")
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the format into a new folder; a folder that has a ledger has one already.
    fn check_format(&self) -> Result<(), OpenError> {
        let folder = self.path.display().to_string();
        let file = self.path.join("FORMAT");
        let found = match std::fs::read_to_string(&file) {
            Ok(found) => found,
            Err(absent) if absent.kind() == io::ErrorKind::NotFound && !self.ledger().exists() => {
                return replace(&file, format!("{FORMAT}\n").as_bytes()).map_err(|source| OpenError::Unwritable { folder, source });
            }
            Err(absent) if absent.kind() == io::ErrorKind::NotFound => String::new(),
            Err(source) => return Err(OpenError::Unwritable { folder, source }),
        };
        match found.trim().parse::<u32>() {
            Ok(FORMAT) => Ok(()),
            Ok(found) if found > FORMAT => Err(OpenError::Newer { folder, found }),
            Ok(_) | Err(_) => {
                let found = found.trim().chars().take(64).collect();
                Err(OpenError::Format { file: file.display().to_string(), found })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(error: &OpenError) -> String {
        error.to_string()
    }

    #[test]
    fn one_airlock_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let first = DataDir::open(folder.path()).unwrap();
        let second = DataDir::open(folder.path()).unwrap_err();
        assert!(matches!(second, OpenError::InUse { .. }));
        assert!(message(&second).contains(&folder.path().display().to_string()));
        drop(first);
        DataDir::open(folder.path()).unwrap();
    }

    #[test]
    fn a_newer_format_is_said_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        drop(DataDir::open(folder.path()).unwrap());
        std::fs::write(folder.path().join("FORMAT"), "2\n").unwrap();
        assert!(matches!(DataDir::open(folder.path()).unwrap_err(), OpenError::Newer { found: 2, .. }));
        std::fs::write(folder.path().join("FORMAT"), "two").unwrap();
        assert!(matches!(DataDir::open(folder.path()).unwrap_err(), OpenError::Format { .. }));
    }

    #[test]
    fn a_ledger_without_a_format_is_not_taken_for_new() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("ledger")).unwrap();
        assert!(matches!(DataDir::open(folder.path()).unwrap_err(), OpenError::Format { .. }));
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let error = DataDir::open(&file.join("data")).unwrap_err();
        assert!(matches!(error, OpenError::Unwritable { .. }));
        assert!(message(&error).contains("file/data"));
    }
}
