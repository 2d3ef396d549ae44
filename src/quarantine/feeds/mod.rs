//! Feeds: what others found out about releases. How records are read is pure; what is known of them, how old that is, and how it
//! comes to be known is one [`Feeds`] for the process.

pub mod hear;
pub mod osv;
pub mod refresh;
pub mod score;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use crate::config;
use crate::ecosystem::Ecosystem;
use crate::model::index::Index;
use crate::model::package::PackageId;
use crate::model::time::Timestamp;
use crate::quarantine::advised::Advised;
use crate::quarantine::advised::Question;
use crate::quarantine::context::FeedAge;
use crate::quarantine::feeds::refresh::Round;
use crate::quarantine::workflow::lock;
use crate::storage::advisories::Advisories;
use crate::storage::advisories::Feed;
use crate::storage::record::FeedHeard;
use crate::storage::record::PackageState;
use crate::upstream::FeedHost;

/// What is known of advisories.
#[derive(Debug)]
pub struct Feeds {
    advisories: Arc<Advisories>,
    config: config::feeds::Osv,
    host: Option<FeedHost>,
    known: Mutex<Known>,
    /// One hearing at a time. Never held while somebody outside is waited for.
    hearing: tokio::sync::Mutex<Round>,
    /// The feed is asked once at a time.
    asking: tokio::sync::Mutex<()>,
    /// Counts what may change every judgement.
    changes: AtomicU64,
    unreadable: AtomicU64,
    failures: AtomicU64,
    found: AtomicU64,
}

#[derive(Debug, Default)]
struct Known {
    heard: BTreeMap<String, FeedHeard>,
    last_error: Option<String>,
}

/// How one feed stands.
#[derive(Clone, PartialEq, Debug)]
pub struct FeedState {
    pub name: &'static str,
    pub heard: Option<FeedHeard>,
    pub vulnerabilities: u64,
    pub newest_modified_at: Option<Timestamp>,
    /// Why it is gone although it was heard.
    pub lost: Option<String>,
}

/// How all stand together.
#[derive(Clone, PartialEq, Debug)]
pub struct Condition {
    pub feeds: Vec<FeedState>,
    /// Where it is asked for, without a path; `None` where nothing is asked.
    pub origin: Option<String>,
    pub age: Option<FeedAge>,
    /// Why it was not heard when it was asked last.
    pub last_error: Option<String>,
    pub unreadable: u64,
    pub failures: u64,
    /// Releases in use here that turned out to be malware, since the start.
    pub found: u64,
}

impl Feeds {
    /// `heard`: what the ledger has of each feed, of which `advisories` were taken up.
    pub fn new(advisories: Advisories, heard: BTreeMap<String, FeedHeard>, config: &config::feeds::Osv, host: Option<FeedHost>) -> Feeds {
        Feeds {
            advisories: Arc::new(advisories),
            config: config.clone(),
            host,
            known: Mutex::new(Known { heard, last_error: None }),
            hearing: tokio::sync::Mutex::default(),
            asking: tokio::sync::Mutex::default(),
            changes: AtomicU64::new(0),
            unreadable: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            found: AtomicU64::new(0),
        }
    }

    pub fn advisories(&self) -> &Advisories {
        &self.advisories
    }

    /// How old what is known is; `None` where nobody has to know of any feed.
    pub fn age(&self) -> Option<FeedAge> {
        let is_lost = Feed::ALL.iter().any(|feed| self.advisories.lost(*feed).is_some());
        let as_of = lock(&self.known).heard.get(Feed::Osv.as_str()).map(|heard| heard.as_of);
        let as_of = match as_of.filter(|as_of| *as_of > FeedAge::NEVER && !is_lost) {
            Some(as_of) => as_of,
            None if is_lost || self.config.url.is_some() => FeedAge::NEVER,
            None => return None,
        };
        Some(FeedAge { as_of, age_max: self.config.age_max })
    }

    /// Whether what is not said of a package is known not to be said: the feed is fresh, and one that tells of vulnerabilities too.
    pub fn knows_vulnerabilities(&self, now: Timestamp) -> bool {
        let tells = self.advisories.table(Feed::Osv).is_some_and(|table| table.totals().vulnerabilities > 0);
        tells && self.age().is_some_and(|age| age.is_fresh(now))
    }

    /// Another number whenever what is known of the package may be another.
    pub fn changes(&self, package: &PackageId) -> u64 {
        let all = [self.advisories.stamp(package), self.changes.load(Ordering::SeqCst)];
        // Of numbers of which one differs, the sum differs too, as each is spread by what is odd.
        all.iter().fold(0_u64, |sum, one| sum.rotate_left(21).wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(*one))
    }

    /// Counts releases in use here that turned out to be malware.
    pub fn found(&self, releases: u64) {
        self.found.fetch_add(releases, Ordering::Relaxed);
    }

    /// What is said of each release of a package, and how old that is. `is_named_outside`: as [`Question`] has it; no feed speaks of
    /// what is not, so that none can be too old for it.
    pub fn advised(
        &self,
        index: &Index,
        state: &PackageState,
        ecosystem: &dyn Ecosystem,
        is_named_outside: bool,
        now: Timestamp,
    ) -> (Arc<Advised>, Option<FeedAge>) {
        let knows_nothing = Feed::ALL.iter().all(|feed| self.advisories.table(*feed).is_none());
        let advised = if knows_nothing {
            Advised::default()
        } else {
            Advised::of(&Question {
                index,
                state,
                advisories: &self.advisories.of(&index.package),
                is_named_outside,
                by_digest: &|digest| self.advisories.by_digest(digest),
                precedence: &|left, right| ecosystem.precedence(left, right),
                track: &|version| ecosystem.track(version),
                now,
            })
        };
        // After the advisories were read: what is found to be lost then is too old at once.
        (Arc::new(advised), self.age().filter(|_| is_named_outside))
    }

    pub fn condition(&self) -> Condition {
        let known = lock(&self.known);
        let state = |feed: Feed| {
            let table = self.advisories.table(feed);
            FeedState {
                name: feed.as_str(),
                heard: known.heard.get(feed.as_str()).cloned(),
                vulnerabilities: table.as_ref().map_or(0, |table| table.totals().vulnerabilities),
                newest_modified_at: table.map(|table| table.newest_modified_at()),
                lost: self.advisories.lost(feed).map(|why| (*why).clone()),
            }
        };
        let feeds = Feed::ALL.map(state).into_iter().filter(|one| one.heard.is_some()).collect();
        let last_error = known.last_error.clone();
        drop(known);
        Condition {
            feeds,
            origin: self.host.as_ref().map(FeedHost::origin),
            age: self.age(),
            last_error,
            unreadable: self.unreadable.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
            found: self.found.load(Ordering::Relaxed),
        }
    }
}
