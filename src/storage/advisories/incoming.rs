//! What is being brought, on its way to a file: a few pieces wait in memory while one is written. Gone again when it is dropped.

use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::storage::advisories::bundle::BYTES_MAX;
use crate::storage::advisories::create;

/// Pieces that wait to be written.
const PIECES_WAITING_MAX: usize = 4;

#[derive(Debug)]
pub struct Incoming {
    path: PathBuf,
    pieces: Option<mpsc::Sender<Bytes>>,
    writing: Option<JoinHandle<io::Result<()>>>,
}

impl Incoming {
    pub(super) fn new(path: PathBuf) -> Incoming {
        let (pieces, mut waiting) = mpsc::channel::<Bytes>(PIECES_WAITING_MAX);
        let to = path.clone();
        let writing = tokio::task::spawn_blocking(move || {
            let mut file = create(&to)?;
            let mut left = BYTES_MAX;
            while let Some(piece) = waiting.blocking_recv() {
                let too_large = || io::Error::new(io::ErrorKind::FileTooLarge, format!("it is larger than {BYTES_MAX} bytes"));
                left = left.checked_sub(piece.len() as u64).ok_or_else(too_large)?;
                file.write_all(&piece)?;
            }
            Ok(())
        });
        Incoming { path, pieces: Some(pieces), writing: Some(writing) }
    }

    /// For who brings it. It errs when the file cannot be written: [`Incoming::finish`] says why.
    pub fn pieces(&self) -> Option<mpsc::Sender<Bytes>> {
        self.pieces.clone()
    }

    /// All that was brought is in the file when this returns. Whoever was given [`Incoming::pieces`] has let go of them.
    pub async fn finish(&mut self) -> io::Result<()> {
        self.pieces = None;
        match self.writing.take() {
            Some(writing) => writing.await.map_err(io::Error::other)?,
            None => Ok(()),
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        // What is left, because it was not finished, goes at the next start.
        let _ = std::fs::remove_file(&self.path);
    }
}
