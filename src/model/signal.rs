//! What a scan of a release's files saw: each signal is a technique that malware uses, in words that do not depend on a format.

use std::fmt;
use std::fmt::Write as _;

use serde::Deserialize;
use serde::Serialize;

use crate::model::finding::FindingKind;

macro_rules! signal_kinds {
    ($($(#[doc = $doc:literal])* $variant:ident, alone $alone:expr, installing $installing:expr;)*) => {
        /// A technique. What each weighs is the finding's that it leads to.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum SignalKind { $($(#[doc = $doc])* $variant,)* }

        impl SignalKind {
            pub const ALL: &[SignalKind] = &[$(SignalKind::$variant,)*];

            /// The finding that it leads to by itself; `None` where honest packages have it too, so that it counts only when
            /// it is new, when installing runs it, or together with others.
            pub const fn finding(self) -> Option<FindingKind> {
                match self { $(SignalKind::$variant => $alone,)* }
            }

            /// The finding that it leads to in a file that installing runs.
            pub const fn finding_when_installing(self) -> Option<FindingKind> {
                match self { $(SignalKind::$variant => $installing,)* }
            }
        }
    };
}

use FindingKind::DestroysFiles;
use FindingKind::DownloadsAndRuns;
use FindingKind::DrivesAgents;
use FindingKind::HiddenCode;
use FindingKind::ObfuscatedCode;
use FindingKind::Persists;
use FindingKind::SendsAway;
use FindingKind::SpreadsItself;
use FindingKind::StealsSecrets;

signal_kinds! {
    // What makes code hard to read.
    /// Code behind hundreds of spaces.
    WhitespaceHidden, alone Some(HiddenCode), installing Some(HiddenCode);
    /// Runs of variation selectors or of plane 14, which nobody sees and a decoder turns into code.
    InvisibleCharacters, alone Some(HiddenCode), installing Some(HiddenCode);
    /// Declarations as obfuscators write them, or their rotated table of strings.
    ObfuscatorMarks, alone Some(ObfuscatedCode), installing Some(ObfuscatedCode);
    /// A text is decoded and run in one expression.
    DecodedAndRun, alone Some(ObfuscatedCode), installing Some(ObfuscatedCode);
    /// `require` under another name, reached through a global.
    AliasedRequire, alone Some(ObfuscatedCode), installing Some(ObfuscatedCode);
    /// An address, a path or the name of a module that stands in the code as Base64 or as hexadecimal numbers only, or a module of a name
    /// that is decoded.
    EncodedText, alone Some(ObfuscatedCode), installing Some(ObfuscatedCode);
    /// Code is compiled from a text by a module of its own, which is made from the one that it runs in.
    MadeModule, alone None, installing Some(ObfuscatedCode);
    /// Dozens of characters in a row, each written as its number.
    EscapedText, alone None, installing Some(ObfuscatedCode);
    /// Text that reads in another order than it runs.
    BidirectionalText, alone None, installing Some(HiddenCode);

    // What takes secrets.
    /// The whole environment as one text.
    WholeEnvironment, alone Some(StealsSecrets), installing Some(StealsSecrets);
    /// The memory of other processes, such as that of a CI runner.
    ProcessMemory, alone Some(StealsSecrets), installing Some(StealsSecrets);
    /// Programs that look for secrets are fetched or run.
    SecretScanner, alone Some(StealsSecrets), installing Some(StealsSecrets);
    /// Files of credentials of many kinds in one file.
    CredentialSweep, alone Some(StealsSecrets), installing Some(StealsSecrets);
    /// All secrets of a workflow as one text.
    WorkflowSecrets, alone Some(StealsSecrets), installing Some(StealsSecrets);
    /// The registry is asked for tokens or who one is, by code that knows how tokens look.
    RegistryTokens, alone Some(StealsSecrets), installing Some(StealsSecrets);
    /// The registry's addresses for tokens and for who one is.
    RegistryAccount, alone None, installing Some(StealsSecrets);
    /// Files that hold credentials.
    CredentialFiles, alone None, installing Some(StealsSecrets);
    /// Variables that hold tokens.
    TokenVariables, alone None, installing None;
    /// The metadata service of a cloud machine.
    CloudMetadata, alone None, installing Some(StealsSecrets);

    // What spreads, persists and destroys.
    /// Publishes packages.
    Publishes, alone None, installing Some(SpreadsItself);
    /// Writes a script into a manifest that installing runs.
    PlantsInstallScript, alone None, installing Some(SpreadsItself);
    /// Writes install scripts into manifests and publishes.
    SelfPublishing, alone Some(SpreadsItself), installing Some(SpreadsItself);
    /// Words that a known worm left.
    WormMarks, alone Some(SpreadsItself), installing Some(SpreadsItself);
    /// Deletes home folders or disks.
    Wipes, alone Some(DestroysFiles), installing Some(DestroysFiles);
    /// What starts programs again: cron, systemd, launch agents, the registry of Windows.
    Autostart, alone Some(Persists), installing Some(Persists);
    /// Starts programs that outlive it.
    DetachedProcess, alone None, installing None;

    // Agents and editors.
    /// Coding agents of several makers without their safeguards.
    AgentsUnleashed, alone Some(DrivesAgents), installing Some(DrivesAgents);
    /// One coding agent without its safeguards.
    AgentUnleashed, alone None, installing Some(DrivesAgents);
    /// The settings from which editors and coding agents run programs are named.
    PlantsHooks, alone None, installing Some(Persists);

    // What speaks to the world.
    /// A host that serves as a drop: a paste site, a tunnel, a messenger's webhook with its key.
    DropHost, alone Some(SendsAway), installing Some(SendsAway);
    /// A messenger's interface for machines.
    Messenger, alone None, installing Some(SendsAway);
    /// An address on the public internet that has no name.
    PublicAddress, alone None, installing Some(SendsAway);
    /// A shell runs what was just downloaded.
    DownloadToShell, alone Some(DownloadsAndRuns), installing Some(DownloadsAndRuns);
    /// Another runtime is fetched and started.
    RuntimeDownload, alone Some(DownloadsAndRuns), installing Some(DownloadsAndRuns);
    /// A shell that listens to somebody elsewhere.
    ReverseShell, alone Some(DownloadsAndRuns), installing Some(DownloadsAndRuns);
    /// A program that mines coins, or where it reports to.
    Miner, alone Some(DownloadsAndRuns), installing Some(DownloadsAndRuns);
    /// Cryptocurrency wallets' calls are wrapped.
    WalletHook, alone None, installing None;
    /// TLS is asked not to verify.
    TlsOff, alone None, installing None;
}

/// As it stands in the ledger: `credential_files`.
impl fmt::Display for SignalKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, c) in format!("{self:?}").char_indices() {
            if c.is_ascii_uppercase() && at > 0 {
                f.write_char('_')?;
            }
            f.write_char(c.to_ascii_lowercase())?;
        }
        Ok(())
    }
}

impl SignalKind {
    /// Whether it takes what somebody might send away.
    pub const fn takes(self) -> bool {
        matches!(
            self,
            SignalKind::WholeEnvironment
                | SignalKind::CredentialFiles
                | SignalKind::TokenVariables
                | SignalKind::CloudMetadata
                | SignalKind::RegistryAccount
        )
    }

    /// Whether it is where somebody might send things to.
    pub const fn sends(self) -> bool {
        matches!(self, SignalKind::DropHost | SignalKind::Messenger | SignalKind::PublicAddress)
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_called_what_the_ledger_calls_it() {
        for kind in SignalKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), serde_json::Value::from(kind.to_string()));
        }
    }

    #[test]
    fn what_counts_alone_counts_when_installing() {
        for kind in SignalKind::ALL {
            assert!(kind.finding().is_none() || kind.finding_when_installing() == kind.finding(), "{kind:?}");
        }
    }
}
