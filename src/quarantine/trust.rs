//! Trust: whose releases are asked for neither age nor what is inside, because the company itself vouches for where they
//! come from.

use crate::config::policy::Policy;
use crate::config::policy::Submissions;
use crate::config::policy::TrustedPackages;
use crate::model::finding::Action;
use crate::model::finding::FindingKind;
use crate::model::package::PackageId;
use crate::storage::record::LocalRelease;

/// Why policy trusts a release, if it does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trust<'p> {
    Nothing,
    /// It was published here, and policy trusts what is.
    Submission,
    /// Its package is on the list of those that are trusted.
    Listed(&'p TrustedPackages),
}

impl<'p> Trust<'p> {
    /// `submission`: of a release that was published here. Whoever staged it asked that people look at it, so that nothing
    /// else opens it.
    pub fn of(policy: &'p Policy, package: &PackageId, submission: Option<&LocalRelease>) -> Trust<'p> {
        Trust::listed(policy, policy.trusting(package), submission)
    }

    /// The same, of a package that is known to be on this list, or on none.
    pub fn listed(policy: &Policy, list: Option<&'p TrustedPackages>, submission: Option<&LocalRelease>) -> Trust<'p> {
        if submission.is_some_and(|one| one.staged) {
            return Trust::Nothing;
        }
        match (list, submission, policy.submissions) {
            (Some(listed), None, _) => Trust::Listed(listed),
            (_, Some(_), Submissions::Trusted) => Trust::Submission,
            // The list is of what comes from a registry of one's own. What is published here has a policy of its own.
            (_, Some(_), Submissions::Workflow) | (None, None, _) => Trust::Nothing,
        }
    }

    /// In words, for whoever asks why it is open.
    pub fn reason(self) -> Option<&'p str> {
        match self {
            Trust::Nothing => None,
            Trust::Submission => Some("published here"),
            Trust::Listed(listed) => Some(&listed.reason),
        }
    }

    /// Whether it is enough that its bytes are those the index states.
    pub fn asks_integrity_only(self) -> bool {
        match self {
            Trust::Listed(_) => true,
            // Its bytes are at hand when it comes in: they are looked at all the same.
            Trust::Submission | Trust::Nothing => false,
        }
    }

    /// What policy does with a finding here: what is said of the bytes and their hashes, and that nobody can say what the
    /// release is, counts as ever; everything else is noted.
    pub fn action(self, kind: FindingKind, action: Action) -> Action {
        match self {
            Trust::Nothing => action,
            Trust::Submission | Trust::Listed(_) => match kind {
                FindingKind::IntegrityMismatch
                | FindingKind::MissingIntegrity
                | FindingKind::WeakIntegrity
                | FindingKind::UnreadableManifest
                | FindingKind::RemovedUpstream
                | FindingKind::ChangedUpstream
                | FindingKind::Malware => action,
                FindingKind::UnknownPublishTime
                | FindingKind::ClaimedAge
                | FindingKind::InstallScript
                | FindingKind::Deprecated
                | FindingKind::ExoticDependency
                | FindingKind::NewPackage
                | FindingKind::UnsafeArchive
                | FindingKind::UnreadableArtifact
                | FindingKind::ManifestMismatch
                | FindingKind::HiddenInstallScript
                | FindingKind::ImplicitBuild
                | FindingKind::BuildCommand
                | FindingKind::MalwareUnconfirmed
                | FindingKind::VulnerableCritical
                | FindingKind::VulnerableHigh
                | FindingKind::Vulnerable
                | FindingKind::FeedStale
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
                | FindingKind::SuspiciousChange => Action::Note,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::digest::Digest;
    use crate::model::package::Version;
    use crate::model::pattern::PackagePattern;
    use crate::model::release::ReleaseId;
    use crate::model::stage::StageId;
    use crate::model::time::Timestamp;
    use crate::storage::record::Sequence;

    fn submission(staged: bool) -> LocalRelease {
        let release = ReleaseId { package: PackageId::npm("@acme/web").unwrap(), version: Version::parse("1.0.0").unwrap() };
        LocalRelease {
            id: StageId::of(&release),
            at: Timestamp::from_millis(0),
            by: "ann".into(),
            behind: vec!["ann".into()],
            staged,
            sequence: Sequence(1),
            digest: Digest::of(b"tarball"),
            sha1: String::new(),
            size: 7,
            workflow: None,
            deprecated: None,
            withdrawn_at: None,
        }
    }

    #[test]
    fn what_is_trusted_is_what_policy_names() {
        let list = TrustedPackages { packages: vec![PackagePattern::parse("@acme/*").unwrap()], reason: "our own registry".into() };
        let nothing = Policy::default();
        let listing = Policy { trusted: vec![list.clone()], ..Policy::default() };
        let submissions = Policy { submissions: Submissions::Trusted, ..Policy::default() };
        let (at_once, staged) = (submission(false), submission(true));
        let (web, pad) = (PackageId::npm("@acme/web").unwrap(), PackageId::npm("left-pad").unwrap());
        for (policy, package, submission, expect) in [
            (&nothing, &web, None, Trust::Nothing),
            (&nothing, &web, Some(&at_once), Trust::Nothing),
            (&submissions, &web, None, Trust::Nothing),
            (&submissions, &web, Some(&at_once), Trust::Submission),
            (&submissions, &web, Some(&staged), Trust::Nothing),
            (&listing, &web, None, Trust::Listed(&list)),
            (&listing, &web, Some(&at_once), Trust::Nothing),
            (&listing, &web, Some(&staged), Trust::Nothing),
            (&listing, &pad, None, Trust::Nothing),
        ] {
            assert_eq!(Trust::of(policy, package, submission), expect, "{package:?} {}", submission.is_some());
        }
    }

    #[test]
    fn trust_never_covers_other_bytes() {
        let counts = |trust: Trust<'_>| -> Vec<&str> {
            let all = FindingKind::ALL.iter().copied();
            all.filter(|kind| trust.action(*kind, Action::Reject) == Action::Reject).map(FindingKind::as_str).collect()
        };
        assert_eq!(counts(Trust::Nothing).len(), FindingKind::ALL.len());
        let kept = [
            "unreadable_manifest",
            "changed_upstream",
            "removed_upstream",
            "malware",
            "integrity_mismatch",
            "weak_integrity",
            "missing_integrity",
        ];
        assert_eq!(counts(Trust::Submission), kept);
    }
}
