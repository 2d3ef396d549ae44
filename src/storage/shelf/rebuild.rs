//! Folding the ledger into an engine: what is after a checkpoint, or all of it.

use std::collections::HashMap;
use std::collections::HashSet;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use crate::model::package::PackageId;
use crate::storage::ledger::Ledger;
use crate::storage::projection;
use crate::storage::record::PackageState;
use crate::storage::record::Record;
use crate::storage::record::Sequence;
use crate::storage::shelf::checkpoint;
use crate::storage::sled::Engine;
use crate::storage::sled::EngineFault;
use crate::storage::state::ReadError;
use crate::storage::summary::Summary;

/// Ledger bytes folded into memory before it is put away: about ten times as much memory.
const FOLDED_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Folders set aside that are kept for people to look at.
const ASIDE_MAX: usize = 2;

pub struct Opened {
    pub engine: Option<Engine>,
    pub summary: Summary,
    pub pending: HashMap<PackageId, Arc<PackageState>>,
    /// Records that were folded.
    pub folded: u64,
}

/// At start. Nothing the engine says is believed without the ledger's word for it.
pub fn open(folder: &Path, ledger: &Ledger) -> Result<Opened, ReadError> {
    let began = Instant::now();
    let until = ledger.head().sequence;
    let checkpoint = std::fs::create_dir_all(folder).ok().and_then(|()| checkpoint::take_up(folder));
    let checkpoint = match checkpoint {
        Some((summary, head)) if summary.sequence <= until && ledger.hash(summary.sequence)? == Some(head) => Some(summary),
        Some(_) => {
            tracing::warn!("the projection's checkpoint is not of this ledger: it is built anew");
            None
        }
        None => None,
    };
    if checkpoint.is_none()
        && let Err(fault) = Engine::clear_values(folder)
    {
        tracing::warn!(%fault, "old values could not be removed");
    }
    match Engine::open(folder) {
        Ok(engine) => {
            let summary = checkpoint.unwrap_or_default();
            match fold(ledger, Some(engine), summary, until) {
                Ok(opened) => {
                    let packages = opened.summary.revisions.count();
                    tracing::info!(records = until.0, folded = opened.folded, packages, elapsed = ?began.elapsed(), "the projection is open");
                    Ok(opened)
                }
                Err(FoldError::Read(fault)) => Err(fault),
                Err(FoldError::Engine(fault)) => {
                    tracing::error!(%fault, "the projection failed at start: it is set aside and built anew from the ledger");
                    anew(folder, ledger, until)
                }
            }
        }
        Err(fault) => {
            tracing::error!(%fault, "the projection cannot be opened: it is set aside and built anew from the ledger");
            anew(folder, ledger, until)
        }
    }
}

/// Sets `folder` aside and folds everything up to `until` into a new engine there; without one, into memory.
pub fn anew(folder: &Path, ledger: &Ledger, until: Sequence) -> Result<Opened, ReadError> {
    let began = Instant::now();
    let fresh = set_aside(folder).map_err(EngineFault::Io).and_then(|()| {
        std::fs::create_dir_all(folder)?;
        Engine::open(folder)
    });
    let folded = match fresh {
        Ok(engine) => fold(ledger, Some(engine), Summary::default(), until),
        Err(fault) => Err(FoldError::Engine(fault)),
    };
    let opened = match folded {
        Ok(opened) => opened,
        Err(FoldError::Read(fault)) => return Err(fault),
        Err(FoldError::Engine(fault)) => {
            tracing::error!(%fault, "no new projection can be had on disk: everything is kept in memory until the next start");
            match fold(ledger, None, Summary::default(), until) {
                Ok(opened) => opened,
                Err(FoldError::Read(fault)) => return Err(fault),
                Err(FoldError::Engine(fault)) => return Err(ReadError::Damaged(fault.to_string())),
            }
        }
    };
    tracing::warn!(records = until.0, elapsed = ?began.elapsed(), "the projection was built anew");
    Ok(opened)
}

enum FoldError {
    Read(ReadError),
    Engine(EngineFault),
}

/// Folds what is after `summary`, whose packages the engine holds, up to `until`. Some of them it may hold as of a later
/// record: it was told of changes after the checkpoint, and perhaps not of all.
fn fold(ledger: &Ledger, engine: Option<Engine>, summary: Summary, until: Sequence) -> Result<Opened, FoldError> {
    let after = summary.sequence;
    let mut opened = Opened { engine, summary, pending: HashMap::new(), folded: 0 };
    let mut ahead = HashSet::new();
    let mut folded_bytes = 0;
    let mut engine_fault = None;
    let walked = ledger.replay(after, until, &mut |record, bytes| {
        folded_bytes += bytes;
        opened.folded += 1;
        let mut step = opened.apply(&record, &mut ahead);
        if step.is_ok() && folded_bytes > FOLDED_BYTES_MAX && opened.engine.is_some() {
            folded_bytes = 0;
            step = opened.put_away();
        }
        step.map_err(|fault| {
            engine_fault = Some(fault);
            ReadError::Damaged("the engine failed".to_owned())
        })
    });
    match (walked, engine_fault) {
        (_, Some(fault)) => Err(FoldError::Engine(fault)),
        (Err(fault), None) => Err(FoldError::Read(fault)),
        (Ok(()), None) if !ahead.is_empty() => {
            Err(FoldError::Engine(EngineFault::Damaged("it holds packages as of records that are not theirs".to_owned())))
        }
        (Ok(()), None) => {
            opened.put_away().map_err(FoldError::Engine)?;
            Ok(opened)
        }
    }
}

impl Opened {
    /// `ahead`: packages that the engine held as of a later record than was come to, until that record is come to.
    fn apply(&mut self, record: &Record, ahead: &mut HashSet<PackageId>) -> Result<(), EngineFault> {
        for package in projection::packages(record) {
            if !self.pending.contains_key(package) {
                let state = self.held(package)?;
                if state.revision > self.summary.revision(package) {
                    ahead.insert(package.clone());
                }
                self.pending.insert(package.clone(), Arc::new(state));
            }
            let Some(state) = self.pending.get_mut(package) else { continue };
            if !ahead.contains(package) {
                projection::fold(Arc::make_mut(state), package, record);
            } else if state.revision == record.sequence {
                ahead.remove(package);
            } else if state.revision < record.sequence {
                return Err(EngineFault::Damaged(format!("{package} is as of record {}, which is not its own", state.revision.0)));
            }
        }
        self.summary.apply(record);
        Ok(())
    }

    fn held(&self, package: &PackageId) -> Result<PackageState, EngineFault> {
        let known = self.summary.revision(package);
        if known == Sequence(0) {
            return Ok(PackageState::default());
        }
        let held = match &self.engine {
            Some(engine) => engine.package(package)?,
            None => None,
        };
        match held {
            Some(state) if state.revision >= known => Ok(state),
            Some(_) | None => Err(EngineFault::Damaged(format!("{package} is not as of record {} or later", known.0))),
        }
    }

    /// Does nothing without an engine.
    fn put_away(&mut self) -> Result<(), EngineFault> {
        if let Some(engine) = &self.engine {
            for (package, state) in self.pending.drain() {
                engine.put_package(&package, &state)?;
            }
        }
        Ok(())
    }
}

/// Renames `folder` to `<folder>.set-aside-<n>` and removes the oldest of those that are too many.
fn set_aside(folder: &Path) -> io::Result<()> {
    let prefix = format!("{}.set-aside-", folder.file_name().and_then(|name| name.to_str()).unwrap_or_default());
    let parent = folder.parent().unwrap_or(Path::new("."));
    let mut aside: Vec<(u64, PathBuf)> = Vec::new();
    for entry in std::fs::read_dir(parent)? {
        let path = entry?.path();
        let number = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_prefix(&prefix)?.parse().ok());
        if let Some(number) = number {
            aside.push((number, path));
        }
    }
    aside.sort();
    let next = aside.last().map_or(1, |(number, _)| number.saturating_add(1));
    let to = parent.join(format!("{prefix}{next}"));
    match std::fs::rename(folder, &to) {
        Ok(()) => tracing::error!(to = %to.display(), "the failed projection was set aside; remove it once it was looked at"),
        Err(absent) if absent.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(fault) => return Err(fault),
    }
    let too_many = (aside.len() + 1).saturating_sub(ASIDE_MAX);
    for (_, path) in aside.into_iter().take(too_many) {
        std::fs::remove_dir_all(&path)?;
    }
    Ok(())
}
