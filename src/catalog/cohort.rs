//! Meeting siblings: before a package is judged whose releases belong together with others, those others are judged by what is
//! kept of them here. Upstream is not asked: what was never seen stays a stranger.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::catalog::Catalog;
use crate::catalog::CatalogError;
use crate::model::index::Index;
use crate::model::package::PackageId;
use crate::model::time::Timestamp;
use crate::quarantine::cohort::TIED_FOR;
use crate::quarantine::trial::OnTrial;
use crate::storage::record::PackageState;

/// Siblings' siblings are met so many steps away.
const ROUNDS_MAX: usize = 4;
/// Text of a package whose manifests are read at once, in bytes: that of more is read beside the runtime.
const INLINE_BYTES_MAX: usize = 64 * 1_024;

impl Catalog {
    pub(super) async fn meet_siblings(&self, index: &Arc<Index>, state: &Arc<PackageState>, now: Timestamp) -> Result<(), CatalogError> {
        if index.weight() <= INLINE_BYTES_MAX {
            self.quarantine.bind(index, state, now);
        } else {
            self.bind(Arc::clone(index), Arc::clone(state), now).await?;
        }
        for _ in 0..ROUNDS_MAX {
            let mut met = false;
            for stranger in self.quarantine.strangers(&index.package, now) {
                match self.meet(&stranger, now).await {
                    Ok(is_known) => met |= is_known,
                    Err(error) => tracing::warn!(package = %stranger, %error, "a sibling could not be judged; it counts as unknown"),
                }
            }
            if !met {
                break;
            }
        }
        Ok(())
    }

    /// How long reading the manifests takes is upstream's choice, so that the runtime does not wait for it.
    async fn bind(&self, index: Arc<Index>, state: Arc<PackageState>, now: Timestamp) -> Result<(), CatalogError> {
        let quarantine = Arc::clone(&self.quarantine);
        let bound = tokio::task::spawn_blocking(move || quarantine.bind(&index, &state, now)).await;
        bound.map_err(|error| CatalogError::Storage(error.to_string()))
    }

    /// After a start: takes in what is kept of a package that may have young releases, so that those that they name know of them.
    pub(super) async fn remember_siblings(&self, package: &PackageId, state: &Arc<PackageState>) -> Result<(), CatalogError> {
        let now = self.clock.now();
        let is_lately = |at: Option<Timestamp>| at.is_some_and(|at| now.since(at) < TIED_FOR);
        let is_recent = is_lately(state.first_seen_at) || state.releases.values().any(|one| is_lately(one.seen_at));
        let Some(sight) = state.last_sight.as_ref().filter(|_| is_recent && !self.is_never_asked(package)) else { return Ok(()) };
        let Some(index) = self.kept_index(package, sight).await? else { return Ok(()) };
        self.bind(Arc::new(index), Arc::clone(state), now).await
    }

    /// As [`Catalog::meet_siblings`], for two policies that are compared.
    pub(super) async fn meet_on(
        &self,
        sides: &Arc<(OnTrial, OnTrial)>,
        index: &Arc<Index>,
        state: &Arc<PackageState>,
        now: Timestamp,
    ) -> Result<(), CatalogError> {
        for _ in 0..ROUNDS_MAX {
            let (quarantine, sides_now) = (Arc::clone(&self.quarantine), Arc::clone(sides));
            let (of, at) = (Arc::clone(index), Arc::clone(state));
            let asked = tokio::task::spawn_blocking(move || {
                let [before, after] = [&sides_now.0, &sides_now.1].map(|side| quarantine.strangers_on(side, &of, &at, now));
                before.into_iter().chain(after).collect::<BTreeSet<PackageId>>()
            });
            let mut met = false;
            for stranger in asked.await.map_err(|error| CatalogError::Storage(error.to_string()))? {
                let Some((index, state)) = self.kept_of(&stranger).await? else { continue };
                let (quarantine, sides) = (Arc::clone(&self.quarantine), Arc::clone(sides));
                let heard = tokio::task::spawn_blocking(move || {
                    quarantine.hear_on(&sides.0, &index, &state, now);
                    quarantine.hear_on(&sides.1, &index, &state, now);
                });
                heard.await.map_err(|error| CatalogError::Storage(error.to_string()))?;
                met = true;
            }
            if !met {
                break;
            }
        }
        Ok(())
    }

    /// What is kept of a package, if anything is.
    async fn kept_of(&self, package: &PackageId) -> Result<Option<(Index, Arc<PackageState>)>, CatalogError> {
        let state = self.state.package(package).await?;
        let Some(sight) = state.last_sight.as_ref().filter(|_| !self.is_never_asked(package) || state.local.is_some()) else {
            return Ok(None);
        };
        Ok(self.kept_index(package, sight).await?.map(|index| (index, state)))
    }

    /// `false` where nothing is kept of it.
    async fn meet(&self, package: &PackageId, now: Timestamp) -> Result<bool, CatalogError> {
        let Some((index, state)) = self.kept_of(package).await? else { return Ok(false) };
        let quarantine = Arc::clone(&self.quarantine);
        let judged = tokio::task::spawn_blocking(move || drop(quarantine.judged(&index, &state, now))).await;
        judged.map_err(|error| CatalogError::Storage(error.to_string()))?;
        Ok(true)
    }
}
