//! What cannot be submitted or changed.

use crate::catalog::amend::AmendError;
use crate::catalog::local::ChangeError;
use crate::http::problem::Kind;
use crate::http::problem::Problem;

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
