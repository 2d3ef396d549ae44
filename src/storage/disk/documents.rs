//! Documents on disk. Not synced: a damaged or missing one is as if it had never been there.

use std::io;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::task::spawn_blocking;

use crate::model::digest::DocumentDigest;
use crate::storage::disk::files::Shards;
use crate::storage::document::Documents;

#[derive(Debug)]
pub struct DiskDocuments(Arc<Shards>);

impl DiskDocuments {
    /// In `<data_dir>/documents`. Blocks.
    pub fn open(data_dir: &Path) -> io::Result<DiskDocuments> {
        Ok(DiskDocuments(Arc::new(Shards::open(data_dir.join("documents"))?)))
    }
}

#[async_trait]
impl Documents for DiskDocuments {
    fn put(&self, document: &[u8]) -> io::Result<DocumentDigest> {
        let digest = DocumentDigest::of(document);
        self.0.write(&digest.hex(), |mut file| file.write_all(document))?;
        Ok(digest)
    }

    async fn get(&self, digest: &DocumentDigest) -> io::Result<Option<Bytes>> {
        let shards = Arc::clone(&self.0);
        let digest = *digest;
        let got = spawn_blocking(move || {
            let path = shards.path(&digest.hex());
            let document = match std::fs::read(&path) {
                Ok(document) => document,
                Err(absent) if absent.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(fault) => return Err(fault),
            };
            if DocumentDigest::of(&document) != digest {
                tracing::warn!(file = %path.display(), "a document does not hash to its name, and counts as missing");
                return Ok(None);
            }
            Ok(Some(Bytes::from(document)))
        });
        got.await.map_err(io::Error::other)?
    }

    async fn remove(&self, digest: &DocumentDigest) -> io::Result<()> {
        let shards = Arc::clone(&self.0);
        let digest = *digest;
        let removed = spawn_blocking(move || match std::fs::remove_file(shards.path(&digest.hex())) {
            Err(fault) if fault.kind() != io::ErrorKind::NotFound => Err(fault),
            Ok(()) | Err(_) => Ok(()),
        });
        removed.await.map_err(io::Error::other)?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_document_is_there_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let documents = DiskDocuments::open(folder.path()).unwrap();
        let digest = documents.put(b"index").unwrap();
        assert_eq!(documents.get(&digest).await.unwrap().unwrap(), "index");
        assert_eq!(documents.get(&DocumentDigest::of(b"other")).await.unwrap(), None);
        let path = documents.0.path(&digest.hex());
        std::fs::write(&path, "inde").unwrap();
        assert_eq!(documents.get(&digest).await.unwrap(), None);
        documents.put(b"index").unwrap();
        assert!(documents.get(&digest).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn a_document_that_is_removed_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let documents = DiskDocuments::open(folder.path()).unwrap();
        let digest = documents.put(b"index").unwrap();
        documents.remove(&digest).await.unwrap();
        assert!(!documents.0.path(&digest.hex()).exists());
        documents.remove(&digest).await.unwrap();
        assert_eq!(documents.get(&digest).await.unwrap(), None);
    }
}
