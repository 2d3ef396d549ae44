//! Who is not let in on another's word, and what they are told of it.

use std::time::Duration;

use crate::access::oidc::OidcError;
use crate::http::problem::Kind;
use crate::http::problem::Problem;

/// A provider that failed is asked again after some seconds.
const RETRY_AFTER: Duration = Duration::from_secs(10);

impl From<OidcError> for Problem {
    fn from(error: OidcError) -> Problem {
        let text = error.to_string();
        match error {
            OidcError::NotConfigured => Problem::new(Kind::Unknown, text),
            // Which check it was would help whoever tries many.
            OidcError::Untrusted { why } => {
                let detail = "what was shown does not prove who may do this: the log of Airlock says which check it failed";
                Problem::new(Kind::Unauthenticated, detail).logged(format!("an identity is not trusted: {why}"))
            }
            OidcError::NotAdmitted { why } => Problem::new(Kind::Forbidden, why),
            OidcError::Silent { .. } => {
                let detail = "the identity provider does not answer as it should: try again shortly";
                Problem::new(Kind::NotYet, detail).logged(text).retry_after(RETRY_AFTER)
            }
            OidcError::TooMany => Problem::new(Kind::TooManyRequests, text).retry_after(Duration::from_secs(60)),
            OidcError::Access(error) => error.into(),
        }
    }
}
