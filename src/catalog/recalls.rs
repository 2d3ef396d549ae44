//! A recall as a whole: who took the release back, who pulled it, who said that it is gone, and who has not.

use std::sync::Arc;

use crate::catalog::Catalog;
use crate::catalog::CatalogError;
use crate::model::actor::is_one_name;
use crate::model::decision::Decision;
use crate::model::job::Job;
use crate::model::pull::PullCount;
use crate::model::pull::Puller;
use crate::model::release::ReleaseId;
use crate::quarantine::recalls::acknowledged;
use crate::quarantine::recalls::recalled;
use crate::storage::record::Acknowledgement;

#[derive(Clone, Debug)]
pub struct Recall {
    /// None while it is not recalled: who pulled it is told all the same.
    pub decision: Option<Decision>,
    /// Most recent last.
    pub pulls: Vec<PullCount>,
    /// Since it was recalled, oldest first.
    pub acknowledgements: Vec<Acknowledgement>,
    /// Of whom nobody said that it is gone, most recent puller last; none while it is not recalled.
    pub missing: Vec<Whose>,
    /// Notices of it that are not delivered yet, or were given up.
    pub notices: Vec<Job>,
}

/// Who pulled, as far as it can be told apart: by a token's name, else by the address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Whose {
    Name(String),
    Address(String),
}

impl Whose {
    fn of(puller: &Puller) -> Whose {
        match &puller.by {
            Some(by) => Whose::Name(by.clone()),
            None => Whose::Address(puller.address.to_string()),
        }
    }

    fn is_in(&self, acknowledgements: &[Acknowledgement]) -> bool {
        acknowledgements.iter().any(|one| match (self, &one.of) {
            (Whose::Name(name), None) => is_one_name(name, &one.by),
            (Whose::Name(name), Some(of)) => is_one_name(name, of),
            (Whose::Address(address), Some(of)) => address == of,
            (Whose::Address(_), None) => false,
        })
    }
}

impl Catalog {
    pub async fn recall(self: &Arc<Self>, release: &ReleaseId) -> Result<Recall, CatalogError> {
        let state = self.state.package(&release.package).await?;
        let pulls = self.pulls(release).await?;
        let released = state.releases.get(&release.version);
        let decision = released.and_then(|one| recalled(one, self.clock.now())).cloned();
        let acknowledgements: Vec<Acknowledgement> = match (released, &decision) {
            (Some(released), Some(decision)) => acknowledged(released, decision).cloned().collect(),
            (Some(_) | None, _) => Vec::new(),
        };
        let mut missing: Vec<Whose> = Vec::new();
        for whose in pulls.iter().filter(|_| decision.is_some()).map(|pull| Whose::of(&pull.puller)) {
            if !missing.contains(&whose) && !whose.is_in(&acknowledgements) {
                missing.push(whose);
            }
        }
        let notices = self.quarantine.notices_of(release).await?;
        Ok(Recall { decision, pulls, acknowledgements, missing, notices })
    }
}
