//! What cannot be submitted or changed.

use crate::catalog::CatalogError;
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
            | SubmitError::NotOwner(_)
            | SubmitError::NotInReach(_)
            | SubmitError::Exists { .. }
            | SubmitError::WasWithdrawn { .. } => Kind::Forbidden,
            SubmitError::UpstreamSilent { .. } => Kind::NotYet,
            SubmitError::Disagrees(_) | SubmitError::Rejected(_) => Kind::Unacceptable,
            SubmitError::TooManyAtOnce => Kind::TooManyRequests,
            SubmitError::Catalog(error) => return error.into(),
            SubmitError::Commit(error) => return CatalogError::from(error).into(),
            SubmitError::Blob(error) => return CatalogError::from(error).into(),
        };
        Problem { retry_after, ..Problem::new(kind, text) }
    }
}
