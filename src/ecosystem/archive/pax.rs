//! PAX extended headers: only keys that packers in use write, only values that every reader reads alike.
//! Source: POSIX pax interchange format; node-tar splits at line ends instead of counting, so values with one are refused.

use std::collections::HashSet;
use std::str;

use crate::ecosystem::archive::fault::ArchiveFault;
use crate::ecosystem::archive::fault::shown;

/// Digits of a record's length: enough for the longest header allowed.
const LENGTH_DIGITS_MAX: usize = 6;

/// Families of keys that no reader acts on. The last is what npm wrote until 2014: the whole manifest, a record a field.
const VENDOR_PREFIXES: [&str; 3] = ["LIBARCHIVE.xattr.", "SCHILY.xattr.", "NODETAR."];

/// What a PAX header says that changes what is unpacked.
#[derive(Default, Debug, PartialEq, Eq)]
pub(super) struct Pax {
    pub(super) path: Option<String>,
    pub(super) size: Option<u64>,
}

/// What is asked of a key's value.
enum Rule {
    Path,
    Size,
    /// A number, perhaps negative or with a fraction: no reader makes it part of what is unpacked.
    Number,
    /// Text that no reader makes part of what is unpacked.
    Text,
    Charset,
}

/// Keys that npm, yarn, pnpm, bun, GNU tar, bsdtar, Go's and Python's packers write for plain files.
fn rule(key: &str) -> Option<Rule> {
    match key {
        "path" => Some(Rule::Path),
        "size" => Some(Rule::Size),
        "mtime" | "atime" | "ctime" | "uid" | "gid" | "SCHILY.dev" | "SCHILY.ino" | "SCHILY.nlink" | "LIBARCHIVE.creationtime" => {
            Some(Rule::Number)
        }
        "uname" | "gname" | "comment" | "SCHILY.fflags" => Some(Rule::Text),
        "hdrcharset" | "charset" => Some(Rule::Charset),
        _ => VENDOR_PREFIXES.iter().any(|prefix| key.starts_with(prefix)).then_some(Rule::Text),
    }
}

/// Reads the records `<length> <key>=<value>\n`, as many as a header's size allows.
pub(super) fn parse(mut body: &[u8]) -> Result<Pax, ArchiveFault> {
    let mut pax = Pax::default();
    let mut seen: HashSet<&str> = HashSet::new();
    while !body.is_empty() {
        let (key, value, rest) = record(body).ok_or(ArchiveFault::PaxMalformed)?;
        body = rest;
        if !seen.insert(key) {
            return Err(ArchiveFault::PaxKeyTwice { key: shown(key) });
        }
        let rule = rule(key).ok_or_else(|| ArchiveFault::PaxKey { key: shown(key) })?;
        if memchr::memchr2(b'\n', 0, value).is_some() {
            return Err(ArchiveFault::PaxValue { key: shown(key) });
        }
        let wrong = || ArchiveFault::PaxValue { key: shown(key) };
        match rule {
            Rule::Path => {
                let path = str::from_utf8(value).map_err(|_| ArchiveFault::NotAscii { path: shown(value) })?;
                // An empty value unsets the path for some readers.
                if path.is_empty() {
                    return Err(wrong());
                }
                pax.path = Some(path.to_owned());
            }
            Rule::Size => pax.size = Some(decimal(value).ok_or_else(wrong)?),
            Rule::Number => {
                if value.is_empty() || !value.iter().all(|b| b.is_ascii_digit() || matches!(b, b'-' | b'.')) {
                    return Err(wrong());
                }
            }
            Rule::Text => {}
            Rule::Charset => {
                if value != b"ISO-IR 10646 2000 UTF-8" {
                    return Err(wrong());
                }
            }
        }
    }
    Ok(pax)
}

/// Whether a header for all entries says nothing but a comment, as `git archive` writes it. All else in one counts for some
/// readers only.
pub(super) fn is_only_comment(body: &[u8]) -> bool {
    record(body).is_some_and(|(key, value, rest)| key == "comment" && rest.is_empty() && memchr::memchr2(b'\n', 0, value).is_none())
}

/// The key and value of the first record, and what follows it.
fn record(body: &[u8]) -> Option<(&str, &[u8], &[u8])> {
    let space = memchr::memchr(b' ', body.get(..=LENGTH_DIGITS_MAX).unwrap_or(body))?;
    let length = usize::try_from(decimal(body.get(..space)?)?).ok()?;
    let (record, rest) = body.split_at_checked(length)?;
    let line = record.get(space + 1..)?.strip_suffix(b"\n")?;
    let equals = memchr::memchr(b'=', line)?;
    let key = str::from_utf8(line.get(..equals)?).ok()?;
    let plain = !key.is_empty() && key.bytes().all(|b| b.is_ascii_graphic());
    plain.then_some((key, line.get(equals + 1..)?, rest))
}

/// Decimal digits without a leading zero, as packers write them.
fn decimal(digits: &[u8]) -> Option<u64> {
    let plain = digits.iter().all(u8::is_ascii_digit) && (digits.len() == 1 || !digits.starts_with(b"0"));
    plain.then(|| str::from_utf8(digits).ok()?.parse().ok()).flatten()
}
