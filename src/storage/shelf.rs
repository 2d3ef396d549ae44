//! What is known of packages, where requests read it: states in memory while they are hot or not yet put away, all others
//! in the engine. An engine that fails is set aside and filled again from the ledger, while nobody's answer changes.

mod checkpoint;
mod hot;
mod rebuild;

use std::collections::HashMap;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::RwLock;
use std::sync::RwLockReadGuard;
use std::sync::RwLockWriteGuard;

use quick_cache::sync::Cache;

use crate::model::package::PackageId;
use crate::storage::ledger::Ledger;
use crate::storage::projection;
use crate::storage::record::PackageState;
use crate::storage::record::Record;
use crate::storage::record::Sequence;
use crate::storage::shelf::hot::Hot;
use crate::storage::shelf::hot::hot;
use crate::storage::sled::Engine;
use crate::storage::sled::EngineFault;
use crate::storage::state::IndexNote;
use crate::storage::state::ReadError;
use crate::storage::summary::Summary;

/// States that the engine does not have yet; past it the writer puts them away itself before it goes on.
const PENDING_MAX: usize = 4_096;
const NOTES_MAX: usize = 20_000;
/// Faults of the engine that one call lives through before it gives up.
const RECOVERIES_MAX: u32 = 2;

pub struct Shelf {
    folder: PathBuf,
    ledger: Arc<Ledger>,
    /// Held for a moment only, and after `rack` where both are.
    summary: RwLock<Summary>,
    /// Held for reading while the engine is asked, for writing while a record takes effect: what is read under it is one snapshot.
    rack: RwLock<Rack>,
    /// One at a time puts states away, so that an older one never overtakes a newer. True once the clean stop is written down.
    putting: Mutex<bool>,
    hot: Hot,
    notes: Cache<PackageId, IndexNote>,
    #[cfg(test)]
    folded: u64,
}

struct Rack {
    /// `None` when not even a new one can be had: then everything is in `pending`.
    engine: Option<Engine>,
    /// Goes up with every engine that is taken.
    generation: u64,
    pending: HashMap<PackageId, Arc<PackageState>>,
    /// Neither engine nor ledger could be read: nothing can be answered.
    failed: Option<String>,
}

impl Shelf {
    /// Takes up what the last checkpoint left behind and folds what came after it, or folds the ledger anew.
    pub fn open(folder: &Path, ledger: Arc<Ledger>) -> Result<Shelf, ReadError> {
        let opened = rebuild::open(folder, &ledger)?;
        let rack = Rack { engine: opened.engine, generation: 0, pending: opened.pending, failed: None };
        Ok(Shelf {
            folder: folder.to_owned(),
            ledger,
            summary: RwLock::new(opened.summary),
            rack: RwLock::new(rack),
            putting: Mutex::new(false),
            hot: hot(),
            notes: Cache::new(NOTES_MAX),
            #[cfg(test)]
            folded: opened.folded,
        })
    }

    pub fn summary(&self) -> RwLockReadGuard<'_, Summary> {
        self.summary.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Memory only.
    pub fn hot(&self, package: &PackageId) -> Option<Arc<PackageState>> {
        self.hot.get(package)
    }

    pub fn package(&self, package: &PackageId) -> Result<Arc<PackageState>, ReadError> {
        self.recovering(|rack| {
            let known = self.summary().revision(package);
            let state = self.read(rack, package, known)?;
            if known != Sequence(0) {
                self.hot.insert(package.clone(), Arc::clone(&state));
            }
            Ok(state)
        })
    }

    /// One snapshot: no record takes effect while it is read. What is read stays no hotter than it was: whoever asks for pages
    /// walks over everything, and would fill memory with what nobody asks for next.
    pub fn packages(&self, after: Option<&PackageId>, limit: usize) -> Result<Vec<(PackageId, Arc<PackageState>)>, ReadError> {
        use std::ops::Bound;
        self.recovering(|rack| {
            let from = after.map_or(Bound::Unbounded, Bound::Excluded);
            let known: Vec<(PackageId, Sequence)> = {
                let summary = self.summary();
                summary.revisions.after(from).take(limit).map(|(package, revision)| (package.clone(), *revision)).collect()
            };
            let states = known.into_iter().map(|(package, revision)| {
                let state = self.read(rack, &package, revision)?;
                Ok((package, state))
            });
            states.collect()
        })
    }

    /// Lets durable records take effect, in order. Called by the one writer. An error means that they did not.
    pub fn apply(&self, records: &[Record]) -> Result<(), ReadError> {
        let mut changed: HashMap<PackageId, Arc<PackageState>> = HashMap::new();
        for record in records {
            for package in projection::packages(record) {
                let mut state = match changed.remove(package) {
                    Some(state) => state,
                    None => self.package(package)?,
                };
                projection::fold(Arc::make_mut(&mut state), package, record);
                changed.insert(package.clone(), state);
            }
        }
        let waiting = {
            let mut rack = self.rack_mut();
            let mut summary = self.summary.write().unwrap_or_else(PoisonError::into_inner);
            for (package, state) in changed {
                self.hot.insert(package.clone(), Arc::clone(&state));
                rack.pending.insert(package, state);
            }
            for record in records {
                summary.apply(record);
            }
            if rack.engine.is_some() { rack.pending.len() } else { 0 }
        };
        if waiting > PENDING_MAX {
            self.put_away();
        }
        Ok(())
    }

    /// Puts into the engine what it does not have yet.
    pub fn put_away(&self) {
        let _one_at_a_time = self.putting.lock().unwrap_or_else(PoisonError::into_inner);
        self.put_pending();
    }

    /// The caller is the one who puts.
    fn put_pending(&self) {
        let (engine, generation, pending) = {
            let rack = self.rack();
            let pending: Vec<_> = rack.pending.iter().map(|(package, state)| (package.clone(), Arc::clone(state))).collect();
            (rack.engine.clone(), rack.generation, pending)
        };
        let Some(engine) = engine else {
            return;
        };
        for (package, state) in &pending {
            if let Err(fault) = engine.put_package(package, state) {
                drop(engine);
                self.recover(generation, &fault);
                return;
            }
        }
        let mut rack = self.rack_mut();
        if rack.generation == generation {
            for (package, state) in pending {
                if rack.pending.get(&package).is_some_and(|newest| Arc::ptr_eq(newest, &state)) {
                    rack.pending.remove(&package);
                }
            }
        }
    }

    /// Memory only.
    pub fn hot_note(&self, package: &PackageId) -> Option<IndexNote> {
        self.notes.get(package)
    }

    pub fn note(&self, package: &PackageId) -> Option<IndexNote> {
        let (engine, generation) = self.engine()?;
        match engine.note(package) {
            Ok(note) => note.inspect(|note| self.notes.insert(package.clone(), note.clone())),
            Err(fault) => {
                drop(engine);
                self.recover(generation, &fault);
                None
            }
        }
    }

    /// Into memory at once.
    pub fn keep_note(&self, package: &PackageId, note: &IndexNote) {
        self.notes.insert(package.clone(), note.clone());
    }

    pub fn put_note(&self, package: &PackageId, note: &IndexNote) {
        if let Some((engine, generation)) = self.engine()
            && let Err(fault) = engine.put_note(package, note)
        {
            drop(engine);
            self.recover(generation, &fault);
        }
    }

    /// The reason if packages cannot be read.
    pub fn health(&self) -> Result<(), String> {
        match &self.rack().failed {
            Some(why) => Err(why.clone()),
            None => Ok(()),
        }
    }

    /// Writes down up to which record the engine holds everything, so that a start needs to fold only what is after it.
    /// `false` where it could not.
    pub fn checkpoint(&self) -> bool {
        let closed = self.putting.lock().unwrap_or_else(PoisonError::into_inner);
        // One after the clean stop was written down would say that Airlock runs.
        !*closed && self.checkpoint_alone()
    }

    fn checkpoint_alone(&self) -> bool {
        // Of what took effect by now nothing is left behind by the putting; what comes meanwhile makes the engine newer.
        let (summary, generation) = {
            let rack = self.rack();
            let summary = self.summary().clone();
            (summary, rack.generation)
        };
        self.put_pending();
        let Some((engine, of)) = self.engine().filter(|(_, of)| *of == generation) else {
            return false;
        };
        if let Err(fault) = engine.flush() {
            drop(engine);
            self.recover(of, &fault);
            return false;
        }
        let written = self.ledger.hash(summary.sequence).map_err(std::io::Error::other).and_then(|head| match head {
            Some(head) => {
                // Held, so that nobody sets aside meanwhile what it speaks of.
                let rack = self.rack();
                if rack.generation != generation {
                    return Err(std::io::Error::other("the projection was set aside meanwhile"));
                }
                checkpoint::write(&self.folder, &summary, head)
            }
            None => Err(std::io::Error::other("its record is not in the ledger")),
        });
        if let Err(fault) = &written {
            tracing::warn!(%fault, "could not write a checkpoint; the next start folds more of the ledger");
        }
        written.is_ok()
    }

    /// A last checkpoint, and that the stop was in order. Nothing may be applied any more.
    pub fn close(&self) {
        let mut closed = self.putting.lock().unwrap_or_else(PoisonError::into_inner);
        *closed = true;
        if self.checkpoint_alone()
            && let Err(fault) = checkpoint::stop(&self.folder)
        {
            tracing::warn!(%fault, "could not write down the clean stop");
        }
    }

    fn engine(&self) -> Option<(Engine, u64)> {
        let rack = self.rack();
        rack.engine.clone().map(|engine| (engine, rack.generation))
    }

    /// `known` is the revision the package has.
    fn read(&self, rack: &Rack, package: &PackageId, known: Sequence) -> Result<Arc<PackageState>, EngineFault> {
        if let Some(state) = rack.pending.get(package) {
            return Ok(Arc::clone(state));
        }
        if known == Sequence(0) {
            return Ok(Arc::default());
        }
        if let Some(state) = self.hot.get(package)
            && state.revision == known
        {
            return Ok(state);
        }
        let state = match &rack.engine {
            Some(engine) => engine.package(package)?,
            None => None,
        };
        match state {
            Some(state) if state.revision == known => Ok(Arc::new(state)),
            Some(state) => Err(EngineFault::Damaged(format!("{package} is as of {}, not {}", state.revision.0, known.0))),
            None => Err(EngineFault::Damaged(format!("{package} is missing"))),
        }
    }

    fn recovering<T>(&self, read: impl Fn(&Rack) -> Result<T, EngineFault>) -> Result<T, ReadError> {
        let mut recoveries = 0;
        loop {
            let (generation, fault) = {
                let rack = self.rack();
                if let Some(why) = &rack.failed {
                    return Err(ReadError::Damaged(why.clone()));
                }
                match read(&rack) {
                    Ok(value) => return Ok(value),
                    Err(fault) => (rack.generation, fault),
                }
            };
            if recoveries == RECOVERIES_MAX {
                return Err(ReadError::Damaged(fault.to_string()));
            }
            recoveries += 1;
            self.recover(generation, &fault);
        }
    }

    /// Sets the engine of that generation aside and folds everything that has taken effect into a new one. Readers wait.
    fn recover(&self, generation: u64, fault: &EngineFault) {
        let mut rack = self.rack_mut();
        if rack.generation != generation {
            return;
        }
        rack.generation += 1;
        tracing::error!(%fault, folder = %self.folder.display(), "the projection failed while running: it is set aside and built anew from the ledger");
        drop(rack.engine.take());
        let until = self.summary().sequence;
        match rebuild::anew(&self.folder, &self.ledger, until) {
            Ok(opened) => {
                rack.engine = opened.engine;
                rack.pending = opened.pending;
            }
            Err(fault) => {
                tracing::error!(%fault, "the projection could not be built anew: nothing can be answered until the next start");
                rack.failed = Some(fault.to_string());
            }
        }
    }

    fn rack(&self) -> RwLockReadGuard<'_, Rack> {
        self.rack.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn rack_mut(&self) -> RwLockWriteGuard<'_, Rack> {
        self.rack.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets what is kept in memory, so that the engine is asked.
    #[cfg(test)]
    pub fn cool(&self) {
        self.hot.clear();
    }

    /// Records that the opening folded.
    #[cfg(test)]
    pub fn folded(&self) -> u64 {
        self.folded
    }

    #[cfg(test)]
    pub fn is_in_memory(&self) -> bool {
        self.rack().engine.is_none()
    }

    #[cfg(test)]
    pub fn break_engine(&self, act: impl FnOnce(&Engine) -> Result<(), EngineFault>) {
        let (engine, _) = self.engine().unwrap();
        assert!(act(&engine).is_err());
    }
}

impl Drop for Shelf {
    fn drop(&mut self) {
        let engine = self.rack_mut().engine.take();
        if let Some(engine) = engine {
            engine.close();
        }
    }
}
