//! The judgement, case by case.

mod advised;
mod age;
mod editions;
mod people;
mod policy;
mod waived;

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::config::policy::Submissions;
use crate::config::policy::TrustedPackages;
use crate::model::digest::DocumentDigest;
use crate::model::digest::Integrity;
use crate::model::digest::IntegrityOutcome;
use crate::model::facts::Facts;
use crate::model::index::Artifact;
use crate::model::index::Claims;
use crate::model::index::Index;
use crate::model::index::InstallStep;
use crate::model::index::Origin;
use crate::model::package::Version;
use crate::model::pattern::PackagePattern;
use crate::model::release::ReleaseId;
use crate::model::stage::StageId;
use crate::quarantine::age::AgeRule;
use crate::quarantine::standings::judge_all;
use crate::storage::record::PackageState;
use crate::storage::record::Sequence;

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
