//! Who may not come in, and what cannot be done about it.

use crate::access::AccessError;
use crate::access::web;
use crate::http::problem::Kind;
use crate::http::problem::Problem;
use crate::http::problem::RETRY_AFTER;

impl From<AccessError> for Problem {
    fn from(error: AccessError) -> Problem {
        let text = error.to_string();
        let kind = match &error {
            AccessError::NotValid => Kind::Unauthenticated,
            AccessError::WrongPassword => Kind::WrongPassword,
            AccessError::UnknownToken(_) | AccessError::UnknownUser(_) | AccessError::NoSession => Kind::Unknown,
            AccessError::NameTaken(_)
            | AccessError::UserTaken(_)
            | AccessError::LastAdmin
            | AccessError::TooMany
            | AccessError::TooManyUsers => Kind::Conflict,
            AccessError::NotAName
            | AccessError::NotAUserName
            | AccessError::NotAnEmail
            | AccessError::NotANetwork(_)
            | AccessError::TooMuchOfAToken
            | AccessError::PasswordTooShort(_)
            | AccessError::PasswordTooLong
            | AccessError::NameReserved(_)
            | AccessError::ExpiryInPast(_) => Kind::Unacceptable,
            AccessError::NoPassword | AccessError::TooManyBehind => Kind::Forbidden,
            AccessError::TooManyAttempts(wait) => return Problem::new(Kind::TooManyRequests, text).retry_after(*wait),
            AccessError::TooManySessions => return Problem::new(Kind::TooManyRequests, text).retry_after(web::OPEN_FOR),
            AccessError::Busy => return Problem::new(Kind::NotYet, text).retry_after(RETRY_AFTER),
            AccessError::Commit(commit) if commit.is_disk_full() => Kind::StorageFull,
            AccessError::Commit(_)
            | AccessError::Read(_)
            | AccessError::NoRandomness(_)
            | AccessError::Hashing(_)
            | AccessError::File { .. } => {
                return Problem::internal(text);
            }
        };
        Problem::new(kind, text)
    }
}
