//! What policy makes of findings: rules for some packages, licences, observing, and which approvals are for which findings.

use super::*;
use crate::config::rules::Rule;
use crate::model::decision::Basis;
use crate::model::glob::NameGlob;
use crate::model::license::LicensePattern;
use crate::quarantine::mark;

fn rule(packages: &[&str], findings: &[(FindingKind, Action)]) -> Rule {
    Rule {
        packages: packages.iter().map(|text| NameGlob::parse(text).unwrap()).collect(),
        ecosystem: None,
        published_by: Default::default(),
        publishers: Default::default(),
        findings: findings.iter().copied().collect(),
        reason: "it is so".into(),
    }
}

fn builds(commands: &[&str]) -> Facts {
    Facts { build_commands: commands.iter().map(|one| (*one).to_owned()).collect(), ..Facts::default() }
}

#[test]
fn a_rule_decides_for_its_packages_and_is_named() {
    let given = published(DAY * 30).inspected(builds(&["node a.js"])).with(|given| {
        given.policy.rules = vec![
            rule(&["right-pad"], &[(FindingKind::BuildCommand, Action::Reject)]),
            rule(&["left-*"], &[(FindingKind::BuildCommand, Action::Note)]),
        ];
    });
    let verdict = given.verdict();
    assert_eq!(verdict.standing, Standing::Approved);
    assert_eq!(verdict.findings[0].rule.as_deref(), Some("policy.rules[1]: it is so"));
    let without = given.with(|given| given.policy.rules.truncate(1)).verdict();
    assert_eq!((without.standing, without.findings[0].rule.as_deref()), (Standing::InReview, None));
}

#[test]
fn a_rule_makes_no_bytes_of_others_good() {
    let given = published(DAY * 30).with(|given| {
        given.policy.trusted = vec![TrustedPackages { packages: vec![PackagePattern::parse("left-pad").unwrap()], reason: "ours".into() }];
        given.policy.rules = vec![rule(&["left-pad"], &[(FindingKind::Deprecated, Action::Reject)])];
        given.row.claims.deprecated = Some("old".into());
    });
    let verdict = given.verdict();
    assert_eq!((verdict.findings[0].action, verdict.findings[0].rule.as_deref()), (Action::Note, None), "what is trusted is not asked");
}

#[test]
fn a_licence_that_policy_does_not_take_is_a_finding_once_it_is_known() {
    let of = |license: Option<&str>| {
        published(DAY * 30).inspected(Facts { license: license.map(str::to_owned), ..Facts::default() }).with(|given| {
            given.policy.licenses.allow = vec![LicensePattern::parse("MIT").unwrap()];
        })
    };
    assert_eq!(of(Some("MIT")).verdict().standing, Standing::Approved);
    let denied = of(Some("GPL-3.0-only")).verdict();
    assert_eq!((denied.standing, denied.findings[0].finding.kind), (Standing::InReview, FindingKind::LicenseDenied));
    assert_eq!(of(None).verdict().standing, Standing::InReview, "nobody can say that it may be used");
    let allowed = of(Some("GPL-3.0-only"))
        .with(|given| given.policy.rules = vec![rule(&["left-pad"], &[(FindingKind::LicenseDenied, Action::Note)])]);
    assert_eq!(allowed.verdict().standing, Standing::Approved);
}

fn observing(given: Given) -> Given {
    given.with(|given| given.policy.mode = Mode::Observe)
}

#[test]
fn observing_serves_what_policy_would_keep_back_and_says_so() {
    let young = observing(published(HOUR)).verdict();
    assert!(matches!(young.standing, Standing::Held { until: Some(_) }) && young.observed && young.is_served() && !young.inspected);
    let found = observing(published(DAY * 30).inspected(Facts { unsafe_archive: Some("a link".into()), ..Facts::default() })).verdict();
    assert!(found.standing == Standing::Rejected && found.observed && found.inspected);
    let good = observing(published(DAY * 30).inspected(Facts::default())).verdict();
    assert!(good.standing == Standing::Approved && !good.observed && good.is_served());
    let enforced = published(HOUR).verdict();
    assert!(!enforced.observed && !enforced.is_served());
}

#[test]
fn observing_serves_nothing_that_people_keep_back_or_that_does_not_verify() {
    for verb in [Verb::Reject, Verb::Hold, Verb::Revoke] {
        let verdict = observing(published(DAY * 30).inspected(Facts::default()).decided(verb, "maria")).verdict();
        assert!(!verdict.observed && !verdict.is_served(), "{verb}");
    }
    let unreadable = observing(published(DAY * 30)).with(|given| given.row.unreadable = Some("twice".into()));
    assert!(!unreadable.verdict().is_served());
    let mut other = observing(published(HOUR).inspected(Facts::default()));
    let inspection = Arc::make_mut(other.state.inspections.get_mut("left-pad-1.0.0.tgz").unwrap());
    inspection.integrity = IntegrityOutcome::Disagrees { stated: "sha512-a".into(), found: "sha512-b".into() };
    let verdict = other.verdict();
    assert!(!verdict.observed, "{:?}", verdict.standing);
}

/// Approved in sight of what is there, as decisions are recorded today.
fn approved_today(mut given: Given, by: &str) -> Given {
    let verdict = given.verdict();
    let marks = verdict.findings.iter().filter(|one| one.action > Action::Note).map(|one| one.mark).collect();
    let basis =
        Basis { findings: mark::of_all(verdict.findings.iter().map(|one| &one.mark)), policy: DocumentDigest::of(b"policy"), marks };
    given = given.decided(Verb::Approve, by);
    given.state.decisions.last_mut().unwrap().basis = Some(Box::new(basis));
    given
}

#[test]
fn an_approval_is_for_the_findings_it_was_given_in_sight_of() {
    let given = approved_today(published(DAY * 30).inspected(builds(&["node a.js"])), "maria");
    assert_eq!(given.verdict().standing, Standing::Approved);
    let other = given.with(|given| {
        let inspection = Arc::make_mut(given.state.inspections.get_mut("left-pad-1.0.0.tgz").unwrap());
        inspection.facts = builds(&["node b.js"]);
    });
    let verdict = other.verdict();
    assert_eq!((verdict.standing, verdict.findings[0].covered), (Standing::InReview, false), "another finding of the same kind");
    assert_eq!(approved_today(other, "maria").verdict().standing, Standing::Approved, "approved anew");
}

#[test]
fn an_approval_from_before_findings_had_marks_is_for_their_kinds() {
    let given = published(DAY * 30).inspected(builds(&["node a.js"])).decided(Verb::Approve, "maria");
    let other = given.with(|given| {
        let inspection = Arc::make_mut(given.state.inspections.get_mut("left-pad-1.0.0.tgz").unwrap());
        inspection.facts = builds(&["node b.js"]);
    });
    assert_eq!(other.verdict().standing, Standing::Approved);
}

#[test]
fn what_policy_minds_only_since_is_not_approved() {
    let given = published(DAY * 30).inspected(Facts { binaries: vec!["x.node".into()], ..Facts::default() });
    let given =
        approved_today(given.with(|given| given.policy.rules = vec![rule(&[], &[(FindingKind::NativeBinary, Action::Note)])]), "maria");
    assert_eq!(given.verdict().standing, Standing::Approved);
    let stricter = given
        .with(|given| given.policy.rules.clear())
        .with(|given| _ = given.policy.findings.insert(FindingKind::NativeBinary, Action::Review));
    assert_eq!(stricter.verdict().standing, Standing::InReview);
}

#[test]
fn a_finding_that_is_gone_takes_no_approval_with_it() {
    let given = approved_today(published(HOUR * 30).inspected(builds(&["node a.js"])), "maria");
    assert_eq!(given.verdict().standing, Standing::Approved);
    let gone = given.with(|given| Arc::make_mut(given.state.inspections.get_mut("left-pad-1.0.0.tgz").unwrap()).facts = Facts::default());
    assert_eq!(gone.verdict().standing, Standing::Approved, "what was approved in spite of it is approved without it");
}
