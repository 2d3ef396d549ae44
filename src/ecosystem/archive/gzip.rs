//! Exactly one gzip member, and behind it nothing but zeros: some old packers fill up blocks, and every reader passes over
//! them. Source: RFC 1952.

use flate2::Crc;
use flate2::Decompress;
use flate2::FlushDecompress;
use flate2::Status;

use crate::ecosystem::archive::Limits;
use crate::ecosystem::archive::fault::ArchiveFault;

const MAGIC: [u8; 2] = [0x1f, 0x8b];
const DEFLATE: u8 = 8;
const FIXED_HEADER_BYTES: usize = 10;
const TRAILER_BYTES: usize = 8;

const HAS_HEADER_CRC: u8 = 0x02;
const HAS_EXTRA: u8 = 0x04;
const HAS_NAME: u8 = 0x08;
const HAS_COMMENT: u8 = 0x10;
const RESERVED: u8 = 0xe0;

/// Unpacks a member piece by piece, within the limits on size and ratio.
pub(super) struct Inflate<'p> {
    rest: &'p [u8],
    inflate: Decompress,
    crc: Crc,
    produced: u64,
    produced_max: u64,
    /// What to say when `produced_max` is passed.
    over: ArchiveFault,
    ended: bool,
}

impl<'p> Inflate<'p> {
    pub(super) fn new(packed: &'p [u8], limits: &Limits) -> Result<Inflate<'p>, ArchiveFault> {
        let rest = after_header(packed)?;
        let by_ratio = limits.ratio_max.saturating_mul(packed.len() as u64).max(limits.ratio_free_bytes);
        let (produced_max, over) = if by_ratio < limits.unpacked_bytes_max {
            (by_ratio, ArchiveFault::Bomb { max: limits.ratio_max })
        } else {
            (limits.unpacked_bytes_max, ArchiveFault::TooLarge { max: limits.unpacked_bytes_max })
        };
        Ok(Inflate { rest, inflate: Decompress::new(false), crc: Crc::new(), produced: 0, produced_max, over, ended: false })
    }

    /// Fills `out` as far as the stream goes; fewer bytes than asked, or none, only at its end, which was then checked.
    pub(super) fn fill(&mut self, out: &mut [u8]) -> Result<usize, ArchiveFault> {
        let mut filled = 0;
        while filled < out.len() && !self.ended {
            let before = (self.inflate.total_in(), self.inflate.total_out());
            let room = out.get_mut(filled..).unwrap_or_default();
            let status = self.inflate.decompress(self.rest, room, FlushDecompress::None).map_err(|_| ArchiveFault::GzipDamaged)?;
            let taken = usize::try_from(self.inflate.total_in() - before.0).unwrap_or(usize::MAX);
            let made = usize::try_from(self.inflate.total_out() - before.1).unwrap_or(usize::MAX);
            self.rest = self.rest.get(taken..).unwrap_or_default();
            self.crc.update(out.get(filled..filled + made).unwrap_or_default());
            filled += made;
            self.produced += made as u64;
            if self.produced > self.produced_max {
                return Err(self.over.clone());
            }
            match status {
                Status::StreamEnd => {
                    self.ended = true;
                    self.check_end()?;
                }
                Status::Ok | Status::BufError if taken == 0 && made == 0 => return Err(ArchiveFault::GzipTruncated),
                Status::Ok | Status::BufError => {}
            }
        }
        Ok(filled)
    }

    fn check_end(&self) -> Result<(), ArchiveFault> {
        let Some((trailer, after)) = self.rest.split_first_chunk::<TRAILER_BYTES>() else {
            return Err(ArchiveFault::GzipTruncated);
        };
        let [c0, c1, c2, c3, l0, l1, l2, l3] = *trailer;
        if u32::from_le_bytes([c0, c1, c2, c3]) != self.crc.sum() {
            return Err(ArchiveFault::GzipChecksum);
        }
        if u32::from_le_bytes([l0, l1, l2, l3]) != self.crc.amount() {
            return Err(ArchiveFault::GzipLength);
        }
        match after {
            _ if after.iter().all(|b| *b == 0) => Ok(()),
            _ if after.starts_with(&MAGIC) => Err(ArchiveFault::SecondMember),
            _ => Err(ArchiveFault::TrailingBytes { bytes: after.len() }),
        }
    }
}

/// What follows the header of the first member.
fn after_header(packed: &[u8]) -> Result<&[u8], ArchiveFault> {
    if !packed.starts_with(&MAGIC) {
        return Err(ArchiveFault::NotGzip);
    }
    let (fixed, mut rest) = packed.split_at_checked(FIXED_HEADER_BYTES).ok_or(ArchiveFault::GzipTruncated)?;
    let [_, _, method, flags, ..] = *fixed else { return Err(ArchiveFault::GzipTruncated) };
    if method != DEFLATE {
        return Err(ArchiveFault::GzipHeader { why: "an unknown method" });
    }
    if flags & RESERVED != 0 {
        return Err(ArchiveFault::GzipHeader { why: "reserved flags are set" });
    }
    if flags & HAS_EXTRA != 0 {
        let (length, after) = rest.split_first_chunk::<2>().ok_or(ArchiveFault::GzipTruncated)?;
        rest = after.get(usize::from(u16::from_le_bytes(*length))..).ok_or(ArchiveFault::GzipTruncated)?;
    }
    for flag in [HAS_NAME, HAS_COMMENT] {
        if flags & flag != 0 {
            let end = memchr::memchr(0, rest).ok_or(ArchiveFault::GzipTruncated)?;
            rest = rest.get(end + 1..).unwrap_or_default();
        }
    }
    if flags & HAS_HEADER_CRC != 0 {
        let header = packed.get(..packed.len() - rest.len()).unwrap_or_default();
        let (stated, after) = rest.split_first_chunk::<2>().ok_or(ArchiveFault::GzipTruncated)?;
        let mut crc = Crc::new();
        crc.update(header);
        if u32::from(u16::from_le_bytes(*stated)) != crc.sum() & 0xffff {
            return Err(ArchiveFault::GzipHeader { why: "its own checksum is wrong" });
        }
        rest = after;
    }
    Ok(rest)
}
