//! Notices as they leave: who pulled a release that was taken back, told to whoever is to be told.

use std::sync::Arc;

use crate::catalog::Catalog;
use crate::catalog::CatalogError;
use crate::events::NotDelivered;
use crate::events::notice_id;
use crate::model::finding::printable;
use crate::model::job::Job;
use crate::model::notice::HookId;
use crate::model::notice::Notice;
use crate::model::notice::NoticeKind;
use crate::model::notice::NoticePuller;
use crate::model::release::ReleaseId;
use crate::quarantine::judge::pin;
use crate::quarantine::recalls::recalled;

/// Of an error that is kept of an attempt.
const ERROR_BYTES_MAX: usize = 300;

impl Catalog {
    /// Makes one attempt to deliver the notice of a job.
    pub(super) async fn notify(self: &Arc<Self>, job: &Job, release: &ReleaseId, event: NoticeKind, hook: &HookId) {
        let outcome = match self.notice(job, release, event, hook).await {
            Ok(notice) => match self.notices.deliver(hook, &notice, &self.clock).await {
                Ok(()) => Ok(()),
                Err(NotDelivered::Forgotten) => {
                    tracing::warn!(%release, "a notice is dropped: nobody is told there any more");
                    Ok(())
                }
                Err(error) => Err(error.to_string()),
            },
            Err(error) => Err(error.to_string()),
        };
        self.quarantine.told(job, outcome.map_err(|error| printable(&error, ERROR_BYTES_MAX))).await;
    }

    async fn notice(self: &Arc<Self>, job: &Job, release: &ReleaseId, event: NoticeKind, hook: &HookId) -> Result<Notice, CatalogError> {
        let pulls = self.pulls(release).await?;
        let state = self.state.package(&release.package).await?;
        let released = state.releases.get(&release.version);
        let file = released.and_then(|one| one.inspections.keys().chain(one.pins.keys()).next());
        let puller = |pull: &crate::model::pull::PullCount| NoticePuller {
            by: pull.puller.by.clone(),
            address: pull.puller.address.to_string(),
            count: pull.count,
            last_at: pull.last_at,
        };
        let decision = released.and_then(|one| recalled(one, self.clock.now())).filter(|_| event == NoticeKind::Recalled);
        Ok(Notice {
            id: notice_id(&[event.as_str(), &release.to_string(), hook, &job.queued_at.to_string()]),
            event,
            package: release.package.name.to_string(),
            ecosystem: release.package.ecosystem.to_string(),
            version: release.version.to_string(),
            digest: file.and_then(|file| pin(file, released)).copied(),
            at: decision.map(|one| one.at),
            by: decision.map(|one| one.by.clone()),
            reason: decision.map(|one| one.reason.clone()),
            pulls: pulls.iter().map(|pull| pull.count).sum(),
            pullers: pulls.iter().rev().take(Notice::PULLERS_MAX).map(puller).collect(),
            pullers_total: pulls.len() as u64,
        })
    }

    /// Where a notice goes to, for people.
    pub fn told_at(&self, hook: &HookId) -> Option<String> {
        self.notices.origin(hook)
    }
}
