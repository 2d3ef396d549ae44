//! The names that are at home here, in memory whole because they are asked before any cache: of which of them callers
//! without a name are not told, and what differs from one of them in its case only.

use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::Mutex;

use crate::catalog::Catalog;
use crate::model::package::PackageId;
use crate::storage::record::Local;
use crate::storage::record::PackageState;
use crate::storage::state::ReadError;

#[derive(Default)]
pub struct Residents {
    known: ArcSwap<Known>,
    /// Held from reading how a package is until that is known here, so that nothing older comes after.
    settling: Mutex<()>,
}

#[derive(Clone, Default)]
struct Known {
    restricted: HashSet<PackageId>,
    /// By their names in lower case; nearly always one.
    homes: HashMap<String, Vec<PackageId>>,
    /// Whether any of them has, or had, a capital: only then does a name without one need to be looked for.
    any_capital: bool,
}

impl Known {
    fn holds(&self, package: &PackageId, local: Option<&Local>) -> bool {
        let is_home = self.homes.get(&lower(package)).is_some_and(|names| names.contains(package));
        is_home == local.is_some() && self.restricted.contains(package) == local.is_some_and(|local| local.restricted)
    }

    fn set(&mut self, package: &PackageId, local: Option<&Local>) {
        let key = lower(package);
        let mut names = self.homes.remove(&key).unwrap_or_default();
        names.retain(|name| name != package);
        self.restricted.remove(package);
        if let Some(local) = local {
            names.push(package.clone());
            self.any_capital |= has_capital(package);
            if local.restricted {
                self.restricted.insert(package.clone());
            }
        }
        if !names.is_empty() {
            self.homes.insert(key, names);
        }
    }

    fn twin(&self, package: &PackageId) -> Option<&PackageId> {
        if self.homes.is_empty() || !(self.any_capital || has_capital(package)) {
            return None;
        }
        let mut names = self.homes.get(&lower(package))?.iter().filter(|name| name.ecosystem == package.ecosystem);
        if names.clone().any(|name| name == package) { None } else { names.next() }
    }
}

fn lower(package: &PackageId) -> String {
    package.name.as_str().to_ascii_lowercase()
}

fn has_capital(package: &PackageId) -> bool {
    package.name.as_str().bytes().any(|byte| byte.is_ascii_uppercase())
}

impl Residents {
    fn set(&self, package: &PackageId, state: &PackageState) {
        let local = state.local.as_ref();
        if self.known.load().holds(package, local) {
            return;
        }
        self.known.rcu(|before| {
            let mut after = Known::clone(before);
            after.set(package, local);
            after
        });
    }

    /// It is about to be so, or stays as it was: what is stricter of both holds meanwhile.
    pub fn foretell(&self, package: &PackageId, state: &PackageState) {
        let known = self.known.load();
        let is_stricter = |local: &Local| local.restricted || !known.restricted.contains(package);
        if state.local.as_ref().is_some_and(is_stricter) {
            self.set(package, state);
        }
    }
}

impl Catalog {
    /// To be called once before anything is served.
    pub async fn begin(&self) -> Result<(), ReadError> {
        let mut known = Known::default();
        for package in self.state.locals().await? {
            known.set(&package, self.state.package(&package).await?.local.as_ref());
        }
        self.residents.known.store(Arc::new(known));
        Ok(())
    }

    /// The package is here as it is recorded.
    pub(super) async fn settle(&self, package: &PackageId) -> Result<(), ReadError> {
        let _alone = self.residents.settling.lock().await;
        let state = self.state.package(package).await?;
        self.residents.set(package, &state);
        Ok(())
    }

    /// The same of a package that is recorded so and could not be read back.
    pub(super) async fn settle_as(&self, package: &PackageId, state: &PackageState) {
        let _alone = self.residents.settling.lock().await;
        self.residents.set(package, state);
    }

    /// Whether only callers with a name are told of the package.
    pub fn is_restricted(&self, package: &PackageId) -> bool {
        let known = self.residents.known.load();
        !known.restricted.is_empty() && known.restricted.contains(package)
    }

    /// Whether there is any such package: while there is none, nobody is asked for a name.
    pub fn has_restricted(&self) -> bool {
        !self.residents.known.load().restricted.is_empty()
    }

    /// The name at home here from which this one, which is not, differs in its case only. Whoever asks for it means that
    /// one or is being led astray: it is nobody's, and no upstream hears of it.
    pub fn twin_at_home(&self, package: &PackageId) -> Option<PackageId> {
        self.residents.known.load().twin(package).cloned()
    }

    pub(super) fn has_twin_at_home(&self, package: &PackageId) -> bool {
        self.residents.known.load().twin(package).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::Timestamp;

    fn id(name: &str) -> PackageId {
        PackageId::npm(name).unwrap()
    }

    fn state(restricted: Option<bool>) -> PackageState {
        let local = restricted.map(|restricted| Local {
            assigned_at: Timestamp::from_millis(0),
            owners: Default::default(),
            restricted,
            tags: Default::default(),
            stars: Default::default(),
            releases: Default::default(),
        });
        PackageState { local, ..PackageState::default() }
    }

    #[test]
    fn a_name_in_another_case_is_a_twin_and_the_name_itself_is_not() {
        let residents = Residents::default();
        let twin = |name: &str| residents.known.load().twin(&id(name)).map(|twin| twin.name.to_string());
        assert_eq!(twin("Left-Pad"), None);
        residents.set(&id("left-pad"), &state(Some(false)));
        residents.set(&id("@acme/web"), &state(Some(false)));
        for (name, expect) in [
            ("left-pad", None),
            ("LEFT-PAD", Some("left-pad")),
            ("left-Pad", Some("left-pad")),
            ("left-pads", None),
            ("@Acme/web", Some("@acme/web")),
            ("@acme/Web", Some("@acme/web")),
            ("@acme/web", None),
            ("@acme/Other", None),
        ] {
            assert_eq!(twin(name).as_deref(), expect, "{name}");
        }
        // An admin may give both a home.
        residents.set(&id("LEFT-PAD"), &state(Some(false)));
        assert_eq!((twin("left-pad"), twin("LEFT-PAD")), (None, None));
        residents.set(&id("left-pad"), &state(None));
        assert_eq!((twin("left-pad").as_deref(), twin("LEFT-PAD")), (Some("LEFT-PAD"), None));
        residents.set(&id("LEFT-PAD"), &state(None));
        assert_eq!(twin("Left-Pad"), None);
    }

    #[test]
    fn what_is_foretold_is_only_ever_stricter() {
        let residents = Residents::default();
        let is_restricted = || residents.known.load().restricted.contains(&id("web"));
        residents.foretell(&id("web"), &state(Some(true)));
        assert!(is_restricted());
        residents.foretell(&id("web"), &state(Some(false)));
        assert!(is_restricted(), "until it is recorded");
        residents.foretell(&id("web"), &state(None));
        assert!(is_restricted());
        residents.set(&id("web"), &state(Some(false)));
        assert!(!is_restricted());
    }
}
