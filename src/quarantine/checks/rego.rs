//! What policy's own rules in Rego say of a release. They are told everything else that is known of it, and add findings.

use serde_json::Value as Json;
use serde_json::json;

use crate::config::rego::Answer;
use crate::config::rego::Module;
use crate::model::advisory::AdvisoryKind;
use crate::model::finding::Finding;
use crate::model::finding::FindingKind;
use crate::quarantine::advised::Said;
use crate::quarantine::judge::Case;
use crate::quarantine::verdict::Judged;
use crate::storage::record::Inspection;

/// At most one finding of a kind. A module that fails is one too.
pub fn examine(module: &Module, release: &Json) -> Vec<Finding> {
    match module.ask(release) {
        Ok(Answer { deny, review }) => [(FindingKind::RegoDenied, deny), (FindingKind::RegoReview, review)]
            .into_iter()
            .filter(|(_, texts)| !texts.is_empty())
            .map(|(kind, texts)| Finding::new(kind, texts.join("; ")))
            .collect(),
        Err(why) => vec![Finding::new(FindingKind::RegoFailed, why)],
    }
}

/// A release as the rules are told of it: nothing that changes by itself as time goes by.
pub fn described(case: &Case<'_>, findings: &[Judged], inspections: &[&Inspection], said: &[Said]) -> Json {
    let Case { package, row, submission, approved_before, .. } = *case;
    let name = package.name.as_str();
    let findings =
        findings.iter().map(|one| json!({"kind": one.finding.kind.as_str(), "action": one.action, "evidence": one.finding.evidence}));
    let advisories = said.iter().map(|one| {
        let kind = match one.advisory.kind {
            AdvisoryKind::Malware => "malware",
            AdvisoryKind::Vulnerability => "vulnerability",
        };
        json!({"id": one.advisory.id.as_str(), "kind": kind, "score": one.advisory.score.map(|tenths| f64::from(tenths) / 10.0)})
    });
    json!({
        "ecosystem": package.ecosystem,
        "name": name,
        "scope": name.split_once('/').map(|(scope, _)| scope),
        "version": row.version.as_str(),
        "published_at": row.published_at.map(|at| at.to_string()),
        "publisher": row.origin.hand,
        "has_provenance": row.origin.has_provenance,
        "published_by": submission.map(|one| one.by.as_str()),
        "deprecated": row.claims.deprecated,
        "approved_before": approved_before,
        "findings": findings.collect::<Vec<Json>>(),
        "advisories": advisories.collect::<Vec<Json>>(),
        "artifacts": inspections.iter().map(|one| json!(one.facts)).collect::<Vec<Json>>(),
    })
}
