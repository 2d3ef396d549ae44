//! Files that appear whole under their name or not at all.

use std::fs::DirBuilder;
use std::fs::File;
use std::io;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use crate::storage::ledger::file::sync_folder;

/// A folder of files named by digest: `ab/abcdef…`, and `unfinished/` for what is being written.
#[derive(Debug)]
pub struct Shards {
    folder: PathBuf,
    unfinished: PathBuf,
    next: AtomicU64,
}

/// Whether a file has to outlive a power cut.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    Synced,
    Unsynced,
}

impl Shards {
    /// Makes the folder, and removes what a crash left unfinished.
    pub fn open(folder: PathBuf) -> io::Result<Shards> {
        let unfinished = folder.join("unfinished");
        match std::fs::remove_dir_all(&unfinished) {
            Err(fault) if fault.kind() != io::ErrorKind::NotFound => return Err(fault),
            Ok(()) | Err(_) => {}
        }
        DirBuilder::new().recursive(true).mode(0o700).create(&unfinished)?;
        sync_folder(&folder)?;
        Ok(Shards { folder, unfinished, next: AtomicU64::new(0) })
    }

    pub fn path(&self, hex: &str) -> PathBuf {
        self.shard(hex).join(hex)
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn shard(&self, hex: &str) -> PathBuf {
        self.folder.join(hex.get(..2).unwrap_or("00"))
    }

    pub fn write(&self, hex: &str, durability: Durability, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
        let temporary = self.unfinished.join(self.next.fetch_add(1, Ordering::Relaxed).to_string());
        let written = File::create(&temporary).and_then(|mut file| {
            write(&mut file)?;
            file.flush()?;
            if durability == Durability::Synced { file.sync_all() } else { Ok(()) }
        });
        let placed = written.and_then(|()| self.place(&temporary, hex, durability));
        if placed.is_err() {
            // It is unfinished either way; what cannot be removed now goes at the next start.
            let _ = std::fs::remove_file(&temporary);
        }
        placed
    }

    /// Renames `from`, on the same file system, to where `hex` belongs.
    pub fn place(&self, from: &Path, hex: &str, durability: Durability) -> io::Result<()> {
        let shard = self.shard(hex);
        match std::fs::create_dir(&shard) {
            Ok(()) if durability == Durability::Synced => sync_folder(&self.folder)?,
            Ok(()) => {}
            Err(there) if there.kind() == io::ErrorKind::AlreadyExists => {}
            Err(fault) => return Err(fault),
        }
        std::fs::rename(from, shard.join(hex))?;
        if durability == Durability::Synced { sync_folder(&shard) } else { Ok(()) }
    }

    /// Moves a damaged file out of the way, where people can look at it.
    pub fn set_aside(&self, hex: &str) -> io::Result<PathBuf> {
        let aside = self.folder.join("damaged");
        DirBuilder::new().recursive(true).mode(0o700).create(&aside)?;
        let to = aside.join(hex);
        std::fs::rename(self.path(hex), &to)?;
        sync_folder(&self.shard(hex))?;
        Ok(to)
    }

    /// Whether a small file can be written.
    pub fn probe(&self) -> io::Result<()> {
        const PROBE_BYTES: usize = 4_096;
        let temporary = self.unfinished.join(self.next.fetch_add(1, Ordering::Relaxed).to_string());
        let tried = File::create(&temporary).and_then(|mut file| file.write_all(&[0; PROBE_BYTES]));
        let _ = std::fs::remove_file(&temporary);
        tried
    }
}
