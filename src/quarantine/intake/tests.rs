//! What a new index changes.

use std::sync::Arc;

use super::*;
use crate::model::digest::Digest;
use crate::model::digest::Integrity;
use crate::model::digest::IntegrityOutcome;
use crate::model::facts::Facts;
use crate::model::index::Artifact;
use crate::model::index::Claims;
use crate::model::index::Origin;
use crate::storage::record::Inspection;
use crate::storage::record::ReleaseState;

fn now() -> Timestamp {
    Timestamp::parse("2026-11-20T12:00:00Z").unwrap()
}

/// `1.0.0` states the bytes `1.0.0`, `1.0.0=evil` the bytes `evil`, and says so in its text.
fn index(words: &str) -> Index {
    let mut text = String::new();
    let mut rows = Vec::new();
    for word in words.split_whitespace() {
        let (version, bytes) = word.split_once('=').unwrap_or((word, word));
        let start = text.len();
        text.push_str(&format!("<{word}>"));
        let integrity = Integrity { sha512: Some(Digest::of(bytes.as_bytes())), ..Integrity::default() };
        rows.push(Row {
            version: Version::parse(version).unwrap(),
            manifest: start..text.len(),
            published_at: Some(now()),
            artifacts: vec![Artifact { file: format!("x-{version}.tgz"), aliases: Vec::new(), location: String::new(), integrity }],
            claims: Claims::default(),
            origin: Origin::default(),
            unreadable: None,
            removed_at: None,
        });
    }
    let source = DocumentDigest::of(words.as_bytes());
    let package = PackageId::npm("x").unwrap();
    Index { package, source, frame: Bytes::new(), pointers: Vec::new(), earlier: Vec::new(), rows, text: Bytes::from(text) }
}

fn seen() -> PackageState {
    PackageState { first_seen_at: Some(now()), ..PackageState::default() }
}

fn pinned(version: &str) -> PackageState {
    let inspection = Inspection {
        at: now(),
        edition: 1,
        digest: Digest::of(version.as_bytes()),
        size: 1,
        integrity: IntegrityOutcome::Agrees,
        facts: Facts::default(),
        substance: None,
        evidence: None,
    };
    let mut state = seen();
    let release = ReleaseState { inspections: [(format!("x-{version}.tgz"), Arc::new(inspection))].into(), ..ReleaseState::default() };
    state.releases.insert(Version::parse(version).unwrap(), release);
    state
}

fn words(versions: &[Version]) -> String {
    versions.iter().map(Version::as_str).collect::<Vec<_>>().join(" ")
}

/// Added, removed, returned, changed; then the texts of all rows, a removed one in brackets.
#[track_caller]
fn check(intake: &Intake, expect: [&str; 4], rows: &str) {
    let changes = &intake.changes;
    let found = [&changes.added, &changes.removed, &changes.returned, &changes.changed].map(|versions| words(versions));
    assert_eq!(found, expect);
    let text = |row: &Row| {
        let text = String::from_utf8(intake.index.manifest(row).to_vec()).unwrap();
        if row.removed_at.is_some() { format!("[{text}]") } else { text }
    };
    assert_eq!(intake.index.rows.iter().map(text).collect::<String>(), rows);
}

#[test]
fn a_first_sight_adds_all() {
    let intake = join(&index("1.0.0 2.0.0"), &Before::Nothing, &PackageState::default(), now());
    assert!(intake.changes.first);
    check(&intake, ["1.0.0 2.0.0", "", "", ""], "<1.0.0><2.0.0>");
}

#[test]
fn a_later_sight_is_a_difference() {
    let before = index("1.0.0 2.0.0");
    let intake = join(&index("2.0.0 3.0.0"), &Before::Index(&before), &seen(), now());
    check(&intake, ["3.0.0", "1.0.0", "", ""], "<2.0.0><3.0.0>[<1.0.0>]");
}

#[test]
fn what_comes_back_with_the_same_bytes_returned_and_with_others_is_new_and_changed() {
    let gone = join(&index("1.0.0"), &Before::Index(&index("1.0.0 2.0.0")), &seen(), now()).index;
    let same = join(&index("1.0.0 2.0.0"), &Before::Index(&gone), &seen(), now());
    check(&same, ["", "", "2.0.0", ""], "<1.0.0><2.0.0>");
    let other = join(&index("1.0.0 2.0.0=evil"), &Before::Index(&gone), &seen(), now());
    check(&other, ["2.0.0", "", "", "2.0.0"], "<1.0.0><2.0.0=evil>");
    let still_gone = join(&index("1.0.0"), &Before::Index(&gone), &seen(), now());
    check(&still_gone, ["", "", "", ""], "<1.0.0>[<2.0.0>]");
}

#[test]
fn other_bytes_never_replace_pinned_ones() {
    let before = index("1.0.0 2.0.0");
    let unpinned = join(&index("1.0.0 2.0.0=evil"), &Before::Index(&before), &seen(), now());
    check(&unpinned, ["", "", "", "2.0.0"], "<1.0.0><2.0.0=evil>");
    let kept = join(&index("1.0.0 2.0.0=evil"), &Before::Index(&before), &pinned("2.0.0"), now());
    check(&kept, ["", "", "", "2.0.0"], "<1.0.0><2.0.0>");
    let again = join(&index("1.0.0 2.0.0=evil 3.0.0"), &Before::Index(&kept.index), &pinned("2.0.0"), now());
    check(&again, ["3.0.0", "", "", "2.0.0"], "<1.0.0><2.0.0><3.0.0>");
}

#[test]
fn when_the_document_is_lost_the_ledger_still_tells_what_is_new() {
    let known: HashSet<Version> = ["1.0.0", "2.0.0"].map(|version| Version::parse(version).unwrap()).into();
    let intake = join(&index("1.0.0 2.0.0 3.0.0"), &Before::Versions(&known), &seen(), now());
    assert!(!intake.changes.first);
    check(&intake, ["3.0.0", "", "", ""], "<1.0.0><2.0.0><3.0.0>");
}

#[test]
fn a_package_that_is_gone_keeps_its_rows_as_removed() {
    let intake = join(&index(""), &Before::Index(&index("1.0.0 2.0.0")), &seen(), now());
    check(&intake, ["", "1.0.0 2.0.0", "", ""], "[<1.0.0>][<2.0.0>]");
}
