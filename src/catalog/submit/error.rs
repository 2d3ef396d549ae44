//! Why a release is not published.

use std::time::Duration;

use crate::catalog::CatalogError;
use crate::catalog::local::ChangeError;
use crate::catalog::seal::SealError;
use crate::catalog::submit::RETRY_AFTER;
use crate::model::package::PackageId;
use crate::model::refusal::Refusal;
use crate::model::release::ReleaseId;
use crate::model::stage::StageId;
use crate::storage::blob::BlobError;
use crate::storage::state::CommitError;

/// Why nothing was published.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    #[error("{} belongs to the upstream registry; an admin can assign it to this one", .0.name)]
    NameOfUpstream(PackageId),
    #[error("{} differs only in its case from {}, which is at home here", package.name, twin.name)]
    NameOfTwin { package: PackageId, twin: PackageId },
    /// Were it published, nobody could have the other one any more.
    #[error(
        "{} differs only in its case from {}, which comes from the upstream registry and was asked for here; an admin can assign the name to this one",
        package.name, twin.name
    )]
    NameOfUpstreamsTwin { package: PackageId, twin: PackageId },
    #[error("whether {} belongs to the upstream registry cannot be asked now: {why}; nothing was published", package.name)]
    UpstreamSilent { package: PackageId, why: String, retry_after: Duration },
    #[error("you are not an owner of {}", .0.name)]
    NotOwner(PackageId),
    #[error("this token may not publish {}", .0.name)]
    NotInReach(PackageId),
    #[error("{sentence}")]
    Exists { id: StageId, sentence: String },
    #[error("{release} was unpublished on {on} and cannot be published again")]
    WasWithdrawn { release: ReleaseId, on: String },
    /// What was submitted does not agree with itself.
    #[error("{0}")]
    Disagrees(String),
    /// Policy lets nobody have it. The sentence has no link.
    #[error("{}", .0.sentence)]
    Rejected(Box<Refusal>),
    #[error("{} changes too fast to be recorded; try again", .0.name)]
    TooFast(PackageId),
    #[error("too much is being published at once; try again in {} seconds", RETRY_AFTER.as_secs())]
    TooManyAtOnce,
    /// It came before anything was recorded.
    #[error(transparent)]
    Unrecorded(CatalogError),
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error(transparent)]
    Commit(#[from] CommitError),
    #[error(transparent)]
    Blob(#[from] BlobError),
}

impl SubmitError {
    /// When to come again, where that may help.
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            SubmitError::UpstreamSilent { retry_after, .. } => Some(*retry_after),
            SubmitError::TooManyAtOnce | SubmitError::TooFast(_) => Some(RETRY_AFTER),
            SubmitError::NameOfUpstream(_)
            | SubmitError::NameOfTwin { .. }
            | SubmitError::NameOfUpstreamsTwin { .. }
            | SubmitError::NotOwner(_)
            | SubmitError::NotInReach(_)
            | SubmitError::Exists { .. }
            | SubmitError::WasWithdrawn { .. }
            | SubmitError::Disagrees(_)
            | SubmitError::Rejected(_)
            | SubmitError::Unrecorded(_)
            | SubmitError::Catalog(_)
            | SubmitError::Commit(_)
            | SubmitError::Blob(_) => None,
        }
    }

    /// Whether it is certain that nothing in the ledger refers to what was submitted.
    pub(super) const fn leaves_nothing_recorded(&self) -> bool {
        match self {
            SubmitError::Commit(error) => match error {
                CommitError::Conflict(_) | CommitError::DiskFull { .. } | CommitError::TooLarge { .. } => true,
                CommitError::Broken(_) | CommitError::Closed => false,
            },
            // It may have been recorded before this came.
            SubmitError::Catalog(_) | SubmitError::Blob(_) => false,
            SubmitError::NameOfUpstream(_)
            | SubmitError::NameOfTwin { .. }
            | SubmitError::NameOfUpstreamsTwin { .. }
            | SubmitError::UpstreamSilent { .. }
            | SubmitError::NotOwner(_)
            | SubmitError::NotInReach(_)
            | SubmitError::Exists { .. }
            | SubmitError::WasWithdrawn { .. }
            | SubmitError::Disagrees(_)
            | SubmitError::Rejected(_)
            | SubmitError::Unrecorded(_)
            | SubmitError::TooFast(_)
            | SubmitError::TooManyAtOnce => true,
        }
    }
}

impl From<SealError> for SubmitError {
    fn from(error: SealError) -> SubmitError {
        SubmitError::Catalog(error.into())
    }
}

impl From<ChangeError> for SubmitError {
    fn from(error: ChangeError) -> SubmitError {
        match error {
            ChangeError::Commit(error) => SubmitError::Commit(error),
            ChangeError::Unrecorded(error) => SubmitError::Unrecorded(error),
            ChangeError::Catalog(error) => SubmitError::Catalog(error),
        }
    }
}
