//! Who may not come in, and what cannot be done about it.

use crate::access::AccessError;
use crate::http::problem::Kind;
use crate::http::problem::Problem;

impl From<AccessError> for Problem {
    fn from(error: AccessError) -> Problem {
        let text = error.to_string();
        let kind = match &error {
            AccessError::NotValid => Kind::Unauthenticated,
            AccessError::UnknownToken(_) => Kind::Unknown,
            AccessError::NameTaken(_) | AccessError::LastAdmin | AccessError::TooMany => Kind::Conflict,
            AccessError::NotAName | AccessError::NameReserved(_) | AccessError::ExpiryInPast(_) => Kind::Unacceptable,
            AccessError::Commit(commit) if commit.is_disk_full() => Kind::StorageFull,
            AccessError::Commit(_) | AccessError::Read(_) | AccessError::NoRandomness(_) | AccessError::File { .. } => {
                return Problem::internal(text);
            }
        };
        Problem::new(kind, text)
    }
}
