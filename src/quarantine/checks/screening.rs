//! Screening: the checks that need only the index and what the ledger remembers of it.

use crate::model::finding::Finding;
use crate::model::finding::FindingKind;
use crate::model::index::Row;
use crate::quarantine::age::Age;
use crate::storage::record::ReleaseState;

/// How many items of a list an evidence names.
const NAMED_MAX: usize = 5;

/// Findings of one release, in the order of their kinds.
pub fn screen(row: &Row, state: Option<&ReleaseState>, age: &Age, first_of_package: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut found = |kind, evidence: String| findings.push(Finding::new(kind, evidence));
    if let Some(why) = &row.unreadable {
        found(FindingKind::UnreadableManifest, why.clone());
    }
    if row.published_at.is_none() {
        found(FindingKind::UnknownPublishTime, format!("counts from {}", age.counts_from.for_people()));
    }
    if let (Some(claimed), Some(absent_at)) = (row.published_at, age.absent_at)
        && claimed < absent_at
    {
        found(FindingKind::ClaimedAge, format!("dated {claimed}, but it was not there on {absent_at}"));
    }
    if !row.claims.install_steps.is_empty() {
        let steps = row.claims.install_steps.iter().take(NAMED_MAX).map(|step| format!("{}: {}", step.event, step.command));
        found(FindingKind::InstallScript, steps.collect::<Vec<_>>().join("; "));
    }
    if let Some(message) = &row.claims.deprecated {
        found(FindingKind::Deprecated, message.clone());
    }
    if !row.claims.exotic_dependencies.is_empty() {
        let names = row.claims.exotic_dependencies.iter().take(NAMED_MAX).map(|one| format!("{}: {}", one.name, one.wanted));
        found(FindingKind::ExoticDependency, names.collect::<Vec<_>>().join("; "));
    }
    if first_of_package {
        found(FindingKind::NewPackage, String::new());
    }
    if let Some(at) = state.and_then(|state| state.changed_at) {
        found(FindingKind::ChangedUpstream, format!("seen on {at}"));
    }
    let removed_at = row.removed_at.or(state.and_then(|state| state.removed_at));
    if let Some(at) = removed_at {
        found(FindingKind::RemovedUpstream, format!("seen on {at}"));
    }
    findings
}
