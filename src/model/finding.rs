//! What a check found, and what policy may do about it.

use std::fmt;

use serde::Deserialize;
use serde::Serialize;

macro_rules! finding_kinds {
    ($($(#[doc = $doc:literal])* $variant:ident = $key:literal, $action:ident, $short:literal, $why:literal;)*) => {
        /// Every kind of finding. The key is what `[policy.findings]` and the ledger say.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum FindingKind { $($(#[doc = $doc])* $variant,)* }

        impl FindingKind {
            pub const ALL: &[FindingKind] = &[$(FindingKind::$variant,)*];

            pub const fn as_str(self) -> &'static str {
                match self { $(FindingKind::$variant => $key,)* }
            }

            /// What policy does when nothing is configured.
            pub const fn default_action(self) -> Action {
                match self { $(FindingKind::$variant => Action::$action,)* }
            }

            /// The few words that follow `is rejected:`.
            pub const fn short(self) -> &'static str {
                match self { $(FindingKind::$variant => $short,)* }
            }

            /// One line of why, as the example configuration prints it.
            pub const fn why(self) -> &'static str {
                match self { $(FindingKind::$variant => $why,)* }
            }
        }
    };
}

finding_kinds! {
    // Screening: what the index alone tells.
    UnreadableManifest = "unreadable_manifest", Reject, "its index entry cannot be read", "its entry in the index cannot be read as it stands, so nobody can say what it is";
    UnknownPublishTime = "unknown_publish_time", Note, "its publish time is unknown", "the index gives no time of publication; its age counts from the first time it was seen here";
    ClaimedAge = "claimed_age", Note, "it claims to be older than it is", "the index dates it before a time at which it was not there yet; its age counts from that sight";
    InstallScript = "install_script", Note, "it runs a program when installed", "its manifest runs a program when it is installed";
    Deprecated = "deprecated", Note, "it is deprecated", "its owner marked it as deprecated";
    ExoticDependency = "exotic_dependency", Reject, "it depends on something that is in no registry", "it depends on a git repository, an address or a file, which no registry and no gate ever sees";
    NewPackage = "new_package", Review, "its package was never approved here", "no release of this package was approved here before (only with policy.review.new_packages)";
    ChangedUpstream = "changed_upstream", Review, "upstream changed its bytes", "its bytes are stated differently than when it was first seen: a release never changes";
    RemovedUpstream = "removed_upstream", Review, "upstream took it down", "upstream took it down, which is what happens to malware";
    // Screening: what advisories say of it.
    Malware = "malware", Reject, "it is known to be malware", "an independent advisory names this release, or these very bytes, as malware";
    MalwareUnconfirmed = "malware_unconfirmed", Note, "one source alone calls it malware", "one source alone calls a release malware that has long been in use here; people decide, and a second source rejects it";
    VulnerableCritical = "vulnerable_critical", Note, "it has a critical vulnerability", "an advisory of CVSS 9.0 or more is about it; its fix is what the security lane is for";
    VulnerableHigh = "vulnerable_high", Note, "it has a serious vulnerability", "an advisory of CVSS 7.0 to 8.9 is about it";
    Vulnerable = "vulnerable", Note, "it has a known vulnerability", "an advisory below CVSS 7.0, or without a score, is about it";
    FeedStale = "feed_stale", Hold, "what is known of malware is too old", "the advisory feed was last heard before its hold ended, and longer ago than feeds.osv.age_max: nobody can say that nothing is known against it";
    // Screening: who published it, and as what.
    Typosquat = "typosquat", Review, "its name is nearly that of a well-known package", "its name is a slip of the finger away from a package that is widely used, and it is not";
    YoungDependency = "young_dependency", Hold, "it gained a dependency that is new itself", "it depends on a name that its predecessor did not need and that is younger than release_age.new_package; held until that is older";
    NewPublisher = "new_publisher", Note, "somebody published it who had not before", "whoever published it had published none of its releases until days before, and others had";
    DormantPublisher = "dormant_publisher", Note, "it was published after a long silence", "whoever published it had published no release of this package for a year";
    ProvenanceLost = "provenance_lost", Review, "its predecessors had provenance and it has none", "the release before it in its major line came from a trusted publisher or had provenance, and it has not";
    ProvenanceInvalid = "provenance_invalid", Reject, "its provenance is not about these bytes", "its provenance does not verify, or is about other bytes";
    SignatureInvalid = "signature_invalid", Reject, "its signature does not verify", "the registry's own signature of it does not verify with the registry's keys";
    PublishBurst = "publish_burst", Note, "many packages of one hand came out at once", "many packages of its scope or publisher had new releases within the hour, as worms do; so do release trains";
    RegoDenied = "rego_denied", Reject, "a rule of this company denies it", "a rule deny of policy.rego.module speaks of it";
    RegoReview = "rego_review", Review, "a rule of this company asks for people", "a rule review of policy.rego.module speaks of it";
    RegoFailed = "rego_failed", Review, "the rules of this company cannot be asked", "policy.rego.module failed about it, or took too long: nobody can say what it would have said";
    LicenseDenied = "license_denied", Review, "its licence is one that policy does not take", "its licence is not one that policy.licenses takes";
    // Inspection: what the bytes tell.
    IntegrityMismatch = "integrity_mismatch", Reject, "its bytes are not those the index states", "its bytes do not hash to what the index states";
    WeakIntegrity = "weak_integrity", Note, "only a SHA-1 is stated of its bytes", "the index states only a SHA-1 of its bytes; from now on it is pinned by SHA-512";
    MissingIntegrity = "missing_integrity", Review, "no hash is stated of its bytes", "the index states no hash of its bytes at all";
    UnsafeArchive = "unsafe_archive", Reject, "its archive is not safe", "its archive unpacks differently for different readers, or is built to do harm";
    UnreadableArtifact = "unreadable_artifact", Reject, "the manifest in its archive cannot be read", "the manifest inside its archive cannot be read without ambiguity";
    ManifestMismatch = "manifest_mismatch", Reject, "its archive says something else than the index", "the manifest inside its archive says something else than the index";
    HiddenInstallScript = "hidden_install_script", Reject, "it runs a program when installed that the index does not mention", "installing it runs a program that its entry in the index does not mention";
    ImplicitBuild = "implicit_build", Review, "it runs an undeclared build when installed", "it has a binding.gyp and no install script, so installing it runs a build nobody declared";
    BuildCommand = "build_command", Review, "its build file runs commands", "its binding.gyp runs a command of its own while it is read";
    // Inspection: what its code does. Signals that next to no honest package has.
    HiddenCode = "hidden_code", Reject, "it hides code from readers", "code stands behind hundreds of spaces, or in characters that nobody sees";
    ObfuscatedCode = "obfuscated_code", Review, "its code is made unreadable", "its code is made unreadable by a tool whose purpose is that, or is decoded and run at once";
    StealsSecrets = "steals_secrets", Reject, "its code collects secrets", "its code gathers the whole environment, other processes' memory, or looks for credentials of many kinds";
    SpreadsItself = "spreads_itself", Reject, "its code publishes packages", "its code rewrites manifests and publishes packages, or carries a known worm's marks";
    DestroysFiles = "destroys_files", Reject, "its code wipes files", "its code deletes a home folder or a whole disk";
    DrivesAgents = "drives_agents", Reject, "its code sets coding agents loose", "its code runs a coding agent with its safeguards turned off";
    SendsAway = "sends_away", Review, "its code sends data to a drop", "its code speaks to hosts that serve as drops: paste sites, tunnels, messengers' webhooks";
    DownloadsAndRuns = "downloads_and_runs", Review, "its code downloads programs and runs them", "its code fetches a runtime or a script and runs it, which no inspection here sees";
    Persists = "persists", Review, "its code starts itself again", "its code writes itself into what starts programs: cron, systemd, launch agents, shell profiles";
    AgentHooks = "agent_hooks", Note, "it brings settings for editors or agents", "it brings folders whose settings editors and coding agents run programs from";
    NativeBinary = "native_binary", Note, "it brings native programs", "it brings compiled programs, which nobody here reads";
    FetchesAtInstall = "fetches_at_install", Note, "installing it downloads programs", "installing it fetches further programs from elsewhere, which nobody here inspects";
    BundledDependency = "bundled_dependency", Note, "it brings other packages along", "other packages lie inside it; they are looked into as its own code";
    ForeignShrinkwrap = "foreign_shrinkwrap", Reject, "its shrinkwrap points elsewhere", "the shrinkwrap inside it makes clients fetch from addresses that no gate sees";
    UnscannedContent = "unscanned_content", Review, "it holds what could not be looked through", "a file in it is too large, or took too long, to be looked through";
    // Inspection: what it does that the last approved release of its major line did not.
    InstallGained = "install_gained", Review, "it runs programs when installed, and its predecessor did not", "installing it runs programs that installing the last approved release of its major line did not run";
    BinaryGained = "binary_gained", Review, "it brings native programs, and its predecessor did not", "it brings compiled programs, and the last approved release of its major line brought none";
    HooksGained = "hooks_gained", Review, "it brings settings for editors or agents, and its predecessor did not", "it brings settings that editors and agents run programs from, which the last approved release of its major line did not bring";
    LooseScript = "loose_script", Review, "a new file is there only to be run when installed", "a file was added that nothing of the package uses but a script that installing runs";
    CapabilityGained = "capability_gained", Note, "its code reaches further than its predecessor's", "its code uses the network, processes, the environment or eval, and that of the last approved release of its major line did not";
    HostGained = "host_gained", Note, "its code names hosts that its predecessor's did not", "its code names hosts that the last approved release of its major line did not";
    DependencyGained = "dependency_gained", Note, "it needs packages that its predecessor did not", "it depends on packages that the last approved release of its major line did not need";
    SizeJump = "size_jump", Note, "it is far larger than its predecessor", "it unpacks to three times the size of the last approved release of its major line, and at least 300 KB more";
    EntryRewritten = "entry_rewritten", Note, "only its entry file changed, and grew", "of all its code only the file that is loaded first changed, and it grew";
    SuspiciousChange = "suspicious_change", Review, "it changed as hijacked packages do", "changes came together that are rare together (reach, hosts, techniques, a lone entry file, much code at once, another hand), or a release that only mends reaches further";
}

impl FindingKind {
    pub fn parse(text: &str) -> Option<FindingKind> {
        FindingKind::ALL.iter().copied().find(|kind| kind.as_str() == text)
    }
}

impl fmt::Display for FindingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for FindingKind {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for FindingKind {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<FindingKind, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        FindingKind::parse(&text).ok_or_else(|| serde::de::Error::custom(format!("no finding is called {text:?}")))
    }
}

/// What policy does with a finding, from mildest to strictest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Shown, and nothing else.
    Note,
    /// Held for as long as the finding stands.
    Hold,
    /// Held until people approve it.
    Review,
    /// Not served. People can approve it in pairs only.
    Reject,
}

impl Action {
    pub const ALL: [Action; 4] = [Action::Note, Action::Hold, Action::Review, Action::Reject];

    pub const fn as_str(self) -> &'static str {
        match self {
            Action::Note => "note",
            Action::Hold => "hold",
            Action::Review => "review",
            Action::Reject => "reject",
        }
    }

    pub fn parse(text: &str) -> Option<Action> {
        Action::ALL.into_iter().find(|action| action.as_str() == text)
    }
}

/// One thing that a check found, with what it saw.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Finding {
    pub kind: FindingKind,
    /// What was seen, for people; at most [`Finding::EVIDENCE_BYTES_MAX`] bytes, no control characters.
    pub evidence: String,
}

impl Finding {
    pub const EVIDENCE_BYTES_MAX: usize = 512;

    /// Cuts and cleans `evidence`, which may hold text that an attacker wrote.
    pub fn new(kind: FindingKind, evidence: impl AsRef<str>) -> Finding {
        Finding { kind, evidence: printable(evidence.as_ref(), Self::EVIDENCE_BYTES_MAX) }
    }
}

/// `text` cut to `bytes_max` bytes, its control, bidirectional and other invisible characters replaced by `\u{fffd}`.
pub fn printable(text: &str, bytes_max: usize) -> String {
    let mut out = String::new();
    for c in text.chars() {
        let invisible = matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e0fff}');
        let c = if c.is_control() || invisible { '\u{fffd}' } else { c };
        if out.len() + c.len_utf8() > bytes_max.saturating_sub('…'.len_utf8()) {
            out.push('…');
            break;
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_reads_what_it_writes() {
        for kind in FindingKind::ALL {
            assert_eq!(FindingKind::parse(kind.as_str()), Some(*kind));
        }
    }

    #[test]
    fn evidence_is_short_and_harmless() {
        let finding = Finding::new(FindingKind::Deprecated, format!("\u{1b}[31m\u{202e}{}", "x".repeat(2_000)));
        assert!(finding.evidence.len() <= Finding::EVIDENCE_BYTES_MAX);
        assert!(finding.evidence.starts_with("\u{fffd}[31m\u{fffd}x") && finding.evidence.ends_with('…'));
    }
}
