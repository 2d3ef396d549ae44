//! What is being heard of a feed, until it is whole: advisories go to a file as they come, in memory is where each lies. Then they
//! are joined with what was known, package by package, and written as a new table.

use std::fs::File;
use std::io;
use std::io::BufWriter;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::path::PathBuf;

use sha2::Digest as _;
use sha2::Sha256;

use crate::model::advisory::Advisory;
use crate::model::advisory::AdvisoryKind;
use crate::model::digest::DocumentDigest;
use crate::storage::advisories::create;
use crate::storage::advisories::hash;
use crate::storage::advisories::key;
use crate::storage::advisories::newest_of_each;
use crate::storage::advisories::table::ADVISORIES_MAX;
use crate::storage::advisories::table::FILE_BYTES_MAX;
use crate::storage::advisories::table::GROUP_BYTES_MAX;
use crate::storage::advisories::table::HEAD;
use crate::storage::advisories::table::Table;
use crate::storage::advisories::table::TableFault;
use crate::storage::advisories::table::Totals;
use crate::storage::advisories::table::checksum;

const BUFFER_BYTES: usize = 256 * 1_024;

#[derive(Debug)]
pub struct Draft {
    path: PathBuf,
    file: BufWriter<File>,
    length: u64,
    heard: Vec<Heard>,
    newest_millis: u64,
}

/// Where one advisory lies.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Heard {
    hash: u64,
    place: u32,
    length: u32,
}

impl Drop for Draft {
    fn drop(&mut self) {
        // What is left goes at the next start.
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Draft {
    pub(super) fn new(path: PathBuf) -> io::Result<Draft> {
        let file = BufWriter::with_capacity(BUFFER_BYTES, create(&path)?);
        Ok(Draft { path, file, length: 0, heard: Vec::new(), newest_millis: 0 })
    }

    /// Blocks.
    pub fn add(&mut self, advisory: &Advisory) -> Result<(), TableFault> {
        if self.heard.len() as u64 >= ADVISORIES_MAX {
            return Err(TableFault::TooMany { what: "advisories", max: ADVISORIES_MAX });
        }
        let bytes = serde_json::to_vec(advisory).map_err(io::Error::other)?;
        let (place, length) = (u32::try_from(self.length), u32::try_from(bytes.len()));
        let after = self.length + bytes.len() as u64;
        let (Ok(place), Ok(length), true) = (place, length, after <= FILE_BYTES_MAX) else {
            return Err(TableFault::TooMany { what: "bytes", max: FILE_BYTES_MAX });
        };
        self.file.write_all(&bytes)?;
        self.length = after;
        self.newest_millis = self.newest_millis.max(u64::try_from(advisory.modified_at.millis()).unwrap_or(0));
        self.heard.push(Heard { hash: hash(&advisory.package), place, length });
        Ok(())
    }

    pub fn len(&self) -> usize {
        self.heard.len()
    }

    pub fn is_empty(&self) -> bool {
        self.heard.is_empty()
    }

    /// When the newest that was added was modified, in milliseconds since 1970; 0 where there is none.
    pub fn newest_millis(&self) -> u64 {
        self.newest_millis
    }

    /// Writes the table to `to`, durably; of an advisory that `onto` has too, the newer word. Says what it hashes to.
    pub(super) fn finish(mut self, onto: Option<&Table>, to: &Path) -> Result<DocumentDigest, TableFault> {
        self.file.flush()?;
        self.heard.sort_unstable();
        let mut writing = Writing::new(to)?;
        let mut heard = self.heard.iter().peekable();
        let mut known = 0..onto.map_or(0, Table::groups);
        let mut bytes = Vec::new();
        loop {
            let next_known = onto.and_then(|table| table.hash_of(known.start)).filter(|_| !known.is_empty());
            let hash = match (heard.peek().map(|one| one.hash), next_known) {
                (Some(heard), Some(known)) => heard.min(known),
                (Some(one), None) | (None, Some(one)) => one,
                (None, None) => break,
            };
            let mut advisories: Vec<Advisory> = Vec::new();
            while let Some(one) = heard.next_if(|one| one.hash == hash) {
                bytes.resize(usize::try_from(one.length).unwrap_or(0), 0);
                self.file.get_ref().read_exact_at(&mut bytes, u64::from(one.place))?;
                advisories.push(serde_json::from_slice(&bytes).map_err(io::Error::other)?);
            }
            while let Some(table) = onto
                && !known.is_empty()
                && table.hash_of(known.start) == Some(hash)
            {
                advisories.extend(table.group(known.start)?);
                known.start += 1;
            }
            newest_of_each(&mut advisories);
            for of_one_package in advisories.chunk_by(|left, right| left.package == right.package) {
                writing.group(hash, of_one_package)?;
            }
        }
        writing.finish()
    }
}

/// A table that is being written.
struct Writing {
    file: BufWriter<File>,
    hasher: Sha256,
    length: u64,
    totals: Totals,
    hashes: Vec<u64>,
    places: Vec<u32>,
    stamps: Vec<u32>,
    digests: Vec<(u64, u32)>,
}

impl Writing {
    fn new(to: &Path) -> Result<Writing, TableFault> {
        let mut writing = Writing {
            file: BufWriter::with_capacity(BUFFER_BYTES, create(to)?),
            hasher: Sha256::new(),
            length: 0,
            totals: Totals::default(),
            hashes: Vec::new(),
            places: Vec::new(),
            stamps: Vec::new(),
            digests: Vec::new(),
        };
        writing.put(HEAD)?;
        Ok(writing)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), TableFault> {
        self.length += bytes.len() as u64;
        if self.length > FILE_BYTES_MAX {
            return Err(TableFault::TooMany { what: "bytes", max: FILE_BYTES_MAX });
        }
        self.hasher.update(bytes);
        Ok(self.file.write_all(bytes)?)
    }

    fn group(&mut self, hash: u64, advisories: &[Advisory]) -> Result<(), TableFault> {
        let bytes = serde_json::to_vec(advisories).map_err(io::Error::other)?;
        let too_large = || TableFault::TooMany { what: "bytes of one package", max: u64::from(GROUP_BYTES_MAX) };
        let length = u32::try_from(bytes.len()).ok().filter(|length| *length <= GROUP_BYTES_MAX).ok_or_else(too_large)?;
        let place = u32::try_from(self.length).map_err(|_| TableFault::TooMany { what: "bytes", max: FILE_BYTES_MAX })?;
        let owner = u32::try_from(self.hashes.len()).map_err(|_| TableFault::TooMany { what: "packages", max: ADVISORIES_MAX })?;
        let stamp = checksum(&bytes);
        self.hashes.push(hash);
        self.places.push(place);
        self.stamps.push(stamp);
        self.put(&length.to_le_bytes())?;
        self.put(&stamp.to_le_bytes())?;
        self.put(&bytes)?;
        let mut keys: Vec<u64> = advisories.iter().flat_map(|one| one.digests.iter().map(key)).collect();
        keys.sort_unstable();
        keys.dedup();
        self.digests.extend(keys.into_iter().map(|key| (key, owner)));
        self.totals.advisories += advisories.len() as u64;
        if self.totals.advisories > ADVISORIES_MAX {
            return Err(TableFault::TooMany { what: "advisories", max: ADVISORIES_MAX });
        }
        for advisory in advisories {
            self.totals.vulnerabilities += u64::from(advisory.kind == AdvisoryKind::Vulnerability);
            self.totals.newest_millis = self.totals.newest_millis.max(u64::try_from(advisory.modified_at.millis()).unwrap_or(0));
        }
        Ok(())
    }

    fn finish(mut self) -> Result<DocumentDigest, TableFault> {
        self.digests.sort_unstable();
        let digests = std::mem::take(&mut self.digests);
        let (hashes, places, stamps) =
            (std::mem::take(&mut self.hashes), std::mem::take(&mut self.places), std::mem::take(&mut self.stamps));
        for number in &hashes {
            self.put(&number.to_le_bytes())?;
        }
        for number in places.iter().chain(&stamps) {
            self.put(&number.to_le_bytes())?;
        }
        for (key, _) in &digests {
            self.put(&key.to_le_bytes())?;
        }
        for (_, owner) in &digests {
            self.put(&owner.to_le_bytes())?;
        }
        let Totals { advisories, vulnerabilities, newest_millis } = self.totals;
        for number in [hashes.len() as u64, digests.len() as u64, advisories, vulnerabilities, newest_millis] {
            self.put(&number.to_le_bytes())?;
        }
        let digest = DocumentDigest::from_raw(self.hasher.finalize().into());
        self.file.write_all(digest.raw())?;
        let file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        Ok(digest)
    }
}
