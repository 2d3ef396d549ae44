//! What is known against releases that somebody uses: our own people's word, what feeds say, and, where no feed is fresh, what the
//! upstreams say. A package that is at home here, or is never to be asked of upstream, is not named to any.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::catalog::Catalog;
use crate::catalog::CatalogError;
use crate::model;
use crate::model::advisory::AdvisoryKind;
use crate::model::package::PackageId;
use crate::model::package::Version;
use crate::model::refusal::Refusal;
use crate::model::release::ReleaseId;
use crate::model::time::Timestamp;
use crate::quarantine::warning::warning;
use crate::storage::record::Sequence;
use crate::upstream::UpstreamError;

/// How long a client waits before it asks again, where upstream does not say.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(5);
/// Withheld releases that are looked for in one question; those beyond are not counted.
const WITHHELD_MAX: usize = 1_000;

/// A package, and the releases of it that somebody uses.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InUse {
    pub package: PackageId,
    pub versions: Vec<Version>,
}

/// What our own people say against a release, in one sentence.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Advisory {
    pub release: ReleaseId,
    pub sentence: String,
}

/// What one upstream said of the packages that it was asked about, which are its own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Heard {
    /// In order.
    pub asked: Vec<PackageId>,
    pub said: Bytes,
}

/// What is known of packages that are not our own.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Audited {
    /// By feeds, of the releases that were asked about.
    pub known: Vec<model::advisory::Advisory>,
    /// By upstreams.
    pub heard: Vec<Heard>,
}

/// Why it is not known whether something is known against a release.
#[derive(Clone, Debug, thiserror::Error)]
pub enum NotAudited {
    #[error("the upstream registry does not answer audits, so nobody knows of these packages; ask another tool")]
    NotOffered,
    #[error("the upstream registry does not answer this audit: {why}")]
    Upstream { why: String, retry_after: Option<Duration> },
    #[error(transparent)]
    Catalog(#[from] CatalogError),
}

impl From<UpstreamError> for NotAudited {
    fn from(error: UpstreamError) -> NotAudited {
        if error == UpstreamError::Loop {
            return CatalogError::Loop.into();
        }
        let retry_after = error.retry_after().or(error.is_outage().then_some(ASK_AGAIN_AFTER));
        NotAudited::Upstream { why: error.to_string(), retry_after }
    }
}

impl Catalog {
    /// What our own people say against these releases. Callers who are nobody hear nothing of what is restricted.
    pub async fn advisories(&self, in_use: &[InUse], is_nobody: bool) -> Result<Vec<Advisory>, CatalogError> {
        let now = self.clock.now();
        let mut all = Vec::new();
        for InUse { package, versions } in in_use {
            if self.state.revision(package).await? == Sequence::default() || (is_nobody && self.is_restricted(package)) {
                continue;
            }
            let state = self.state.package(package).await?;
            for version in versions {
                let release = ReleaseId { package: package.clone(), version: version.clone() };
                let said = state.releases.get(version).and_then(|state| warning(&release, state, now));
                all.extend(said.map(|sentence| Advisory { release, sentence }));
            }
        }
        Ok(all)
    }

    /// How many of these releases are withheld, or would be if policy did not only observe, and why the first of them is; of packages
    /// only that are in memory.
    pub async fn withheld_of(&self, in_use: &[InUse], is_nobody: bool) -> Result<Option<(usize, Refusal)>, CatalogError> {
        let mut first = None;
        let mut count = 0;
        for InUse { package, versions } in in_use {
            let Some(shelf) = self.shelves.get(package) else { continue };
            if is_nobody && self.is_restricted(package) {
                continue;
            }
            let view = self.view(&shelf).await?;
            // Over what there is and not over what is asked, which may be anything.
            let asked: BTreeSet<&Version> = versions.iter().collect();
            for (row, version) in shelf.index.rows.iter().map(|row| &row.version).enumerate() {
                let observed = || view.standings.verdicts.get(row).is_some_and(|verdict| verdict.observed);
                if count >= WITHHELD_MAX || !asked.contains(version) || (view.exposed.release(version).is_some() && !observed()) {
                    continue;
                }
                let release = ReleaseId { package: package.clone(), version: version.clone() };
                count += 1;
                first.get_or_insert_with(|| self.refusal(&shelf, &view, row, &release));
            }
        }
        Ok(first.map(|refusal| (count, refusal)))
    }

    /// What feeds say, where they are fresh; else, and of packages that have an upstream of their own, what that one says: `body`
    /// writes down what one upstream is asked, and `path` is where; `in_use` is in order. One answer from each upstream that was asked.
    pub async fn audited(self: &Arc<Self>, in_use: &[InUse], path: &str, body: impl Fn(&[&InUse]) -> Bytes) -> Result<Audited, NotAudited> {
        let now = self.clock.now();
        let feeds_know = self.quarantine.feeds().knows_vulnerabilities(now);
        let mut audited = Audited::default();
        let mut asked: BTreeMap<Option<&str>, Vec<&InUse>> = BTreeMap::new();
        for one in in_use {
            let is_ours =
                self.is_never_asked(&one.package) || self.state.package(&one.package).await.map_err(CatalogError::from)?.local.is_some();
            if is_ours {
                continue;
            }
            let scope = self.upstreams.own_scope(one.package.name.scope());
            if scope.is_none() {
                audited.known.extend(self.said_by_feeds(one, now).await?);
            }
            if scope.is_some() || !feeds_know {
                asked.entry(scope).or_default().push(one);
            }
        }
        if feeds_know && !self.quarantine.feeds().knows_vulnerabilities(now) {
            // What was lost while it was asked said nothing, and no upstream was asked in its place.
            return Err(CatalogError::Storage("what is known of advisories was lost meanwhile".to_owned()).into());
        }
        for (scope, packages) in asked {
            let said = self.upstreams.post(scope, path, body(&packages)).await?.ok_or(NotAudited::NotOffered)?;
            audited.heard.push(Heard { asked: packages.into_iter().map(|one| one.package.clone()).collect(), said });
        }
        Ok(audited)
    }

    /// What counts against these releases by their names. Where no feed is fresh, only that they are malware, which no other word
    /// takes back: what is missing then is for the upstream to say.
    async fn said_by_feeds(self: &Arc<Self>, one: &InUse, now: Timestamp) -> Result<Vec<model::advisory::Advisory>, CatalogError> {
        let feeds = self.quarantine.feeds();
        if feeds.advisories().stamp(&one.package) == 0 {
            return Ok(Vec::new());
        }
        let feeds_know = feeds.knows_vulnerabilities(now);
        let ecosystem = self.ecosystem(&one.package)?;
        let (catalog, one) = (Arc::clone(self), one.clone());
        let found = tokio::task::spawn_blocking(move || {
            let order = |left: &Version, right: &Version| ecosystem.precedence(left, right);
            let names = |advisory: &model::advisory::Advisory| {
                let named = |version: &Version| {
                    advisory.versions.contains(version) || advisory.ranges.iter().any(|range| range.contains(version, order))
                };
                one.versions.iter().any(named)
            };
            let counts = |advisory: &&model::advisory::Advisory| {
                advisory.counts_at(now) && (feeds_know || advisory.kind == AdvisoryKind::Malware) && names(advisory)
            };
            catalog.quarantine.feeds().advisories().of(&one.package).iter().filter(counts).cloned().collect()
        });
        found.await.map_err(|error| CatalogError::Storage(error.to_string()))
    }
}
