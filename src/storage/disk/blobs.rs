//! Blobs on disk: `<data>/quarantine` and `<data>/approved`. A file is hashed through the very handle that is then served,
//! or was written through it from bytes that had been hashed.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use tokio::sync::Mutex;
use tokio::sync::OwnedMutexGuard;
use tokio::task::spawn_blocking;

use crate::model::digest::Digest;
use crate::model::digest::NotVerified;
use crate::model::digest::Reading;
use crate::model::digest::Verified;
use crate::storage::blob::BlobError;
use crate::storage::blob::Blobs;
use crate::storage::blob::Kept;
use crate::storage::blob::Received;
use crate::storage::blob::Receiving;
use crate::storage::blob::Unfinished;
use crate::storage::blob::Zone;
use crate::storage::disk::files::Shards;
use crate::storage::disk::settling::Settling;
use crate::storage::ledger::file::is_full;

/// Blobs up to this are kept in memory instead of open.
const SMALL_BYTES_MAX: u64 = 64 * 1024;
const CACHE_BYTES_MAX: u64 = 64 * 1024 * 1024;
const OPEN_FILES_MAX: u64 = 512;
/// Blobs that are worked on at once, about: one lock for each.
const LOCKS: usize = 256;

pub struct DiskBlobs(Arc<Inner>);

struct Inner {
    quarantine: Arc<Shards>,
    approved: Arc<Shards>,
    settling: Settling,
    open: Arc<Cache<(bool, Digest), Verified, Weight>>,
    /// By digest: who opens, moves or writes a blob does it alone, so that nothing is remembered of where it was before.
    locks: Vec<Arc<Mutex<()>>>,
}

/// A budget of bytes and a number of open files in one: an open file takes its share of the budget.
#[derive(Clone)]
struct Weight;

impl Weighter<(bool, Digest), Verified> for Weight {
    fn weight(&self, _: &(bool, Digest), blob: &Verified) -> u64 {
        const ENTRY_BYTES: u64 = 256;
        match blob.reading() {
            Reading::Memory(bytes) => ENTRY_BYTES + bytes.len() as u64,
            Reading::File(_) => CACHE_BYTES_MAX / OPEN_FILES_MAX,
        }
    }
}

impl DiskBlobs {
    /// Blocks.
    pub fn open(data_dir: &Path) -> io::Result<DiskBlobs> {
        const ITEMS: usize = 4_096;
        let quarantine = Arc::new(Shards::open(data_dir.join("quarantine"))?);
        let approved = Arc::new(Shards::open(data_dir.join("approved"))?);
        let open = Arc::new(Cache::with_weighter(ITEMS, CACHE_BYTES_MAX, Weight));
        let known = Arc::clone(&open);
        // What its disk did not take may be read back as something else: it is not held for proven any longer.
        let doubted = move |digest: &Digest| {
            known.remove(&key(Zone::Approved, digest));
            known.remove(&key(Zone::Quarantine, digest));
        };
        Ok(DiskBlobs(Arc::new(Inner {
            settling: Settling::begin(vec![Arc::clone(&approved), Arc::clone(&quarantine)], Box::new(doubted))?,
            quarantine,
            approved,
            open,
            locks: (0..LOCKS).map(|_| Arc::default()).collect(),
        })))
    }

    /// Runs `act` alone on the blob, to its end even if the caller goes away.
    async fn alone<T: Send + 'static>(
        &self,
        digest: &Digest,
        act: impl FnOnce(&Inner, &Digest) -> Result<T, BlobError> + Send + 'static,
    ) -> Result<T, BlobError> {
        let digest = *digest;
        let guard = self.0.lock(&digest).await;
        let inner = Arc::clone(&self.0);
        let acted = spawn_blocking(move || {
            let _alone: OwnedMutexGuard<()> = guard;
            act(&inner, &digest)
        });
        acted.await.map_err(|fault| BlobError::Io { digest: Box::new(digest), source: io::Error::other(fault) })?
    }
}

impl Inner {
    async fn lock(&self, digest: &Digest) -> OwnedMutexGuard<()> {
        let place = usize::from(digest.raw()[0]) % LOCKS;
        Arc::clone(&self.locks[place]).lock_owned().await
    }

    fn zone(&self, zone: Zone) -> &Shards {
        match zone {
            Zone::Quarantine => &self.quarantine,
            Zone::Approved => &self.approved,
        }
    }

    fn failed(&self, digest: &Digest, source: io::Error) -> BlobError {
        if is_full(&source) { self.full() } else { BlobError::Io { digest: Box::new(*digest), source } }
    }

    fn full(&self) -> BlobError {
        let data_dir = self.approved.folder().parent().unwrap_or(self.approved.folder());
        BlobError::DiskFull { path: data_dir.display().to_string() }
    }

    fn receive(&self) -> Result<Receiving, BlobError> {
        match self.quarantine.begin() {
            Ok((file, path)) => Ok(Receiving::new(file, Unfinished::at(path))),
            Err(fault) if is_full(&fault) => Err(self.full()),
            Err(fault) => Err(BlobError::Incoming(fault)),
        }
    }

    fn keep(&self, digest: &Digest, received: &Received) -> Result<Kept, BlobError> {
        let hex = digest.hex();
        let present = self.read(Zone::Quarantine, digest);
        let is_new = matches!(present, Ok(None)) && matches!(self.approved.path(&hex).try_exists(), Ok(false));
        // As for `put`: what is there and whole stays.
        if !matches!(present, Ok(Some(_))) {
            self.quarantine.place(received.place.path(), &hex).map_err(|fault| self.failed(digest, fault))?;
            self.open.insert(key(Zone::Quarantine, digest), received.content.clone());
        }
        // Nobody has these bytes to be fetched again from, so they do not settle behind the answer.
        let synced = self.quarantine.sync(&hex).and_then(|_| self.quarantine.sync_names([hex.as_str()].into_iter()));
        synced.map_err(|fault| self.failed(digest, fault))?;
        Ok(if is_new { Kept::New } else { Kept::Already })
    }

    fn discard(&self, digest: &Digest) -> Result<(), BlobError> {
        self.open.remove(&key(Zone::Quarantine, digest));
        match std::fs::remove_file(self.quarantine.path(&digest.hex())) {
            Err(fault) if fault.kind() != io::ErrorKind::NotFound => Err(self.failed(digest, fault)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn put(&self, zone: Zone, digest: &Digest, blob: &Verified) -> Result<(), BlobError> {
        // What is there and whole stays: it may be on the disk already, where a new one is not yet.
        if let Ok(Some(_)) = self.read(zone, digest) {
            return Ok(());
        }
        let written = self.zone(zone).write(&digest.hex(), |file| blob.kept_in(file)).map_err(|fault| self.failed(digest, fault))?;
        self.settling.note(digest);
        let is_small = blob.size() <= SMALL_BYTES_MAX && matches!(blob.reading(), Reading::Memory(_));
        self.open.insert(key(zone, digest), if is_small { blob.clone() } else { written });
        Ok(())
    }

    fn read(&self, zone: Zone, digest: &Digest) -> Result<Option<Verified>, BlobError> {
        if let Some(blob) = self.open.get(&key(zone, digest)) {
            return Ok(Some(blob));
        }
        let failed = |fault| self.failed(digest, fault);
        let shards = self.zone(zone);
        let path = shards.path(&digest.hex());
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(absent) if absent.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(fault) => return Err(failed(fault)),
        };
        let small = file.metadata().map_err(failed)?.len() <= SMALL_BYTES_MAX;
        let verified = if small {
            std::fs::read(&path).map_err(NotVerified::Unreadable).and_then(|bytes| Verified::bytes(*digest, Bytes::from(bytes)))
        } else {
            Verified::file(*digest, file)
        };
        match verified {
            Ok(blob) => {
                self.open.insert(key(zone, digest), blob.clone());
                Ok(Some(blob))
            }
            Err(NotVerified::Unreadable(fault)) => Err(failed(fault)),
            Err(NotVerified::Mismatch { .. }) => {
                let aside = shards.set_aside(&digest.hex()).map_err(failed)?;
                tracing::error!(%digest, aside = %aside.display(), "a blob does not hash to its name: it was set aside and is not served");
                Err(BlobError::Damaged { digest: Box::new(*digest) })
            }
        }
    }

    /// Nothing happens where it is in neither zone, or in `to` only.
    fn carry(&self, from: Zone, to: Zone, digest: &Digest) -> Result<(), BlobError> {
        let hex = digest.hex();
        // Before it moves: from then on nothing finds it in the zone that it leaves.
        let opened = self.open.remove(&key(from, digest)).map(|(_, blob)| blob);
        match self.zone(to).place(&self.zone(from).path(&hex), &hex) {
            Ok(()) => {}
            Err(absent) if absent.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(fault) => return Err(self.failed(digest, fault)),
        }
        self.settling.note(digest);
        if let Some(blob) = opened {
            self.open.insert(key(to, digest), blob);
        }
        Ok(())
    }

    fn promote(&self, digest: &Digest) -> Result<Option<Verified>, BlobError> {
        match self.read(Zone::Approved, digest) {
            // A damaged one was set aside just now; the one in quarantine, if there is one, takes its place.
            Ok(None) | Err(BlobError::Damaged { .. }) => {}
            found => return found,
        }
        self.carry(Zone::Quarantine, Zone::Approved, digest)?;
        self.read(Zone::Approved, digest)
    }
}

#[async_trait]
impl Blobs for DiskBlobs {
    async fn put(&self, zone: Zone, blob: &Verified) -> Result<(), BlobError> {
        let bytes = blob.clone();
        self.alone(blob.digest(), move |inner, digest| inner.put(zone, digest, &bytes)).await
    }

    async fn receive(&self) -> Result<Receiving, BlobError> {
        let inner = Arc::clone(&self.0);
        let begun = spawn_blocking(move || inner.receive());
        begun.await.map_err(|fault| BlobError::Incoming(io::Error::other(fault)))?
    }

    async fn keep(&self, received: Received) -> Result<Kept, BlobError> {
        let digest = *received.content.digest();
        self.alone(&digest, move |inner, digest| inner.keep(digest, &received)).await
    }

    async fn discard(&self, digest: &Digest) -> Result<(), BlobError> {
        self.alone(digest, Inner::discard).await
    }

    async fn open(&self, zone: Zone, digest: &Digest) -> Result<Option<Verified>, BlobError> {
        if let Some(blob) = self.0.open.get(&key(zone, digest)) {
            return Ok(Some(blob));
        }
        self.alone(digest, move |inner, digest| inner.read(zone, digest)).await
    }

    async fn promote(&self, digest: &Digest) -> Result<Option<Verified>, BlobError> {
        if let Some(blob) = self.0.open.get(&key(Zone::Approved, digest)) {
            return Ok(Some(blob));
        }
        self.alone(digest, Inner::promote).await
    }

    async fn demote(&self, digest: &Digest) -> Result<(), BlobError> {
        self.alone(digest, |inner, digest| inner.carry(Zone::Approved, Zone::Quarantine, digest)).await
    }

    async fn health(&self) -> Result<(), String> {
        let inner = Arc::clone(&self.0);
        let probed = spawn_blocking(move || {
            for shards in [&inner.quarantine, &inner.approved] {
                shards.probe().map_err(|fault| format!("{} cannot be written: {fault}", shards.folder().display()))?;
            }
            Ok(())
        });
        probed.await.map_err(|fault| fault.to_string())?
    }

    async fn close(&self) {
        let inner = Arc::clone(&self.0);
        if let Err(fault) = spawn_blocking(move || inner.settling.end()).await {
            tracing::error!(%fault, "blobs were not put down on the disk");
        }
    }
}

fn key(zone: Zone, digest: &Digest) -> (bool, Digest) {
    (zone == Zone::Approved, *digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Bench {
        folder: tempfile::TempDir,
        blobs: DiskBlobs,
    }

    impl Bench {
        fn new() -> Bench {
            let folder = tempfile::tempdir().unwrap();
            let blobs = DiskBlobs::open(folder.path()).unwrap();
            Bench { folder, blobs }
        }

        /// As after a restart: nothing is remembered.
        fn again(&self) -> DiskBlobs {
            DiskBlobs::open(self.folder.path()).unwrap()
        }
    }

    fn blob(size: usize) -> Verified {
        Verified::measure(Bytes::from(vec![7; size]))
    }

    #[tokio::test]
    async fn a_blob_moves_between_the_zones() {
        for size in [10, 100_000] {
            let Bench { folder: _folder, blobs } = &Bench::new();
            let blob = blob(size);
            assert!(blobs.promote(blob.digest()).await.unwrap().is_none());
            blobs.put(Zone::Quarantine, &blob).await.unwrap();
            assert!(blobs.open(Zone::Approved, blob.digest()).await.unwrap().is_none());
            assert_eq!(blobs.open(Zone::Quarantine, blob.digest()).await.unwrap().unwrap().size(), size as u64);
            for _ in 0..2 {
                assert_eq!(blobs.promote(blob.digest()).await.unwrap().unwrap().to_bytes().unwrap(), blob.to_bytes().unwrap());
            }
            assert!(blobs.open(Zone::Quarantine, blob.digest()).await.unwrap().is_none());
            let opened = blobs.open(Zone::Approved, blob.digest()).await.unwrap().unwrap();
            assert_eq!(opened.to_bytes().unwrap().len(), size);
            blobs.demote(blob.digest()).await.unwrap();
            assert!(blobs.open(Zone::Approved, blob.digest()).await.unwrap().is_none(), "what was open is not remembered");
            assert!(blobs.open(Zone::Quarantine, blob.digest()).await.unwrap().is_some());
        }
    }

    #[tokio::test]
    async fn what_is_kept_is_new_unless_anybody_has_it_and_is_taken_back_from_quarantine_only() {
        let Bench { folder, blobs } = &Bench::new();
        let received = async |text: &[u8]| {
            let mut receiving = blobs.receive().await.unwrap();
            receiving.write(text).unwrap();
            receiving.finish()
        };
        let digest = Digest::of(b"mine");
        assert_eq!(blobs.keep(received(b"mine").await).await.unwrap(), Kept::New);
        assert_eq!(blobs.keep(received(b"mine").await).await.unwrap(), Kept::Already);
        blobs.discard(&digest).await.unwrap();
        blobs.discard(&digest).await.unwrap();
        assert!(blobs.open(Zone::Quarantine, &digest).await.unwrap().is_none());
        assert_eq!(blobs.keep(received(b"mine").await).await.unwrap(), Kept::New);
        blobs.promote(&digest).await.unwrap();
        assert_eq!(blobs.keep(received(b"mine").await).await.unwrap(), Kept::Already, "it is approved");
        blobs.discard(&digest).await.unwrap();
        assert!(blobs.open(Zone::Approved, &digest).await.unwrap().is_some());
        // What is damaged was somebody's.
        let hex = Digest::of(b"other").hex();
        let path = folder.path().join("quarantine").join(&hex[..2]).join(&hex);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, b"damaged").unwrap();
        assert_eq!(blobs.keep(received(b"other").await).await.unwrap(), Kept::Already);
    }

    #[tokio::test]
    async fn a_blob_outlives_a_restart() {
        for size in [10, 100_000] {
            let bench = Bench::new();
            let blob = blob(size);
            bench.blobs.put(Zone::Approved, &blob).await.unwrap();
            let opened = bench.again().open(Zone::Approved, blob.digest()).await.unwrap().unwrap();
            assert_eq!(opened.to_bytes().unwrap(), blob.to_bytes().unwrap());
        }
    }

    #[tokio::test]
    async fn a_file_is_hashed_once_and_stays_open() {
        let bench = Bench::new();
        let blob = blob(100_000);
        bench.blobs.put(Zone::Approved, &blob).await.unwrap();
        bench.blobs.open(Zone::Approved, blob.digest()).await.unwrap().unwrap();
        std::fs::remove_file(bench.blobs.0.approved.path(&blob.digest().hex())).unwrap();
        let opened = bench.blobs.open(Zone::Approved, blob.digest()).await.unwrap().unwrap();
        assert_eq!(opened.to_bytes().unwrap(), blob.to_bytes().unwrap());
    }

    #[tokio::test]
    async fn a_damaged_blob_is_set_aside_and_never_served() {
        for size in [10, 100_000] {
            let bench = Bench::new();
            let blob = blob(size);
            bench.blobs.put(Zone::Approved, &blob).await.unwrap();
            let path = bench.blobs.0.approved.path(&blob.digest().hex());
            std::fs::write(&path, vec![8; size]).unwrap();
            let again = bench.again();
            assert!(matches!(again.open(Zone::Approved, blob.digest()).await, Err(BlobError::Damaged { .. })));
            assert!(again.open(Zone::Approved, blob.digest()).await.unwrap().is_none());
            assert!(bench.folder.path().join("approved/damaged").join(blob.digest().hex()).exists());
            again.put(Zone::Approved, &blob).await.unwrap();
            assert!(again.open(Zone::Approved, blob.digest()).await.unwrap().is_some());
        }
    }

    #[tokio::test]
    async fn what_comes_in_is_kept_or_leaves_nothing() {
        let bench = Bench::new();
        let unfinished = || std::fs::read_dir(bench.folder.path().join("quarantine/unfinished")).unwrap().count();
        let receive = async || {
            let mut receiving = bench.blobs.receive().await.unwrap();
            receiving.write(&[7; 50_000]).unwrap();
            receiving.write(&[7; 50_000]).unwrap();
            receiving
        };
        let whole = blob(100_000);
        drop(receive().await);
        drop(receive().await.finish());
        assert_eq!(unfinished(), 0);
        assert!(bench.again().open(Zone::Quarantine, whole.digest()).await.unwrap().is_none());
        for _ in 0..2 {
            let received = receive().await.finish();
            assert_eq!(received.content.digest(), whole.digest());
            assert_eq!(unfinished(), 1);
            bench.blobs.keep(received).await.unwrap();
            assert_eq!(unfinished(), 0);
        }
        let opened = bench.again().open(Zone::Quarantine, whole.digest()).await.unwrap().unwrap();
        assert_eq!(opened.to_bytes().unwrap(), whole.to_bytes().unwrap());
    }

    #[tokio::test]
    async fn open_files_are_bounded() {
        let bench = Bench::new();
        for number in 0..OPEN_FILES_MAX + 50 {
            let mut bytes = vec![1; 70_000];
            bytes[..8].copy_from_slice(&number.to_le_bytes());
            let digest = Digest::of(&bytes);
            let path = bench.blobs.0.approved.path(&digest.hex());
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
            assert!(bench.blobs.open(Zone::Approved, &digest).await.unwrap().is_some());
        }
        assert!(bench.blobs.0.open.len() as u64 <= OPEN_FILES_MAX);
        assert!(bench.blobs.0.open.weight() <= CACHE_BYTES_MAX);
    }

    #[tokio::test]
    async fn what_a_crash_left_unfinished_is_removed() {
        let bench = Bench::new();
        let left = bench.folder.path().join("quarantine/unfinished/7");
        std::fs::write(&left, "half").unwrap();
        let again = bench.again();
        assert!(!left.exists());
        assert_eq!(again.health().await, Ok(()));
        std::fs::remove_dir_all(bench.folder.path().join("approved")).unwrap();
        assert!(again.health().await.unwrap_err().contains("approved"));
    }
}
