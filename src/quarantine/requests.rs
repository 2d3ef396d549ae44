//! Requests: developers who ask that a release be let through. They open nothing; whoever decides sees how many ask, and why.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use crate::model::actor::Actor;
use crate::model::actor::is_one_name;
use crate::model::decision::Decision;
use crate::model::decision::Verb;
use crate::model::finding::printable;
use crate::model::index::Index;
use crate::model::package::Version;
use crate::model::principal::Principal;
use crate::model::release::ReleaseId;
use crate::model::standing::Standing;
use crate::model::time::Timestamp;
use crate::model::waiver::Request;
use crate::quarantine::Quarantine;
use crate::quarantine::verdict::Verdict;
use crate::quarantine::wording::why;
use crate::quarantine::workflow::lock;
use crate::storage::record::Command;
use crate::storage::record::ReleaseState;
use crate::storage::state::Batch;
use crate::storage::state::CommitError;
use crate::storage::state::Condition;
use crate::storage::state::ReadError;

/// How often a request is judged again because something else was recorded at the same time.
const ATTEMPTS_MAX: usize = 8;
/// What one person may ask for in [`WINDOW`].
pub const ASKED_MAX: u32 = 60;
const WINDOW: Duration = Duration::from_secs(3_600);
/// People whose asking is counted at once.
const PEOPLE_MAX: usize = 10_000;

#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    #[error("{0} is not known")]
    UnknownRelease(ReleaseId),
    #[error("a request needs a name to be recorded under")]
    Nobody,
    #[error("a reason is needed")]
    ReasonMissing,
    #[error("the reason is longer than {max} bytes")]
    ReasonTooLong { max: usize },
    /// It is open, or nobody can open it.
    #[error("{0}")]
    NothingToAsk(String),
    #[error("{by} asked for {ASKED_MAX} releases within the hour; ask again later")]
    TooMany { by: String, retry_after: Duration },
    #[error(transparent)]
    Commit(CommitError),
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// How much each person asked for lately.
#[derive(Debug, Default)]
pub struct Asking(Mutex<HashMap<String, (Timestamp, u32)>>);

impl Asking {
    /// Counts one request; how long to wait where there were too many.
    fn count(&self, by: &str, now: Timestamp) -> Result<(), Duration> {
        let mut people = lock(&self.0);
        if people.len() >= PEOPLE_MAX {
            people.retain(|_, (since, _)| now.since(*since) < WINDOW);
        }
        if people.len() >= PEOPLE_MAX {
            return Err(WINDOW);
        }
        let (since, count) = people.entry(by.to_ascii_lowercase()).or_insert((now, 0));
        if now.since(*since) >= WINDOW {
            (*since, *count) = (now, 0);
        }
        if *count >= ASKED_MAX {
            return Err(WINDOW.saturating_sub(now.since(*since)));
        }
        *count += 1;
        Ok(())
    }
}

/// Those who ask still: nobody refused it since. At most [`ReleaseState::REQUESTS_MAX`].
pub fn unanswered(release: &ReleaseState) -> impl Iterator<Item = &Request> {
    let refuses = |verb: Verb| match verb {
        Verb::Reject | Verb::Hold | Verb::Revoke => true,
        Verb::Approve | Verb::Reopen => false,
    };
    let answered_at = release.decisions.iter().rfind(|one| refuses(one.verb)).map(|one| one.at);
    release.requests.iter().filter(move |one| answered_at.is_none_or(|at| one.at > at))
}

/// Why asking for it is in vain, if it is.
fn in_vain(release: &ReleaseId, verdict: &Verdict, now: Timestamp) -> Option<String> {
    let hopeless = verdict.hopeless();
    if let Some(one) = hopeless {
        return Some(format!("{release} cannot be approved by anyone: {} ({})", one.finding.kind.short(), one.finding.evidence));
    }
    match verdict.standing {
        Standing::Approved | Standing::Admissible => Some(format!("{release} {}: nobody needs to be asked", why(verdict, now))),
        Standing::Quarantined | Standing::Held { .. } | Standing::InReview | Standing::Rejected | Standing::Revoked => None,
    }
}

impl Quarantine {
    /// Records that `person` asks for a release. One who asked already asks with these words instead. Durable when it returns.
    pub async fn request(&self, index: &Index, version: &Version, reason: &str, person: &Principal) -> Result<(), RequestError> {
        let Some(by) = person.name.as_deref() else { return Err(RequestError::Nobody) };
        let reason = reason.trim();
        if reason.is_empty() {
            return Err(RequestError::ReasonMissing);
        }
        if reason.len() > Decision::REASON_BYTES_MAX {
            return Err(RequestError::ReasonTooLong { max: Decision::REASON_BYTES_MAX });
        }
        let reason = printable(reason, Decision::REASON_BYTES_MAX);
        let release = ReleaseId { package: index.package.clone(), version: version.clone() };
        let Some(row) = index.rows.iter().position(|row| row.version == *version) else {
            return Err(RequestError::UnknownRelease(release));
        };
        let now = self.clock.now();
        for attempt in 1.. {
            let state = self.state.package(&index.package).await?;
            let standings = self.standings(index, &state, now);
            let Some(verdict) = standings.verdicts.get(row) else { break };
            if let Some(why) = in_vain(&release, verdict, now) {
                return Err(RequestError::NothingToAsk(why));
            }
            let is_same = |one: &Request| is_one_name(&one.by, by) && one.reason == reason;
            if state.releases.get(version).is_some_and(|one| unanswered(one).any(is_same)) {
                return Ok(());
            }
            if attempt == 1 {
                self.asking.count(by, now).map_err(|retry_after| RequestError::TooMany { by: by.to_owned(), retry_after })?;
            }
            let request = Request { by: by.to_owned(), at: now, reason: reason.clone() };
            let batch = Batch {
                at: now,
                actor: Actor::Person(by.to_owned()),
                conditions: vec![Condition::Revision { package: index.package.clone(), is: state.revision }],
                commands: vec![Command::Requested { release: release.clone(), request }],
            };
            match self.state.commit(batch).await {
                Ok(_) => return Ok(()),
                Err(CommitError::Conflict(_)) if attempt < ATTEMPTS_MAX => {}
                Err(error) => return Err(RequestError::Commit(error)),
            }
        }
        Err(RequestError::UnknownRelease(release))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(0).plus(Duration::from_secs(seconds))
    }

    #[test]
    fn one_person_asks_for_so_much_an_hour() {
        let asking = Asking::default();
        for _ in 0..ASKED_MAX {
            asking.count("ann", at(0)).unwrap();
        }
        assert_eq!(asking.count("Ann", at(600)), Err(WINDOW - Duration::from_secs(600)));
        asking.count("joe", at(600)).unwrap();
        asking.count("ann", at(3_600)).unwrap();
        for number in 0..PEOPLE_MAX {
            let _ = asking.count(&format!("p{number}"), at(3_600));
        }
        assert!(asking.count("one more", at(3_600)).is_err(), "what is counted has a bound");
        asking.count("one more", at(7_200)).unwrap();
    }

    #[test]
    fn a_refusal_answers_and_an_approval_does_not() {
        let mut release = ReleaseState::default();
        let request = |by: &str, seconds| Request { by: by.into(), at: at(seconds), reason: "needed".into() };
        let decision = |verb, seconds| Decision {
            verb,
            by: "maria".into(),
            behind: Vec::new(),
            at: at(seconds),
            reason: "r".into(),
            digest: None,
            substance: None,
            covers: Vec::new(),
            basis: None,
            expires_at: None,
        };
        release.requests = vec![request("ann", 1), request("joe", 5)];
        let by = |release: &ReleaseState| unanswered(release).map(|one| one.by.clone()).collect::<Vec<_>>();
        assert_eq!(by(&release), ["ann", "joe"]);
        release.decisions.push(decision(Verb::Approve, 9));
        assert_eq!(by(&release), ["ann", "joe"]);
        release.decisions.insert(0, decision(Verb::Reject, 3));
        assert_eq!(by(&release), ["joe"]);
        release.decisions.push(decision(Verb::Hold, 9));
        assert!(by(&release).is_empty());
    }
}
