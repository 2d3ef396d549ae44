//! What is sent while it is being made: a thread writes it, piece by piece, and waits while nobody takes the pieces.

use std::io;
use std::io::Write;
use std::thread::JoinHandle;

use bytes::Bytes;
use bytes::BytesMut;
use tokio::sync::mpsc;

/// On their way.
const WAITING_MAX: usize = 4;
const PIECE_BYTES: usize = 64 * 1_024;

/// What the thread writes to.
pub struct Pieces {
    sender: mpsc::Sender<io::Result<Bytes>>,
    piece: BytesMut,
}

impl Pieces {
    /// The pieces, and the thread, which says whether all was written.
    pub fn written_by(
        write: impl FnOnce(&mut Pieces) -> io::Result<()> + Send + 'static,
    ) -> (JoinHandle<io::Result<()>>, mpsc::Receiver<io::Result<Bytes>>) {
        let (sender, waiting) = mpsc::channel(WAITING_MAX);
        let writing = std::thread::spawn(move || {
            let mut pieces = Pieces { sender, piece: BytesMut::new() };
            let written = write(&mut pieces).and_then(|()| pieces.flush());
            if let Err(error) = &written {
                // So that the request breaks off instead of ending early; nobody may be there to hear it.
                let _ = pieces.sender.blocking_send(Err(io::Error::from(error.kind())));
            }
            written
        });
        (writing, waiting)
    }
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.piece.extend_from_slice(bytes);
        if self.piece.len() >= PIECE_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        self.sender.blocking_send(Ok(self.piece.split().freeze())).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}
