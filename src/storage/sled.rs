//! sled 0.34 in the one way it is safe: one key per package, small values, no transactions, no scans, and nothing that
//! cannot be had again. Every call runs on one thread of its own, so that an error, a panic or a hang becomes an [`EngineFault`].

mod value;

use std::any::Any;
use std::collections::HashSet;
use std::io;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::mpsc;
use std::sync::mpsc::RecvTimeoutError;
use std::thread;
use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;

use crate::model::digest::DocumentDigest;
use crate::model::package::PackageId;
use crate::storage::projection;
use crate::storage::record::PackageState;
use crate::storage::sled::value::Value;
use crate::storage::sled::value::pack;
use crate::storage::sled::value::unpack;
use crate::storage::state::IndexNote;

/// Values up to this lie in sled, larger ones in files beside it.
const VALUE_BYTES_MAX: usize = 4 * 1024;
/// What is read often is on the shelf in front of it.
const CACHE_BYTES: u64 = 8 * 1024 * 1024;
const FLUSH_EVERY_MILLIS: u64 = 1_000;
/// Files of values before, kept until the next flush; any more are removed at once.
const SUPERSEDED_MAX: usize = 10_000;
const CALLS_WAITING_MAX: usize = 64;
const OPEN_WAIT: Duration = Duration::from_secs(30);
const CALL_WAIT: Duration = Duration::from_secs(if cfg!(test) { 2 } else { 15 });
const FLUSH_WAIT: Duration = Duration::from_secs(30);
/// Present while sled is being opened: found at a start, the start before did not survive it.
const OPENING: &str = "OPENING";

/// The engine cannot be relied on any more; what it held is in the ledger.
#[derive(Debug, thiserror::Error)]
pub enum EngineFault {
    #[error("sled says: {0}")]
    Engine(String),
    #[error("sled panicked: {0}")]
    Panicked(String),
    #[error("sled did not answer within {0:?}")]
    Hung(Duration),
    #[error("sled's thread is gone")]
    Gone,
    #[error("a value in it is not what was put there: {0}")]
    Damaged(String),
    #[error("could not read or write beside it")]
    Io(#[from] io::Error),
}

/// A package's state as it is kept.
#[derive(Serialize)]
struct Put<'s> {
    edition: u16,
    package: &'s PackageId,
    state: &'s PackageState,
}

#[derive(Deserialize)]
struct Got {
    edition: u16,
    package: PackageId,
    state: PackageState,
}

/// Handle to the engine's thread. Cheap to clone; the engine closes when the last one goes.
#[derive(Clone, Debug)]
pub struct Engine {
    calls: mpsc::SyncSender<Call>,
    values: Arc<Path>,
    /// Files that no value names any more, while what sled forgets when it is killed may bring the value back that did.
    superseded: Arc<Mutex<HashSet<DocumentDigest>>>,
    done: Arc<Mutex<mpsc::Receiver<()>>>,
}

struct Call {
    act: Act,
    answer: mpsc::SyncSender<Result<Option<Vec<u8>>, EngineFault>>,
}

enum Act {
    Get(Tree, Vec<u8>),
    /// Answers with the value before.
    Put(Tree, Vec<u8>, Vec<u8>),
    Flush,
    #[cfg(test)]
    Panic,
    #[cfg(test)]
    Hang,
}

#[derive(Clone, Copy)]
enum Tree {
    Packages,
    Notes,
}

impl Engine {
    /// Opens or makes the engine in `folder`. Whatever goes wrong is a fault; `folder` is then for the caller to set aside.
    pub fn open(folder: &Path) -> Result<Engine, EngineFault> {
        let values = folder.join("values");
        std::fs::create_dir_all(&values)?;
        let opening = folder.join(OPENING);
        if opening.exists() {
            return Err(EngineFault::Engine("the start before this one ended while it was being opened".to_owned()));
        }
        std::fs::write(&opening, b"")?;
        let (calls, waiting) = mpsc::sync_channel(CALLS_WAITING_MAX);
        let (opened, is_open) = mpsc::sync_channel(1);
        let (closed, done) = mpsc::sync_channel(1);
        let path = folder.join("sled");
        thread::Builder::new().name("sled".to_owned()).spawn(move || {
            serve(&path, &opened, &waiting);
            let _ = closed.send(());
        })?;
        match is_open.recv_timeout(OPEN_WAIT) {
            Ok(Ok(())) => {}
            Ok(Err(fault)) => return Err(fault),
            Err(RecvTimeoutError::Timeout) => return Err(EngineFault::Hung(OPEN_WAIT)),
            Err(RecvTimeoutError::Disconnected) => return Err(EngineFault::Gone),
        }
        std::fs::remove_file(&opening)?;
        Ok(Engine { calls, values: Arc::from(values), superseded: Arc::default(), done: Arc::new(Mutex::new(done)) })
    }

    /// Removes the files beside sled, when everything in it is put there again anyway. Before it is opened.
    pub fn clear_values(folder: &Path) -> io::Result<()> {
        match std::fs::remove_dir_all(folder.join("values")) {
            Err(fault) if fault.kind() != io::ErrorKind::NotFound => Err(fault),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// `None` when there is no value under the package's name.
    pub fn package(&self, package: &PackageId) -> Result<Option<PackageState>, EngineFault> {
        let Some(value) = self.call(Act::Get(Tree::Packages, key(package)), CALL_WAIT)? else {
            return Ok(None);
        };
        let damaged = |why: &dyn std::fmt::Display| EngineFault::Damaged(format!("{package}: {why}"));
        let packed = match Value::read(&value).ok_or_else(|| damaged(&"its form is unknown"))? {
            Value::Here(packed) => packed.to_vec(),
            Value::File(digest) => {
                let packed = std::fs::read(self.file(&digest))?;
                if DocumentDigest::of(&packed) != digest {
                    return Err(damaged(&"its file does not hash to its name"));
                }
                packed
            }
        };
        let text = unpack(&packed).map_err(|fault| damaged(&fault))?;
        let got: Got = serde_json::from_slice(&text).map_err(|fault| damaged(&fault))?;
        if got.package != *package || got.edition != projection::EDITION {
            return Err(damaged(&format!("it is of {} and edition {}", got.package, got.edition)));
        }
        Ok(Some(got.state))
    }

    pub fn put_package(&self, package: &PackageId, state: &PackageState) -> Result<(), EngineFault> {
        let text = serde_json::to_vec(&Put { edition: projection::EDITION, package, state })
            .map_err(|fault| EngineFault::Engine(fault.to_string()))?;
        let packed = pack(text);
        let value = if packed.len() <= VALUE_BYTES_MAX {
            Value::Here(&packed).write()
        } else {
            let digest = DocumentDigest::of(&packed);
            std::fs::write(self.file(&digest), &packed)?;
            self.superseded().remove(&digest);
            Value::File(digest).write()
        };
        let before = self.call(Act::Put(Tree::Packages, key(package), value.clone()), CALL_WAIT)?;
        if let Some(before) = before
            && before != value
            && let Some(Value::File(digest)) = Value::read(&before)
        {
            let mut superseded = self.superseded();
            if superseded.len() < SUPERSEDED_MAX {
                superseded.insert(digest);
            } else {
                self.remove(&digest);
            }
        }
        Ok(())
    }

    /// `None` also for a note that cannot be read: it is only a cache.
    pub fn note(&self, package: &PackageId) -> Result<Option<IndexNote>, EngineFault> {
        let value = self.call(Act::Get(Tree::Notes, key(package)), CALL_WAIT)?;
        Ok(value.and_then(|value| match Value::read(&value) {
            Some(Value::Here(text)) => serde_json::from_slice(text).ok(),
            Some(Value::File(_)) | None => None,
        }))
    }

    /// A note too large to be kept is not kept.
    pub fn put_note(&self, package: &PackageId, note: &IndexNote) -> Result<(), EngineFault> {
        match serde_json::to_vec(note) {
            Ok(text) if text.len() <= VALUE_BYTES_MAX => {
                self.call(Act::Put(Tree::Notes, key(package), Value::Here(&text).write()), CALL_WAIT).map(|_| ())
            }
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// What was put before outlives a kill; the machine going down it may not. Nobody puts meanwhile.
    pub fn flush(&self) -> Result<(), EngineFault> {
        self.call(Act::Flush, FLUSH_WAIT)?;
        for digest in self.superseded().drain() {
            self.remove(&digest);
        }
        Ok(())
    }

    fn superseded(&self) -> std::sync::MutexGuard<'_, HashSet<DocumentDigest>> {
        self.superseded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remove(&self, digest: &DocumentDigest) {
        // A file that stays behind costs room and nothing else.
        let _ = std::fs::remove_file(self.file(digest));
    }

    /// Closes the engine and waits until it has let go of its files, if this is the last handle.
    pub fn close(self) {
        let Engine { calls, values: _, superseded: _, done } = self;
        drop(calls);
        if let Some(done) = Arc::into_inner(done).and_then(|done| done.into_inner().ok()) {
            let _ = done.recv_timeout(CALL_WAIT);
        }
    }

    fn call(&self, act: Act, wait: Duration) -> Result<Option<Vec<u8>>, EngineFault> {
        let (answer, answered) = mpsc::sync_channel(1);
        match self.calls.try_send(Call { act, answer }) {
            Ok(()) => {}
            Err(mpsc::TrySendError::Disconnected(_)) => return Err(EngineFault::Gone),
            // So many callers wait at once only behind a call that does not end; one of them will say so.
            Err(mpsc::TrySendError::Full(call)) => self.calls.send(call).map_err(|_| EngineFault::Gone)?,
        }
        match answered.recv_timeout(wait) {
            Ok(result) => result,
            Err(RecvTimeoutError::Timeout) => Err(EngineFault::Hung(wait)),
            Err(RecvTimeoutError::Disconnected) => Err(EngineFault::Gone),
        }
    }

    fn file(&self, digest: &DocumentDigest) -> PathBuf {
        self.values.join(digest.hex())
    }

    #[cfg(test)]
    pub fn break_by_panic(&self) -> Result<(), EngineFault> {
        self.call(Act::Panic, CALL_WAIT).map(|_| ())
    }

    #[cfg(test)]
    pub fn break_by_hang(&self) -> Result<(), EngineFault> {
        self.call(Act::Hang, Duration::from_millis(50)).map(|_| ())
    }
}

struct Trees {
    db: ::sled::Db,
    packages: ::sled::Tree,
    notes: ::sled::Tree,
}

/// The engine's thread: opens, answers until every handle is gone or something breaks, closes.
fn serve(path: &Path, opened: &mpsc::SyncSender<Result<(), EngineFault>>, waiting: &mpsc::Receiver<Call>) {
    let trees = guarded(|| {
        let config = ::sled::Config::new()
            .path(path)
            .cache_capacity(CACHE_BYTES)
            .flush_every_ms(Some(FLUSH_EVERY_MILLIS))
            .print_profile_on_drop(false);
        let db = config.open()?;
        let packages = db.open_tree("packages")?;
        let notes = db.open_tree("notes")?;
        Ok(Trees { db, packages, notes })
    });
    let trees = match trees {
        Ok(trees) => trees,
        Err(fault) => {
            let _ = opened.send(Err(fault));
            return;
        }
    };
    if opened.send(Ok(())).is_err() {
        return;
    }
    while let Ok(call) = waiting.recv() {
        let result = guarded(|| match call.act {
            Act::Get(tree, key) => Ok(trees.tree(tree).get(key)?.map(|value| value.to_vec())),
            Act::Put(tree, key, value) => Ok(trees.tree(tree).insert(key, value)?.map(|value| value.to_vec())),
            Act::Flush => trees.db.flush().map(|_| None),
            #[cfg(test)]
            Act::Panic => panic!("as a test asked"),
            #[cfg(test)]
            Act::Hang => loop {
                thread::park();
            },
        });
        let broken = result.is_err();
        let _ = call.answer.send(result);
        if broken {
            break;
        }
    }
    // Closing can panic too, and then there is nobody left to tell.
    let _ = guarded(move || {
        drop(trees);
        Ok(())
    });
}

impl Trees {
    fn tree(&self, tree: Tree) -> &::sled::Tree {
        match tree {
            Tree::Packages => &self.packages,
            Tree::Notes => &self.notes,
        }
    }
}

fn guarded<T>(act: impl FnOnce() -> ::sled::Result<T>) -> Result<T, EngineFault> {
    match catch_unwind(AssertUnwindSafe(act)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(fault)) => Err(EngineFault::Engine(fault.to_string())),
        Err(panic) => Err(EngineFault::Panicked(words(&*panic))),
    }
}

fn words(panic: &(dyn Any + Send)) -> String {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(words), _) => (*words).to_owned(),
        (None, Some(words)) => words.clone(),
        (None, None) => "without words".to_owned(),
    }
}

fn key(package: &PackageId) -> Vec<u8> {
    package.to_string().into_bytes()
}
