//! `HEAD`: how far the ledger was known to reach when it was last opened, closed or grew by a segment. A torn tail never
//! reaches behind it, so an end that is missing is told from one that was never acknowledged.

use std::io;
use std::path::Path;
use std::path::PathBuf;

use serde::Deserialize;
use serde::Serialize;

use crate::model::digest::DocumentDigest;
use crate::storage::ledger::file::replace;
use crate::storage::ledger::read::Head;
use crate::storage::record::Sequence;

#[derive(Serialize, Deserialize)]
struct Line {
    sequence: Sequence,
    hash: DocumentDigest,
}

pub fn path(folder: &Path) -> PathBuf {
    folder.join("HEAD")
}

/// `None` when there is none, or none that can be read, which is said in the log.
pub fn read(folder: &Path) -> Option<Head> {
    let path = path(folder);
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(absent) if absent.kind() == io::ErrorKind::NotFound => return None,
        Err(fault) => {
            tracing::warn!(file = %path.display(), %fault, "cannot be read; the ledger is proved without it");
            return None;
        }
    };
    match serde_json::from_slice::<Line>(&text) {
        Ok(line) => Some(Head { sequence: line.sequence, hash: line.hash }),
        Err(fault) => {
            tracing::warn!(file = %path.display(), %fault, "cannot be read; the ledger is proved without it");
            None
        }
    }
}

pub fn write(folder: &Path, head: &Head) -> io::Result<()> {
    let line = serde_json::to_vec(&Line { sequence: head.sequence, hash: head.hash })?;
    replace(&path(folder), &line)
}
