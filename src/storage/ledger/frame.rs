//! One record as it lies in a segment. Little endian: payload length `u32`, CRC32C of everything else `u32`, sequence
//! `u64`, format version `u16`, flags `u16`, SHA-256 of the frame before (32 bytes), payload. The payload is the JSON of a
//! [`Record`], deflated when the flag says so.

use std::io::Read;
use std::io::Write;

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;

use crate::model::digest::DocumentDigest;
use crate::storage::record::Record;
use crate::storage::record::Sequence;

/// Of the frame's own layout; that of the payload is `Record::VERSION`.
pub const VERSION: u16 = 1;
pub const HEADER_BYTES: usize = 52;
/// Of a payload before it is deflated.
pub const RECORD_BYTES_MAX: usize = 32 * 1024 * 1024;
const DEFLATE_FROM_BYTES: usize = 1024;
const DEFLATED: u16 = 1;
/// What stands before the first record.
pub const GENESIS: DocumentDigest = DocumentDigest::from_raw([0; 32]);

/// Why some bytes are not a frame.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FrameFault {
    #[error("the file ends in the middle of a record")]
    Short,
    #[error("a record states the impossible length of {0} bytes")]
    Length(u32),
    #[error("the checksum of a record does not agree with its bytes")]
    Checksum,
    #[error("a record has the format version {0}, which this version of Airlock does not know")]
    Version(u16),
    #[error("a record has the flags {0:#x}, which this version of Airlock does not know")]
    Flags(u16),
    #[error("a record's text cannot be read: {0}")]
    Payload(String),
    #[error("a record is over the limit of {RECORD_BYTES_MAX} bytes")]
    TooLarge,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Header {
    pub length: usize,
    checksum: u32,
    pub sequence: Sequence,
    version: u16,
    flags: u16,
    pub previous: DocumentDigest,
}

impl Header {
    /// Only the length is judged here: without it nobody knows where the frame ends.
    pub fn read(bytes: &[u8; HEADER_BYTES]) -> Result<Header, FrameFault> {
        let length = u32::from_le_bytes(array(bytes, 0));
        if length as usize > RECORD_BYTES_MAX {
            return Err(FrameFault::Length(length));
        }
        Ok(Header {
            length: length as usize,
            checksum: u32::from_le_bytes(array(bytes, 4)),
            sequence: Sequence(u64::from_le_bytes(array(bytes, 8))),
            version: u16::from_le_bytes(array(bytes, 16)),
            flags: u16::from_le_bytes(array(bytes, 18)),
            previous: DocumentDigest::from_raw(array(bytes, 20)),
        })
    }

    /// `frame` is the header and its payload, as they lie.
    pub fn check(&self, frame: &[u8]) -> Result<(), FrameFault> {
        if self.checksum != checksum(frame) {
            return Err(FrameFault::Checksum);
        }
        if self.version != VERSION {
            return Err(FrameFault::Version(self.version));
        }
        if self.flags & !DEFLATED != 0 {
            return Err(FrameFault::Flags(self.flags));
        }
        Ok(())
    }

    /// The record of a frame that was checked.
    pub fn record(&self, frame: &[u8]) -> Result<Record, FrameFault> {
        let payload = frame.get(HEADER_BYTES..).unwrap_or_default();
        let wrong = |why: &dyn std::fmt::Display| FrameFault::Payload(why.to_string());
        let record: Record = if self.flags & DEFLATED == 0 {
            serde_json::from_slice(payload).map_err(|fault| wrong(&fault))?
        } else {
            let text = inflate(payload, RECORD_BYTES_MAX).map_err(|fault| wrong(&fault))?;
            serde_json::from_slice(&text).map_err(|fault| wrong(&fault))?
        };
        if record.version > Record::VERSION {
            return Err(FrameFault::Version(record.version));
        }
        if record.sequence != self.sequence {
            return Err(FrameFault::Payload(format!("it says record {} inside and {} outside", record.sequence.0, self.sequence.0)));
        }
        Ok(record)
    }
}

/// Appends the frame of `record` to `out` and gives its hash.
pub fn write(record: &Record, previous: &DocumentDigest, out: &mut Vec<u8>) -> Result<DocumentDigest, FrameFault> {
    let text = serde_json::to_vec(record).map_err(|fault| FrameFault::Payload(fault.to_string()))?;
    if text.len() > RECORD_BYTES_MAX {
        return Err(FrameFault::TooLarge);
    }
    let (payload, flags) = match deflate(&text) {
        Some(smaller) => (smaller, DEFLATED),
        None => (text, 0),
    };
    let start = out.len();
    let length = u32::try_from(payload.len()).map_err(|_| FrameFault::TooLarge)?;
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&record.sequence.0.to_le_bytes());
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&flags.to_le_bytes());
    out.extend_from_slice(previous.raw());
    out.extend_from_slice(&payload);
    let sum = checksum(&out[start..]);
    out[start + 4..start + 8].copy_from_slice(&sum.to_le_bytes());
    Ok(DocumentDigest::of(&out[start..]))
}

/// `None` where it is short, or would not become smaller.
pub fn deflate(text: &[u8]) -> Option<Vec<u8>> {
    if text.len() <= DEFLATE_FROM_BYTES {
        return None;
    }
    let mut encoder = DeflateEncoder::new(Vec::with_capacity(text.len() / 2), Compression::fast());
    encoder.write_all(text).ok()?;
    encoder.finish().ok().filter(|smaller| smaller.len() < text.len())
}

/// At most `bytes_max`, whatever the deflated bytes say.
pub fn inflate(deflated: &[u8], bytes_max: usize) -> std::io::Result<Vec<u8>> {
    let mut text = Vec::with_capacity(deflated.len().saturating_mul(3).min(bytes_max));
    DeflateDecoder::new(deflated).take(bytes_max as u64 + 1).read_to_end(&mut text)?;
    if text.len() > bytes_max {
        return Err(std::io::Error::other("it is larger than its limit"));
    }
    Ok(text)
}

/// Where the first whole and sound frame with a sequence from `from` on lies in `bytes`, and which it is.
pub fn find(bytes: &[u8], from: Sequence) -> Option<(usize, Sequence)> {
    for (at, window) in bytes.windows(HEADER_BYTES).enumerate() {
        let Ok(header) = <&[u8; HEADER_BYTES]>::try_from(window).map_err(|_| FrameFault::Short).and_then(Header::read) else {
            continue;
        };
        if header.version != VERSION || header.flags & !DEFLATED != 0 || header.sequence < from {
            continue;
        }
        if let Some(frame) = bytes.get(at..at + HEADER_BYTES + header.length)
            && header.check(frame).is_ok()
        {
            return Some((at, header.sequence));
        }
    }
    None
}

fn checksum(frame: &[u8]) -> u32 {
    let (length, rest) = frame.split_at(4.min(frame.len()));
    crc32c::crc32c_append(crc32c::crc32c(length), rest.get(4..).unwrap_or_default())
}

fn array<const N: usize>(bytes: &[u8; HEADER_BYTES], from: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&bytes[from..from + N]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::actor::Actor;
    use crate::model::time::Timestamp;
    use crate::storage::record::Command;

    fn record(text: &str) -> Record {
        let digest = DocumentDigest::of(text.as_bytes());
        let commands = vec![Command::Policy { digest, text: text.to_owned() }];
        Record { version: Record::VERSION, sequence: Sequence(7), at: Timestamp::from_millis(5), actor: Actor::Airlock, commands }
    }

    fn read(frame: &[u8]) -> Result<Record, FrameFault> {
        let header = Header::read(frame[..HEADER_BYTES].try_into().unwrap())?;
        header.check(frame)?;
        header.record(frame)
    }

    #[test]
    fn reads_what_it_writes_short_or_deflated() {
        for text in ["short".to_owned(), "long ".repeat(1_000)] {
            let mut frame = Vec::new();
            let hash = write(&record(&text), &GENESIS, &mut frame).unwrap();
            assert_eq!(read(&frame).unwrap(), record(&text));
            assert_eq!(hash, DocumentDigest::of(&frame));
            assert!(frame.len() < 600);
        }
    }

    #[test]
    fn every_flipped_bit_is_seen() {
        let mut frame = Vec::new();
        write(&record("x"), &GENESIS, &mut frame).unwrap();
        for bit in 0..frame.len() * 8 {
            let mut damaged = frame.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(read(&damaged).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_frame_is_found_behind_damage() {
        let mut bytes = vec![0xa5; 77];
        write(&record("x"), &GENESIS, &mut bytes).unwrap();
        assert_eq!(find(&bytes, Sequence(7)), Some((77, Sequence(7))));
        assert_eq!(find(&bytes, Sequence(8)), None);
        assert_eq!(find(&bytes[..bytes.len() - 1], Sequence(1)), None);
    }

    #[test]
    fn a_bomb_is_not_inflated() {
        let bomb = deflate(&vec![b' '; 100_000]).unwrap();
        assert!(inflate(&bomb, 99_999).is_err());
        assert_eq!(inflate(&bomb, 100_000).unwrap().len(), 100_000);
    }
}
