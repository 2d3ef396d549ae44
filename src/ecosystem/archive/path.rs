//! Which paths mean the same file on every system, and which of an archive's paths are the same file on some.

use std::cmp::Ordering;

use crate::ecosystem::archive::Entry;
use crate::ecosystem::archive::Kind;
use crate::ecosystem::archive::fault::ArchiveFault;
use crate::ecosystem::archive::fault::shown;

/// Longest path seen in real packages: 167 bytes, 12 deep.
const PATH_BYTES_MAX: usize = 512;
const PARTS_MAX: usize = 64;
/// What file systems allow.
const PART_BYTES_MAX: usize = 255;

/// A path taken apart: its root, and what is left when clients have stripped that.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Split {
    pub(super) root: String,
    /// Canonical, empty for the root itself.
    pub(super) below: String,
}

/// Checks a path as it stands in the archive and splits off its root.
pub(super) fn split(raw: &[u8]) -> Result<Split, ArchiveFault> {
    let path = || shown(raw);
    if raw.is_empty() {
        return Err(ArchiveFault::NoName);
    }
    if let Some(bad) = raw.iter().find(|b| !matches!(b, 0x20..=0x7e) || matches!(b, b'\\' | b':')) {
        return Err(match bad {
            b'\\' => ArchiveFault::Backslash { path: path() },
            b':' => ArchiveFault::Colon { path: path() },
            0x80.. => ArchiveFault::NotAscii { path: path() },
            _ => ArchiveFault::ControlCharacter { path: path() },
        });
    }
    let text = str::from_utf8(raw).map_err(|_| ArchiveFault::NotAscii { path: path() })?;
    if text.starts_with('/') {
        return Err(ArchiveFault::Absolute { path: path() });
    }
    // Clients strip the first part as it is written, and only then drop dots and empty parts.
    if text == "." || text.starts_with("./") {
        return Err(ArchiveFault::DotRoot { path: path() });
    }
    let mut parts = text.split('/').filter(|part| !part.is_empty() && *part != ".");
    let mut canonical = Vec::new();
    for part in parts.by_ref() {
        if part == ".." {
            return Err(ArchiveFault::ParentDirectory { path: path() });
        }
        if canonical.len() == PARTS_MAX || part.len() > PART_BYTES_MAX {
            return Err(ArchiveFault::PathTooLong { path: path() });
        }
        if part.ends_with(['.', ' ']) {
            return Err(ArchiveFault::TrailingDotOrSpace { path: path() });
        }
        if is_windows_device(part) {
            return Err(ArchiveFault::WindowsDevice { path: path() });
        }
        if is_short_name(part) {
            return Err(ArchiveFault::ShortName { path: path() });
        }
        canonical.push(part);
    }
    if text.len() > PATH_BYTES_MAX {
        return Err(ArchiveFault::PathTooLong { path: path() });
    }
    match canonical.split_first() {
        Some((root, below)) => Ok(Split { root: (*root).to_owned(), below: below.join("/") }),
        None => Err(ArchiveFault::NoName),
    }
}

/// A name that Windows gives to a device, whatever extension follows. Source: Microsoft, Naming Files, Paths, and Namespaces.
fn is_windows_device(part: &str) -> bool {
    let stem = part.split('.').next().unwrap_or(part).trim_end_matches(' ');
    let numbered = |prefix: &str| {
        stem.len() == 4
            && stem.get(..3).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
            && stem.ends_with(|c: char| c.is_ascii_digit())
    };
    ["con", "prn", "aux", "nul", "conin$", "conout$"].iter().any(|name| stem.eq_ignore_ascii_case(name))
        || numbered("com")
        || numbered("lpt")
}

/// `PACKAG~1.JSO`: where short names are on, it opens `package.json`.
fn is_short_name(part: &str) -> bool {
    const STEM_MAX: usize = 8;
    const EXTENSION_MAX: usize = 3;
    let (stem, extension) = part.split_once('.').unwrap_or((part, ""));
    let Some((start, number)) = stem.rsplit_once('~') else { return false };
    let numbered = !start.is_empty() && !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    numbered && stem.len() <= STEM_MAX && extension.len() <= EXTENSION_MAX && !extension.contains('.')
}

/// Two places in the list of entries whose files have the same path and size.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Clash {
    pub(super) first: usize,
    pub(super) second: usize,
}

/// Refuses paths that are one file on some systems and two on others, and a file that is a directory too. Returns the
/// pairs whose content must be compared.
pub(super) fn clashes(entries: &[Entry]) -> Result<Vec<Clash>, ArchiveFault> {
    let mut order: Vec<(usize, &Entry)> = entries.iter().enumerate().collect();
    // Neighbours in this order share the longest beginning, so that looking at pairs of neighbours is enough.
    order.sort_by(|(left_place, left), (right_place, right)| folded(&left.path, &right.path).then(left_place.cmp(right_place)));
    let mut twice = Vec::new();
    for pair in order.windows(2) {
        let [(first, left), (second, right)] = *pair else { continue };
        compare_spelling(left, right)?;
        let file_and_directory = || ArchiveFault::FileAndDirectory { path: shown(&left.path) };
        if left.path == right.path {
            match (left.kind, right.kind) {
                (Kind::Directory, Kind::Directory) => {}
                (Kind::File, Kind::File) if left.size == right.size => twice.push(Clash { first, second }),
                (Kind::File, Kind::File) => return Err(ArchiveFault::DuplicateDiffers { path: shown(&left.path) }),
                (Kind::File, Kind::Directory) | (Kind::Directory, Kind::File) => return Err(file_and_directory()),
            }
        } else if left.kind == Kind::File && right.path.strip_prefix(left.path.as_str()).is_some_and(|rest| rest.starts_with('/')) {
            return Err(file_and_directory());
        }
    }
    Ok(twice)
}

/// Parts that are equal when case does not count must be spelled alike.
fn compare_spelling(left: &Entry, right: &Entry) -> Result<(), ArchiveFault> {
    for (ours, theirs) in left.path.split('/').zip(right.path.split('/')) {
        if !ours.eq_ignore_ascii_case(theirs) {
            return Ok(());
        }
        if ours != theirs {
            return Err(ArchiveFault::CaseCollision { path: shown(&right.path), other: shown(&left.path) });
        }
    }
    Ok(())
}

/// Orders without regard to case, a slash before everything else, so that a directory's content follows it at once.
fn folded(left: &str, right: &str) -> Ordering {
    let key = |b: u8| if b == b'/' { 0 } else { b.to_ascii_lowercase() };
    left.bytes().map(key).cmp(right.bytes().map(key))
}
