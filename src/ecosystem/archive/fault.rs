//! The rules of the archive profile, each with the sentence that says how it was broken.

use crate::model::finding::printable;

/// Bytes of a path or key that a fault repeats.
const SHOWN_BYTES_MAX: usize = 160;

/// Cuts and cleans text of the archive, which an attacker wrote.
pub(super) fn shown(text: impl AsRef<[u8]>) -> String {
    let text = text.as_ref();
    let cut = text.get(..SHOWN_BYTES_MAX * 4).unwrap_or(text);
    printable(&String::from_utf8_lossy(cut), SHOWN_BYTES_MAX)
}

/// The first rule that an archive breaks. Paths in it are printable and cut short.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum ArchiveFault {
    // The gzip container.
    #[error("it is not gzip")]
    NotGzip,
    #[error("its gzip header is broken: {why}")]
    GzipHeader { why: &'static str },
    #[error("it is cut short: the gzip stream has no end")]
    GzipTruncated,
    #[error("its gzip stream is damaged")]
    GzipDamaged,
    #[error("its gzip checksum does not fit its content")]
    GzipChecksum,
    #[error("its gzip length does not fit its content")]
    GzipLength,
    #[error("it has more than one gzip member, of which some readers see only the first")]
    SecondMember,
    #[error("{bytes} bytes stand after the gzip stream")]
    TrailingBytes { bytes: usize },

    // Cost.
    #[error("it unpacks to more than {max} bytes")]
    TooLarge { max: u64 },
    #[error("it unpacks to more than {max} times its size")]
    Bomb { max: u64 },
    #[error("{path:?} is {bytes} bytes, more than {max}")]
    FileTooLarge { path: String, bytes: u64, max: u64 },
    #[error("it has more than {max} entries")]
    TooManyEntries { max: u32 },
    #[error("a PAX header is {bytes} bytes, more than {max}")]
    PaxTooLarge { bytes: u64, max: u64 },

    // Blocks and headers.
    #[error("the archive has no end: it is cut short after {path:?}")]
    Truncated { path: String },
    #[error("it holds no file")]
    Empty,
    #[error("data stands after its end")]
    DataAfterEnd,
    #[error("the header after {path:?} has a wrong checksum")]
    HeaderChecksum { path: String },
    #[error("the header of {path:?} has a {field} that is no number")]
    HeaderNumber { path: String, field: &'static str },
    #[error("the header of {path:?} has a negative {field}")]
    NegativeNumber { path: String, field: &'static str },
    #[error("the header of {path:?} is of no known format")]
    UnknownFormat { path: String },
    #[error("the header of {path:?} hides bytes behind the end of its {field}")]
    HiddenBytes { path: String, field: &'static str },
    #[error("{path:?} is a link")]
    Link { path: String },
    #[error("{path:?} is no link, yet its header names a target")]
    LinkTarget { path: String },
    #[error("{path:?} is a device or a pipe")]
    Device { path: String },
    #[error("{path:?} is of type '7', a file for some readers and nothing for others")]
    ContiguousFile { path: String },
    #[error("a global PAX header with more than a comment, which counts for some readers only")]
    GlobalPax,
    #[error("a GNU long name, which not all readers follow")]
    GnuLongName,
    #[error("a GNU long name and a PAX header for the same entry")]
    GnuLongNameWithPax,
    #[error("{path:?} is of unknown type {typeflag:?}")]
    UnknownType { path: String, typeflag: String },
    #[error("{path:?} ends in a slash and is not a directory")]
    FileWithSlash { path: String },
    #[error("the directory {path:?} has content")]
    DirectoryWithContent { path: String },

    // PAX headers.
    #[error("a PAX header is malformed")]
    PaxMalformed,
    #[error("a PAX header has the key {key:?}, which is not among those that packers write")]
    PaxKey { key: String },
    #[error("a PAX header has the key {key:?} twice")]
    PaxKeyTwice { key: String },
    #[error("a PAX header has a value for {key:?} that not all readers read alike")]
    PaxValue { key: String },
    #[error("{path:?} is {header} bytes by its header and {pax} by its PAX header")]
    PaxSize { path: String, header: u64, pax: u64 },
    #[error("a PAX header that no entry follows")]
    PaxAlone,

    // Paths.
    #[error("an entry has no name")]
    NoName,
    #[error("{path:?} has a control character in its name")]
    ControlCharacter { path: String },
    #[error("{path:?} has a backslash in its name, a separator on Windows")]
    Backslash { path: String },
    #[error("{path:?} has characters other than ASCII in its name")]
    NotAscii { path: String },
    #[error("{path:?} has a colon in its name, which on Windows writes into another file")]
    Colon { path: String },
    #[error("{path:?} is an absolute path")]
    Absolute { path: String },
    #[error("{path:?} leads out of the archive")]
    ParentDirectory { path: String },
    #[error("{path:?} starts with a dot, which clients would strip in place of the root")]
    DotRoot { path: String },
    #[error("{path:?} lies outside of every directory")]
    NoRoot { path: String },
    #[error("{path:?} lies in a second root beside {root:?}, and clients strip both")]
    SecondRoot { path: String, root: String },
    #[error("{path:?} is too long or too deep")]
    PathTooLong { path: String },
    #[error("{path:?} has a part that ends in a dot or a space, which Windows drops")]
    TrailingDotOrSpace { path: String },
    #[error("{path:?} has a part that is a device on Windows")]
    WindowsDevice { path: String },
    #[error("{path:?} looks like the short name that Windows gives to another file")]
    ShortName { path: String },
    #[error("{path:?} and {other:?} are one file where case does not count")]
    CaseCollision { path: String, other: String },
    #[error("{path:?} is a file and a directory")]
    FileAndDirectory { path: String },
    #[error("{path:?} stands twice in the archive with different content")]
    DuplicateDiffers { path: String },
}
