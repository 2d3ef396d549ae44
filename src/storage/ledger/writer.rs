//! The ledger's only writer: one write and one sync for a group of records, all of them or none.

use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use crate::model::digest::DocumentDigest;
use crate::storage::ledger::file::Appended;
use crate::storage::ledger::file::Files;
use crate::storage::ledger::file::is_full;
use crate::storage::ledger::file::sync_folder;
use crate::storage::ledger::frame;
use crate::storage::ledger::frame::FrameFault;
use crate::storage::ledger::read::Head;
use crate::storage::ledger::segment;
use crate::storage::record::Record;
use crate::storage::record::Sequence;

#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// Nothing was changed, and the next group may fit.
    #[error("the disk is full")]
    Full,
    /// What is on the disk is unknown: no more is written until the ledger was opened anew.
    #[error("{0}")]
    Broken(String),
}

/// Frames that wait to be written together.
#[derive(Debug)]
pub struct Group {
    bytes: Vec<u8>,
    /// Where each frame begins in `bytes`.
    starts: Vec<(Sequence, u64)>,
    head: Head,
}

impl Group {
    /// The sequence that the next record takes.
    pub fn next(&self) -> Sequence {
        Sequence(self.head.sequence.0 + 1)
    }

    /// `record.sequence` is [`Group::next`].
    pub fn push(&mut self, record: &Record) -> Result<DocumentDigest, FrameFault> {
        let start = self.bytes.len();
        match frame::write(record, &self.head.hash, &mut self.bytes) {
            Ok(hash) => {
                self.starts.push((record.sequence, start as u64));
                self.head = Head { sequence: record.sequence, hash };
                Ok(hash)
            }
            Err(fault) => {
                self.bytes.truncate(start);
                Err(fault)
            }
        }
    }

    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// Length in bytes.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }
}

/// What a group came to lie at.
#[derive(Debug)]
pub struct Written {
    pub head: Head,
    /// The segment that was begun for it, if one was.
    pub begun: Option<(Sequence, PathBuf)>,
    pub starts: Vec<(Sequence, u64)>,
    /// Length of the segment in bytes.
    pub length: u64,
}

pub struct Writer {
    folder: PathBuf,
    files: Arc<dyn Files>,
    file: Option<Box<dyn Appended>>,
    /// Length in bytes of what is durable in `file`.
    length: u64,
    segment_bytes_max: u64,
    head: Head,
    /// The segment in `file`, until its first group is durable.
    begun: Option<(Sequence, PathBuf)>,
    broken: Option<String>,
}

impl Writer {
    /// Continues `last`, a segment of that length, or begins the first one with the first group.
    pub fn new(folder: &Path, files: Arc<dyn Files>, last: Option<(&Path, u64)>, head: Head, segment_bytes_max: u64) -> io::Result<Writer> {
        let (file, length) = match last {
            Some((path, length)) => (Some(files.open(path)?), length),
            None => (None, 0),
        };
        Ok(Writer { folder: folder.to_owned(), files, file, length, segment_bytes_max, head, begun: None, broken: None })
    }

    pub fn group(&self) -> Group {
        Group { bytes: Vec::new(), starts: Vec::new(), head: self.head }
    }

    pub fn broken(&self) -> Option<&str> {
        self.broken.as_deref()
    }

    /// Durable when it returns `Ok`.
    pub fn append(&mut self, group: Group) -> Result<Written, AppendError> {
        if let Some(why) = &self.broken {
            return Err(AppendError::Broken(why.clone()));
        }
        let empty = segment::MAGIC.len() as u64;
        match &self.file {
            Some(_) if self.length < self.segment_bytes_max || self.length == empty => {}
            Some(_) | None => self.begun = Some(self.begin()?),
        }
        let Some(file) = &mut self.file else {
            return Err(AppendError::Broken("no segment is open".to_owned()));
        };
        if let Err(fault) = file.write_at(&group.bytes, self.length) {
            let full = is_full(&fault);
            if let Err(worse) = file.truncate(self.length) {
                return Err(self.give_up(format!("a failed write could not be taken back: {fault}; {worse}")));
            }
            return Err(if full { AppendError::Full } else { self.give_up(format!("a write failed: {fault}")) });
        }
        // An error of a sync cannot be tried again: the kernel may have dropped the pages and call the next one a success.
        if let Err(fault) = file.sync() {
            return Err(self.give_up(format!("a sync failed: {fault}")));
        }
        let starts = group.starts.iter().map(|(sequence, start)| (*sequence, self.length + start)).collect();
        self.length += group.bytes.len() as u64;
        self.head = group.head;
        Ok(Written { head: self.head, begun: self.begun.take(), starts, length: self.length })
    }

    /// A new segment, whole under its name or not at all.
    fn begin(&mut self) -> Result<(Sequence, PathBuf), AppendError> {
        let first = Sequence(self.head.sequence.0 + 1);
        let path = segment::path(&self.folder, first);
        let temporary = path.with_extension(segment::UNFINISHED);
        let made = std::fs::remove_file(&temporary).or_else(absent_is_fine).and_then(|()| {
            let mut file = self.files.create(&temporary)?;
            file.write_at(segment::MAGIC, 0)?;
            file.sync()?;
            Ok(file)
        });
        let file = match made {
            Ok(file) => file,
            Err(fault) => {
                // Nothing of the ledger was touched: what is left under the temporary name goes at the next start.
                let _ = std::fs::remove_file(&temporary);
                return Err(if is_full(&fault) {
                    AppendError::Full
                } else {
                    self.give_up(format!("a segment could not be begun: {fault}"))
                });
            }
        };
        if let Err(fault) = std::fs::rename(&temporary, &path) {
            return Err(if is_full(&fault) { AppendError::Full } else { self.give_up(format!("a segment could not be named: {fault}")) });
        }
        if let Err(fault) = sync_folder(&self.folder) {
            return Err(self.give_up(format!("the name of a segment could not be synced: {fault}")));
        }
        self.file = Some(file);
        self.length = segment::MAGIC.len() as u64;
        Ok((first, path))
    }

    /// Accepts nothing from here on.
    pub fn stop(&mut self, why: &str) {
        let _ = self.give_up(why.to_owned());
    }

    fn give_up(&mut self, why: String) -> AppendError {
        tracing::error!(%why, "the ledger accepts no more changes until it is opened anew");
        self.broken = Some(why.clone());
        AppendError::Broken(why)
    }
}

fn absent_is_fine(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}
