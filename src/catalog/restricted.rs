//! Packages of which callers without a name are not told. In memory whole, because it is asked before any cache.

use std::collections::HashSet;

use arc_swap::ArcSwap;

use crate::catalog::Catalog;
use crate::model::package::PackageId;
use crate::storage::state::ReadError;

#[derive(Default)]
pub struct Restricted(ArcSwap<HashSet<PackageId>>);

impl Restricted {
    pub fn set(&self, package: &PackageId, on: bool) {
        if self.0.load().contains(package) == on {
            return;
        }
        self.0.rcu(|before| {
            let mut after = HashSet::clone(before);
            if on {
                after.insert(package.clone());
            } else {
                after.remove(package);
            }
            after
        });
    }
}

impl Catalog {
    /// To be called once before anything is served.
    pub async fn begin(&self) -> Result<(), ReadError> {
        for package in self.state.locals().await? {
            if self.state.package(&package).await?.local.as_ref().is_some_and(|local| local.restricted) {
                self.restricted.set(&package, true);
            }
        }
        Ok(())
    }

    /// Whether only callers with a name are told of the package.
    pub fn is_restricted(&self, package: &PackageId) -> bool {
        let restricted = self.restricted.0.load();
        !restricted.is_empty() && restricted.contains(package)
    }

    /// Whether there is any such package: while there is none, nobody is asked for a name.
    pub fn has_restricted(&self) -> bool {
        !self.restricted.0.load().is_empty()
    }
}
