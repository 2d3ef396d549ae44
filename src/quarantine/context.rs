//! What is known beyond a package's own index and records: what is said against it outside, what people waived, and what its
//! releases belong together with. Values only; whoever judges gathers them first.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::model::package::Version;
use crate::model::time::Timestamp;
use crate::model::waiver::Waiver;
use crate::quarantine::advised::Advised;
use crate::quarantine::identity::Identity;

/// What a judgement of one package's releases may know besides.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// What advisories say of its releases.
    pub advised: Arc<Advised>,
    pub editions: Arc<Editions>,
    /// `None` where no feed is configured and none was ever imported, and of what no feed speaks of.
    pub feed: Option<FeedAge>,
    /// Those that speak of the package; those that ended too, as long as they are remembered.
    pub waivers: Arc<[Arc<Waiver>]>,
    /// By version: only those that belong together with releases of other packages.
    pub ties: Arc<BTreeMap<Version, Arc<Tie>>>,
    /// What is found of who published its releases.
    pub identity: Arc<Identity>,
}

/// Since when each edition of the inspection looks here.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Editions(pub BTreeMap<u16, Timestamp>);

impl Editions {
    /// Whether what `edition` passed goes on until it is inspected anew: nothing else stood against it when the next edition began. What
    /// opens later is looked at by that one first.
    pub fn let_through(&self, edition: u16, opened_at: Timestamp) -> bool {
        self.0.range(edition.saturating_add(1)..).next().is_some_and(|(_, began_at)| opened_at <= *began_at)
    }
}

/// How old what is known of advisories is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FeedAge {
    /// From when it counts.
    pub as_of: Timestamp,
    /// How old it may be.
    pub age_max: Duration,
}

impl FeedAge {
    /// As of when nothing was known: a feed is to be heard and was not yet, or what was heard is lost.
    pub const NEVER: Timestamp = Timestamp::from_millis(0);

    pub fn is_fresh(&self, now: Timestamp) -> bool {
        now <= self.as_of.plus(self.age_max)
    }
}

/// What a release needs of others to be of use: it opens no sooner than they do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tie {
    /// The last instant at which one of them opens by age.
    pub opens_at: Timestamp,
    /// The one that opens last, as people write it.
    pub last: String,
    /// One that does not open by itself, and why: `@acme/b@2.0.0, which is rejected`.
    pub withheld: Option<String>,
    /// All of them, in order, as people write them.
    pub siblings: Vec<String>,
    /// From then on it may be another, though nothing else changed.
    pub changes_at: Option<Timestamp>,
}

impl Tie {
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.withheld.is_none() && now >= self.opens_at
    }
}
