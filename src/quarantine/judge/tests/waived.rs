//! Waivers: whose count, for what, for how long, and what nobody waives.

use super::*;
use crate::model::advisory::Advisory;
use crate::model::advisory::AffectedRange;
use crate::model::advisory::Source;
use crate::model::waiver::Waiver;
use crate::quarantine::advised::Advised;

/// Of `ann` and so on: `ann, joe` is ann with a token that joe could have used.
fn waiver(by: &str, findings: &[FindingKind]) -> Waiver {
    let mut names = by.split(", ").map(str::to_owned);
    Waiver {
        id: "0123456789ab".into(),
        packages: vec![PackagePattern::parse("left-pad").unwrap()],
        version: None,
        findings: findings.to_vec(),
        reason: "its build was read".into(),
        by: names.next().into_iter().collect(),
        behind: names.collect(),
        made_at: ago(HOUR),
        expires_at: now().plus(DAY * 30),
        ended_at: None,
        ended_by: None,
    }
}

impl Given {
    fn waived(self, waivers: Vec<Waiver>) -> Given {
        let waivers = waivers.into_iter().map(Arc::new).collect();
        self.with(|given| given.context.waivers = waivers)
    }

    fn said(self, kind: AdvisoryKind, names_bytes: bool) -> Given {
        let advisory = Advisory {
            id: "MAL-2099-0001".into(),
            aliases: Vec::new(),
            kind,
            package: PackageId::npm("left-pad").unwrap(),
            versions: Vec::new(),
            ranges: vec![AffectedRange { introduced: None, fixed: None, last_affected: None, limit: None }],
            score: Some(98),
            summary: String::new(),
            digests: Vec::new(),
            sources: vec![Source { name: "some-inspector".into(), versions: Vec::new(), ranges: Vec::new() }],
            independent: true,
            published_at: None,
            modified_at: ago(HOUR),
            withdrawn_at: None,
        };
        let said = Said { advisory: Arc::new(advisory), names_bytes, sources: vec!["some-inspector".into()], fixed: None };
        let version = self.row.version.clone();
        let advised = Advised { said: [(version, vec![said])].into(), ..Advised::default() };
        self.with(|given| given.context.advised = Arc::new(advised))
    }
}

const BUILD: &[FindingKind] = &[FindingKind::ImplicitBuild];
const ARCHIVE: &[FindingKind] = &[FindingKind::UnsafeArchive];
const MALWARE: &[FindingKind] = &[FindingKind::Malware];

fn old() -> Given {
    published(DAY * 90)
}

#[test]
fn what_is_waived_is_shown_and_does_not_count() {
    let given = old().inspected(reviewable()).stands(Standing::InReview).waived(vec![waiver("ann", BUILD)]).stands(Standing::Approved);
    let verdict = given.verdict();
    let judged = verdict.findings.iter().find(|one| one.finding.kind == FindingKind::ImplicitBuild).unwrap();
    assert_eq!((judged.action, judged.covered, judged.waived.as_ref().unwrap().id.as_str()), (Action::Review, false, "0123456789ab"));
    assert_eq!(verdict.changes_at, Some(now().plus(DAY * 30)), "it counts again when the waiver ends");
    assert_eq!(verdict.changed_at, Some(ago(HOUR)));
    let ended = given.verdict_at(now().plus(DAY * 30));
    assert_eq!((ended.standing, ended.changed_at), (Standing::InReview, Some(now().plus(DAY * 30))));
}

#[test]
fn only_what_is_named_is_waived() {
    let other = |change: fn(&mut Waiver)| {
        let mut one = waiver("ann", BUILD);
        change(&mut one);
        old().inspected(reviewable()).waived(vec![one]).stands(Standing::InReview)
    };
    other(|one| one.findings = ARCHIVE.to_vec());
    other(|one| one.packages = vec![PackagePattern::parse("left-pads").unwrap()]);
    other(|one| one.version = Some(Version::parse("1.0.1").unwrap()));
    other(|one| one.ended_at = Some(now()));
    other(|one| one.expires_at = now());
    let mut one = waiver("ann", BUILD);
    one.version = Some(Version::parse("1.0.0").unwrap());
    old().inspected(reviewable()).waived(vec![one]).stands(Standing::Approved);
}

#[test]
fn a_waiver_opens_nothing_before_its_age() {
    let young = published(HOUR * 30).inspected(reviewable()).waived(vec![waiver("ann", BUILD)]);
    assert_eq!(young.verdict().standing, until(ago(HOUR * 30).plus(DAY * 7)));
    assert_eq!(young.verdict().approvals_given, 0, "and is no approval");
}

#[test]
fn what_policy_rejects_takes_two_people() {
    let by = |waivers: &[&str]| old().inspected(rejectable()).waived(waivers.iter().map(|by| waiver(by, ARCHIVE)).collect());
    by(&["ann"]).stands(Standing::Rejected);
    by(&["ann", "Ann"]).stands(Standing::Rejected);
    by(&["ann", "joe, ann"]).stands(Standing::Rejected);
    by(&["ann, joe", "joe"]).stands(Standing::Rejected);
    by(&["root", "ann, root"]).stands(Standing::Rejected);
    by(&["root", "ann, root", "joe, root"]).stands(Standing::Approved);
    let two = by(&["ann", "joe"]).stands(Standing::Approved);
    assert_eq!(two.verdict().approvals_needed, 1, "no pair is needed for what does not count");
    // An approval is another person's word on one release, not a second waiver.
    by(&["ann"]).decided(Verb::Approve, "joe").stands(Standing::Rejected);
}

#[test]
fn where_policy_asks_for_two_it_takes_two() {
    let by = |waivers: &[&str]| {
        let given = old().inspected(reviewable()).with(|given| given.policy.review.approvals = 2);
        given.waived(waivers.iter().map(|by| waiver(by, BUILD)).collect())
    };
    by(&["ann"]).stands(Standing::InReview);
    by(&["ann", "joe"]).stands(Standing::Approved);
}

#[test]
fn who_submitted_it_does_not_waive_it() {
    let by = |by: &str| old().inspected(reviewable()).submitted(false).waived(vec![waiver(by, BUILD)]);
    by("ann").stands(Standing::InReview);
    by("joe").stands(Standing::InReview);
    by("eve, ann").stands(Standing::InReview);
    by("eve").stands(Standing::Approved);
    by("ann").with(|given| given.policy.review.self_approval = true).stands(Standing::Approved);
}

#[test]
fn nobody_waives_other_bytes_and_known_malware() {
    let both = |kinds: &[FindingKind]| {
        let version = Some(Version::parse("1.0.0").unwrap());
        vec![Waiver { version: version.clone(), ..waiver("ann", kinds) }, Waiver { version, ..waiver("joe", kinds) }]
    };
    let other = Digest::of(b"other bytes");
    let mismatch = || old().with(|given| _ = given.state.pins.insert("left-pad-1.0.0.tgz".into(), other));
    mismatch().waived(both(&[FindingKind::IntegrityMismatch])).stands(Standing::Rejected);
    let unreadable = || old().with(|given| given.row.unreadable = Some("twice the same key".into()));
    unreadable().waived(both(&[FindingKind::UnreadableManifest])).stands(Standing::Rejected);
    old().said(AdvisoryKind::Malware, true).waived(both(MALWARE)).stands(Standing::Rejected);
    old().said(AdvisoryKind::Malware, false).waived(both(MALWARE)).stands(Standing::Admissible);
    let of_any_release = vec![waiver("ann", MALWARE), waiver("joe", MALWARE)];
    old().said(AdvisoryKind::Malware, false).waived(of_any_release).stands(Standing::Rejected);
}
