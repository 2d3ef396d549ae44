//! What tells nothing by itself, and what clues of one file tell together.

use crate::model::signal::SignalKind;

/// A trait of a file that many have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Clue {
    // Files of credentials, by whose they are.
    Ssh,
    Aws,
    GoogleCloud,
    Azure,
    Kubernetes,
    Docker,
    Npmrc,
    Git,
    Netrc,
    Pypi,
    Browser,
    Wallet,
    Vault,
    // Agents whose safeguards are turned off.
    Claude,
    Gemini,
    AmazonQ,
    Codex,
    Copilot,
    /// The registry is asked for tokens, or who one is.
    RegistryAccount,
    /// A pattern that finds tokens.
    TokenShape,
    /// What browsers send is intercepted.
    HookedRequests,
    Wallets,
}

/// The clues of one file, each with what stood there first.
#[derive(Default)]
pub(super) struct Clues(Vec<(Clue, String)>);

/// Of that many owners nobody needs the credentials.
const SWEEP: usize = 4;

impl Clues {
    pub(super) fn add(&mut self, clue: Clue, excerpt: impl FnOnce() -> String) {
        if !self.has(clue) {
            self.0.push((clue, excerpt()));
        }
    }

    pub(super) fn has(&self, clue: Clue) -> bool {
        self.0.iter().any(|(known, _)| *known == clue)
    }

    fn excerpts(&self, of: &[Clue]) -> Vec<&str> {
        self.0.iter().filter(|(clue, _)| of.contains(clue)).map(|(_, excerpt)| excerpt.as_str()).collect()
    }

    /// What they tell together, with `others`, the signals that the file gave already.
    pub(super) fn signals(&self, others: &[SignalKind]) -> Vec<(SignalKind, String)> {
        const CREDENTIALS: [Clue; 13] = [
            Clue::Ssh,
            Clue::Aws,
            Clue::GoogleCloud,
            Clue::Azure,
            Clue::Kubernetes,
            Clue::Docker,
            Clue::Npmrc,
            Clue::Git,
            Clue::Netrc,
            Clue::Pypi,
            Clue::Browser,
            Clue::Wallet,
            Clue::Vault,
        ];
        const AGENTS: [Clue; 5] = [Clue::Claude, Clue::Gemini, Clue::AmazonQ, Clue::Codex, Clue::Copilot];
        let mut told = Vec::new();
        let mut tell = |kind, excerpts: &[&str]| told.push((kind, excerpts.join(" … ")));
        let credentials = self.excerpts(&CREDENTIALS);
        if credentials.len() >= SWEEP {
            tell(SignalKind::CredentialSweep, &credentials);
        }
        // Tools that install packages read .npmrc, and say so.
        if credentials.len() > usize::from(self.has(Clue::Npmrc)) {
            tell(SignalKind::CredentialFiles, &credentials);
        }
        match self.excerpts(&AGENTS).as_slice() {
            [] => {}
            one @ [_] => tell(SignalKind::AgentUnleashed, one),
            several => tell(SignalKind::AgentsUnleashed, several),
        }
        let account = self.excerpts(&[Clue::RegistryAccount]);
        if !account.is_empty() {
            tell(SignalKind::RegistryAccount, &account);
            if self.has(Clue::TokenShape) {
                tell(SignalKind::RegistryTokens, &self.excerpts(&[Clue::RegistryAccount, Clue::TokenShape]));
            }
        }
        if self.has(Clue::HookedRequests) && self.has(Clue::Wallets) {
            tell(SignalKind::WalletHook, &self.excerpts(&[Clue::HookedRequests, Clue::Wallets]));
        }
        if others.contains(&SignalKind::PlantsInstallScript) && others.contains(&SignalKind::Publishes) {
            tell(SignalKind::SelfPublishing, &["install scripts are written into manifests, and packages published"]);
        }
        told
    }
}
