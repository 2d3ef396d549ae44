//! What lies in sled under a package's name: the packed state itself, or the name of the file beside it that holds it.

use std::io;

use crate::model::digest::DocumentDigest;
use crate::storage::ledger::frame::deflate;
use crate::storage::ledger::frame::inflate;

/// Of one package's state as text.
const STATE_BYTES_MAX: usize = 256 * 1024 * 1024;

/// A value in sled: a tag, the CRC32C of the rest, the rest.
pub enum Value<'v> {
    Here(&'v [u8]),
    File(DocumentDigest),
}

impl<'v> Value<'v> {
    const HERE: u8 = 1;
    const FILE: u8 = 2;

    pub fn write(&self) -> Vec<u8> {
        let (tag, rest) = match self {
            Value::Here(bytes) => (Self::HERE, *bytes),
            Value::File(digest) => (Self::FILE, digest.raw().as_slice()),
        };
        let mut value = Vec::with_capacity(5 + rest.len());
        value.push(tag);
        value.extend_from_slice(&crc32c::crc32c(rest).to_le_bytes());
        value.extend_from_slice(rest);
        value
    }

    /// `None` when it is not what `write` wrote.
    pub fn read(value: &'v [u8]) -> Option<Value<'v>> {
        let (tag, rest) = value.split_first()?;
        let (sum, rest) = rest.split_first_chunk::<4>()?;
        if u32::from_le_bytes(*sum) != crc32c::crc32c(rest) {
            return None;
        }
        match *tag {
            Self::HERE => Some(Value::Here(rest)),
            Self::FILE => Some(Value::File(DocumentDigest::from_raw(rest.try_into().ok()?))),
            _ => None,
        }
    }
}

/// A state's text, deflated when that helps; the first byte says which.
pub fn pack(text: Vec<u8>) -> Vec<u8> {
    let (tag, body) = match deflate(&text) {
        Some(smaller) => (1, smaller),
        None => (0, text),
    };
    let mut packed = Vec::with_capacity(body.len() + 1);
    packed.push(tag);
    packed.extend_from_slice(&body);
    packed
}

pub fn unpack(packed: &[u8]) -> io::Result<Vec<u8>> {
    match packed.split_first() {
        Some((0, text)) => Ok(text.to_vec()),
        Some((1, deflated)) => inflate(deflated, STATE_BYTES_MAX),
        Some(_) | None => Err(io::Error::other("its form is unknown")),
    }
}
