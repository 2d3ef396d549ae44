//! The sweep: after something new was heard of advisories, every package that is known here is looked at again, so that what is in use
//! and turns out to be malware is told before anybody asks for it.

use std::sync::Arc;

use tokio::sync::watch;

use crate::catalog::Catalog;
use crate::catalog::CatalogError;
use crate::ecosystem::Ecosystem;
use crate::model::actor::Actor;
use crate::model::advisory::Advisory;
use crate::model::advisory::AdvisoryKind;
use crate::model::digest::Digest;
use crate::model::notice::NoticeKind;
use crate::model::package::PackageId;
use crate::model::package::Version;
use crate::model::release::ReleaseId;
use crate::model::time::Timestamp;
use crate::quarantine::Quarantine;
use crate::quarantine::feeds::hear::Extent;
use crate::quarantine::feeds::hear::HearError;
use crate::quarantine::feeds::hear::Heard;
use crate::quarantine::feeds::hear::Hearing;
use crate::quarantine::feeds::hear::Source;
use crate::quarantine::workflow::lock;
use crate::storage::advisories::Feed;
use crate::storage::advisories::bundle;
use crate::storage::advisories::incoming::Incoming;
use crate::storage::advisories::table::Table;
use crate::storage::record::PackageState;
use crate::storage::record::ReleaseState;

/// Of a bundle of advisories that somebody brings.
pub const IMPORT_BYTES_MAX: u64 = bundle::BYTES_MAX;
/// Packages read at once.
const PAGE: usize = 64;
/// Releases that are told one by one; all are counted.
const TOLD_MAX: usize = 1_000;

impl Catalog {
    /// A place for a bundle of advisories that somebody brings.
    pub fn receive_advisories(&self) -> Incoming {
        self.quarantine.feeds().advisories().incoming()
    }

    /// Takes in what somebody brought. `is_whole`: it is all that is known outside, as of its newest record; else it is joined with
    /// what was brought before in this way.
    /// It goes on to its end though nobody waits for it any more.
    pub async fn import_advisories(self: &Arc<Self>, mut brought: Incoming, is_whole: bool, by: &str) -> Result<Heard, HearError> {
        brought.finish().await.map_err(HearError::Incoming)?;
        let (feed, extent) = if is_whole { (Feed::Osv, Extent::Whole(None)) } else { (Feed::Own, Extent::Some) };
        let (catalog, actor) = (Arc::clone(self), Actor::Person(by.to_owned()));
        let imported = self.finished(async move {
            let source = Source::Bundle(brought.path().to_owned());
            let heard = catalog.quarantine.hear(Hearing { feed, source, extent, actor }).await?;
            drop(brought);
            catalog.sweep(&heard).await;
            Ok(heard)
        });
        imported.await.map_err(|cut| HearError::Cut(cut.to_string()))?
    }

    /// Asks the feed once, and looks at what is known here in the light of what it says.
    pub async fn hear_feed(self: &Arc<Self>) -> Result<Heard, HearError> {
        let heard = self.quarantine.refresh_feed().await?;
        self.sweep(&heard).await;
        Ok(heard)
    }

    /// Asks the feed again and again, until `stop` says so.
    pub(super) async fn hear_feeds(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let mut chance = [0];
        while self.quarantine.feed_again_in(false, 0).is_some() && !*stop.borrow() {
            let failed = self.hear_feed().await.is_err() || self.quarantine.feeds().condition().last_error.is_some();
            // Without chance all ask at their own time anyway.
            let _ = getrandom::fill(&mut chance);
            let Some(wait) = self.quarantine.feed_again_in(failed, chance[0]) else { return };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                _ = stop.changed() => {}
            }
        }
    }

    /// Looks at every package that is known here and of which something else is said now, since the last sweep that came to its end.
    /// `false`: nothing else is said of anything. That what is cached knows of it does not depend on this.
    pub(super) async fn sweep(self: &Arc<Self>, heard: &Heard) -> bool {
        let feed = heard.feed.as_str();
        // Kept until the end, so that a sweep that is cut off is made up for.
        let before = lock(&self.unswept).entry(feed).or_insert_with(|| heard.before.clone()).clone();
        let told = Told { before, now: Arc::clone(&heard.now) };
        if told.before.as_ref().is_some_and(|before| before.digest() == told.now.digest()) {
            lock(&self.unswept).remove(feed);
            return false;
        }
        let mut is_whole = true;
        let (mut last, mut found) = (None, Vec::new());
        loop {
            let packages = match self.state.packages(last.as_ref(), PAGE).await {
                Ok(packages) => packages,
                Err(error) => {
                    tracing::error!(%error, "what is in use here was not all compared with what was heard of advisories; whoever asks for it is refused all the same, and the next hearing compares it");
                    is_whole = false;
                    break;
                }
            };
            let Some((package, _)) = packages.last() else { break };
            last = Some(package.clone());
            for (package, state) in packages {
                match self.look_again(&told, &package, &state).await {
                    Ok(releases) => found.extend(releases),
                    Err(error) => {
                        is_whole = false;
                        tracing::warn!(%package, %error, "could not be judged in the light of new advisories");
                    }
                }
            }
            tokio::task::yield_now().await;
        }
        if is_whole {
            lock(&self.unswept).remove(feed);
        }
        self.quarantine.feeds().found(found.len() as u64);
        for (release, id) in found.iter().take(TOLD_MAX) {
            tracing::error!(%release, advisory = id, "what is in use here is known to be malware now: `airlock recall status` says who pulled it");
            self.quarantine.tell(release, NoticeKind::MalwareInUse).await;
        }
        true
    }

    /// Releases of one package that are in use here and are malware by what is said now and was not before.
    async fn look_again(
        self: &Arc<Self>,
        told: &Told,
        package: &PackageId,
        state: &Arc<PackageState>,
    ) -> Result<Vec<(ReleaseId, String)>, CatalogError> {
        if !told.is_news_of(package, state) {
            return Ok(Vec::new());
        }
        self.find_waiting(package, state).await?;
        let (now, ecosystem, quarantine) = (self.clock.now(), self.ecosystem(package)?, Arc::clone(&self.quarantine));
        let (package, state) = (package.clone(), Arc::clone(state));
        let compared = tokio::task::spawn_blocking(move || malware_in_use(&quarantine, &*ecosystem, &package, &state, now));
        compared.await.map_err(|error| CatalogError::Storage(error.to_string()))
    }
}

/// What was said before, and is said now.
struct Told {
    before: Option<Arc<Table>>,
    now: Arc<Table>,
}

impl Told {
    /// Whether something else is said of the package's releases in use: of its name, or of their bytes, perhaps under another name.
    fn is_news_of(&self, package: &PackageId, state: &PackageState) -> bool {
        let before = self.before.as_deref();
        let is_new = |digest: &Digest| self.now.stamp_of_bytes(digest) != before.map_or(0, |table| table.stamp_of_bytes(digest));
        let used = || state.releases.values().filter(|one| is_used(one));
        let is_of_name = || before.map_or(0, |table| table.stamp(package)) != self.now.stamp(package);
        (used().next().is_some() && is_of_name()) || used().flat_map(bytes_of).any(is_new)
    }
}

/// Releases in use, each with the advisory that calls it malware.
fn malware_in_use(
    quarantine: &Quarantine,
    ecosystem: &dyn Ecosystem,
    package: &PackageId,
    state: &PackageState,
    now: Timestamp,
) -> Vec<(ReleaseId, String)> {
    let advisories = quarantine.feeds().advisories();
    let is_named_outside = state.local.is_none() && quarantine.is_of_public_registry(package);
    let said = if is_named_outside { advisories.of(package) } else { Arc::default() };
    let is_malware = |one: &&Advisory| one.kind == AdvisoryKind::Malware && one.counts_at(now);
    let order = |left: &Version, right: &Version| ecosystem.precedence(left, right);
    let mut found = Vec::new();
    for (version, released) in state.releases.iter().filter(|(_, one)| is_used(one)) {
        let names = |one: &&Advisory| one.versions.contains(version) || one.ranges.iter().any(|range| range.contains(version, order));
        let by_name = said.iter().filter(is_malware).find(names).map(|one| one.id.clone());
        let by_bytes = || {
            let all: Vec<Advisory> = bytes_of(released).flat_map(|digest| advisories.by_digest(digest)).collect();
            all.iter().find(is_malware).map(|one| one.id.clone())
        };
        if let Some(id) = by_name.or_else(by_bytes) {
            found.push((ReleaseId { package: package.clone(), version: version.clone() }, id));
        }
    }
    found
}

/// Whether somebody may have it: its bytes were had, or people let it through.
fn is_used(released: &ReleaseState) -> bool {
    !released.inspections.is_empty() || !released.decisions.is_empty()
}

fn bytes_of(released: &ReleaseState) -> impl Iterator<Item = &Digest> {
    released.pins.values().chain(released.inspections.values().map(|one| &one.digest))
}
