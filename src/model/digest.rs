//! What bytes hash to, what a document says they should hash to, and the proof that they do.
//! [`Verified`] is made in this file only: whoever holds one holds bytes that were hashed whole.

use std::fmt;
use std::fs::File;
use std::io;
use std::io::Read;
use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;
use data_encoding::BASE64;
use data_encoding::HEXLOWER;
use data_encoding::HEXLOWER_PERMISSIVE;
use serde::Deserialize;
use serde::Serialize;
use sha2::Digest as _;
use sha2::Sha256;
use sha2::Sha512;

/// The SHA-512 of some bytes: names a blob, pins a release, and is what npm's `dist.integrity` states.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 64]);

/// The SHA-256 of a document: which index was seen, which record came before.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DocumentDigest([u8; 32]);

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not a digest: expected {expected}")]
pub struct NotADigest {
    expected: &'static str,
}

impl Digest {
    pub fn of(bytes: &[u8]) -> Digest {
        Digest(Sha512::digest(bytes).into())
    }

    pub const fn from_raw(raw: [u8; 64]) -> Digest {
        Digest(raw)
    }

    pub const fn raw(&self) -> &[u8; 64] {
        &self.0
    }

    /// 128 hexadecimal digits, lower case when written.
    pub fn from_hex(text: &str) -> Result<Digest, NotADigest> {
        let bytes = HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok();
        bytes.and_then(|raw| raw.try_into().ok()).map(Digest).ok_or(NotADigest { expected: "128 hexadecimal digits" })
    }

    pub fn hex(&self) -> String {
        HEXLOWER.encode(&self.0)
    }

    /// Subresource-integrity form, `sha512-<base64>`. Source: W3C SRI, as npm uses it.
    pub fn sri(&self) -> String {
        format!("sha512-{}", BASE64.encode(&self.0))
    }

    /// Either form that people paste: `sha512-<base64>` or hexadecimal.
    pub fn parse(text: &str) -> Result<Digest, NotADigest> {
        let wrong = NotADigest { expected: "sha512-<base64> or 128 hexadecimal digits" };
        match text.strip_prefix("sha512-") {
            Some(encoded) => {
                let raw = BASE64.decode(encoded.as_bytes()).ok().and_then(|raw| raw.try_into().ok());
                raw.map(Digest).ok_or(wrong)
            }
            None => Digest::from_hex(text).map_err(|_| wrong),
        }
    }
}

impl DocumentDigest {
    pub fn of(bytes: &[u8]) -> DocumentDigest {
        DocumentDigest(Sha256::digest(bytes).into())
    }

    pub const fn from_raw(raw: [u8; 32]) -> DocumentDigest {
        DocumentDigest(raw)
    }

    pub const fn raw(&self) -> &[u8; 32] {
        &self.0
    }

    pub fn from_hex(text: &str) -> Result<DocumentDigest, NotADigest> {
        let bytes = HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok();
        bytes.and_then(|raw| raw.try_into().ok()).map(DocumentDigest).ok_or(NotADigest { expected: "64 hexadecimal digits" })
    }

    pub fn hex(&self) -> String {
        HEXLOWER.encode(&self.0)
    }
}

macro_rules! text_forms {
    ($name:ident, $write:ident, $read:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.$write())
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.$write())
            }
        }
        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.$write())
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<$name, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                $name::$read(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}
text_forms!(Digest, sri, parse);
text_forms!(DocumentDigest, hex, from_hex);

/// What a document states of an artifact's bytes. Absent fields were not stated; a statement nobody could read is
/// kept in `unreadable`, so that it is a fault and not an absence.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Integrity {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sha512: Option<Digest>,
    /// Raw SHA-256, when stated.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sha256: Option<DocumentDigest>,
    /// Raw SHA-1 as 40 lower-case hexadecimal digits.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sha1: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub unreadable: Option<String>,
}

/// How bytes compare with what was stated of them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IntegrityOutcome {
    /// Every stated hash agrees, SHA-256 or better among them.
    Agrees,
    /// Only a SHA-1 was stated, and it agrees.
    WeaklyAgrees,
    /// Nothing was stated.
    Unstated,
    /// At least one stated hash disagrees, or could not be read.
    Disagrees { stated: String, found: String },
}

impl Integrity {
    /// Compares every stated hash; one that disagrees is enough. `digest` is the SHA-512 of `bytes`, computed already.
    pub fn compare(&self, bytes: &[u8], digest: &Digest) -> IntegrityOutcome {
        if let Some(unreadable) = &self.unreadable {
            return IntegrityOutcome::Disagrees { stated: unreadable.clone(), found: digest.sri() };
        }
        if let Some(stated) = &self.sha512
            && stated != digest
        {
            return IntegrityOutcome::Disagrees { stated: stated.sri(), found: digest.sri() };
        }
        if let Some(stated) = &self.sha256 {
            let found = DocumentDigest::of(bytes);
            if *stated != found {
                return IntegrityOutcome::Disagrees { stated: format!("sha256 {stated}"), found: format!("sha256 {found}") };
            }
        }
        if let Some(stated) = &self.sha1 {
            let found = HEXLOWER.encode(&sha1::Sha1::digest(bytes));
            if *stated != found {
                return IntegrityOutcome::Disagrees { stated: format!("sha1 {stated}"), found: format!("sha1 {found}") };
            }
        }
        match (&self.sha512, &self.sha256, &self.sha1) {
            (None, None, None) => IntegrityOutcome::Unstated,
            (None, None, Some(_)) => IntegrityOutcome::WeaklyAgrees,
            (Some(_), _, _) | (None, Some(_), _) => IntegrityOutcome::Agrees,
        }
    }
}

/// Bytes that were hashed whole and found to hash to `digest`. Cheap to clone.
///
/// It can be made by hashing only:
/// ```
/// use airlock::model::digest::{Digest, Verified};
/// let bytes = bytes::Bytes::from_static(b"tarball");
/// let proof = Verified::bytes(Digest::of(&bytes), bytes).unwrap();
/// assert_eq!(proof.size(), 7);
/// ```
/// and not by saying so:
/// ```compile_fail,E0451
/// use airlock::model::digest::{Digest, Verified};
/// let bytes = bytes::Bytes::from_static(b"tarball");
/// let forged = Verified { digest: Digest::of(b"other"), size: 7, content: todo!() };
/// ```
#[derive(Clone, Debug)]
pub struct Verified {
    digest: Digest,
    size: u64,
    content: Content,
}

#[derive(Clone, Debug)]
enum Content {
    Memory(Bytes),
    File(Arc<File>),
}

/// How a body is sent: from memory, or from a file that was hashed through this very handle.
pub enum Reading<'v> {
    Memory(&'v Bytes),
    File(&'v Arc<File>),
}

#[derive(Debug, thiserror::Error)]
pub enum NotVerified {
    #[error("the bytes hash to {found}, not to {expected}")]
    Mismatch { expected: Box<Digest>, found: Box<Digest> },
    #[error("could not read the file to hash it")]
    Unreadable(#[source] io::Error),
}

impl Verified {
    pub fn bytes(expected: Digest, bytes: Bytes) -> Result<Verified, NotVerified> {
        let found = Digest::of(&bytes);
        if found != expected {
            return Err(NotVerified::Mismatch { expected: Box::new(expected), found: Box::new(found) });
        }
        Ok(Verified { digest: found, size: bytes.len() as u64, content: Content::Memory(bytes) })
    }

    /// Bytes whose digest nobody stated before: the digest is what they hash to.
    pub fn measure(bytes: Bytes) -> Verified {
        Verified { digest: Digest::of(&bytes), size: bytes.len() as u64, content: Content::Memory(bytes) }
    }

    /// Reads the file to its end through this handle. Files are written once and renamed, never changed in place.
    pub fn file(expected: Digest, mut file: File) -> Result<Verified, NotVerified> {
        const BLOCK_BYTES: usize = 256 * 1024;
        let mut hasher = Sha512::new();
        let mut block = vec![0_u8; BLOCK_BYTES];
        let mut size = 0_u64;
        loop {
            match file.read(&mut block).map_err(NotVerified::Unreadable)? {
                0 => break,
                read => {
                    hasher.update(&block[..read]);
                    size += read as u64;
                }
            }
        }
        let found = Digest(hasher.finalize().into());
        if found != expected {
            return Err(NotVerified::Mismatch { expected: Box::new(expected), found: Box::new(found) });
        }
        Ok(Verified { digest: found, size, content: Content::File(Arc::new(file)) })
    }

    /// The same bytes in this file: written whole through the handle that they are read through from then on. `file` is empty,
    /// open for both, and nobody else writes to it. Blocks. Errs also when what is read here does not hash to the digest any more.
    pub fn kept_in(&self, mut file: File) -> io::Result<Verified> {
        match &self.content {
            Content::Memory(bytes) => file.write_all(bytes)?,
            Content::File(from) => copy(from, &self.digest, self.size, &mut file)?,
        }
        Ok(Verified { digest: self.digest, size: self.size, content: Content::File(Arc::new(file)) })
    }

    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// Length in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    pub fn reading(&self) -> Reading<'_> {
        match &self.content {
            Content::Memory(bytes) => Reading::Memory(bytes),
            Content::File(file) => Reading::File(file),
        }
    }

    /// The bytes, read into memory if they are not there yet.
    pub fn to_bytes(&self) -> io::Result<Bytes> {
        use std::os::unix::fs::FileExt;
        match &self.content {
            Content::Memory(bytes) => Ok(bytes.clone()),
            Content::File(file) => {
                let length = usize::try_from(self.size).map_err(io::Error::other)?;
                let mut all = vec![0_u8; length];
                file.read_exact_at(&mut all, 0)?;
                Ok(Bytes::from(all))
            }
        }
    }
}

/// Bytes that come in piece by piece and are hashed on their way into a file, which nobody else writes to.
pub struct Measuring {
    file: File,
    sha512: Sha512,
    sha1: sha1::Sha1,
    size: u64,
}

impl Measuring {
    /// `file` is empty and open for reading and writing.
    pub fn new(file: File) -> Measuring {
        Measuring { file, sha512: Sha512::new(), sha1: sha1::Sha1::new(), size: 0 }
    }

    /// Blocks.
    pub fn write(&mut self, piece: &[u8]) -> io::Result<()> {
        self.file.write_all(piece)?;
        self.sha512.update(piece);
        self.sha1.update(piece);
        self.size += piece.len() as u64;
        Ok(())
    }

    /// The bytes, and their SHA-1 as 40 lower-case hexadecimal digits.
    pub fn finish(self) -> (Verified, String) {
        let Measuring { file, sha512, sha1, size } = self;
        let verified = Verified { digest: Digest(sha512.finalize().into()), size, content: Content::File(Arc::new(file)) };
        (verified, HEXLOWER.encode(&sha1.finalize()))
    }
}

/// From the start of `from`, wherever its cursor is: the handle is shared.
fn copy(from: &File, digest: &Digest, size: u64, to: &mut File) -> io::Result<()> {
    use std::os::unix::fs::FileExt;
    const BLOCK_BYTES: u64 = 256 * 1024;
    let mut block = vec![0; 256 * 1024];
    let mut hasher = Sha512::new();
    let mut offset = 0;
    while offset < size {
        let wanted = usize::try_from((size - offset).min(BLOCK_BYTES)).map_err(io::Error::other)?;
        from.read_exact_at(&mut block[..wanted], offset)?;
        hasher.update(&block[..wanted]);
        to.write_all(&block[..wanted])?;
        offset += wanted as u64;
    }
    if Digest(hasher.finalize().into()) != *digest {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the file changed since it was hashed"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_kept_in_a_file_stay_what_they_were() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let file = |name: &str| File::options().read(true).write(true).create_new(true).open(path(name)).unwrap();
        let bytes = Bytes::from(vec![7; 300_000]);
        let first = Verified::measure(bytes.clone()).kept_in(file("first")).unwrap();
        let second = first.kept_in(file("second")).unwrap();
        for kept in [&first, &second] {
            assert_eq!((kept.digest(), kept.size(), kept.to_bytes().unwrap()), (&Digest::of(&bytes), 300_000, bytes.clone()));
        }
        std::fs::write(path("second"), vec![8; 300_000]).unwrap();
        assert!(second.kept_in(file("third")).is_err(), "bytes that changed are proven by nothing");
    }

    #[test]
    fn bytes_that_come_in_pieces_are_measured_as_one() {
        let folder = tempfile::tempdir().unwrap();
        let file = File::options().read(true).write(true).create_new(true).open(folder.path().join("new")).unwrap();
        let mut measuring = Measuring::new(file);
        for piece in [&b"tar"[..], b"", b"ball"] {
            measuring.write(piece).unwrap();
        }
        let (whole, sha1) = measuring.finish();
        assert_eq!((whole.digest(), whole.size(), &whole.to_bytes().unwrap()[..]), (&Digest::of(b"tarball"), 7, &b"tarball"[..]));
        assert_eq!(sha1, HEXLOWER.encode(&sha1::Sha1::digest(b"tarball")));
    }

    #[test]
    fn one_hash_that_disagrees_is_enough() {
        let bytes = b"tarball";
        let digest = Digest::of(bytes);
        let sha1 = HEXLOWER.encode(&sha1::Sha1::digest(bytes));
        let agrees = Integrity { sha512: Some(digest), sha1: Some(sha1.clone()), ..Integrity::default() };
        assert_eq!(agrees.compare(bytes, &digest), IntegrityOutcome::Agrees);
        let weak = Integrity { sha1: Some(sha1), ..Integrity::default() };
        assert_eq!(weak.compare(bytes, &digest), IntegrityOutcome::WeaklyAgrees);
        let wrong_sha1 = Integrity { sha512: Some(digest), sha1: Some("0".repeat(40)), ..Integrity::default() };
        assert!(matches!(wrong_sha1.compare(bytes, &digest), IntegrityOutcome::Disagrees { .. }));
        assert_eq!(Integrity::default().compare(bytes, &digest), IntegrityOutcome::Unstated);
        let unreadable = Integrity { unreadable: Some("md5-x".into()), ..Integrity::default() };
        assert!(matches!(unreadable.compare(bytes, &digest), IntegrityOutcome::Disagrees { .. }));
    }

    #[test]
    fn digests_read_what_they_write() {
        let digest = Digest::of(b"a");
        assert_eq!(Digest::parse(&digest.sri()), Ok(digest));
        assert_eq!(Digest::parse(&digest.hex()), Ok(digest));
        assert!(Digest::parse("sha512-AAAA").is_err());
    }
}
