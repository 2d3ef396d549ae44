//! A strict reader of `.tgz` archives. It accepts only what every reader in use unpacks to the same files, and refuses the
//! rest with the rule that was broken. It never writes to disk, and holds one wanted file at most; who looks at all files sees
//! them in pieces.
//!
//! The measure of what is common is npm's own reader, node-tar; where GNU tar, libarchive, Go's or Python's reader sees
//! something else, the archive is refused.

mod fault;
mod gzip;
mod header;
mod path;
mod pax;
mod tar;

pub use fault::ArchiveFault;

use std::collections::HashMap;

use sha2::Digest as _;
use sha2::Sha256;

use crate::ecosystem::archive::path::Clash;
use crate::ecosystem::archive::tar::Body;

/// What one archive may cost. The size of the packed bytes is for the caller to limit, who reads them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Of the whole unpacked stream, headers and padding included.
    pub unpacked_bytes_max: u64,
    /// Unpacked over packed size, asked once the stream is longer than `ratio_free_bytes`.
    pub ratio_max: u64,
    pub ratio_free_bytes: u64,
    pub file_bytes_max: u64,
    /// Headers of any kind: files, directories, PAX.
    pub entries_max: u32,
    /// Of one PAX header.
    pub pax_bytes_max: u64,
}

impl Limits {
    /// Generous to every real package seen: their largest unpacks to 192 MB in 8,711 files, their highest ratio is 62.
    pub const DEFAULT: Limits = Limits {
        unpacked_bytes_max: 1 << 30,
        ratio_max: 200,
        ratio_free_bytes: 10 << 20,
        file_bytes_max: 256 << 20,
        entries_max: 50_000,
        pax_bytes_max: 64 << 10,
    };
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    File,
    Directory,
}

/// A file or directory of the archive.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Below the root, with single slashes and no dots: `lib/index.js`. Printable ASCII.
    pub path: String,
    pub kind: Kind,
    /// Of the content, in bytes.
    pub size: u64,
    /// Permission bits as they are written, which clients replace by their own.
    pub mode: u32,
}

/// What an archive holds. A path that stands there twice with the same bytes is listed twice.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Contents {
    /// The one directory that everything lies in, which clients strip; `package` in most archives.
    pub root: String,
    /// In the order of the archive, the root itself left out.
    pub entries: Vec<Entry>,
    /// Sum of the sizes of all files.
    pub file_bytes: u64,
}

/// Who looks at the files of an archive while it is read. What it saw counts only if the whole archive is accepted.
pub trait Visitor {
    /// A file comes next. Whether its content is wanted whole: it will be held in memory, so look at its size.
    fn wants(&mut self, entry: &Entry) -> bool;

    /// The next bytes of the file, whether it is wanted whole or not: the first of them come first, at least four unless the
    /// file is shorter. An empty file has none.
    fn piece(&mut self, _bytes: &[u8]) {}

    /// The file was wanted whole, and this is it.
    fn content(&mut self, entry: &Entry, content: Vec<u8>);

    /// The file ends.
    fn end(&mut self, _entry: &Entry) {}
}

/// Reads `packed` to its end. Memory is bounded by the limits on entries and by one wanted file, time by the limit on
/// unpacked bytes. An archive with paths that stand there twice is unpacked a second time to compare their bytes.
pub fn read(packed: &[u8], limits: &Limits, visitor: &mut dyn Visitor) -> Result<Contents, ArchiveFault> {
    let mut held = Held { visitor, buffer: None };
    let contents = tar::walk(packed, limits, &mut held)?;
    let twice = match path::clashes(&contents.entries)? {
        twice if twice.is_empty() => return Ok(contents),
        twice => twice,
    };
    let mut digests = Digests::new(&twice);
    tar::walk(packed, limits, &mut digests)?;
    digests.compare(&contents.entries, &twice)?;
    Ok(contents)
}

/// Gathers the content of a wanted file.
struct Held<'v> {
    visitor: &'v mut dyn Visitor,
    buffer: Option<Vec<u8>>,
}

impl Body for Held<'_> {
    fn begin(&mut self, _place: usize, entry: &Entry) -> bool {
        self.buffer = self.visitor.wants(entry).then(Vec::new);
        true
    }

    fn piece(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.visitor.piece(bytes);
        }
        if let Some(buffer) = &mut self.buffer {
            buffer.extend_from_slice(bytes);
        }
    }

    fn end(&mut self, entry: &Entry) {
        if let Some(content) = self.buffer.take() {
            self.visitor.content(entry, content);
        }
        self.visitor.end(entry);
    }
}

/// Hashes the content of the files whose path stands in the archive more than once.
struct Digests {
    /// By place in the list of entries; none until it was read.
    wanted: HashMap<usize, Option<[u8; 32]>>,
    current: Option<(usize, Sha256)>,
}

impl Digests {
    fn new(twice: &[Clash]) -> Digests {
        let wanted = twice.iter().flat_map(|clash| [(clash.first, None), (clash.second, None)]).collect();
        Digests { wanted, current: None }
    }

    fn compare(&self, entries: &[Entry], twice: &[Clash]) -> Result<(), ArchiveFault> {
        for clash in twice {
            let digest = |place| self.wanted.get(place).copied().flatten();
            let same = digest(&clash.first).zip(digest(&clash.second)).is_some_and(|(first, second)| first == second);
            if !same {
                let path = entries.get(clash.second).map(|entry| entry.path.as_str()).unwrap_or_default();
                return Err(ArchiveFault::DuplicateDiffers { path: fault::shown(path) });
            }
        }
        Ok(())
    }
}

impl Body for Digests {
    fn begin(&mut self, place: usize, _entry: &Entry) -> bool {
        self.current = self.wanted.contains_key(&place).then(|| (place, Sha256::new()));
        self.current.is_some()
    }

    fn piece(&mut self, bytes: &[u8]) {
        if let Some((_, hasher)) = &mut self.current {
            hasher.update(bytes);
        }
    }

    fn end(&mut self, _entry: &Entry) {
        if let Some((place, hasher)) = self.current.take() {
            self.wanted.insert(place, Some(hasher.finalize().into()));
        }
    }
}

#[cfg(test)]
mod tests;
