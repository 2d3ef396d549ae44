//! What may be seen or fetched of a package: refreshed from upstream, judged, exposed. Knows no HTTP and no dialect.

pub mod explanation;
pub mod exposure;

use std::sync::Arc;
use std::time::Duration;

use crate::catalog::explanation::Explanation;
use crate::catalog::exposure::Exposed;
use crate::model::digest::Verified;
use crate::model::package::PackageId;
use crate::model::refusal::Refusal;
use crate::model::release::ReleaseId;
use crate::model::time::Timestamp;

/// What a caller who pulls is known by, for the recall list.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Puller {
    /// The name of its token, if it had one.
    pub by: Option<String>,
    pub address: String,
    pub user_agent: String,
}

/// An artifact that may be sent: its bytes are proven, and leave was given for these very bytes.
#[derive(Debug)]
pub struct Download {
    pub release: ReleaseId,
    pub file: String,
    pub content: Verified,
}

/// A package as clients may see it, and how old upstream's word is.
#[derive(Clone, Debug)]
pub struct Sighted {
    pub exposed: Arc<Exposed>,
    /// How long ago upstream last confirmed it, when that is longer than it may be: upstream does not answer.
    pub stale_for: Option<Duration>,
}

#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// Neither here nor upstream.
    #[error("{0} is not known: neither here nor at the upstream registry")]
    UnknownPackage(PackageId),
    #[error("{package} has no {wanted}")]
    UnknownRelease { package: PackageId, wanted: String },
    /// Known and not open. The sentence has no link yet.
    #[error("{}", .0.sentence)]
    Refused(Box<Refusal>),
    /// Its inspection is not finished; ask again.
    #[error("{release} is being inspected; try again in {} seconds", .retry_after.as_secs())]
    NotYet { release: ReleaseId, retry_after: Duration },
    /// Upstream does not answer as it should, and nothing is kept here that could be served.
    #[error("the upstream registry does not answer for {package}: {why}")]
    Upstream { package: PackageId, why: String, retry_after: Option<Duration> },
    /// The upstream is this very Airlock.
    #[error("the upstream registry is this Airlock itself: set another with --upstream")]
    Loop,
    #[error("{0}")]
    Storage(String),
}

/// How a listing of releases is asked for.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ReleaseFilter {
    /// The text of `Standing::as_str`.
    pub standing: Option<String>,
    pub package: Option<PackageId>,
    pub after: Option<ReleaseId>,
    pub limit: usize,
}

#[derive(Clone, Debug)]
pub struct ReleasePage {
    pub releases: Vec<Explanation>,
    pub next: Option<ReleaseId>,
}
