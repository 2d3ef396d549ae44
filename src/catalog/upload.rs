//! Bytes of a submission on their way in: hashed and written as they come, a few uploads at a time, and gone again unless
//! they are submitted.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::catalog::Catalog;
use crate::catalog::submit::SubmitError;
use crate::storage::blob;
use crate::storage::blob::BlobError;

/// Uploads under way at once, until what is submitted of them is recorded.
pub const UPLOADS_MAX: usize = 8;
/// Submissions that are looked into at once: their bytes are in memory then.
pub const EXAMINED_MAX: usize = 2;
/// Pieces that wait to be written.
const PIECES_WAITING_MAX: usize = 4;

/// Room for uploads and for what is looked into of them.
pub(super) struct Docks {
    places: Arc<Semaphore>,
    pub(super) tables: Semaphore,
}

impl Default for Docks {
    fn default() -> Docks {
        Docks { places: Arc::new(Semaphore::new(UPLOADS_MAX)), tables: Semaphore::new(EXAMINED_MAX) }
    }
}

/// An upload under way.
pub struct Upload {
    pieces: mpsc::Sender<Bytes>,
    writing: JoinHandle<Result<blob::Received, BlobError>>,
    place: OwnedSemaphorePermit,
}

/// Bytes that came in whole, not yet anybody's.
pub struct Received {
    pub(super) blob: blob::Received,
    pub(super) _place: OwnedSemaphorePermit,
}

impl Catalog {
    /// Begins an upload. What is written is gone when it, or what came of it, is dropped.
    pub async fn upload(&self) -> Result<Upload, SubmitError> {
        let place = Arc::clone(&self.docks.places).try_acquire_owned().map_err(|_| SubmitError::TooManyAtOnce)?;
        let mut receiving = self.quarantine.receive().await?;
        let (pieces, mut waiting) = mpsc::channel::<Bytes>(PIECES_WAITING_MAX);
        let writing = tokio::task::spawn_blocking(move || {
            while let Some(piece) = waiting.blocking_recv() {
                receiving.write(&piece)?;
            }
            Ok(receiving.finish())
        });
        Ok(Upload { pieces, writing, place })
    }
}

impl Upload {
    /// Waits while too much is not written yet.
    ///
    /// # Errors
    /// It cannot be written: `finish` says why.
    pub async fn write(&mut self, piece: Bytes) -> Result<(), Unwritten> {
        self.pieces.send(piece).await.map_err(|_| Unwritten)
    }

    pub async fn finish(self) -> Result<Received, SubmitError> {
        let Upload { pieces, writing, place } = self;
        drop(pieces);
        let blob = writing.await.map_err(|crash| BlobError::Incoming(std::io::Error::other(crash)))??;
        Ok(Received { blob, _place: place })
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unwritten;
