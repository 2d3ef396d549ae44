//! An index as it is kept on disk: a line of JSON about it, then the frame and all manifests as they are, so that
//! reading it back parses no manifest.

use std::borrow::Cow;
use std::collections::HashSet;

use bytes::Bytes;
use serde::Deserialize;
use serde::Serialize;

use crate::model::digest::DocumentDigest;
use crate::model::index::Index;
use crate::model::index::Row;
use crate::model::package::PackageId;
use crate::model::package::Version;

/// Raised when the form changes; a document of another edition is fetched anew.
const EDITION: u16 = 1;

/// What the line has of a row, about.
const ROW_BYTES: usize = 512;

#[derive(Serialize, Deserialize)]
struct Head<'i> {
    edition: u16,
    package: Cow<'i, PackageId>,
    source: DocumentDigest,
    frame_bytes: usize,
    pointers: Cow<'i, [(String, Version)]>,
    #[serde(skip_serializing_if = "is_empty", default)]
    earlier: Cow<'i, [(String, Vec<Version>)]>,
    rows: Cow<'i, [Row]>,
}

fn is_empty(earlier: &Cow<'_, [(String, Vec<Version>)]>) -> bool {
    earlier.as_ref().is_empty()
}

/// The bytes to keep.
pub fn write(index: &Index) -> Bytes {
    let head = Head {
        edition: EDITION,
        package: Cow::Borrowed(&index.package),
        source: index.source,
        frame_bytes: index.frame.len(),
        pointers: Cow::Borrowed(&index.pointers),
        earlier: Cow::Borrowed(&index.earlier),
        rows: Cow::Borrowed(&index.rows),
    };
    let mut all = Vec::with_capacity(index.rows.len() * ROW_BYTES + index.frame.len() + index.text.len());
    if serde_json::to_writer(&mut all, &head).is_err() {
        all.clear();
    }
    all.push(b'\n');
    all.extend_from_slice(&index.frame);
    all.extend_from_slice(&index.text);
    Bytes::from(all)
}

/// `None` when it is not what [`write`] writes today.
pub fn read(kept: &Bytes) -> Option<Index> {
    let end = memchr::memchr(b'\n', kept)?;
    let head: Head<'_> = serde_json::from_slice(kept.get(..end)?).ok()?;
    let mut rows = head.rows.into_owned();
    // A list that is read makes room for four at once, and nearly every release has one artifact of 224 bytes. Moved and not
    // shrunk where they are: what lies between stays in one piece for the next index that is read.
    for row in &mut rows {
        let mut exact = Vec::with_capacity(row.artifacts.len());
        exact.append(&mut row.artifacts);
        row.artifacts = exact;
    }
    // Copied, so that the line of JSON does not stay in memory for as long as the manifests do.
    let rest = Bytes::copy_from_slice(kept.get(end + 1..)?);
    if head.edition != EDITION || head.frame_bytes > rest.len() {
        return None;
    }
    let text = rest.slice(head.frame_bytes..);
    let inside = rows.iter().all(|row| row.manifest.start <= row.manifest.end && row.manifest.end <= text.len());
    let distinct = rows.iter().map(|row| &row.version).collect::<HashSet<_>>().len() == rows.len();
    (inside && distinct).then(|| Index {
        package: head.package.into_owned(),
        source: head.source,
        frame: rest.slice(..head.frame_bytes),
        pointers: head.pointers.into_owned(),
        earlier: head.earlier.into_owned(),
        rows,
        text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index() -> Index {
        let row = |version: &str, manifest| Row {
            version: Version::parse(version).unwrap(),
            manifest,
            published_at: None,
            artifacts: Vec::new(),
            claims: crate::model::index::Claims::default(),
            unreadable: None,
            removed_at: None,
        };
        Index {
            package: PackageId::npm("left-pad").unwrap(),
            source: DocumentDigest::of(b"x"),
            frame: Bytes::from_static(b"{\"name\":\"left-pad\",\n\"x\":1}"),
            pointers: vec![("latest".into(), Version::parse("1.0.0").unwrap())],
            earlier: Vec::new(),
            rows: vec![row("1.0.0", 0..7), row("2.0.0", 7..9)],
            text: Bytes::from_static(b"{\"a\":1}{}"),
        }
    }

    #[test]
    fn reads_what_it_writes() {
        let index = index();
        assert_eq!(read(&write(&index)).unwrap(), index);
        let earlier = vec![("latest".to_owned(), vec![Version::parse("1.0.0").unwrap()])];
        let index = Index { earlier, ..index };
        assert_eq!(read(&write(&index)).unwrap(), index);
    }

    #[test]
    fn a_document_that_was_cut_is_none() {
        let whole = write(&index());
        for length in 0..whole.len() - 1 {
            if let Some(read) = read(&whole.slice(..length)) {
                panic!("{length} bytes read as {read:?}");
            }
        }
    }
}
