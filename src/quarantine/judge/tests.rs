//! The judgement, case by case.

mod editions;
mod people;
mod policy;
mod waived;

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::config::policy::Exemption;
use crate::config::policy::Pattern;
use crate::config::policy::Submissions;
use crate::config::policy::TrustedPackages;
use crate::model::advisory::Advisory;
use crate::model::digest::DocumentDigest;
use crate::model::digest::Integrity;
use crate::model::digest::IntegrityOutcome;
use crate::model::facts::Facts;
use crate::model::index::Artifact;
use crate::model::index::Claims;
use crate::model::index::InstallStep;
use crate::model::index::Origin;
use crate::model::package::Version;
use crate::model::pattern::PackagePattern;
use crate::model::release::ReleaseId;
use crate::model::stage::StageId;
use crate::quarantine::advised::Advised;
use crate::quarantine::context::FeedAge;

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

fn now() -> Timestamp {
    Timestamp::parse("2026-11-20T12:00:00Z").unwrap()
}

fn ago(by: Duration) -> Timestamp {
    now().minus(by)
}

fn bytes() -> Digest {
    Digest::of(b"tarball")
}

/// A release of an old package, published `age` ago, of which nothing else is known.
struct Given {
    row: Row,
    state: ReleaseState,
    policy: Policy,
    name_age: Duration,
    approved_before: bool,
    substance: Option<DocumentDigest>,
    submission: Option<LocalRelease>,
    context: Context,
}

fn published(age: Duration) -> Given {
    let integrity = Integrity { sha512: Some(bytes()), ..Integrity::default() };
    let artifact = Artifact { file: "left-pad-1.0.0.tgz".into(), aliases: Vec::new(), location: String::new(), integrity };
    let row = Row {
        version: Version::parse("1.0.0").unwrap(),
        manifest: 0..0,
        published_at: Some(ago(age)),
        artifacts: vec![artifact],
        claims: Claims::default(),
        origin: Origin::default(),
        unreadable: None,
        removed_at: None,
    };
    Given {
        row,
        state: ReleaseState::default(),
        policy: Policy::default(),
        name_age: DAY * 900,
        approved_before: false,
        substance: None,
        submission: None,
        context: Context::default(),
    }
}

impl Given {
    fn inspected(mut self, facts: Facts) -> Given {
        let inspection = Inspection {
            at: ago(HOUR),
            edition: inspection::EDITION,
            digest: bytes(),
            size: 7,
            integrity: IntegrityOutcome::Agrees,
            facts,
            substance: None,
            evidence: None,
        };
        self.state.inspections.insert("left-pad-1.0.0.tgz".into(), Arc::new(inspection));
        self
    }

    fn with(mut self, change: impl FnOnce(&mut Given)) -> Given {
        change(&mut self);
        self
    }

    fn decided(self, verb: Verb, by: &str) -> Given {
        self.decided_with(verb, by, &[])
    }

    /// By a person whom these could stand for.
    fn decided_with(mut self, verb: Verb, by: &str, behind: &[&str]) -> Given {
        let in_sight = self.verdict().findings.into_iter().map(|one| one.finding.kind).collect();
        self.state.decisions.push(Decision {
            verb,
            by: by.into(),
            behind: behind.iter().map(|one| (*one).to_owned()).collect(),
            at: ago(HOUR),
            reason: "looked at it".into(),
            digest: Some(bytes()),
            substance: None,
            covers: in_sight,
            basis: None,
            expires_at: None,
        });
        self
    }

    fn verdict(&self) -> Verdict {
        self.verdict_at(now())
    }

    fn verdict_at(&self, now: Timestamp) -> Verdict {
        judge(&Case {
            package: &PackageId::npm("left-pad").unwrap(),
            row: &self.row,
            substance: self.substance,
            state: Some(&self.state),
            submission: self.submission.as_ref(),
            alleged: &[],
            first_seen_at: ago(DAY * 2),
            name_counts_from: ago(self.name_age),
            approved_before: self.approved_before,
            policy: &self.policy,
            rules: &self.policy.of_package(&PackageId::npm("left-pad").unwrap()),
            context: &self.context,
            now,
        })
    }

    /// Published here, by `ann` with a token that `joe` made.
    fn submitted(self, staged: bool) -> Given {
        let release = ReleaseId { package: PackageId::npm("left-pad").unwrap(), version: self.row.version.clone() };
        let submission = LocalRelease {
            id: StageId::of(&release),
            at: ago(HOUR),
            by: "ann".into(),
            behind: vec!["ann".into(), "joe".into()],
            staged,
            sequence: Sequence(1),
            digest: bytes(),
            sha1: String::new(),
            size: 7,
            workflow: None,
            deprecated: None,
            withdrawn_at: None,
        };
        Given { submission: Some(submission), ..self }
    }

    fn trusted(mut self) -> Given {
        let packages = vec![PackagePattern::parse("left-pad").unwrap()];
        self.policy.trusted = vec![TrustedPackages { packages, reason: "our own registry".into() }];
        self
    }

    #[track_caller]
    fn stands(self, standing: Standing) -> Given {
        assert_eq!(self.verdict().standing, standing, "{:?}", self.verdict().reason);
        self
    }
}

fn until(at: Timestamp) -> Standing {
    Standing::Held { until: Some(at) }
}

fn reviewable() -> Facts {
    Facts { implicit_build: Some("binding.gyp".into()), ..Facts::default() }
}

fn rejectable() -> Facts {
    Facts { unsafe_archive: Some("two roots".into()), ..Facts::default() }
}

#[test]
fn age_holds_until_the_minimum_and_opens_by_itself() {
    let given = published(HOUR * 9).stands(until(ago(HOUR * 9).plus(DAY * 7)));
    assert_eq!(given.verdict().changes_at, Some(ago(HOUR * 9).plus(DAY)), "the floor comes first");
    assert_eq!(given.verdict_at(ago(HOUR * 9).plus(DAY * 7)).standing, Standing::Admissible);
    published(DAY * 7).stands(Standing::Admissible);
    published(DAY * 7).inspected(Facts::default()).stands(Standing::Approved);
}

#[test]
fn older_is_never_more_blocked() {
    let rank = |standing: Standing| matches!(standing, Standing::Admissible | Standing::Approved);
    let mut opened = false;
    for hours in 0..24 * 20 {
        let open = rank(published(HOUR * hours).verdict().standing);
        assert!(open || !opened, "{hours} hours");
        opened = open;
    }
    assert!(opened);
}

#[test]
fn an_index_that_lacked_it_beats_the_time_it_claims() {
    let forged = published(DAY * 400).with(|given| {
        given.state.absent_at = Some(ago(HOUR * 3));
        given.state.seen_at = Some(ago(HOUR * 2));
    });
    let verdict = forged.stands(until(ago(HOUR * 3).plus(DAY * 7))).verdict();
    assert_eq!(verdict.findings[0].finding.kind, FindingKind::ClaimedAge);
}

#[test]
fn without_a_time_the_first_sight_counts() {
    published(HOUR).with(|given| given.row.published_at = None).stands(until(ago(DAY * 2).plus(DAY * 7)));
    let later = published(HOUR).with(|given| {
        given.row.published_at = None;
        given.state.absent_at = Some(ago(HOUR * 3));
        given.state.seen_at = Some(ago(HOUR * 2));
    });
    later.stands(until(ago(HOUR * 2).plus(DAY * 7)));
}

#[test]
fn a_time_in_the_future_holds_for_longer() {
    let tomorrow = now().plus(DAY);
    published(HOUR).with(|given| given.row.published_at = Some(tomorrow)).stands(until(tomorrow.plus(DAY * 7)));
}

#[test]
fn a_new_name_waits_longer() {
    let given = published(DAY * 8).with(|given| given.name_age = DAY * 8).stands(until(ago(DAY * 8).plus(DAY * 14)));
    assert_eq!(given.verdict().reason, Reason::Age { opens_at: ago(DAY * 8).plus(DAY * 14), rule: AgeRule::NewPackage(DAY * 14) });
}

#[test]
fn an_exemption_ends_at_the_floor_and_expires() {
    let exempt = |expires| {
        move |given: &mut Given| {
            let pattern = Pattern::Release("left-pad".into(), "1.0.0".into());
            given.policy.release_age.exempt = vec![Exemption { pattern, reason: None, expires }];
        }
    };
    published(HOUR * 30).with(exempt(None)).stands(Standing::Admissible);
    published(HOUR * 9).with(exempt(None)).stands(until(ago(HOUR * 9).plus(DAY)));
    published(HOUR * 30).with(exempt(Some(ago(HOUR)))).stands(until(ago(HOUR * 30).plus(DAY * 7)));
    let ends = now().plus(HOUR);
    assert_eq!(published(HOUR * 30).with(exempt(Some(ends))).verdict().changes_at, Some(ends));
}

#[test]
fn one_person_opens_what_is_over_the_floor_and_two_what_is_below() {
    published(HOUR * 25).decided(Verb::Approve, "ann").stands(Standing::Admissible);
    let young = published(HOUR * 9).decided(Verb::Approve, "ann").stands(until(ago(HOUR * 9).plus(DAY * 7)));
    assert_eq!(young.verdict().approvals_needed, 2);
    assert_eq!(young.verdict_at(ago(HOUR * 9).plus(DAY)).standing, Standing::Admissible, "her approval counts from the floor on");
    let twice = young.decided(Verb::Approve, "ann").stands(until(ago(HOUR * 9).plus(DAY * 7)));
    twice.decided(Verb::Approve, "bob").stands(Standing::Admissible);
}

#[test]
fn findings_do_what_policy_says() {
    let script = |given: &mut Given| {
        given.row.claims.install_steps = vec![InstallStep { event: "postinstall".into(), command: "node x".into() }];
    };
    let set = |action| {
        move |given: &mut Given| {
            given.policy.findings.insert(FindingKind::InstallScript, action);
        }
    };
    let old = || published(DAY * 99).with(script);
    old().stands(Standing::Admissible);
    old().with(set(Action::Hold)).stands(Standing::Held { until: None });
    old().with(set(Action::Review)).stands(Standing::InReview);
    old().with(set(Action::Reject)).stands(Standing::Rejected);
}

#[test]
fn review_takes_as_many_people_as_policy_asks() {
    let given = published(DAY * 99).inspected(reviewable()).stands(Standing::InReview);
    given.decided(Verb::Approve, "ann").stands(Standing::Approved);
    let two = published(DAY * 99).inspected(reviewable()).with(|given| given.policy.review.approvals = 2);
    let one = two.decided(Verb::Approve, "ann").stands(Standing::InReview);
    one.decided(Verb::Approve, "bob").stands(Standing::Approved);
}

#[test]
fn what_policy_rejects_takes_two() {
    let given = published(DAY * 99).inspected(rejectable()).stands(Standing::Rejected);
    let one = given.decided(Verb::Approve, "ann").stands(Standing::Rejected);
    one.decided(Verb::Approve, "bob").stands(Standing::Approved);
}

#[test]
fn nobody_approves_bytes_that_do_not_verify() {
    let given = published(DAY * 99).inspected(Facts::default()).with(|given| {
        let inspection = Arc::make_mut(given.state.inspections.values_mut().next().unwrap());
        inspection.integrity = IntegrityOutcome::Disagrees { stated: "a".into(), found: "b".into() };
    });
    given.decided(Verb::Approve, "ann").decided(Verb::Approve, "bob").stands(Standing::Rejected);
    let unreadable = published(DAY * 99).with(|given| given.row.unreadable = Some("two versions".into()));
    unreadable.decided(Verb::Approve, "ann").decided(Verb::Approve, "bob").stands(Standing::Rejected);
}

#[test]
fn an_approval_is_for_the_bytes_and_findings_that_were_seen() {
    let other_bytes = published(DAY * 2).decided(Verb::Approve, "ann").with(|given| given.state.decisions[0].digest = None);
    other_bytes.stands(until(ago(DAY * 2).plus(DAY * 7)));
    let approved_before_inspection = published(DAY * 2).decided(Verb::Approve, "ann").stands(Standing::Admissible);
    approved_before_inspection.inspected(reviewable()).stands(Standing::InReview);
}

#[test]
fn the_last_word_of_a_person_counts_until_it_expires() {
    let old = || published(DAY * 99).inspected(Facts::default());
    old().decided(Verb::Reject, "ann").stands(Standing::Rejected);
    old().decided(Verb::Revoke, "ann").stands(Standing::Revoked);
    old().decided(Verb::Hold, "ann").stands(Standing::Held { until: None });
    old().decided(Verb::Reject, "ann").decided(Verb::Approve, "bob").stands(Standing::Approved);
    let ends = now().plus(HOUR);
    let held = old().decided(Verb::Hold, "ann").with(|given| given.state.decisions[0].expires_at = Some(ends)).stands(until(ends));
    assert_eq!(held.verdict().changes_at, Some(ends));
    assert_eq!(held.verdict_at(ends).standing, Standing::Approved);
}

#[test]
fn other_bytes_than_were_pinned_are_never_approved() {
    let contradicting = published(DAY * 99).inspected(Facts::default()).with(|given| {
        given.row.artifacts[0].integrity.sha512 = Some(Digest::of(b"other"));
    });
    contradicting.stands(Standing::Rejected);
    let forgotten = published(DAY * 99).with(|given| {
        given.state.pins.insert("left-pad-1.0.0.tgz".into(), Digest::of(b"other"));
    });
    forgotten.stands(Standing::Rejected);
}

#[test]
fn a_change_upstream_after_the_bytes_were_pinned_is_only_noted() {
    let pinned = published(DAY * 99).inspected(Facts::default()).with(|given| given.state.changed_at = Some(now()));
    pinned.stands(Standing::Approved);
    published(DAY * 99).with(|given| given.state.changed_at = Some(now())).stands(Standing::InReview);
}

#[test]
fn an_older_inspection_is_no_inspection() {
    let given = published(DAY * 99).inspected(Facts::default());
    given.with(|given| given.state.inspections.values_mut().for_each(|one| Arc::make_mut(one).edition = 0)).stands(Standing::Admissible);
}

#[test]
fn a_new_package_needs_people_where_policy_says_so() {
    let asks = |given: &mut Given| given.policy.review.new_packages = true;
    published(DAY * 99).with(asks).stands(Standing::InReview).with(|given| given.approved_before = true).stands(Standing::Admissible);
    published(DAY * 99).stands(Standing::Admissible);
}

#[test]
fn all_of_a_package_is_judged_in_order_until_the_next_change() {
    let old = published(DAY * 99).row;
    let young = Row { version: Version::parse("2.0.0").unwrap(), ..published(HOUR).row };
    let index = Index {
        package: PackageId::npm("left-pad").unwrap(),
        source: DocumentDigest::of(b""),
        frame: bytes::Bytes::new(),
        pointers: Vec::new(),
        earlier: Vec::new(),
        rows: vec![young, old],
        text: bytes::Bytes::new(),
    };
    let standings = judge_all(&index, &PackageState::default(), &Policy::default(), &Context::default(), DocumentDigest::of, now());
    let shown: Vec<&str> = standings.verdicts.iter().map(|verdict| verdict.standing.as_str()).collect();
    assert_eq!(shown, ["held", "admissible"]);
    assert_eq!(standings.valid_until, Some(ago(HOUR).plus(DAY)));
}

#[test]
fn facts_and_approvals_are_for_the_entry_they_were_made_in_sight_of() {
    let other = |given: &mut Given| given.substance = Some(DocumentDigest::of(b"another entry"));
    published(DAY * 99).inspected(Facts::default()).stands(Standing::Approved).with(other).stands(Standing::Admissible);
    let approved = published(DAY * 2).decided(Verb::Approve, "ann").stands(Standing::Admissible);
    approved.with(other).stands(until(ago(DAY * 2).plus(DAY * 7)));
}

#[test]
fn trusted_submissions_are_approved_at_once() {
    let at_once = |given: &mut Given| given.policy.submissions = Submissions::Trusted;
    let given = published(Duration::ZERO).inspected(rejectable()).submitted(false).with(at_once).stands(Standing::Approved);
    let verdict = given.verdict();
    assert_eq!((verdict.trusted.as_deref(), verdict.changes_at), (Some("published here"), None));
    assert_eq!(verdict.findings[0].action, Action::Note, "shown all the same");
    given.decided(Verb::Reject, "eve").stands(Standing::Rejected);
    published(Duration::ZERO).inspected(Facts::default()).with(at_once).stands(until(now().plus(DAY * 7)));
}

#[test]
fn a_trusted_package_is_asked_for_its_bytes_only() {
    let young = || published(Duration::ZERO).trusted();
    young().stands(Standing::Admissible);
    let proven = || {
        young().inspected(Facts::default()).with(|given| {
            Arc::make_mut(given.state.inspections.values_mut().next().unwrap()).edition = inspection::INTEGRITY_ONLY;
        })
    };
    assert_eq!(proven().stands(Standing::Approved).verdict().trusted.as_deref(), Some("our own registry"));
    proven().with(|given| given.policy.trusted.clear()).stands(until(now().plus(DAY * 7)));
    let old = proven().with(|given| given.row.published_at = Some(ago(DAY * 99)));
    old.with(|given| given.policy.trusted.clear()).stands(Standing::Admissible);
    let wrong = proven().with(|given| {
        let inspection = Arc::make_mut(given.state.inspections.values_mut().next().unwrap());
        inspection.integrity = IntegrityOutcome::Disagrees { stated: "a".into(), found: "b".into() };
    });
    wrong.stands(Standing::Rejected);
    young().with(|given| given.state.changed_at = Some(now())).stands(Standing::InReview);
}

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
