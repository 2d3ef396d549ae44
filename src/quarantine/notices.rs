//! Notices as jobs: queued with the very record of what they tell, tried again, and given up after a bounded number of tries.

use std::time::Duration;

use crate::model::actor::Actor;
use crate::model::job::Job;
use crate::model::job::Work;
use crate::model::notice::HookId;
use crate::model::notice::NoticeKind;
use crate::model::release::ReleaseId;
use crate::model::time::Timestamp;
use crate::quarantine::Quarantine;
use crate::storage::record::Command;
use crate::storage::state::Batch;

/// After so many tries a notice is given up: that takes about two and a half hours.
pub const TRIES_MAX: u32 = 10;
const BACKOFF: Duration = Duration::from_secs(15);
const BACKOFF_MAX: Duration = Duration::from_secs(3_600);

impl Quarantine {
    /// From here on these are told.
    #[must_use]
    pub fn telling(self, hooks: Vec<HookId>) -> Quarantine {
        Quarantine { hooks, ..self }
    }

    /// A job for each who is told.
    pub(super) fn notices(&self, release: &ReleaseId, event: NoticeKind, now: Timestamp) -> Vec<Command> {
        let job = |hook: &HookId| {
            let work = Work::Notify { release: release.clone(), event, hook: hook.clone() };
            Command::JobQueued { work, due_at: now }
        };
        self.hooks.iter().map(job).collect()
    }

    /// Queues notices of what nobody decided.
    pub async fn tell(&self, release: &ReleaseId, event: NoticeKind) {
        let now = self.clock.now();
        let commands = self.notices(release, event, now);
        if commands.is_empty() {
            return;
        }
        if let Err(error) = self.state.commit(Batch { at: now, actor: Actor::Airlock, conditions: Vec::new(), commands }).await {
            tracing::error!(%release, event = event.as_str(), %error, "nobody outside is told: the notices could not be recorded");
        }
        self.ring();
    }

    /// Writes down how the attempt that `job` is went.
    pub async fn told(&self, job: &Job, outcome: Result<(), String>) {
        let work = job.work.clone();
        let command = match outcome {
            Ok(()) => Command::JobDone { work },
            Err(error) if job.attempts >= TRIES_MAX => {
                tracing::error!(?work, error, "a notice was given up; `airlock recall status` shows it");
                Command::JobFailed { work, error, retry_at: None }
            }
            Err(error) => {
                tracing::warn!(?work, error, "a notice could not be delivered");
                let pause = BACKOFF.saturating_mul(1_u32 << job.attempts.min(16)).min(BACKOFF_MAX);
                Command::JobFailed { work, error, retry_at: Some(self.clock.now().plus(pause)) }
            }
        };
        self.note(command).await;
    }
}
