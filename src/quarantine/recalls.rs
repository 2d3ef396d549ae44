//! Recalls: who took a release back, and who said since that it is gone from where they had it.

use crate::model::actor::Actor;
use crate::model::actor::is_one_name;
use crate::model::decision::Decision;
use crate::model::decision::Verb;
use crate::model::finding::printable;
use crate::model::principal::Principal;
use crate::model::release::ReleaseId;
use crate::model::time::Timestamp;
use crate::model::token::Role;
use crate::quarantine::Quarantine;
use crate::storage::record::Acknowledgement;
use crate::storage::record::Command;
use crate::storage::record::ReleaseState;
use crate::storage::state::Batch;
use crate::storage::state::CommitError;
use crate::storage::state::Condition;
use crate::storage::state::ReadError;

const ATTEMPTS_MAX: usize = 8;
/// Of the name or the address whose pulls an acknowledgement is about.
const WHOSE_BYTES_MAX: usize = 214;

/// That a recalled release is gone from somewhere.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Gone {
    /// What was done; may be empty.
    pub note: String,
    /// Whose pulls it is about, by their token's name or their address, where those are not one's own. Only approvers say so.
    pub of: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum AcknowledgeError {
    #[error("an acknowledgement needs a name to be recorded under")]
    Nobody,
    #[error("{0} was not recalled")]
    NotRecalled(ReleaseId),
    #[error("note: longer than {max} bytes")]
    NoteTooLong { max: usize },
    #[error("of: a name or an address of 1 to {WHOSE_BYTES_MAX} bytes")]
    NotAName,
    #[error("that others have got rid of it, an approver says")]
    OfOthers,
    #[error("{max} acknowledgements are recorded of {release}, and no more are kept")]
    TooMany { release: ReleaseId, max: usize },
    #[error(transparent)]
    Commit(CommitError),
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// The decision that took it back, while it stands.
pub fn recalled(release: &ReleaseState, now: Timestamp) -> Option<&Decision> {
    release.decisions.iter().rfind(|one| one.counts_at(now)).filter(|one| one.verb == Verb::Revoke)
}

/// What was said since it was taken back.
pub fn acknowledged<'s>(release: &'s ReleaseState, recalled: &Decision) -> impl Iterator<Item = &'s Acknowledgement> {
    let at = recalled.at;
    release.acknowledgements.iter().filter(move |one| one.at >= at)
}

impl Quarantine {
    /// Records that a recalled release is gone from where somebody had it. Durable when it returns.
    pub async fn acknowledge(&self, release: &ReleaseId, gone: &Gone, person: &Principal) -> Result<Acknowledgement, AcknowledgeError> {
        let Some(by) = person.name.as_deref() else { return Err(AcknowledgeError::Nobody) };
        let note = gone.note.trim();
        if note.len() > Decision::REASON_BYTES_MAX {
            return Err(AcknowledgeError::NoteTooLong { max: Decision::REASON_BYTES_MAX });
        }
        let note = printable(note, Decision::REASON_BYTES_MAX);
        let of = gone.of.as_deref().map(str::trim).filter(|of| !is_one_name(of, by));
        if of.is_some_and(|of| of.is_empty() || of.len() > WHOSE_BYTES_MAX) {
            return Err(AcknowledgeError::NotAName);
        }
        if of.is_some() && !person.roles.covers(Role::Approver) {
            return Err(AcknowledgeError::OfOthers);
        }
        let of = of.map(|of| printable(of, WHOSE_BYTES_MAX));
        let mut attempts = 0;
        loop {
            attempts += 1;
            let now = self.clock.now();
            let state = self.state.package(&release.package).await?;
            let released = state.releases.get(&release.version);
            let Some((released, recall)) = released.and_then(|one| Some((one, recalled(one, now)?))) else {
                return Err(AcknowledgeError::NotRecalled(release.clone()));
            };
            let is_mine = |one: &&Acknowledgement| one.by == by && one.of == of;
            if let Some(said) = acknowledged(released, recall).find(|one| is_mine(one) && one.note == note) {
                return Ok(said.clone());
            }
            let is_known = released.acknowledgements.iter().any(|one| is_mine(&one));
            if !is_known && released.acknowledgements.len() >= ReleaseState::ACKNOWLEDGEMENTS_MAX {
                return Err(AcknowledgeError::TooMany { release: release.clone(), max: ReleaseState::ACKNOWLEDGEMENTS_MAX });
            }
            let acknowledgement = Acknowledgement { by: by.to_owned(), of: of.clone(), at: now, note: note.clone() };
            let batch = Batch {
                at: now,
                actor: Actor::Person(by.to_owned()),
                conditions: vec![Condition::Revision { package: release.package.clone(), is: state.revision }],
                commands: vec![Command::Acknowledged { release: release.clone(), acknowledgement: acknowledgement.clone() }],
            };
            match self.state.commit(batch).await {
                Ok(_) => return Ok(acknowledgement),
                Err(CommitError::Conflict(_)) if attempts < ATTEMPTS_MAX => {}
                Err(error) => return Err(AcknowledgeError::Commit(error)),
            }
        }
    }
}
