//! Files that appear whole under their name or not at all.

use std::collections::BTreeSet;
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

    /// An empty file among the unfinished ones, open for reading and writing, and where it is.
    pub fn begin(&self) -> io::Result<(File, PathBuf)> {
        let path = self.unfinished.join(self.next.fetch_add(1, Ordering::Relaxed).to_string());
        let file = File::options().read(true).write(true).create(true).truncate(true).open(&path)?;
        Ok((file, path))
    }

    /// Writes a file that is under its name, whole, when this returns. Whether it outlives a power cut is not known then.
    pub fn write<T>(&self, hex: &str, write: impl FnOnce(File) -> io::Result<T>) -> io::Result<T> {
        let temporary = self.unfinished.join(self.next.fetch_add(1, Ordering::Relaxed).to_string());
        let file = File::options().read(true).write(true).create(true).truncate(true).open(&temporary);
        let written = file.and_then(write);
        let placed = written.and_then(|written| self.place(&temporary, hex).map(|()| written));
        if placed.is_err() {
            // It is unfinished either way; what cannot be removed now goes at the next start.
            let _ = std::fs::remove_file(&temporary);
        }
        placed
    }

    /// Renames `from`, on the same file system, to where `hex` belongs.
    pub fn place(&self, from: &Path, hex: &str) -> io::Result<()> {
        let to = self.path(hex);
        match std::fs::rename(from, &to) {
            Err(absent) if absent.kind() == io::ErrorKind::NotFound => {}
            placed => return placed,
        }
        // The first file of its shard.
        match std::fs::create_dir(self.shard(hex)) {
            Err(fault) if fault.kind() != io::ErrorKind::AlreadyExists => Err(fault),
            Ok(()) | Err(_) => std::fs::rename(from, &to),
        }
    }

    /// Puts the file down on the disk. `false`: it is not there.
    pub fn sync(&self, hex: &str) -> io::Result<bool> {
        match File::open(self.path(hex)) {
            Ok(file) => file.sync_all().map(|()| true),
            Err(absent) if absent.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(fault) => Err(fault),
        }
    }

    /// Puts down the names of these files.
    pub fn sync_names<'h>(&self, hexes: impl Iterator<Item = &'h str>) -> io::Result<()> {
        let shards: BTreeSet<PathBuf> = hexes.map(|hex| self.shard(hex)).collect();
        if shards.is_empty() {
            return Ok(());
        }
        let synced = shards.iter().map(|shard| sync_folder(shard)).fold(Ok(()), Result::and);
        synced.and(sync_folder(&self.folder))
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
