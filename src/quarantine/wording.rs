//! The one wording of why a release is not served. Every channel of every client shows this and nothing else.

use crate::model::decision::Verb;
use crate::model::finding::FindingKind;
use crate::model::finding::printable;
use crate::model::package::PackageId;
use crate::model::package::Version;
use crate::model::refusal::Refusal;
use crate::model::release::ReleaseId;
use crate::model::standing::Standing;
use crate::model::time::Timestamp;
use crate::model::time::roughly;
use crate::quarantine::age::AgeRule;
use crate::quarantine::verdict::Reason;
use crate::quarantine::verdict::Verdict;
use crate::quarantine::verdict::Vulnerability;

const EVIDENCE_BYTES_MAX: usize = 120;

/// What a developer may take instead.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Alternative<'v> {
    pub version: &'v Version,
    pub approved: bool,
    /// The vulnerability that is known of it, where policy does not pass over that.
    pub vulnerability: Option<&'v Vulnerability>,
    /// Whether policy leaves it to people to take it: no pointer leads there.
    pub is_left_to_people: bool,
}

/// Why this release is not served, and what is.
pub fn refusal(package: &PackageId, version: &Version, verdict: &Verdict, now: Timestamp, alternative: Option<Alternative<'_>>) -> Refusal {
    let release = ReleaseId { package: package.clone(), version: version.clone() };
    let instead = alternative.map_or_else(String::new, |alternative| instead(&alternative));
    let sentence = if verdict.observed {
        format!("{release} is served only because policy observes: it {}.", why(verdict, now))
    } else {
        format!("{release} {}.{instead}", why(verdict, now))
    };
    let opens_at = match verdict.standing {
        Standing::Held { until } => until,
        Standing::Quarantined | Standing::Admissible | Standing::InReview | Standing::Approved | Standing::Rejected | Standing::Revoked => {
            None
        }
    };
    Refusal { release, standing: verdict.standing, opens_at, sentence }
}

/// ` 1.2.2 is approved, but GHSA-xxxx (9.8) is known of it.`
fn instead(alternative: &Alternative<'_>) -> String {
    let Alternative { version, approved, vulnerability, is_left_to_people } = alternative;
    let stands = if *approved { "approved" } else { "admissible" };
    match vulnerability {
        None => format!(" {version} is {stands}."),
        Some(Vulnerability { id, score }) => {
            let choice = if *is_left_to_people { ": wait, or ask for it by its version" } else { "" };
            format!(" {version} is {stands}, but {id} ({}.{}) is known of it{choice}.", score / 10, score % 10)
        }
    }
}

/// `is held: published 9 hours ago, opens 2026-11-27 14:05 UTC (minimum age 7 days)`, without the full stop.
pub fn why(verdict: &Verdict, now: Timestamp) -> String {
    let counted = || {
        let claimed_less =
            verdict.findings.iter().any(|one| matches!(one.finding.kind, FindingKind::ClaimedAge | FindingKind::UnknownPublishTime));
        let how = if claimed_less { "first seen" } else { "published" };
        if verdict.age_counts_from > now {
            format!("{how} {} from now by upstream's clock", roughly(verdict.age_counts_from.since(now)))
        } else {
            format!("{how} {} ago", roughly(now.since(verdict.age_counts_from)))
        }
    };
    match &verdict.reason {
        Reason::Age { opens_at, rule } => {
            let rule = match rule {
                AgeRule::Minimum(minimum) => format!("minimum age {}", roughly(*minimum)),
                AgeRule::NewPackage(minimum) => format!("new packages wait {}", roughly(*minimum)),
                AgeRule::SecurityFix { floor, of } => format!("security fix of {of}: no release opens before {}", roughly(*floor)),
                AgeRule::Floor(floor) => format!("no release opens before {}", roughly(*floor)),
            };
            format!("is held: {}, opens {} ({rule})", counted(), opens_at.for_people())
        }
        Reason::Tied { tie, by_age } => match &tie.withheld {
            Some(withheld) => format!("is held: it belongs together with {withheld}"),
            None => {
                let opens_at = by_age.map_or(tie.opens_at, |at| at.max(tie.opens_at));
                format!("is held: {}, opens {} (together with {})", counted(), opens_at.for_people(), tie.last)
            }
        },
        Reason::Finding { kind, evidence } => {
            let evidence = printable(evidence, EVIDENCE_BYTES_MAX);
            let evidence = if evidence.is_empty() { evidence } else { format!(" ({})", evidence.trim_end_matches('.')) };
            let verb = match verdict.standing {
                Standing::InReview => "waits for review",
                Standing::Rejected => "is rejected",
                Standing::Held { .. } => "is held",
                Standing::Quarantined | Standing::Admissible | Standing::Approved | Standing::Revoked => "is in quarantine",
            };
            format!("{verb}: {}{evidence}", kind.short())
        }
        Reason::Person(decision) => {
            let reason = printable(&decision.reason, EVIDENCE_BYTES_MAX);
            let reason = reason.trim_end_matches('.');
            let until = decision.expires_at.map_or_else(String::new, |at| format!(" until {}", at.for_people()));
            match decision.verb {
                Verb::Hold => format!("is held by {}{until}: {reason}", decision.by),
                Verb::Reject => format!("is rejected by {}{until}: {reason}", decision.by),
                Verb::Revoke => format!("was revoked by {}: {reason}", decision.by),
                Verb::Approve | Verb::Reopen => "is in quarantine".to_owned(),
            }
        }
        Reason::Staged => "waits for review: whoever submitted it asked for that".to_owned(),
        Reason::GivenUp { error } => {
            format!("is in quarantine: inspecting it was given up ({}); an approver can reopen it", printable(error, EVIDENCE_BYTES_MAX))
        }
        Reason::Clear => match verdict.standing {
            Standing::Approved => match (&verdict.trusted, &verdict.fix_of) {
                (Some(why), _) => format!("is approved: trusted ({})", printable(why, EVIDENCE_BYTES_MAX)),
                (None, Some(of)) => format!("is approved: opened early as the security fix of {of}"),
                (None, None) => "is approved".to_owned(),
            },
            Standing::Admissible => match &verdict.trusted {
                Some(why) => {
                    format!("is admissible: trusted ({}); its bytes are proven at the first download", printable(why, EVIDENCE_BYTES_MAX))
                }
                None => {
                    let early =
                        verdict.fix_of.as_ref().map_or_else(String::new, |of| format!("opened early as the security fix of {of}; "));
                    format!("is admissible: {early}its bytes are inspected at the first download")
                }
            },
            Standing::Quarantined | Standing::Held { .. } | Standing::InReview | Standing::Rejected | Standing::Revoked => {
                "is in quarantine".to_owned()
            }
        },
    }
}
