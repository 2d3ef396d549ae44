//! What a scan of a release's files saw: each signal is a technique that malware uses, in words that do not depend on a format.

use serde::Deserialize;
use serde::Serialize;

use crate::model::finding::FindingKind;

/// A technique. What each weighs is the finding's that it leads to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignalKind {
    /// Code behind hundreds of spaces.
    WhitespaceHidden,
    /// Runs of variation selectors or of plane 14, which nobody sees and a decoder turns into code.
    InvisibleCharacters,
    /// Declarations as obfuscators write them, or their rotated table of strings.
    ObfuscatorMarks,
    /// A text is decoded and run in one expression.
    DecodedAndRun,
    /// `require` under another name, reached through a global.
    AliasedRequire,
    /// The whole environment as one text.
    WholeEnvironment,
    /// The memory of other processes, such as that of a CI runner.
    ProcessMemory,
    /// Programs that look for secrets.
    SecretScanner,
    /// Files that hold credentials.
    CredentialFiles,
    /// The registry's addresses for tokens and for who one is.
    RegistryTokens,
    /// Publishes packages, or writes their manifests to be published.
    Publishes,
    /// Words that a known worm left.
    WormMarks,
    /// Deletes home folders or disks.
    Wipes,
    /// A coding agent without its safeguards.
    AgentUnleashed,
    /// A host that serves as a drop: a paste site, a tunnel, a messenger's webhook.
    DropHost,
    /// A shell runs what was just downloaded.
    DownloadToShell,
    /// Another runtime is fetched and started.
    RuntimeDownload,
    /// What starts programs again: cron, systemd, launch agents, shell profiles.
    Autostart,
    /// Cryptocurrency wallets' calls are wrapped.
    WalletHook,
    /// TLS is asked not to verify.
    TlsOff,
    /// The metadata service of a cloud machine.
    CloudMetadata,
    /// Text that reads in another order than it runs.
    BidirectionalText,
}

/// One place at which a scan saw something.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Signal {
    pub kind: SignalKind,
    /// Path in the archive.
    pub file: String,
    /// What stands there, cut short and cleaned.
    pub excerpt: String,
}

impl SignalKind {
    /// The finding that it leads to by itself; `None` where it counts only when it is new, or together with others.
    pub const fn finding(self) -> Option<FindingKind> {
        match self {
            SignalKind::WhitespaceHidden | SignalKind::InvisibleCharacters => Some(FindingKind::HiddenCode),
            SignalKind::ObfuscatorMarks | SignalKind::DecodedAndRun | SignalKind::AliasedRequire => Some(FindingKind::ObfuscatedCode),
            SignalKind::WholeEnvironment | SignalKind::ProcessMemory | SignalKind::SecretScanner | SignalKind::RegistryTokens => {
                Some(FindingKind::StealsSecrets)
            }
            SignalKind::WormMarks => Some(FindingKind::SpreadsItself),
            SignalKind::Wipes => Some(FindingKind::DestroysFiles),
            SignalKind::AgentUnleashed => Some(FindingKind::DrivesAgents),
            SignalKind::DropHost => Some(FindingKind::SendsAway),
            SignalKind::DownloadToShell | SignalKind::RuntimeDownload => Some(FindingKind::DownloadsAndRuns),
            SignalKind::Autostart => Some(FindingKind::Persists),
            SignalKind::CredentialFiles
            | SignalKind::Publishes
            | SignalKind::WalletHook
            | SignalKind::TlsOff
            | SignalKind::CloudMetadata
            | SignalKind::BidirectionalText => None,
        }
    }
}
