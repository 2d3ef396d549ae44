//! What is kept, what is withheld, and where pointers go.

use std::time::Duration;

use super::*;
use crate::config::policy::Listing;
use crate::config::policy::Policy;
use crate::model::digest::Digest;
use crate::model::digest::Integrity;
use crate::model::index::Artifact;
use crate::model::index::Claims;
use crate::model::index::Origin;
use crate::model::index::Row;
use crate::protocol::npm::Npm;
use crate::quarantine::context::Context;
use crate::quarantine::standings::judge_all;
use crate::storage::record::PackageState;

fn now() -> Timestamp {
    Timestamp::parse("2026-11-20T12:00:00Z").unwrap()
}

/// `1.0.0` is old, `1.0.0!` was published an hour ago; pointers as `latest=1.0.0`.
fn index(versions: &str, pointers: &str) -> Index {
    let mut text = String::new();
    let mut rows = Vec::new();
    for word in versions.split_whitespace() {
        let version = word.trim_end_matches('!');
        let age = if word.ends_with('!') { Duration::from_secs(3_600) } else { Duration::from_secs(86_400 * 400) };
        let start = text.len();
        text.push_str(&format!("{{\"version\":\"{version}\",\"marker\":\"text-of-{version}\"}}"));
        let integrity = Integrity { sha512: Some(Digest::of(version.as_bytes())), ..Integrity::default() };
        rows.push(Row {
            version: Version::parse(version).unwrap(),
            manifest: start..text.len(),
            published_at: Some(now().minus(age)),
            artifacts: vec![Artifact { file: format!("x-{version}.tgz"), aliases: Vec::new(), location: String::new(), integrity }],
            claims: Claims::default(),
            origin: Origin::default(),
            unreadable: None,
            removed_at: None,
        });
    }
    let pointers = pointers.split_whitespace().map(|pair| pair.split_once('=').unwrap());
    Index {
        package: PackageId::npm("x").unwrap(),
        source: DocumentDigest::of(b""),
        frame: Bytes::from_static(b"{}"),
        pointers: pointers.map(|(name, version)| (name.to_owned(), Version::parse(version).unwrap())).collect(),
        earlier: Vec::new(),
        rows,
        text: Bytes::from(text),
    }
}

fn exposed(index: &Index) -> Exposed {
    expose(index, &judge_all(index, &PackageState::default(), &Policy::default(), &Context::default(), DocumentDigest::of, now()), &Npm)
}

#[track_caller]
fn check(versions: &str, pointers: &str, expect: &str) {
    let exposed = exposed(&index(versions, pointers));
    let shown: Vec<String> = exposed.pointers().iter().map(|(name, version)| format!("{name}={version}")).collect();
    assert_eq!(shown.join(" "), expect, "{versions} with {pointers}");
    for (_, version) in exposed.pointers() {
        assert!(exposed.release(version).is_some(), "{version} dangles");
    }
}

#[test]
fn pointers_move_only_if_they_dangle() {
    check("1.0.0 1.1.0 2.0.0", "latest=1.1.0 next=2.0.0", "latest=1.1.0 next=2.0.0");
    check("1.0.0 1.1.0 2.0.0!", "latest=1.0.0", "latest=1.0.0");
}

#[test]
fn latest_becomes_the_newest_stable_below_its_target() {
    check("1.0.0 1.1.0 1.2.0!", "latest=1.2.0", "latest=1.1.0");
    check("1.0.0 1.1.0-beta.1 1.1.0!", "latest=1.1.0", "latest=1.0.0");
    check("1.0.0 1.1.0! 2.0.0", "latest=1.1.0", "latest=1.0.0");
    check("1.1.0! 2.0.0", "latest=1.1.0", "");
    check("1.0.0 1.2.0-win32-arm64 1.2.0!", "latest=1.2.0", "latest=1.0.0");
    check("1.9.0 1.10.0 2.0.0!", "latest=2.0.0", "latest=1.10.0");
    check("1.0.0-rc.1 1.0.0-rc.2!", "latest=1.0.0-rc.2", "latest=1.0.0-rc.1");
    check("1.0.0 2.0.0-rc.1 2.0.0-rc.2!", "latest=2.0.0-rc.2", "latest=1.0.0");
}

#[test]
fn another_pointer_stays_within_its_major_and_prerelease_class() {
    check("1.0.0 2.0.0-beta.1 2.0.0-beta.2!", "next=2.0.0-beta.2", "next=2.0.0-beta.1");
    check("1.0.0 2.0.0-alpha.1 2.0.0-beta.2!", "next=2.0.0-beta.2", "");
    check("1.0.0-beta.1 2.0.0-beta.2!", "next=2.0.0-beta.2", "");
    check("18.1.0 18.2.0! 20.0.0", "latest=20.0.0 lts=18.2.0", "latest=20.0.0 lts=18.1.0");
    check("17.0.0 18.2.0!", "lts=18.2.0", "");
}

#[test]
fn a_pointer_to_nothing_is_dropped_and_none_is_invented() {
    check("1.0.0", "latest=9.9.9 odd=1.0.0", "latest=1.0.0 odd=1.0.0");
    check("1.0.0 2.0.0", "", "");
    check("1.0.0!", "latest=1.0.0", "");
}

#[test]
fn where_a_pointer_was_wished_to_be_before_stands_in_first() {
    let versions = "0.9.0 1.0.0 1.1.0 1.2.0! 2.0.0!";
    let wished = |latest: &[&str]| {
        let latest = latest.iter().map(|version| Version::parse(version).unwrap()).collect();
        let index = Index { earlier: vec![("latest".to_owned(), latest)], ..index(versions, "latest=2.0.0") };
        exposed(&index).pointer("latest").map(|version| version.to_string())
    };
    assert_eq!(wished(&["1.2.0", "0.9.0", "1.0.0"]).as_deref(), Some("0.9.0"));
    assert_eq!(wished(&["1.2.0"]).as_deref(), Some("1.1.0"), "none of them is listed, so the usual rule holds");
}

#[test]
fn what_was_seen_is_named_by_what_is_listed_and_not_by_words() {
    let index = index("1.0.0 1.1.0!", "latest=1.1.0");
    let later = |at: Timestamp| {
        expose(&index, &judge_all(&index, &PackageState::default(), &Policy::default(), &Context::default(), DocumentDigest::of, at), &Npm)
    };
    let (one, reworded, opened) =
        (later(now()), later(now().plus(Duration::from_secs(7_200))), later(now().plus(Duration::from_secs(864_000))));
    assert_ne!(one.stamp(), reworded.stamp());
    assert_eq!(one.revision(), reworded.revision());
    assert_ne!(one.revision(), opened.revision());
}

#[test]
fn nothing_of_a_withheld_release_is_kept() {
    let exposed = exposed(&index("1.0.0 1.1.0! 1.2.0", "latest=1.2.0"));
    let listed: Vec<&str> = exposed.releases().iter().map(|release| release.version.as_str()).collect();
    assert_eq!(listed, ["1.0.0", "1.2.0"]);
    assert!(!format!("{exposed:?}").contains("text-of-1.1.0"));
    let refusal = &exposed.withheld()[0].refusal;
    assert_eq!(
        refusal.sentence,
        "x@1.1.0 is held: published 1 hour ago, opens 2026-11-27 11:00 UTC (minimum age 7 days). 1.0.0 is admissible."
    );
}

#[test]
fn only_what_passed_the_whole_workflow_is_listed_where_policy_says_so() {
    let policy = Policy { listing: Listing::Approved, ..Policy::default() };
    let index = index("1.0.0", "latest=1.0.0");
    let exposed =
        expose(&index, &judge_all(&index, &PackageState::default(), &policy, &Context::default(), DocumentDigest::of, now()), &Npm);
    assert_eq!((exposed.releases().len(), exposed.withheld_total()), (0, 1));
}

#[test]
fn the_stamp_follows_what_is_seen_and_modified_is_never_older_than_a_release() {
    let one = exposed(&index("1.0.0 1.1.0!", "latest=1.0.0"));
    let same = exposed(&index("1.0.0 1.1.0!", "latest=1.0.0"));
    let other = exposed(&index("1.0.0 1.1.0", "latest=1.0.0"));
    assert_eq!(one.stamp(), same.stamp());
    assert_ne!(one.stamp(), other.stamp());
    let elsewhere = Index { package: PackageId::npm("y").unwrap(), ..index("1.0.0 1.1.0", "latest=1.0.0") };
    assert_ne!(other.stamp(), exposed(&elsewhere).stamp(), "the same text under another name");
    assert!(one.releases().iter().all(|release| release.published_at <= one.modified()));
}
