//! The workflow: an artifact is fetched into quarantine, hashed, inspected, and what was found is recorded, as a job that
//! a crash cannot lose and that is given up, for people to see, after a bounded number of tries.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;

use crate::ecosystem::Ecosystem;
use crate::ecosystem::Inspected;
use crate::model::actor::Actor;
use crate::model::digest::Digest;
use crate::model::digest::IntegrityOutcome;
use crate::model::digest::Verified;
use crate::model::facts::Facts;
use crate::model::index::Artifact;
use crate::model::job::Job;
use crate::model::job::Work;
use crate::model::package::PackageId;
use crate::model::package::Version;
use crate::model::release::ReleaseId;
use crate::model::time::Timestamp;
use crate::quarantine::Quarantine;
use crate::quarantine::baseline::Against;
use crate::quarantine::bytes::Known;
use crate::quarantine::checks::inspection::EDITION;
use crate::quarantine::checks::inspection::INTEGRITY_ONLY;
use crate::storage::blob::BlobError;
use crate::storage::record::Command;
use crate::storage::record::Inspection;
use crate::storage::state::Batch;
use crate::storage::state::CommitError;
use crate::storage::state::ReadError;
use crate::upstream::UpstreamError;

/// Inspections under way at once, waiting ones too.
pub const INSPECTIONS_MAX: usize = 1_024;
/// Artifacts in hand, and so in memory, at once: from before their first byte until their facts are recorded.
pub const HANDS: usize = 16;
/// Jobs read at once.
pub const JOBS_MAX: usize = 10_000;
/// After so many tries a job is given up and waits for people.
pub const ATTEMPTS_MAX: u32 = 5;
/// A job whose worker is silent for so long is taken for lost.
pub const LEASE: Duration = Duration::from_secs(120);
/// Jobs leased in one go.
const LEASED_MAX: usize = 16;
/// How the text of a failure begins that may be the release's own doing.
pub const CRASHED: &str = "the inspection crashed";
const BACKOFF: Duration = Duration::from_secs(10);
const BACKOFF_MAX: Duration = Duration::from_secs(3_600);

/// What an inspection came to. Shared by all who wait for it.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// Facts are recorded; the release can be judged.
    Recorded,
    /// Not this time; it is tried again later.
    Failed(Arc<InspectError>),
}

#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    #[error(transparent)]
    Upstream(UpstreamError),
    #[error(transparent)]
    Blob(#[from] BlobError),
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// The inspection itself failed; the release stays in quarantine.
    #[error("{CRASHED}: {0}")]
    Crashed(String),
    /// The bytes that were pinned are not kept here any more, and upstream now gives others.
    #[error("the bytes pinned when it was first inspected, {pinned}, are gone, and upstream now gives {found}")]
    OtherBytes { pinned: Box<Digest>, found: Box<Digest> },
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It was tried too often.
    #[error("inspecting it failed {ATTEMPTS_MAX} times, last with: {0}")]
    GivenUp(String),
    #[error("too many inspections are waiting")]
    Busy,
    /// The package's own records could not be read before it began.
    #[error("{0}")]
    NotReady(String),
}

/// What happened since the start, for metrics.
#[derive(Debug, Default)]
pub struct Counts {
    inspected: AtomicU64,
    failed: AtomicU64,
    bytes: AtomicU64,
}

/// A reading of [`Counts`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Condition {
    pub inspected: u64,
    pub failed: u64,
    pub inspected_bytes: u64,
    pub parked: u64,
}

/// One artifact to inspect, with all that is needed.
#[derive(Clone, Debug)]
pub struct Subject {
    pub release: ReleaseId,
    pub artifact: Artifact,
    /// The release's text in the index.
    pub manifest: Bytes,
    /// As upstream claims.
    pub published_at: Option<Timestamp>,
    /// What it is compared with, where there is something.
    pub against: Option<Against>,
}

impl Subject {
    pub(super) fn work(&self) -> Work {
        Work::Inspect { release: self.release.clone(), file: self.artifact.file.clone() }
    }
}

/// Bytes that were looked at.
struct Seen {
    content: Verified,
    outcome: IntegrityOutcome,
    /// `None` where they are not the bytes they should be; an error says how the inspection crashed.
    inspected: Option<Result<Inspected, String>>,
}

pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Quarantine {
    /// Inspects now, or joins the inspection that is under way. It goes on when the caller stops waiting.
    pub async fn inspect(self: &Arc<Self>, subject: Subject) -> Outcome {
        let work = subject.work();
        if let Some(error) = self.parked.crash(&work) {
            return Outcome::Failed(Arc::new(InspectError::GivenUp(error)));
        }
        let this = Arc::clone(self);
        let joined = self.inspections.join(work, async move { this.inspect_as_job(subject).await }).await;
        joined.unwrap_or_else(|_| Outcome::Failed(Arc::new(InspectError::Busy)))
    }

    /// The job is queued and leased in one record, while the bytes are on their way already.
    async fn inspect_as_job(self: Arc<Self>, subject: Subject) -> Outcome {
        let now = self.clock.now();
        let work = subject.work();
        let commands = vec![Command::JobQueued { work: work.clone(), due_at: now }, Command::JobLeased { work, until: now.plus(LEASE) }];
        let queued = self.state.commit(Batch { at: now, actor: Actor::Airlock, conditions: Vec::new(), commands });
        let Ok(_hand) = self.hands.acquire().await else { return Outcome::Failed(Arc::new(InspectError::Busy)) };
        let (queued, fetched) = tokio::join!(queued, self.fetch(&subject));
        if let Err(error) = queued {
            return Outcome::Failed(Arc::new(error.into()));
        }
        Arc::clone(&self).finish(subject, 1, fetched).await
    }

    /// Does a job that was leased by [`Quarantine::lease`].
    pub async fn work_off(self: &Arc<Self>, job: &Job, subject: Subject) -> Outcome {
        match self.ask_again(&subject, job.attempts).await {
            Some(Ok(())) => return Outcome::Recorded,
            // Nothing of it says anything of the release, which was inspected.
            Some(Err(error)) => {
                tracing::debug!(release = %subject.release, %error, "what speaks for it could not be asked for again");
                return self.asked_in_vain(subject.work(), job.attempts).await;
            }
            None => {}
        }
        if job.attempts > ATTEMPTS_MAX {
            // Its workers died without a word: the bytes may be what kills them.
            let error = job.last_error.clone().unwrap_or_else(|| format!("{CRASHED}: the worker died"));
            return self.give_up(subject.work(), error).await;
        }
        let this = Arc::clone(self);
        let attempts = job.attempts;
        let work = subject.work();
        let joined = self.inspections.join(work, async move {
            let Ok(_hand) = this.hands.acquire().await else { return Outcome::Failed(Arc::new(InspectError::Busy)) };
            let fetched = this.fetch(&subject).await;
            Arc::clone(&this).finish(subject, attempts, fetched).await
        });
        joined.await.unwrap_or_else(|_| Outcome::Failed(Arc::new(InspectError::Busy)))
    }

    async fn finish(self: Arc<Self>, subject: Subject, attempts: u32, fetched: Result<Bytes, InspectError>) -> Outcome {
        let work = subject.work();
        let outcome = match fetched {
            Ok(bytes) => self.examine(&subject, attempts, bytes).await,
            Err(error) => Err(error),
        };
        match outcome {
            Ok(()) => {
                self.parked.remove(&work);
                self.counts.inspected.fetch_add(1, Ordering::Relaxed);
                Outcome::Recorded
            }
            Err(error) => {
                self.counts.failed.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(release = %subject.release, attempts, %error, "an inspection failed");
                self.fail(work, attempts, error).await
            }
        }
    }

    /// Whether the failure is upstream's definite answer, an outage, or the release's own doing decides what becomes of the job.
    async fn fail(&self, work: Work, attempts: u32, error: InspectError) -> Outcome {
        let now = self.clock.now();
        let attempts = match &error {
            InspectError::Crashed(_) => self.parked.crashed(&work).max(attempts),
            InspectError::Upstream(_)
            | InspectError::Blob(_)
            | InspectError::Commit(_)
            | InspectError::Read(_)
            | InspectError::OtherBytes { .. }
            | InspectError::GivenUp(_)
            | InspectError::NotReady(_)
            | InspectError::Busy => attempts,
        };
        let command = match &error {
            // A definite answer: there is nothing to inspect. The next download asks again.
            InspectError::Upstream(error) if !error.is_outage() => Command::JobDone { work },
            InspectError::Busy | InspectError::OtherBytes { .. } => Command::JobDone { work },
            InspectError::Upstream(_)
            | InspectError::Read(_)
            | InspectError::Crashed(_)
            | InspectError::Blob(_)
            | InspectError::Commit(_)
            | InspectError::NotReady(_)
            | InspectError::GivenUp(_) => {
                if attempts >= ATTEMPTS_MAX {
                    return self.give_up(work, error.to_string()).await;
                }
                let pause = BACKOFF.saturating_mul(1_u32 << attempts.min(16)).min(BACKOFF_MAX);
                Command::JobFailed { work, error: error.to_string(), retry_at: Some(now.plus(pause)) }
            }
        };
        self.note(command).await;
        Outcome::Failed(Arc::new(error))
    }

    async fn give_up(&self, work: Work, error: String) -> Outcome {
        tracing::error!(?work, error, "given up; `airlock queue` shows it, `airlock reopen` tries again");
        self.parked.add([(work.clone(), error.clone())]);
        self.note(Command::JobFailed { work, error: error.clone(), retry_at: None }).await;
        Outcome::Failed(Arc::new(InspectError::GivenUp(error)))
    }

    /// Writes down how a job went. If even that fails, its lease runs out and it is tried again.
    pub(super) async fn note(&self, command: Command) {
        let batch = Batch { at: self.clock.now(), actor: Actor::Airlock, conditions: Vec::new(), commands: vec![command] };
        if let Err(error) = self.state.commit(batch).await {
            tracing::error!(%error, "how a job went could not be recorded");
        }
    }

    async fn examine(&self, subject: &Subject, attempts: u32, bytes: Bytes) -> Result<(), InspectError> {
        let Known { pinned, integrity_only } = self.known(subject).await?;
        let mut seen = self.look(subject, bytes, pinned, integrity_only).await?;
        if matches!(seen.outcome, IntegrityOutcome::Disagrees { .. }) {
            // A transfer may go wrong once: ask again before it is held against the release.
            drop(seen);
            seen = self.look(subject, self.fetch(subject).await?, pinned, integrity_only).await?;
        }
        let Seen { content, outcome, inspected } = seen;
        if let Some(pinned) = pinned
            && pinned != *content.digest()
        {
            return Err(InspectError::OtherBytes { pinned: Box::new(pinned), found: Box::new(*content.digest()) });
        }
        let is_looked_into = inspected.is_some() && !integrity_only;
        let (digest, size) = (*content.digest(), content.size());
        let facts = match inspected {
            Some(inspected) => {
                let inspected = inspected.map_err(InspectError::Crashed)?;
                self.keep_aside(&content, pinned.is_some()).await?;
                // What it is compared with comes into memory after it has gone.
                drop(content);
                let against = subject.against.as_ref().filter(|_| !integrity_only);
                self.with_change(&subject.release, &subject.artifact.file, against, inspected).await?
            }
            None => Facts::default(),
        };
        self.counts.bytes.fetch_add(facts.unpacked_bytes, Ordering::Relaxed);
        let now = self.clock.now();
        let substance = Some(self.substance(subject.release.package.ecosystem, &subject.manifest));
        let edition = if integrity_only { INTEGRITY_ONLY } else { EDITION };
        let (evidence, is_unanswered) = if is_looked_into {
            let gathered = self.evidence(subject, &digest).await?;
            (gathered.evidence.map(Box::new), gathered.is_unanswered)
        } else {
            (None, false)
        };
        let inspection = Inspection { at: now, edition, digest, size, integrity: outcome, facts, substance, evidence };
        let commands = vec![
            Command::Inspected { release: subject.release.clone(), file: subject.artifact.file.clone(), inspection: Box::new(inspection) },
            self.asked(subject.work(), is_unanswered, attempts),
        ];
        self.state.commit(Batch { at: now, actor: Actor::Airlock, conditions: Vec::new(), commands }).await?;
        Ok(())
    }

    /// Hashes the bytes and looks inside, in one go: the bytes are in the core's cache then.
    async fn look(&self, subject: &Subject, bytes: Bytes, pinned: Option<Digest>, integrity_only: bool) -> Result<Seen, InspectError> {
        let package = subject.release.package.clone();
        let Some(ecosystem) = self.ecosystem(package.ecosystem).map(Arc::clone) else {
            return Err(InspectError::Crashed(format!("{} is reserved, not built yet", package.ecosystem)));
        };
        let version = subject.release.version.clone();
        let manifest = subject.manifest.clone();
        let integrity = subject.artifact.integrity.clone();
        let look = move || {
            let content = Verified::measure(bytes.clone());
            let outcome = integrity.compare(&bytes, content.digest());
            let is_worth_it = match &outcome {
                IntegrityOutcome::Disagrees { .. } => false,
                IntegrityOutcome::Agrees | IntegrityOutcome::WeaklyAgrees | IntegrityOutcome::Unstated => {
                    pinned.is_none_or(|pinned| pinned == *content.digest())
                }
            };
            let inspect = || {
                if integrity_only {
                    Ok(Inspected::default())
                } else {
                    inspect_or_say_why(&*ecosystem, &package, &version, &manifest, &bytes)
                }
            };
            let inspected = is_worth_it.then(inspect);
            Seen { content, outcome, inspected }
        };
        self.compute(look).await
    }

    /// Runs `compute` off the serving threads, as many at a time as there are cores.
    pub(super) async fn compute<T: Send + 'static>(&self, compute: impl FnOnce() -> T + Send + 'static) -> Result<T, InspectError> {
        let Ok(bench) = Arc::clone(&self.benches).acquire_owned().await else { return Err(InspectError::Busy) };
        let task = tokio::task::spawn_blocking(move || {
            let _bench = bench;
            compute()
        });
        task.await.map_err(|error| InspectError::Crashed(error.to_string()))
    }

    /// Takes jobs that are due: left by a crash, or failed before.
    pub async fn lease(&self) -> Result<Vec<Job>, CommitError> {
        self.state.lease(self.clock.now(), LEASE, LEASED_MAX).await
    }

    /// Drops a job that has nothing to work on any more.
    pub async fn drop_job(&self, work: Work) {
        self.note(Command::JobDone { work }).await;
    }

    /// Gives up a job whose package cannot be had, for people to see.
    pub(crate) async fn park(&self, work: Work, error: String) {
        self.give_up(work, error).await;
    }

    pub async fn rung(&self) {
        self.bell.notified().await;
    }

    /// Lets background work look for what is due at once.
    pub fn ring(&self) {
        self.bell.notify_one();
    }

    pub fn condition(&self) -> Condition {
        Condition {
            inspected: self.counts.inspected.load(Ordering::Relaxed),
            failed: self.counts.failed.load(Ordering::Relaxed),
            inspected_bytes: self.counts.bytes.load(Ordering::Relaxed),
            parked: self.parked.len() as u64,
        }
    }
}

/// A panic of a reader is its failure, never a pass.
pub(super) fn inspect_or_say_why(
    ecosystem: &dyn Ecosystem,
    package: &PackageId,
    version: &Version,
    manifest: &[u8],
    bytes: &Bytes,
) -> Result<Inspected, String> {
    match std::panic::catch_unwind(AssertUnwindSafe(|| ecosystem.inspect(package, version, manifest, bytes))) {
        Ok(Ok(inspected)) => Ok(inspected),
        Ok(Err(unreadable)) => Err(unreadable.to_string()),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
            Err(text.unwrap_or("a panic without words").to_owned())
        }
    }
}
