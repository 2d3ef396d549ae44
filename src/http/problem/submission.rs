//! What cannot be submitted or changed.

use crate::catalog::CatalogError;
use crate::catalog::amend::AmendError;
use crate::catalog::local::ChangeError;
use crate::catalog::submit::SubmitError;
use crate::http::problem::Kind;
use crate::http::problem::Problem;

impl From<SubmitError> for Problem {
    fn from(error: SubmitError) -> Problem {
        let text = error.to_string();
        let retry_after = error.retry_after();
        let kind = match error {
            SubmitError::NameOfUpstream(_)
            | SubmitError::NameOfTwin { .. }
            | SubmitError::NameOfUpstreamsTwin { .. }
            | SubmitError::NotOwner(_)
            | SubmitError::NotInReach(_)
            | SubmitError::Exists { .. }
            | SubmitError::WasWithdrawn { .. } => Kind::Forbidden,
            SubmitError::UpstreamSilent { .. } | SubmitError::TooFast(_) => Kind::NotYet,
            SubmitError::Disagrees(_) | SubmitError::Rejected(_) => Kind::Unacceptable,
            SubmitError::TooManyAtOnce => Kind::TooManyRequests,
            SubmitError::Unrecorded(error) | SubmitError::Catalog(error) => return error.into(),
            SubmitError::Commit(error) => return CatalogError::from(error).into(),
            SubmitError::Blob(error) => return CatalogError::from(error).into(),
        };
        Problem { retry_after, ..Problem::new(kind, text) }
    }
}

impl From<AmendError> for Problem {
    fn from(error: AmendError) -> Problem {
        let text = error.to_string();
        let kind = match error {
            AmendError::Nameless => Kind::Unauthenticated,
            AmendError::OfUpstream(_)
            | AmendError::NotOwner(_)
            | AmendError::NotInReach(_)
            | AmendError::OfABuild(_)
            | AmendError::LatestStays => Kind::Refused,
            AmendError::TooLarge(_) => Kind::TooLarge,
            AmendError::UnknownVersion { .. } | AmendError::UnknownTag { .. } => Kind::Unknown,
            AmendError::Unknown(_) | AmendError::NoOwner | AmendError::TooMany { .. } => Kind::Unacceptable,
            AmendError::Catalog(error) => return error.into(),
            AmendError::Commit(error) if error.is_disk_full() => Kind::StorageFull,
            AmendError::Commit(_) => return Problem::internal(text),
        };
        Problem::new(kind, text)
    }
}

impl From<ChangeError> for Problem {
    fn from(error: ChangeError) -> Problem {
        AmendError::from(error).into()
    }
}
