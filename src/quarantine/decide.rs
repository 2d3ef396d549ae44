//! People's decisions. Every change of where a release stands that is not computed passes here: one writer, one record
//! against a revision.

use crate::model::actor::Actor;
use crate::model::actor::is_one_name;
use crate::model::actor::join;
use crate::model::decision::Basis;
use crate::model::decision::Decision;
use crate::model::decision::Verb;
use crate::model::digest::Digest;
use crate::model::digest::DocumentDigest;
use crate::model::finding::FindingKind;
use crate::model::finding::printable;
use crate::model::index::Index;
use crate::model::notice::NoticeKind;
use crate::model::package::Version;
use crate::model::principal::Principal;
use crate::model::release::ReleaseId;
use crate::model::standing::Standing;
use crate::model::time::Timestamp;
use crate::quarantine::Quarantine;
use crate::quarantine::approval::asks_people;
use crate::quarantine::approval::covers;
use crate::quarantine::approval::is_of_another;
use crate::quarantine::approval::may_be_of_one;
use crate::quarantine::approval::stands_behind;
use crate::quarantine::mark;
use crate::quarantine::verdict::Judged;
use crate::quarantine::verdict::Verdict;
use crate::quarantine::wording::why;
use crate::storage::record::Command;
use crate::storage::record::LocalRelease;
use crate::storage::record::ReleaseState;
use crate::storage::state::Batch;
use crate::storage::state::CommitError;
use crate::storage::state::Condition;
use crate::storage::state::ReadError;

/// How often a decision is judged again because something else was recorded at the same time.
const ATTEMPTS_MAX: usize = 8;

/// What a person wants.
#[derive(Clone, PartialEq, Debug)]
pub struct Order {
    pub verb: Verb,
    pub reason: String,
    /// The bytes it is for; if given, they must be the release's.
    pub digest: Option<Digest>,
    /// The package's revision as the person saw it; if given, nothing may have changed since.
    pub revision: Option<u64>,
    pub expires_at: Option<Timestamp>,
}

#[derive(Debug, thiserror::Error)]
pub enum DecideError {
    #[error("{0} is not known")]
    UnknownRelease(ReleaseId),
    #[error("the decision is for {asked}, but the release stands for {}", found.map_or_else(|| "no known bytes".to_owned(), |digest| digest.sri()))]
    DigestMoved { asked: Box<Digest>, found: Box<Option<Digest>> },
    #[error("the package changed since revision {asked}: it is now at {found}; look again and decide again")]
    RevisionMoved { asked: u64, found: u64 },
    #[error("{0}")]
    NothingToDecide(String),
    #[error("{by} has approved {release} already; another person is needed")]
    AlreadyApproved { release: ReleaseId, by: String },
    /// Who may be the one who approved already is no second person.
    #[error(
        "{by} and {other}, who has approved {release} already, count as one person, because one of them gave the other a token or a password; another person is needed"
    )]
    SameHand { release: ReleaseId, by: String, other: String },
    /// Who stands behind a release does not let it through.
    #[error(
        "{by} stands behind {release} as who submitted it, or who gave or was given a token or a password for it: another person is needed"
    )]
    OwnSubmission { release: ReleaseId, by: String },
    #[error("a decision needs a name to be recorded under")]
    Nobody,
    #[error("a reason is needed")]
    ReasonMissing,
    #[error("the reason is longer than {max} bytes")]
    ReasonTooLong { max: usize },
    #[error("the decision would have expired already: {0} is not in the future")]
    ExpiryInPast(Timestamp),
    #[error("{0} never expires")]
    ExpiryMeaningless(Verb),
    #[error(transparent)]
    Commit(CommitError),
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl Quarantine {
    /// Records a decision of `person`. Durable when it returns.
    pub async fn decide(&self, index: &Index, version: &Version, order: &Order, person: &Principal) -> Result<(), DecideError> {
        let Some(by) = person.name.as_deref() else { return Err(DecideError::Nobody) };
        let now = self.clock.now();
        let reason = well_formed(order, now)?;
        let release = ReleaseId { package: index.package.clone(), version: version.clone() };
        let Some(row) = index.rows.iter().position(|row| row.version == *version) else {
            return Err(DecideError::UnknownRelease(release));
        };
        let substance = self.substance(index.package.ecosystem, &index.rows.get(row).map(|row| index.manifest(row)).unwrap_or_default());
        let mut attempts = 0;
        loop {
            attempts += 1;
            let state = self.state.package(&index.package).await?;
            if let Some(asked) = order.revision
                && asked != state.revision.0
            {
                return Err(DecideError::RevisionMoved { asked, found: state.revision.0 });
            }
            let standings = self.standings(index, &state, now);
            let Some(verdict) = standings.verdicts.get(row) else { return Err(DecideError::UnknownRelease(release)) };
            if let Some(asked) = order.digest
                && verdict.digest != Some(asked)
            {
                return Err(DecideError::DigestMoved { asked: Box::new(asked), found: Box::new(verdict.digest) });
            }
            if let Some(submission) = state.submission(version).filter(|_| !self.policy.review.self_approval)
                && lets_through(order.verb)
                && stands_behind(by, &person.behind, submission)
            {
                return Err(DecideError::OwnSubmission { release, by: by.to_owned() });
            }
            let given_up = if order.verb == Verb::Reopen { self.parked.of(&release) } else { Vec::new() };
            let mut behind = Vec::new();
            join(&mut behind, &person.behind, by);
            let decision = Decision {
                verb: order.verb,
                by: by.to_owned(),
                behind,
                at: now,
                reason: reason.clone(),
                digest: if order.verb == Verb::Approve { verdict.digest } else { order.digest },
                substance: (order.verb == Verb::Approve).then_some(substance),
                covers: if order.verb == Verb::Approve { in_sight(verdict) } else { Vec::new() },
                basis: (order.verb == Verb::Approve).then(|| Box::new(basis(verdict, self.policy_digest))),
                expires_at: order.expires_at,
            };
            if given_up.is_empty() {
                possible(&release, &decision, verdict, state.releases.get(version), state.submission(version), now)?;
            }
            let mut commands = vec![Command::Decided { release: release.clone(), decision }];
            commands.extend(given_up.into_iter().map(|work| Command::JobDone { work }));
            if order.verb == Verb::Revoke {
                commands.extend(self.notices(&release, NoticeKind::Recalled, now));
            }
            let batch = Batch {
                at: now,
                actor: Actor::Person(by.to_owned()),
                conditions: vec![Condition::Revision { package: index.package.clone(), is: state.revision }],
                commands,
            };
            match self.state.commit(batch).await {
                Ok(_) => break,
                Err(CommitError::Conflict(_)) if attempts < ATTEMPTS_MAX => {}
                Err(error) => return Err(DecideError::Commit(error)),
            }
        }
        tracing::info!(%release, decision = %order.verb, by, "decided");
        self.after_decision(&release, order.verb).await;
        Ok(())
    }

    /// What follows from a decision besides its record; the gate does not depend on it.
    async fn after_decision(&self, release: &ReleaseId, verb: Verb) {
        match verb {
            Verb::Reject | Verb::Revoke => self.demote(release).await,
            Verb::Reopen => self.parked.forget(release),
            // What is a slip away from it is judged anew.
            Verb::Approve => self.familiar.add(&release.package),
            Verb::Hold => {}
        }
    }

    /// Moves the release's bytes back into quarantine.
    async fn demote(&self, release: &ReleaseId) {
        let Ok(state) = self.state.package(&release.package).await else { return };
        let Some(released) = state.releases.get(&release.version) else { return };
        for digest in released.inspections.values().map(|one| &one.digest) {
            if let Err(error) = self.blobs.demote(digest).await {
                tracing::warn!(%release, %error, "its bytes could not be moved back into quarantine; the gate refuses them all the same");
            }
        }
    }
}

fn well_formed(order: &Order, now: Timestamp) -> Result<String, DecideError> {
    let reason = order.reason.trim();
    if reason.is_empty() {
        return Err(DecideError::ReasonMissing);
    }
    if reason.len() > Decision::REASON_BYTES_MAX {
        return Err(DecideError::ReasonTooLong { max: Decision::REASON_BYTES_MAX });
    }
    match (order.expires_at, order.verb) {
        (Some(at), _) if at <= now => Err(DecideError::ExpiryInPast(at)),
        (Some(_), Verb::Reopen | Verb::Revoke) => Err(DecideError::ExpiryMeaningless(order.verb)),
        (Some(_), Verb::Approve | Verb::Reject | Verb::Hold) | (None, _) => Ok(printable(reason, Decision::REASON_BYTES_MAX)),
    }
}

/// Whether a release may come to be open by it.
const fn lets_through(verb: Verb) -> bool {
    match verb {
        Verb::Approve | Verb::Reopen => true,
        Verb::Reject | Verb::Hold | Verb::Revoke => false,
    }
}

fn minded(verdict: &Verdict) -> impl Iterator<Item = &Judged> {
    verdict.findings.iter().filter(|one| asks_people(one.finding.kind, one.action))
}

/// What an approver has before their eyes: everything that would keep the release back, or is for people to decide.
fn in_sight(verdict: &Verdict) -> Vec<FindingKind> {
    let mut kinds: Vec<FindingKind> = minded(verdict).map(|one| one.finding.kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

/// Whether it is served, and people are asked whether that is right.
pub fn is_open_to_doubt(verdict: &Verdict) -> bool {
    let is_open = matches!(verdict.standing, Standing::Admissible | Standing::Approved);
    is_open && verdict.findings.iter().any(|one| one.counts() && asks_people(one.finding.kind, one.action))
}

/// What else it rests on.
fn basis(verdict: &Verdict, policy: DocumentDigest) -> Basis {
    let mut marks: Vec<DocumentDigest> = minded(verdict).map(|one| one.mark).collect();
    marks.sort_unstable();
    marks.dedup();
    Basis { findings: mark::of_all(verdict.findings.iter().map(|one| &one.mark)), policy, marks }
}

/// Whether bytes of it were ever had here.
fn was_here(state: Option<&ReleaseState>) -> bool {
    state.is_some_and(|state| state.first_inspected_at.is_some())
}

/// Whether the decision would mean anything.
fn possible(
    release: &ReleaseId,
    decision: &Decision,
    verdict: &Verdict,
    state: Option<&ReleaseState>,
    submission: Option<&LocalRelease>,
    now: Timestamp,
) -> Result<(), DecideError> {
    let nothing = |why: String| Err(DecideError::NothingToDecide(why));
    let decisions = state.map_or(&[][..], |state| &state.decisions);
    let last = decisions.iter().rfind(|decision| decision.counts_at(now));
    match decision.verb {
        Verb::Approve => {
            let hopeless = verdict.hopeless();
            if let Some(one) = hopeless {
                return nothing(format!("{release} cannot be approved by anyone: {} ({})", one.finding.kind.short(), one.finding.evidence));
            }
            let since_other = decisions.iter().filter(|one| one.counts_at(now)).rev().take_while(|one| one.verb == Verb::Approve);
            // Beside who submitted it somebody else counts, though one of the two gave the other a token.
            let is_beside = |one: &Decision| is_of_another(decision, submission) && !is_of_another(one, submission);
            let is_mine = |one: &Decision| is_one_name(&one.by, &decision.by) || (may_be_of_one(one, decision) && !is_beside(one));
            let mine = since_other.filter(|one| is_mine(one) && one.substance == decision.substance).find(|one| {
                one.digest == verdict.digest && minded(verdict).all(|finding| covers(one, finding.finding.kind, &finding.mark))
            });
            match (verdict.standing, mine) {
                (Standing::Quarantined, _) => nothing(format!("{release} {}; reopen it first", why(verdict, now))),
                (Standing::Approved | Standing::Admissible, _) if !is_open_to_doubt(verdict) => {
                    nothing(format!("{release} is {} already", verdict.standing))
                }
                (_, Some(mine)) if is_one_name(&mine.by, &decision.by) => {
                    Err(DecideError::AlreadyApproved { release: release.clone(), by: decision.by.clone() })
                }
                (_, Some(other)) => {
                    Err(DecideError::SameHand { release: release.clone(), by: decision.by.clone(), other: other.by.clone() })
                }
                (
                    Standing::Held { .. }
                    | Standing::InReview
                    | Standing::Rejected
                    | Standing::Revoked
                    | Standing::Approved
                    | Standing::Admissible,
                    None,
                ) => Ok(()),
            }
        }
        Verb::Reject => match last.map(|decision| decision.verb) {
            Some(Verb::Reject) => nothing(format!("{release} is rejected by a person already")),
            Some(Verb::Approve | Verb::Hold | Verb::Reopen | Verb::Revoke) | None => Ok(()),
        },
        Verb::Hold => match verdict.standing {
            Standing::Rejected | Standing::Revoked => {
                nothing(format!("{release} is {} already, which is stricter; reopen it first", verdict.standing))
            }
            Standing::Quarantined | Standing::Admissible | Standing::Held { .. } | Standing::InReview | Standing::Approved => Ok(()),
        },
        Verb::Reopen => match state {
            Some(state) if !state.decisions.is_empty() || !state.inspections.is_empty() => Ok(()),
            Some(_) | None => nothing(format!("nothing was decided or inspected of {release}; policy judges it already")),
        },
        Verb::Revoke => match verdict.standing {
            Standing::Approved | Standing::Admissible => Ok(()),
            // It is served because policy only observes, so that there is something to take back.
            Standing::Held { .. } | Standing::InReview | Standing::Rejected if verdict.observed => Ok(()),
            Standing::Revoked => nothing(format!("{release} is revoked already")),
            // Policy rejects it since: somebody may have it, and is told when a person takes it back.
            Standing::Rejected if was_here(state) && last.is_none_or(|one| one.verb != Verb::Reject) => Ok(()),
            Standing::Quarantined | Standing::Held { .. } | Standing::InReview | Standing::Rejected => {
                nothing(format!("{release} is {}, not approved: reject it instead", verdict.standing))
            }
        },
    }
}
