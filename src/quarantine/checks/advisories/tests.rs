//! What advisories lead to.

use std::sync::Arc;

use super::*;
use crate::model::advisory::Advisory;
use crate::model::advisory::Source;
use crate::model::package::PackageId;
use crate::model::package::Version;

const DAY: Duration = Duration::from_secs(24 * 3_600);

fn now() -> Timestamp {
    Timestamp::parse("2099-11-20T12:00:00Z").unwrap()
}

fn said(id: &str, kind: AdvisoryKind, score: Option<u8>, sources: &[&str]) -> Said {
    let advisory = Advisory {
        id: id.to_owned(),
        aliases: Vec::new(),
        kind,
        package: PackageId::npm("evil").unwrap(),
        versions: Vec::new(),
        ranges: Vec::new(),
        score,
        summary: String::new(),
        digests: Vec::new(),
        sources: vec![Source { name: "x".into(), versions: Vec::new(), ranges: Vec::new() }],
        independent: true,
        published_at: None,
        modified_at: now(),
        withdrawn_at: None,
    };
    Said { advisory: Arc::new(advisory), names_bytes: false, sources: sources.iter().map(|name| (*name).to_owned()).collect(), fixed: None }
}

fn malware(sources: &[&str]) -> Said {
    said("MAL-1", AdvisoryKind::Malware, None, sources)
}

fn shown(said: &[Said], in_use_for: Option<Duration>) -> Vec<String> {
    let findings = examine(said, in_use_for.map(|by| now().minus(by)));
    findings.iter().map(|one| format!("{}: {}", one.kind, one.evidence)).collect()
}

#[test]
fn one_source_is_enough_for_what_is_young() {
    assert_eq!(shown(&[], None), [] as [&str; 0]);
    for in_use_for in [None, Some(Duration::ZERO), Some(LONG_IN_USE - Duration::from_millis(1))] {
        assert_eq!(shown(&[malware(&["ghsa"])], in_use_for), ["malware: MAL-1 (ghsa)"], "{in_use_for:?}");
    }
}

#[test]
fn what_is_long_in_use_needs_two_sources_or_its_bytes() {
    let long = Some(LONG_IN_USE);
    assert_eq!(shown(&[malware(&["ghsa"])], long), ["malware_unconfirmed: MAL-1 (ghsa)"]);
    assert_eq!(shown(&[malware(&["ghsa", "some-inspector"])], long), ["malware: MAL-1 (ghsa, some-inspector)"]);
    let two = [malware(&["ghsa"]), said("MAL-2", AdvisoryKind::Malware, None, &["some-inspector"])];
    assert_eq!(shown(&two, long), ["malware: MAL-1 (ghsa); MAL-2 (some-inspector)"]);
    let twice = [malware(&["ghsa"]), said("MAL-2", AdvisoryKind::Malware, None, &["ghsa"])];
    assert_eq!(shown(&twice, long), ["malware_unconfirmed: MAL-1 (ghsa); MAL-2 (ghsa)"]);
    let bytes = Said { names_bytes: true, ..malware(&["ghsa"]) };
    assert_eq!(shown(&[bytes], long), ["malware: MAL-1 (ghsa) names these very bytes, as evil"]);
}

#[test]
fn time_makes_malware_no_milder() {
    // Whenever it is asked: what counts is how long it was in use when that was said first.
    let of = |published_at| {
        let mut one = malware(&["ghsa"]);
        Arc::make_mut(&mut one.advisory).published_at = published_at;
        shown(&[one], Some(LONG_IN_USE * 2))
    };
    assert_eq!(of(Some(now().minus(LONG_IN_USE * 2 - DAY))), ["malware: MAL-1 (ghsa)"]);
    assert_eq!(of(Some(now())), ["malware_unconfirmed: MAL-1 (ghsa)"]);
    assert_eq!(of(Some(now().minus(LONG_IN_USE * 3))), ["malware: MAL-1 (ghsa)"], "said before it was here");
}

#[test]
fn vulnerabilities_go_by_their_score() {
    let one = |score| shown(&[said("GHSA-a", AdvisoryKind::Vulnerability, score, &["ghsa"])], None);
    assert_eq!(one(None), ["vulnerable: GHSA-a"]);
    assert_eq!(one(Some(69)), ["vulnerable: GHSA-a (6.9)"]);
    assert_eq!(one(Some(70)), ["vulnerable_high: GHSA-a (7.0)"]);
    assert_eq!(one(Some(89)), ["vulnerable_high: GHSA-a (8.9)"]);
    assert_eq!(one(Some(90)), ["vulnerable_critical: GHSA-a (9.0)"]);
    assert_eq!(one(Some(100)), ["vulnerable_critical: GHSA-a (10.0)"]);
    let fixed = Said { fixed: Version::parse("1.2.3").ok(), ..said("GHSA-a", AdvisoryKind::Vulnerability, Some(50), &[]) };
    assert_eq!(shown(&[fixed], None), ["vulnerable: GHSA-a (5.0), fixed in 1.2.3"]);
    let many: Vec<Said> = (0..7).map(|number| said(&format!("GHSA-{number}"), AdvisoryKind::Vulnerability, Some(50), &[])).collect();
    assert!(shown(&many, None)[0].ends_with("GHSA-4 (5.0); and 2 more"));
}

#[test]
fn a_feed_is_stale_only_for_what_opened_after_it_was_fresh() {
    let feed = |age: Duration| Some(FeedAge { as_of: now().minus(age), age_max: DAY });
    #[track_caller]
    fn check(feed: Option<FeedAge>, opened_ago: Duration, expect: bool) {
        assert_eq!(stale(feed, now().minus(opened_ago), now()).is_some(), expect, "{feed:?} {opened_ago:?}");
    }
    check(None, DAY, false);
    check(feed(Duration::ZERO), Duration::ZERO, false);
    check(feed(DAY), Duration::ZERO, false);
    check(feed(DAY * 3), DAY, true);
    check(feed(DAY * 3), DAY * 2 - Duration::from_millis(1), true);
    check(feed(DAY * 3), DAY * 2, false);
    check(feed(DAY * 3), DAY * 100, false);
    check(Some(FeedAge { as_of: FeedAge::NEVER, age_max: DAY }), DAY * 100, true);
    let later = now().plus(DAY);
    assert_eq!(stale(feed(DAY * 3), later, now()), None, "what is held by its age is said to be held by that");
}

#[test]
fn what_opened_stays_open_however_long_the_feed_is_out() {
    let feed = Some(FeedAge { as_of: now(), age_max: DAY });
    let opened_at = now().plus(DAY);
    assert!((0..10_000_u32).all(|hours| stale(feed, opened_at, now().plus(Duration::from_secs(3_600) * hours)).is_none()));
    let too_late = opened_at.plus(Duration::from_millis(1));
    assert!(stale(feed, too_late, too_late).is_some());
}
