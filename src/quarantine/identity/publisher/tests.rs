//! Histories of publishers, a line for each release.

use std::sync::Arc;

use bytes::Bytes;

use super::*;
use crate::model::digest::DocumentDigest;
use crate::model::index::Claims;
use crate::model::index::Origin;
use crate::model::package::PackageId;

/// `1.0.0 ann 900`: the version, its publisher, and how many days ago. A publisher is a name, with `+` where there is
/// provenance, `@` before a workflow, `-` where it is not known; a version with `!` was taken down.
fn found(lines: &[&str]) -> Vec<String> {
    let now = Timestamp::parse("2026-11-20T12:00:00Z").unwrap();
    let day = Duration::from_secs(86_400);
    let (mut rows, mut counts_from) = (Vec::new(), Vec::new());
    for line in lines {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [version, by, days] = words[..] else { panic!("{line}") };
        let at = now.minus(day * days.parse().unwrap());
        let name = by.trim_end_matches('+');
        let hand = Hand {
            name: name.trim_start_matches('@').to_owned(),
            workflow: name.starts_with('@').then(|| "github oidc:1".to_owned()),
            maintainers: vec!["ann".to_owned(), "bob".to_owned()],
        };
        rows.push(Row {
            version: Version::parse(version.trim_end_matches('!')).unwrap(),
            manifest: 0..0,
            published_at: Some(at),
            artifacts: Vec::new(),
            claims: Claims::default(),
            origin: Origin { hand: (name != "-").then(|| Arc::new(hand)), has_provenance: by.ends_with('+') },
            unreadable: None,
            removed_at: version.ends_with('!').then_some(now),
        });
        counts_from.push(at);
    }
    let index = Index {
        package: PackageId::npm("left-pad").unwrap(),
        source: DocumentDigest::of(b""),
        frame: Bytes::new(),
        pointers: Vec::new(),
        earlier: Vec::new(),
        rows,
        text: Bytes::new(),
    };
    let parse = |version: &Version| semver::Version::parse(version.as_str()).unwrap();
    let track = |version: &Version| {
        let parsed = parse(version);
        let prerelease = parsed.pre.split('.').next().filter(|pre| !pre.is_empty()).map(str::to_owned);
        Some(Track { major: parsed.major, prerelease })
    };
    let precedence = |left: &Version, right: &Version| parse(left).cmp(&parse(right));
    let question = Question { index: &index, counts_from: &counts_from, precedence: &precedence, track: &track };
    let all = examine(&question);
    all.iter().flat_map(|(version, all)| all.iter().map(move |one| format!("{version} {}: {}", one.kind, one.evidence))).collect()
}

fn kinds(lines: &[&str]) -> Vec<String> {
    found(lines).iter().map(|text| text.split(':').next().unwrap().to_owned()).collect()
}

#[test]
fn who_publishes_all_along_is_no_news() {
    assert_eq!(kinds(&["1.0.0 ann 900", "1.1.0 ann 800", "1.2.0 ann 600", "1.3.0 ann 240", "1.4.0 ann 0"]), [""; 0]);
    assert_eq!(kinds(&["1.0.0 ann 900"]), [""; 0]);
    assert_eq!(kinds(&["1.0.0 - 900", "1.1.0 mal 1"]), [""; 0], "nothing is known to compare with");
    assert_eq!(kinds(&["1.0.0 ann 900", "1.1.0 - 1"]), [""; 0]);
}

#[test]
fn a_publisher_is_new_until_they_have_been_there_for_a_while() {
    let lines = ["1.0.0 ann 900", "1.1.0 mal 30", "1.1.1 mal 29", "1.1.2 mal 10", "1.1.3 ann 5"];
    assert_eq!(kinds(&lines), ["1.1.0 new_publisher", "1.1.1 new_publisher", "1.1.3 dormant_publisher"]);
    assert_eq!(found(&lines)[0], "1.1.0 new_publisher: mal; ann published 1.0.0, when only ann, bob could have");
    assert_eq!(found(&["1.0.0 ann 900", "1.1.0 bob 3"]), ["1.1.0 new_publisher: bob; ann published 1.0.0, when both could have"]);
    // What was taken down makes nobody known.
    assert_eq!(kinds(&["1.0.0 ann 900", "1.1.0! mal 300", "1.1.1 mal 1"]), ["1.1.0 new_publisher", "1.1.1 new_publisher"]);
    // Nobody was there before them.
    assert_eq!(kinds(&["1.0.0 ann 3", "1.0.1 bob 3"]), [""; 0]);
}

#[test]
fn a_workflow_is_another_hand_than_a_person_and_than_another_workflow() {
    assert_eq!(
        found(&["1.0.0 ann 900", "1.1.0 @ci 3"]),
        ["1.1.0 new_publisher: ci (trusted publisher github oidc:1); ann published 1.0.0"]
    );
    assert_eq!(kinds(&["1.0.0 @ci 900", "1.1.0 ci+ 3"]), ["1.1.0 new_publisher"]);
}

#[test]
fn silence_is_a_year_without_a_release_of_ones_own() {
    assert_eq!(kinds(&["1.0.0 ann 500", "1.1.0 ann 134"]), ["1.1.0 dormant_publisher"]);
    assert_eq!(kinds(&["1.0.0 ann 499", "1.1.0 ann 135"]), [""; 0]);
    let lines = ["1.0.0 ann 900", "1.1.0 bob 899", "1.2.0 bob 880", "1.3.0 ann 9", "1.3.1 ann 8", "1.4.0 bob 8"];
    assert_eq!(kinds(&lines)[1..], ["1.3.0 dormant_publisher", "1.3.1 dormant_publisher", "1.4.0 dormant_publisher"]);
    assert_eq!(
        found(&["1.0.0 ann 900", "1.1.0 ann 0"]),
        ["1.1.0 dormant_publisher: ann, whose last release of it was 1.0.0 of 2024-06-03 12:00 UTC"]
    );
}

#[test]
fn provenance_is_lost_within_a_major_line() {
    assert_eq!(found(&["1.0.0 ann+ 90", "1.0.1 ann 1"]), ["1.0.1 provenance_lost: 1.0.0 had it"]);
    assert_eq!(kinds(&["1.0.0 @ann 90", "1.0.1 @ann 1"]), [""; 0], "a trusted publisher is enough");
    assert_eq!(kinds(&["1.0.0 ann+ 90", "2.0.0 ann 1", "0.9.0 ann 1"]), [""; 0], "another major line");
    assert_eq!(kinds(&["1.1.0-rc.1 ann+ 90", "1.1.0 ann 1", "1.0.9 ann 1"]), [""; 0], "what is stable succeeds what is stable");
    // Mending an older line, which never had any.
    assert_eq!(kinds(&["1.0.0 ann 90", "1.1.0 ann+ 60", "1.0.1 ann 1"]), [""; 0]);
    // Two in one act: the first does not make it the custom of the second.
    assert_eq!(kinds(&["1.0.0 ann+ 90", "1.0.1 ann 2", "1.0.2 ann 1"]), ["1.0.1 provenance_lost", "1.0.2 provenance_lost"]);
    assert_eq!(kinds(&["1.0.0 ann+ 3", "1.0.1 ann 2", "1.0.2 ann 1"]), ["1.0.1 provenance_lost", "1.0.2 provenance_lost"]);
    // Given up long ago: it is told once.
    assert_eq!(kinds(&["1.0.0 ann+ 90", "1.0.1 ann 60", "1.0.2 ann 1"]), ["1.0.1 provenance_lost"]);
    // What was taken down is nobody's predecessor.
    assert_eq!(kinds(&["1.0.0 ann+ 90", "1.0.1! ann 60", "1.0.2 ann 1"]), ["1.0.1 provenance_lost", "1.0.2 provenance_lost"]);
    // What was published earlier lost nothing, whatever its number.
    assert_eq!(kinds(&["1.0.0 ann+ 10", "1.0.1 ann 90"]), [""; 0]);
}

#[test]
fn any_number_of_releases_between_hides_nothing() {
    let mut lines = vec!["1.0.0 ann+ 90".to_owned()];
    lines.extend((1..=300).map(|number| format!("1.0.{number} ann 3")));
    lines.push("1.1.0 ann 1".to_owned());
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let found = found(&lines);
    assert_eq!(found.iter().filter(|text| text.contains("provenance_lost: 1.0.0 had it")).count(), 301, "{found:?}");
    assert!(found.contains(&"1.1.0 provenance_lost: 1.0.0 had it".to_owned()), "{found:?}");
    // All in one act.
    let lines: Vec<String> = lines.iter().map(|line| line.replace("ann+ 90", "ann+ 5")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    assert!(self::found(&lines).contains(&"1.1.0 provenance_lost: 1.0.0 had it".to_owned()));
}

#[test]
fn the_last_release_by_another_is_named_whoever_came_between() {
    let found = found(&["1.0.0 ann 900", "1.1.0 bob 500", "1.2.0 mal 5", "1.2.1 mal 4", "1.2.2 mal 3"]);
    let named: Vec<&String> = found.iter().filter(|text| text.contains("new_publisher: mal; bob published 1.1.0")).collect();
    assert_eq!(named.len(), 3, "{found:?}");
}
