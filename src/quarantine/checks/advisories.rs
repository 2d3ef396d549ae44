//! Advisories: what others found out about a release, and whether what is known of that is recent enough to go by.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::model::advisory::AdvisoryKind;
use crate::model::finding::Finding;
use crate::model::finding::FindingKind;
use crate::model::time::Timestamp;
use crate::quarantine::advised::Said;
use crate::quarantine::context::FeedAge;

/// What had been inspected or approved here for so long when it was first called malware is so only if more than one source says so,
/// or its bytes are named: single reports of widely used packages are sometimes wrong, and what is young enough to be an attack is
/// not asked for a second one. Time that passes afterwards makes nothing of it milder.
pub const LONG_IN_USE: Duration = Duration::from_secs(90 * 24 * 3_600);
/// From which score on, in tenths.
const CRITICAL: u8 = 90;
const HIGH: u8 = 70;
/// Advisories that an evidence names.
const NAMED_MAX: usize = 5;

/// Findings of one release, at most one of a kind. `in_use_since`: when bytes of it were first inspected or approved here.
pub fn examine(said: &[Said], in_use_since: Option<Timestamp>) -> Vec<Finding> {
    let malware: Vec<&Said> = said.iter().filter(|one| one.advisory.kind == AdvisoryKind::Malware).collect();
    let vulnerabilities = || said.iter().filter(|one| one.advisory.kind == AdvisoryKind::Vulnerability);
    let mut findings = Vec::new();
    if !malware.is_empty() {
        let sources: BTreeSet<&str> = malware.iter().flat_map(|one| one.sources.iter().map(String::as_str)).collect();
        let told_at = malware.iter().map(|one| one.advisory.published_at.unwrap_or(one.advisory.modified_at)).min();
        let is_long_in_use = in_use_since.zip(told_at).is_some_and(|(since, told_at)| told_at.since(since) >= LONG_IN_USE);
        let is_confirmed = sources.len() > 1 || malware.iter().any(|one| one.names_bytes);
        let kind = if is_confirmed || !is_long_in_use { FindingKind::Malware } else { FindingKind::MalwareUnconfirmed };
        findings.push(Finding::new(kind, named(&malware)));
    }
    for kind in [FindingKind::VulnerableCritical, FindingKind::VulnerableHigh, FindingKind::Vulnerable] {
        let all: Vec<&Said> = vulnerabilities().filter(|one| graded(one.advisory.score) == kind).collect();
        if !all.is_empty() {
            findings.push(Finding::new(kind, named(&all)));
        }
    }
    findings
}

/// As what a vulnerability of this score is told.
pub fn graded(score: Option<u8>) -> FindingKind {
    match score.unwrap_or(0) {
        CRITICAL.. => FindingKind::VulnerableCritical,
        HIGH.. => FindingKind::VulnerableHigh,
        _ => FindingKind::Vulnerable,
    }
}

/// A release whose hold ended when what was known of advisories was too old already. `opened_at`: when nothing but that stood
/// against it any more, by its age or by people. What opened while the feed was fresh stays open.
pub fn stale(feed: Option<FeedAge>, opened_at: Timestamp, now: Timestamp) -> Option<Finding> {
    let FeedAge { as_of, age_max } = feed?;
    let fresh_until = as_of.plus(age_max);
    if now < opened_at || opened_at <= fresh_until || now <= fresh_until {
        return None;
    }
    let evidence =
        if as_of <= FeedAge::NEVER { "nothing was heard yet".to_owned() } else { format!("last heard as of {}", as_of.for_people()) };
    Some(Finding::new(FindingKind::FeedStale, evidence))
}

fn named(said: &[&Said]) -> String {
    let one = |one: &&Said| {
        let advisory = &one.advisory;
        let mut text = advisory.id.clone();
        match advisory.kind {
            AdvisoryKind::Malware => text.push_str(&format!(" ({})", one.sources.join(", "))),
            AdvisoryKind::Vulnerability => {
                if let Some(score) = advisory.score {
                    text.push_str(&format!(" ({}.{})", score / 10, score % 10));
                }
            }
        }
        if one.names_bytes {
            text.push_str(&format!(" names these very bytes, as {}", advisory.package.name));
        }
        if !advisory.summary.is_empty() {
            text.push_str(&format!(": {}", advisory.summary));
        }
        if let Some(fixed) = &one.fixed {
            text.push_str(&format!(", fixed in {fixed}"));
        }
        text
    };
    let mut texts: Vec<String> = said.iter().take(NAMED_MAX).map(one).collect();
    if let Some(more) = said.len().checked_sub(NAMED_MAX).filter(|more| *more > 0) {
        texts.push(format!("and {more} more"));
    }
    texts.join("; ")
}

#[cfg(test)]
mod tests;
