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

/// A real file system with room for so many bytes, failing syncs on demand, and a count of syncs.
#[cfg(test)]
pub mod faulty {
    use std::sync::Arc;
    use std::sync::Condvar;
    use std::sync::Mutex;
    use std::sync::atomic::AtomicBool;
    use std::sync::atomic::AtomicU64;
    use std::sync::atomic::Ordering;

    use super::*;

    #[derive(Default)]
    pub struct Faults {
        /// Bytes past the end of what is there that still fit; `u64::MAX` while it is not limited.
        pub room: AtomicU64,
        pub sync_fails: AtomicBool,
        pub truncate_fails: AtomicBool,
        pub syncs: AtomicU64,
        /// Each sync waits for this, so that a test decides what gathers behind it.
        pub gate: Gate,
    }

    #[derive(Default)]
    pub struct Gate {
        closed: Mutex<bool>,
        opened: Condvar,
        /// Syncs that stand before it.
        pub waiting: AtomicU64,
    }

    impl Gate {
        pub fn close(&self) {
            *self.closed.lock().unwrap() = true;
        }

        pub fn open(&self) {
            *self.closed.lock().unwrap() = false;
            self.opened.notify_all();
        }

        fn pass(&self) {
            self.waiting.fetch_add(1, Ordering::SeqCst);
            drop(self.opened.wait_while(self.closed.lock().unwrap(), |closed| *closed).unwrap());
            self.waiting.fetch_sub(1, Ordering::SeqCst);
        }
    }

    impl Faults {
        pub fn new() -> Arc<Faults> {
            Arc::new(Faults { room: AtomicU64::new(u64::MAX), ..Faults::default() })
        }
    }

    pub struct FaultyFiles(pub Arc<Faults>);

    struct FaultyFile(Box<dyn Appended>, Arc<Faults>);

    impl Files for FaultyFiles {
        fn create(&self, path: &Path) -> io::Result<Box<dyn Appended>> {
            Ok(Box::new(FaultyFile(DiskFiles.create(path)?, Arc::clone(&self.0))))
        }

        fn open(&self, path: &Path) -> io::Result<Box<dyn Appended>> {
            Ok(Box::new(FaultyFile(DiskFiles.open(path)?, Arc::clone(&self.0))))
        }
    }

    impl Appended for FaultyFile {
        /// Like a disk that fills up, it keeps the part that fits.
        fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
            let room = self.1.room.load(Ordering::SeqCst);
            if room == u64::MAX {
                return self.0.write_at(bytes, offset);
            }
            let fits = usize::try_from(room).unwrap().min(bytes.len());
            self.0.write_at(&bytes[..fits], offset)?;
            self.1.room.fetch_sub(fits as u64, Ordering::SeqCst);
            if fits == bytes.len() { Ok(()) } else { Err(io::ErrorKind::StorageFull.into()) }
        }

        fn sync(&mut self) -> io::Result<()> {
            self.1.gate.pass();
            self.1.syncs.fetch_add(1, Ordering::SeqCst);
            if self.1.sync_fails.load(Ordering::SeqCst) {
                return Err(io::Error::other("as a test asked"));
            }
            self.0.sync()
        }

        fn truncate(&mut self, length: u64) -> io::Result<()> {
            if self.1.truncate_fails.load(Ordering::SeqCst) {
                return Err(io::Error::other("as a test asked"));
            }
            self.0.truncate(length)
        }
    }
}
