//! `[policy]`: what findings do. The very value that `quarantine::judge` judges by.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;

use crate::config::rego::Module;
use crate::config::rules::Rule;
use crate::model::finding::Action;
use crate::model::finding::FindingKind;
use crate::model::license::LicensePattern;
use crate::model::pattern::PackagePattern;
use crate::model::time::Timestamp;

/// Read again from the ledger, where an older one has fewer keys.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Policy {
    /// Whether what policy minds is kept back, or only told.
    pub mode: Mode,
    pub listing: Listing,
    /// How long a download waits for its verdict.
    pub inspection_wait: Duration,
    /// `@scope`s that are never asked of upstream.
    pub private_scopes: Vec<String>,
    /// What becomes of what is published here.
    pub submissions: Submissions,
    /// Packages whose releases are not looked into.
    pub trusted: Vec<TrustedPackages>,
    pub release_age: ReleaseAge,
    pub review: Review,
    pub fallback: Fallback,
    /// Only kinds whose action differs from their default.
    pub findings: BTreeMap<FindingKind, Action>,
    /// What findings do to some packages; the first that is about a release and speaks of the finding decides.
    pub rules: Vec<Rule>,
    pub licenses: Licenses,
    /// What the rest cannot say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rego: Option<Module>,
}

/// What a judgement does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    Enforce,
    /// Everything is judged and told, and what policy alone would keep back is served.
    Observe,
}

/// Which licences are taken.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Licenses {
    /// Empty: all but what is denied.
    pub allow: Vec<LicensePattern>,
    pub deny: Vec<LicensePattern>,
    pub unclear: Unclear,
}

/// What becomes of a release of whose licence nobody can say what it is, where some are allowed or denied.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unclear {
    Deny,
    Allow,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Listing {
    /// List what screening passed; its bytes are inspected at the first download.
    Admissible,
    /// List only what has passed the whole workflow.
    Approved,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Submissions {
    /// They wait like any other release.
    Workflow,
    /// They are approved at once, unless their submitter asks that they wait.
    Trusted,
}

/// Packages whose releases come in with their bytes proven and nothing else asked of them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TrustedPackages {
    pub packages: Vec<PackagePattern>,
    pub reason: String,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ReleaseAge {
    pub minimum: Duration,
    /// What no single person goes below.
    pub floor: Duration,
    /// A name first published less than this ago waits until it is this old.
    pub new_package: Duration,
    /// Whether the fix of what is in use here opens at the floor, where an independent advisory names it so. A policy that was recorded
    /// before there was one had none.
    #[serde(default)]
    pub security_lane: bool,
    pub exempt: Vec<Exemption>,
}

/// Exempts from the minimum age, and from that of new packages, never from the floor.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Exemption {
    pub pattern: Pattern,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub expires: Option<Timestamp>,
}

/// `left-pad`, `left-pad@1.3.0`, `@types/*`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pattern {
    Package(String),
    Release(String, String),
    /// `@types/*` is kept as `@types`.
    Scope(String),
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Review {
    /// People needed where a finding asks for review; at least 1.
    pub approvals: u32,
    /// Whether people may approve what they submitted themselves; below the floor it takes another all the same.
    pub self_approval: bool,
    /// Every package never approved here before needs people.
    pub new_packages: bool,
}

/// What becomes of `latest` where the release that stands in for it has a known vulnerability.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Fallback {
    /// From which CVSS base score on, in tenths.
    pub score: u8,
    pub action: FallbackAction,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FallbackAction {
    /// It is served, and whoever asks is told.
    Notice,
    /// The pointer is dropped, so that clients fail and people choose.
    Refuse,
}

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(24 * 3_600);

impl Default for Policy {
    fn default() -> Policy {
        Policy {
            mode: Mode::Enforce,
            listing: Listing::Admissible,
            inspection_wait: Duration::from_secs(20),
            private_scopes: Vec::new(),
            submissions: Submissions::Workflow,
            trusted: Vec::new(),
            release_age: ReleaseAge { minimum: DAY * 7, floor: HOUR * 24, new_package: DAY * 14, security_lane: true, exempt: Vec::new() },
            review: Review { approvals: 1, self_approval: false, new_packages: false },
            fallback: Fallback { score: 70, action: FallbackAction::Notice },
            findings: BTreeMap::new(),
            rules: Vec::new(),
            licenses: Licenses { allow: Vec::new(), deny: Vec::new(), unclear: Unclear::Deny },
            rego: None,
        }
    }
}

impl Policy {
    /// What holds for all packages that no rule speaks of.
    pub fn action(&self, kind: FindingKind) -> Action {
        self.findings.get(&kind).copied().unwrap_or(kind.default_action())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::read_policy;

    #[test]
    fn a_recorded_policy_reads_back_and_an_older_one_has_the_defaults_of_what_it_lacks() {
        let text = r#"
            [policy]
            mode = "observe"
            trusted = [{ packages = ["@acme/*"], reason = "ours" }]
            release_age = { minimum = "3d", exempt = ["@types/*", { package = "a@1.0.0", expires = 2027-01-31 }] }
            findings = { malware = "review" }
            licenses = { deny = ["GPL-*"] }
            rego.module = '''
            package airlock
            deny if input.name == "x"
            '''
            rules = [{ packages = ["eslint-*"], findings = { native_binary = "reject" }, reason = "x" }]
        "#;
        let policy = read_policy("policy.toml", text).unwrap();
        let mut recorded = serde_json::to_value(&policy).unwrap();
        assert_eq!(serde_json::from_value::<Policy>(recorded.clone()).unwrap(), policy);
        let fields = recorded.as_object_mut().unwrap();
        for later in ["mode", "rules", "licenses", "rego"] {
            assert!(fields.remove(later).is_some());
        }
        let older = serde_json::from_value::<Policy>(recorded).unwrap();
        let expected = Policy { mode: Mode::Enforce, rules: Vec::new(), licenses: Policy::default().licenses, rego: None, ..policy };
        assert_eq!(older, expected);
    }
}
