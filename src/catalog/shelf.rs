//! One package in memory: its index, when upstream last confirmed it, and what is exposed of it at a revision.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use quick_cache::Weighter;

use crate::catalog::Catalog;
use crate::catalog::CatalogError;
use crate::catalog::artifact::Files;
use crate::catalog::exposure::Exposed;
use crate::catalog::exposure::Ladder;
use crate::catalog::exposure::expose;
use crate::catalog::glance::Glance;
use crate::model::index::Index;
use crate::model::package::PackageId;
use crate::model::standing::Standing;
use crate::model::time::Timestamp;
use crate::quarantine::gate::Clearance;
use crate::quarantine::gate::Leave;
use crate::quarantine::standings::Standings;
use crate::quarantine::workflow::lock;
use crate::storage::record::Sequence;
use crate::upstream::Validators;

/// How often the words of an age change: `published 9 hours ago`.
const WORDING: Duration = Duration::from_secs(3_600);
/// Packages with more releases are judged off the serving threads.
const ROWS_INLINE_MAX: usize = 1_000;

pub struct Shelf {
    pub index: Arc<Index>,
    /// Made when the first of them is asked for.
    pub(super) files: OnceLock<Files>,
    heard: Mutex<Heard>,
    view: ArcSwapOption<View>,
    /// Upstream is slow: nobody waits for it before.
    impatient_until: Mutex<Option<Timestamp>>,
    /// In milliseconds: when upstream had confirmed what a client last read.
    read_of: AtomicI64,
}

/// What upstream was last heard to say.
#[derive(Clone, Debug)]
pub struct Heard {
    pub checked_at: Timestamp,
    /// Upstream did not answer; it is not asked again before.
    pub quiet_until: Option<Timestamp>,
    pub validators: Validators,
}

/// The package judged and exposed, at one revision, until an instant.
pub struct View {
    pub standings: Standings,
    pub exposed: Arc<Exposed>,
    /// Of this judgement, where `exposed` may be an older one that looks the same.
    pub ladder: Arc<Ladder>,
    valid_until: Option<Timestamp>,
    outside_changes: u64,
    looked_ahead: AtomicBool,
}

impl View {
    /// Whether this was asked before.
    pub fn looked_ahead(&self) -> bool {
        self.looked_ahead.swap(true, Ordering::Relaxed)
    }

    pub(super) fn outside_changes(&self) -> u64 {
        self.outside_changes
    }

    /// Leave that this judgement gave, to be remembered.
    pub(super) fn leave(&self, clearance: &Clearance) -> Leave {
        Leave::of(clearance, &self.standings, self.outside_changes)
    }

    pub(super) fn glance(&self, checked_at: Timestamp) -> Glance {
        Glance {
            stamp: *self.exposed.stamp(),
            modified: self.exposed.modified(),
            revision: self.standings.revision,
            outside_changes: self.outside_changes,
            valid_until: self.valid_until,
            checked_at,
        }
    }

    fn holds(&self, revision: Sequence, outside_changes: u64, now: Timestamp) -> bool {
        self.standings.revision == revision && self.outside_changes == outside_changes && self.valid_until.is_none_or(|until| now < until)
    }
}

impl Shelf {
    pub fn new(index: Arc<Index>, heard: Heard) -> Shelf {
        Shelf {
            index,
            files: OnceLock::new(),
            heard: Mutex::new(heard),
            view: ArcSwapOption::empty(),
            impatient_until: Mutex::default(),
            read_of: AtomicI64::new(i64::MIN),
        }
    }

    pub fn checked_at(&self) -> Timestamp {
        lock(&self.heard).checked_at
    }

    pub fn heard(&self) -> Heard {
        lock(&self.heard).clone()
    }

    pub fn hear(&self, heard: Heard) {
        *lock(&self.heard) = heard;
    }

    /// Whether nobody read it since upstream last confirmed it. Asked once for each reading.
    pub fn is_first_read(&self) -> bool {
        let checked_at = self.checked_at().millis();
        self.read_of.load(Ordering::Relaxed) != checked_at && self.read_of.swap(checked_at, Ordering::Relaxed) != checked_at
    }

    /// A client read it when upstream had confirmed it last at `checked_at`.
    pub(super) fn was_read_as_of(&self, checked_at: Timestamp) {
        self.read_of.store(checked_at.millis(), Ordering::Relaxed);
    }

    /// When upstream last confirmed it, where it did not when it was asked since.
    pub fn unconfirmed_since(&self) -> Option<Timestamp> {
        let heard = lock(&self.heard);
        heard.quiet_until.map(|_| heard.checked_at)
    }

    /// Upstream was waited for long enough: until then it is asked in the background only.
    pub fn lose_patience(&self, until: Timestamp) {
        *lock(&self.impatient_until) = Some(until);
    }

    pub fn is_impatient(&self, now: Timestamp) -> bool {
        lock(&self.impatient_until).is_some_and(|until| now < until)
    }

    /// Whether upstream need not be asked: it was lately, or it did not answer lately.
    pub fn is_fresh(&self, now: Timestamp, fresh_for: Duration) -> bool {
        let heard = lock(&self.heard);
        is_confirmed(heard.checked_at, now, fresh_for) || heard.quiet_until.is_some_and(|until| now < until)
    }
}

/// Whether upstream need not be asked about what it confirmed then. A clock that went back says nothing.
pub(super) fn is_confirmed(checked_at: Timestamp, now: Timestamp, fresh_for: Duration) -> bool {
    now >= checked_at && now.since(checked_at) < fresh_for
}

/// Weighs a shelf by its index and by the view that the first request makes of it, in bytes.
#[derive(Clone)]
pub struct ShelfWeight;

impl Weighter<PackageId, Arc<Shelf>> for ShelfWeight {
    fn weight(&self, _package: &PackageId, shelf: &Arc<Shelf>) -> u64 {
        // A verdict of 360 bytes, and what is exposed of a release besides its manifest, which is the index's.
        const SEEN_BYTES: usize = 600;
        (shelf.index.weight() + shelf.index.rows.len() * SEEN_BYTES) as u64
    }
}

impl Catalog {
    /// The package judged as of now: the last judgement while nothing moved, else a new one.
    pub async fn view(&self, shelf: &Arc<Shelf>) -> Result<Arc<View>, CatalogError> {
        let package = &shelf.index.package;
        let revision = self.state.revision(package).await?;
        let outside_changes = self.quarantine.outside_changes(package);
        let now = self.clock.now();
        let last = shelf.view.load_full();
        if let Some(view) = last.as_ref().filter(|view| view.holds(revision, outside_changes, now)) {
            return Ok(Arc::clone(view));
        }
        Box::pin(self.judged(shelf, last, now)).await
    }

    /// The package judged anew.
    async fn judged(&self, shelf: &Arc<Shelf>, last: Option<Arc<View>>, now: Timestamp) -> Result<Arc<View>, CatalogError> {
        let package = &shelf.index.package;
        let state = self.state.package(package).await?;
        self.meet_siblings(&shelf.index, &state, now).await?;
        let outside_changes = self.quarantine.outside_changes(package);
        let ecosystem = self.ecosystem(package)?;
        let quarantine = Arc::clone(&self.quarantine);
        let index = Arc::clone(&shelf.index);
        let judged = state.clone();
        let compute = move || {
            let standings = quarantine.judged(&index, &judged, now);
            let exposed = expose(&index, &standings, &*ecosystem);
            (standings, exposed)
        };
        let (standings, exposed) = if shelf.index.rows.len() <= ROWS_INLINE_MAX {
            compute()
        } else {
            tokio::task::spawn_blocking(compute).await.map_err(|error| CatalogError::Storage(error.to_string()))?
        };
        self.post(&shelf.index, &standings, &state);
        let reworded_at = exposed.withheld().iter().any(|one| matches!(one.refusal.standing, Standing::Held { until: Some(_) }));
        let reworded_at = reworded_at.then(|| next_full(now, WORDING));
        let valid_until = [standings.valid_until, reworded_at].into_iter().flatten().min();
        let ladder = Arc::clone(exposed.ladder());
        // What clients see did not change: what was rendered of it stays.
        let exposed = match last.filter(|view| view.exposed.stamp() == exposed.stamp()) {
            Some(view) => Arc::clone(&view.exposed),
            None => Arc::new(exposed),
        };
        self.card(&state, &exposed, &standings, outside_changes);
        if state.local.is_some() {
            self.views.remember(&exposed);
        }
        let view = Arc::new(View { standings, exposed, ladder, valid_until, outside_changes, looked_ahead: AtomicBool::new(false) });
        shelf.view.store(Some(Arc::clone(&view)));
        Ok(view)
    }
}

/// The next instant that is a whole number of `step`s.
fn next_full(now: Timestamp, step: Duration) -> Timestamp {
    let step = i64::try_from(step.as_millis()).unwrap_or(i64::MAX).max(1);
    Timestamp::from_millis((now.millis().div_euclid(step) + 1).saturating_mul(step))
}
