//! One feed's file: groups of advisories by package, then where each begins, then a foot with the digest of it all. Written once,
//! never changed. In memory are sixteen bytes for each package and twelve for each digest that is named.

use std::fs::File;
use std::io;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::path::PathBuf;

use sha2::Digest as _;
use sha2::Sha256;

use crate::model::advisory::Advisory;
use crate::model::digest::Digest;
use crate::model::digest::DocumentDigest;
use crate::model::package::PackageId;
use crate::model::time::Timestamp;
use crate::storage::advisories::hash;
use crate::storage::advisories::key;

/// Of one file.
pub const FILE_BYTES_MAX: u64 = 1_024 * 1_024 * 1_024;
/// Of all that is said of one package.
pub const GROUP_BYTES_MAX: u32 = 64 * 1_024 * 1_024;
pub const ADVISORIES_MAX: u64 = 2_000_000;
pub(super) const HEAD: &[u8; 24] = b"airlock advisories 1    ";
/// Five numbers and a digest.
pub(super) const FOOT_BYTES: usize = 5 * 8 + DIGEST_BYTES;
const DIGEST_BYTES: usize = 32;
/// Length and CRC-32C.
pub(super) const GROUP_HEAD_BYTES: usize = 8;
const PIECE_BYTES: usize = 256 * 1_024;

/// Why a file cannot be relied on, or not be written.
#[derive(Debug, thiserror::Error)]
pub enum TableFault {
    #[error("{}: {source}", file.display())]
    Io { file: PathBuf, source: io::Error },
    #[error("{} is damaged: {why}", file.display())]
    Damaged { file: PathBuf, why: &'static str },
    #[error("it cannot be put down: {0}")]
    Write(#[from] io::Error),
    #[error("there are more than {max} {what}")]
    TooMany { what: &'static str, max: u64 },
}

/// What a file holds, in numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Totals {
    /// One advisory counts for each package that it is about.
    pub advisories: u64,
    /// Of these, how many are about a vulnerability and not about malware.
    pub vulnerabilities: u64,
    /// When the newest of them was modified, in milliseconds since 1970; 0 where there is none.
    pub newest_millis: u64,
}

#[derive(Debug)]
pub struct Table {
    file: File,
    path: PathBuf,
    digest: DocumentDigest,
    totals: Totals,
    /// Of the names of packages, in order.
    hashes: Box<[u64]>,
    /// Where the group of each begins.
    places: Box<[u32]>,
    /// The CRC-32C of each group, which is never 0.
    stamps: Box<[u32]>,
    /// First bytes of the digests that are named, in order.
    keys: Box<[u64]>,
    /// Which group names each.
    owners: Box<[u32]>,
}

impl Table {
    /// Reads the file once, whole, and holds it open. Blocks.
    pub fn open(path: &Path) -> Result<Table, TableFault> {
        let damaged = |why| TableFault::Damaged { file: path.to_owned(), why };
        let unreadable = |source| TableFault::Io { file: path.to_owned(), source };
        let file = File::open(path).map_err(unreadable)?;
        let length = file.metadata().map_err(unreadable)?.len();
        let Some(foot_at) = length.checked_sub(FOOT_BYTES as u64).filter(|at| *at >= HEAD.len() as u64 && length <= FILE_BYTES_MAX) else {
            return Err(damaged("its length is none that such a file has"));
        };
        let found = measure(&file, length - DIGEST_BYTES as u64).map_err(unreadable)?;
        let mut foot = [0; FOOT_BYTES];
        file.read_exact_at(&mut foot, foot_at).map_err(unreadable)?;
        let (numbers, stated) = foot.split_at(5 * 8);
        if found.raw() != stated {
            return Err(damaged("it does not hash to what stands at its end"));
        }
        let mut head = [0; HEAD.len()];
        file.read_exact_at(&mut head, 0).map_err(unreadable)?;
        let numbers: Vec<u64> = numbers.as_chunks::<8>().0.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect();
        let [names, digests, advisories, vulnerabilities, newest_millis] = numbers[..] else {
            return Err(damaged("its foot is too short"));
        };
        let index_bytes = names.checked_mul(16).zip(digests.checked_mul(12)).and_then(|(names, digests)| names.checked_add(digests));
        let Some(mut at) = index_bytes.and_then(|bytes| foot_at.checked_sub(bytes)).filter(|_| head == *HEAD) else {
            return Err(damaged("it is of another format"));
        };
        let mut column = |width: u64, count: u64| {
            let mut bytes = vec![0; usize::try_from(width * count).unwrap_or(0)];
            let read = file.read_exact_at(&mut bytes, at);
            at += width * count;
            read.map(|()| bytes).map_err(unreadable)
        };
        let long = |bytes: Vec<u8>| bytes.as_chunks::<8>().0.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect();
        let short = |bytes: Vec<u8>| bytes.as_chunks::<4>().0.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect();
        let hashes: Box<[u64]> = long(column(8, names)?);
        let places: Box<[u32]> = short(column(4, names)?);
        let stamps: Box<[u32]> = short(column(4, names)?);
        let keys: Box<[u64]> = long(column(8, digests)?);
        let owners: Box<[u32]> = short(column(4, digests)?);
        if !hashes.is_sorted() || !keys.is_sorted() {
            return Err(damaged("its index is not in order"));
        }
        let totals = Totals { advisories, vulnerabilities, newest_millis };
        Ok(Table { file, path: path.to_owned(), digest: found, totals, hashes, places, stamps, keys, owners })
    }

    /// Itself, if it is the file that was meant.
    pub fn expect(self, digest: &DocumentDigest) -> Result<Table, TableFault> {
        if self.digest == *digest { Ok(self) } else { Err(self.damaged("it is not the file that the ledger names")) }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Of everything in it.
    pub fn digest(&self) -> &DocumentDigest {
        &self.digest
    }

    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// When the newest advisory was modified.
    pub fn newest_modified_at(&self) -> Timestamp {
        Timestamp::from_millis(i64::try_from(self.totals.newest_millis).unwrap_or(i64::MAX))
    }

    pub fn of(&self, package: &PackageId) -> Result<Vec<Advisory>, TableFault> {
        for group in self.candidates(package) {
            let advisories = self.group(group)?;
            if advisories.first().is_some_and(|one| one.package == *package) {
                return Ok(advisories);
            }
        }
        Ok(Vec::new())
    }

    pub fn by_digest(&self, digest: &Digest) -> Result<Vec<Advisory>, TableFault> {
        let key = key(digest);
        let mut found = Vec::new();
        for at in equal(&self.keys, key) {
            let group = self.owners.get(at).and_then(|owner| usize::try_from(*owner).ok());
            let advisories = self.group(group.ok_or_else(|| self.damaged("its index leads nowhere"))?)?;
            found.extend(advisories.into_iter().filter(|one| one.digests.contains(digest)));
        }
        Ok(found)
    }

    /// 0 where the bytes are not named, else another number whenever what names them may say something else. Memory only, and once in
    /// 2^64 it speaks of others.
    pub fn stamp_of_bytes(&self, digest: &Digest) -> u32 {
        self.named(equal(&self.keys, key(digest))).fold(0, |all, (_, stamp)| all.rotate_left(1) ^ stamp)
    }

    /// Whether both say the same of whatever bytes are named. `None`: nothing was ever said.
    pub fn says_the_same_of_bytes(&self, other: Option<&Table>) -> bool {
        match other {
            Some(other) => self.named(0..self.keys.len()).eq(other.named(0..other.keys.len())),
            None => self.keys.is_empty(),
        }
    }

    /// Digests by their place, each with the stamp of what names it.
    fn named(&self, places: std::ops::Range<usize>) -> impl Iterator<Item = (u64, u32)> {
        let keys = self.keys.get(places.clone()).unwrap_or_default().iter().copied();
        let owners = self.owners.get(places).unwrap_or_default().iter();
        // What leads nowhere is told when it is asked for.
        let stamp = |owner: &u32| usize::try_from(*owner).ok().and_then(|owner| self.stamps.get(owner)).copied().unwrap_or(0);
        keys.zip(owners.map(stamp))
    }

    /// 0 where nothing is said of the package.
    pub fn stamp(&self, package: &PackageId) -> u32 {
        // Two names of one hash have the stamps of both: then more changes than what is said of one.
        self.candidates(package).filter_map(|group| self.stamps.get(group)).fold(0, |all, stamp| all.rotate_left(1) ^ stamp)
    }

    /// The groups in the order of their hashes: their number.
    pub(super) fn groups(&self) -> usize {
        self.hashes.len()
    }

    pub(super) fn hash_of(&self, group: usize) -> Option<u64> {
        self.hashes.get(group).copied()
    }

    fn candidates(&self, package: &PackageId) -> std::ops::Range<usize> {
        equal(&self.hashes, hash(package))
    }

    pub(super) fn group(&self, group: usize) -> Result<Vec<Advisory>, TableFault> {
        let unreadable = |source| TableFault::Io { file: self.path.clone(), source };
        let (Some(place), Some(stamp)) = (self.places.get(group), self.stamps.get(group)) else {
            return Err(self.damaged("its index leads nowhere"));
        };
        let mut head = [0; GROUP_HEAD_BYTES];
        self.file.read_exact_at(&mut head, u64::from(*place)).map_err(unreadable)?;
        let [length, stated] = [0, 4].map(|at| head.get(at..at + 4).and_then(|four| four.try_into().ok()).map_or(0, u32::from_le_bytes));
        if length > GROUP_BYTES_MAX || stated != *stamp {
            return Err(self.damaged("a group's head is not what the index says"));
        }
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
        self.file.read_exact_at(&mut bytes, u64::from(*place) + GROUP_HEAD_BYTES as u64).map_err(unreadable)?;
        if checksum(&bytes) != stated {
            return Err(self.damaged("a group's bytes are not those that were written"));
        }
        serde_json::from_slice(&bytes).map_err(|_| self.damaged("a group cannot be read"))
    }

    fn damaged(&self, why: &'static str) -> TableFault {
        TableFault::Damaged { file: self.path.clone(), why }
    }
}

/// CRC-32C, 1 instead of 0: a stamp of 0 says that there is nothing.
pub(super) fn checksum(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).max(1)
}

/// Hashes are spread evenly, so that one lies near where its size says; from there the steps double until it is passed.
fn equal(sorted: &[u64], wanted: u64) -> std::ops::Range<usize> {
    let guess = usize::try_from((u128::from(wanted) * sorted.len() as u128) >> 64).unwrap_or(0);
    let is_below = |at: usize| sorted.get(at).is_some_and(|one| *one < wanted);
    let (mut low, mut high, mut step) = (guess, guess, 1);
    while low > 0 && !is_below(low - 1) {
        low = low.saturating_sub(step);
        step *= 2;
    }
    step = 1;
    while is_below(high) {
        high = (high + step).min(sorted.len());
        step *= 2;
    }
    let start = low + sorted.get(low..high).unwrap_or_default().partition_point(|one| *one < wanted);
    let count = sorted.get(start..).unwrap_or_default().iter().take_while(|one| **one == wanted).count();
    start..start + count
}

/// The SHA-256 of the first `length` bytes.
fn measure(mut file: &File, length: u64) -> io::Result<DocumentDigest> {
    let mut hasher = Sha256::new();
    let mut piece = vec![0; PIECE_BYTES];
    let mut left = length;
    while left > 0 {
        let wanted = usize::try_from(left).unwrap_or(PIECE_BYTES).min(PIECE_BYTES);
        let Some(room) = piece.get_mut(..wanted) else { break };
        file.read_exact(room)?;
        hasher.update(&*room);
        left -= wanted as u64;
    }
    Ok(DocumentDigest::from_raw(hasher.finalize().into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_equal_is_found_wherever_it_lies() {
        let even: Vec<u64> = (0..1_000).map(|number| number * (u64::MAX / 1_000)).collect();
        let lopsided: Vec<u64> = (0..100).chain([u64::MAX - 1, u64::MAX - 1, u64::MAX]).collect();
        for sorted in [even, lopsided, vec![], vec![7], vec![u64::MAX; 3], vec![0; 3]] {
            for wanted in sorted.iter().flat_map(|one| [one.saturating_sub(1), *one, one.saturating_add(1)]).chain([0, u64::MAX]) {
                let start = sorted.partition_point(|one| *one < wanted);
                let end = sorted.partition_point(|one| *one <= wanted);
                assert_eq!(equal(&sorted, wanted), start..end, "{wanted}");
            }
        }
    }
}
