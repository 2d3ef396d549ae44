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
pub mod cohort;
pub mod context;
pub mod decide;
pub mod feeds;
pub mod gate;
pub mod identity;
pub mod intake;
pub mod judge;
pub mod mark;
pub mod notices;
mod parked;
pub mod recalls;
pub mod requests;
mod stamps;
pub mod standings;
pub mod submission;
pub mod trial;
pub mod trust;
pub mod verdict;
pub mod waived;
pub mod waivers;
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
use crate::ecosystem::Bonds;
use crate::ecosystem::Ecosystem;
use crate::ecosystem::sigstore::root::TrustRoot;
use crate::model::actor::Actor;
use crate::model::digest::DocumentDigest;
use crate::model::index::Index;
use crate::model::job::Job;
use crate::model::job::Sort;
use crate::model::job::Work;
use crate::model::notice::HookId;
use crate::model::package::EcosystemId;
use crate::model::package::PackageId;
use crate::model::release::ReleaseId;
use crate::model::time::Timestamp;
use crate::quarantine::age::Age;
use crate::quarantine::checks::inspection::EDITION;
use crate::quarantine::cohort::Cohorts;
use crate::quarantine::context::Context;
use crate::quarantine::context::Editions;
use crate::quarantine::feeds::Feeds;
use crate::quarantine::identity::Identity;
use crate::quarantine::identity::burst::Bursts;
use crate::quarantine::identity::familiar::Familiar;
use crate::quarantine::identity::keyring::Keyring;
use crate::quarantine::identity::publisher;
use crate::quarantine::parked::Parked;
use crate::quarantine::standings::Standings;
use crate::quarantine::standings::judge_all;
use crate::quarantine::waivers::Waivers;
use crate::quarantine::workflow::Outcome;
use crate::storage::blob::Blobs;
use crate::storage::record::Command;
use crate::storage::record::PackageState;
use crate::storage::record::Rejudged;
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
    /// Of the policy, as the ledger has it.
    policy_digest: DocumentDigest,
    /// The one that judged before, where it is still to be compared with this one.
    policy_before: OnceLock<DocumentDigest>,
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
    waivers: Waivers,
    asking: requests::Asking,
    cohorts: Cohorts,
    /// Who is told outside.
    hooks: Vec<HookId>,
    familiar: Familiar,
    bursts: Bursts,
    keyring: Arc<Keyring>,
    /// Whose word on provenance counts.
    trust_root: Arc<TrustRoot>,
    /// Set when it begins.
    editions: OnceLock<Arc<Editions>>,
}

/// What a policy asks of whom a package's releases belong together with.
fn question<'a>(
    policy: &Policy,
    index: &'a Index,
    state: &'a PackageState,
    bonds: &'a dyn Fn(&[u8]) -> Bonds,
    now: Timestamp,
) -> cohort::Question<'a> {
    let rules = &policy.release_age;
    cohort::Question { index, state, minimum: rules.minimum.max(rules.floor), bonds, now }
}

impl Quarantine {
    #[expect(clippy::too_many_arguments, reason = "the wiring: every one is another room's, and each is named where it is used")]
    pub fn new(
        state: Arc<dyn State>,
        blobs: Arc<dyn Blobs>,
        upstreams: Arc<Upstreams>,
        ecosystems: Ecosystems,
        policy: Arc<Policy>,
        clock: Clock,
        feeds: Feeds,
        trust_root: Arc<TrustRoot>,
    ) -> Quarantine {
        let keyring = Arc::new(Keyring::new(Arc::clone(&upstreams), clock.clone()));
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Quarantine {
            state,
            blobs,
            upstreams,
            ecosystems,
            policy_digest: DocumentDigest::of(text_of(&policy).as_bytes()),
            policy,
            policy_before: OnceLock::new(),
            clock,
            inspections: Flights::new(workflow::INSPECTIONS_MAX),
            seen: tokio::sync::Mutex::default(),
            hands: Semaphore::new(workflow::HANDS),
            benches: Arc::new(Semaphore::new(cores)),
            parked: Parked::default(),
            bell: Notify::new(),
            counts: workflow::Counts::default(),
            feeds,
            waivers: Waivers::default(),
            asking: requests::Asking::default(),
            cohorts: Cohorts::default(),
            hooks: Vec::new(),
            familiar: Familiar::default(),
            bursts: Bursts::default(),
            keyring,
            trust_root,
            editions: OnceLock::new(),
        }
    }

    /// To be called once before anything is served: remembers what was given up, and records which edition inspects and which policy
    /// judges from here on.
    pub async fn begin(&self) -> Result<(), BeginError> {
        let given_up = self
            .state
            .jobs_of(Sort::GivenUp, workflow::JOBS_MAX)
            .await?
            .into_iter()
            .map(|job| (job.work, job.last_error.unwrap_or_default()));
        self.parked.add(given_up);
        let mut editions = self.state.editions().await?;
        if let btree_map::Entry::Vacant(begins) = editions.entry(EDITION) {
            let (at, commands) = (self.clock.now(), vec![Command::EditionBegun { edition: EDITION }]);
            self.state.commit(Batch { at, actor: Actor::Airlock, conditions: Vec::new(), commands }).await?;
            begins.insert(at);
        }
        for package in self.state.locals().await?.into_iter().chain(self.state.let_in().await?) {
            self.familiar.add(&package);
        }
        for ecosystem in self.ecosystems.values() {
            // Read before anybody waits for it.
            let ecosystem = Arc::clone(ecosystem);
            drop(tokio::task::spawn_blocking(move || _ = ecosystem.names()));
        }
        // It begins once.
        let _ = self.editions.set(Arc::new(Editions(editions)));
        self.waivers.know(self.state.waivers().await?);
        let text = text_of(&self.policy);
        let digest = self.policy_digest;
        let recorded = self.state.policy().await?;
        if recorded != Some(digest) {
            let commands = vec![Command::Policy { digest, text }];
            self.state.commit(Batch { at: self.clock.now(), actor: Actor::Airlock, conditions: Vec::new(), commands }).await?;
        }
        // Of an earlier start too, that did not come to compare them.
        if let Some(before) = self.state.policy_before().await? {
            _ = self.policy_before.set(before);
        }
        Ok(())
    }

    /// The policy that judged before, by its digest, where what this one changed is not recorded yet.
    pub fn policy_before(&self) -> Option<DocumentDigest> {
        self.policy_before.get().copied()
    }

    /// Writes down what the policy of this start changed of what is in use.
    pub async fn record_rejudged(&self, rejudged: Rejudged) -> Result<(), CommitError> {
        let commands = vec![Command::Rejudged { policy: self.policy_digest, rejudged }];
        let batch = Batch { at: self.clock.now(), actor: Actor::Airlock, conditions: Vec::new(), commands };
        self.state.commit(batch).await.map(drop)
    }

    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// As [`Quarantine::standings`], of what is recorded; whom its releases belong together with hear of it.
    pub fn judged(&self, index: &Index, state: &PackageState, now: Timestamp) -> Standings {
        // What people let in is known from the start and from their decisions on.
        if state.local.is_some() {
            self.familiar.add(&index.package);
        }
        let standings = self.standings(index, state, now);
        self.cohorts.hear(index, &standings);
        standings
    }

    /// Takes in whom the package's young releases belong together with.
    pub fn bind(&self, index: &Index, state: &PackageState, now: Timestamp) {
        if let Some(ecosystem) = self.ecosystem(index.package.ecosystem) {
            self.cohorts.bind(&question(&self.policy, index, state, &|manifest| ecosystem.bonds(manifest), now));
        }
    }

    /// Packages that have to be judged before the ties of this one are settled.
    pub fn strangers(&self, package: &PackageId, now: Timestamp) -> Vec<PackageId> {
        self.cohorts.strangers(package, now)
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
        self.context_by((&self.policy, &self.cohorts), index, state, now)
    }

    /// The same where another policy judges, with what it makes of the companions.
    fn context_by(&self, (policy, cohorts): (&Policy, &Cohorts), index: &Index, state: &PackageState, now: Timestamp) -> Context {
        let editions = self.editions.get().cloned().unwrap_or_default();
        let Some(ecosystem) = self.ecosystem(index.package.ecosystem) else { return Context::default() };
        let is_named_outside = state.local.is_none() && self.is_public(policy, &index.package);
        let (advised, feed) = self.feeds.advised(index, state, &**ecosystem, is_named_outside, now);
        let ties = cohorts.ties(&question(policy, index, state, &|manifest| ecosystem.bonds(manifest), now));
        let identity = Arc::new(self.identity(policy, index, state, &**ecosystem, now));
        Context { advised, feed, waivers: self.waivers.of(&index.package), ties, identity, editions }
    }

    /// Who published its releases, and as what.
    fn identity(&self, policy: &Policy, index: &Index, state: &PackageState, ecosystem: &dyn Ecosystem, now: Timestamp) -> Identity {
        let first_seen_at = state.first_seen_at.unwrap_or(now);
        let counts_from = index.rows.iter().map(|row| Age::of(row, state.releases.get(&row.version), first_seen_at).counts_from);
        let counts_from: Vec<Timestamp> = counts_from.collect();
        let mut findings = publisher::examine(&publisher::Question {
            index,
            counts_from: &counts_from,
            precedence: &|left, right| ecosystem.precedence(left, right),
            track: &|version| ecosystem.track(version),
        });
        for (version, finding) in self.bursts.examine(index, &counts_from, now) {
            findings.entry(version).or_default().push(finding);
        }
        let may_imitate = state.local.is_none() && self.is_public(policy, &index.package);
        let typosquat = may_imitate.then(|| self.familiar.examine(&index.package, ecosystem)).flatten();
        Identity { findings, typosquat }
    }

    /// Whether the name is the one that feeds speak of: neither of a private scope nor of one that has a registry of its own.
    pub fn is_of_public_registry(&self, package: &PackageId) -> bool {
        self.is_public(&self.policy, package)
    }

    fn is_public(&self, policy: &Policy, package: &PackageId) -> bool {
        let Some(scope) = package.name.scope() else { return true };
        let is_private = policy.private_scopes.iter().any(|private| private.eq_ignore_ascii_case(scope));
        !is_private && self.upstreams.own_scope(Some(scope)).is_none()
    }

    /// Another number whenever [`Quarantine::standings`] of the package may come out otherwise at the same revision and time.
    pub fn outside_changes(&self, package: &PackageId) -> u64 {
        let Self { feeds, parked, waivers, cohorts, bursts, familiar, .. } = self;
        let of_it = [feeds.changes(package), waivers.changes(package), cohorts.changes(package), bursts.changes(package)];
        let all = of_it.into_iter().chain([parked.changes(), familiar.changes()]);
        // Of numbers of which one differs, the sum differs too, as each is spread by what is odd.
        all.fold(0_u64, |sum, one| sum.rotate_left(21).wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(one))
    }

    pub fn feeds(&self) -> &Feeds {
        &self.feeds
    }

    pub fn ecosystem(&self, id: EcosystemId) -> Option<&Arc<dyn Ecosystem>> {
        self.ecosystems.get(&id)
    }

    /// The formats that are built.
    pub fn ecosystem_ids(&self) -> impl Iterator<Item = EcosystemId> {
        self.ecosystems.keys().copied()
    }

    /// The ledger after `after`, oldest first, at most `limit` entries.
    pub async fn audit(&self, after: Sequence, limit: usize) -> Result<Vec<Entry>, ReadError> {
        self.state.entries(after, limit).await
    }

    /// Proves the ledger from its first byte to its last.
    pub async fn verify(&self) -> Result<Proof, ReadError> {
        self.state.verify().await
    }

    /// Inspections that were given up and wait for people, oldest first.
    pub async fn parked(&self) -> Result<Vec<Job>, ReadError> {
        self.state.jobs_of(Sort::GivenUp, workflow::JOBS_MAX).await
    }

    /// How many jobs are not done and not given up; at most [`workflow::JOBS_MAX`] are counted.
    pub async fn jobs_waiting(&self) -> Result<usize, ReadError> {
        Ok(self.state.jobs_of(Sort::Waiting, workflow::JOBS_MAX).await?.len())
    }

    /// Notices of a release that are not delivered yet, or were given up, oldest first.
    pub async fn notices_of(&self, release: &ReleaseId) -> Result<Vec<Job>, ReadError> {
        self.state.jobs_of(Sort::NoticesOf(release.clone()), workflow::JOBS_MAX).await
    }
}

/// The policy as the ledger keeps it: everything that a judgement asks of it.
pub fn text_of(policy: &Policy) -> String {
    serde_json::to_string(policy).unwrap_or_default()
}

#[derive(Debug, thiserror::Error)]
pub enum BeginError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Commit(#[from] CommitError),
}
