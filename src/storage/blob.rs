//! Artifacts by digest, in two zones that are separate folders: quarantine, which nothing serves from, and approved.

use std::io;

use async_trait::async_trait;

use crate::model::digest::Digest;
use crate::model::digest::Verified;
use crate::model::release::ReleaseId;

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
