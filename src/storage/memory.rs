//! The store in memory: the same fold, the same chain of hashes, and nothing that outlives the process. For tests.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use async_trait::async_trait;

use crate::model::actor::Actor;
use crate::model::digest::DocumentDigest;
use crate::model::job::Job;
use crate::model::job::Sort;
use crate::model::package::PackageId;
use crate::model::time::Timestamp;
use crate::model::token::Token;
use crate::model::user::User;
use crate::model::waiver::Waiver;
use crate::storage::ledger::frame;
use crate::storage::projection;
use crate::storage::record::Command;
use crate::storage::record::FeedHeard;
use crate::storage::record::PackageState;
use crate::storage::record::Record;
use crate::storage::record::SealKey;
use crate::storage::record::Sequence;
use crate::storage::state::Batch;
use crate::storage::state::CommitError;
use crate::storage::state::Entry;
use crate::storage::state::IndexNote;
use crate::storage::state::Proof;
use crate::storage::state::ReadError;
use crate::storage::state::State;
use crate::storage::summary::Staged;
use crate::storage::summary::Summary;

#[derive(Default)]
pub struct MemoryState(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    summary: Summary,
    packages: BTreeMap<PackageId, Arc<PackageState>>,
    notes: HashMap<PackageId, IndexNote>,
    entries: Vec<Entry>,
    closed: bool,
    /// What the next commits come to, for tests of who commits.
    #[cfg(test)]
    faults: std::collections::VecDeque<CommitError>,
    #[cfg(test)]
    is_stalled: bool,
    /// Packages and waivers cannot be read: not now, and not from the next commit on.
    #[cfg(test)]
    is_blind: bool,
    #[cfg(test)]
    blinds_next: bool,
}

impl MemoryState {
    pub fn new() -> MemoryState {
        MemoryState::default()
    }

    /// The next commit fails so and writes nothing; several, one after the other.
    #[cfg(test)]
    pub fn fail_next(&self, error: CommitError) {
        self.inner().faults.push_back(error);
    }

    /// The next commit comes to no end, and writes nothing.
    #[cfg(test)]
    pub fn stall_next(&self) {
        self.inner().is_stalled = true;
    }

    /// From the next commit on, which is recorded, packages and waivers cannot be read.
    #[cfg(test)]
    pub fn blind_after_next(&self) {
        self.inner().blinds_next = true;
    }

    #[cfg(test)]
    pub fn see_again(&self) {
        self.inner().is_blind = false;
    }

    fn readable(&self) -> Result<MutexGuard<'_, Inner>, ReadError> {
        let inner = self.inner();
        #[cfg(test)]
        if inner.is_blind {
            return Err(ReadError::Damaged("nothing can be read".to_owned()));
        }
        Ok(inner)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn push(&mut self, at: Timestamp, actor: Actor, commands: Vec<Command>) -> Result<Sequence, CommitError> {
        let previous = self.entries.last().map_or(frame::GENESIS, |entry| entry.hash);
        let sequence = Sequence(self.summary.sequence.0 + 1);
        let record = Record { version: Record::VERSION, sequence, at, actor, commands };
        let hash = frame::write(&record, &previous, &mut Vec::new()).map_err(|fault| CommitError::TooLarge { why: fault.to_string() })?;
        for package in projection::packages(&record) {
            let state = self.packages.entry(package.clone()).or_default();
            projection::fold(Arc::make_mut(state), package, &record);
        }
        self.summary.apply(&record);
        self.entries.push(Entry { record, hash, previous });
        Ok(sequence)
    }
}

#[async_trait]
impl State for MemoryState {
    async fn commit(&self, batch: Batch) -> Result<Sequence, CommitError> {
        #[cfg(test)]
        if std::mem::take(&mut self.inner().is_stalled) {
            std::future::pending::<()>().await;
        }
        let mut inner = self.inner();
        if inner.closed {
            return Err(CommitError::Closed);
        }
        #[cfg(test)]
        if let Some(fault) = inner.faults.pop_front() {
            return Err(fault);
        }
        if let Some(condition) = Staged::on(&inner.summary).refused(&batch.conditions, batch.at) {
            return Err(CommitError::Conflict(condition));
        }
        #[cfg(test)]
        if std::mem::take(&mut inner.blinds_next) {
            inner.is_blind = true;
        }
        inner.push(batch.at, batch.actor, batch.commands)
    }

    async fn package(&self, package: &PackageId) -> Result<Arc<PackageState>, ReadError> {
        Ok(self.readable()?.packages.get(package).cloned().unwrap_or_default())
    }

    async fn revision(&self, package: &PackageId) -> Result<Sequence, ReadError> {
        Ok(self.inner().summary.revision(package))
    }

    async fn packages(&self, after: Option<&PackageId>, limit: usize) -> Result<Vec<(PackageId, Arc<PackageState>)>, ReadError> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let inner = self.inner();
        let page = inner.packages.range((from, Bound::Unbounded)).take(limit);
        Ok(page.map(|(package, state)| (package.clone(), Arc::clone(state))).collect())
    }

    async fn tokens(&self) -> Result<Vec<Token>, ReadError> {
        Ok(self.inner().summary.tokens.all().to_vec())
    }

    async fn users(&self) -> Result<Vec<User>, ReadError> {
        Ok(self.inner().summary.users.all().to_vec())
    }

    async fn keys(&self) -> Result<Vec<SealKey>, ReadError> {
        Ok(self.inner().summary.keys.clone())
    }

    async fn locals(&self) -> Result<Vec<PackageId>, ReadError> {
        Ok(self.inner().summary.locals.iter().cloned().collect())
    }

    async fn let_in(&self) -> Result<Vec<PackageId>, ReadError> {
        Ok(self.inner().summary.let_in.iter().cloned().collect())
    }

    async fn names_alike(&self, package: &PackageId) -> Result<Vec<PackageId>, ReadError> {
        Ok(self.inner().summary.names_alike(package))
    }

    async fn waivers(&self) -> Result<Vec<Waiver>, ReadError> {
        Ok(self.readable()?.summary.waivers.all().to_vec())
    }

    async fn feeds(&self) -> Result<BTreeMap<String, FeedHeard>, ReadError> {
        Ok(self.inner().summary.feeds.clone())
    }

    async fn editions(&self) -> Result<BTreeMap<u16, Timestamp>, ReadError> {
        Ok(self.inner().summary.editions.clone())
    }

    async fn stars_of(&self, user: &str) -> Result<Vec<PackageId>, ReadError> {
        Ok(self.inner().summary.stars_of.get(user).into_iter().flatten().cloned().collect())
    }

    async fn lease(&self, now: Timestamp, duration: Duration, limit: usize) -> Result<Vec<Job>, CommitError> {
        let mut inner = self.inner();
        if inner.closed {
            return Err(CommitError::Closed);
        }
        let works = Staged::on(&inner.summary).leasable(now, limit);
        if works.is_empty() {
            return Ok(Vec::new());
        }
        let until = now.plus(duration);
        let commands = works.iter().map(|work| Command::JobLeased { work: work.clone(), until }).collect();
        inner.push(now, Actor::Airlock, commands)?;
        Ok(works.iter().filter_map(|work| inner.summary.jobs.get(work).cloned()).collect())
    }

    async fn jobs(&self, limit: usize) -> Result<Vec<Job>, ReadError> {
        Ok(self.inner().summary.jobs.iter().take(limit).cloned().collect())
    }

    async fn jobs_of(&self, sort: Sort, limit: usize) -> Result<Vec<Job>, ReadError> {
        Ok(self.inner().summary.jobs.iter().filter(|job| sort.has(job)).take(limit).cloned().collect())
    }

    async fn entries(&self, after: Sequence, limit: usize) -> Result<Vec<Entry>, ReadError> {
        let inner = self.inner();
        let from = usize::try_from(after.0).unwrap_or(usize::MAX);
        Ok(inner.entries.iter().skip(from).take(limit).cloned().collect())
    }

    async fn policy(&self) -> Result<Option<DocumentDigest>, ReadError> {
        Ok(self.inner().summary.policy)
    }

    async fn policy_before(&self) -> Result<Option<DocumentDigest>, ReadError> {
        Ok(self.inner().summary.policy_before)
    }

    async fn verify(&self) -> Result<Proof, ReadError> {
        let inner = self.inner();
        let mut head = frame::GENESIS;
        for entry in &inner.entries {
            let again = frame::write(&entry.record, &head, &mut Vec::new()).map_err(|fault| ReadError::Damaged(fault.to_string()))?;
            if again != entry.hash || head != entry.previous {
                let sequence = entry.record.sequence.0;
                return Ok(Proof::Broken { after: Sequence(sequence.saturating_sub(1)), place: format!("record {sequence}") });
            }
            head = again;
        }
        Ok(Proof::Sound { records: inner.entries.len() as u64, head })
    }

    async fn put_note(&self, package: &PackageId, note: IndexNote) {
        self.inner().notes.insert(package.clone(), note);
    }

    async fn note(&self, package: &PackageId) -> Option<IndexNote> {
        self.inner().notes.get(package).cloned()
    }

    async fn health(&self) -> Result<(), String> {
        if self.inner().closed { Err("the store is shutting down".to_owned()) } else { Ok(()) }
    }

    async fn close(&self) {
        self.inner().closed = true;
    }
}
