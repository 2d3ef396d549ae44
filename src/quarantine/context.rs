//! What is known beyond a package's own index and records: what is said against it outside, what people waived, and what its
//! releases belong together with. Values only; whoever judges gathers them first.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::advisory::Advisory;
use crate::model::package::Version;
use crate::model::time::Timestamp;
use crate::model::waiver::Waiver;

/// What a judgement of one package's releases may know besides.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// All that are about the package, withdrawn ones too.
    pub advisories: Arc<[Advisory]>,
    /// From when what is known of advisories counts; `None` where no feed is configured and none was ever imported.
    pub feed_as_of: Option<Timestamp>,
    /// Those that speak of the package and count now.
    pub waivers: Arc<[Waiver]>,
    /// By version: only those that belong together with releases of other packages.
    pub ties: Arc<BTreeMap<Version, Tie>>,
}

/// What a release needs of others to be of use: it opens no sooner than they do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tie {
    /// The last instant at which one of them opens by age.
    pub opens_at: Timestamp,
    /// The one that opens last, as people write it.
    pub last: String,
    /// One that does not open by itself, and why.
    pub withheld: Option<String>,
}
