//! Names that are familiar here: at home, or let in by people. What is a slip away from one of them is looked at, as what is a
//! slip away from a name that everybody knows.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use crate::ecosystem::Ecosystem;
use crate::ecosystem::likeness::Like;
use crate::ecosystem::likeness::Names;
use crate::model::finding::Finding;
use crate::model::finding::FindingKind;
use crate::model::package::EcosystemId;
use crate::model::package::PackageId;
use crate::quarantine::workflow::lock;

/// Of one format; further ones are as unfamiliar as before.
const NAMES_MAX: usize = 10_000;

#[derive(Default)]
pub struct Familiar {
    known: Mutex<BTreeMap<EcosystemId, Known>>,
    changes: AtomicU64,
}

#[derive(Default)]
struct Known {
    names: BTreeSet<Box<str>>,
    /// Made when it is asked for.
    built: Option<Arc<Names>>,
}

impl Familiar {
    pub fn add(&self, package: &PackageId) {
        let mut all = lock(&self.known);
        let known = all.entry(package.ecosystem).or_default();
        let name = package.name.as_str();
        if known.names.len() < NAMES_MAX && !known.names.contains(name) {
            known.names.insert(Box::from(name));
            known.built = None;
            self.changes.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// Another number whenever [`Familiar::examine`] may come out otherwise.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    fn like(&self, package: &PackageId) -> Option<Like> {
        let names = {
            let mut all = lock(&self.known);
            let known = all.get_mut(&package.ecosystem)?;
            let names = &known.names;
            let build = || Arc::new(Names::of(names.iter().map(|name| &**name), std::iter::empty()));
            Arc::clone(known.built.get_or_insert_with(build))
        };
        names.like(package.name.as_str())
    }

    /// Whether the name is a slip away from one that many know, or that is familiar here, and not in real use itself.
    pub fn examine(&self, package: &PackageId, ecosystem: &dyn Ecosystem) -> Option<Finding> {
        let names = ecosystem.names();
        if names.is_some_and(|names| names.knows(package.name.as_str())) {
            return None;
        }
        let (like, whose) = match names.and_then(|names| names.like(package.name.as_str())) {
            Some(like) => (like, "which is widely used"),
            None => (self.like(package)?, "which is in use here"),
        };
        Some(Finding::new(FindingKind::Typosquat, format!("{}, {whose}: {}", like.name, like.slip.words())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::npm::Npm;

    fn found(familiar: &Familiar, name: &str) -> Option<String> {
        familiar.examine(&PackageId::npm(name).unwrap(), &Npm).map(|finding| finding.evidence)
    }

    #[test]
    fn what_is_familiar_here_is_imitated_too() {
        let familiar = Familiar::default();
        assert_eq!(found(&familiar, "electorn").as_deref(), Some("electron, which is widely used: two letters changed places"));
        assert_eq!(found(&familiar, "our-own-teaspoons"), None);
        for name in ["our-own-teaspoon", "@teaspoon/web", "reactt"] {
            familiar.add(&PackageId::npm(name).unwrap());
        }
        assert_eq!(found(&familiar, "our-own-teaspoons").as_deref(), Some("our-own-teaspoon, which is in use here: one letter differs"));
        assert_eq!(found(&familiar, "teaspoon-web").as_deref(), Some("@teaspoon/web, which is in use here: its scope is another"));
        assert_eq!(found(&familiar, "our-own-teaspoon"), None, "it is itself");
        assert_eq!(found(&familiar, "react"), None, "it is in real use, whatever is like it here");
    }
}
