//! What an inspection compares a release with: which other release of the package, and since when the packages are there that it
//! depends on anew.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::stream;

use crate::catalog::Catalog;
use crate::catalog::CatalogError;
use crate::catalog::artifact::Found;
use crate::catalog::shelf::Shelf;
use crate::catalog::shelf::View;
use crate::model::package::PackageId;
use crate::model::package::Version;
use crate::model::release::ReleaseId;
use crate::model::standing::Standing;
use crate::model::time::Timestamp;
use crate::quarantine::baseline::Against;
use crate::quarantine::baseline::Names;
use crate::quarantine::change;
use crate::quarantine::standings::name_counts_from;
use crate::quarantine::workflow::InspectError;
use crate::quarantine::workflow::Outcome;
use crate::quarantine::workflow::Subject;

/// Names that are asked about at once, and how long all of one release may take together. Nobody who waits for a download waits
/// longer for it than for an inspection.
const ASKED_AT_ONCE: usize = 6;
const ASKED_WITHIN: Duration = Duration::from_secs(45);

impl Catalog {
    /// Inspects an artifact of the index, or joins the inspection that is under way. It goes on when the caller stops waiting.
    pub(super) async fn inspect(self: &Arc<Self>, shelf: &Arc<Shelf>, found: Found) -> Outcome {
        match self.subject(shelf, found).await {
            Ok(subject) => self.quarantine.inspect(subject).await,
            Err(error) => Outcome::Failed(Arc::new(InspectError::NotReady(error.to_string()))),
        }
    }

    /// All that an inspection needs. What is let through already is compared with nothing: others are compared with it.
    pub(super) async fn subject(self: &Arc<Self>, shelf: &Arc<Shelf>, found: Found) -> Result<Subject, CatalogError> {
        let view = self.view(shelf).await?;
        let verdict = view.standings.verdicts.get(found.row).filter(|verdict| verdict.standing != Standing::Approved);
        let against = match verdict {
            Some(verdict) => self.against(shelf, &view, &found.release.version, verdict.age_counts_from)?,
            None => None,
        };
        Ok(found.subject(against))
    }

    /// What a release that is being submitted is compared with.
    pub(super) async fn against_submitted(self: &Arc<Self>, release: &ReleaseId) -> Result<Option<Against>, CatalogError> {
        let shelf = match self.shelf(&release.package).await {
            Ok(shelf) => shelf,
            // It is the first of its package.
            Err(CatalogError::UnknownPackage(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        let view = self.view(&shelf).await?;
        self.against(&shelf, &view, &release.version, self.clock.now())
    }

    fn against(
        self: &Arc<Self>,
        shelf: &Shelf,
        view: &View,
        version: &Version,
        counts_from: Timestamp,
    ) -> Result<Option<Against>, CatalogError> {
        let index = &shelf.index;
        let ecosystem = self.ecosystem(&index.package)?;
        let row = change::baseline(index, &view.standings, version, counts_from, &*ecosystem).and_then(|row| index.rows.get(row));
        Ok(row.and_then(|row| {
            let artifact = row.artifacts.first()?.clone();
            let names: Arc<dyn Names> = Arc::clone(self) as Arc<dyn Names>;
            Some(Against { version: row.version.clone(), artifact, manifest: index.manifest(row), names })
        }))
    }

    /// By what is known here of the package, and else by what upstream says of it.
    async fn since_of(self: &Arc<Self>, package: &PackageId) -> Result<Timestamp, CatalogError> {
        let state = self.state.package(package).await?;
        let shelf = match self.known(package, &state).await? {
            Some(shelf) => shelf,
            None => self.shelf(package).await?,
        };
        let state = self.state.package(package).await?;
        Ok(name_counts_from(&shelf.index, &state, self.clock.now()))
    }
}

/// [`Names`] as an inspection asks them.
#[async_trait]
impl Names for Catalog {
    async fn since(self: Arc<Self>, packages: BTreeSet<PackageId>) -> BTreeMap<PackageId, Timestamp> {
        let this = &self;
        let asked = stream::iter(packages).map(|package| async move {
            let since = this.since_of(&package).await;
            if let Err(error) = &since {
                tracing::debug!(%package, %error, "it is not known since when it is there");
            }
            Some((package, since.ok()?))
        });
        let mut answers = asked.buffer_unordered(ASKED_AT_ONCE);
        let mut known = BTreeMap::new();
        let all = async {
            while let Some(answer) = answers.next().await {
                known.extend(answer);
            }
        };
        if tokio::time::timeout(ASKED_WITHIN, all).await.is_err() {
            tracing::warn!("it took too long to learn since when dependencies are there; of some it is not known");
        }
        known
    }
}
