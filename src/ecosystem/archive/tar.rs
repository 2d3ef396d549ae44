//! Walks the blocks of a tar stream. Source: POSIX ustar and pax, node-tar's `header.js` and `parse.js`.
//! Tolerated, because every reader sees the same: zeros of any length after the end, v7 and GNU headers without extensions,
//! a global PAX header that holds a comment only, owners and times of any value.

use crate::ecosystem::archive::Contents;
use crate::ecosystem::archive::Entry;
use crate::ecosystem::archive::Kind;
use crate::ecosystem::archive::Limits;
use crate::ecosystem::archive::fault::ArchiveFault;
use crate::ecosystem::archive::fault::shown;
use crate::ecosystem::archive::gzip::Inflate;
use crate::ecosystem::archive::header::Block;
use crate::ecosystem::archive::header::Header;
use crate::ecosystem::archive::header::Type;
use crate::ecosystem::archive::path;
use crate::ecosystem::archive::pax;
use crate::ecosystem::archive::pax::Pax;

pub(super) const BLOCK_BYTES: usize = 512;
/// How much content is unpacked at a time: a multiple of the block.
const PIECE_BYTES: usize = 64 * 1024;

/// Who is shown the content of files.
pub(super) trait Body {
    /// A file comes next; `place` is its place in [`Contents::entries`]. False: its content is passed over.
    fn begin(&mut self, place: usize, entry: &Entry) -> bool;
    fn piece(&mut self, bytes: &[u8]);
    fn end(&mut self, entry: &Entry);
}

/// Reads the whole stream and checks everything that one entry alone can break, and the root.
pub(super) fn walk(packed: &[u8], limits: &Limits, body: &mut dyn Body) -> Result<Contents, ArchiveFault> {
    let mut walker = Walker {
        stream: Inflate::new(packed, limits)?,
        piece: vec![0; PIECE_BYTES],
        limits,
        headers: 0,
        comment_waits: false,
        last: String::new(),
        root: None,
        entries: Vec::new(),
        file_bytes: 0,
    };
    let mut pax = None;
    loop {
        let block = walker.block()?;
        if block == [0; BLOCK_BYTES] {
            break;
        }
        pax = walker.header(&block, pax, body)?;
    }
    if walker.block()? != [0; BLOCK_BYTES] {
        return Err(ArchiveFault::DataAfterEnd);
    }
    walker.only_zeros_follow()?;
    if pax.is_some() || walker.comment_waits {
        return Err(ArchiveFault::PaxAlone);
    }
    let root = walker.root.filter(|_| walker.entries.iter().any(|entry| entry.kind == Kind::File));
    let root = root.ok_or(ArchiveFault::Empty)?;
    Ok(Contents { root, entries: walker.entries, file_bytes: walker.file_bytes })
}

struct Walker<'p> {
    stream: Inflate<'p>,
    piece: Vec<u8>,
    limits: &'p Limits,
    headers: u32,
    /// A global PAX header was read and no entry yet; Python's reader wants one.
    comment_waits: bool,
    /// The path of the last header that could be read, for faults.
    last: String,
    root: Option<String>,
    entries: Vec<Entry>,
    file_bytes: u64,
}

impl Walker<'_> {
    fn truncated(&self) -> ArchiveFault {
        ArchiveFault::Truncated { path: self.last.clone() }
    }

    /// The next block. The stream may not end before the two blocks of zeros that end an archive.
    fn block(&mut self) -> Result<Block, ArchiveFault> {
        let mut block = [0; BLOCK_BYTES];
        match self.stream.fill(&mut block)? {
            BLOCK_BYTES => Ok(block),
            _ => Err(self.truncated()),
        }
    }

    /// Bounded by the limit on unpacked bytes.
    fn only_zeros_follow(&mut self) -> Result<(), ArchiveFault> {
        loop {
            let filled = self.stream.fill(&mut self.piece)?;
            let piece = self.piece.get(..filled).unwrap_or_default();
            if piece.iter().any(|b| *b != 0) {
                return Err(ArchiveFault::DataAfterEnd);
            }
            if filled < PIECE_BYTES {
                return Ok(());
            }
        }
    }

    /// Passes over `bytes` of content and its padding. `take` sees the content only.
    fn content(&mut self, bytes: u64, take: &mut dyn FnMut(&[u8])) -> Result<(), ArchiveFault> {
        let mut content_left = bytes;
        let mut left = bytes.next_multiple_of(BLOCK_BYTES as u64);
        while left > 0 {
            let room = usize::try_from(left).unwrap_or(PIECE_BYTES).min(PIECE_BYTES);
            let piece = self.piece.get_mut(..room).unwrap_or_default();
            if self.stream.fill(piece)? < room {
                return Err(self.truncated());
            }
            let wanted = usize::try_from(content_left).unwrap_or(room).min(room);
            take(piece.get(..wanted).unwrap_or_default());
            content_left -= wanted as u64;
            left -= room as u64;
        }
        Ok(())
    }

    /// Handles one header with what belongs to it. Returns what it says of the next one.
    fn header(&mut self, block: &Block, pax: Option<Pax>, body: &mut dyn Body) -> Result<Option<Pax>, ArchiveFault> {
        if self.headers == self.limits.entries_max {
            return Err(ArchiveFault::TooManyEntries { max: self.limits.entries_max });
        }
        self.headers += 1;
        let header = Header::read(block, &self.last)?;
        let kind = match header.kind {
            Type::File => Kind::File,
            Type::Directory => Kind::Directory,
            Type::Pax if pax.is_some() => return Err(ArchiveFault::PaxAlone),
            Type::Pax => return self.pax(&header).map(Some),
            Type::GlobalPax if pax.is_some() => return Err(ArchiveFault::PaxAlone),
            Type::GlobalPax => return self.global(&header).map(|()| None),
            Type::GnuLongName if pax.is_some() => return Err(ArchiveFault::GnuLongNameWithPax),
            Type::GnuLongName => return Err(ArchiveFault::GnuLongName),
        };
        self.entry(&header, kind, pax.unwrap_or_default(), body)?;
        Ok(None)
    }

    fn global(&mut self, header: &Header) -> Result<(), ArchiveFault> {
        let records = self.records(header)?;
        self.comment_waits = true;
        if pax::is_only_comment(&records) { Ok(()) } else { Err(ArchiveFault::GlobalPax) }
    }

    fn pax(&mut self, header: &Header) -> Result<Pax, ArchiveFault> {
        pax::parse(&self.records(header)?)
    }

    fn records(&mut self, header: &Header) -> Result<Vec<u8>, ArchiveFault> {
        if header.size > self.limits.pax_bytes_max {
            return Err(ArchiveFault::PaxTooLarge { bytes: header.size, max: self.limits.pax_bytes_max });
        }
        let mut records = Vec::new();
        self.content(header.size, &mut |bytes| records.extend_from_slice(bytes))?;
        Ok(records)
    }

    fn entry(&mut self, header: &Header, kind: Kind, pax: Pax, body: &mut dyn Body) -> Result<(), ArchiveFault> {
        let raw = pax.path.map_or_else(|| header.path.clone(), String::into_bytes);
        let path = shown(&raw);
        if let Some(size) = pax.size
            && size != header.size
        {
            return Err(ArchiveFault::PaxSize { path, header: header.size, pax: size });
        }
        let split = path::split(&raw)?;
        match kind {
            // Python's reader asks the short name, node-tar the long one.
            Kind::File if raw.ends_with(b"/") || header.path.ends_with(b"/") => return Err(ArchiveFault::FileWithSlash { path }),
            Kind::File if split.below.is_empty() => return Err(ArchiveFault::NoRoot { path }),
            Kind::Directory if header.size != 0 => return Err(ArchiveFault::DirectoryWithContent { path }),
            Kind::File | Kind::Directory => {}
        }
        match &self.root {
            Some(root) if *root != split.root => return Err(ArchiveFault::SecondRoot { path, root: shown(root) }),
            Some(_) => {}
            None => self.root = Some(split.root),
        }
        if header.size > self.limits.file_bytes_max {
            return Err(ArchiveFault::FileTooLarge { path, bytes: header.size, max: self.limits.file_bytes_max });
        }
        self.last = path;
        self.comment_waits = false;
        if split.below.is_empty() {
            return Ok(());
        }
        let entry = Entry { path: split.below, kind, size: header.size, mode: header.mode };
        if kind == Kind::File {
            self.file_bytes += header.size;
            if body.begin(self.entries.len(), &entry) {
                self.content(header.size, &mut |bytes| body.piece(bytes))?;
                body.end(&entry);
            } else {
                self.content(header.size, &mut |_| {})?;
            }
        }
        self.entries.push(entry);
        Ok(())
    }
}
