//! Identity providers outside: with whom people sign in, and who vouches for builds. What they say counts once all of it
//! is proven; nothing here gives a token.

mod claims;
pub mod exchange;
mod provider;
pub mod sign_in;

use std::collections::BTreeMap;

use crate::access::AccessError;
use crate::access::oidc::exchange::Spent;
use crate::access::oidc::provider::Issuer;
use crate::access::oidc::sign_in::Pending;
use crate::clock::Clock;
use crate::config;
use crate::config::access::Group;
use crate::config::access::Oidc;
use crate::config::access::TrustedPublisher;
use crate::storage::state::ReadError;
use crate::upstream::UpstreamError;
use crate::upstream::Upstreams;

/// Why somebody is not let in on another's word.
#[derive(Debug, thiserror::Error)]
pub enum OidcError {
    #[error("nobody signs in here with an identity provider: access.oidc is not configured")]
    NotConfigured,
    /// The token or the answer is not what it must be. `why` is for the log; who tries is not told which check it was.
    #[error("{why}")]
    Untrusted { why: String },
    /// It is known who that is, and they may not come in; told to them.
    #[error("{why}")]
    NotAdmitted { why: String },
    /// The provider answers nothing that can be used. `why` is for the log.
    #[error("the identity provider at {issuer} does not answer as it should: {why}")]
    Silent { issuer: String, why: String },
    #[error("too many sign-ins are under way; try again in some minutes")]
    TooMany,
    #[error(transparent)]
    Access(#[from] AccessError),
}

impl OidcError {
    fn untrusted(why: impl Into<String>) -> OidcError {
        OidcError::Untrusted { why: why.into() }
    }
}

impl From<ReadError> for OidcError {
    fn from(error: ReadError) -> OidcError {
        OidcError::Access(error.into())
    }
}

/// Everyone outside whose word counts here, and for what.
pub struct Identities {
    /// By the text that they call themselves.
    issuers: BTreeMap<String, Issuer>,
    oidc: Option<Oidc>,
    groups: BTreeMap<String, Group>,
    publishers: Vec<TrustedPublisher>,
    pending: Pending,
    spent: Spent,
    clock: Clock,
}

impl Identities {
    /// # Errors
    /// A client cannot be made, which is a fault of the machine's TLS set-up.
    pub fn new(config: &config::access::Access, upstreams: &Upstreams, clock: &Clock) -> Result<Identities, UpstreamError> {
        let named = config.oidc.iter().map(|oidc| &oidc.issuer).chain(config.trusted_publishers.iter().map(|row| &row.issuer));
        let mut issuers = BTreeMap::new();
        for issuer in named {
            if !issuers.contains_key(&issuer.text) {
                let known = Issuer::new(issuer, upstreams.provider(&issuer.url)?, clock.clone());
                issuers.insert(issuer.text.clone(), known);
            }
        }
        Ok(Identities {
            issuers,
            oidc: config.oidc.clone(),
            groups: config.groups.clone(),
            publishers: config.trusted_publishers.clone(),
            pending: Pending::default(),
            spent: Spent::default(),
            clock: clock.clone(),
        })
    }

    /// Where nobody outside is asked: in tests of other things.
    pub fn nobody(clock: &Clock) -> Identities {
        Identities {
            issuers: BTreeMap::new(),
            oidc: None,
            groups: BTreeMap::new(),
            publishers: Vec::new(),
            pending: Pending::default(),
            spent: Spent::default(),
            clock: clock.clone(),
        }
    }
}
