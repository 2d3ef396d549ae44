//! Hearing: records become what is known. They are read, joined with what was known before, put down, and recorded in the ledger;
//! then they are asked. One hearing at a time.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;

use crate::model::actor::Actor;
use crate::model::advisory::FeedFault;
use crate::model::finding::printable;
use crate::model::package::EcosystemId;
use crate::model::time::Timestamp;
use crate::quarantine::Quarantine;
use crate::quarantine::context::FeedAge;
use crate::quarantine::feeds::osv;
use crate::quarantine::feeds::refresh::Round;
use crate::quarantine::workflow::lock;
use crate::storage::advisories::Feed;
use crate::storage::advisories::bundle;
use crate::storage::advisories::bundle::BundleFault;
use crate::storage::advisories::draft::Draft;
use crate::storage::advisories::table::Table;
use crate::storage::advisories::table::TableFault;
use crate::storage::ledger::file::is_full;
use crate::storage::record::Command;
use crate::storage::record::FeedHeard;
use crate::storage::state::Batch;
use crate::storage::state::CommitError;
use crate::upstream::UpstreamError;

/// Unreadable records that are told one by one; the others are counted.
const FAULTS_TOLD_MAX: usize = 20;
const FAULT_BYTES_MAX: usize = 300;
/// Records brought by hand that are looked at for standing in for those that cannot be read.
const STAND_INS_MAX: usize = 10_000;
/// What takes the place of all that was known has at least so many parts in a hundred of it: a mirror that suddenly knows nothing is
/// broken, or somebody's work.
const SHRINKS_TO_PERCENT: u64 = 50;

/// What is to be heard.
pub struct Hearing {
    pub feed: Feed,
    pub source: Source,
    pub extent: Extent,
    pub actor: Actor,
}

pub enum Source {
    /// A zip, or JSON lines.
    Bundle(PathBuf),
    /// By name.
    Records(Vec<(String, Bytes)>),
}

/// How much of what there is to know it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Extent {
    /// All, as of then or, where that is sooner, of as long after its newest record as silence means that there is nothing new; where
    /// no instant is said, as of its newest record.
    Whole(Option<Timestamp>),
    /// With what is known already it is all, as of then. It may be nothing.
    Rest(Timestamp),
    /// Some records. They say nothing of how old what is known is.
    Some,
}

/// What became of it.
#[derive(Clone, Debug)]
pub struct Heard {
    pub feed: Feed,
    /// Records that were about npm packages, one for each package.
    pub advisories: u64,
    pub unreadable: u64,
    /// The first unreadable ones.
    pub faults: Vec<FeedFault>,
    /// From when what is known counts now.
    pub as_of: Timestamp,
    /// What was known before, and is now.
    pub before: Option<Arc<Table>>,
    pub now: Arc<Table>,
}

#[derive(Debug, thiserror::Error)]
pub enum HearError {
    #[error(transparent)]
    Bundle(#[from] BundleFault),
    #[error(transparent)]
    Kept(#[from] TableFault),
    /// Nothing in it could be read, or it holds nothing about npm packages.
    #[error("it holds no advisory about an npm package that can be read{}", first(.0))]
    Nothing(Vec<FeedFault>),
    #[error("it holds {has} advisories where {had} were known: what shrinks so much at once is not believed, and what was known is kept")]
    Shrunk { had: u64, has: u64 },
    #[error(transparent)]
    Commit(#[from] CommitError),
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    #[error("no feed is configured: set feeds.osv.url, or import what was downloaded elsewhere")]
    NotConfigured,
    #[error("the list of what is new cannot be read: {0}")]
    List(String),
    #[error("what was brought cannot be written: {0}")]
    Incoming(io::Error),
    #[error("the hearing was cut short: {0}")]
    Cut(String),
}

/// Whose doing it is that something was not heard.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Blame {
    /// What was brought.
    Brought,
    /// It is more than is taken.
    TooLarge,
    Feed,
    /// There is nothing to ask.
    Setup,
    FullDisk,
    Ours,
}

impl HearError {
    pub fn blame(&self) -> Blame {
        match self {
            HearError::Bundle(BundleFault::Unreadable(_)) | HearError::Nothing(_) | HearError::Shrunk { .. } => Blame::Brought,
            HearError::Bundle(BundleFault::TooLarge) => Blame::TooLarge,
            HearError::Bundle(BundleFault::Kept(fault)) | HearError::Kept(fault) => match fault {
                TableFault::Write(error) if is_full(error) => Blame::FullDisk,
                TableFault::TooMany { .. } => Blame::TooLarge,
                TableFault::Write(_) | TableFault::Io { .. } | TableFault::Damaged { .. } => Blame::Ours,
            },
            HearError::Commit(commit) if commit.is_disk_full() => Blame::FullDisk,
            HearError::Commit(_) | HearError::Cut(_) => Blame::Ours,
            HearError::Incoming(error) if error.kind() == io::ErrorKind::FileTooLarge => Blame::TooLarge,
            HearError::Incoming(error) if is_full(error) => Blame::FullDisk,
            HearError::Incoming(_) => Blame::Ours,
            HearError::Upstream(_) | HearError::List(_) => Blame::Feed,
            HearError::NotConfigured => Blame::Setup,
        }
    }
}

fn first(faults: &[FeedFault]) -> String {
    faults.first().map_or_else(String::new, |fault| format!(": {}: {}", fault.record, fault.why))
}

/// What was read of a source.
struct Read {
    draft: Draft,
    unreadable: u64,
    faults: Vec<FeedFault>,
}

impl Quarantine {
    /// Hears records, and says what became of them. A record that cannot be read is told and passed over, and what is known does not
    /// get younger by the others.
    pub async fn hear(&self, hearing: Hearing) -> Result<Heard, HearError> {
        let mut round = self.feeds.hearing.lock().await;
        self.hear_alone(hearing, &mut round).await
    }

    pub(super) async fn hear_alone(&self, hearing: Hearing, alone: &mut Round) -> Result<Heard, HearError> {
        let Hearing { feed, source, extent, actor } = hearing;
        if let Extent::Whole(_) = extent {
            // It may be older than what was fetched record by record.
            alone.forget();
        }
        let (advisories, ecosystem) = (Arc::clone(&self.feeds.advisories), self.ecosystem(EcosystemId::Npm).cloned());
        let before = advisories.table(feed);
        // Of what is lost, what is heard now is all there is, and as old as it is.
        let old = lock(&self.feeds.known).heard.get(feed.as_str()).cloned().filter(|_| before.is_some());
        let nothing_new = matches!(&source, Source::Records(records) if records.is_empty());
        let known = before.clone();
        let known_as_of = old.as_ref().map(|old| old.as_of);
        let quiet_max = self.feeds.config.quiet_max;
        let written = tokio::task::spawn_blocking(move || {
            if let (Some(known), Extent::Rest(as_of), true) = (&known, extent, nothing_new) {
                return Ok((Arc::clone(known), 0, 0, Vec::new(), as_of));
            }
            let draft = advisories.draft().map_err(TableFault::Write)?;
            let precedence: &dyn Fn(&_, &_) -> _ = &|left, right| match &ecosystem {
                Some(ecosystem) => ecosystem.precedence(left, right),
                None => left.cmp(right),
            };
            let brought_by_hand = if feed == Feed::Osv { advisories.ids(Feed::Own, STAND_INS_MAX) } else { BTreeSet::new() };
            let Read { draft, unreadable, faults } = read(source, draft, &brought_by_hand, precedence)?;
            let may_be_empty = matches!(extent, Extent::Rest(_));
            if draft.is_empty() && !may_be_empty {
                return Err(HearError::Nothing(faults));
            }
            let newest = Timestamp::from_millis(i64::try_from(draft.newest_millis()).unwrap_or(i64::MAX));
            let (is_whole, as_of) = match extent {
                Extent::Whole(as_of) => (true, as_of.map_or(newest, |asked_at| asked_at.min(newest.plus(quiet_max)))),
                Extent::Rest(as_of) => (false, as_of),
                Extent::Some => (false, newest),
            };
            // What is older than what is known, or has a gap, takes nothing away.
            let replaces = is_whole && unreadable == 0 && known_as_of.is_none_or(|known| known <= as_of);
            let heard = draft.len() as u64;
            let table = advisories.write(feed, draft, known.as_deref().filter(|_| !replaces))?;
            let (had, has) = (known.map_or(0, |known| known.totals().advisories), table.totals().advisories);
            if has.saturating_mul(100) < had.saturating_mul(SHRINKS_TO_PERCENT) {
                advisories.discard(feed, &table);
                return Err(HearError::Shrunk { had, has });
            }
            Ok((Arc::new(table), heard, unreadable, faults, as_of))
        });
        let (table, heard, unreadable, faults, as_of) = written.await.map_err(|cut| HearError::Cut(cut.to_string()))??;
        let now = self.clock.now();
        for FeedFault { record, why } in &faults {
            tracing::error!(feed = feed.as_str(), record, why, "a record of an advisory cannot be read and is passed over");
        }
        // Nothing is younger than now, whatever a record claims; and only what is whole makes what is known younger.
        let renews = unreadable == 0 && (extent != Extent::Some || feed == Feed::Own);
        let as_of = match old.map(|old| old.as_of) {
            Some(old) if !renews => old,
            None if !renews => FeedAge::NEVER,
            old => as_of.min(now).max(old.unwrap_or(FeedAge::NEVER)),
        };
        let advisories = table.totals().advisories;
        let record = FeedHeard { as_of, digest: *table.digest(), advisories, unreadable, faults: faults.clone() };
        let command = Command::FeedHeard { feed: feed.as_str().to_owned(), heard: record.clone() };
        let batch = Batch { at: now, actor, conditions: Vec::new(), commands: vec![command] };
        if let Err(error) = self.state.commit(batch).await {
            self.feeds.advisories.discard(feed, &table);
            return Err(error.into());
        }
        let is_fresh = || self.feeds.age().is_some_and(|age| age.is_fresh(now));
        let was_fresh = is_fresh();
        self.feeds.advisories.install(feed, Arc::clone(&table));
        lock(&self.feeds.known).heard.insert(feed.as_str().to_owned(), record);
        self.feeds.unreadable.fetch_add(unreadable, Ordering::Relaxed);
        // What is said of bytes may be about any package, under whatever name. While it is fresh all the time, its age changes no judgement.
        let is_of_names_only = table.says_the_same_of_bytes(before.as_deref());
        if !is_of_names_only || !was_fresh || !is_fresh() {
            self.feeds.changes.fetch_add(1, Ordering::SeqCst);
        }
        tracing::info!(feed = feed.as_str(), advisories = heard, unreadable, %as_of, "heard of advisories");
        Ok(Heard { feed, advisories: heard, unreadable, faults, as_of, before, now: table })
    }
}

/// `brought_by_hand`: ids of records that an admin brought; each stands in for the feed's own that cannot be read.
fn read(
    source: Source,
    mut draft: Draft,
    brought_by_hand: &BTreeSet<String>,
    precedence: &dyn Fn(&crate::model::package::Version, &crate::model::package::Version) -> std::cmp::Ordering,
) -> Result<Read, HearError> {
    let (mut unreadable, mut faults) = (0, Vec::new());
    let mut fault = |name: &str, why: String| {
        let (record, why) = (printable(name, FAULT_BYTES_MAX), printable(&why, FAULT_BYTES_MAX));
        if id_of(name).is_some_and(|id| brought_by_hand.contains(id)) {
            tracing::warn!(record, why, "a record of an advisory cannot be read; what an admin brought stands in for it");
            return;
        }
        unreadable += 1;
        if faults.len() < FAULTS_TOLD_MAX {
            faults.push(FeedFault { record, why });
        }
    };
    let mut take = |name: &str, brought: bundle::Brought<'_>| {
        match brought.and_then(|bytes| osv::read(bytes, precedence).map_err(|why| why.to_string())) {
            Ok((advisories, in_part)) => {
                for advisory in &advisories {
                    draft.add(advisory)?;
                }
                if let Some(why) = in_part {
                    fault(name, why.to_string());
                }
            }
            Err(why) => fault(name, why),
        }
        Ok(())
    };
    match source {
        Source::Bundle(path) => bundle::read(&path, osv::RECORD_BYTES_MAX, &mut take)?,
        Source::Records(records) => {
            for (name, bytes) in &records {
                take(name, Ok(bytes))?;
            }
        }
    }
    Ok(Read { draft, unreadable, faults })
}

/// `MAL-1` of `npm/MAL-1.json`: feeds call their records so.
pub(super) fn id_of(name: &str) -> Option<&str> {
    name.rsplit('/').next()?.strip_suffix(".json")
}
