//! A whole lockfile before it is installed: what becomes of each entry, when the last of them opens, what goes past this
//! registry, and which changes would make it green.

mod ask;
pub mod plan;
pub mod verdict;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::SemaphorePermit;

use crate::catalog::Catalog;
use crate::catalog::CatalogError;
use crate::catalog::lockfile::plan::Plan;
use crate::catalog::lockfile::plan::graph::Graph;
use crate::catalog::lockfile::plan::graph::Wanter;
use crate::catalog::lockfile::verdict::Judged;
use crate::catalog::lockfile::verdict::Waiting;
use crate::catalog::lockfile::verdict::waiting;
use crate::config::policy::Mode;
use crate::ecosystem::Ecosystem;
use crate::ecosystem::Shift;
use crate::ecosystem::tree::Fault;
use crate::model::lockfile::Lockfile;
use crate::model::package::EcosystemId;

/// Lockfiles that are looked at at the same time: each may take some two hundred megabytes while it is read.
pub const AT_ONCE: usize = 2;
/// How long one waits for its turn.
const TURN_WAIT: Duration = Duration::from_secs(20);
/// When one that had no turn comes again.
const RETRY_AFTER: Duration = Duration::from_secs(10);
/// Packages of one lockfile.
pub const PACKAGES_MAX: usize = 20_000;

/// Who asks, and as what this registry is known there.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    /// Without a slash at its end.
    pub base: &'a str,
    /// Nobody hears anything of what is restricted.
    pub is_nobody: bool,
}

#[derive(Clone, Debug)]
pub struct Checked {
    pub lockfile: Arc<Lockfile>,
    /// One for each entry.
    pub judged: Vec<Judged>,
    pub waiting: Waiting,
    pub plan: Plan,
    /// How the lockfile's client is told to make the plan's changes.
    pub steps: Vec<String>,
    /// Policy only observes: what it would keep back is served.
    pub observing: bool,
}

/// Why a lockfile was not looked at.
#[derive(Debug, thiserror::Error)]
pub enum NotChecked {
    #[error("the lockfile cannot be read: {0}")]
    Unreadable(Fault),
    #[error("the lockfile names more than {PACKAGES_MAX} packages")]
    TooManyPackages,
    #[error("other lockfiles are being looked at; try again in {} seconds", RETRY_AFTER.as_secs())]
    Busy { retry_after: Duration },
    #[error(transparent)]
    Catalog(#[from] CatalogError),
}

/// Leave to bring a lockfile, which is large.
pub struct Turn<'c>(#[expect(dead_code, reason = "held for as long as the turn lasts")] SemaphorePermit<'c>);

impl Catalog {
    /// Waits for a turn. To be had before the lockfile is taken into memory.
    pub async fn lockfile_turn(&self) -> Result<Turn<'_>, NotChecked> {
        match tokio::time::timeout(TURN_WAIT, self.lockfiles.acquire()).await {
            Ok(Ok(permit)) => Ok(Turn(permit)),
            Ok(Err(_)) | Err(_) => Err(NotChecked::Busy { retry_after: RETRY_AFTER }),
        }
    }

    /// Looks at a lockfile. What is not known here is asked of upstream, as an install would.
    pub async fn check_lockfile(
        self: &Arc<Self>,
        _turn: &Turn<'_>,
        ecosystem: EcosystemId,
        text: Bytes,
        name: Option<String>,
        asker: Asker<'_>,
    ) -> Result<Checked, NotChecked> {
        let rules = self.quarantine.ecosystem(ecosystem).map(Arc::clone);
        let rules = rules.ok_or_else(|| CatalogError::Storage(format!("{ecosystem} is not built")))?;
        let reader = Arc::clone(&rules);
        let read = beside(move || reader.lockfile(&text, name.as_deref())).await?;
        let lockfile = read.map_err(NotChecked::Unreadable)?;
        let lockfile = Arc::new(lockfile);
        let book = Arc::new(self.look_up(&lockfile, &rules, asker).await?);
        let (judged, graph) = {
            let (lockfile, book, rules, base) = (Arc::clone(&lockfile), Arc::clone(&book), Arc::clone(&rules), asker.base.to_owned());
            beside(move || {
                let judged: Vec<Judged> = lockfile.entries.iter().map(|entry| book.judge(entry, &base, &*rules)).collect();
                (judged, Graph::of(&lockfile, |release| !book.is_open(release)))
            })
            .await?
        };
        let graph = Arc::new(graph);
        let plan = if graph.pieces.iter().any(|piece| piece.is_blocked) {
            self.plan_changes(&graph, &rules, asker).await?
        } else {
            Plan::default()
        };
        let observing = self.quarantine.policy().mode == Mode::Observe;
        beside(move || {
            let steps = steps(&lockfile, &graph, &plan, &*rules);
            Checked { waiting: waiting(&judged), lockfile, judged, plan, steps, observing }
        })
        .await
        .map_err(NotChecked::Catalog)
    }
}

/// Does what a large lockfile makes long, beside the runtime's threads.
async fn beside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, CatalogError> {
    tokio::task::spawn_blocking(work).await.map_err(|crash| CatalogError::Storage(crash.to_string()))
}

/// What the client is told: of each change that does not come by itself.
fn steps(lockfile: &Lockfile, graph: &Graph, plan: &Plan, rules: &dyn Ecosystem) -> Vec<String> {
    let mut shifts = Vec::new();
    for change in plan.changes.iter().filter(|change| !change.follows) {
        let (Some(from), Some(to)) = (&change.from, &change.to) else { continue };
        let siblings = graph.by_package.get(&change.package).map_or(&[][..], Vec::as_slice);
        let piece = siblings.iter().filter_map(|at| graph.pieces.get(*at)).find(|piece| piece.release.version == *from);
        let Some(piece) = piece else { continue };
        let of_projects = piece.wants.iter().filter_map(|want| match want.by {
            Wanter::Project(at) => lockfile.projects.get(at).map(String::as_str),
            Wanter::Piece(_) | Wanter::Fixed => None,
        });
        let of_parents = piece.wants.iter().filter_map(|want| match want.by {
            Wanter::Piece(at) => graph.pieces.get(at).map(|parent| parent.release.package.name.as_str()),
            Wanter::Project(_) | Wanter::Fixed => None,
        });
        let line = lockfile.entries.iter().find(|entry| entry.release() == Some(&piece.release)).map_or(0, |entry| entry.line);
        shifts.push(Shift {
            package: &change.package,
            from,
            to,
            projects: once_each(of_projects),
            parents: once_each(of_parents),
            ranges: once_each(piece.wants.iter().filter(|want| !want.is_peer).filter_map(|want| want.range.as_deref())),
            is_first_choice: change.is_first_choice,
            has_siblings: siblings.len() > 1,
            line,
        });
    }
    rules.steps(lockfile, &shifts)
}

fn once_each<'t>(all: impl Iterator<Item = &'t str>) -> Vec<&'t str> {
    all.collect::<std::collections::BTreeSet<&str>>().into_iter().collect()
}
