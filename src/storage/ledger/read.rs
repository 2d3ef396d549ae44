//! Proving the chain from the first byte to the last: at open, where a torn tail may be cut, and on demand, where not.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::path::PathBuf;

use crate::model::digest::DocumentDigest;
use crate::storage::ledger::frame;
use crate::storage::ledger::frame::FrameFault;
use crate::storage::ledger::frame::Header;
use crate::storage::ledger::segment::Frames;
use crate::storage::ledger::segment::Step;
use crate::storage::record::Sequence;

/// The last record of a chain and its hash.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Head {
    pub sequence: Sequence,
    pub hash: DocumentDigest,
}

impl Head {
    /// Before the first record.
    pub const NONE: Head = Head { sequence: Sequence(0), hash: frame::GENESIS };
}

/// Where and why the chain breaks.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    #[error("{} at byte {offset}, after record {}: {why}", file.display(), after.0)]
    Broken { after: Sequence, file: PathBuf, offset: u64, why: String },
    #[error("could not read {}", file.display())]
    Io {
        file: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// A segment as far as it is sound.
#[derive(Clone, Debug)]
pub struct Segment {
    pub first: Sequence,
    pub path: PathBuf,
    /// Length in bytes.
    pub length: u64,
    /// Every so many records, where one begins.
    pub marks: Vec<(Sequence, u64)>,
}

impl Segment {
    /// Records between two marks.
    pub const MARK_RECORDS: u64 = 64;

    pub fn mark(&mut self, sequence: Sequence, offset: u64) {
        if sequence.0.saturating_sub(self.first.0).is_multiple_of(Self::MARK_RECORDS) {
            self.marks.push((sequence, offset));
        }
    }
}

/// Bytes at the end of the last segment that are no whole record: a write that nobody was told of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tail {
    pub file: PathBuf,
    /// Length of what is sound.
    pub keep: u64,
    /// Bytes behind it.
    pub torn: u64,
    pub why: String,
}

#[derive(Debug)]
pub struct Scan {
    pub segments: Vec<Segment>,
    pub head: Head,
    pub tail: Option<Tail>,
}

/// Sees a frame's header, all its bytes, and its hash; an error says what is wrong with it.
pub type Visit<'v> = dyn FnMut(&Header, &[u8], &DocumentDigest) -> Result<(), String> + 'v;

/// Reads all of `segments`, in order. `until` stops behind that record; without it everything there is must be sound but
/// for a torn tail, which is told and not touched. `visit` sees each frame in order with its hash.
pub fn scan(segments: &[(Sequence, PathBuf)], until: Option<Sequence>, visit: &mut Visit<'_>) -> Result<Scan, ScanError> {
    let mut scan = Scan { segments: Vec::with_capacity(segments.len()), head: Head::NONE, tail: None };
    for (place, (first, path)) in segments.iter().enumerate() {
        if until.is_some_and(|until| scan.head.sequence >= until) {
            break;
        }
        let last = place + 1 == segments.len();
        let failed = |source| ScanError::Io { file: path.clone(), source };
        let broken = |head: &Head, offset, why: String| ScanError::Broken { after: head.sequence, file: path.clone(), offset, why };
        if first.0 != scan.head.sequence.0 + 1 {
            let why = format!("the segment begins with record {}, and record {} is missing", first.0, scan.head.sequence.0 + 1);
            return Err(broken(&scan.head, 0, why));
        }
        let mut frames = match Frames::first(path) {
            Ok(frames) => frames,
            Err(None) => return Err(broken(&scan.head, 0, "the file does not begin like a segment".to_owned())),
            Err(Some(source)) => return Err(failed(source)),
        };
        let mut segment = Segment { first: *first, path: path.clone(), length: 0, marks: Vec::new() };
        loop {
            if until.is_some_and(|until| scan.head.sequence >= until) {
                break;
            }
            match frames.step().map_err(failed)? {
                Step::Frame(header) => {
                    let next = scan.head.sequence.0 + 1;
                    if header.sequence.0 != next {
                        let why = format!("record {} stands where record {next} belongs", header.sequence.0);
                        return Err(broken(&scan.head, frames.offset(), why));
                    }
                    if header.previous != scan.head.hash {
                        let why = format!("record {next} does not continue the record before it: one of the two was changed");
                        return Err(broken(&scan.head, frames.offset(), why));
                    }
                    let hash = DocumentDigest::of(frames.frame());
                    visit(&header, frames.frame(), &hash).map_err(|why| broken(&scan.head, frames.offset(), why))?;
                    segment.mark(header.sequence, frames.offset());
                    scan.head = Head { sequence: header.sequence, hash };
                }
                Step::End => break,
                Step::Fault(fault) => {
                    let torn = frames.end() - frames.next_offset();
                    match fault {
                        FrameFault::Short | FrameFault::Length(_) | FrameFault::Checksum if last && until.is_none() => {
                            let behind = behind(path, frames.next_offset(), torn, scan.head.sequence).map_err(failed)?;
                            if let Some((offset, sequence)) = behind {
                                let why = format!("{fault}, and the sound record {} follows at byte {offset}", sequence.0);
                                return Err(broken(&scan.head, frames.offset(), why));
                            }
                            let keep = frames.next_offset();
                            scan.tail = Some(Tail { file: path.clone(), keep, torn, why: fault.to_string() });
                        }
                        FrameFault::Short
                        | FrameFault::Length(_)
                        | FrameFault::Checksum
                        | FrameFault::Version(_)
                        | FrameFault::Flags(_)
                        | FrameFault::Payload(_)
                        | FrameFault::TooLarge => return Err(broken(&scan.head, frames.offset(), fault.to_string())),
                    }
                    break;
                }
            }
        }
        segment.length = frames.next_offset();
        scan.segments.push(segment);
    }
    Ok(scan)
}

/// The first sound record behind a fault at `offset`: with one there, the fault is no torn tail. Reads at most the rest
/// of one segment.
fn behind(path: &Path, offset: u64, length: u64, after: Sequence) -> io::Result<Option<(u64, Sequence)>> {
    let mut rest = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    File::open(path)?.read_exact_at(&mut rest, offset)?;
    Ok(frame::find(&rest, after).map(|(at, sequence)| (offset + at as u64, sequence)))
}
