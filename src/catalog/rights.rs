//! Whether somebody may publish a package or change what is published of it. Asked before anything is heard of what they
//! want, and again, of the package as it is then, when it is recorded.

use std::sync::Arc;

use crate::catalog::Catalog;
use crate::catalog::CatalogError;
use crate::catalog::amend::AmendError;
use crate::catalog::names::Whose;
use crate::catalog::submit::RETRY_AFTER;
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
fn may_add(local: &Local, package: &PackageId, by: &Principal) -> Result<(), SubmitError> {
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

    /// Whether `by` may publish under the name now. A new one is asked of upstream, which may have it.
    pub async fn may_publish(self: &Arc<Self>, package: &PackageId, by: &Principal) -> Result<(), SubmitError> {
        let whose = self.whose_to_publish(package, by).await?;
        let claim = claimed(package, by, whose)?;
        self.is_nobodys_twin(package, &claim).await
    }

    /// That a new name is not one of upstream's in another case.
    pub(super) async fn is_nobodys_twin(&self, package: &PackageId, claim: &Claim) -> Result<(), SubmitError> {
        if claim.is_new
            && let Some(twin) = self.twin_of_upstream(package).await?
        {
            return Err(SubmitError::NameOfUpstreamsTwin { package: package.clone(), twin });
        }
        Ok(())
    }

    /// Whose the name is, for somebody who may try to publish under it.
    ///
    /// # Errors
    /// `UpstreamSilent` where upstream does not answer: then the name is nobody's to take.
    pub(super) async fn whose_to_publish(self: &Arc<Self>, package: &PackageId, by: &Principal) -> Result<Whose, SubmitError> {
        if by.name.is_none() || !by.reaches(&package.name) {
            return Err(SubmitError::NotInReach(package.clone()));
        }
        match self.whose(package).await {
            Err(CatalogError::Upstream { package, why, retry_after }) => {
                Err(SubmitError::UpstreamSilent { package, why, retry_after: retry_after.unwrap_or(RETRY_AFTER) })
            }
            whose => Ok(whose?),
        }
    }
}

/// A name that may be published under, as of a state.
pub(super) struct Claim {
    pub before: Arc<PackageState>,
    /// It is nobody's yet.
    pub is_new: bool,
}

/// The name, if it is for `by` to publish under.
pub(super) fn claimed(package: &PackageId, by: &Principal, whose: Whose) -> Result<Claim, SubmitError> {
    let (before, is_new) = match whose {
        Whose::Ours(before) => (before, false),
        Whose::Free(before) => (before, true),
        Whose::Upstreams => return Err(SubmitError::NameOfUpstream(package.clone())),
        Whose::Twin(twin) => return Err(SubmitError::NameOfTwin { package: package.clone(), twin }),
    };
    if let Some(local) = before.local.as_ref().or(before.given_up.as_ref()) {
        may_add(local, package, by)?;
    }
    Ok(Claim { before, is_new })
}
