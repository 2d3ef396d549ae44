//! Meeting siblings: before a package is judged whose releases belong together with others, those others are judged by what is
//! kept of them here. Upstream is not asked: what was never seen stays a stranger.

use std::sync::Arc;

use crate::catalog::Catalog;
use crate::catalog::CatalogError;
use crate::model::index::Index;
use crate::model::package::PackageId;
use crate::model::time::Timestamp;
use crate::quarantine::cohort::TIED_FOR;
use crate::storage::record::PackageState;

/// Siblings' siblings are met so many steps away.
const ROUNDS_MAX: usize = 4;

impl Catalog {
    pub(super) async fn meet_siblings(&self, index: &Index, state: &PackageState, now: Timestamp) {
        self.quarantine.bind(index, state, now);
        for _ in 0..ROUNDS_MAX {
            let mut met = false;
            for stranger in self.quarantine.strangers(&index.package, now) {
                match self.meet(&stranger, now).await {
                    Ok(is_known) => met |= is_known,
                    Err(error) => tracing::warn!(package = %stranger, %error, "a sibling could not be judged; it counts as unknown"),
                }
            }
            if !met {
                return;
            }
        }
    }

    /// After a start: takes in what is kept of a package that may have young releases, so that those that they name know of them.
    pub(super) async fn remember_siblings(&self, package: &PackageId, state: &Arc<PackageState>) -> Result<(), CatalogError> {
        let now = self.clock.now();
        let is_lately = |at: Option<Timestamp>| at.is_some_and(|at| now.since(at) < TIED_FOR);
        let is_recent = is_lately(state.first_seen_at) || state.releases.values().any(|one| is_lately(one.seen_at));
        let Some(sight) = state.last_sight.as_ref().filter(|_| is_recent && !self.is_never_asked(package)) else { return Ok(()) };
        let Some(index) = self.kept_index(package, sight).await? else { return Ok(()) };
        let (quarantine, state) = (Arc::clone(&self.quarantine), Arc::clone(state));
        let bound = tokio::task::spawn_blocking(move || quarantine.bind(&index, &state, now)).await;
        bound.map_err(|error| CatalogError::Storage(error.to_string()))
    }

    /// `false` where nothing is kept of it.
    async fn meet(&self, package: &PackageId, now: Timestamp) -> Result<bool, CatalogError> {
        let state = self.state.package(package).await?;
        let Some(sight) = state.last_sight.as_ref().filter(|_| !self.is_never_asked(package) || state.local.is_some()) else {
            return Ok(false);
        };
        let Some(index) = self.kept_index(package, sight).await? else { return Ok(false) };
        let (quarantine, state) = (Arc::clone(&self.quarantine), Arc::clone(&state));
        let judged = tokio::task::spawn_blocking(move || drop(quarantine.judged(&index, &state, now))).await;
        judged.map_err(|error| CatalogError::Storage(error.to_string()))?;
        Ok(true)
    }
}
