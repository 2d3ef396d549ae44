//! Approvals: whose count, for which bytes and findings, and how many people they are.

use crate::model::actor::is_among;
use crate::model::actor::is_one_name;
use crate::model::decision::Decision;
use crate::model::decision::Verb;
use crate::model::digest::Digest;
use crate::model::digest::DocumentDigest;
use crate::model::finding::Action;
use crate::model::finding::FindingKind;
use crate::model::time::Timestamp;
use crate::storage::record::LocalRelease;
use crate::storage::record::ReleaseState;

/// People needed to open a release below the floor, or one that policy rejects: never one alone.
pub const PAIR: u32 = 2;

/// The approvals since the last decision of another kind that are for these bytes and this entry of the index, and of nobody
/// who stands behind what was `submitted`, oldest first.
pub fn approvals<'d>(
    decisions: &[&'d Decision],
    digest: Option<&Digest>,
    substance: Option<&DocumentDigest>,
    submitted: Option<&LocalRelease>,
) -> Vec<&'d Decision> {
    let latest = decisions.iter().rev().copied().take_while(|decision| decision.verb == Verb::Approve);
    let is_for_it = |decision: &&Decision| decision.digest.as_ref() == digest && decision.substance.as_ref() == substance;
    let mut counting: Vec<&Decision> = latest.filter(|one| is_for_it(one) && is_of_another(one, submitted)).collect();
    counting.reverse();
    counting
}

/// Whether the decision is of somebody who did not submit the release.
pub fn is_of_another(decision: &Decision, submitted: Option<&LocalRelease>) -> bool {
    submitted.is_none_or(|submission| !stands_behind(&decision.by, &decision.behind, submission))
}

/// Whether the person had a hand in what was submitted: they are among those who could have submitted it, or whoever
/// submitted it is among those `behind` the person. Somebody who stands behind both, such as the admin who hands out
/// tokens, does not make two people one.
pub fn stands_behind(person: &str, behind: &[String], submission: &LocalRelease) -> bool {
    is_among(person, &submission.behind) || is_among(&submission.by, behind)
}

/// Whether both decisions may be of one person: of one name, or one of the two could have made the other's too.
pub fn may_be_of_one(left: &Decision, right: &Decision) -> bool {
    may_be_one((&left.by, &left.behind), (&right.by, &right.behind))
}

/// Whether two names, each with those who could have spoken under it, may be one person.
pub fn may_be_one(left: (&str, &[String]), right: (&str, &[String])) -> bool {
    is_one_name(left.0, right.0) || is_among(left.0, right.1) || is_among(right.0, left.1)
}

/// Whether as many people as policy asks stand by a release: their approvals count now, for the bytes it is pinned to, and
/// none of them stands behind what was `submitted`.
pub fn is_vouched_for(release: &ReleaseState, needed: u32, submitted: Option<&LocalRelease>, now: Timestamp) -> bool {
    let decisions: Vec<&Decision> = release.decisions.iter().filter(|one| one.counts_at(now)).collect();
    let latest = decisions.iter().rev().copied().take_while(|decision| decision.verb == Verb::Approve);
    let inspected = release.inspections.values().filter(|one| one.pins()).map(|one| &one.digest);
    let pins: Vec<&Digest> = release.pins.values().chain(inspected).collect();
    let is_for_it = |decision: &&Decision| pins.is_empty() || decision.digest.as_ref().is_some_and(|digest| pins.contains(&digest));
    let mut counting: Vec<&Decision> = latest.filter(|one| is_for_it(one) && is_of_another(one, submitted)).collect();
    counting.reverse();
    count(counting.into_iter()) >= needed
}

/// How many people they surely are. In order: an approval that may be of somebody who is counted already adds nobody, and
/// takes nobody away.
pub fn count<'d>(approvals: impl Iterator<Item = &'d Decision>) -> u32 {
    let mut people: Vec<&Decision> = Vec::new();
    for approval in approvals {
        if people.iter().all(|one| !may_be_of_one(one, approval)) {
            people.push(approval);
        }
    }
    u32::try_from(people.len()).unwrap_or(u32::MAX)
}

/// No number of people makes up for bytes that do not verify or for an entry that nobody can read.
pub const fn can_be_covered(kind: FindingKind) -> bool {
    !matches!(kind, FindingKind::IntegrityMismatch | FindingKind::UnreadableManifest)
}

/// Whether a finding is for people to decide: it keeps the release back, or leaves it open and asks them all the same.
pub fn asks_people(kind: FindingKind, action: Action) -> bool {
    action > Action::Note || kind == FindingKind::MalwareUnconfirmed
}

/// Whether an approval was given in sight of this very finding. One that was recorded before findings had marks was for whatever
/// was found of that kind.
pub fn covers(approval: &Decision, kind: FindingKind, mark: &DocumentDigest) -> bool {
    match &approval.basis {
        Some(basis) => basis.marks.contains(mark),
        None => approval.covers.contains(&kind),
    }
}

pub fn is_covered(kind: FindingKind, mark: &DocumentDigest, action: Action, approvals: &[&Decision], needed: u32) -> bool {
    let people = count(approvals.iter().copied().filter(|decision| covers(decision, kind, mark)));
    can_be_covered(kind) && people >= people_needed(action, needed)
}

/// People that it takes against a finding of which policy does this. `needed`: what policy asks for a review.
pub fn people_needed(action: Action, needed: u32) -> u32 {
    match action {
        Action::Note | Action::Hold | Action::Review => needed,
        Action::Reject => needed.max(PAIR),
    }
}
