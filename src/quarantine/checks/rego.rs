//! What policy's own rules in Rego say of a release. They are told everything else that is known of it, and add findings.

use std::time::Duration;

use serde_json::Value as Json;
use serde_json::json;

use crate::config::rego::Answer;
use crate::config::rego::Module;
use crate::model::advisory::AdvisoryKind;
use crate::model::facts::Facts;
use crate::model::finding::Finding;
use crate::model::finding::FindingKind;
use crate::quarantine::advised::Said;
use crate::quarantine::judge::Case;
use crate::quarantine::verdict::Judged;
use crate::storage::record::Inspection;

/// After so long rules that failed about a release are asked again.
pub const AGAIN_AFTER: Duration = Duration::from_secs(60);

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

/// What was seen, with the fields that are left out where there is nothing: a rule that names one of those would say nothing at all.
fn whole(facts: &Facts) -> Json {
    const LISTS: [&str; 12] = [
        "differences",
        "install_steps",
        "hidden_install_steps",
        "build_commands",
        "install_files",
        "signals",
        "unscanned",
        "binaries",
        "hooks",
        "bundled",
        "fetches",
        "foreign_addresses",
    ];
    let mut seen = json!(facts);
    if let Some(seen) = seen.as_object_mut() {
        for list in LISTS {
            seen.entry(list).or_insert_with(|| json!([]));
        }
        for text in ["license", "unsafe_archive", "unreadable_manifest", "implicit_build", "change"] {
            seen.entry(text).or_insert(Json::Null);
        }
        seen.entry("has_shrinkwrap").or_insert(Json::Bool(false));
    }
    seen
}

/// A release as the rules are told of it: nothing that changes by itself as time goes by.
pub fn described(case: &Case<'_>, findings: &[Judged], inspections: &[&Inspection], said: &[Said]) -> Json {
    let Case { package, row, submission, approved_before, .. } = *case;
    let name = package.name.as_str();
    // That what is known is old is told in words that change by themselves.
    let findings = findings.iter().filter(|one| one.finding.kind != FindingKind::FeedStale);
    let findings = findings.map(|one| json!({"kind": one.finding.kind.as_str(), "action": one.action, "evidence": one.finding.evidence}));
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
        "artifacts": inspections.iter().map(|one| whole(&one.facts)).collect::<Vec<Json>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_of_what_was_seen_is_there() {
        let Json::Object(nothing) = whole(&Facts::default()) else { panic!() };
        let all = Facts {
            license: Some("MIT".into()),
            unsafe_archive: Some("x".into()),
            unreadable_manifest: Some("x".into()),
            implicit_build: Some("x".into()),
            has_shrinkwrap: true,
            build_commands: vec!["x".into()],
            ..Facts::default()
        };
        let Json::Object(all) = whole(&all) else { panic!() };
        assert!(all.keys().eq(nothing.keys()), "{:?} {:?}", all.keys(), nothing.keys());
        assert_eq!((&nothing["license"], &nothing["signals"], &all["license"]), (&Json::Null, &json!([]), &json!("MIT")));
    }
}
