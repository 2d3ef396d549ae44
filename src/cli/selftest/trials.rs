//! What is tried: a violation for each kind of finding, each rule and each age of the policy, and what cannot be tried and why.

use std::time::Duration;

use crate::cli::selftest::Caught;
use crate::cli::selftest::DAY;
use crate::cli::selftest::LATER;
use crate::cli::selftest::not_tried;
use crate::cli::selftest::red;
use crate::config::Config;
use crate::config::policy::Policy;
use crate::model::finding::FindingKind;
use crate::model::package::PackageName;
use crate::model::time::Timestamp;
use crate::protocol::npm::violation;
use crate::protocol::npm::violation::Advisory;
use crate::protocol::npm::violation::Offer;
use crate::protocol::npm::violation::Times;

/// Of what is published, where nothing is to be said of its age: older than any age that policy may ask.
const OLD: Duration = Duration::from_secs(4_000 * 24 * 3_600);
/// What is older is no part of a burst any more.
const BURST_KEPT: Duration = Duration::from_secs(13 * 24 * 3_600);
const FILLING: &str = "airlock-selftest";

/// One violation, and what is to be seen of it.
pub(super) struct Trial {
    /// `malware`, `policy.rules[0]: native_binary`, `release_age.minimum`.
    pub(super) name: String,
    pub(super) package: PackageName,
    pub(super) kind: Option<FindingKind>,
    /// The place of the rule that is tried.
    pub(super) rule: Option<usize>,
    pub(super) offer: Offer,
    pub(super) advisory: Option<Advisory>,
}

/// What is to be tried, and what cannot be.
pub(super) fn trials(config: &Config, base: &str, now: Timestamp) -> (Vec<Trial>, Vec<Caught>) {
    let policy = &config.policy;
    let young = now;
    let old = Times { good: now.minus(OLD), bad: now.minus(OLD - DAY), young };
    let license =
        policy.licenses.allow.iter().map(ToString::to_string).find(|name| !name.contains('*')).unwrap_or_else(|| "MIT".to_owned());
    let mut trials = Vec::new();
    let mut untried = Vec::new();
    for (name, wanted, times) in ages(policy, now) {
        match (PackageName::npm(&format!("{FILLING}-{}", name.replace(['.', '_'], "-"))), wanted) {
            (Ok(package), true) => {
                let offer = violation::plain(&package, base, &license, times);
                trials.push(Trial { name, package, kind: None, rule: None, offer, advisory: None });
            }
            (_, false) => untried.push(red(name, "it is 0: nothing waits")),
            (Err(_), true) => {}
        }
    }
    let mut add = |name: String, package: String, kind: FindingKind, rule: Option<usize>| {
        let Ok(package) = PackageName::npm(&package) else {
            return untried.push(not_tried(name, "no package could be made up that it is about"));
        };
        if let Some(why) = not_to_be_tried(config, &package, kind) {
            return untried.push(not_tried(name, why));
        }
        // Past its age where it may be, so that nothing but what is tried keeps it back.
        let lately = (policy.release_age.minimum.max(policy.release_age.floor) + DAY).min(BURST_KEPT);
        let of_its_own = [
            (FindingKind::FeedStale, now),
            (FindingKind::PublishBurst, now.minus(lately)),
            (FindingKind::DormantPublisher, now.minus(OLD / 2)),
        ];
        let bad = of_its_own.iter().find(|(of, _)| *of == kind).map_or(old.bad, |(_, at)| *at);
        let offer = violation::offer(kind, &package, base, &license, Times { bad, ..old });
        let advisory = violation::recipe(kind).advisory;
        trials.push(Trial { name, package, kind: Some(kind), rule, offer, advisory });
    };
    for kind in FindingKind::ALL {
        add(kind.to_string(), filling(*kind, FILLING), *kind, None);
    }
    for (at, rule) in policy.rules.iter().enumerate() {
        for kind in rule.findings.keys() {
            let name = format!("policy.rules[{at}]: {kind}");
            let filling = filling(*kind, &format!("{FILLING}-{at}"));
            let package = rule.packages.first().map_or_else(|| filling.clone(), |glob| glob.example(&filling));
            add(name, package, *kind, Some(at));
        }
    }
    (trials, untried)
}

/// What a package is called for such a finding, where it may be called anything.
fn filling(kind: FindingKind, start: &str) -> String {
    if kind == FindingKind::Typosquat {
        return violation::SLIP.to_owned();
    }
    format!("{start}-{}", kind.as_str().replace('_', "-"))
}

/// Each age that policy asks, whether it asks any, and a release that is too young for it.
fn ages(policy: &Policy, now: Timestamp) -> [(String, bool, Times); 2] {
    let age = &policy.release_age;
    let minimum = age.minimum.max(age.floor);
    let of_release = Times { good: now.minus(OLD), bad: now.minus(minimum / 2), young: now };
    let of_name = Times { good: now.minus(age.new_package / 2), bad: now.minus(age.new_package / 2), young: now };
    [
        ("release_age.minimum".to_owned(), !minimum.is_zero(), of_release),
        ("release_age.new_package".to_owned(), !age.new_package.is_zero(), of_name),
    ]
}

/// Why policy cannot come to find this, where that is what it says.
fn not_to_be_tried(config: &Config, package: &PackageName, kind: FindingKind) -> Option<&'static str> {
    let policy = &config.policy;
    let held_for = policy.release_age.minimum.max(policy.release_age.floor);
    let is_private = package.scope().is_some_and(|scope| policy.private_scopes.iter().any(|own| own.eq_ignore_ascii_case(scope)));
    let is_trusted = policy.trusted.iter().flat_map(|one| &one.packages).any(|pattern| pattern.matches(package));
    let no_licenses = policy.licenses.allow.is_empty() && policy.licenses.deny.is_empty();
    let by_deny_only = policy.licenses.allow.is_empty();
    let is = |other: FindingKind, reason: bool| kind == other && reason;
    if is_private {
        Some("its scope is private: nothing of it comes from upstream")
    } else if is_trusted {
        Some("it is trusted")
    } else if is(FindingKind::NewPackage, !policy.review.new_packages) {
        Some("policy.review.new_packages is false")
    } else if is(FindingKind::FeedStale, held_for <= config.feeds.osv.age_max) {
        Some("nothing is held for longer than feeds.osv.age_max")
    } else if is(FindingKind::LicenseDenied, no_licenses) {
        Some("policy.licenses names none")
    } else if is(FindingKind::LicenseDenied, by_deny_only) {
        Some("policy.licenses allows what it does not deny")
    } else if matches!(kind, FindingKind::RegoDenied | FindingKind::RegoReview | FindingKind::RegoFailed) {
        Some(if policy.rego.is_some() { "what policy.rego.module speaks of is not known here" } else { "there is no policy.rego.module" })
    } else if is(FindingKind::Typosquat, !violation::is_a_slip(package)) {
        Some("no name that it is about is like one that many know")
    } else if is(FindingKind::YoungDependency, policy.release_age.new_package <= LATER * 2) {
        Some("policy.release_age.new_package makes no name young for long")
    } else {
        None
    }
}
