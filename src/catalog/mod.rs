//! What may be seen or fetched of a package: refreshed from upstream, judged, exposed. Knows no HTTP and no dialect.

pub mod advisories;
pub mod ahead;
pub mod amend;
pub mod artifact;
pub mod attested;
pub mod background;
mod cohort;
pub mod comparison;
pub mod explanation;
pub mod exposure;
pub mod foresight;
pub mod glance;
pub mod kept;
pub mod local;
pub mod lockfile;
pub mod names;
pub mod notices;
pub mod observed;
pub mod passthrough;
pub mod queue;
pub mod recalls;
pub mod refresh;
mod rejudged;
pub mod renewal;
pub mod replay;
pub mod requests;
pub mod residents;
pub mod review;
pub mod rights;
pub mod seal;
pub mod search;
pub mod shelf;
pub mod submit;
pub mod sweep;
pub mod upload;
pub mod views;
pub mod waivers;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use quick_cache::DefaultHashBuilder;
use quick_cache::OptionsBuilder;
use quick_cache::sync::Cache;
use quick_cache::sync::DefaultLifecycle;
use tokio::sync::Semaphore;
use tokio::sync::watch;

use crate::catalog::exposure::Exposed;
use crate::catalog::foresight::Foresight;
use crate::catalog::glance::FileName;
use crate::catalog::glance::Glance;
use crate::catalog::glance::OPENED_MAX;
use crate::catalog::glance::Opened;
use crate::catalog::glance::SEEN_MAX;
use crate::catalog::passthrough::Passthrough;
use crate::catalog::queue::Board;
use crate::catalog::queue::Wanted;
use crate::catalog::refresh::Refreshed;
use crate::catalog::residents::Residents;
use crate::catalog::seal::Seal;
use crate::catalog::search::Cards;
use crate::catalog::shelf::Shelf;
use crate::catalog::shelf::ShelfWeight;
use crate::catalog::upload::Docks;
use crate::catalog::views::Views;
use crate::clock::Clock;
use crate::config;
use crate::ecosystem::Ecosystem;
use crate::events::Notices;
use crate::model::digest::Verified;
use crate::model::package::PackageId;
use crate::model::pull::PullCount;
use crate::model::refusal::Refusal;
use crate::model::release::ReleaseId;
use crate::model::time::Timestamp;
use crate::quarantine::Quarantine;
use crate::storage::advisories::table::Table;
use crate::storage::blob::BlobError;
use crate::storage::disk::KeyFile;
use crate::storage::document::Documents;
use crate::storage::pulls::Pulls;
use crate::storage::record::Sequence;
use crate::storage::state::CommitError;
use crate::storage::state::ReadError;
use crate::storage::state::State;
use crate::upstream::Upstreams;
use crate::upstream::coalesce::Flights;

/// Indexes kept in memory, in bytes. What stands needs none (`glance.rs`); one that is wanted again is read from the disk. A
/// package of 40 MB fits.
const SHELVES_BYTES: u64 = 48 * 1_024 * 1_024;
/// Packages whose index is in memory, about.
const SHELVES: usize = 20_000;
/// Names that upstream does not know, remembered for [`UNKNOWN_FOR`].
const UNKNOWN_MAX: usize = 10_000;
/// npm asks again in the other form at once when a name is not there.
const UNKNOWN_FOR: Duration = Duration::from_secs(10);
const REFRESHES_MAX: usize = 4_096;

/// The packages as this Airlock knows them. One for the process.
pub struct Catalog {
    quarantine: Arc<Quarantine>,
    state: Arc<dyn State>,
    documents: Arc<dyn Documents>,
    upstreams: Arc<Upstreams>,
    pulls: Arc<Pulls>,
    seal: Seal,
    passed: Passthrough,
    docks: Arc<Docks>,
    /// How many changes go on by themselves.
    under_way: Arc<watch::Sender<usize>>,
    /// One for each lockfile in memory.
    lockfiles: Semaphore,
    clock: Clock,
    fresh_for: Duration,
    shelves: Shelves,
    unknown: Cache<PackageId, Unknown>,
    refreshes: Flights<PackageId, Result<Refreshed, CatalogError>>,
    foresight: Foresight,
    seen: Cache<PackageId, Glance>,
    opened: Cache<FileName, Arc<Opened>>,
    views: Views,
    residents: Residents,
    /// By feed: what was known of it when the last sweep that broke off began.
    unswept: Mutex<BTreeMap<&'static str, Option<Arc<Table>>>>,
    board: Mutex<Board>,
    wanted: Mutex<Wanted>,
    cards: Cards,
    /// One policy is on trial at a time.
    trials: Semaphore,
    counts: Counts,
    notices: Notices,
}

/// Upstream did not know the package: not asked again before, unless something else is heard of it.
#[derive(Clone, Copy, Debug)]
struct Unknown {
    until: Timestamp,
    revision: Sequence,
}

/// What happened since the start, for metrics.
#[derive(Debug, Default)]
pub struct Counts {
    refreshed: AtomicU64,
    served_stale: AtomicU64,
    refused: AtomicU64,
    downloads: AtomicU64,
    observed: AtomicU64,
    malware_served: AtomicU64,
}

/// A reading of [`Counts`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Condition {
    pub refreshed: u64,
    pub served_stale: u64,
    /// How long ago upstream confirmed the oldest of the indexes that it did not confirm when it was last asked.
    pub stale_for: Duration,
    pub refused: u64,
    pub downloads: u64,
    /// Downloads served only because policy observes.
    pub observed: u64,
    /// Those of them that were of malware.
    pub malware_served: u64,
    /// Whether policy keeps back nothing by itself.
    pub observing: bool,
    pub waiting: u64,
    pub shelves: u64,
}

/// An artifact that may be sent: its bytes are proven, and leave was given for these very bytes.
#[derive(Debug)]
pub struct Download {
    pub release: ReleaseId,
    pub file: String,
    pub content: Verified,
}

/// A package as clients may see it, and how old upstream's word is.
#[derive(Clone, Debug)]
pub struct Sighted {
    pub exposed: Arc<Exposed>,
    /// How long ago upstream last confirmed it, when that is longer than it may be: upstream does not answer.
    pub stale_for: Option<Duration>,
}

#[derive(Clone, Debug, thiserror::Error)]
pub enum CatalogError {
    /// Neither here nor upstream.
    #[error("{} is not known, neither here nor at the upstream registry", .0.name)]
    UnknownPackage(PackageId),
    #[error("{} has no {wanted}", .package.name)]
    UnknownRelease { package: PackageId, wanted: String },
    /// Known and not open. The sentence has no link yet.
    #[error("{}", .0.sentence)]
    Refused(Box<Refusal>),
    /// Its inspection is not finished; ask again.
    #[error("{release} is being inspected; try again in {} seconds", .retry_after.as_secs())]
    NotYet { release: ReleaseId, retry_after: Duration },
    /// Upstream does not answer as it should, and nothing is kept here that could be served.
    #[error("the upstream registry does not answer for {}: {why}", .package.name)]
    Upstream { package: PackageId, why: String, retry_after: Option<Duration> },
    /// The upstream is this very Airlock.
    #[error("the upstream registry is this Airlock itself: set another with --upstream")]
    Loop,
    #[error("{0}")]
    Storage(String),
    /// What is known is served on; what is new cannot be kept.
    #[error("{0}")]
    StorageFull(String),
}

impl From<CommitError> for CatalogError {
    fn from(error: CommitError) -> CatalogError {
        if error.is_disk_full() { CatalogError::StorageFull(error.to_string()) } else { CatalogError::Storage(error.to_string()) }
    }
}

impl From<BlobError> for CatalogError {
    fn from(error: BlobError) -> CatalogError {
        match error {
            BlobError::DiskFull { .. } => CatalogError::StorageFull(error.to_string()),
            BlobError::Io { .. } | BlobError::Incoming(_) | BlobError::Damaged { .. } | BlobError::Lost { .. } => {
                CatalogError::Storage(error.to_string())
            }
        }
    }
}

impl From<ReadError> for CatalogError {
    fn from(error: ReadError) -> CatalogError {
        CatalogError::Storage(error.to_string())
    }
}

type Shelves = Cache<PackageId, Arc<Shelf>, ShelfWeight>;

/// One shard, so that a single large package may take most of the budget: none is ever kept that does not fit into one.
fn shelves() -> Shelves {
    #[expect(clippy::expect_used, reason = "build fails only when a capacity is missing, and both are set here")]
    let options = OptionsBuilder::new()
        .shards(1)
        .estimated_items_capacity(SHELVES)
        .weight_capacity(SHELVES_BYTES)
        .build()
        .expect("both capacities are set");
    Cache::with_options(options, ShelfWeight, DefaultHashBuilder::default(), DefaultLifecycle::default())
}

impl Catalog {
    #[expect(clippy::too_many_arguments, reason = "the wiring: every one is another room's, and each is named where it is used")]
    pub fn new(
        quarantine: Arc<Quarantine>,
        state: Arc<dyn State>,
        documents: Arc<dyn Documents>,
        upstreams: Arc<Upstreams>,
        pulls: Arc<Pulls>,
        key_file: KeyFile,
        clock: Clock,
        config: &config::upstream::Upstream,
    ) -> Catalog {
        Catalog {
            quarantine,
            state,
            documents,
            upstreams,
            pulls,
            seal: Seal::new(key_file),
            passed: Passthrough::default(),
            docks: Arc::default(),
            under_way: Arc::new(watch::Sender::new(0)),
            lockfiles: Semaphore::new(lockfile::AT_ONCE),
            clock,
            fresh_for: config.fresh_for,
            shelves: shelves(),
            unknown: Cache::new(UNKNOWN_MAX),
            refreshes: Flights::new(REFRESHES_MAX),
            foresight: Foresight::new(config.ask_ahead),
            seen: Cache::new(SEEN_MAX),
            opened: Cache::new(OPENED_MAX),
            views: Views::default(),
            residents: Residents::default(),
            unswept: Mutex::default(),
            board: Mutex::default(),
            wanted: Mutex::default(),
            cards: Cards::default(),
            trials: Semaphore::new(1),
            counts: Counts::default(),
            notices: Notices::default(),
        }
    }

    /// With those who are told outside.
    #[must_use]
    pub fn telling(self, notices: Notices) -> Catalog {
        Catalog { notices, ..self }
    }

    /// The package as clients may see it now.
    pub async fn exposed(self: &Arc<Self>, package: &PackageId) -> Result<Sighted, CatalogError> {
        let shelf = self.shelf(package).await?;
        let mut view = self.view(&shelf).await?;
        if self.inspect_ahead(&shelf, &view).await {
            view = self.view(&shelf).await?;
        }
        self.foresee(&shelf, &view.exposed);
        self.seen.insert(package.clone(), view.glance(shelf.checked_at()));
        Ok(Sighted { exposed: Arc::clone(&view.exposed), stale_for: self.stale_for(&shelf) })
    }

    fn stale_for(&self, shelf: &Shelf) -> Option<Duration> {
        let age = self.clock.now().since(shelf.checked_at());
        let stale = age >= self.fresh_for;
        if stale {
            self.counts.served_stale.fetch_add(1, Ordering::Relaxed);
        }
        stale.then_some(age)
    }

    fn ecosystem(&self, package: &PackageId) -> Result<Arc<dyn Ecosystem>, CatalogError> {
        let built = self.quarantine.ecosystem(package.ecosystem).map(Arc::clone);
        built.ok_or_else(|| CatalogError::UnknownPackage(package.clone()))
    }

    /// Who pulled a release, when and how often.
    pub async fn pulls(&self, release: &ReleaseId) -> Result<Vec<PullCount>, CatalogError> {
        self.pulls.of(release).await.map_err(|error| CatalogError::Storage(error.to_string()))
    }

    pub fn condition(&self) -> Condition {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let oldest = self.shelves.iter().filter_map(|(_, shelf)| shelf.unconfirmed_since()).min().unwrap_or(self.clock.now());
        Condition {
            refreshed: read(&self.counts.refreshed),
            served_stale: read(&self.counts.served_stale),
            stale_for: self.clock.now().since(oldest),
            refused: read(&self.counts.refused),
            downloads: read(&self.counts.downloads),
            observed: read(&self.counts.observed),
            malware_served: read(&self.counts.malware_served),
            observing: self.quarantine.policy().mode == config::policy::Mode::Observe,
            waiting: crate::quarantine::workflow::lock(&self.board).len() as u64,
            shelves: self.shelves.len() as u64,
        }
    }
}

#[cfg(test)]
mod tests;
