//! Inspecting ahead: where policy lists only what passed the whole workflow, nothing could ever be asked for that was not
//! inspected first. What a client would want next is inspected when the package is asked for.

use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::Arc;

use crate::catalog::Catalog;
use crate::catalog::shelf::Shelf;
use crate::catalog::shelf::View;
use crate::config::policy::Listing;
use crate::ecosystem::Ecosystem;
use crate::model::index::Index;
use crate::model::package::Version;
use crate::model::standing::Standing;
use crate::quarantine::standings::Standings;

/// Releases of one package that are inspected ahead.
const AHEAD_MAX: usize = 24;

impl Catalog {
    /// Inspects the targets of pointers and the newest release of each major, and waits for as long as a download would.
    /// Returns whether anything was inspected. Once for each judgement of the package.
    pub(crate) async fn inspect_ahead(self: &Arc<Self>, shelf: &Arc<Shelf>, view: &View) -> bool {
        if self.quarantine.policy().listing != Listing::Approved || view.looked_ahead() {
            return false;
        }
        Box::pin(self.inspect_wanted(shelf, view)).await
    }

    async fn inspect_wanted(self: &Arc<Self>, shelf: &Arc<Shelf>, view: &View) -> bool {
        let Ok(ecosystem) = self.ecosystem(&shelf.index.package) else { return false };
        let wanted = wanted(&shelf.index, &view.standings, &*ecosystem);
        if wanted.is_empty() {
            return false;
        }
        let this = Arc::clone(self);
        let of = Arc::clone(shelf);
        let all = async move {
            let files = wanted.iter().map(|file| this.inspect_file(&of, file));
            for (file, outcome) in wanted.iter().zip(futures_util::future::join_all(files).await) {
                if let Err(error) = outcome {
                    tracing::warn!(file, %error, "could not be inspected ahead");
                }
            }
        };
        // A task of its own: it goes on when nobody waits any more.
        let inspecting = tokio::spawn(all);
        tokio::time::timeout(self.quarantine.policy().inspection_wait, inspecting).await.is_ok()
    }
}

/// Files of admissible releases that a client would want next, the targets of pointers first.
fn wanted(index: &Index, standings: &Standings, ecosystem: &dyn Ecosystem) -> Vec<String> {
    let targets: HashSet<&Version> = index.pointers.iter().map(|(_, version)| version).collect();
    let mut first = Vec::new();
    let mut newest: HashMap<u64, usize> = HashMap::new();
    for (at, (row, verdict)) in index.rows.iter().zip(&standings.verdicts).enumerate() {
        match verdict.standing {
            Standing::Admissible if targets.contains(&row.version) => first.push(at),
            Standing::Admissible | Standing::Approved => {}
            Standing::Quarantined | Standing::Held { .. } | Standing::InReview | Standing::Rejected | Standing::Revoked => continue,
        }
        let Some(track) = ecosystem.track(&row.version).filter(|track| track.prerelease.is_none()) else { continue };
        let is_newer = |best: &usize| ecosystem.precedence(&index.rows[*best].version, &row.version).is_lt();
        if newest.get(&track.major).is_none_or(is_newer) {
            newest.insert(track.major, at);
        }
    }
    // A major whose newest open release passed already needs nothing.
    newest.retain(|_, at| standings.verdicts[*at].standing == Standing::Admissible);
    let mut newest: Vec<(u64, usize)> = newest.into_iter().collect();
    newest.sort_unstable_by(|left, right| right.cmp(left));
    let mut seen = HashSet::new();
    let rows = first.into_iter().chain(newest.into_iter().map(|(_, at)| at)).filter(|at| seen.insert(*at)).take(AHEAD_MAX);
    rows.flat_map(|at| index.rows[at].artifacts.iter().map(|artifact| artifact.file.clone())).collect()
}
