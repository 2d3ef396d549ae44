//! The content scan: every file of an archive is gone over once, whatever it is called, for what malware does and for what
//! a release reaches for. Formats share it.
//!
//! It works on text as it stands: literals all at once, then patterns where a literal stood. Nothing is parsed, so that
//! no nesting and no length costs more than its bytes (docs/decisions/0018-scanner.md). Memory is one window of the file and
//! what was found, both bounded.

mod binary;
mod class;
mod clues;
mod drops;
mod file;
mod literals;
mod names;
mod reach;
mod rules;
mod seen;
mod text;
mod unseen;

pub use crate::ecosystem::scan::file::of_commands;
pub use crate::ecosystem::scan::seen::Seen;
pub use crate::ecosystem::scan::seen::SeenFile;

use std::hash::DefaultHasher;
use std::hash::Hasher as _;

use crate::ecosystem::archive::Entry;
use crate::ecosystem::scan::file::File;
use crate::ecosystem::scan::literals::LITERALS;
use crate::ecosystem::scan::text::Encoding;
use crate::ecosystem::scan::text::Utf16;

/// Bytes of all files of one archive that are looked through; what comes after is said to be unscanned. The largest real
/// package has 192 MB.
pub const SCANNED_BYTES_MAX: u64 = 640 << 20;

/// How much of a file is looked at in one go.
const WINDOW_BYTES: usize = 1 << 20;
/// How much of a window is looked at again with the next, so that nothing is cut in two: longer than whatever a rule finds.
const OVERLAP_BYTES: usize = 16 << 10;

/// Looks through the files of one archive: `begin`, the `piece`s of the file in order, `end`.
#[derive(Default)]
pub struct Scan {
    window: Vec<u8>,
    current: Option<Current>,
    scanned_bytes: u64,
    seen: Seen,
}

/// The file that is being read.
struct Current {
    file: File,
    size: u64,
    bytes: u64,
    digest: DefaultHasher,
    decoder: Option<Utf16>,
    /// Why it is not looked through.
    unscanned: Option<&'static str>,
    is_binary: bool,
}

impl Scan {
    pub fn begin(&mut self, entry: &Entry) {
        self.window.clear();
        self.current = Some(Current {
            file: File::new(&entry.path, class::class(&entry.path, b"")),
            size: entry.size,
            bytes: 0,
            digest: DefaultHasher::new(),
            decoder: None,
            unscanned: None,
            is_binary: false,
        });
    }

    pub fn piece(&mut self, bytes: &[u8]) {
        let Some(current) = &mut self.current else { return };
        if current.bytes == 0 {
            current.open(bytes);
        }
        current.bytes += bytes.len() as u64;
        current.digest.write(bytes);
        self.scanned_bytes += bytes.len() as u64;
        if self.scanned_bytes > SCANNED_BYTES_MAX {
            current.unscanned.get_or_insert("behind more than could be looked through");
        }
        if current.unscanned.is_some() {
            return;
        }
        if let Some(decoder) = &mut current.decoder {
            decoder.decode(bytes, &mut self.window);
        } else {
            self.window.extend_from_slice(bytes);
        }
        if self.window.len() >= WINDOW_BYTES {
            current.look(&self.window, &mut self.seen);
            let kept = self.window.len() - OVERLAP_BYTES;
            self.window.drain(..kept);
            current.file.went_on(kept);
        }
    }

    pub fn end(&mut self) {
        let Some(mut current) = self.current.take() else { return };
        if current.unscanned.is_none() {
            current.look(&self.window, &mut self.seen);
        }
        let Current { file, size, digest, decoder, unscanned, is_binary, .. } = current;
        // Interpreters read bytes, and so another text than the one that was looked through.
        let is_read_otherwise = decoder.is_some() && file.is_command();
        let unscanned = unscanned.or(is_read_otherwise.then_some("it is code that says it is UTF-16"));
        self.seen.add(file, SeenFile::of(size, digest.finish(), is_binary), unscanned);
        self.window.clear();
    }

    pub fn finish(self) -> Seen {
        self.seen
    }
}

impl Current {
    /// The first bytes tell what it is.
    fn open(&mut self, head: &[u8]) {
        self.is_binary = binary::is_program(self.file.path(), head);
        match Encoding::of(head) {
            Encoding::Plain => self.file.set_class(class::class(self.file.path(), head)),
            Encoding::Utf16 { big_endian } => self.decoder = Some(Utf16::new(big_endian)),
            Encoding::Utf32 => self.unscanned = Some("its text is in UTF-32"),
        }
    }

    fn look(&mut self, window: &[u8], seen: &mut Seen) {
        if let Err(why) = self.file.look(&LITERALS, window, seen) {
            self.unscanned = Some(why);
        }
    }
}

#[cfg(test)]
mod tests;
