//! Comparing: the release that another is compared with is looked at again, from the bytes that are kept of it, and what changed since
//! becomes part of the facts.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::ecosystem::Inspected;
use crate::model::change::Change;
use crate::model::digest::Verified;
use crate::model::facts::Facts;
use crate::model::finding::printable;
use crate::model::index::Artifact;
use crate::model::package::PackageId;
use crate::model::package::Version;
use crate::model::profile::Profile;
use crate::model::release::ReleaseId;
use crate::model::time::Timestamp;
use crate::quarantine::Quarantine;
use crate::quarantine::change;
use crate::quarantine::workflow::InspectError;
use crate::quarantine::workflow::Subject;
use crate::quarantine::workflow::inspect_or_say_why;
use crate::storage::blob::BlobError;

/// Names of dependencies that are new to a release and are asked about; of more, the rest counts as not known.
pub const NAMES_MAX: usize = 256;
const WHY_BYTES_MAX: usize = 256;

/// Who knows since when packages are there.
#[async_trait]
pub trait Names: Send + Sync {
    /// From when the oldest release of each counts, as far as that can be known within a bounded time.
    async fn since(self: Arc<Self>, packages: BTreeSet<PackageId>) -> BTreeMap<PackageId, Timestamp>;
}

/// The release that another is compared with.
#[derive(Clone)]
pub struct Against {
    pub version: Version,
    pub artifact: Artifact,
    /// Its text in the index.
    pub manifest: Bytes,
    pub names: Arc<dyn Names>,
}

impl fmt::Debug for Against {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Against").field("version", &self.version).finish_non_exhaustive()
    }
}

impl Quarantine {
    /// The facts, with what changed against the release that this one is compared with. What cannot be compared for good is said to be
    /// unscanned, which asks for people.
    ///
    /// # Errors
    /// It can be compared later.
    pub async fn with_change(
        &self,
        release: &ReleaseId,
        file: &str,
        against: Option<&Against>,
        inspected: Inspected,
    ) -> Result<Facts, InspectError> {
        let Inspected { mut facts, profile } = inspected;
        // There is nothing to compare in what cannot be read, which is rejected for that.
        let is_read = facts.unsafe_archive.is_none() && facts.unreadable_manifest.is_none();
        if let Some(against) = against.filter(|_| is_read) {
            match self.changed(&release.package, against, profile).await? {
                Ok(change) => facts.change = Some(change),
                Err(why) => {
                    let why = format!("nothing of it could be compared with {}: {why}", against.version);
                    facts.unscanned.push(printable(&why, WHY_BYTES_MAX));
                }
            }
        } else if against.is_none() {
            facts.change = self.change_known(release, file).await?;
        }
        Ok(facts)
    }

    /// What was found before to have changed, in what is inspected anew without anything to compare it with: it was let through.
    async fn change_known(&self, release: &ReleaseId, file: &str) -> Result<Option<Change>, InspectError> {
        let state = self.state.package(&release.package).await?;
        let inspection = state.releases.get(&release.version).and_then(|one| one.inspections.get(file));
        Ok(inspection.and_then(|one| one.facts.change.clone()))
    }

    async fn changed(&self, package: &PackageId, against: &Against, after: Profile) -> Result<Result<Change, String>, InspectError> {
        let before = match self.profiled(package, against).await? {
            Ok(before) => before,
            Err(why) => return Ok(Err(why)),
        };
        let Some(ecosystem) = self.ecosystem(package.ecosystem) else { return Ok(Err("its format is not built".to_owned())) };
        let names: BTreeSet<PackageId> =
            change::gained(&before, &after).filter_map(|(name, range)| ecosystem.needed(name, range)).take(NAMES_MAX).collect();
        let known = if names.is_empty() { BTreeMap::new() } else { Arc::clone(&against.names).since(names).await };
        let since = |name: &str, range: &str| known.get(&ecosystem.needed(name, range)?).copied();
        Ok(Ok(change::between(&before, &after, &against.version, &since)))
    }

    /// The profile of the other release, from its bytes. An error within says why there never is one.
    async fn profiled(&self, package: &PackageId, against: &Against) -> Result<Result<Profile, String>, InspectError> {
        let release = ReleaseId { package: package.clone(), version: against.version.clone() };
        let (artifact, manifest) = (against.artifact.clone(), against.manifest.clone());
        // Only its bytes are looked into, not who vouches for them.
        let subject = Subject { release, artifact, manifest, published_at: None, against: None };
        let bytes = match self.fetch(&subject).await {
            Ok(bytes) => bytes,
            Err(InspectError::Upstream(error)) if !error.is_outage() => return Ok(Err(error.to_string())),
            Err(error @ InspectError::Blob(BlobError::Lost { .. })) => return Ok(Err(error.to_string())),
            Err(error) => return Err(error),
        };
        let Some(pinned) = self.pinned(&subject).await? else { return Ok(Err("it was never inspected".to_owned())) };
        let Some(ecosystem) = self.ecosystem(package.ecosystem).map(Arc::clone) else {
            return Ok(Err("its format is not built".to_owned()));
        };
        let look = move || {
            let content = Verified::bytes(pinned, bytes).map_err(|other| other.to_string())?;
            let bytes = content.to_bytes().map_err(|error| error.to_string())?;
            let ReleaseId { package, version } = &subject.release;
            let Inspected { facts, profile } = inspect_or_say_why(&*ecosystem, package, version, &subject.manifest, &bytes)?;
            match facts.unsafe_archive.or(facts.unreadable_manifest) {
                Some(why) => Err(why),
                None => Ok(profile),
            }
        };
        self.compute(look).await
    }
}
