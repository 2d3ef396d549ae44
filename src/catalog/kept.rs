//! An index as it is kept on disk: a line of JSON about it, then the frame and all manifests as they are, so that
//! reading it back parses no manifest.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use serde::Deserialize;
use serde::Serialize;

use crate::model::digest::DocumentDigest;
use crate::model::index::Hand;
use crate::model::index::Index;
use crate::model::index::Row;
use crate::model::package::PackageId;
use crate::model::package::Version;

/// Raised when the form changes; a document of another edition is fetched anew.
const EDITION: u16 = 2;

/// What the line has of a row, about.
const ROW_BYTES: usize = 512;

#[derive(Serialize, Deserialize)]
struct Head<'i> {
    edition: u16,
    package: Cow<'i, PackageId>,
    source: DocumentDigest,
    frame_bytes: usize,
    pointers: Cow<'i, [(String, Version)]>,
    #[serde(skip_serializing_if = "<[_]>::is_empty", default)]
    earlier: Cow<'i, [(String, Vec<Version>)]>,
    /// Each once.
    hands: Vec<Cow<'i, Hand>>,
    /// Of each row, where its hand stands in `hands`, counted from 1; 0 where none is known.
    by: Vec<u32>,
    rows: Cow<'i, [Row]>,
}

/// The hands of an index, and which row has which.
fn hands(index: &Index) -> (Vec<Cow<'_, Hand>>, Vec<u32>) {
    let mut hands = Vec::new();
    let mut places: HashMap<&Hand, u32> = HashMap::new();
    let by = index.rows.iter().map(|row| {
        let Some(hand) = row.origin.hand.as_deref() else { return 0 };
        *places.entry(hand).or_insert_with(|| {
            hands.push(Cow::Borrowed(hand));
            u32::try_from(hands.len()).unwrap_or(0)
        })
    });
    let by = by.collect();
    (hands, by)
}

/// The bytes to keep.
pub fn write(index: &Index) -> Bytes {
    let (hands, by) = hands(index);
    let head = Head {
        edition: EDITION,
        package: Cow::Borrowed(&index.package),
        source: index.source,
        frame_bytes: index.frame.len(),
        pointers: Cow::Borrowed(&index.pointers),
        earlier: Cow::Borrowed(&index.earlier),
        hands,
        by,
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
    let hands: Vec<Arc<Hand>> = head.hands.into_iter().map(|hand| Arc::new(hand.into_owned())).collect();
    if head.by.len() != rows.len() {
        return None;
    }
    for (row, at) in rows.iter_mut().zip(head.by) {
        row.origin.hand = match at.checked_sub(1) {
            Some(at) => Some(Arc::clone(hands.get(at as usize)?)),
            None => None,
        };
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
    use crate::model::index::Origin;

    fn index() -> Index {
        let row = |version: &str, manifest| Row {
            version: Version::parse(version).unwrap(),
            manifest,
            published_at: None,
            artifacts: Vec::new(),
            claims: crate::model::index::Claims::default(),
            origin: Origin::default(),
            unreadable: None,
            removed_at: None,
        };
        let ann = Arc::new(Hand { name: "ann".to_owned(), workflow: None, maintainers: vec!["ann".to_owned(), "bob".to_owned()] });
        let by_ann = |row| Row { origin: Origin { hand: Some(Arc::clone(&ann)), has_provenance: true }, ..row };
        Index {
            package: PackageId::npm("left-pad").unwrap(),
            source: DocumentDigest::of(b"x"),
            frame: Bytes::from_static(b"{\"name\":\"left-pad\",\n\"x\":1}"),
            pointers: vec![("latest".into(), Version::parse("1.0.0").unwrap())],
            earlier: Vec::new(),
            rows: vec![by_ann(row("1.0.0", 0..7)), row("2.0.0", 7..9), by_ann(row("3.0.0", 9..9))],
            text: Bytes::from_static(b"{\"a\":1}{}"),
        }
    }

    #[test]
    fn reads_what_it_writes() {
        let index = index();
        let read_back = read(&write(&index)).unwrap();
        assert_eq!(read_back, index);
        let hand = |at: usize| read_back.rows[at].origin.hand.as_ref();
        assert!(Arc::ptr_eq(hand(0).unwrap(), hand(2).unwrap()) && hand(1).is_none(), "each hand is in memory once");
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
