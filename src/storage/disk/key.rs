//! The private half of the signing key: one file that its owner alone may read.

use std::fs::OpenOptions;
use std::io;
use std::io::Read;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;

use crate::storage::ledger::file::sync_folder;

/// In the data folder.
pub const FILE: &str = "signing-key";
/// A key of a few hundred bytes is what is expected there.
const BYTES_MAX: u64 = 64 * 1_024;

#[derive(Clone, Debug)]
pub struct KeyFile {
    path: PathBuf,
}

impl KeyFile {
    pub fn below(data_dir: &Path) -> KeyFile {
        KeyFile { path: data_dir.join(FILE) }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// `None` while there is none. Blocks.
    pub fn read(&self) -> io::Result<Option<Vec<u8>>> {
        match OpenOptions::new().read(true).open(&self.path) {
            Ok(file) => {
                let mut bytes = Vec::new();
                file.take(BYTES_MAX).read_to_end(&mut bytes)?;
                Ok(Some(bytes))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whole and durable when it returns; nobody else can have opened it meanwhile. Blocks.
    pub fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let temporary = self.path.with_extension("new");
        match std::fs::remove_file(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&temporary, &self.path)?;
        sync_folder(self.path.parent().unwrap_or(Path::new(".")))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_is_kept_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = KeyFile::below(folder.path());
        assert_eq!(file.read().unwrap(), None);
        std::fs::write(folder.path().join("signing-key.new"), b"left by a crash").unwrap();
        file.write(b"secret").unwrap();
        assert_eq!(file.read().unwrap().unwrap(), b"secret");
        assert_eq!(std::fs::metadata(file.path()).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
