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
