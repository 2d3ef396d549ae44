//! Artifacts by digest, in two zones that are separate folders: quarantine, which nothing serves from, and approved.

use std::io;

use async_trait::async_trait;

use crate::model::digest::Digest;
use crate::model::digest::Verified;

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
}

#[async_trait]
pub trait Blobs: Send + Sync {
    /// Writes under a temporary name, syncs, renames, syncs the folder: it is there whole or not at all.
    async fn put(&self, zone: Zone, blob: &Verified) -> Result<(), BlobError>;

    /// Opened and hashed whole once in the life of the process; afterwards the same open file.
    async fn open(&self, zone: Zone, digest: &Digest) -> Result<Option<Verified>, BlobError>;

    /// Moves from quarantine to approved by rename and folder sync; fine if it is there already. `false` if it is in neither.
    async fn promote(&self, digest: &Digest) -> Result<bool, BlobError>;

    /// Moves back from approved to quarantine.
    async fn demote(&self, digest: &Digest) -> Result<(), BlobError>;

    /// Whether both zones can be written, for readiness; the reason if not.
    async fn health(&self) -> Result<(), String>;
}
