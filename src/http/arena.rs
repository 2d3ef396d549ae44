//! Bodies in one file that lies in memory, from where the system sends them by itself: no copy of a body is made for each
//! client that it goes to.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use rustix::fs::FallocateFlags;
use rustix::fs::MemfdFlags;
use rustix::fs::fallocate;
use rustix::fs::memfd_create;

/// Regions begin at multiples of it: no smaller than a page of any machine, so that no two regions share one.
const ALIGNMENT: u64 = 64 * 1024;

/// One file for all bodies. It only ever grows; what is given up is a hole in it and takes nothing.
#[derive(Debug)]
pub struct Arena {
    file: Arc<File>,
    end: AtomicU64,
}

impl Arena {
    /// # Errors
    /// The system gives no such file.
    pub fn new() -> io::Result<Arena> {
        let file = File::from(memfd_create("airlock-bodies", MemfdFlags::CLOEXEC)?);
        Ok(Arena { file: Arc::new(file), end: AtomicU64::new(0) })
    }

    /// # Errors
    /// The system has no memory for it.
    pub fn keep(&self, bytes: &[u8]) -> io::Result<Arc<Region>> {
        let length = bytes.len() as u64;
        let offset = self.end.fetch_add(length.next_multiple_of(ALIGNMENT), Ordering::Relaxed);
        let region = Region { file: Arc::clone(&self.file), offset, length };
        region.file.write_all_at(bytes, offset)?;
        Ok(Arc::new(region))
    }
}

/// Where a body lies in the file, for as long as somebody holds this.
#[derive(Debug)]
pub struct Region {
    file: Arc<File>,
    offset: u64,
    length: u64,
}

impl Region {
    pub fn file(&self) -> &Arc<File> {
        &self.file
    }

    pub fn offset(&self) -> u64 {
        self.offset
    }

    pub fn length(&self) -> u64 {
        self.length
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        if let Err(error) = fallocate(&self.file, hole, self.offset, self.length.next_multiple_of(ALIGNMENT)) {
            tracing::error!(%error, "the memory of a body could not be given back");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn regions_are_apart_and_given_back() {
        let arena = Arena::new().unwrap();
        let kept: Vec<Arc<Region>> = (1..=20_u8).map(|byte| arena.keep(&vec![byte; 5_000 * usize::from(byte)]).unwrap()).collect();
        let first = kept[0].file().metadata().unwrap().blocks();
        for (byte, region) in (1_u8..).zip(&kept) {
            let mut read = vec![0; usize::try_from(region.length()).unwrap()];
            region.file().read_exact_at(&mut read, region.offset()).unwrap();
            assert!(read.iter().all(|read| *read == byte) && read.len() == 5_000 * usize::from(byte));
        }
        let last = Arc::clone(&kept[19]);
        drop(kept);
        assert!(last.file().metadata().unwrap().blocks() < first / 5, "what nobody holds takes no memory");
        let mut read = vec![0; 100_000];
        last.file().read_exact_at(&mut read, last.offset()).unwrap();
        assert!(read.iter().all(|byte| *byte == 20), "what is held stays");
    }
}
