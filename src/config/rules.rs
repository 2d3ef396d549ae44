//! `[[policy.rules]]`: what a finding does to some packages, where that is not what it does to all.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde::Deserialize;
use serde::Serialize;

use crate::config::policy::Policy;
use crate::config::policy::TrustedPackages;
use crate::model::actor::is_one_name;
use crate::model::finding::Action;
use crate::model::finding::FindingKind;
use crate::model::glob::NameGlob;
use crate::model::package::EcosystemId;
use crate::model::package::PackageId;

/// Of a list; each is looked at for each package that is judged, and compared with every other when it is read.
pub const RULES_MAX: usize = 100;
pub const PATTERNS_MAX: usize = 50;

/// The first rule that is about a release and speaks of a finding's kind decides what the finding does.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Rule {
    /// Empty: every package.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub packages: Vec<NameGlob>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ecosystem: Option<EcosystemId>,
    /// Names of groups in `[access.groups]`: only what one of their members published here. Empty: whoever published it.
    #[serde(skip_serializing_if = "BTreeSet::is_empty", default)]
    pub published_by: BTreeSet<String>,
    /// The members of those groups.
    #[serde(skip_serializing_if = "BTreeSet::is_empty", default)]
    pub publishers: BTreeSet<String>,
    pub findings: BTreeMap<FindingKind, Action>,
    pub reason: String,
}

/// What policy does with a kind of finding, and by which rule.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ruling<'p> {
    pub action: Action,
    /// Its place in the list. `None`: what holds for all packages.
    pub rule: Option<(usize, &'p Rule)>,
}

/// What policy says of one package, found once for all of its releases and their findings.
#[derive(Debug)]
pub struct PackageRules<'p> {
    policy: &'p Policy,
    /// Those that are about the package, whoever published it.
    rules: Vec<(usize, &'p Rule)>,
    /// The list that trusts it, if one does.
    pub trusted: Option<&'p TrustedPackages>,
}

impl<'p> PackageRules<'p> {
    /// What becomes of such a finding of a release. `published_by`: of one that was published here.
    pub fn ruling(&self, kind: FindingKind, published_by: Option<&str>) -> Ruling<'p> {
        let mut speaking = self.rules.iter().filter_map(|(at, rule)| Some((*at, *rule, *rule.findings.get(&kind)?)));
        match speaking.find(|(_, rule, _)| rule.is_about_publisher(published_by)) {
            Some((at, rule, action)) => Ruling { action, rule: Some((at, rule)) },
            None => Ruling { action: self.policy.action(kind), rule: None },
        }
    }
}

impl Rule {
    fn is_about_package(&self, package: &PackageId) -> bool {
        self.ecosystem.is_none_or(|ecosystem| ecosystem == package.ecosystem)
            && (self.packages.is_empty() || self.packages.iter().any(|pattern| pattern.matches(&package.name)))
    }

    fn is_about_publisher(&self, published_by: Option<&str>) -> bool {
        self.published_by.is_empty() || published_by.is_some_and(|by| self.publishers.iter().any(|one| is_one_name(one, by)))
    }

    /// Whether it is about every release of these packages that `other` is about.
    pub(super) fn covers(&self, other: &Rule, packages: Option<&NameGlob>) -> bool {
        let covers_packages = self.packages.is_empty() || packages.is_some_and(|narrow| self.packages.iter().any(|one| one.covers(narrow)));
        let covers_ecosystem = self.ecosystem.is_none() || self.ecosystem == other.ecosystem;
        let covers_groups =
            self.published_by.is_empty() || (!other.published_by.is_empty() && other.published_by.is_subset(&self.published_by));
        covers_packages && covers_ecosystem && covers_groups
    }

    /// Whether some release may be one that both are about.
    pub(super) fn overlaps(&self, other: &Rule) -> bool {
        let share_packages = self.packages.is_empty()
            || other.packages.is_empty()
            || self.packages.iter().any(|one| other.packages.iter().any(|theirs| one.overlaps(theirs)));
        let share_ecosystem = self.ecosystem.is_none() || other.ecosystem.is_none() || self.ecosystem == other.ecosystem;
        let share_groups = self.published_by.is_empty() || other.published_by.is_empty() || !self.publishers.is_disjoint(&other.publishers);
        share_packages && share_ecosystem && share_groups
    }

    /// Whether it is about every release that `other` is about.
    pub(super) fn covers_all_of(&self, other: &Rule) -> bool {
        match other.packages.as_slice() {
            [] => self.covers(other, None),
            patterns => patterns.iter().all(|pattern| self.covers(other, Some(pattern))),
        }
    }
}

impl Policy {
    pub fn of_package(&self, package: &PackageId) -> PackageRules<'_> {
        let rules = self.rules.iter().enumerate().filter(|(_, rule)| rule.is_about_package(package)).collect();
        PackageRules { policy: self, rules, trusted: self.trusting(package) }
    }

    /// The list of trusted packages that it is on.
    pub fn trusting(&self, package: &PackageId) -> Option<&TrustedPackages> {
        self.trusted.iter().find(|one| one.packages.iter().any(|pattern| pattern.matches(&package.name)))
    }
}

/// Rules of which one decides for packages that the other is about too, and neither is about all of the other's: which of them comes
/// first makes a difference that is easily overlooked.
pub fn crossing(rules: &[Rule]) -> Vec<(usize, usize, FindingKind)> {
    let mut found = Vec::new();
    for (at, later) in rules.iter().enumerate() {
        for (before, earlier) in rules.iter().enumerate().take(at) {
            let differs = later.findings.iter().find(|(kind, action)| earlier.findings.get(kind).is_some_and(|other| other != *action));
            if let Some((kind, _)) = differs
                && earlier.overlaps(later)
                && !later.covers_all_of(earlier)
                && !earlier.covers_all_of(later)
            {
                found.push((before, at, *kind));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(packages: &[&str], kind: FindingKind, action: Action) -> Rule {
        Rule {
            packages: packages.iter().map(|text| NameGlob::parse(text).unwrap()).collect(),
            ecosystem: None,
            published_by: BTreeSet::new(),
            publishers: BTreeSet::new(),
            findings: [(kind, action)].into(),
            reason: "why".into(),
        }
    }

    fn ruled(policy: &Policy, kind: FindingKind, package: &str, published_by: Option<&str>) -> (Action, Option<usize>) {
        let package = PackageId::npm(package).unwrap();
        let rules = policy.of_package(&package);
        let ruling = rules.ruling(kind, published_by);
        (ruling.action, ruling.rule.map(|(at, _)| at))
    }

    #[test]
    fn the_first_rule_that_speaks_of_it_decides() {
        use FindingKind::InstallScript;
        use FindingKind::NativeBinary;
        let policy = Policy {
            rules: vec![
                rule(&["@acme/*"], NativeBinary, Action::Reject),
                rule(&["@acme/*", "esbuild"], InstallScript, Action::Hold),
                rule(&[], InstallScript, Action::Review),
            ],
            findings: [(NativeBinary, Action::Hold)].into(),
            ..Policy::default()
        };
        assert_eq!(ruled(&policy, InstallScript, "@acme/web", None), (Action::Hold, Some(1)), "the first is not about it");
        assert_eq!(ruled(&policy, InstallScript, "left-pad", None), (Action::Review, Some(2)));
        assert_eq!(ruled(&policy, NativeBinary, "@acme/web", None), (Action::Reject, Some(0)));
        assert_eq!(ruled(&policy, NativeBinary, "esbuild", None), (Action::Hold, None), "what holds for all");
        assert_eq!(ruled(&policy, FindingKind::Malware, "esbuild", None), (Action::Reject, None), "the default");
    }

    #[test]
    fn who_published_it_counts_only_of_what_was_published_here() {
        let mut one = rule(&[], FindingKind::InstallScript, Action::Review);
        one.published_by.insert("web".into());
        one.publishers.insert("maria".into());
        one.ecosystem = Some(EcosystemId::Npm);
        let policy = Policy { rules: vec![one], ..Policy::default() };
        let by = |name| ruled(&policy, FindingKind::InstallScript, "left-pad", name).0;
        assert_eq!((by(Some("Maria")), by(Some("eve")), by(None)), (Action::Review, Action::Note, Action::Note));
    }

    #[test]
    fn only_rules_that_neither_contains_cross() {
        let kind = FindingKind::InstallScript;
        let cross =
            |left: &[&str], right: &[&str]| !crossing(&[rule(left, kind, Action::Hold), rule(right, kind, Action::Note)]).is_empty();
        assert!(cross(&["@acme/*"], &["@*/eslint-*"]) && cross(&["a*", "b"], &["a*", "c"]));
        assert!(!cross(&["@acme/web"], &["@acme/*"]) && !cross(&["a*"], &["b*"]) && !cross(&["a"], &[]));
        let same = [rule(&["a*"], kind, Action::Hold), rule(&["*a"], kind, Action::Hold)];
        assert!(crossing(&same).is_empty(), "they say the same");
    }
}
