//! The ledger: append-only segments of records, each chained by hash to the one before. The truth; everything else that
//! is stored, but for approved blobs, can be had again from it.

pub mod file;
pub mod frame;
mod head;
pub mod read;
mod segment;
pub mod writer;

use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::RwLock;

use crate::model::digest::DocumentDigest;
use crate::storage::ledger::file::Files;
use crate::storage::ledger::file::sync_folder;
use crate::storage::ledger::read::Head;
use crate::storage::ledger::read::ScanError;
use crate::storage::ledger::read::Segment;
use crate::storage::ledger::read::Tail;
use crate::storage::ledger::segment::Frames;
use crate::storage::ledger::segment::Step;
use crate::storage::ledger::writer::Writer;
use crate::storage::ledger::writer::Written;
use crate::storage::record::Record;
use crate::storage::record::Sequence;
use crate::storage::state::Entry;
use crate::storage::state::Proof;
use crate::storage::state::ReadError;

/// A segment is closed once it is this long.
pub const SEGMENT_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// One page of entries ends early once it holds this much, with at least one entry.
const PAGE_BYTES_MAX: usize = 32 * 1024 * 1024;

#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    #[error(
        "the ledger is damaged: {0}. Nothing was changed. Put the file back from a backup; only if the damage is at the very end \
         and power was lost while Airlock wrote, the file may be cut at that byte"
    )]
    Damaged(ScanError),
    #[error(
        "the ledger ends with record {last}, and record {durable} was there before ({head_file}): its end is missing or was \
         changed. Put the ledger back from a backup"
    )]
    Missing { last: u64, durable: u64, head_file: String },
    #[error("could not {what} in {folder}")]
    Io {
        what: &'static str,
        folder: String,
        #[source]
        source: io::Error,
    },
}

/// The part that is read: where records lie. Shared by all readers; the writer tells it what has become durable.
#[derive(Debug)]
pub struct Ledger {
    folder: PathBuf,
    extent: RwLock<Extent>,
}

#[derive(Debug)]
struct Extent {
    segments: Vec<Segment>,
    head: Head,
}

impl Ledger {
    /// Proves all of it, cuts a torn tail, and opens it for one writer. The caller holds the data folder's lock.
    pub fn open(folder: &Path, files: Arc<dyn Files>, segment_bytes_max: u64) -> Result<(Ledger, Writer), LedgerError> {
        let io = |what| move |source| LedgerError::Io { what, folder: folder.display().to_string(), source };
        std::fs::create_dir_all(folder).map_err(io("make the ledger's folder"))?;
        segment::clear_unfinished(folder).map_err(io("clear what a crash left"))?;
        let segments = segment::list(folder).map_err(io("list the ledger's segments"))?;
        let witness = head::read(folder);
        let mut at_witness = None;
        let scan = read::scan(&segments, None, &mut |header, _, hash| {
            if witness.is_some_and(|witness| witness.sequence == header.sequence) {
                at_witness = Some(*hash);
            }
            Ok(())
        })
        .map_err(LedgerError::Damaged)?;
        if let Some(witness) = witness
            && witness != Head::NONE
            && at_witness != Some(witness.hash)
        {
            let (last, durable) = (scan.head.sequence.0, witness.sequence.0);
            return Err(LedgerError::Missing { last, durable, head_file: head::path(folder).display().to_string() });
        }
        if let Some(tail) = &scan.tail {
            cut(tail, &*files).map_err(io("cut the torn end of the last segment"))?;
        }
        let last = scan.segments.last().map(|segment| (segment.path.as_path(), segment.length));
        let writer = Writer::new(folder, files, last, scan.head, segment_bytes_max).map_err(io("open the last segment"))?;
        let extent = Extent { segments: scan.segments, head: scan.head };
        let ledger = Ledger { folder: folder.to_owned(), extent: RwLock::new(extent) };
        if witness != Some(scan.head) {
            ledger.write_head();
        }
        Ok((ledger, writer))
    }

    /// The last durable record.
    pub fn head(&self) -> Head {
        self.extent.read().unwrap_or_else(PoisonError::into_inner).head
    }

    /// Takes up what the writer has made durable. Where that began a segment, what came before it can no longer be torn.
    pub fn extend(&self, written: Written) {
        let grew = written.begun.is_some();
        self.take_up(written);
        if grew {
            self.write_head();
        }
    }

    fn take_up(&self, written: Written) {
        let mut extent = self.extent.write().unwrap_or_else(PoisonError::into_inner);
        if let Some((first, path)) = written.begun {
            extent.segments.push(Segment { first, path, length: 0, marks: Vec::new() });
        }
        if let Some(segment) = extent.segments.last_mut() {
            for (sequence, offset) in written.starts {
                segment.mark(sequence, offset);
            }
            segment.length = written.length;
        }
        extent.head = written.head;
    }

    /// Writes down how far the ledger is known to reach, so that a missing end is told from a torn one. Only a witness:
    /// without it the ledger is as good.
    pub fn write_head(&self) {
        if let Err(fault) = head::write(&self.folder, &self.head()) {
            tracing::warn!(folder = %self.folder.display(), %fault, "could not write down how far the ledger reaches");
        }
    }

    /// The hash of a durable record.
    pub fn hash(&self, sequence: Sequence) -> Result<Option<DocumentDigest>, ReadError> {
        if sequence.0 == 0 {
            return Ok(Some(frame::GENESIS));
        }
        let mut found = None;
        self.walk(Sequence(sequence.0 - 1), sequence, &mut |_, hash, _, _| {
            found = Some(hash);
            Ok(false)
        })?;
        Ok(found)
    }

    /// Entries after `after`, oldest first, at most `limit`. A page may be shorter than `limit`; only an empty one is the end.
    pub fn entries(&self, after: Sequence, limit: usize) -> Result<Vec<Entry>, ReadError> {
        let mut entries = Vec::new();
        let mut bytes = 0;
        if limit == 0 {
            return Ok(entries);
        }
        self.walk(after, Sequence(u64::MAX), &mut |record, hash, previous, frame_bytes| {
            entries.push(Entry { record, hash, previous });
            bytes += frame_bytes;
            Ok(entries.len() < limit && bytes < PAGE_BYTES_MAX)
        })?;
        Ok(entries)
    }

    /// Every record after `after` up to and with `until`, in order, with its length as it lies.
    pub fn replay(
        &self,
        after: Sequence,
        until: Sequence,
        visit: &mut dyn FnMut(Record, usize) -> Result<(), ReadError>,
    ) -> Result<(), ReadError> {
        self.walk(after, until, &mut |record, _, _, bytes| visit(record, bytes).map(|()| true))
    }

    fn walk(&self, after: Sequence, until: Sequence, visit: &mut Visit<'_>) -> Result<(), ReadError> {
        let (places, until) = self.places(after, until);
        let mut next = after.0.saturating_add(1);
        for (path, offset, length) in places {
            let mut frames = Frames::at(&path, offset, length)?;
            loop {
                let header = match frames.step()? {
                    Step::Frame(header) => header,
                    Step::End => break,
                    Step::Fault(fault) => {
                        return Err(ReadError::Damaged(format!("{} at byte {}: {fault}", path.display(), frames.offset())));
                    }
                };
                if header.sequence.0 < next {
                    continue;
                }
                if header.sequence > until {
                    return Ok(());
                }
                let damaged = |why: String| ReadError::Damaged(format!("{} at byte {}: {why}", path.display(), frames.offset()));
                if header.sequence.0 != next {
                    return Err(damaged(format!("record {} stands where record {next} belongs", header.sequence.0)));
                }
                let frame = frames.frame();
                let record = header.record(frame).map_err(|fault| damaged(fault.to_string()))?;
                next += 1;
                if !visit(record, DocumentDigest::of(frame), header.previous, frame.len())? {
                    return Ok(());
                }
            }
        }
        if until.0 >= next {
            return Err(ReadError::Damaged(format!("record {next} is not in the ledger's segments")));
        }
        Ok(())
    }

    /// Where to read from to meet every record after `after`: file, offset and length of each; and the last durable one.
    fn places(&self, after: Sequence, until: Sequence) -> (Vec<(PathBuf, u64, u64)>, Sequence) {
        let extent = self.extent.read().unwrap_or_else(PoisonError::into_inner);
        let until = until.min(extent.head.sequence);
        let wanted = Sequence(after.0.saturating_add(1));
        if wanted > until {
            return (Vec::new(), until);
        }
        let from = extent.segments.partition_point(|segment| segment.first <= wanted).saturating_sub(1);
        let places = extent.segments[from..].iter().take_while(|segment| segment.first <= until).map(|segment| {
            let mark = segment.marks.partition_point(|(sequence, _)| *sequence <= wanted).checked_sub(1);
            let offset = mark.and_then(|mark| segment.marks.get(mark)).map_or(segment::MAGIC.len() as u64, |(_, offset)| *offset);
            (segment.path.clone(), offset, segment.length)
        });
        (places.collect(), until)
    }

    /// Reads everything that is durable again and proves it: checksums, order, chain, text, and the end.
    pub fn verify(&self) -> Result<Proof, ReadError> {
        let head = self.head();
        if head == Head::NONE {
            return Ok(Proof::Sound { records: 0, head: head.hash });
        }
        let segments = segment::list(&self.folder)?;
        let scanned = read::scan(&segments, Some(head.sequence), &mut |header, frame, _| {
            header.record(frame).map(|_| ()).map_err(|fault| fault.to_string())
        });
        match scanned {
            Ok(scan) if scan.head == head => Ok(Proof::Sound { records: head.sequence.0, head: head.hash }),
            Ok(scan) if scan.head.sequence < head.sequence => {
                let place = format!("record {} and what follows it is missing", scan.head.sequence.0 + 1);
                Ok(Proof::Broken { after: scan.head.sequence, place })
            }
            Ok(scan) => {
                let place = format!("the last record, {}, is not the one that was written", scan.head.sequence.0);
                Ok(Proof::Broken { after: Sequence(scan.head.sequence.0.saturating_sub(1)), place })
            }
            Err(ScanError::Broken { after, file, offset, why }) => {
                Ok(Proof::Broken { after, place: format!("{} at byte {offset}: {why}", file.display()) })
            }
            Err(ScanError::Io { file, source }) if source.kind() == io::ErrorKind::NotFound => {
                Ok(Proof::Broken { after: Sequence(0), place: format!("{} is missing", file.display()) })
            }
            Err(ScanError::Io { file: _, source }) => Err(ReadError::Io(source)),
        }
    }
}

/// Sees a record, its hash, the hash before it and its length; `false` ends the walk.
type Visit<'v> = dyn FnMut(Record, DocumentDigest, DocumentDigest, usize) -> Result<bool, ReadError> + 'v;

fn cut(tail: &Tail, files: &dyn Files) -> io::Result<()> {
    tracing::warn!(
        file = %tail.file.display(),
        kept_bytes = tail.keep,
        cut_bytes = tail.torn,
        why = %tail.why,
        "the ledger's last write was torn by a crash; it was never acknowledged and is cut off"
    );
    let mut file = files.open(&tail.file)?;
    file.truncate(tail.keep)?;
    file.sync()?;
    sync_folder(tail.file.parent().unwrap_or(Path::new(".")))
}

#[cfg(test)]
mod stored;
#[cfg(test)]
mod tests;
