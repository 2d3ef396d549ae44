//! Segments: files named by their first sequence, each a magic line and then frames, read from front to end.

use std::fs::File;
use std::io;
use std::io::BufReader;
use std::io::Read;
use std::io::Seek;
use std::io::SeekFrom;
use std::path::Path;
use std::path::PathBuf;

use crate::storage::ledger::frame::FrameFault;
use crate::storage::ledger::frame::HEADER_BYTES;
use crate::storage::ledger::frame::Header;
use crate::storage::record::Sequence;

/// The first bytes of every segment.
pub const MAGIC: &[u8; 16] = b"airlock ledger1\n";
pub const EXTENSION: &str = "seg";
/// Of a segment that is being made.
pub const UNFINISHED: &str = "seg-new";
const BUFFER_BYTES: usize = 256 * 1024;

pub fn path(folder: &Path, first: Sequence) -> PathBuf {
    folder.join(format!("{:020}.{EXTENSION}", first.0))
}

/// All segments by first sequence, oldest first.
pub fn list(folder: &Path) -> io::Result<Vec<(Sequence, PathBuf)>> {
    let mut segments = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == EXTENSION) {
            let first = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
            match first {
                Some(first) => segments.push((Sequence(first), path)),
                None => return Err(io::Error::other(format!("{} is not named like a segment", path.display()))),
            }
        }
    }
    segments.sort();
    Ok(segments)
}

/// Removes what a crash left of segments that were being made. Only before there is a writer.
pub fn clear_unfinished(folder: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == UNFINISHED) {
            std::fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// What one step of reading came to.
pub enum Step {
    /// A whole frame; its bytes are in [`Frames::frame`].
    Frame(Header),
    End,
    /// From [`Frames::offset`] on the bytes are no frame.
    Fault(FrameFault),
}

/// Reads frames one after the other.
pub struct Frames {
    file: BufReader<File>,
    offset: u64,
    next_offset: u64,
    end: u64,
    frame: Vec<u8>,
}

impl Frames {
    /// From the first frame. `Err(None)` when the file does not begin like a segment.
    pub fn first(path: &Path) -> Result<Frames, Option<io::Error>> {
        let mut file = File::open(path).map_err(Some)?;
        let mut magic = [0; MAGIC.len()];
        match file.read_exact(&mut magic) {
            Ok(()) if &magic == MAGIC => {}
            Ok(()) => return Err(None),
            Err(short) if short.kind() == io::ErrorKind::UnexpectedEof => return Err(None),
            Err(other) => return Err(Some(other)),
        }
        let end = file.metadata().map_err(Some)?.len();
        let start = MAGIC.len() as u64;
        Ok(Frames { file: BufReader::with_capacity(BUFFER_BYTES, file), offset: start, next_offset: start, end, frame: Vec::new() })
    }

    /// From the frame that begins at `offset`; nothing at or past `end` is looked at.
    pub fn at(path: &Path, offset: u64, end: u64) -> io::Result<Frames> {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(offset))?;
        let end = end.min(file.metadata()?.len());
        Ok(Frames { file: BufReader::with_capacity(BUFFER_BYTES, file), offset, next_offset: offset, end, frame: Vec::new() })
    }

    /// Where the last step's frame or fault begins.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Where the next frame begins: the length of what is sound.
    pub fn next_offset(&self) -> u64 {
        self.next_offset
    }

    /// Length of the file in bytes when it was opened.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// The last step's frame, header and payload.
    pub fn frame(&self) -> &[u8] {
        &self.frame
    }

    pub fn step(&mut self) -> io::Result<Step> {
        self.offset = self.next_offset;
        let left = self.end.saturating_sub(self.offset);
        if left == 0 {
            return Ok(Step::End);
        }
        if left < HEADER_BYTES as u64 {
            return Ok(Step::Fault(FrameFault::Short));
        }
        let mut bytes = [0; HEADER_BYTES];
        self.file.read_exact(&mut bytes)?;
        let header = match Header::read(&bytes) {
            Ok(header) => header,
            Err(fault) => return Ok(Step::Fault(fault)),
        };
        if left < (HEADER_BYTES + header.length) as u64 {
            return Ok(Step::Fault(FrameFault::Short));
        }
        self.frame.clear();
        self.frame.extend_from_slice(&bytes);
        self.frame.resize(HEADER_BYTES + header.length, 0);
        self.file.read_exact(&mut self.frame[HEADER_BYTES..])?;
        if let Err(fault) = header.check(&self.frame) {
            return Ok(Step::Fault(fault));
        }
        self.next_offset = self.offset + self.frame.len() as u64;
        Ok(Step::Frame(header))
    }
}
