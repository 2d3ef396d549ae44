//! `CHECKPOINT`: the summary as of a record up to which the engine holds everything, so that a start folds only what is
//! after it. `RUNNING`: in which life of the machine an Airlock runs on it. What a killed process wrote is whole; what a
//! machine that went down had not synced is not, and the engine syncs nothing: then no checkpoint is believed.

use std::io;
use std::path::Path;
use std::path::PathBuf;

use serde::Deserialize;
use serde::Serialize;

use crate::model::digest::DocumentDigest;
use crate::storage::ledger::file::replace;
use crate::storage::ledger::file::sync_folder;
use crate::storage::projection;
use crate::storage::summary::Summary;

/// Another one after every start of the machine. Source: random(4). Elsewhere than on Linux there is none, and every stop
/// that was not in order counts as the machine's.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

#[derive(Serialize)]
struct Put<'s> {
    edition: u16,
    head: DocumentDigest,
    summary: &'s Summary,
}

#[derive(Deserialize)]
struct Got {
    edition: u16,
    head: DocumentDigest,
    summary: Summary,
}

fn path(folder: &Path) -> PathBuf {
    folder.join("CHECKPOINT")
}

fn running(folder: &Path) -> PathBuf {
    folder.join("RUNNING")
}

/// The SHA-256 of the text, a line end, the text. `head` is the hash of the summary's record.
pub fn write(folder: &Path, summary: &Summary, head: DocumentDigest) -> io::Result<()> {
    // First: a checkpoint without it is believed whatever becomes of the machine.
    mark(folder)?;
    let text = serde_json::to_vec(&Put { edition: projection::EDITION, head, summary })?;
    let mut bytes = DocumentDigest::of(&text).hex().into_bytes();
    bytes.push(b'\n');
    bytes.extend_from_slice(&text);
    replace(&path(folder), &bytes)
}

/// Writes down that everything is in order, behind the last checkpoint: first the engine's files, which it does not sync.
pub fn stop(folder: &Path) -> io::Result<()> {
    sync_below(folder)?;
    match std::fs::remove_file(running(folder)) {
        Err(fault) if fault.kind() != io::ErrorKind::NotFound => Err(fault),
        Ok(()) | Err(_) => sync_folder(folder),
    }
}

fn sync_below(folder: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        match entry.file_type()? {
            kind if kind.is_dir() => sync_below(&entry.path())?,
            kind if kind.is_file() => std::fs::File::open(entry.path())?.sync_all()?,
            _ => {}
        }
    }
    sync_folder(folder)
}

/// The summary and the hash of its last record, `None` when there is none to be believed; and marks that Airlock runs.
pub fn take_up(folder: &Path) -> Option<(Summary, DocumentDigest)> {
    let believed = if is_whole(folder) { read(folder) } else { None };
    // What is not believed now would be after a kill, once the folder is marked.
    let marked = if believed.is_some() { mark(folder) } else { take_away(folder).and_then(|()| mark(folder)) };
    if let Err(fault) = marked {
        tracing::warn!(folder = %folder.display(), %fault, "could not be marked as running: a checkpoint is believed once at most");
        if let Err(fault) = take_away(folder) {
            tracing::warn!(folder = %folder.display(), %fault, "the checkpoint could not be taken away, and so is not believed");
            return None;
        }
    }
    believed
}

fn take_away(folder: &Path) -> io::Result<()> {
    match std::fs::remove_file(path(folder)) {
        Err(absent) if absent.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(fault) => Err(fault),
        Ok(()) => sync_folder(folder),
    }
}

/// Whether Airlock stopped in order, or was killed while the machine ran on.
fn is_whole(folder: &Path) -> bool {
    match std::fs::read(running(folder)) {
        Err(absent) => absent.kind() == io::ErrorKind::NotFound,
        Ok(then) => boot().is_some_and(|now| then == now),
    }
}

fn mark(folder: &Path) -> io::Result<()> {
    let boot = boot().unwrap_or_else(|| b"unknown".to_vec());
    let path = running(folder);
    match std::fs::read(&path) {
        Ok(marked) if marked == boot => Ok(()),
        Ok(_) | Err(_) => replace(&path, &boot),
    }
}

fn boot() -> Option<Vec<u8>> {
    std::fs::read(BOOT_ID).ok().filter(|id| !id.is_empty())
}

fn read(folder: &Path) -> Option<(Summary, DocumentDigest)> {
    let path = path(folder);
    let bytes = std::fs::read(&path).ok()?;
    let read = || {
        let (digest, text) = bytes.split_at_checked(64)?;
        let text = text.strip_prefix(b"\n")?;
        if DocumentDigest::of(text).hex().as_bytes() != digest {
            return None;
        }
        serde_json::from_slice::<Got>(text).ok()
    };
    let got = read();
    if got.is_none() {
        tracing::warn!(file = %path.display(), "is damaged; the ledger is folded anew");
    }
    got.filter(|got| got.edition == projection::EDITION).map(|got| (got.summary, got.head))
}
