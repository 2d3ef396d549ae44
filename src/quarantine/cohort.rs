//! Cohorts: releases of several packages that are of use only together. A burst of siblings that pin each other exactly, and a
//! release with the packages for single platforms that it brings: they open together or not at all. In memory, from what was
//! judged here; nobody outside is asked.

mod graph;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use crate::ecosystem::Bonds;
use crate::model::index::Index;
use crate::model::package::PackageId;
use crate::model::package::Version;
use crate::model::release::ReleaseId;
use crate::model::time::Timestamp;
use crate::quarantine::age::Age;
use crate::quarantine::cohort::graph::Alone;
use crate::quarantine::cohort::graph::Fate;
use crate::quarantine::cohort::graph::Graph;
use crate::quarantine::cohort::graph::Node;
use crate::quarantine::cohort::graph::is_young;
use crate::quarantine::context::Tie;
use crate::quarantine::stamps::Stamps;
use crate::quarantine::standings::Standings;
use crate::quarantine::workflow::lock;
use crate::storage::record::PackageState;

/// Releases of one cohort; of a larger one, those that are fewest steps away.
pub const SIBLINGS_MAX: usize = 64;
/// For so long after its age began to count a release is tied: what stands against a sibling after that is the sibling's own.
pub const TIED_FOR: Duration = Duration::from_secs(90 * 24 * 3_600);
/// Siblings of one burst were published within so long of each other.
pub const BURST: Duration = Duration::from_secs(3_600);
/// The youngest releases of one package that are looked at.
const YOUNG_MAX: usize = 50;

type Ties = Arc<BTreeMap<Version, Arc<Tie>>>;

/// What is asked of one package.
pub struct Question<'a> {
    pub index: &'a Index,
    pub state: &'a PackageState,
    /// How old a release has to be that nothing makes an exception for.
    pub minimum: Duration,
    /// What a manifest says of its companions.
    pub bonds: &'a dyn Fn(&[u8]) -> Bonds,
    pub now: Timestamp,
}

/// The releases that may have companions.
#[derive(Debug, Default)]
pub struct Cohorts {
    graph: Mutex<Graph>,
    /// What may change the ties of packages that are not judged now.
    stamps: Stamps,
}

impl Cohorts {
    /// Takes in which companions the package's young releases name.
    pub fn bind(&self, question: &Question<'_>) {
        let Question { index, state, bonds, now, .. } = *question;
        if lock(&self.graph).looked_at.get(&index.package) == Some(&index.source) {
            return;
        }
        let first_seen_at = state.first_seen_at.unwrap_or(now);
        let age = |row| Age::of(row, state.releases.get(&row.version), first_seen_at).counts_from;
        let mut young: Vec<(Timestamp, _)> =
            index.rows.iter().map(|row| (age(row), row)).filter(|(from, _)| is_young(*from, now)).collect();
        young.sort_by(|left, right| right.0.cmp(&left.0).then_with(|| left.1.version.cmp(&right.1.version)));
        // Without the lock: how long it takes is upstream's choice.
        let nodes = young.into_iter().take(YOUNG_MAX).map(|(counts_from, row)| {
            (row.version.clone(), Node { published_at: row.published_at, counts_from, bonds: bonds(&index.manifest(row)), fate: None })
        });
        let nodes: Vec<(Version, Node)> = nodes.collect();
        let mut graph = lock(&self.graph);
        for touched in graph.take_in(&index.package, index.source, nodes, now) {
            self.stamps.touch(&touched);
        }
    }

    /// The ties of the package's releases, by version; only of those that belong together with others.
    pub fn ties(&self, question: &Question<'_>) -> Ties {
        self.bind(question);
        let Question { index, minimum, now, .. } = *question;
        let graph = lock(&self.graph);
        let mut ties = BTreeMap::new();
        for version in graph.versions.get(&index.package).into_iter().flatten() {
            let release = ReleaseId { package: index.package.clone(), version: version.clone() };
            if let Some(tie) = graph.tie(&release, minimum, now) {
                ties.insert(version.clone(), Arc::new(tie));
            }
        }
        drop(graph);
        Arc::new(ties)
    }

    /// What became of the package's releases by themselves; their siblings are judged anew where that is something else.
    pub fn hear(&self, index: &Index, standings: &Standings) {
        let mut graph = lock(&self.graph);
        let Some(versions) = graph.versions.get(&index.package) else { return };
        let versions: HashSet<Version> = versions.iter().cloned().collect();
        let mut changed = Vec::new();
        for (row, verdict) in index.rows.iter().zip(&standings.verdicts).filter(|(row, _)| versions.contains(&row.version)) {
            let release = ReleaseId { package: index.package.clone(), version: row.version.clone() };
            let Some(node) = graph.nodes.get_mut(&release) else { continue };
            let as_of = (standings.revision, standings.now);
            if node.fate.as_ref().is_some_and(|before| before.as_of > as_of) {
                continue;
            }
            let fate = Fate { alone: Alone::of(verdict), until: verdict.changes_at, as_of };
            if node.fate.as_ref().is_none_or(|before| before.alone != fate.alone) {
                changed.push(release);
            }
            node.fate = Some(fate);
        }
        for touched in changed.iter().flat_map(|release| graph.around(release)) {
            self.stamps.touch(&touched);
        }
    }

    /// Packages that have to be judged before the ties of this one are settled: never looked at here, or judged too long ago.
    pub fn strangers(&self, package: &PackageId, now: Timestamp) -> Vec<PackageId> {
        let graph = lock(&self.graph);
        let mut strangers = BTreeSet::new();
        for version in graph.versions.get(package).into_iter().flatten() {
            let circle = graph.circle(&ReleaseId { package: package.clone(), version: version.clone() }, now);
            let is_stale = |one: &&ReleaseId| graph.nodes.get(*one).is_none_or(|node| !node.is_settled(now));
            strangers.extend(circle.members.iter().filter(is_stale).chain(&circle.strangers).map(|one| one.package.clone()));
        }
        strangers.remove(package);
        strangers.into_iter().take(SIBLINGS_MAX).collect()
    }

    /// Another number whenever the ties of the package's releases may be others.
    pub fn changes(&self, package: &PackageId) -> u64 {
        self.stamps.of(package)
    }
}

#[cfg(test)]
mod tests;
