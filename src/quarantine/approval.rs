//! Approvals: whose count, for which bytes and findings, and how many people they are.

use std::collections::BTreeSet;

use crate::model::decision::Decision;
use crate::model::decision::Verb;
use crate::model::digest::Digest;
use crate::model::digest::DocumentDigest;
use crate::model::finding::Action;
use crate::model::finding::FindingKind;
use crate::model::time::Timestamp;
use crate::storage::record::ReleaseState;

/// People needed to open a release below the floor, or one that policy rejects: never one alone.
pub const PAIR: u32 = 2;

/// The approvals since the last decision of another kind that are for these bytes and this entry of the index, and of nobody
/// who stands `behind` the release.
pub fn approvals<'d>(
    decisions: &[&'d Decision],
    digest: Option<&Digest>,
    substance: Option<&DocumentDigest>,
    behind: &[String],
) -> Vec<&'d Decision> {
    let latest = decisions.iter().rev().take_while(|decision| decision.verb == Verb::Approve);
    let is_for_it = |decision: &&Decision| decision.digest.as_ref() == digest && decision.substance.as_ref() == substance;
    latest.copied().filter(|decision| is_for_it(decision) && !is_among(&decision.by, behind)).collect()
}

/// Whether the person is one of these. Names differ by more than capitals.
pub fn is_among(person: &str, people: &[String]) -> bool {
    people.iter().any(|one| one.eq_ignore_ascii_case(person))
}

/// Whether as many people as policy asks stand by a release: their approvals count now, for the bytes it is pinned to, and
/// none of them stands `behind` it.
pub fn is_vouched_for(release: &ReleaseState, needed: u32, behind: &[String], now: Timestamp) -> bool {
    let decisions: Vec<&Decision> = release.decisions.iter().filter(|one| one.counts_at(now)).collect();
    let latest = decisions.iter().rev().copied().take_while(|decision| decision.verb == Verb::Approve);
    let inspected = release.inspections.values().filter(|one| one.pins()).map(|one| &one.digest);
    let pins: Vec<&Digest> = release.pins.values().chain(inspected).collect();
    let is_for_it = |decision: &&Decision| pins.is_empty() || decision.digest.as_ref().is_some_and(|digest| pins.contains(&digest));
    count(latest.filter(|decision| is_for_it(decision) && !is_among(&decision.by, behind))) >= needed
}

/// Distinct people.
pub fn count<'d>(approvals: impl Iterator<Item = &'d Decision>) -> u32 {
    let people: BTreeSet<&str> = approvals.map(|decision| decision.by.as_str()).collect();
    u32::try_from(people.len()).unwrap_or(u32::MAX)
}

/// No number of people makes up for bytes that do not verify or for an entry that nobody can read.
pub const fn can_be_covered(kind: FindingKind) -> bool {
    !matches!(kind, FindingKind::IntegrityMismatch | FindingKind::UnreadableManifest)
}

pub fn is_covered(kind: FindingKind, action: Action, approvals: &[&Decision], needed: u32) -> bool {
    let people = count(approvals.iter().copied().filter(|decision| decision.covers.contains(&kind)));
    let enough = match action {
        Action::Note | Action::Hold | Action::Review => needed,
        Action::Reject => needed.max(PAIR),
    };
    can_be_covered(kind) && people >= enough
}
