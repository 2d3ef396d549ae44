//! Foresight: a client that installs a package asks for what that package needs, one after the other. While it reads the
//! first, the others are asked of upstream, judged, and the release of each that it will want is inspected. One step
//! ahead of what is asked for and never further, within bounds, and nothing waits for it.

use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::Arc;

use quick_cache::sync::Cache;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;

use crate::catalog::Catalog;
use crate::catalog::exposure::Exposed;
use crate::catalog::exposure::ExposedRelease;
use crate::catalog::shelf::Shelf;
use crate::ecosystem::Ecosystem;
use crate::ecosystem::Need;
use crate::model::package::PackageId;
use crate::model::package::Version;
use crate::quarantine::workflow::Outcome;

/// What waits for its turn or has it, over all packages. What finds no place is not asked for ahead.
const PLACES: usize = 1_024;
/// Packages that are asked for, and releases that are inspected, ahead and at once: a fraction of what requests may take.
const ASKED_AT_ONCE: usize = 6;
const INSPECTED_AT_ONCE: usize = 8;
/// Packages whose wanted ranges are remembered until they are asked for, and ranges of each.
const WANTED_MAX: usize = 4_096;
const RANGES_MAX: usize = 4;
/// Of a package that nobody is known to need, the newest release of so many newest majors may be the wanted one.
const MAJORS_MAX: usize = 3;

pub struct Foresight {
    /// Needs of one package that are asked for.
    needs_max: usize,
    places: Arc<Semaphore>,
    /// One package at a time is thought about, off the serving threads: how long it takes is its owner's choice.
    thought: Arc<Semaphore>,
    asked: Semaphore,
    inspected: Semaphore,
    /// As which ranges a package was needed since it was last asked for.
    wanted: Cache<PackageId, Arc<HashSet<String>>>,
}

impl Foresight {
    pub fn new(needs_max: usize) -> Foresight {
        Foresight {
            needs_max,
            places: Arc::new(Semaphore::new(PLACES)),
            thought: Arc::new(Semaphore::new(1)),
            asked: Semaphore::new(ASKED_AT_ONCE),
            inspected: Semaphore::new(INSPECTED_AT_ONCE),
            wanted: Cache::new(WANTED_MAX),
        }
    }

    fn place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.places).try_acquire_owned().ok()
    }

    fn want(&self, need: &Need) {
        let mut ranges = self.wanted.get(&need.package).map(|ranges| (*ranges).clone()).unwrap_or_default();
        if ranges.len() < RANGES_MAX && ranges.insert(need.range.clone()) {
            self.wanted.insert(need.package.clone(), Arc::new(ranges));
        }
    }
}

impl Catalog {
    /// Begins to get ready what the reader of this package asks for next. Once each time that upstream confirmed it.
    pub(crate) fn foresee(self: &Arc<Self>, shelf: &Arc<Shelf>, exposed: &Arc<Exposed>) {
        if self.foresight.needs_max == 0 || !shelf.is_first_read() {
            return;
        }
        let Some(place) = self.foresight.place() else { return };
        let (this, shelf, exposed) = (Arc::clone(self), Arc::clone(shelf), Arc::clone(exposed));
        tokio::spawn(async move {
            let Ok(turn) = Arc::clone(&this.foresight.thought).acquire_owned().await else { return };
            let think = move || {
                let _held = (place, turn);
                this.get_ready(&shelf, &exposed);
            };
            if let Err(error) = tokio::task::spawn_blocking(think).await {
                tracing::error!(%error, "foresight crashed");
            }
        });
    }

    fn get_ready(self: &Arc<Self>, shelf: &Arc<Shelf>, exposed: &Exposed) {
        let Ok(ecosystem) = self.ecosystem(exposed.package()) else { return };
        let wanted = self.foresight.wanted.remove(exposed.package()).map(|(_, ranges)| ranges);
        let likely = match &wanted {
            Some(ranges) => wanted_as(ranges, exposed, &*ecosystem),
            None => newest_of_majors(exposed, &*ecosystem),
        };
        // Where several may be wanted, an inspection would be in vain more often than not.
        if let (Some(_), [release]) = (&wanted, likely.as_slice())
            && !release.approved
        {
            self.inspect_soon(shelf, &release.files);
        }
        let needs = likely.iter().flat_map(|release| ecosystem.needs(&release.manifest));
        let mut packages = HashSet::new();
        for need in needs {
            if packages.len() >= self.foresight.needs_max && !packages.contains(&need.package) {
                break;
            }
            self.foresight.want(&need);
            if packages.insert(need.package.clone()) {
                self.ask_soon(need.package);
            }
        }
    }

    fn ask_soon(self: &Arc<Self>, package: PackageId) {
        let Some(place) = self.foresight.place() else { return };
        let this = Arc::clone(self);
        tokio::spawn(async move {
            let _place = place;
            let Ok(_turn) = this.foresight.asked.acquire().await else { return };
            let judged = match this.shelf(&package).await {
                Ok(shelf) => this.view(&shelf).await.map(drop),
                Err(error) => Err(error),
            };
            if let Err(error) = judged {
                tracing::debug!(%package, %error, "could not be asked for ahead");
            }
        });
    }

    fn inspect_soon(self: &Arc<Self>, shelf: &Arc<Shelf>, files: &[String]) {
        for file in files {
            let Some(place) = self.foresight.place() else { return };
            let (this, shelf, file) = (Arc::clone(self), Arc::clone(shelf), file.clone());
            tokio::spawn(async move {
                let _place = place;
                let Ok(_turn) = this.foresight.inspected.acquire().await else { return };
                // To its end, so that no more of them are under way than have a turn.
                if let Some(found) = shelf.find(&file)
                    && let Outcome::Failed(error) = this.inspect(&shelf, found).await
                {
                    tracing::debug!(package = %shelf.index.package, file, %error, "could not be inspected ahead");
                }
            });
        }
    }
}

/// What a client takes for each of the ranges that the package is needed as.
fn wanted_as<'e>(ranges: &HashSet<String>, exposed: &'e Exposed, ecosystem: &dyn Ecosystem) -> Vec<&'e ExposedRelease> {
    let versions: Vec<&Version> = exposed.releases().iter().map(|release| &release.version).collect();
    let chosen: HashSet<&Version> = ranges.iter().filter_map(|range| ecosystem.choose(range, exposed.pointers(), &versions)).collect();
    exposed.releases().iter().filter(|release| chosen.contains(&release.version)).collect()
}

fn newest_of_majors<'e>(exposed: &'e Exposed, ecosystem: &dyn Ecosystem) -> Vec<&'e ExposedRelease> {
    let mut newest: HashMap<u64, &ExposedRelease> = HashMap::new();
    for release in exposed.releases() {
        let Some(track) = ecosystem.track(&release.version).filter(|track| track.prerelease.is_none()) else { continue };
        let best = newest.entry(track.major).or_insert(release);
        if ecosystem.precedence(&best.version, &release.version).is_lt() {
            *best = release;
        }
    }
    let mut newest: Vec<(u64, &ExposedRelease)> = newest.into_iter().collect();
    newest.sort_unstable_by_key(|(major, _)| std::cmp::Reverse(*major));
    newest.into_iter().take(MAJORS_MAX).map(|(_, release)| release).collect()
}
