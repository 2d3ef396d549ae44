//! Inspection: the checks that need the bytes, done on the facts that the ledger keeps of them.

use std::collections::BTreeMap;

use crate::model::digest::IntegrityOutcome;
use crate::model::facts::Facts;
use crate::model::finding::Finding;
use crate::model::finding::FindingKind;
use crate::model::index::InstallStep;
use crate::model::signal::Signal;
use crate::quarantine::identity::evidence;
use crate::storage::record::Inspection;

/// The edition of the inspection. Raised when it learns to see more; what an older edition passed is looked at again.
pub const EDITION: u16 = 3;
/// The edition of an inspection that proved the bytes and did not look inside, because policy trusts where they come from.
/// It counts only where policy does so still.
pub const INTEGRITY_ONLY: u16 = 0;

const NAMED_MAX: usize = 5;

/// Findings of one inspected artifact.
pub fn examine(inspection: &Inspection) -> Vec<Finding> {
    let facts = &inspection.facts;
    let mut findings = Vec::new();
    let mut found = |kind, evidence: String| findings.push(Finding::new(kind, evidence));
    match &inspection.integrity {
        IntegrityOutcome::Agrees => {}
        IntegrityOutcome::WeaklyAgrees => found(FindingKind::WeakIntegrity, String::new()),
        IntegrityOutcome::Unstated => found(FindingKind::MissingIntegrity, String::new()),
        IntegrityOutcome::Disagrees { stated, found: actual } => {
            found(FindingKind::IntegrityMismatch, format!("stated {stated}, found {actual}"));
        }
    }
    if let Some(rule) = &facts.unsafe_archive {
        found(FindingKind::UnsafeArchive, rule.clone());
    }
    if let Some(why) = &facts.unreadable_manifest {
        found(FindingKind::UnreadableArtifact, why.clone());
    }
    if !facts.differences.is_empty() {
        let named = facts.differences.iter().take(NAMED_MAX);
        let named = named.map(|one| format!("{}: index {}, archive {}", one.field, shown(&one.listed), shown(&one.shipped)));
        found(FindingKind::ManifestMismatch, named.collect::<Vec<_>>().join("; "));
    }
    if !facts.hidden_install_steps.is_empty() {
        found(FindingKind::HiddenInstallScript, steps(&facts.hidden_install_steps));
    }
    if let Some(file) = &facts.implicit_build {
        found(FindingKind::ImplicitBuild, file.clone());
    }
    if !facts.build_commands.is_empty() {
        let named = facts.build_commands.iter().take(NAMED_MAX).cloned();
        found(FindingKind::BuildCommand, named.collect::<Vec<_>>().join("; "));
    }
    for (kind, places) in by_finding(facts) {
        found(kind, listed(&places));
    }
    for (kind, what) in [
        (FindingKind::AgentHooks, &facts.hooks),
        (FindingKind::NativeBinary, &facts.binaries),
        (FindingKind::FetchesAtInstall, &facts.fetches),
        (FindingKind::BundledDependency, &facts.bundled),
        (FindingKind::ForeignShrinkwrap, &facts.foreign_addresses),
        (FindingKind::UnscannedContent, &facts.unscanned),
    ] {
        if !what.is_empty() {
            found(kind, listed(what));
        }
    }
    findings.extend(inspection.evidence.as_deref().into_iter().flat_map(evidence::examine));
    findings
}

/// The signals that lead to a finding, each under the strictest reason for it: by itself, in a file that installing runs, or
/// beside another in the same file.
fn by_finding(facts: &Facts) -> BTreeMap<FindingKind, Vec<String>> {
    let mut findings: BTreeMap<FindingKind, Vec<String>> = BTreeMap::new();
    for signal in &facts.signals {
        let installing = facts.install_files.contains(&signal.file);
        let kind = if installing { signal.kind.finding_when_installing() } else { signal.kind.finding() };
        let mut tell = |kind| findings.entry(kind).or_default().push(format!("{}: {}", signal.file, signal.excerpt));
        if let Some(kind) = kind {
            tell(kind);
        }
        // What takes and what sends, in one file.
        let is_met = |other: &Signal| other.file == signal.file && other.kind.sends();
        if signal.kind.takes() && kind != Some(FindingKind::SendsAway) && facts.signals.iter().any(is_met) {
            tell(FindingKind::SendsAway);
        }
    }
    findings
}

fn listed(all: &[String]) -> String {
    let more = all.len().saturating_sub(NAMED_MAX);
    let named = all.iter().take(NAMED_MAX).map(String::as_str).collect::<Vec<_>>().join("; ");
    if more > 0 { format!("{named}; and {more} more") } else { named }
}

fn steps(steps: &[InstallStep]) -> String {
    let named = steps.iter().take(NAMED_MAX).map(|step| format!("{}: {}", step.event, step.command));
    named.collect::<Vec<_>>().join("; ")
}

fn shown(text: &str) -> &str {
    if text.is_empty() { "nothing" } else { text }
}
