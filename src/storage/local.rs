//! The store of one machine: the ledger for what is durable, the shelf for what is read, one thread that writes.

mod committer;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::mpsc::RecvTimeoutError;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::Instant;

use async_trait::async_trait;
use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;

use crate::model::digest::DocumentDigest;
use crate::model::job::Job;
use crate::model::job::Sort;
use crate::model::package::PackageId;
use crate::model::time::Timestamp;
use crate::model::token::Token;
use crate::model::user::User;
use crate::model::waiver::Waiver;
use crate::storage::data_dir::DataDir;
use crate::storage::data_dir::OpenError;
use crate::storage::ledger;
use crate::storage::ledger::Ledger;
use crate::storage::ledger::file::DiskFiles;
use crate::storage::ledger::file::Files;
use crate::storage::local::committer::Committer;
use crate::storage::local::committer::Request;
use crate::storage::record::FeedHeard;
use crate::storage::record::PackageState;
use crate::storage::record::SealKey;
use crate::storage::record::Sequence;
use crate::storage::shelf::Shelf;
use crate::storage::state::Batch;
use crate::storage::state::CommitError;
use crate::storage::state::Entry;
use crate::storage::state::IndexNote;
use crate::storage::state::Proof;
use crate::storage::state::ReadError;
use crate::storage::state::State;

/// Batches that wait for the writer; more callers wait for a place.
const WAITING_MAX: usize = 1_024;
/// Of one page of packages or entries, whatever was asked.
pub const PAGE_MAX: usize = 10_000;
/// How long changes may lie in memory alone before the engine is told; nothing depends on it.
const PUT_AWAY_EVERY: Duration = Duration::from_millis(200);
/// How long after a change a checkpoint is written: after a kill, a start folds what came in such a time.
const CHECKPOINT_AFTER: Duration = Duration::from_secs(20);
/// So many times as long as the last one took, at least, is between two checkpoints, however many packages there are.
const CHECKPOINT_RESTS: u32 = 50;

/// Ledger and sled in one data folder.
pub struct LocalState {
    shared: Arc<Shared>,
    requests: mpsc::Sender<Request>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

struct Shared {
    ledger: Arc<Ledger>,
    shelf: Shelf,
    /// Why commits are refused, while they are.
    refusing: Mutex<Option<String>>,
    // Last, so that the folder is let go of when all else is closed.
    data_dir: DataDir,
}

impl LocalState {
    /// Proves the ledger, takes up the projection or folds it anew. Blocks, for seconds on a large ledger.
    pub fn open(data_dir: &Path) -> Result<LocalState, OpenError> {
        LocalState::open_on(data_dir, Arc::new(DiskFiles), ledger::SEGMENT_BYTES_MAX)
    }

    fn open_on(path: &Path, files: Arc<dyn Files>, segment_bytes_max: u64) -> Result<LocalState, OpenError> {
        let data_dir = DataDir::open(path)?;
        let (ledger, writer) = Ledger::open(&data_dir.ledger(), files, segment_bytes_max)?;
        let ledger = Arc::new(ledger);
        let shelf = Shelf::open(&data_dir.projection(), Arc::clone(&ledger))?;
        let shared = Arc::new(Shared { ledger, shelf, refusing: Mutex::new(None), data_dir });
        let (requests, waiting) = mpsc::channel(WAITING_MAX);
        let (changed, changes) = std::sync::mpsc::sync_channel::<()>(1);
        // For a checkpoint of what this start folded.
        let _ = changed.try_send(());
        let committer = Committer::new(Arc::clone(&shared), writer, waiting, changed);
        let putting = Arc::clone(&shared);
        let threads = vec![
            thread::Builder::new().name("ledger".to_owned()).spawn(move || committer.run()).map_err(OpenError::Thread)?,
            thread::Builder::new().name("projection".to_owned()).spawn(move || put_away(&putting, &changes)).map_err(OpenError::Thread)?,
        ];
        Ok(LocalState { shared, requests, threads: Mutex::new(threads) })
    }

    async fn ask<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> Request) -> Result<T, CommitError> {
        let (reply, replied) = oneshot::channel();
        self.requests.send(request(reply)).await.map_err(|_| CommitError::Closed)?;
        // The writer answers everything it takes; silence means that it came to an end in between.
        replied.await.map_err(|_| CommitError::Broken("the writer ended before it answered".to_owned()))
    }

    async fn blocking<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Shared) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, ReadError> {
        let shared = Arc::clone(&self.shared);
        let joined = spawn_blocking(move || read(&shared)).await;
        joined.map_err(|fault| ReadError::Damaged(format!("reading ended early: {fault}")))?
    }
}

/// Proves the ledger of a data folder that no Airlock runs on. What a start would put right, such as a torn end, it puts right
/// too; damage is an error that names the place. Blocks, for seconds on a large ledger.
pub fn verify(data_dir: &Path) -> Result<Proof, OpenError> {
    let data_dir = DataDir::open(data_dir)?;
    let (ledger, _writer) = Ledger::open(&data_dir.ledger(), Arc::new(DiskFiles), ledger::SEGMENT_BYTES_MAX)?;
    Ok(ledger.verify()?)
}

/// The projection's thread: gathers changes for a while, so that a package that changes often is put away once, and writes
/// a checkpoint after some more.
fn put_away(shared: &Shared, changes: &std::sync::mpsc::Receiver<()>) {
    let mut rest = CHECKPOINT_AFTER;
    while changes.recv().is_ok() {
        let checkpoint_at = Instant::now() + rest;
        loop {
            // What was told of is put away before anything else is waited for.
            if !gather(changes, Instant::now() + PUT_AWAY_EVERY) {
                return;
            }
            shared.shelf.put_away();
            let left = checkpoint_at.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            match changes.recv_timeout(left) {
                Ok(()) => {}
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
        let began = Instant::now();
        shared.shelf.checkpoint();
        rest = CHECKPOINT_AFTER.max(began.elapsed() * CHECKPOINT_RESTS);
    }
}

/// Takes changes until then. `false` when there will be none any more.
fn gather(changes: &std::sync::mpsc::Receiver<()>, until: Instant) -> bool {
    while let left = until.saturating_duration_since(Instant::now())
        && !left.is_zero()
    {
        match changes.recv_timeout(left) {
            Ok(()) => {}
            Err(RecvTimeoutError::Timeout) => break,
            Err(RecvTimeoutError::Disconnected) => return false,
        }
    }
    true
}

impl Shared {
    fn refuse(&self, why: Option<String>) {
        *self.refusing.lock().unwrap_or_else(PoisonError::into_inner) = why;
    }

    fn refusing(&self) -> Option<String> {
        self.refusing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl State for LocalState {
    async fn commit(&self, batch: Batch) -> Result<Sequence, CommitError> {
        self.ask(|reply| Request::Commit { batch, reply }).await?
    }

    async fn package(&self, package: &PackageId) -> Result<Arc<PackageState>, ReadError> {
        if let Some(state) = self.shared.shelf.hot(package) {
            return Ok(state);
        }
        if self.shared.shelf.summary().revision(package) == Sequence(0) {
            return Ok(Arc::default());
        }
        let package = package.clone();
        self.blocking(move |shared| shared.shelf.package(&package)).await
    }

    async fn revision(&self, package: &PackageId) -> Result<Sequence, ReadError> {
        Ok(self.shared.shelf.summary().revision(package))
    }

    async fn packages(&self, after: Option<&PackageId>, limit: usize) -> Result<Vec<(PackageId, Arc<PackageState>)>, ReadError> {
        let after = after.cloned();
        self.blocking(move |shared| shared.shelf.packages(after.as_ref(), limit.min(PAGE_MAX))).await
    }

    async fn tokens(&self) -> Result<Vec<Token>, ReadError> {
        Ok(self.shared.shelf.summary().tokens.all().to_vec())
    }

    async fn users(&self) -> Result<Vec<User>, ReadError> {
        Ok(self.shared.shelf.summary().users.all().to_vec())
    }

    async fn keys(&self) -> Result<Vec<SealKey>, ReadError> {
        Ok(self.shared.shelf.summary().keys.clone())
    }

    async fn locals(&self) -> Result<Vec<PackageId>, ReadError> {
        Ok(self.shared.shelf.summary().locals.iter().cloned().collect())
    }

    async fn let_in(&self) -> Result<Vec<PackageId>, ReadError> {
        Ok(self.shared.shelf.summary().let_in.iter().cloned().collect())
    }

    async fn names_alike(&self, package: &PackageId) -> Result<Vec<PackageId>, ReadError> {
        Ok(self.shared.shelf.summary().names_alike(package))
    }

    async fn waivers(&self) -> Result<Vec<Waiver>, ReadError> {
        Ok(self.shared.shelf.summary().waivers.all().to_vec())
    }

    async fn feeds(&self) -> Result<BTreeMap<String, FeedHeard>, ReadError> {
        Ok(self.shared.shelf.summary().feeds.clone())
    }

    async fn editions(&self) -> Result<BTreeMap<u16, Timestamp>, ReadError> {
        Ok(self.shared.shelf.summary().editions.clone())
    }

    async fn stars_of(&self, user: &str) -> Result<Vec<PackageId>, ReadError> {
        Ok(self.shared.shelf.summary().stars_of.get(user).into_iter().flatten().cloned().collect())
    }

    async fn lease(&self, now: Timestamp, duration: Duration, limit: usize) -> Result<Vec<Job>, CommitError> {
        self.ask(|reply| Request::Lease { now, duration, limit, reply }).await?
    }

    async fn jobs(&self, limit: usize) -> Result<Vec<Job>, ReadError> {
        Ok(self.shared.shelf.summary().jobs.iter().take(limit).cloned().collect())
    }

    async fn jobs_of(&self, sort: Sort, limit: usize) -> Result<Vec<Job>, ReadError> {
        Ok(self.shared.shelf.summary().jobs.iter().filter(|job| sort.has(job)).take(limit).cloned().collect())
    }

    async fn entries(&self, after: Sequence, limit: usize) -> Result<Vec<Entry>, ReadError> {
        self.blocking(move |shared| shared.ledger.entries(after, limit.min(PAGE_MAX))).await
    }

    async fn policy(&self) -> Result<Option<DocumentDigest>, ReadError> {
        Ok(self.shared.shelf.summary().policy)
    }

    async fn policy_before(&self) -> Result<Option<DocumentDigest>, ReadError> {
        Ok(self.shared.shelf.summary().policy_before)
    }

    async fn verify(&self) -> Result<Proof, ReadError> {
        self.blocking(|shared| shared.ledger.verify()).await
    }

    async fn put_note(&self, package: &PackageId, note: IndexNote) {
        self.shared.shelf.keep_note(package, &note);
        let package = package.clone();
        let put = self.blocking(move |shared| {
            shared.shelf.put_note(&package, &note);
            Ok(())
        });
        if let Err(fault) = put.await {
            tracing::debug!(%fault, "a note was not kept");
        }
    }

    async fn note(&self, package: &PackageId) -> Option<IndexNote> {
        if let Some(note) = self.shared.shelf.hot_note(package) {
            return Some(note);
        }
        let package = package.clone();
        self.blocking(move |shared| Ok(shared.shelf.note(&package))).await.ok().flatten()
    }

    async fn health(&self) -> Result<(), String> {
        if self.requests.is_closed() {
            return Err("the store is shutting down".to_owned());
        }
        self.shared.shelf.health()?;
        match self.shared.refusing() {
            None => Ok(()),
            // It may have been made room for meanwhile, and without commits nobody would learn of it.
            Some(why) => self.ask(|reply| Request::Probe { reply }).await.map_err(|_| why)?,
        }
    }

    async fn close(&self) {
        if self.ask(|reply| Request::Close { reply }).await.is_err() {
            return;
        }
        let closed = self.blocking(|shared| {
            shared.shelf.close();
            shared.ledger.write_head();
            Ok(())
        });
        if let Err(fault) = closed.await {
            tracing::error!(%fault, "the store was not closed cleanly; the next start folds what came after the last checkpoint");
        }
    }
}

impl Drop for LocalState {
    /// Like a crash, but for waiting until the threads have let go: only `close` writes down a clean stop.
    fn drop(&mut self) {
        let (disconnected, _) = mpsc::channel(1);
        self.requests = disconnected;
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests;
