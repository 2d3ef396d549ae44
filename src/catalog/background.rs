//! Work besides requests: jobs that are due, and the walk that finds what waits for people after a start.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::Id;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::catalog::Catalog;
use crate::catalog::CatalogError;
use crate::catalog::queue::Walk;
use crate::model::index::Index;
use crate::model::job::Job;
use crate::model::job::Work;
use crate::model::package::PackageId;
use crate::model::release::ReleaseId;
use crate::quarantine::standings::Standings;
use crate::quarantine::workflow::ATTEMPTS_MAX;
use crate::quarantine::workflow::Subject;
use crate::storage::record::PackageState;

/// How often due jobs are looked for when nothing rings.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Packages read at once on the walk.
pub(super) const PAGE: usize = 64;
/// For so many times as long as it works the walk rests: it takes a quarter of a core at most, and serving has the rest.
pub(super) const RESTS: u32 = 3;
/// Jobs are leased, some at a time, while fewer than this are under way.
const UNDER_WAY_MAX: usize = 48;

/// Jobs under way, slow ones among them, by their tasks.
#[derive(Default)]
struct UnderWay {
    tasks: JoinSet<()>,
    works: HashMap<Id, Work>,
}

impl UnderWay {
    fn has_room(&self) -> bool {
        self.tasks.len() < UNDER_WAY_MAX
    }

    /// Does nothing for a job that is under way still: it outlived its lease.
    fn begin(&mut self, catalog: &Arc<Catalog>, job: Job) {
        if self.works.values().any(|work| *work == job.work) {
            return;
        }
        let (catalog, work) = (Arc::clone(catalog), job.work.clone());
        let task = self.tasks.spawn(async move { catalog.work_off(&job).await });
        self.works.insert(task.id(), work);
    }

    /// Never returns while there is none.
    async fn one_ends(&mut self) {
        let Some(ended) = self.tasks.join_next_with_id().await else { return std::future::pending().await };
        let id = match ended {
            Ok((id, ())) => id,
            Err(error) => {
                tracing::error!(%error, "a job crashed; its lease runs out and it is tried again");
                error.id()
            }
        };
        self.works.remove(&id);
    }
}

impl Catalog {
    /// Works until `stop` says so; a job under way is finished first.
    pub async fn work(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let walk = tokio::spawn(Arc::clone(&self).look_over_all(stop.clone()));
        let feeds = tokio::spawn(Arc::clone(&self).hear_feeds(stop.clone()));
        let rejudge = tokio::spawn(Arc::clone(&self).rejudge(stop.clone()));
        let tidying = tokio::spawn(Arc::clone(&self).tidy_waivers(stop.clone()));
        let mut under_way = UnderWay::default();
        while !*stop.borrow() {
            if under_way.has_room() {
                match self.quarantine.lease().await {
                    Ok(jobs) if jobs.is_empty() => {}
                    Ok(jobs) => {
                        for job in jobs {
                            under_way.begin(&self, job);
                        }
                        continue;
                    }
                    Err(error) => tracing::error!(%error, "due jobs could not be leased"),
                }
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = self.quarantine.rung() => {}
                () = under_way.one_ends() => {}
                _ = stop.changed() => {}
            }
        }
        while !under_way.tasks.is_empty() {
            under_way.one_ends().await;
        }
        walk.abort();
        feeds.abort();
        rejudge.abort();
        tidying.abort();
    }

    pub(super) async fn work_off(self: &Arc<Self>, job: &Job) {
        let (release, file) = match &job.work {
            Work::Inspect { release, file } => (release, file),
            Work::Notify { release, event, hook } => return self.notify(job, release, *event, hook).await,
        };
        let found = match self.found_of(release, file).await {
            Ok(found) => found,
            Err(error) => {
                // The lease runs out and it is tried again.
                tracing::warn!(%release, %error, "a job's package could not be had");
                if job.attempts < ATTEMPTS_MAX {
                    return;
                }
                if !matches!(error, CatalogError::UnknownPackage(_)) {
                    self.quarantine.park(job.work.clone(), format!("its package could not be had: {error}")).await;
                    return;
                }
                // A definite answer: there is nothing to inspect.
                None
            }
        };
        match found {
            Some(subject) => _ = self.quarantine.work_off(job, subject).await,
            None => self.quarantine.drop_job(job.work.clone()).await,
        }
    }

    /// What a job is to inspect; `None` where the index has no such file of the release.
    async fn found_of(self: &Arc<Self>, release: &ReleaseId, file: &str) -> Result<Option<Subject>, CatalogError> {
        let shelf = self.shelf(&release.package).await?;
        match shelf.find(file).filter(|found| found.release == *release) {
            Some(found) => self.subject(&shelf, found).await.map(Some),
            None => Ok(None),
        }
    }

    /// What is done once after a start.
    async fn look_over_all(self: Arc<Self>, stop: watch::Receiver<bool>) {
        Arc::clone(&self).walk(stop.clone()).await;
        self.renew_inspections(&stop).await;
    }

    /// Judges every known package once, a page at a time, so that the queue is whole.
    async fn walk(self: Arc<Self>, stop: watch::Receiver<bool>) {
        let mut last = None;
        let mut missed = 0_u64;
        loop {
            let began = Instant::now();
            let packages = match self.state.packages(last.as_ref(), PAGE).await {
                Ok(packages) => packages,
                Err(error) => {
                    tracing::error!(%error, "the walk over known packages stopped");
                    missed += 1;
                    break;
                }
            };
            let Some((package, _)) = packages.last() else { break };
            last = Some(package.clone());
            for (package, state) in packages {
                if *stop.borrow() {
                    return;
                }
                // Only a package with inspections, decisions or requests can have something for people, and only our own are all to be found.
                if state.local.is_none()
                    && state.releases.values().all(|one| one.inspections.is_empty() && one.decisions.is_empty() && one.requests.is_empty())
                {
                    if let Err(error) = self.remember_siblings(&package, &state).await {
                        tracing::warn!(%package, %error, "could not be read: what its releases belong together with is known once it is asked for");
                    }
                    continue;
                }
                if let Err(error) = self.find_waiting(&package, &state).await
                    && !matches!(error, CatalogError::UnknownPackage(_))
                {
                    tracing::warn!(%package, %error, "could not be judged: what waits of it for people is not in the queue until it is asked for");
                    missed += 1;
                }
                tokio::task::yield_now().await;
            }
            tokio::time::sleep(began.elapsed() * RESTS).await;
        }
        self.walked(if missed == 0 { Walk::Over } else { Walk::Incomplete });
    }

    /// Without bringing the package into memory, where its document is there. How it was judged.
    pub(super) async fn find_waiting(
        self: &Arc<Self>,
        package: &PackageId,
        state: &Arc<PackageState>,
    ) -> Result<(Arc<Index>, Standings), CatalogError> {
        if let Some(judged) = self.look_through(package, state).await? {
            return Ok(judged);
        }
        // It changed meanwhile, or its document is lost and is asked for again.
        let state = self.state.package(package).await?;
        let shelf = match self.known(package, &state).await? {
            Some(shelf) => shelf,
            None => self.shelf(package).await?,
        };
        let view = self.view(&shelf).await?;
        Ok((Arc::clone(&shelf.index), view.standings.clone()))
    }
}
