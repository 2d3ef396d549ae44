//! Fetching an artifact: the release is found through the index, never through the spelling of the file name; its bytes
//! are opened only with a clearance.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::hash::RandomState;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;

use crate::catalog::Catalog;
use crate::catalog::CatalogError;
use crate::catalog::Download;
use crate::catalog::refresh::RECHECK_AFTER;
use crate::catalog::shelf::Shelf;
use crate::catalog::shelf::View;
use crate::model::index::Artifact;
use crate::model::index::Index;
use crate::model::index::Row;
use crate::model::package::PackageId;
use crate::model::pull::Puller;
use crate::model::refusal::Refusal;
use crate::model::release::ReleaseId;
use crate::model::standing::Standing;
use crate::model::time::Timestamp;
use crate::quarantine::baseline::Against;
use crate::quarantine::gate::NotCleared;
use crate::quarantine::gate::OpenError;
use crate::quarantine::wording;
use crate::quarantine::workflow::CRASHED;
use crate::quarantine::workflow::InspectError;
use crate::quarantine::workflow::Outcome;
use crate::quarantine::workflow::Subject;
use crate::storage::blob::BlobError;
use crate::upstream::UpstreamError;

/// How often the standing may move under a download before the client is told to come again.
const ATTEMPTS_MAX: usize = 4;
/// When a client comes again for an inspection that is not finished.
const RETRY_AFTER: Duration = Duration::from_secs(5);

impl Catalog {
    /// An artifact by the name it is asked by. Waits, for as long as policy says, for the verdict of one that was never inspected.
    /// `puller` is whom the pull is recorded of; none where only the head of the answer is wanted.
    pub async fn artifact(self: &Arc<Self>, package: &PackageId, file: &str, puller: Option<Puller>) -> Result<Download, CatalogError> {
        if let Some(download) = self.opened_before(package, file, puller.as_ref()).await? {
            return Ok(download);
        }
        // On the heap: what was opened before is answered by a small future.
        Box::pin(self.found_artifact(package, file, puller.as_ref())).await
    }

    async fn found_artifact(self: &Arc<Self>, package: &PackageId, file: &str, puller: Option<&Puller>) -> Result<Download, CatalogError> {
        let mut shelf = self.shelf(package).await?;
        let mut found = shelf.find(file);
        if found.is_none() && self.is_older(&shelf, RECHECK_AFTER) {
            // It may be newer than what is known: ask before saying that it is not there.
            shelf = Box::pin(self.asked(package, RECHECK_AFTER)).await?;
            found = shelf.find(file);
        }
        let Some(found) = found else {
            return Err(CatalogError::UnknownRelease { package: package.clone(), wanted: format!("file {file:?}") });
        };
        for _ in 0..ATTEMPTS_MAX {
            let view = self.view(&shelf).await?;
            match self.quarantine.clear(&shelf.index, &view.standings, found.row, &found.artifact).await {
                Ok(clearance) => {
                    let leave = view.leave(&clearance);
                    match self.quarantine.open(clearance, &found.artifact).await {
                        Ok(content) => {
                            let observed = self.observed(&shelf, &view, found.row, &found.release);
                            self.tell_observed(observed.as_deref().filter(|_| puller.is_some()));
                            self.remember_opened(&shelf, file, leave, observed);
                            self.pulled(&found.release, puller);
                            return Ok(Download { release: found.release, file: found.artifact.file, content });
                        }
                        Err(OpenError::OutOfDate) => {}
                        Err(OpenError::Upstream(error)) => return Err(from_upstream(package, &error)),
                        Err(error @ OpenError::OtherBytes(_)) => {
                            return Err(CatalogError::Upstream { package: package.clone(), why: error.to_string(), retry_after: None });
                        }
                        Err(OpenError::Blob(error)) => return Err(error.into()),
                        Err(OpenError::Read(error)) => return Err(error.into()),
                    }
                }
                Err(NotCleared::OutOfDate) => {}
                Err(NotCleared::Read(error)) => return Err(error.into()),
                Err(NotCleared::Standing(Standing::Admissible)) => Box::pin(self.inspected(&shelf, &found)).await?,
                Err(NotCleared::Standing(_)) => return Err(self.refuse(self.refusal(&shelf, &view, found.row, &found.release))),
            }
        }
        Err(CatalogError::NotYet { release: found.release, retry_after: RETRY_AFTER })
    }

    /// Counts and records a download; not one without a puller, of which only the head is sent.
    pub(super) fn pulled(&self, release: &ReleaseId, puller: Option<&Puller>) {
        if let Some(puller) = puller {
            self.counts.downloads.fetch_add(1, Ordering::Relaxed);
            self.pulls.record(release.clone(), puller.clone(), self.clock.now());
        }
    }

    /// Inspects a file of the index now, for at most as long as a download would wait.
    pub(crate) async fn inspect_file(self: &Arc<Self>, shelf: &Arc<Shelf>, file: &str) -> Result<(), CatalogError> {
        match shelf.find(file) {
            Some(found) => self.inspected(shelf, &found).await,
            None => Err(CatalogError::UnknownRelease { package: shelf.index.package.clone(), wanted: format!("file {file:?}") }),
        }
    }

    /// Returns when the artifact's facts are recorded, or can never be: then its standing says so.
    async fn inspected(self: &Arc<Self>, shelf: &Arc<Shelf>, found: &Found) -> Result<(), CatalogError> {
        let release = found.release.clone();
        let patience = self.quarantine.policy().inspection_wait;
        let Ok(outcome) = tokio::time::timeout(patience, self.inspect(shelf, found.clone())).await else {
            return Err(CatalogError::NotYet { release, retry_after: RETRY_AFTER });
        };
        match outcome {
            Outcome::Recorded => Ok(()),
            Outcome::Failed(error) => Err(match &*error {
                InspectError::Upstream(UpstreamError::Missing) => CatalogError::UnknownRelease {
                    package: release.package,
                    wanted: format!("file {:?} at the upstream registry", found.artifact.file),
                },
                InspectError::Upstream(error) => from_upstream(&release.package, error),
                // Given up because it crashes: from now on its standing says so.
                InspectError::GivenUp(why) if why.starts_with(CRASHED) => return Ok(()),
                InspectError::Crashed(_) | InspectError::GivenUp(_) | InspectError::Busy => {
                    CatalogError::NotYet { release, retry_after: RETRY_AFTER }
                }
                InspectError::OtherBytes { .. } => {
                    CatalogError::Upstream { package: release.package, why: error.to_string(), retry_after: None }
                }
                InspectError::Blob(BlobError::DiskFull { .. }) => CatalogError::StorageFull(error.to_string()),
                InspectError::Commit(commit) if commit.is_disk_full() => CatalogError::StorageFull(error.to_string()),
                InspectError::Blob(_) | InspectError::Commit(_) | InspectError::Read(_) | InspectError::NotReady(_) => {
                    CatalogError::Storage(error.to_string())
                }
            }),
        }
    }

    /// The one wording of why the release in this row is not served.
    pub fn refusal(&self, shelf: &Shelf, view: &View, row: usize, release: &ReleaseId) -> Refusal {
        let index = &shelf.index;
        let instead = match self.ecosystem(&index.package) {
            Ok(ecosystem) => view.ladder.below(&release.version, &*ecosystem),
            Err(_) => None,
        };
        match view.standings.verdicts.get(row) {
            Some(verdict) => wording::refusal(&index.package, &release.version, verdict, self.clock.now(), instead),
            None => {
                let sentence = format!("{release} is in quarantine.");
                Refusal { sentence, release: release.clone(), standing: Standing::Quarantined, opens_at: None }
            }
        }
    }

    /// Counts what was asked for in vain: the queue shows the most wanted first.
    pub fn refuse(&self, refusal: Refusal) -> CatalogError {
        self.counts.refused.fetch_add(1, Ordering::Relaxed);
        self.want(&refusal.release, refusal.standing);
        CatalogError::Refused(Box::new(refusal))
    }
}

/// An artifact of an index, and the release it belongs to.
#[derive(Clone)]
pub struct Found {
    /// Which row of the index.
    pub row: usize,
    pub release: ReleaseId,
    pub artifact: Artifact,
    manifest: Bytes,
    published_at: Option<Timestamp>,
}

impl Found {
    fn new(index: &Index, at: usize, row: &Row, artifact: &Artifact) -> Found {
        let release = ReleaseId { package: index.package.clone(), version: row.version.clone() };
        Found { row: at, release, artifact: artifact.clone(), manifest: index.manifest(row), published_at: row.published_at }
    }

    pub fn subject(self, against: Option<Against>) -> Subject {
        Subject { release: self.release, artifact: self.artifact, manifest: self.manifest, published_at: self.published_at, against }
    }
}

impl Shelf {
    /// By the name it is served under first, then by others.
    pub fn find(&self, file: &str) -> Option<Found> {
        let index = &self.index;
        match self.files.get_or_init(|| Files::of(index)).row(index, file) {
            Some((at, row, artifact)) => Some(Found::new(index, at, row, artifact)),
            None => find(index, file),
        }
    }
}

/// Which row of an index has an artifact that is served under a name: of the first row that has it.
pub struct Files {
    hasher: RandomState,
    rows: HashMap<u64, u32>,
}

impl Files {
    fn of(index: &Index) -> Files {
        let mut files = Files { hasher: RandomState::new(), rows: HashMap::with_capacity(index.rows.len()) };
        for (at, row) in (0..).zip(&index.rows) {
            for artifact in &row.artifacts {
                files.rows.entry(files.hasher.hash_one(artifact.file.as_str())).or_insert(at);
            }
        }
        files
    }

    /// `None` where looking at every row says more: two names may have one hash.
    fn row<'i>(&self, index: &'i Index, file: &str) -> Option<(usize, &'i Row, &'i Artifact)> {
        let at = usize::try_from(*self.rows.get(&self.hasher.hash_one(file))?).ok()?;
        let row = index.rows.get(at)?;
        row.artifacts.iter().find(|artifact| artifact.file == file).map(|artifact| (at, row, artifact))
    }
}

fn find(index: &Index, file: &str) -> Option<Found> {
    let by = |fits: &dyn Fn(&Artifact) -> bool| {
        let mut rows = index.rows.iter().enumerate();
        rows.find_map(|(at, row)| row.artifacts.iter().find(|artifact| fits(artifact)).map(|artifact| (at, row, artifact)))
    };
    let (row, listed, artifact) =
        by(&|artifact| artifact.file == file).or_else(|| by(&|artifact| artifact.aliases.iter().any(|alias| alias == file)))?;
    Some(Found::new(index, row, listed, artifact))
}

fn from_upstream(package: &PackageId, error: &UpstreamError) -> CatalogError {
    match error {
        UpstreamError::Loop => CatalogError::Loop,
        other => {
            let retry_after = other.retry_after().or(other.is_outage().then_some(RETRY_AFTER));
            CatalogError::Upstream { package: package.clone(), why: other.to_string(), retry_after }
        }
    }
}
