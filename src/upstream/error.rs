//! Why an upstream did not give what was asked: reasons that a caller branches on.

use std::net::IpAddr;
use std::time::Duration;

/// Messages name hosts, never paths, query strings or credentials.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum UpstreamError {
    /// The configuration cannot be used; only `Upstreams::new` says so.
    #[error("upstream {name}: {why}")]
    Setup { name: String, why: String },
    /// The caller's path would leave the upstream's base.
    #[error("{path:?} is not a path under the upstream's base")]
    NotAPath { path: String },
    /// No whole answer: name, connection, TLS, silence, or a body that came too slowly.
    #[error("upstream {host} did not answer: {why}")]
    Unreachable { host: String, why: String },
    /// Upstream asks for patience (429, or 5xx with Retry-After), or too many fetches wait here already.
    #[error("upstream is busy")]
    Busy { retry_after: Option<Duration> },
    /// Not asked: too many failures in a row.
    #[error("upstream has failed repeatedly, it is asked again in {} s", retry_after.as_secs())]
    BreakerOpen { retry_after: Duration },
    /// A 5xx.
    #[error("upstream failed with status {status}")]
    Failing { status: u16 },
    /// A 4xx that is neither "not here" nor "not now".
    #[error("upstream refused with status {status}")]
    Refused { status: u16 },
    /// An artifact that upstream does not have (404, 410). A document that is not there is `Document::Missing`.
    #[error("upstream does not have this artifact")]
    Missing,
    /// Counted in decoded bytes.
    #[error("upstream's answer is larger than {max} bytes")]
    TooLarge { max: u64 },
    #[error("upstream's answer ended early")]
    Truncated,
    /// A redirect led to a host with an address that is not public.
    #[error("a redirect leads to {host}, whose address {address} is not public")]
    ForbiddenAddress { host: String, address: IpAddr },
    /// A redirect leads to an origin that is neither upstream's own nor listed, and may not be followed there.
    #[error("a redirect leads to {origin}; list it in tarball_origins or set the upstream's url to it if that is right")]
    ForeignOrigin { origin: String },
    #[error("upstream redirected more than {max} times")]
    Redirects { max: usize },
    /// The upstream is this Airlock.
    #[error("the upstream is this Airlock itself: set [upstream] url to the registry behind it")]
    Loop,
    /// An answer outside of what HTTP or the protocol allows here.
    #[error("upstream's answer makes no sense: {why}")]
    Garbled { why: &'static str },
    /// The fetch itself crashed; a fault of Airlock.
    #[error("the fetch crashed")]
    Crashed,
}

impl UpstreamError {
    /// Upstream is down, slow or busy: what is already known may be served as stale, and asking later may help. All
    /// other reasons are definite answers.
    pub fn is_outage(&self) -> bool {
        match self {
            UpstreamError::BreakerOpen { .. } => true,
            other => other.is_worth_a_retry(),
        }
    }

    /// When asking again makes sense, where that is known.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            UpstreamError::Busy { retry_after } => *retry_after,
            UpstreamError::BreakerOpen { retry_after } => Some(*retry_after),
            UpstreamError::Setup { .. }
            | UpstreamError::NotAPath { .. }
            | UpstreamError::Unreachable { .. }
            | UpstreamError::Failing { .. }
            | UpstreamError::Refused { .. }
            | UpstreamError::Missing
            | UpstreamError::TooLarge { .. }
            | UpstreamError::Truncated
            | UpstreamError::ForbiddenAddress { .. }
            | UpstreamError::ForeignOrigin { .. }
            | UpstreamError::Redirects { .. }
            | UpstreamError::Loop
            | UpstreamError::Garbled { .. }
            | UpstreamError::Crashed => None,
        }
    }

    /// Transport faults, 5xx and 429: the same request may succeed in a moment, and the breaker counts it.
    pub(super) fn is_worth_a_retry(&self) -> bool {
        match self {
            UpstreamError::Unreachable { .. } | UpstreamError::Busy { .. } | UpstreamError::Failing { .. } | UpstreamError::Truncated => {
                true
            }
            UpstreamError::Setup { .. }
            | UpstreamError::NotAPath { .. }
            | UpstreamError::BreakerOpen { .. }
            | UpstreamError::Refused { .. }
            | UpstreamError::Missing
            | UpstreamError::TooLarge { .. }
            | UpstreamError::ForbiddenAddress { .. }
            | UpstreamError::ForeignOrigin { .. }
            | UpstreamError::Redirects { .. }
            | UpstreamError::Loop
            | UpstreamError::Garbled { .. }
            | UpstreamError::Crashed => false,
        }
    }
}
