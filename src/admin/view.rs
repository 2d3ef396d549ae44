//! From what the catalog knows to what the API says of it.

use crate::admin::wire;
use crate::admin::wire::EvidenceView;
use crate::admin::wire::ProofState;
use crate::admin::wire::ProofView;
use crate::catalog::explanation::Explanation;
use crate::http::link;
use crate::model::change::Change;
use crate::model::change::Gained;
use crate::model::decision::Decision;
use crate::model::decision::Verb;
use crate::model::evidence::Evidence;
use crate::model::evidence::Proof;
use crate::model::finding::FindingKind;
use crate::model::job::Job;
use crate::model::job::Work;
use crate::model::standing::Standing;
use crate::model::time::Timestamp;
use crate::model::token::Token;
use crate::model::user::User;
use crate::model::waiver::Waiver;
use crate::quarantine::checks::inspection::INTEGRITY_ONLY;
use crate::quarantine::requests::unanswered;
use crate::quarantine::verdict::Judged;
use crate::quarantine::verdict::Stage;

impl From<Standing> for wire::Standing {
    fn from(standing: Standing) -> wire::Standing {
        match standing {
            Standing::Quarantined => wire::Standing::Quarantined,
            Standing::Admissible => wire::Standing::Admissible,
            Standing::Held { .. } => wire::Standing::Held,
            Standing::InReview => wire::Standing::InReview,
            Standing::Approved => wire::Standing::Approved,
            Standing::Rejected => wire::Standing::Rejected,
            Standing::Revoked => wire::Standing::Revoked,
        }
    }
}

pub fn summary(explanation: &Explanation) -> wire::Summary {
    let mut findings: Vec<FindingKind> = Vec::new();
    for judged in &explanation.verdict.findings {
        if !findings.contains(&judged.finding.kind) {
            findings.push(judged.finding.kind);
        }
    }
    wire::Summary {
        package: explanation.release.package.name.to_string(),
        ecosystem: explanation.release.package.ecosystem,
        version: explanation.release.version.to_string(),
        standing: explanation.verdict.standing.into(),
        opens_at: opens_at(explanation.verdict.standing),
        published_at: explanation.published_at,
        observed: explanation.verdict.observed,
        findings,
        wanted: explanation.wanted,
        requests: requests(explanation),
        sentence: explanation.sentence.clone(),
    }
}

pub fn release(explanation: &Explanation, base: &str) -> wire::ReleaseView {
    let verdict = &explanation.verdict;
    wire::ReleaseView {
        package: explanation.release.package.name.to_string(),
        ecosystem: explanation.release.package.ecosystem,
        version: explanation.release.version.to_string(),
        standing: verdict.standing.into(),
        observed: verdict.observed,
        opens_at: opens_at(verdict.standing),
        published_at: explanation.published_at,
        age_counts_from: Some(verdict.age_counts_from),
        removed_at: explanation.removed_at,
        submitted_by: explanation.submission.as_ref().map(|one| one.by.clone()),
        trusted: verdict.trusted.as_deref().map(str::to_owned),
        fix_of: verdict.fix_of.as_deref().map(str::to_owned),
        siblings: verdict.tie.as_ref().map(|tie| tie.siblings.clone()).unwrap_or_default(),
        wanted: explanation.wanted,
        requests: requests(explanation),
        sentence: explanation.sentence.clone(),
        link: link::of_release(base, &explanation.release),
        digest: verdict.digest,
        revision: explanation.revision.0,
        approvals: wire::Approvals { given: verdict.approvals_given, needed: verdict.approvals_needed },
        findings: verdict.findings.iter().map(finding).collect(),
        change: explanation.change.as_ref().map(change),
        artifacts: explanation.artifacts.iter().map(artifact).collect(),
        evidence: explanation.evidence.as_ref().map(evidence),
        history: history(explanation),
        would_change: explanation.would_change.clone(),
    }
}

fn requests(explanation: &Explanation) -> u64 {
    unanswered(&explanation.state).count() as u64
}

fn opens_at(standing: Standing) -> Option<Timestamp> {
    match standing {
        Standing::Held { until } => until,
        Standing::Quarantined | Standing::Admissible | Standing::InReview | Standing::Approved | Standing::Rejected | Standing::Revoked => {
            None
        }
    }
}

fn finding(judged: &Judged) -> wire::FindingView {
    wire::FindingView {
        kind: judged.finding.kind,
        action: judged.action,
        stage: match judged.stage {
            Stage::Screening => wire::Stage::Screening,
            Stage::Inspection => wire::Stage::Inspection,
        },
        evidence: judged.finding.evidence.clone(),
        covered: judged.covered,
        waived: judged.waived.as_deref().map(mark),
        why: judged.finding.kind.why().to_owned(),
        rule: judged.rule.as_deref().map(str::to_owned),
    }
}

fn mark(waiver: &Waiver) -> wire::WaiverMark {
    let Waiver { id, by, reason, expires_at, .. } = waiver;
    wire::WaiverMark { id: id.clone(), by: by.clone(), reason: reason.clone(), expires_at: *expires_at }
}

fn proof(proof: &Proof) -> ProofView {
    let (is, why) = match proof {
        Proof::Good => (ProofState::Good, None),
        Proof::Absent => (ProofState::Absent, None),
        Proof::Unavailable { why } => (ProofState::Unavailable, Some(why.clone())),
        Proof::Wrong { why } => (ProofState::Wrong, Some(why.clone())),
    };
    ProofView { is, why }
}

fn evidence(evidence: &Evidence) -> EvidenceView {
    let source = evidence.source.clone().unwrap_or_default();
    EvidenceView {
        signature: proof(&evidence.signature),
        provenance: proof(&evidence.provenance),
        repository: source.repository,
        workflow: source.workflow,
        commit: source.commit,
        issuer: source.issuer,
        checked: evidence.checked.iter().map(|check| check.as_str().to_owned()).collect(),
        unchecked: evidence.unchecked.iter().map(|one| format!("{}: {}", one.what.as_str(), one.why)).collect(),
    }
}

fn change(change: &Change) -> wire::ChangeView {
    let gained =
        |one: &Gained| wire::GainedView { name: one.name.clone(), range: one.range.clone(), first_published_at: one.first_published_at };
    wire::ChangeView {
        baseline: change.baseline.to_string(),
        install_steps: change.install_steps.clone(),
        capabilities: change.capabilities.iter().map(|one| one.as_str().to_owned()).collect(),
        hosts: change.hosts.clone(),
        dependencies: change.dependencies.iter().map(gained).collect(),
        binaries: change.binaries.clone(),
        hooks: change.hooks.clone(),
        loose_scripts: change.loose_scripts.clone(),
        signals: change.signals.iter().map(ToString::to_string).collect(),
        entry_rewritten: change.entry_rewritten.clone(),
        grown_bytes: change.grown_bytes,
        unpacked_bytes_before: change.unpacked_bytes_before,
        unpacked_bytes: change.unpacked_bytes,
        entropy_before: change.entropy_before,
        entropy: change.entropy,
        files_added: change.files_added,
        files_changed: change.files_changed,
        files_removed: change.files_removed,
    }
}

fn artifact(artifact: &crate::catalog::explanation::ArtifactState) -> wire::ArtifactView {
    wire::ArtifactView { file: artifact.file.clone(), digest: artifact.digest, size: artifact.size, inspected_at: artifact.inspected_at }
}

/// Sights, inspections and decisions, oldest first.
fn history(explanation: &Explanation) -> Vec<wire::Event> {
    const AIRLOCK: &str = "airlock";
    const UPSTREAM: &str = "upstream";
    let state = &explanation.state;
    let event =
        |at: Timestamp, by: &str, what: String| wire::Event { at, by: by.to_owned(), what, reason: None, digest: None, expires_at: None };
    let sights = [
        (state.absent_at, AIRLOCK, "last seen without it"),
        (state.seen_at, AIRLOCK, "first seen"),
        (state.changed_at, UPSTREAM, "stated other bytes"),
        (state.removed_at, UPSTREAM, "took it down"),
    ];
    let mut events: Vec<wire::Event> = sights.into_iter().filter_map(|(at, by, what)| Some(event(at?, by, what.to_owned()))).collect();
    if let Some(submission) = &explanation.submission {
        let what = if submission.staged { "submitted, to wait for people" } else { "submitted" };
        let what = match &submission.workflow {
            Some(workflow) => format!("{what} by a build: {workflow}"),
            None => what.to_owned(),
        };
        events.push(wire::Event { digest: Some(submission.digest), ..event(submission.at, &submission.by, what) });
    }
    events.extend(state.inspections.iter().map(|(file, inspection)| {
        let how = if inspection.edition == INTEGRITY_ONLY { "proved the bytes of" } else { "inspected" };
        wire::Event { digest: Some(inspection.digest), ..event(inspection.at, AIRLOCK, format!("{how} {file}")) }
    }));
    events.extend(state.decisions.iter().map(decision));
    events.extend(
        state.requests.iter().map(|one| wire::Event {
            reason: Some(one.reason.clone()),
            ..event(one.at, &one.by, "asked that it be let through".to_owned())
        }),
    );
    events.sort_by_key(|event| event.at);
    events
}

fn decision(decision: &Decision) -> wire::Event {
    wire::Event {
        at: decision.at,
        by: decision.by.clone(),
        what: past(decision.verb).to_owned(),
        reason: Some(decision.reason.clone()),
        digest: decision.digest,
        expires_at: decision.expires_at,
    }
}

const fn past(verb: Verb) -> &'static str {
    match verb {
        Verb::Approve => "approved",
        Verb::Reject => "rejected",
        Verb::Hold => "held",
        Verb::Reopen => "reopened",
        Verb::Revoke => "revoked",
    }
}

pub fn parked(job: &Job) -> wire::Parked {
    let (release, file) = match &job.work {
        Work::Inspect { release, file } => (release, file.clone()),
        Work::Notify { release, .. } => (release, String::new()),
    };
    wire::Parked {
        package: release.package.name.to_string(),
        version: release.version.to_string(),
        file,
        attempts: job.attempts,
        error: job.last_error.clone().unwrap_or_default(),
        since: job.queued_at,
    }
}

/// Everything but the hash of the secret.
pub fn token(token: &Token) -> wire::TokenView {
    wire::TokenView {
        id: token.id.clone(),
        name: token.name.clone(),
        role: token.role,
        created_at: token.created_at,
        expires_at: token.expires_at,
        revoked_at: token.revoked_at,
    }
}

/// Everything but the hash of the password.
pub fn user(user: &User) -> wire::UserView {
    wire::UserView {
        name: user.name.clone(),
        role: user.role,
        email: user.email.clone(),
        has_password: user.password.is_some(),
        provider: user.oidc.as_ref().map(|subject| subject.issuer.clone()),
        made_at: user.made_at,
        disabled_at: user.disabled_at,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::catalog::explanation::ArtifactState;
    use crate::model::digest::Digest;
    use crate::model::finding::Action;
    use crate::model::finding::Finding;
    use crate::model::package::PackageId;
    use crate::model::package::Version;
    use crate::model::release::ReleaseId;
    use crate::quarantine::verdict::Reason;
    use crate::quarantine::verdict::Verdict;

    fn at(day: u32) -> Timestamp {
        Timestamp::parse(&format!("2026-11-{day:02}T14:05:00Z")).unwrap()
    }

    fn judged(kind: FindingKind, stage: Stage) -> Judged {
        Judged {
            finding: Finding::new(kind, "seen"),
            mark: crate::model::digest::DocumentDigest::of(b"seen"),
            action: Action::Review,
            covered: false,
            waived: None,
            stage,
            rule: None,
        }
    }

    fn explanation() -> Explanation {
        let decision = |verb, day| Decision {
            verb,
            by: "maria".to_owned(),
            behind: Vec::new(),
            at: at(day),
            reason: "because".to_owned(),
            digest: None,
            substance: None,
            covers: Vec::new(),
            basis: None,
            expires_at: Some(at(30)),
        };
        let mut explanation = Explanation {
            release: ReleaseId { package: PackageId::npm("@acme/web").unwrap(), version: Version::parse("1.0.0").unwrap() },
            verdict: Verdict {
                standing: Standing::Held { until: Some(at(28)) },
                observed: false,
                inspected: true,
                findings: vec![
                    judged(FindingKind::InstallScript, Stage::Screening),
                    judged(FindingKind::InstallScript, Stage::Screening),
                    judged(FindingKind::BuildCommand, Stage::Inspection),
                ],
                age_counts_from: at(2),
                reason: Reason::Clear,
                changes_at: None,
                changed_at: None,
                approvals_given: 1,
                approvals_needed: 2,
                digest: Some(Digest::of(b"tarball")),
                trusted: None,
                fix_of: None,
                gravest: None,
                tie: None,
            },
            sentence: "@acme/web@1.0.0 is held.".to_owned(),
            published_at: Some(at(1)),
            removed_at: None,
            submission: None,
            pointers: Vec::new(),
            sha1: None,
            restricted: false,
            revision: Default::default(),
            evidence: None,
            artifacts: vec![ArtifactState { file: "web-1.0.0.tgz".to_owned(), digest: None, size: Some(7), inspected_at: Some(at(4)) }],
            state: Default::default(),
            change: None,
            would_change: vec!["approval by one person".to_owned()],
            wanted: 3,
        };
        explanation.state.seen_at = Some(at(2));
        explanation.state.changed_at = Some(at(6));
        explanation.state.decisions = vec![decision(Verb::Hold, 5), decision(Verb::Approve, 7)];
        explanation
    }

    #[test]
    fn a_summary_names_each_kind_once() {
        let expected = json!({
            "package": "@acme/web",
            "ecosystem": "npm",
            "version": "1.0.0",
            "standing": "held",
            "opens_at": "2026-11-28T14:05:00.000Z",
            "published_at": "2026-11-01T14:05:00.000Z",
            "findings": ["install_script", "build_command"],
            "wanted": 3,
            "requests": 0,
            "sentence": "@acme/web@1.0.0 is held.",
        });
        assert_eq!(serde_json::to_value(summary(&explanation())).unwrap(), expected);
    }

    #[test]
    fn a_release_tells_its_history_in_order_and_reads_back() {
        let view = release(&explanation(), "http://127.0.0.1:4873");
        let told: Vec<(&str, &str)> = view.history.iter().map(|event| (event.by.as_str(), event.what.as_str())).collect();
        assert_eq!(told, [("airlock", "first seen"), ("maria", "held"), ("upstream", "stated other bytes"), ("maria", "approved")]);
        let wire = serde_json::to_value(&view).unwrap();
        assert_eq!(wire["findings"][2]["stage"], "inspection");
        assert_eq!((&wire["approvals"], &wire["revision"]), (&json!({ "given": 1, "needed": 2 }), &json!(0)));
        assert_eq!(wire["history"][1]["expires_at"], "2026-11-30T14:05:00.000Z");
        assert_eq!(wire["artifacts"][0], json!({ "file": "web-1.0.0.tgz", "size": 7, "inspected_at": "2026-11-04T14:05:00.000Z" }));
        assert_eq!(serde_json::from_value::<wire::ReleaseView>(wire).unwrap(), view);
    }

    #[test]
    fn every_standing_has_its_text() {
        let all = [
            Standing::Quarantined,
            Standing::Admissible,
            Standing::Held { until: None },
            Standing::InReview,
            Standing::Approved,
            Standing::Rejected,
            Standing::Revoked,
        ];
        for (standing, told) in all.into_iter().zip(wire::Standing::ALL) {
            assert_eq!(wire::Standing::from(standing), told);
            assert_eq!(standing.as_str(), told.as_str());
            assert_eq!(serde_json::to_value(told).unwrap(), told.as_str());
        }
    }
}
