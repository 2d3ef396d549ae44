//! The judgement: one pure function from what is known of a release to where it stands. No clock, no store, no wildcard.

use std::sync::Arc;

use crate::config::policy::Licenses;
use crate::config::policy::Listing;
use crate::config::policy::Mode;
use crate::config::policy::Policy;
use crate::config::rules::PackageRules;
use crate::config::rules::Ruling;
use crate::model::advisory::AdvisoryKind;
use crate::model::change::Change;
use crate::model::decision::Decision;
use crate::model::decision::Verb;
use crate::model::digest::Digest;
use crate::model::digest::DocumentDigest;
use crate::model::finding::Action;
use crate::model::finding::Finding;
use crate::model::finding::FindingKind;
use crate::model::index::Row;
use crate::model::package::PackageId;
use crate::model::standing::Standing;
use crate::model::time::Timestamp;
use crate::quarantine::advised::Said;
use crate::quarantine::age::Age;
use crate::quarantine::age::People;
use crate::quarantine::age::Window;
use crate::quarantine::approval::PAIR;
use crate::quarantine::approval::approvals;
use crate::quarantine::approval::can_be_covered;
use crate::quarantine::approval::count;
use crate::quarantine::approval::is_covered;
use crate::quarantine::approval::is_of_another;
use crate::quarantine::approval::people_needed;
use crate::quarantine::checks::advisories;
use crate::quarantine::checks::change;
use crate::quarantine::checks::change::Circumstances;
use crate::quarantine::checks::inspection;
use crate::quarantine::checks::license;
use crate::quarantine::checks::rego;
use crate::quarantine::checks::screening;
use crate::quarantine::context::Context;
use crate::quarantine::context::Tie;
use crate::quarantine::mark;
use crate::quarantine::trust::Trust;
use crate::quarantine::verdict::Judged;
use crate::quarantine::verdict::Reason;
use crate::quarantine::verdict::Stage;
use crate::quarantine::verdict::Verdict;
use crate::quarantine::verdict::Vulnerability;
use crate::quarantine::waived::Waived;
use crate::storage::record::Inspection;
use crate::storage::record::LocalRelease;
use crate::storage::record::ReleaseState;

/// Everything that a judgement may know. Two equal cases have equal verdicts.
#[derive(Clone, Copy)]
pub struct Case<'a> {
    pub package: &'a PackageId,
    pub row: &'a Row,
    /// Of the row's text, by `Ecosystem::substance`; only where something was inspected or decided of it.
    pub substance: Option<DocumentDigest>,
    pub state: Option<&'a ReleaseState>,
    /// Of a release that was published here. Whoever stands behind it does not count among those who approve it, and is
    /// the first of the two that a release below the floor takes.
    pub submission: Option<&'a LocalRelease>,
    /// When the package was first seen here.
    pub first_seen_at: Timestamp,
    /// From when the oldest release of the package counts.
    pub name_counts_from: Timestamp,
    /// Whether people approved any release of the package before.
    pub approved_before: bool,
    /// Findings that are taken as given, where a policy is tried on a release that nobody has. Of real releases none.
    pub alleged: &'a [(Finding, Stage)],
    pub policy: &'a Policy,
    /// What policy says of the package.
    pub rules: &'a PackageRules<'a>,
    pub context: &'a Context,
    pub now: Timestamp,
}

/// Judges one release.
pub fn judge(case: &Case<'_>) -> Verdict {
    let Case { row, state, submission, policy, now, .. } = *case;
    let trust = Trust::listed(policy, case.rules.trusted, submission);
    let age = Age::of(row, state, case.first_seen_at);
    let digest = bound_digest(row, state);

    let decisions: Vec<&Decision> = state.map_or(&[][..], |state| &state.decisions).iter().filter(|one| one.counts_at(now)).collect();
    let approvals = approvals(&decisions, digest.as_ref(), case.substance.as_ref(), not_by_themselves(policy, submission));
    let needed = policy.review.approvals.max(1);
    let given = count(approvals.iter().copied());
    // Who submitted it is one person, whether their own approval counts or not: below the floor somebody else is needed.
    let has_another = approvals.iter().any(|one| is_of_another(one, submission));
    let are_two = if submission.is_some() { has_another } else { given >= PAIR };
    let people = People { given, needed, are_two };
    let fix_of = case.context.advised.fixes.get(&row.version).map(|id| &**id);
    let window = Window::of(case.policy, case.package, &case.row.version, age.counts_from, case.name_counts_from, fix_of, now);
    let by_people = window.opened_by_people(approvals.iter().map(|one| one.at).max(), people);
    let tie = case.context.ties.get(&row.version).filter(|_| trust == Trust::Nothing);
    let by_age = tie.map_or(window.opens_at, |tie| tie.opens_at.max(window.opens_at));
    let opened_at = by_people.map_or(by_age, |at| at.min(by_age));
    // What people approved in sight of findings stood closed until then.
    let covered_at = approvals.iter().filter(|one| !one.covers.is_empty()).map(|one| one.at).max();
    let opened_at = covered_at.map_or(opened_at, |at| at.max(opened_at));
    let inspections = current_inspections(case, trust, opened_at);
    let inspected = inspections.len() == row.artifacts.len() && !row.artifacts.is_empty();

    let first_of_package = policy.review.new_packages && !case.approved_before;
    let screened = screening::screen(row, state, &age, first_of_package).into_iter().chain(contradicts_pin(row, state));
    let screened = screened.chain(case.context.identity.of(&row.version).iter().cloned());
    let imitates = case.context.identity.typosquat.iter().filter(|_| !case.approved_before).cloned();
    let screened = screened.chain(imitates);
    let screened: Vec<(Finding, Stage)> = screened.map(|finding| (finding, Stage::Screening)).collect();
    let around = Circumstances {
        version: &row.version,
        by_a_stranger: screened.iter().any(|(finding, _)| change::is_of_a_stranger(finding.kind)),
        new_package: policy.release_age.new_package,
        now,
    };
    let changes: Vec<&Change> = inspections.iter().filter_map(|one| one.facts.change.as_ref()).collect();
    let changed = changes.iter().flat_map(|one| change::examine(one, &around));
    let licensed = inspections.iter().filter(|_| trust == Trust::Nothing).filter_map(|one| license::examine(&one.facts, &policy.licenses));
    let examined = inspections
        .iter()
        .flat_map(|one| inspection::examine(one))
        .chain(licensed)
        .chain(changed)
        .map(|finding| (finding, Stage::Inspection));

    let said = case.context.advised.said.get(&row.version).map_or(&[][..], Vec::as_slice);
    let advised = advisories::examine(said, in_use_since(state));
    let advised = advised.into_iter().chain(advisories::stale(case.context.feed, opened_at, now));
    let waived = Waived::of(case.package, &row.version, &case.context.waivers, not_by_themselves(policy, submission), now);
    let judged = |(finding, stage): (Finding, Stage)| {
        let (action, rule) = ruled(case, trust, &finding);
        let mark = mark::of(&finding, said);
        let covered = is_covered(finding.kind, &mark, action, &approvals, needed);
        let waived = waived.by(finding.kind, people_needed(action, needed), said).cloned();
        Judged { finding, mark, action, covered, waived, stage, rule }
    };
    let mut findings: Vec<Judged> = screened
        .into_iter()
        .chain(advised.map(|finding| (finding, Stage::Screening)))
        .chain(examined)
        .chain(case.alleged.iter().cloned())
        .map(judged)
        .collect();
    if let Some(module) = policy.rego.as_ref().filter(|_| inspected && trust == Trust::Nothing) {
        let described = rego::described(case, &findings, &inspections, said);
        findings.extend(rego::examine(module, &described).into_iter().map(|finding| judged((finding, Stage::Inspection))));
    }

    let passes = Passes {
        age: trust != Trust::Nothing || window.lets_pass(now, people),
        people: given >= needed || submission.is_none_or(|one| !one.staged),
    };
    // Who approves a release decides about it alone.
    let holding = tie.filter(|tie| !tie.is_open(now) && !window.is_passed_by(people, now));
    let reason = reason(&decisions, &findings, &window, passes, holding);
    let standing = match &reason {
        Reason::Person(decision) => match decision.verb {
            Verb::Reject => Standing::Rejected,
            Verb::Revoke => Standing::Revoked,
            Verb::Hold => Standing::Held { until: decision.expires_at },
            Verb::Approve | Verb::Reopen => Standing::Quarantined,
        },
        Reason::Finding { kind, .. } => match findings.iter().find(|one| one.finding.kind == *kind).map(|one| one.action) {
            Some(Action::Reject) | None => Standing::Rejected,
            Some(Action::Review) => Standing::InReview,
            Some(Action::Hold | Action::Note) => Standing::Held { until: None },
        },
        Reason::Staged => Standing::InReview,
        Reason::Age { opens_at, .. } => Standing::Held { until: Some(*opens_at) },
        Reason::Tied { tie, by_age } => {
            let opens_at = by_age.map_or(tie.opens_at, |at| at.max(tie.opens_at));
            Standing::Held { until: tie.withheld.is_none().then_some(opens_at) }
        }
        Reason::GivenUp { .. } => Standing::Quarantined,
        Reason::Clear if inspected => Standing::Approved,
        Reason::Clear => Standing::Admissible,
    };
    let observed = policy.mode == Mode::Observe && passes.people && is_of_policy_alone(&reason, &findings);
    let expiries = state.map_or(&[][..], |state| &state.decisions).iter().filter_map(|decision| decision.expires_at);
    let instants = [Some(window.opens_at), Some(window.floor_at), window.exemption_ends].into_iter().flatten();
    // What is trusted has no age to wait for.
    let instants = instants.filter(|_| trust == Trust::Nothing);
    let ripening = changes.iter().flat_map(|one| change::ripens_at(one, policy.release_age.new_package));
    // Rules that could not be asked may be asked a moment later.
    let asked_again = findings.iter().any(|one| one.finding.kind == FindingKind::RegoFailed).then(|| now.plus(rego::AGAIN_AFTER));
    let instants = instants.chain(asked_again);
    let changes_at =
        instants.chain(expiries).chain(ripening.clone()).chain(waived.ends()).chain(turns_with(tie)).filter(|at| *at > now).min();
    let decided = state.map_or(&[][..], |state| &state.decisions).iter().flat_map(|one| [Some(one.at), one.expires_at]).flatten();
    let seen = state.into_iter().flat_map(|state| [state.changed_at, state.removed_at, state.seen_at]).flatten();
    let open = standing == Standing::Approved || standing == Standing::Admissible || observed;
    // An inspection that passes changes nothing that clients see, unless only what passed is listed.
    let inspected_at = inspections.iter().map(|one| one.at).filter(|_| !open || policy.listing == Listing::Approved);
    let opened = [Some(window.opens_at), Some(window.floor_at), window.exemption_ended].into_iter().flatten();
    let opened = opened.filter(|_| trust == Trust::Nothing);
    let changed_at = decided
        .chain(seen)
        .chain(opened)
        .chain(ripening)
        .chain(inspected_at)
        .chain(waived.turns())
        .chain(turns_with(tie))
        .filter(|at| *at <= now)
        .max();
    let below_floor = now < window.floor_at && trust == Trust::Nothing;
    let pair =
        findings.iter().any(|one| one.action == Action::Reject && one.waived.is_none()) || (now < window.floor_at && submission.is_none());
    let approvals_needed = match (pair, submission) {
        (true, _) => needed.max(PAIR),
        // Their own word was given, and it takes one more.
        (false, Some(_)) if below_floor && !has_another => needed.max(given + 1),
        (false, Some(_) | None) => needed,
    };
    Verdict {
        standing,
        observed,
        inspected,
        findings,
        age_counts_from: age.counts_from,
        reason,
        changes_at,
        changed_at,
        approvals_given: given,
        approvals_needed,
        digest,
        trusted: trust.reason().map(Box::from),
        fix_of: fix_of.filter(|_| window.is_security_fix(now)).map(Box::from),
        gravest: gravest(said),
        tie: tie.cloned(),
    }
}

/// When it turns into another one by what it belongs together with.
fn turns_with(tie: Option<&Arc<Tie>>) -> impl Iterator<Item = Timestamp> {
    tie.into_iter().flat_map(|tie| [Some(tie.opens_at), tie.changes_at]).flatten()
}

/// Since when it is in use here, as far as is known.
fn in_use_since(state: Option<&ReleaseState>) -> Option<Timestamp> {
    let state = state?;
    let approved = state.decisions.iter().filter(|one| one.verb == Verb::Approve).map(|one| one.at);
    approved.chain(state.first_inspected_at).min()
}

fn gravest(said: &[Said]) -> Option<Box<Vulnerability>> {
    let vulnerabilities = said.iter().filter(|one| one.advisory.kind == AdvisoryKind::Vulnerability);
    let gravest = vulnerabilities.max_by_key(|one| one.advisory.score)?;
    Some(Box::new(Vulnerability { id: gravest.advisory.id.as_str().into(), score: gravest.advisory.score.unwrap_or(0) }))
}

/// Those that count, of the artifacts that the row lists, done in sight of what the row says now. `opened_at`: when nothing but an
/// inspection stood against it any more.
fn current_inspections<'s>(case: &Case<'s>, trust: Trust<'_>, opened_at: Timestamp) -> Vec<&'s Inspection> {
    let Some(state) = case.state else { return Vec::new() };
    let of_row = case.row.artifacts.iter().filter_map(|artifact| state.inspections.get(&artifact.file));
    let Licenses { allow, deny, .. } = &case.policy.licenses;
    // Older ones looked for no licence, and for little else that rules of one's own may speak of.
    let asks_more = trust == Trust::Nothing && !(allow.is_empty() && deny.is_empty() && case.policy.rego.is_none());
    let counts = |edition| match edition {
        inspection::EDITION => true,
        inspection::INTEGRITY_ONLY => trust.asks_integrity_only(),
        edition => edition < inspection::EDITION && !asks_more && case.context.editions.let_through(edition, opened_at),
    };
    of_row.map(|one| &**one).filter(|one| counts(one.edition) && one.substance == case.substance).collect()
}

/// The digest an artifact is bound to for good, by its first inspection.
pub fn pin<'s>(file: &str, state: Option<&'s ReleaseState>) -> Option<&'s Digest> {
    let state = state?;
    state.pins.get(file).or_else(|| state.inspections.get(file).filter(|one| one.pins()).map(|one| &one.digest))
}

/// The bytes of the release's first artifact: pinned, else stated.
fn bound_digest(row: &Row, state: Option<&ReleaseState>) -> Option<Digest> {
    let artifact = row.artifacts.first()?;
    pin(&artifact.file, state).copied().or(artifact.integrity.sha512)
}

/// An index that states other bytes than were pinned: what it lists could never be verified by a client.
fn contradicts_pin(row: &Row, state: Option<&ReleaseState>) -> Option<Finding> {
    row.artifacts.iter().find_map(|artifact| {
        let pinned = pin(&artifact.file, state)?;
        let stated = artifact.integrity.sha512.as_ref().filter(|stated| *stated != pinned)?;
        Some(Finding::new(FindingKind::IntegrityMismatch, format!("stated {stated}, but pinned {pinned} when first inspected")))
    })
}

/// What policy does with a finding of this release, and the rule that says so, in words.
fn ruled(case: &Case<'_>, trust: Trust<'_>, finding: &Finding) -> (Action, Option<Box<str>>) {
    let Ruling { action: asked, rule } = case.rules.ruling(finding.kind, case.submission.map(|one| one.by.as_str()));
    let action = trust.action(finding.kind, action(asked, finding, case.row, case.state));
    let decides = rule.filter(|_| action == asked);
    (action, decides.map(|(at, rule)| format!("policy.rules[{at}]: {}", rule.reason).into()))
}

/// Whether a release that is not open would be, if policy minded neither its age nor its findings. People's words bind, whoever
/// observes; what does not verify and what nobody can read is nothing that a client could install.
fn is_of_policy_alone(reason: &Reason, findings: &[Judged]) -> bool {
    let can_be_had = || findings.iter().all(|one| one.action == Action::Note || can_be_covered(one.finding.kind));
    match reason {
        Reason::Age { .. } | Reason::Tied { .. } | Reason::Finding { .. } => can_be_had(),
        Reason::Person(_) | Reason::Staged | Reason::GivenUp { .. } | Reason::Clear => false,
    }
}

/// A change upstream after the bytes were pinned is only noted: what is served are the pinned bytes, and the row that states them.
fn action(action: Action, finding: &Finding, row: &Row, state: Option<&ReleaseState>) -> Action {
    if finding.kind != FindingKind::ChangedUpstream {
        return action;
    }
    let changed_at = state.and_then(|state| state.changed_at);
    let pinned = |file: &str| {
        let inspected_at = state.and_then(|state| state.inspections.get(file)).filter(|one| one.pins()).map(|one| one.at);
        pin(file, state).is_some() && inspected_at.is_none_or(|at| changed_at.is_some_and(|changed_at| at < changed_at))
    };
    let pinned_before = !row.artifacts.is_empty() && row.artifacts.iter().all(|artifact| pinned(&artifact.file));
    if pinned_before { Action::Note } else { action }
}

/// The submission whose own people do not approve it: whatever was submitted, unless policy says otherwise.
pub fn not_by_themselves<'s>(policy: &Policy, submission: Option<&'s LocalRelease>) -> Option<&'s LocalRelease> {
    submission.filter(|_| !policy.review.self_approval)
}

/// What a release has behind it besides its findings.
#[derive(Clone, Copy)]
struct Passes {
    age: bool,
    /// People looked at it, or nobody asked that they do.
    people: bool,
}

/// The one rule that decides, strictest first: a person's word, then findings, then its submitter's wish, then age, then what it
/// belongs together with: that is told where it holds for longer.
fn reason(decisions: &[&Decision], findings: &[Judged], window: &Window, passes: Passes, holding: Option<&Arc<Tie>>) -> Reason {
    if let Some(last) = decisions.last() {
        match last.verb {
            Verb::Reject | Verb::Hold | Verb::Revoke => return Reason::Person((*last).clone()),
            Verb::Approve | Verb::Reopen => {}
        }
    }
    let standing = |action: Action| findings.iter().find(|one| one.action == action && one.counts());
    let of = |one: &Judged| Reason::Finding { kind: one.finding.kind, evidence: one.finding.evidence.clone() };
    let age = || Reason::Age { opens_at: window.opens_at, rule: window.rule.clone() };
    match (standing(Action::Reject), standing(Action::Review), standing(Action::Hold)) {
        (Some(one), _, _) | (None, Some(one), _) | (None, None, Some(one)) => of(one),
        (None, None, None) if !passes.people => Reason::Staged,
        (None, None, None) => {
            let by_age = (!passes.age).then_some(window.opens_at);
            let longer = holding.filter(|tie| tie.withheld.is_some() || by_age.is_none_or(|at| at < tie.opens_at));
            match (longer, passes.age) {
                (Some(tie), _) => Reason::Tied { tie: Arc::clone(tie), by_age },
                (None, false) => age(),
                (None, true) => Reason::Clear,
            }
        }
    }
}

#[cfg(test)]
mod tests;
