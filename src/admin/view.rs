//! From what the catalog knows to what the API says of it.

use percent_encoding::AsciiSet;
use percent_encoding::CONTROLS;
use percent_encoding::utf8_percent_encode;

use crate::admin::wire;
use crate::catalog::explanation::Explanation;
use crate::model::decision::Decision;
use crate::model::decision::Verb;
use crate::model::finding::FindingKind;
use crate::model::job::Job;
use crate::model::job::Work;
use crate::model::release::ReleaseId;
use crate::model::standing::Standing;
use crate::model::time::Timestamp;
use crate::model::token::Token;
use crate::quarantine::judge::Judged;
use crate::quarantine::judge::Stage;

/// What a version may hold and a path may not.
const NOT_IN_A_PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

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

/// The page that explains a release. `base`: the client's address of this server, without a trailing slash.
pub fn link(base: &str, release: &ReleaseId) -> String {
    let version = utf8_percent_encode(release.version.as_str(), NOT_IN_A_PATH);
    format!("{base}/-/airlock/r/{}@{version}", release.package.name)
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
        findings,
        wanted: explanation.wanted,
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
        opens_at: opens_at(verdict.standing),
        published_at: explanation.published_at,
        age_counts_from: Some(verdict.age_counts_from),
        removed_at: explanation.removed_at,
        wanted: explanation.wanted,
        sentence: explanation.sentence.clone(),
        link: link(base, &explanation.release),
        digest: verdict.digest,
        revision: explanation.revision.0,
        approvals: wire::Approvals { given: verdict.approvals_given, needed: verdict.approvals_needed },
        findings: verdict.findings.iter().map(finding).collect(),
        artifacts: explanation.artifacts.iter().map(artifact).collect(),
        history: history(explanation),
        would_change: explanation.would_change.clone(),
    }
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
        why: judged.finding.kind.why().to_owned(),
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
    events.extend(state.inspections.iter().map(|(file, inspection)| wire::Event {
        digest: Some(inspection.digest),
        ..event(inspection.at, AIRLOCK, format!("inspected {file}"))
    }));
    events.extend(state.decisions.iter().map(decision));
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
    let Work::Inspect { release, file } = &job.work;
    wire::Parked {
        package: release.package.name.to_string(),
        version: release.version.to_string(),
        file: file.clone(),
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
