//! Whether somebody may publish a package or change what is published of it. Asked before anything is heard of what they
//! want, and again, of the package as it is then, when it is recorded.

use std::sync::Arc;

use crate::catalog::Catalog;
use crate::catalog::CatalogError;
use crate::catalog::amend::AmendError;
use crate::catalog::names::Whose;
use crate::catalog::submit::SubmitError;
use crate::model::package::PackageId;
use crate::model::package::PackageName;
use crate::model::principal::Principal;
use crate::storage::record::Local;
use crate::storage::record::PackageState;

/// Whether `by` may change a package that is at home here: its owners, and who publishes it whoever owns it. A build
/// publishes and changes nothing.
pub fn may_change(local: &Local, package: &PackageName, by: &Principal) -> Result<(), AmendError> {
    if !by.reaches(package) {
        return Err(AmendError::NotInReach(package.clone()));
    }
    if !owns(local, by) && !by.oversteps(package) {
        return Err(AmendError::NotOwner(package.clone()));
    }
    if by.workflow.is_some() { Err(AmendError::OfABuild(package.clone())) } else { Ok(()) }
}

fn owns(local: &Local, by: &Principal) -> bool {
    by.name.as_ref().is_some_and(|name| local.is_owner(name))
}

/// Whether `by` may publish another release of a package that is, or was, at home here. Without an owner it is whose who
/// comes first.
pub fn may_add(local: &Local, package: &PackageId, by: &Principal) -> Result<(), SubmitError> {
    if local.owners.is_empty() || owns(local, by) || by.oversteps(&package.name) {
        Ok(())
    } else {
        Err(SubmitError::NotOwner(package.clone()))
    }
}

impl Catalog {
    /// Whether `by` may change the package. Asks upstream whether it has it, where it is not ours, as a reader would.
    pub async fn may_amend(self: &Arc<Self>, package: &PackageId, by: &Principal) -> Result<(), AmendError> {
        if by.name.is_none() {
            return Err(AmendError::Nameless);
        }
        match self.hosted(package).await?.as_ref().and_then(|state| state.local.as_ref()) {
            Some(local) => may_change(local, &package.name, by),
            None => Err(AmendError::OfUpstream(package.name.clone())),
        }
    }

    /// Whether `by` may publish under the name, as far as that can be told without asking upstream: whether a new name is
    /// upstream's is asked when the release is there.
    pub async fn may_publish(&self, package: &PackageId, by: &Principal) -> Result<(), SubmitError> {
        if by.name.is_none() || !by.reaches(&package.name) {
            return Err(SubmitError::NotInReach(package.clone()));
        }
        let state = self.state.package(package).await.map_err(CatalogError::from)?;
        match self.known_whose(package, &state) {
            Some(Whose::Ours(state) | Whose::Free(state)) => may_add_to(&state, package, by),
            Some(Whose::Upstreams) => Err(SubmitError::NameOfUpstream(package.clone())),
            Some(Whose::Twin(twin)) => Err(SubmitError::NameOfTwin { package: package.clone(), twin }),
            None => Ok(()),
        }
    }
}

/// As [`may_add`], whether the name is ours or was.
pub fn may_add_to(state: &PackageState, package: &PackageId, by: &Principal) -> Result<(), SubmitError> {
    state.local.as_ref().or(state.given_up.as_ref()).map_or(Ok(()), |local| may_add(local, package, by))
}
