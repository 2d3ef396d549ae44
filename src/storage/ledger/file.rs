//! What the ledger's writer asks of a file system, so that tests can fill the disk, fail a sync and count syncs.

use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Opens segments for writing.
pub trait Files: Send + Sync {
    /// A new empty file; an error when the name is taken.
    fn create(&self, path: &Path) -> io::Result<Box<dyn Appended>>;

    fn open(&self, path: &Path) -> io::Result<Box<dyn Appended>>;
}

/// A file that grows at its end.
pub trait Appended: Send {
    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Bytes and length are on the disk when it returns. After an error nobody knows what is.
    fn sync(&mut self) -> io::Result<()>;

    fn truncate(&mut self, length: u64) -> io::Result<()>;
}

/// The real file system.
pub struct DiskFiles;

impl Files for DiskFiles {
    fn create(&self, path: &Path) -> io::Result<Box<dyn Appended>> {
        Ok(Box::new(DiskFile(OpenOptions::new().write(true).create_new(true).open(path)?)))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Appended>> {
        Ok(Box::new(DiskFile(OpenOptions::new().write(true).open(path)?)))
    }
}

struct DiskFile(File);

impl Appended for DiskFile {
    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }
}

/// Makes renames, new and removed names in a folder durable.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Whether an error says that there is no room: disk, quota, or the file's largest size.
pub fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge)
}

/// Replaces a small file whole: temporary name, sync, rename, folder sync.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let temporary = path.with_extension("new");
    let file = File::create(&temporary)?;
    file.write_all_at(bytes, 0)?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)?;
    sync_folder(folder)
}
