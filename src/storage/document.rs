//! Large documents as files named by their digest: caches of what upstream said, lost without harm.

use std::io;

use async_trait::async_trait;
use bytes::Bytes;

use crate::model::digest::DocumentDigest;

#[async_trait]
pub trait Documents: Send + Sync {
    /// Whole or not at all, but not synced: a document can be had again. Blocks, so that who made the document off the
    /// serving threads keeps it there too.
    fn put(&self, document: &[u8]) -> io::Result<DocumentDigest>;

    /// `None` when it is not there or does not hash to its name any more.
    async fn get(&self, digest: &DocumentDigest) -> io::Result<Option<Bytes>>;

    /// Fine if it is not there.
    async fn remove(&self, digest: &DocumentDigest) -> io::Result<()>;
}
