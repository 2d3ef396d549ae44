//! One header block. Every field must be written so that all readers agree on it; those that nobody acts on must at least
//! not make one reader pass the whole header over.

use crate::ecosystem::archive::fault::ArchiveFault;
use crate::ecosystem::archive::fault::shown;
use crate::ecosystem::archive::tar::BLOCK_BYTES;

pub(super) type Block = [u8; BLOCK_BYTES];

/// The largest number that JavaScript's readers hold exactly; beyond it node-tar passes the header over.
const SAFE_INTEGER_MAX: u64 = (1 << 53) - 1;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Type {
    File,
    Directory,
    Pax,
    GlobalPax,
    GnuLongName,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: Type,
    /// As it is written, prefix included.
    pub(super) path: Vec<u8>,
    pub(super) size: u64,
    pub(super) mode: u32,
}

/// How the part behind the link name is laid out.
enum Format {
    /// With a prefix to the name.
    Ustar,
    /// As ustar, without prefix.
    Gnu,
    /// Nothing is there.
    V7,
}

impl Header {
    /// `last` names the entry before, for a header that cannot be read at all.
    pub(super) fn read(block: &Block, last: &str) -> Result<Header, ArchiveFault> {
        let fields = Fields { block };
        if fields.checksum() != fields.number("checksum", 148, 8).ok().flatten() {
            return Err(ArchiveFault::HeaderChecksum { path: last.to_owned() });
        }
        let name = fields.text("name", 0, 100)?;
        let format = fields.format()?;
        let prefix = match format {
            Format::Ustar => fields.prefix()?,
            Format::Gnu | Format::V7 => &[],
        };
        let path = if prefix.is_empty() { name.to_vec() } else { [prefix, b"/", name].concat() };
        if name.is_empty() {
            return Err(ArchiveFault::NoName);
        }
        let kind = fields.kind(&path)?;
        // Rust's reader takes a PAX header of another format for a file of unknown type.
        if matches!(kind, Type::Pax | Type::GlobalPax) && !matches!(format, Format::Ustar) {
            return Err(ArchiveFault::UnknownFormat { path: shown(&path) });
        }
        // Nothing that is allowed has a link target; node-tar passes over a header with one.
        if fields.bytes(157, 100).iter().any(|b| *b != 0) {
            return Err(ArchiveFault::LinkTarget { path: shown(&path) });
        }
        let mode = fields.number("mode", 100, 8)?.unwrap_or(0);
        fields.number("owner", 108, 8)?;
        fields.number("group", 116, 8)?;
        fields.number("time", 136, 12)?;
        match format {
            Format::Ustar | Format::Gnu => {
                fields.number("device", 329, 8)?;
                fields.number("device", 337, 8)?;
            }
            Format::V7 => {}
        }
        let size = fields.number("size", 124, 12)?.ok_or_else(|| fields.no_number("size"))?;
        Ok(Header { kind, path, size, mode: u32::try_from(mode & 0o7777).unwrap_or(0) })
    }
}

struct Fields<'b> {
    block: &'b Block,
}

impl<'b> Fields<'b> {
    fn bytes(&self, start: usize, length: usize) -> &'b [u8] {
        self.block.get(start..start + length).unwrap_or_default()
    }

    /// For faults: the name up to its end.
    fn shown_name(&self) -> String {
        shown(until_nul(self.bytes(0, 100)))
    }

    fn no_number(&self, field: &'static str) -> ArchiveFault {
        ArchiveFault::HeaderNumber { path: self.shown_name(), field }
    }

    /// Sum of all bytes, those of the checksum itself counted as spaces.
    fn checksum(&self) -> Option<u64> {
        let sum = |bytes: &[u8]| bytes.iter().map(|b| u64::from(*b)).sum::<u64>();
        Some(sum(self.block) - sum(self.bytes(148, 8)) + 8 * u64::from(b' '))
    }

    /// Text up to the first NUL. What stands behind it is read by some, so nothing may.
    fn text(&self, field: &'static str, start: usize, length: usize) -> Result<&'b [u8], ArchiveFault> {
        let bytes = self.bytes(start, length);
        let text = until_nul(bytes);
        if bytes.iter().skip(text.len()).any(|b| *b != 0) {
            return Err(ArchiveFault::HiddenBytes { path: self.shown_name(), field });
        }
        Ok(text)
    }

    /// A number in octal digits, or positive in base 256. None when the field is blank.
    fn number(&self, field: &'static str, start: usize, length: usize) -> Result<Option<u64>, ArchiveFault> {
        let bytes = self.bytes(start, length);
        let wrong = || self.no_number(field);
        let negative = || ArchiveFault::NegativeNumber { path: self.shown_name(), field };
        match bytes {
            // No file here is long enough to need it.
            [0x80, ..] if field == "size" => return Err(wrong()),
            [0x80, rest @ ..] => {
                let value = rest.iter().try_fold(0u64, |value, b| {
                    let value = value.checked_mul(256)?.checked_add(u64::from(*b))?;
                    (value <= SAFE_INTEGER_MAX).then_some(value)
                });
                return value.map(Some).ok_or_else(wrong);
            }
            [0xc0..=0xff, ..] => return Err(negative()),
            [0x80..=0xbf, ..] => return Err(wrong()),
            _ => {}
        }
        let start = bytes.iter().position(|b| *b != b' ').unwrap_or(bytes.len());
        let (_, rest) = bytes.split_at(start);
        let length = rest.iter().position(|b| !matches!(b, b'0'..=b'7')).unwrap_or(rest.len());
        let (digits, after) = rest.split_at(length);
        if digits.is_empty() && after.starts_with(b"-") {
            return Err(negative());
        }
        if after.iter().any(|b| !matches!(b, 0 | b' ')) {
            return Err(wrong());
        }
        // At most 12 digits of 3 bits each.
        let value = digits.iter().fold(0u64, |value, digit| value * 8 + u64::from(digit - b'0'));
        Ok((!digits.is_empty()).then_some(value))
    }

    fn format(&self) -> Result<Format, ArchiveFault> {
        let zero = |start: usize, length: usize| self.bytes(start, length).iter().all(|b| *b == 0);
        match self.bytes(257, 8) {
            b"ustar\x0000" => Ok(Format::Ustar),
            // Behind the devices stand times and maps of sparse files, or for readers of ustar a prefix.
            b"ustar  \0" if zero(345, 167) => Ok(Format::Gnu),
            _ if zero(257, 255) => Ok(Format::V7),
            _ => Err(ArchiveFault::UnknownFormat { path: self.shown_name() }),
        }
    }

    /// The prefix of ustar, 155 bytes. node-tar and star write times into its end where it is short enough.
    fn prefix(&self) -> Result<&'b [u8], ArchiveFault> {
        let hidden = || ArchiveFault::HiddenBytes { path: self.shown_name(), field: "prefix" };
        let times_start = self.bytes(475, 1) == [0];
        let prefix = if times_start { self.text("prefix", 345, 131)? } else { self.text("prefix", 345, 155)? };
        if times_start {
            self.number("time", 476, 12).map_err(|_| hidden())?;
            self.number("time", 488, 12).map_err(|_| hidden())?;
        }
        match self.bytes(500, 12) {
            b"\0\0\0\0\0\0\0\0\0\0\0\0" | b"\0\0\0\0\0\0\0\0tar\0" => Ok(prefix),
            _ => Err(hidden()),
        }
    }

    fn kind(&self, path: &[u8]) -> Result<Type, ArchiveFault> {
        let path = || shown(path);
        match self.bytes(156, 1) {
            b"0" | b"\0" => Ok(Type::File),
            b"5" => Ok(Type::Directory),
            b"x" => Ok(Type::Pax),
            b"g" => Ok(Type::GlobalPax),
            b"L" | b"K" | b"N" => Ok(Type::GnuLongName),
            b"1" | b"2" => Err(ArchiveFault::Link { path: path() }),
            b"3" | b"4" | b"6" => Err(ArchiveFault::Device { path: path() }),
            b"7" => Err(ArchiveFault::ContiguousFile { path: path() }),
            other => Err(ArchiveFault::UnknownType { path: path(), typeflag: shown(other) }),
        }
    }
}

fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|b| *b == 0).next().unwrap_or(bytes)
}
