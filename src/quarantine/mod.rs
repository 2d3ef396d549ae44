//! Why a release may pass or not, and every change of where it stands. Knows no HTTP and no dialect.

// A new variant must be looked at wherever its enum is: unknown means held, and `_` would decide it silently.
#![warn(clippy::wildcard_enum_match_arm)]

pub mod advised;
pub mod age;
pub mod approval;
pub mod baseline;
mod bytes;
pub mod change;
pub mod checks;
pub mod chronicle;
pub mod context;
pub mod decide;
pub mod feeds;
pub mod gate;
pub mod intake;
pub mod judge;
mod parked;
pub mod submission;
pub mod trust;
pub mod warning;
pub mod wording;
pub mod workflow;

use std::collections::BTreeMap;
use std::collections::btree_map;
use std::sync::Arc;
use std::sync::OnceLock;

use tokio::sync::Notify;
use tokio::sync::Semaphore;

use crate::clock::Clock;
use crate::config::policy::Policy;
use crate::ecosystem::Ecosystem;
use crate::model::actor::Actor;
use crate::model::digest::DocumentDigest;
use crate::model::index::Index;
use crate::model::job::Job;
use crate::model::job::Work;
use crate::model::package::EcosystemId;
use crate::model::package::PackageId;
use crate::model::time::Timestamp;
use crate::quarantine::checks::inspection::EDITION;
use crate::quarantine::context::Context;
use crate::quarantine::context::Editions;
use crate::quarantine::feeds::Feeds;
use crate::quarantine::judge::Standings;
use crate::quarantine::judge::judge_all;
use crate::quarantine::parked::Parked;
use crate::quarantine::workflow::Outcome;
use crate::storage::blob::Blobs;
use crate::storage::record::Command;
use crate::storage::record::PackageState;
use crate::storage::record::Sequence;
use crate::storage::state::Batch;
use crate::storage::state::CommitError;
use crate::storage::state::Entry;
use crate::storage::state::Proof;
use crate::storage::state::ReadError;
use crate::storage::state::State;
use crate::upstream::Upstreams;
use crate::upstream::coalesce::Flights;

/// The formats that are built, by name.
pub type Ecosystems = BTreeMap<EcosystemId, Arc<dyn Ecosystem>>;

/// The gate and its workflow. One for the process.
pub struct Quarantine {
    state: Arc<dyn State>,
    blobs: Arc<dyn Blobs>,
    upstreams: Arc<Upstreams>,
    ecosystems: Ecosystems,
    policy: Arc<Policy>,
    clock: Clock,
    inspections: Flights<Work, Outcome>,
    /// What the ledger remembers of packages whose documents are lost; empty while none is.
    seen: tokio::sync::Mutex<intake::Seen>,
    /// One for each artifact in memory.
    hands: Semaphore,
    /// Inspections that compute at the same time.
    benches: Arc<Semaphore>,
    parked: Parked,
    /// Rung when background work may be due.
    bell: Notify,
    counts: workflow::Counts,
    feeds: Feeds,
    /// Set when it begins.
    editions: OnceLock<Arc<Editions>>,
}

impl Quarantine {
    pub fn new(
        state: Arc<dyn State>,
        blobs: Arc<dyn Blobs>,
        upstreams: Arc<Upstreams>,
        ecosystems: Ecosystems,
        policy: Arc<Policy>,
        clock: Clock,
        feeds: Feeds,
    ) -> Quarantine {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Quarantine {
            state,
            blobs,
            upstreams,
            ecosystems,
            policy,
            clock,
            inspections: Flights::new(workflow::INSPECTIONS_MAX),
            seen: tokio::sync::Mutex::default(),
            hands: Semaphore::new(workflow::HANDS),
            benches: Arc::new(Semaphore::new(cores)),
            parked: Parked::default(),
            bell: Notify::new(),
            counts: workflow::Counts::default(),
            feeds,
            editions: OnceLock::new(),
        }
    }

    /// To be called once before anything is served: remembers what was given up, and records which edition inspects and which policy
    /// judges from here on.
    pub async fn begin(&self) -> Result<(), BeginError> {
        let jobs = self.state.jobs(workflow::JOBS_MAX).await?;
        let given_up = jobs.into_iter().filter(|job| job.parked);
        let given_up = given_up.map(|job| (job.work, job.last_error.unwrap_or_default()));
        self.parked.add(given_up);
        let mut editions = self.state.editions().await?;
        if let btree_map::Entry::Vacant(begins) = editions.entry(EDITION) {
            let (at, commands) = (self.clock.now(), vec![Command::EditionBegun { edition: EDITION }]);
            self.state.commit(Batch { at, actor: Actor::Airlock, conditions: Vec::new(), commands }).await?;
            begins.insert(at);
        }
        // It begins once.
        let _ = self.editions.set(Arc::new(Editions(editions)));
        let text = serde_json::to_string(&*self.policy).unwrap_or_default();
        let digest = DocumentDigest::of(text.as_bytes());
        if self.state.policy().await? != Some(digest) {
            let commands = vec![Command::Policy { digest, text }];
            self.state.commit(Batch { at: self.clock.now(), actor: Actor::Airlock, conditions: Vec::new(), commands }).await?;
        }
        Ok(())
    }

    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Where every release of a package stands at `now`.
    pub fn standings(&self, index: &Index, state: &PackageState, now: Timestamp) -> Standings {
        let substance = |manifest: &[u8]| self.substance(index.package.ecosystem, manifest);
        let context = self.context(index, state, now);
        let mut standings = judge_all(index, state, &self.policy, &context, substance, now);
        self.parked.set_aside(index, &mut standings);
        standings
    }

    /// The digest of what matters in a release's text in the index.
    pub(crate) fn substance(&self, ecosystem: EcosystemId, manifest: &[u8]) -> DocumentDigest {
        match self.ecosystem(ecosystem) {
            Some(ecosystem) => ecosystem.substance(manifest),
            None => DocumentDigest::of(manifest),
        }
    }

    /// What is known beyond the package's own index and records.
    fn context(&self, index: &Index, state: &PackageState, now: Timestamp) -> Context {
        let editions = self.editions.get().cloned().unwrap_or_default();
        let Some(ecosystem) = self.ecosystem(index.package.ecosystem) else { return Context::default() };
        let is_named_outside = state.local.is_none() && self.is_of_public_registry(&index.package);
        let (advised, feed) = self.feeds.advised(index, state, &**ecosystem, is_named_outside, now);
        Context { advised, feed, editions, ..Context::default() }
    }

    /// Whether the name is the one that feeds speak of: neither of a private scope nor of one that has a registry of its own.
    pub fn is_of_public_registry(&self, package: &PackageId) -> bool {
        let Some(scope) = package.name.scope() else { return true };
        let is_private = self.policy.private_scopes.iter().any(|private| private.eq_ignore_ascii_case(scope));
        !is_private && self.upstreams.own_scope(Some(scope)).is_none()
    }

    /// Another number whenever [`Quarantine::standings`] of the package may come out otherwise at the same revision and time.
    pub fn outside_changes(&self, package: &PackageId) -> u64 {
        // Of two numbers of which one differs, the sum differs too.
        self.feeds.changes(package).wrapping_add(self.parked.changes().wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    pub fn feeds(&self) -> &Feeds {
        &self.feeds
    }

    pub fn ecosystem(&self, id: EcosystemId) -> Option<&Arc<dyn Ecosystem>> {
        self.ecosystems.get(&id)
    }

    /// The ledger after `after`, oldest first, at most `limit` entries.
    pub async fn audit(&self, after: Sequence, limit: usize) -> Result<Vec<Entry>, ReadError> {
        self.state.entries(after, limit).await
    }

    /// Proves the ledger from its first byte to its last.
    pub async fn verify(&self) -> Result<Proof, ReadError> {
        self.state.verify().await
    }

    /// Work that was given up and waits for people, oldest first.
    pub async fn parked(&self) -> Result<Vec<Job>, ReadError> {
        let jobs = self.state.jobs(workflow::JOBS_MAX).await?;
        Ok(jobs.into_iter().filter(|job| job.parked).collect())
    }
}

#[derive(Debug, thiserror::Error)]
pub enum BeginError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Commit(#[from] CommitError),
}
