//! `CLEAN`: what a clean stop leaves behind. The summary as of the ledger's last record, so that the next start need not fold
//! the ledger. It is taken away when it is read, so that it is believed once.

use std::io;
use std::path::Path;
use std::path::PathBuf;

use serde::Deserialize;
use serde::Serialize;

use crate::model::digest::DocumentDigest;
use crate::storage::ledger::file::replace;
use crate::storage::ledger::file::sync_folder;
use crate::storage::ledger::read::Head;
use crate::storage::projection;
use crate::storage::summary::Summary;

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
    folder.join("CLEAN")
}

/// The SHA-256 of the text, a line end, the text.
pub fn write(folder: &Path, summary: &Summary, head: &Head) -> io::Result<()> {
    if summary.sequence != head.sequence {
        return Err(io::Error::other("not every record has taken effect"));
    }
    let text = serde_json::to_vec(&Put { edition: projection::EDITION, head: head.hash, summary })?;
    let mut bytes = DocumentDigest::of(&text).hex().into_bytes();
    bytes.push(b'\n');
    bytes.extend_from_slice(&text);
    replace(&path(folder), &bytes)
}

/// The summary and the hash of its last record; `None` when there is none to be believed.
pub fn take(folder: &Path) -> Option<(Summary, DocumentDigest)> {
    let path = path(folder);
    let bytes = std::fs::read(&path).ok()?;
    if let Err(fault) = std::fs::remove_file(&path).and_then(|()| sync_folder(folder)) {
        tracing::warn!(file = %path.display(), %fault, "could not be taken away, and so is not believed");
        return None;
    }
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
