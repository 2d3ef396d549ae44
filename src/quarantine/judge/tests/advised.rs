//! What advisories do: the security lane, a feed that is too old, and malware.

use super::*;
use crate::model::advisory::Advisory;
use crate::quarantine::advised::Advised;
use crate::quarantine::context::FeedAge;

fn fix(given: &mut Given) {
    let fixes = [(given.row.version.clone(), "GHSA-a".into())].into();
    given.context.advised = Arc::new(Advised { fixes, ..Advised::default() });
}

#[test]
fn the_security_lane_opens_at_the_floor_and_never_before() {
    let of = || Box::from("GHSA-a");
    let young = published(HOUR * 9).with(fix).stands(until(ago(HOUR * 9).plus(DAY)));
    let rule = AgeRule::SecurityFix { floor: DAY, of: of() };
    assert_eq!(young.verdict().reason, Reason::Age { opens_at: ago(HOUR * 9).plus(DAY), rule });
    assert_eq!(published(DAY).with(fix).stands(Standing::Admissible).verdict().fix_of, Some(of()));
    assert_eq!(published(DAY * 7).with(fix).stands(Standing::Admissible).verdict().fix_of, None, "no earlier than others");
    assert_eq!(published(DAY).with(fix).verdict().changes_at, Some(now().plus(DAY * 6)));
    published(DAY).with(fix).with(|given| given.policy.release_age.security_lane = false).stands(until(now().plus(DAY * 6)));
    published(DAY).with(fix).with(|given| given.context = Context::default()).stands(until(now().plus(DAY * 6)));
    let new_name = published(DAY).with(fix).with(|given| given.name_age = DAY);
    new_name.stands(Standing::Admissible);
    published(DAY).with(fix).inspected(rejectable()).stands(Standing::Rejected);
    published(DAY).with(fix).inspected(reviewable()).stands(Standing::InReview);
}

#[test]
fn the_lane_keeps_to_the_floor_whatever_the_ages_are() {
    let is_open = |standing: Standing| matches!(standing, Standing::Admissible | Standing::Approved);
    for (floor, minimum, new_package) in [(0, 0, 0), (1, 1, 1), (24, 168, 336), (24, 24, 0), (100, 100, 1), (24, 168, 1)] {
        let mut opened = [false; 2];
        for hours in 0..400 {
            let with = |lane: bool| {
                let given = published(HOUR * hours).with(|given| {
                    let age = &mut given.policy.release_age;
                    (age.floor, age.minimum, age.new_package) = (HOUR * floor, HOUR * minimum, HOUR * new_package);
                    given.name_age = HOUR * hours;
                });
                is_open(if lane { given.with(fix) } else { given }.verdict().standing)
            };
            let [without, lane] = [with(false), with(true)];
            assert!(!lane || hours >= floor, "open at {hours} h, below the floor of {floor} h");
            assert!(lane || !without, "the lane closes nothing: {hours} h");
            assert!(without >= opened[0] && lane >= opened[1], "older is never more blocked: {hours} h");
            opened = [without, lane];
        }
        assert_eq!(opened, [true, true]);
    }
}

#[test]
fn a_feed_that_is_too_old_holds_what_would_open_now() {
    let out = |given: &mut Given| given.context.feed = Some(FeedAge { as_of: ago(DAY * 3), age_max: DAY });
    let held = published(DAY * 8).with(out).stands(Standing::Held { until: None });
    assert!(matches!(held.verdict().reason, Reason::Finding { kind: FindingKind::FeedStale, .. }));
    published(DAY * 10).with(out).stands(Standing::Admissible);
    published(DAY * 6).with(out).stands(until(now().plus(DAY)));
    held.decided(Verb::Approve, "ann").stands(Standing::Admissible);
    let approved_while_fresh = published(DAY * 5).decided(Verb::Approve, "ann").with(|given| given.state.decisions[0].at = ago(DAY * 3));
    approved_while_fresh.with(out).stands(Standing::Admissible);
    published(DAY * 8).trusted().with(out).stands(Standing::Admissible);
    published(DAY * 8).with(|given| given.context.feed = Some(FeedAge { as_of: ago(DAY), age_max: DAY })).stands(Standing::Admissible);
}

#[test]
fn malware_is_rejected_and_a_withdrawal_reverses_it() {
    let named = |given: &mut Given| {
        let advisory = Advisory {
            id: "MAL-2099-0001".into(),
            aliases: Vec::new(),
            kind: AdvisoryKind::Malware,
            package: PackageId::npm("left-pad").unwrap(),
            versions: vec![given.row.version.clone()],
            ranges: Vec::new(),
            score: None,
            summary: String::new(),
            digests: Vec::new(),
            sources: Vec::new(),
            independent: true,
            published_at: None,
            modified_at: now(),
            withdrawn_at: None,
        };
        let said = Said { advisory: Arc::new(advisory), names_bytes: false, sources: vec!["ghsa".into()], fixed: None };
        let said = [(given.row.version.clone(), vec![said])].into();
        given.context.advised = Arc::new(Advised { said, ..Advised::default() });
    };
    let good = || published(DAY * 99).inspected(Facts::default()).stands(Standing::Approved);
    let bad = good().with(named).stands(Standing::Rejected);
    bad.with(|given| given.context = Context::default()).stands(Standing::Approved);
    good().trusted().with(named).stands(Standing::Rejected);
    good().decided(Verb::Approve, "ann").decided(Verb::Approve, "bob").with(named).stands(Standing::Rejected);
    good().with(named).decided(Verb::Approve, "ann").stands(Standing::Rejected).decided(Verb::Approve, "bob").stands(Standing::Approved);
    let long = good().with(|given| given.state.first_inspected_at = Some(ago(DAY * 90))).with(named).stands(Standing::Approved);
    assert!(long.verdict().findings.iter().any(|one| one.finding.kind == FindingKind::MalwareUnconfirmed));
    let reopened = good().with(|given| given.state.inspections.clear());
    reopened.with(|given| given.state.first_inspected_at = Some(ago(DAY * 90))).with(named).stands(Standing::Admissible);
}
