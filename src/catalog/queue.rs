//! What waits for people, and what was asked for in vain. In memory: filled as packages are judged, and by one walk over
//! all known packages after the start.

use std::collections::BTreeMap;
use std::collections::HashMap;

use crate::catalog::Catalog;
use crate::catalog::CatalogError;
use crate::catalog::explanation::Explanation;
use crate::model::index::Index;
use crate::model::job::Job;
use crate::model::package::PackageId;
use crate::model::package::Version;
use crate::model::release::ReleaseId;
use crate::model::standing::Standing;
use crate::quarantine::decide::is_open_to_doubt;
use crate::quarantine::requests::unanswered;
use crate::quarantine::standings::Standings;
use crate::quarantine::verdict::Verdict;
use crate::quarantine::workflow::lock;
use crate::storage::record::LocalRelease;
use crate::storage::record::PackageState;
use crate::storage::record::ReleaseState;
use crate::storage::record::Sequence;

/// Releases whose demand is counted.
const WANTED_MAX: usize = 20_000;
/// Waiting releases that are remembered per package.
const PER_PACKAGE_MAX: usize = 200;

/// Which releases wait for people, by package.
#[derive(Debug, Default)]
pub struct Board {
    waiting: BTreeMap<PackageId, Waiting>,
    walk: Walk,
}

/// What of one package waits for people.
#[derive(Clone, Debug, Default)]
struct Waiting {
    /// The package's, when that was known.
    revision: Sequence,
    /// With how many people asked for it in so many words.
    releases: Vec<(Version, usize)>,
}

/// How far the walk over all known packages came since the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Walk {
    #[default]
    UnderWay,
    /// It ended without having judged every package: what waits of those is on the board once they are asked for.
    Incomplete,
    Over,
}

impl Board {
    pub fn len(&self) -> usize {
        self.waiting.values().map(|one| one.releases.len()).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

/// How often releases were asked for while they were not served.
#[derive(Debug, Default)]
pub struct Wanted(HashMap<ReleaseId, u64>);

/// What was posted on the board.
pub(super) struct Posted {
    pub releases: Vec<ReleaseId>,
    pub walk: Walk,
}

/// How much a release is wanted: first by how many people asked in so many words, then by how often it was tried to be had.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Demand {
    people: usize,
    tries: u64,
}

/// What waits for people.
#[derive(Clone, Debug)]
pub struct Queue {
    /// Most wanted first.
    pub waiting: Vec<Explanation>,
    /// Work that was given up, oldest first.
    pub parked: Vec<Job>,
    /// Whether every known package was looked at since the start.
    pub complete: bool,
}

/// Whether a release waits for people: it is in review, or one person approved it and another is needed. What was submitted
/// here and is held is at once before who may let it through, and so is what is open although one source calls it malware.
/// And what somebody asks for is, unless nobody can open it.
pub(super) fn waits(verdict: &Verdict, submission: Option<&LocalRelease>, state: Option<&ReleaseState>) -> bool {
    let is_asked_for = || state.is_some_and(|state| unanswered(state).next().is_some());
    match verdict.standing {
        Standing::InReview => true,
        Standing::Held { .. } if submission.is_some() => true,
        Standing::Held { .. } | Standing::Rejected | Standing::Revoked if is_asked_for() => verdict.hopeless().is_none(),
        Standing::Held { .. } | Standing::Rejected => verdict.approvals_given > 0 && verdict.approvals_given < verdict.approvals_needed,
        Standing::Admissible | Standing::Approved => is_open_to_doubt(verdict),
        Standing::Quarantined | Standing::Revoked => false,
    }
}

/// How many people ask for a release in so many words and had no answer.
fn asked_for_by(state: &PackageState, version: &Version) -> usize {
    state.releases.get(version).map_or(0, |one| unanswered(one).count())
}

impl Catalog {
    /// Remembers which releases of a package wait for people. One that was neither asked for nor ever used here is not
    /// worth a person's time and is left out.
    pub(crate) fn post(&self, index: &Index, standings: &Standings, state: &PackageState) {
        let wanted = lock(&self.wanted);
        let is_worth_it = |version: &Version| {
            let used = state
                .releases
                .get(version)
                .is_some_and(|one| !one.inspections.is_empty() || !one.decisions.is_empty() || !one.requests.is_empty());
            let submitted = state.submission(version).is_some();
            submitted || used || wanted.0.contains_key(&ReleaseId { package: index.package.clone(), version: version.clone() })
        };
        let rows = index.rows.iter().zip(&standings.verdicts);
        let people = rows
            .filter(|(row, verdict)| waits(verdict, state.submission(&row.version), state.releases.get(&row.version)))
            .map(|(row, _)| &row.version);
        let waiting = people.filter(|version| is_worth_it(version)).take(PER_PACKAGE_MAX);
        let releases: Vec<(Version, usize)> = waiting.map(|version| (version.clone(), asked_for_by(state, version))).collect();
        drop(wanted);
        let mut board = lock(&self.board);
        if releases.is_empty() {
            board.waiting.remove(&index.package);
        } else {
            board.waiting.insert(index.package.clone(), Waiting { revision: state.revision, releases });
        }
    }

    pub(crate) fn walked(&self, walk: Walk) {
        lock(&self.board).walk = walk;
    }

    /// Somebody asked for a release that is not served. One that is in review is worth a person's time from now on.
    pub(crate) fn want(&self, release: &ReleaseId, standing: Standing) {
        let mut wanted = lock(&self.wanted);
        if wanted.0.len() >= WANTED_MAX && !wanted.0.contains_key(release) {
            // The least wanted half makes room: what is asked for again comes back.
            let mut counts: Vec<u64> = wanted.0.values().copied().collect();
            counts.sort_unstable();
            let median = counts.get(counts.len() / 2).copied().unwrap_or(0);
            wanted.0.retain(|_, count| *count > median);
        }
        let is_new = !wanted.0.contains_key(release);
        *wanted.0.entry(release.clone()).or_default() += 1;
        drop(wanted);
        if is_new && standing == Standing::InReview {
            let mut board = lock(&self.board);
            let waiting = board.waiting.entry(release.package.clone()).or_default();
            if waiting.releases.len() < PER_PACKAGE_MAX && waiting.releases.iter().all(|(version, _)| *version != release.version) {
                waiting.releases.push((release.version.clone(), 0));
                // How many asked for it is not known.
                waiting.revision = Sequence::default();
            }
        }
    }

    pub fn wanted(&self, release: &ReleaseId) -> u64 {
        lock(&self.wanted).0.get(release).copied().unwrap_or(0)
    }

    /// What waited for people when its package was judged last, in order of packages.
    pub(super) fn posted(&self) -> Posted {
        let board = lock(&self.board);
        let of = |(package, waiting): (&PackageId, &Waiting)| {
            let package = package.clone();
            let versions: Vec<Version> = waiting.releases.iter().map(|(version, _)| version.clone()).collect();
            versions.into_iter().map(move |version| ReleaseId { package: package.clone(), version })
        };
        Posted { releases: board.waiting.iter().flat_map(of).collect(), walk: board.walk }
    }

    /// What waits for people, most wanted first, at most `limit` releases.
    pub async fn queue(self: &std::sync::Arc<Self>, limit: usize) -> Result<Queue, CatalogError> {
        let (posted, walk) = {
            let board = lock(&self.board);
            (board.waiting.clone(), board.walk)
        };
        let mut ordered: Vec<(Demand, ReleaseId)> = Vec::with_capacity(posted.values().map(|one| one.releases.len()).sum());
        for (package, Waiting { revision, releases }) in posted {
            // Only of what moved since it was judged.
            let moved = match self.state.revision(&package).await? == revision {
                true => None,
                false => Some(self.state.package(&package).await?),
            };
            for (version, people) in releases {
                let people = moved.as_ref().map_or(people, |state| asked_for_by(state, &version));
                let release = ReleaseId { package: package.clone(), version };
                ordered.push((Demand { people, tries: self.wanted(&release) }, release));
            }
        }
        ordered.sort_by(|left, right| right.0.cmp(&left.0).then_with(|| left.1.cmp(&right.1)));
        let mut waiting = Vec::new();
        for (_, release) in ordered {
            if waiting.len() >= limit {
                break;
            }
            match self.explain_known(&release).await {
                Ok(explanation) if waits(&explanation.verdict, explanation.submission.as_ref(), Some(&explanation.state)) => {
                    waiting.push(explanation)
                }
                Ok(_) | Err(CatalogError::UnknownPackage(_) | CatalogError::UnknownRelease { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Queue { waiting, parked: self.quarantine.parked().await?, complete: walk == Walk::Over })
    }
}
