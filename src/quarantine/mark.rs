//! Marks: which finding a finding is, so that what people approved in sight of one opens nothing for another of its kind.

use crate::model::advisory::AdvisoryKind;
use crate::model::digest::DocumentDigest;
use crate::model::finding::Finding;
use crate::model::finding::FindingKind;
use crate::quarantine::advised::Said;
use crate::quarantine::checks::advisories::graded;

/// Of the kind and what was seen. Where that is told in words that change with time although nothing else was seen, it is of what
/// the words are about: `said` is what advisories say of the release.
pub fn of(finding: &Finding, said: &[Said]) -> DocumentDigest {
    let mut text = format!("{}\n", finding.kind);
    match seen(finding.kind) {
        Seen::Words => text.push_str(&finding.evidence),
        Seen::Kind => {}
        Seen::Advisories => text.push_str(&advisories(finding.kind, said)),
    }
    DocumentDigest::of(text.as_bytes())
}

/// Of all findings of a judgement, in whatever order they come.
pub fn of_all<'m>(marks: impl Iterator<Item = &'m DocumentDigest>) -> DocumentDigest {
    let mut marks: Vec<String> = marks.map(DocumentDigest::hex).collect();
    marks.sort_unstable();
    marks.dedup();
    DocumentDigest::of(marks.join("\n").as_bytes())
}

/// What makes two findings of a kind the same one.
enum Seen {
    /// The evidence as it stands.
    Words,
    /// There is only one of this kind.
    Kind,
    /// Which advisories there are and who stands behind them; not their words.
    Advisories,
}

const fn seen(kind: FindingKind) -> Seen {
    match kind {
        FindingKind::Malware
        | FindingKind::MalwareUnconfirmed
        | FindingKind::VulnerableCritical
        | FindingKind::VulnerableHigh
        | FindingKind::Vulnerable => Seen::Advisories,
        // How old what is known is grows by itself, and a text of deprecation is the owner's to word.
        FindingKind::FeedStale | FindingKind::Deprecated | FindingKind::NewPackage | FindingKind::UnknownPublishTime => Seen::Kind,
        FindingKind::UnreadableManifest
        | FindingKind::ClaimedAge
        | FindingKind::InstallScript
        | FindingKind::ExoticDependency
        | FindingKind::ChangedUpstream
        | FindingKind::RemovedUpstream
        | FindingKind::Typosquat
        | FindingKind::YoungDependency
        | FindingKind::NewPublisher
        | FindingKind::DormantPublisher
        | FindingKind::ProvenanceLost
        | FindingKind::ProvenanceInvalid
        | FindingKind::SignatureInvalid
        | FindingKind::PublishBurst
        | FindingKind::LicenseDenied
        | FindingKind::RegoDenied
        | FindingKind::RegoReview
        | FindingKind::RegoFailed
        | FindingKind::IntegrityMismatch
        | FindingKind::WeakIntegrity
        | FindingKind::MissingIntegrity
        | FindingKind::UnsafeArchive
        | FindingKind::UnreadableArtifact
        | FindingKind::ManifestMismatch
        | FindingKind::HiddenInstallScript
        | FindingKind::ImplicitBuild
        | FindingKind::BuildCommand
        | FindingKind::HiddenCode
        | FindingKind::ObfuscatedCode
        | FindingKind::StealsSecrets
        | FindingKind::SpreadsItself
        | FindingKind::DestroysFiles
        | FindingKind::DrivesAgents
        | FindingKind::SendsAway
        | FindingKind::DownloadsAndRuns
        | FindingKind::Persists
        | FindingKind::AgentHooks
        | FindingKind::NativeBinary
        | FindingKind::FetchesAtInstall
        | FindingKind::BundledDependency
        | FindingKind::ForeignShrinkwrap
        | FindingKind::UnscannedContent
        | FindingKind::InstallGained
        | FindingKind::BinaryGained
        | FindingKind::HooksGained
        | FindingKind::LooseScript
        | FindingKind::CapabilityGained
        | FindingKind::HostGained
        | FindingKind::DependencyGained
        | FindingKind::SizeJump
        | FindingKind::EntryRewritten
        | FindingKind::SuspiciousChange => Seen::Words,
    }
}

/// Of those that lead to such a finding.
fn advisories(kind: FindingKind, said: &[Said]) -> String {
    let leads_to_it = |one: &&Said| match one.advisory.kind {
        AdvisoryKind::Malware => matches!(kind, FindingKind::Malware | FindingKind::MalwareUnconfirmed),
        AdvisoryKind::Vulnerability => graded(one.advisory.score) == kind,
    };
    let one = |one: &Said| {
        let mut sources = one.sources.clone();
        sources.sort_unstable();
        // Who says that something is malware is what it stands on; of a vulnerability it is known what it is.
        let sources = if one.advisory.kind == AdvisoryKind::Malware { sources.join(",") } else { String::new() };
        format!("{} {sources} {}", one.advisory.id, one.names_bytes)
    };
    let mut all: Vec<String> = said.iter().filter(leads_to_it).map(one).collect();
    all.sort_unstable();
    all.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_word_is_another_finding_where_it_says_what_was_seen() {
        let mark = |kind, evidence: &str| of(&Finding::new(kind, evidence), &[]);
        assert_eq!(mark(FindingKind::BuildCommand, "node a.js"), mark(FindingKind::BuildCommand, "node a.js"));
        assert_ne!(mark(FindingKind::BuildCommand, "node a.js"), mark(FindingKind::BuildCommand, "node b.js"));
        assert_ne!(mark(FindingKind::BuildCommand, "x"), mark(FindingKind::ImplicitBuild, "x"));
        assert_eq!(mark(FindingKind::FeedStale, "last heard as of 1"), mark(FindingKind::FeedStale, "last heard as of 2"));
    }

    #[test]
    fn all_findings_together_have_one_mark_in_any_order() {
        let [one, two] = ["a", "b"].map(|text| DocumentDigest::of(text.as_bytes()));
        assert_eq!(of_all([&one, &two].into_iter()), of_all([&two, &one, &two].into_iter()));
        assert_ne!(of_all([&one].into_iter()), of_all([&two].into_iter()));
        assert_ne!(of_all([&one].into_iter()), of_all([].into_iter()));
    }
}
