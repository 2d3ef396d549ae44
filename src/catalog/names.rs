//! To whom a name belongs: to what is published here or to upstream, and never to both.

use std::sync::Arc;
use std::time::Duration;

use crate::catalog::Catalog;
use crate::catalog::CatalogError;
use crate::catalog::local::ChangeError;
use crate::catalog::refresh::ATTEMPTS_MAX;
use crate::model::actor::Actor;
use crate::model::local::NameOwner;
use crate::model::package::PackageId;
use crate::storage::record::Command;
use crate::storage::record::PackageState;

/// To whom a name belongs, and the package as of then: a batch that builds on it has its revision as a condition.
#[derive(Clone, Debug)]
pub enum Whose {
    Ours(Arc<PackageState>),
    /// Nobody's: who publishes first has it.
    Free(Arc<PackageState>),
    Upstreams,
    /// It differs only in its case from this one, which is ours.
    Twin(PackageId),
}

impl Catalog {
    /// To whom the name belongs. A name that is not ours, and not of a private scope, is asked of upstream anew.
    ///
    /// # Errors
    /// `Upstream` where upstream does not answer: then the name is nobody's to take.
    pub async fn whose(self: &Arc<Self>, package: &PackageId) -> Result<Whose, CatalogError> {
        let state = self.state.package(package).await?;
        if let Some(whose) = self.known_whose(package, &state) {
            return Ok(whose);
        }
        self.unknown.remove(package);
        match Box::pin(self.asked(package, Duration::ZERO)).await {
            Ok(_) => Ok(Whose::Upstreams),
            Err(CatalogError::UnknownPackage(_)) => Ok(Whose::Free(state)),
            Err(error) => Err(error),
        }
    }

    /// The same as far as it can be told without asking anybody.
    pub(super) fn known_whose(&self, package: &PackageId, state: &Arc<PackageState>) -> Option<Whose> {
        if state.local.is_some() {
            return Some(Whose::Ours(Arc::clone(state)));
        }
        if let Some(twin) = self.twin_at_home(package) {
            return Some(Whose::Twin(twin));
        }
        if self.is_never_asked(package) {
            return Some(Whose::Free(Arc::clone(state)));
        }
        (state.last_sight.is_some() || state.given_up.is_some()).then_some(Whose::Upstreams)
    }

    /// The name of upstream's, heard of here, from which this one differs in its case only: were it at home here, that one would
    /// be nobody's.
    pub(super) async fn twin_of_upstream(&self, package: &PackageId) -> Result<Option<PackageId>, CatalogError> {
        for twin in self.state.names_alike(package).await? {
            let state = self.state.package(&twin).await?;
            let is_upstreams = state.local.is_none() && (state.last_sight.is_some() || state.given_up.is_some());
            if is_upstreams && !self.is_never_asked(&twin) {
                return Ok(Some(twin));
            }
        }
        Ok(None)
    }

    /// Gives the name to `owner` at the word of `by`. What was published under it here is kept, and comes back with the name.
    pub async fn assign(self: &Arc<Self>, package: &PackageId, owner: NameOwner, by: Actor) -> Result<(), ChangeError> {
        for _ in 0..ATTEMPTS_MAX {
            let before = self.state.package(package).await.map_err(CatalogError::from)?;
            let is_already = match owner {
                NameOwner::Local => before.local.is_some(),
                NameOwner::Upstream => before.local.is_none(),
            };
            if is_already {
                return Ok(());
            }
            let commands = vec![Command::Assigned { package: package.clone(), to: owner }];
            let change = self.change(package, &before, commands).await?;
            match self.commit_change(change, by.clone()).await {
                Ok(_) => {
                    self.shelves.remove(package);
                    return Ok(());
                }
                Err(error) if error.is_conflict() => {}
                Err(error) => return Err(error),
            }
        }
        Err(CatalogError::Storage(format!("{} changes too fast to be recorded", package.name)).into())
    }
}
