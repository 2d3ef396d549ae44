//! The gate: the only place that gives leave to open an artifact. [`Clearance`] is made here only.

use crate::model::actor::is_one_name;
use crate::model::digest::Digest;
use crate::model::digest::NotVerified;
use crate::model::digest::Verified;
use crate::model::index::Artifact;
use crate::model::index::Index;
use crate::model::principal::Principal;
use crate::model::release::ReleaseId;
use crate::model::standing::Standing;
use crate::model::time::Timestamp;
use crate::model::token::Role;
use crate::quarantine::Quarantine;
use crate::quarantine::judge::pin;
use crate::quarantine::standings::Standings;
use crate::storage::blob::BlobError;
use crate::storage::blob::Zone;
use crate::storage::record::LocalRelease;
use crate::storage::record::Sequence;
use crate::storage::state::ReadError;
use crate::upstream::UpstreamError;

/// Leave to open one artifact: the digest of the bytes that were judged, at the revision at which they were. It cannot
/// be copied, kept or written down, and nobody else can make one:
/// ```
/// fn digest(clearance: &airlock::quarantine::gate::Clearance) -> String {
///     clearance.digest().sri()
/// }
/// ```
/// ```compile_fail,E0451
/// fn forge(digest: airlock::model::digest::Digest, release: airlock::model::release::ReleaseId) {
///     let _ = airlock::quarantine::gate::Clearance { release, file: String::new(), digest, revision: Default::default() };
/// }
/// ```
/// ```compile_fail,E0599
/// fn twice(clearance: airlock::quarantine::gate::Clearance) -> airlock::quarantine::gate::Clearance {
///     clearance.clone()
/// }
/// ```
#[derive(Debug)]
pub struct Clearance {
    release: ReleaseId,
    file: String,
    digest: Digest,
    revision: Sequence,
}

impl Clearance {
    pub const fn digest(&self) -> &Digest {
        &self.digest
    }

    pub const fn release(&self) -> &ReleaseId {
        &self.release
    }
}

/// What a clearance rested on. The gate gives the same leave again while nothing of that moved; made here only.
#[derive(Debug)]
pub struct Leave {
    release: ReleaseId,
    file: String,
    digest: Digest,
    revision: Sequence,
    valid_until: Option<Timestamp>,
    outside_changes: u64,
}

impl Leave {
    /// Of a clearance that `standings` gave, which were judged when `outside_changes` was what [`Quarantine::outside_changes`]
    /// said: what was given up since, even before this is made, ends it.
    pub fn of(clearance: &Clearance, standings: &Standings, outside_changes: u64) -> Leave {
        let Clearance { release, file, digest, revision } = clearance;
        Leave {
            release: release.clone(),
            file: file.clone(),
            digest: *digest,
            revision: *revision,
            valid_until: standings.valid_until,
            outside_changes,
        }
    }
}

/// Why there is no clearance. What waits for nothing but its inspection is told to stand as admissible.
#[derive(Debug, thiserror::Error)]
pub enum NotCleared {
    /// The standings are of an older revision or instant: judge again and ask again.
    #[error("the standing is out of date")]
    OutOfDate,
    /// The release is not approved.
    #[error("the release stands as {0}")]
    Standing(Standing),
    #[error(transparent)]
    Read(#[from] ReadError),
}

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Blob(#[from] BlobError),
    #[error("the stored copy is gone and upstream gave no new one: {0}")]
    Upstream(#[from] UpstreamError),
    #[error("the stored copy is gone and upstream now gives other bytes: {0}")]
    OtherBytes(#[from] NotVerified),
    /// Revoked between the judgement and the opening.
    #[error("the standing changed while it was opened")]
    OutOfDate,
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Why a reviewer is not given the bytes.
#[derive(Debug, thiserror::Error)]
pub enum NotForReview {
    /// Whoever asks neither approves releases nor submitted this one.
    #[error("{0} is for whoever reviews it")]
    NotAReviewer(ReleaseId),
    /// They were never fetched, or their copy is gone.
    #[error("no bytes of {0} are kept here")]
    NoBytes(ReleaseId),
    #[error(transparent)]
    Blob(#[from] BlobError),
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl Quarantine {
    /// Opens bytes that are held, for whoever decides about them: an approver, or one of those who submitted them. This is the
    /// one way to bytes that were not cleared, and it is written down.
    pub async fn for_review(&self, release: &ReleaseId, file: &str, reviewer: &Principal) -> Result<Verified, NotForReview> {
        let state = self.state.package(&release.package).await?;
        let submission = state.submission(&release.version);
        let is_theirs = |one: &LocalRelease| reviewer.name.as_deref().is_some_and(|name| is_one_name(name, &one.by));
        let submitted = |one: &LocalRelease| is_theirs(one) && reviewer.is_for(&release.package.name);
        if !reviewer.roles.covers(Role::Approver) && !submission.is_some_and(submitted) {
            return Err(NotForReview::NotAReviewer(release.clone()));
        }
        let pinned = pin(file, state.releases.get(&release.version));
        let Some(digest) = pinned.or(submission.map(|one| &one.digest)) else { return Err(NotForReview::NoBytes(release.clone())) };
        for zone in [Zone::Quarantine, Zone::Approved] {
            match self.blobs.open(zone, digest).await {
                Ok(Some(content)) => {
                    tracing::info!(%release, file, by = reviewer.name, "opened for review");
                    return Ok(content);
                }
                // It was set aside; the other zone may have a whole one.
                Ok(None) | Err(BlobError::Damaged { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(NotForReview::NoBytes(release.clone()))
    }

    /// Gives leave to open the artifact `file` of row `row`, if that row stands approved now, at the package's present revision.
    pub async fn clear(&self, index: &Index, standings: &Standings, row: usize, artifact: &Artifact) -> Result<Clearance, NotCleared> {
        let now = self.clock.now();
        let revision = self.state.revision(&index.package).await?;
        if revision != standings.revision || standings.valid_until.is_some_and(|until| now >= until) {
            return Err(NotCleared::OutOfDate);
        }
        let (Some(row), Some(verdict)) = (index.rows.get(row), standings.verdicts.get(row)) else {
            return Err(NotCleared::OutOfDate);
        };
        match verdict.standing {
            Standing::Approved => {}
            // Policy only observes: it is served as it is, once what is to be told of it is known.
            Standing::Held { .. } | Standing::InReview | Standing::Rejected if verdict.observed && verdict.inspected => {}
            Standing::Held { .. } | Standing::InReview | Standing::Rejected if verdict.observed => {
                return Err(NotCleared::Standing(Standing::Admissible));
            }
            Standing::Quarantined
            | Standing::Admissible
            | Standing::Held { .. }
            | Standing::InReview
            | Standing::Rejected
            | Standing::Revoked => return Err(NotCleared::Standing(verdict.standing)),
        }
        let state = self.state.package(&index.package).await?;
        if state.revision != revision {
            return Err(NotCleared::OutOfDate);
        }
        match pin(&artifact.file, state.releases.get(&row.version)) {
            Some(digest) => Ok(Clearance {
                release: ReleaseId { package: index.package.clone(), version: row.version.clone() },
                file: artifact.file.clone(),
                digest: *digest,
                revision,
            }),
            None => Err(NotCleared::Standing(Standing::Quarantined)),
        }
    }

    /// The same leave again, if the package is at the same revision, no job was given up since, and the judgement still holds
    /// now: then judging anew would say the same.
    pub async fn renew(&self, leave: &Leave) -> Result<Option<Clearance>, ReadError> {
        let revision = self.state.revision(&leave.release.package).await?;
        let now = self.clock.now();
        let stands = revision == leave.revision
            && leave.outside_changes == self.outside_changes(&leave.release.package)
            && leave.valid_until.is_none_or(|until| now < until);
        let again = || Clearance { release: leave.release.clone(), file: leave.file.clone(), digest: leave.digest, revision };
        Ok(stands.then(again))
    }

    /// Opens what was cleared, if its copy is kept and whole.
    pub async fn open_kept(&self, clearance: &Clearance) -> Result<Option<Verified>, BlobError> {
        match self.blobs.promote(&clearance.digest).await {
            // It was set aside by the store, and counts as gone.
            Err(BlobError::Damaged { .. }) => Ok(None),
            opened => opened,
        }
    }

    /// Opens what was cleared. A copy that is lost is fetched again, and must be the very bytes that were judged.
    pub async fn open(&self, clearance: Clearance, artifact: &Artifact) -> Result<Verified, OpenError> {
        if let Some(content) = self.open_kept(&clearance).await? {
            return Ok(content);
        }
        // On the heap, as it is rare: whoever opens what is there is spared its size.
        Box::pin(self.fetched_again(clearance, artifact)).await
    }

    async fn fetched_again(&self, clearance: Clearance, artifact: &Artifact) -> Result<Verified, OpenError> {
        tracing::warn!(release = %clearance.release, file = clearance.file, "the stored copy is gone, fetching it again");
        self.has_upstream(&clearance.release).await??;
        let Ok(_hand) = self.hands.acquire().await else { return Err(OpenError::OutOfDate) };
        let package = &clearance.release.package;
        let fallback = self.fallback_path(package, artifact);
        let bytes = self.upstreams.artifact(package, &artifact.location, &fallback).await?;
        let fetched = Verified::bytes(clearance.digest, bytes)?;
        self.blobs.put(Zone::Approved, &fetched).await?;
        if self.state.revision(package).await? != clearance.revision {
            return Err(OpenError::OutOfDate);
        }
        Ok(fetched)
    }
}
