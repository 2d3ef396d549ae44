//! Telling the world outside that something happened: signed notices, posted to the addresses that the operator configured. It
//! decides nothing, and delivers what the job queue hands it.

mod sign;

use std::collections::BTreeMap;
use std::time::Duration;

use url::Url;

use crate::clock::Clock;
use crate::config;
use crate::events::sign::Key;
use crate::model::digest::DocumentDigest;
use crate::model::notice::HookId;
use crate::model::notice::Notice;
use crate::upstream::UpstreamError;
use crate::upstream::Upstreams;
use crate::upstream::hook::Hook;

/// Digits of a hook's id.
const ID_DIGITS: usize = 12;

/// The addresses that are told, and what notices are signed with.
#[derive(Debug, Default)]
pub struct Notices {
    hooks: BTreeMap<HookId, Hook>,
    key: Option<Key>,
}

#[derive(Debug, thiserror::Error)]
pub enum NotDelivered {
    /// The configuration names the address no more.
    #[error("nobody is told there any more")]
    Forgotten,
    #[error("the notice cannot be written: {0}")]
    Unwritable(#[from] serde_json::Error),
    #[error("{origin}: {source}")]
    Refused { origin: String, source: UpstreamError },
}

impl Notices {
    pub fn new(config: &config::notify::Notify, upstreams: &Upstreams) -> Result<Notices, UpstreamError> {
        let mut hooks = BTreeMap::new();
        for url in &config.urls {
            hooks.insert(id(url), upstreams.hook(url, config.private_addresses)?);
        }
        Ok(Notices { hooks, key: config.secret.as_ref().map(|secret| Key::new(secret.reveal())) })
    }

    pub fn ids(&self) -> Vec<HookId> {
        self.hooks.keys().cloned().collect()
    }

    /// `https://hooks.example`; `None` where nobody is told there any more.
    pub fn origin(&self, hook: &HookId) -> Option<String> {
        self.hooks.get(hook).map(Hook::origin)
    }

    /// Posts the notice once. Receivers know by `Airlock-Signature` that it is ours and not older than it says.
    pub async fn deliver(&self, hook: &HookId, notice: &Notice, clock: &Clock) -> Result<(), NotDelivered> {
        let (Some(to), Some(key)) = (self.hooks.get(hook), &self.key) else { return Err(NotDelivered::Forgotten) };
        let body = serde_json::to_vec(notice)?;
        let seconds = Duration::from_millis(u64::try_from(clock.now().millis()).unwrap_or(0)).as_secs();
        let headers = [
            ("airlock-event", notice.event.as_str().to_owned()),
            ("airlock-delivery", notice.id.clone()),
            ("airlock-signature", key.sign(seconds, &body)),
        ];
        to.post(&headers, body).await.map_err(|source| NotDelivered::Refused { origin: to.origin(), source })
    }
}

fn id(url: &Url) -> HookId {
    let mut id = DocumentDigest::of(url.as_str().as_bytes()).hex();
    id.truncate(ID_DIGITS);
    id
}

/// The id of a notice, the same for every attempt to deliver it.
pub fn notice_id(parts: &[&str]) -> String {
    const DIGITS: usize = 32;
    let mut id = DocumentDigest::of(parts.join("\n").as_bytes()).hex();
    id.truncate(DIGITS);
    id
}
