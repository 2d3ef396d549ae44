//! The keys that registries sign with: asked for when a release is inspected, kept, and refreshed while the old ones serve. Where
//! they cannot be had, nobody can say whether a signature is good.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use crate::clock::Clock;
use crate::ecosystem::Ecosystem;
use crate::ecosystem::voucher::RegistryKey;
use crate::model::finding::printable;
use crate::model::package::EcosystemId;
use crate::model::package::PackageId;
use crate::model::time::Timestamp;
use crate::quarantine::workflow::lock;
use crate::upstream::Document;
use crate::upstream::Upstreams;

/// How long keys serve without asking again.
const FRESH_FOR: Duration = Duration::from_secs(3_600);
/// After a failure, and where a key is wanted that the registry did not have, it is asked again after this.
const AGAIN_AFTER: Duration = Duration::from_secs(60);
const WHY_BYTES_MAX: usize = 200;

/// What is known of a registry's keys.
#[derive(Clone, Debug)]
pub enum Keys {
    Known(Arc<[RegistryKey]>),
    /// The registry has no such document.
    None,
    Unavailable(String),
}

/// A registry: its format, and the scope that it is for, none for the default one.
type Place = (EcosystemId, Option<String>);

#[derive(Clone, Debug)]
struct Held {
    keys: Keys,
    heard_at: Timestamp,
    again_at: Timestamp,
}

/// What is held of one registry. Locked while it is asked: whoever comes meanwhile has the same question.
type Hook = Arc<tokio::sync::Mutex<Option<Held>>>;

pub struct Keyring {
    /// No more than there are registries in the configuration.
    hooks: Mutex<BTreeMap<Place, Hook>>,
    upstreams: Arc<Upstreams>,
    clock: Clock,
}

impl Keyring {
    pub fn new(upstreams: Arc<Upstreams>, clock: Clock) -> Keyring {
        Keyring { hooks: Mutex::default(), upstreams, clock }
    }

    /// The keys of the package's registry. `wanted` are ids that should be among them: where none is, the registry is asked anew, since
    /// it may have a new key.
    pub async fn keys(self: &Arc<Self>, ecosystem: &Arc<dyn Ecosystem>, package: &PackageId, wanted: &[&str]) -> Keys {
        let scope = self.upstreams.own_scope(package.name.scope()).map(str::to_owned);
        let place = (package.ecosystem, scope);
        let hook = Arc::clone(lock(&self.hooks).entry(place.clone()).or_default());
        let mut held = hook.lock().await;
        let now = self.clock.now();
        if let Some(known) = held.as_mut() {
            let is_due = now >= known.again_at || now < known.heard_at;
            let lacks = match &known.keys {
                Keys::Known(keys) => !wanted.is_empty() && !keys.iter().any(|key| wanted.contains(&key.id.as_str())),
                Keys::None | Keys::Unavailable(_) => false,
            };
            let is_old = now >= known.heard_at.plus(AGAIN_AFTER);
            match &known.keys {
                Keys::Known(_) if is_due && !lacks => {
                    known.again_at = now.plus(AGAIN_AFTER);
                    let (this, ecosystem) = (Arc::clone(self), Arc::clone(ecosystem));
                    let (keys, hook) = (known.keys.clone(), Arc::clone(&hook));
                    tokio::spawn(async move { this.refresh(&hook, &place, &ecosystem).await });
                    return keys;
                }
                Keys::Known(_) if !lacks || !is_old => return known.keys.clone(),
                Keys::None | Keys::Unavailable(_) if !is_due => return known.keys.clone(),
                Keys::Known(_) | Keys::None | Keys::Unavailable(_) => {}
            }
        }
        let before = held.as_ref().map(|known| known.keys.clone());
        let heard = self.heard(&place.1, ecosystem, before).await;
        let keys = heard.keys.clone();
        *held = Some(heard);
        keys
    }

    /// Without the lock while the registry is asked: the keys that were known serve meanwhile.
    async fn refresh(&self, hook: &Hook, place: &Place, ecosystem: &Arc<dyn Ecosystem>) {
        let before = hook.lock().await.as_ref().map(|known| known.keys.clone());
        let heard = self.heard(&place.1, ecosystem, before).await;
        *hook.lock().await = Some(heard);
    }

    /// What the registry says now. What was known of its keys stays where it says nothing.
    async fn heard(&self, scope: &Option<String>, ecosystem: &Arc<dyn Ecosystem>, before: Option<Keys>) -> Held {
        let said = match ecosystem.locate_keys() {
            Some(path) => self.upstreams.note_about_nothing(scope.as_deref(), &path.0).await,
            None => Ok(Document::Missing),
        };
        let now = self.clock.now();
        let held = |keys, after| Held { keys, heard_at: now, again_at: now.plus(after) };
        let had_keys = matches!(before, Some(Keys::Known(_)));
        let why = match said {
            Ok(Document::Fresh { body, .. }) => match ecosystem.read_keys(&body) {
                Ok(keys) if !keys.is_empty() => return held(Keys::Known(keys.into()), FRESH_FOR),
                Ok(_) if !had_keys => return held(Keys::None, FRESH_FOR),
                Ok(_) => "it tells none any more".to_owned(),
                Err(error) => error.to_string(),
            },
            Ok(Document::Missing | Document::Unchanged) if !had_keys => return held(Keys::None, FRESH_FOR),
            Ok(Document::Missing | Document::Unchanged) => "it has none any more".to_owned(),
            Err(error) => error.to_string(),
        };
        let why = printable(&why, WHY_BYTES_MAX);
        tracing::warn!(scope, why, "a registry's keys cannot be had; signatures are checked with those that were known, if any");
        match before {
            Some(Keys::Known(keys)) => held(Keys::Known(keys), AGAIN_AFTER),
            Some(Keys::None | Keys::Unavailable(_)) | None => held(Keys::Unavailable(why), AGAIN_AFTER),
        }
    }
}
