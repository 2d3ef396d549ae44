//! After the inspection learned to see more: what an older edition looked at is inspected anew, one artifact after the other, in the
//! background. What was open goes on being served meanwhile; what had not opened is inspected when it is asked for, if not before.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::catalog::Catalog;
use crate::catalog::CatalogError;
use crate::catalog::background::PAGE;
use crate::catalog::background::RESTS;
use crate::model::package::PackageId;
use crate::quarantine::checks::inspection::EDITION;
use crate::quarantine::checks::inspection::INTEGRITY_ONLY;
use crate::quarantine::workflow::Outcome;
use crate::storage::record::PackageState;

/// What became of all of it.
#[derive(Default)]
struct Renewed {
    inspected: u64,
    failed: u64,
}

impl Catalog {
    /// Goes over all packages once.
    pub(super) async fn renew_inspections(self: &Arc<Self>, stop: &watch::Receiver<bool>) {
        let (mut last, mut renewed) = (None, Renewed::default());
        loop {
            let packages = match self.state.packages(last.as_ref(), PAGE).await {
                Ok(packages) => packages,
                Err(error) => {
                    tracing::error!(%error, "what an older edition inspected was not all inspected anew; the next start goes on with it");
                    break;
                }
            };
            let Some((package, _)) = packages.last() else { break };
            last = Some(package.clone());
            for (package, state) in packages {
                if *stop.borrow() {
                    return;
                }
                let files = outdated(&state);
                if !files.is_empty()
                    && let Err(error) = self.renew_package(&package, &state, files, &mut renewed).await
                {
                    tracing::warn!(%package, %error, "what an older edition inspected of it could not be inspected anew; the next start tries again");
                    renewed.failed += 1;
                }
            }
            tokio::task::yield_now().await;
        }
        let Renewed { inspected, failed } = renewed;
        if inspected + failed > 0 {
            tracing::info!(inspected, failed, edition = EDITION, "what an older edition had inspected was inspected anew");
        }
    }

    async fn renew_package(
        self: &Arc<Self>,
        package: &PackageId,
        state: &Arc<PackageState>,
        files: Vec<String>,
        renewed: &mut Renewed,
    ) -> Result<(), CatalogError> {
        let shelf = match self.known(package, state).await? {
            Some(shelf) => shelf,
            None => self.shelf(package).await?,
        };
        for file in files {
            let began = Instant::now();
            // What the index has no more cannot be asked for either.
            let Some(found) = shelf.find(&file) else { continue };
            match self.inspect(&shelf, found).await {
                Outcome::Recorded => renewed.inspected += 1,
                Outcome::Failed(error) => {
                    tracing::warn!(%package, file, %error, "could not be inspected anew");
                    renewed.failed += 1;
                }
            }
            tokio::time::sleep(began.elapsed() * RESTS).await;
        }
        Ok(())
    }
}

/// Files that only an older edition looked inside.
fn outdated(state: &PackageState) -> Vec<String> {
    let inspections = state.releases.values().flat_map(|release| &release.inspections);
    let is_outdated = |edition: u16| edition != INTEGRITY_ONLY && edition < EDITION;
    inspections.filter(|(_, one)| is_outdated(one.edition)).map(|(file, _)| file.clone()).collect()
}
