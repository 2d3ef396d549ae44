//! Bytes of an artifact: where they come from, what they must be, and where they are kept until they may be served.

use std::io;

use bytes::Bytes;

use crate::model::digest::Digest;
use crate::model::digest::Verified;
use crate::model::index::Artifact;
use crate::model::package::PackageId;
use crate::model::release::ReleaseId;
use crate::quarantine::Quarantine;
use crate::quarantine::judge::pin;
use crate::quarantine::trust::Trust;
use crate::quarantine::workflow::InspectError;
use crate::quarantine::workflow::Subject;
use crate::storage::blob::BlobError;
use crate::storage::blob::Zone;
use crate::storage::state::ReadError;

/// What the ledger says of the bytes that are to be looked at.
pub(super) struct Known {
    /// What they must be.
    pub(super) pinned: Option<Digest>,
    /// Policy trusts where they come from: it is enough that they are those that the index states.
    pub(super) integrity_only: bool,
}

impl Quarantine {
    /// The path of an artifact under the upstream's own base.
    pub(crate) fn fallback_path(&self, package: &PackageId, artifact: &Artifact) -> String {
        let located = self.ecosystem(package.ecosystem).map(|ecosystem| ecosystem.locate_artifact(package, artifact).0);
        located.unwrap_or_default()
    }

    /// The bytes that an earlier inspection pinned, if they are kept; else upstream's.
    pub(super) async fn fetch(&self, subject: &Subject) -> Result<Bytes, InspectError> {
        if let Some(pinned) = self.known(subject).await?.pinned {
            for zone in [Zone::Approved, Zone::Quarantine] {
                let kept = match self.blobs.open(zone, &pinned).await {
                    // It was set aside; the next zone may have a whole one, and upstream has the bytes.
                    Err(BlobError::Damaged { .. }) => None,
                    opened => opened?,
                };
                if let Some(kept) = kept {
                    return tokio::task::spawn_blocking(move || kept.to_bytes())
                        .await
                        .map_err(io::Error::other)
                        .flatten()
                        .map_err(|source| InspectError::Blob(BlobError::Io { digest: Box::new(pinned), source }));
                }
            }
        }
        self.has_upstream(&subject.release).await??;
        let package = &subject.release.package;
        let fallback = self.fallback_path(package, &subject.artifact);
        self.upstreams.artifact(package, &subject.artifact.location, &fallback).await.map_err(InspectError::Upstream)
    }

    /// Nobody but us has the bytes of what was published here, and nobody else is asked for them.
    pub(crate) async fn has_upstream(&self, release: &ReleaseId) -> Result<Result<(), BlobError>, ReadError> {
        let is_ours = self.state.package(&release.package).await?.local.is_some();
        Ok(if is_ours { Err(BlobError::Lost { release: Box::new(release.clone()) }) } else { Ok(()) })
    }

    pub(super) async fn known(&self, subject: &Subject) -> Result<Known, InspectError> {
        let ReleaseId { package, version } = &subject.release;
        let state = self.state.package(package).await?;
        let submission = state.submission(version);
        let pinned = pin(&subject.artifact.file, state.releases.get(version)).copied();
        // The bytes of what was published here are at hand: they are looked at whatever is trusted.
        let integrity_only = submission.is_none() && Trust::of(&self.policy, package, None).asks_integrity_only();
        Ok(Known { pinned: pinned.or(submission.map(|one| one.digest)), integrity_only })
    }

    /// Puts bytes into quarantine, unless they are served already.
    pub(super) async fn keep_aside(&self, content: &Verified, is_known: bool) -> Result<(), BlobError> {
        if is_known {
            match self.blobs.open(Zone::Approved, content.digest()).await {
                Ok(Some(_)) => return Ok(()),
                Ok(None) | Err(BlobError::Damaged { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        self.blobs.put(Zone::Quarantine, content).await
    }

    /// What the bytes of the subject must be.
    pub(super) async fn pinned(&self, subject: &Subject) -> Result<Option<Digest>, InspectError> {
        Ok(self.known(subject).await?.pinned)
    }
}
