//! Artifacts by digest, in two zones that are separate folders: quarantine, which nothing serves from, and approved.

use std::fs::File;
use std::io;
use std::path::Path;
use std::path::PathBuf;

use async_trait::async_trait;

use crate::model::digest::Digest;
use crate::model::digest::Measuring;
use crate::model::digest::Verified;
use crate::model::release::ReleaseId;
use crate::storage::ledger::file::is_full;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Zone {
    Quarantine,
    Approved,
}

#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    #[error("the disk is full: free space on {path} and try again")]
    DiskFull { path: String },
    #[error("could not read or write the blob {digest}")]
    Io {
        digest: Box<Digest>,
        #[source]
        source: io::Error,
    },
    /// Bytes that come in could not be written.
    #[error("could not write what comes in")]
    Incoming(#[source] io::Error),
    /// What lies there does not hash to its name. It was set aside, never served.
    #[error("the blob {digest} is damaged and was set aside")]
    Damaged { digest: Box<Digest> },
    /// It was published here, so that nobody else has it.
    #[error("the only copy of {release}'s bytes is gone: restore the artifacts from a backup")]
    Lost { release: Box<ReleaseId> },
}

#[async_trait]
pub trait Blobs: Send + Sync {
    /// Writes under a temporary name and renames: it is there whole or not at all, and a crash of the process takes nothing
    /// away. It is put down on the disk within seconds; what a power cut takes before has to be fetched again.
    async fn put(&self, zone: Zone, blob: &Verified) -> Result<(), BlobError>;

    /// Room for bytes whose digest nobody knows yet. A crash leaves nothing of them.
    async fn receive(&self) -> Result<Receiving, BlobError>;

    /// Puts what was received into quarantine under its digest, without copying it. Down on the disk when it returns: of what
    /// is published here nobody else has a copy.
    async fn keep(&self, received: Received) -> Result<Kept, BlobError>;

    /// Takes back what was kept as new just now, from quarantine only.
    async fn discard(&self, digest: &Digest) -> Result<(), BlobError>;

    /// Opened and hashed whole once in the life of the process; afterwards the same open file.
    async fn open(&self, zone: Zone, digest: &Digest) -> Result<Option<Verified>, BlobError>;

    /// Opens the approved copy as [`Blobs::open`] does, after moving it there from quarantine if need be. `None` if it is
    /// in neither.
    async fn promote(&self, digest: &Digest) -> Result<Option<Verified>, BlobError>;

    /// Moves back from approved to quarantine.
    async fn demote(&self, digest: &Digest) -> Result<(), BlobError>;

    /// Whether both zones can be written, for readiness; the reason if not.
    async fn health(&self) -> Result<(), String>;

    /// Returns when everything that was put is down on the disk. What is put afterwards may not be.
    async fn close(&self);
}

/// A file without a name that anybody asks for. It is removed when this is dropped, unless it was moved away before.
#[derive(Debug)]
pub struct Unfinished(PathBuf);

impl Unfinished {
    pub const fn at(path: PathBuf) -> Unfinished {
        Unfinished(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        match std::fs::remove_file(&self.0) {
            Err(fault) if fault.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(%fault, "what was left unfinished could not be removed; the next start removes it");
            }
            Ok(()) | Err(_) => {}
        }
    }
}

/// Bytes on their way in, hashed as they come. Dropped, nothing is left of them.
pub struct Receiving {
    measuring: Measuring,
    place: Unfinished,
}

impl Receiving {
    /// `file` lies at `place`, is empty, and is open for reading and writing.
    pub fn new(file: File, place: Unfinished) -> Receiving {
        Receiving { measuring: Measuring::new(file), place }
    }

    /// Blocks.
    pub fn write(&mut self, piece: &[u8]) -> Result<(), BlobError> {
        self.measuring.write(piece).map_err(|fault| {
            if is_full(&fault) {
                let folder = self.place.path().parent().unwrap_or(self.place.path());
                return BlobError::DiskFull { path: folder.display().to_string() };
            }
            BlobError::Incoming(fault)
        })
    }

    pub fn finish(self) -> Received {
        let (content, sha1) = self.measuring.finish();
        Received { content, sha1, place: self.place }
    }
}

/// Whether anybody had those bytes before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kept {
    /// Nobody: nothing refers to them yet.
    New,
    /// They were here, in one zone or the other, or were here once and are damaged.
    Already,
}

/// Bytes that came in whole. Dropped, nothing is left of them: who wants them to stay has them kept.
#[derive(Debug)]
pub struct Received {
    pub content: Verified,
    /// 40 lower-case hexadecimal digits.
    pub sha1: String,
    pub place: Unfinished,
}
