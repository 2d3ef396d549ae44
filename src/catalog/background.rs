//! Work besides requests: jobs that are due, and the walk that finds what waits for people after a start.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::catalog::Catalog;
use crate::catalog::artifact::find;
use crate::model::job::Job;
use crate::model::job::Work;

/// How often due jobs are looked for when nothing rings.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Packages read at once on the walk.
const PAGE: usize = 64;

impl Catalog {
    /// Works until `stop` says so; a job under way is finished first.
    pub async fn work(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let walk = tokio::spawn(Arc::clone(&self).walk(stop.clone()));
        while !*stop.borrow() {
            match self.quarantine.lease().await {
                Ok(jobs) if jobs.is_empty() => {}
                Ok(jobs) => {
                    futures_util::future::join_all(jobs.iter().map(|job| self.work_off(job))).await;
                    continue;
                }
                Err(error) => tracing::error!(%error, "due jobs could not be leased"),
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = self.quarantine.rung() => {}
                _ = stop.changed() => {}
            }
        }
        walk.abort();
    }

    async fn work_off(self: &Arc<Self>, job: &Job) {
        let Work::Inspect { release, file } = &job.work;
        let found = match self.shelf(&release.package).await {
            Ok(shelf) => find(&shelf.index, file),
            Err(error) => {
                // The lease runs out and it is tried again; a package that is gone is dropped below at last.
                tracing::warn!(%release, %error, "a job's package could not be had");
                if job.attempts < crate::quarantine::workflow::ATTEMPTS_MAX {
                    return;
                }
                None
            }
        };
        match found {
            Some(found) if found.release == *release => {
                self.quarantine.work_off(job, found.subject()).await;
            }
            Some(_) | None => self.quarantine.drop_job(job.work.clone()).await,
        }
    }

    /// Judges every known package once, a page at a time, so that the queue is whole.
    async fn walk(self: Arc<Self>, stop: watch::Receiver<bool>) {
        let mut last = None;
        loop {
            let packages = match self.state.packages(last.as_ref(), PAGE).await {
                Ok(packages) => packages,
                Err(error) => {
                    tracing::error!(%error, "the walk over known packages stopped");
                    return;
                }
            };
            let Some((package, _)) = packages.last() else { break };
            last = Some(package.clone());
            for (package, state) in packages {
                if *stop.borrow() {
                    return;
                }
                // Only a package with inspections or decisions can have something for people.
                if state.releases.values().all(|one| one.inspections.is_empty() && one.decisions.is_empty()) {
                    continue;
                }
                let shelf = match self.known(&package, &state).await {
                    // Its document is lost: upstream has it again, and people wait for what is in it.
                    Ok(None) if state.last_sight.is_some() => self.shelf(&package).await.map(Some),
                    known => known,
                };
                match shelf {
                    Ok(Some(shelf)) => {
                        if let Err(error) = self.view(&shelf).await {
                            tracing::warn!(%package, %error, "could not be judged");
                        }
                    }
                    Ok(None) => {}
                    Err(error) => tracing::warn!(%package, %error, "could not be read"),
                }
                tokio::task::yield_now().await;
            }
        }
        self.board_is_complete();
    }
}
