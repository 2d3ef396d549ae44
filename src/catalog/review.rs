//! The review queue by its ids, as clients that know staged releases ask for it. Upstream's releases that wait for people
//! are in it as those published here are.

use std::sync::Arc;
use std::time::Duration;

use crate::catalog::Catalog;
use crate::catalog::CatalogError;
use crate::catalog::Download;
use crate::catalog::amend::AmendError;
use crate::catalog::explanation::DecideOrFind;
use crate::catalog::explanation::Explanation;
use crate::catalog::local::ChangeError;
use crate::catalog::queue::Posted;
use crate::catalog::queue::Walk;
use crate::catalog::queue::waits;
use crate::catalog::refresh::ATTEMPTS_MAX;
use crate::catalog::rights::may_change;
use crate::model::actor::Actor;
use crate::model::actor::is_one_name;
use crate::model::decision::Verb;
use crate::model::package::PackageId;
use crate::model::package::PackageName;
use crate::model::principal::Principal;
use crate::model::pull::Puller;
use crate::model::release::ReleaseId;
use crate::model::stage::StageId;
use crate::model::token::Role;
use crate::quarantine::decide::Order;
use crate::quarantine::gate::NotForReview;
use crate::storage::record::Amendment;
use crate::storage::record::Command;
use crate::storage::record::LocalRelease;

/// When to come again while the walk over all packages is under way.
const RETRY_AFTER: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
    /// Nothing waits under this id, or not for who asks.
    #[error("nothing waits for review under {0}; `npm stage list` shows what does")]
    Unknown(StageId),
    #[error("not every package was looked at since the start; try again in {} seconds", .retry_after.as_secs())]
    NotYet { retry_after: Duration },
    /// Whoever sees it may not take it back.
    #[error(transparent)]
    NotYours(Box<AmendError>),
    #[error(transparent)]
    Find(#[from] CatalogError),
    #[error(transparent)]
    Decide(#[from] DecideOrFind),
    #[error(transparent)]
    Bytes(#[from] NotForReview),
}

/// A page of what waits.
#[derive(Clone, Debug)]
pub struct ReviewPage {
    /// In the order of packages.
    pub waiting: Vec<Explanation>,
    /// How many there are in all; before the last page, at most so many.
    pub total: usize,
}

/// Whether the release is for this person to see: approvers see all, whoever submitted sees their own, with a token that
/// could have submitted it.
fn may_see(person: &Principal, package: &PackageName, submission: Option<&LocalRelease>) -> bool {
    person.roles.covers(Role::Approver) || submission.is_some_and(|one| is_by(one, person) && person.reaches(package))
}

fn is_by(submission: &LocalRelease, person: &Principal) -> bool {
    person.name.as_deref().is_some_and(|name| is_one_name(name, &submission.by))
}

impl Catalog {
    /// What waits and this person may see, `limit` of it after the first `skip`.
    pub async fn review_page(
        self: &Arc<Self>,
        package: Option<&PackageId>,
        person: &Principal,
        skip: usize,
        limit: usize,
    ) -> Result<ReviewPage, CatalogError> {
        let Posted { mut releases, .. } = self.posted();
        releases.retain(|release| package.is_none_or(|wanted| *wanted == release.package));
        let posted = releases.len();
        let mut page = ReviewPage { waiting: Vec::new(), total: 0 };
        for release in releases {
            if page.waiting.len() >= limit {
                page.total = page.total.max(posted);
                break;
            }
            if let Some(explanation) = self.seen_waiting(&release, person).await? {
                page.total += 1;
                if page.total > skip {
                    page.waiting.push(explanation);
                }
            }
        }
        Ok(page)
    }

    /// What waits under the id.
    pub async fn in_review(self: &Arc<Self>, id: &StageId, person: &Principal) -> Result<Explanation, ReviewError> {
        let Posted { releases, walk } = self.posted();
        match (releases.into_iter().find(|release| StageId::of(release) == *id), walk) {
            (Some(release), _) => self.seen_waiting(&release, person).await?.ok_or_else(|| ReviewError::Unknown(id.clone())),
            (None, Walk::Over | Walk::Incomplete) => Err(ReviewError::Unknown(id.clone())),
            (None, Walk::UnderWay) => Err(ReviewError::NotYet { retry_after: RETRY_AFTER }),
        }
    }

    /// The release as it stands now, if it waits still and this person may see it.
    async fn seen_waiting(self: &Arc<Self>, release: &ReleaseId, person: &Principal) -> Result<Option<Explanation>, CatalogError> {
        let state = self.state.package(&release.package).await?;
        if !may_see(person, &release.package.name, state.submission(&release.version)) {
            return Ok(None);
        }
        match self.explain_known(release).await {
            Ok(explanation) => Ok(Some(explanation).filter(|one| waits(&one.verdict, one.submission.as_ref(), Some(&one.state)))),
            Err(CatalogError::UnknownPackage(_) | CatalogError::UnknownRelease { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Approves what waits under the id; the release as it stands then.
    pub async fn approve_in_review(self: &Arc<Self>, id: &StageId, reason: &str, person: &Principal) -> Result<Explanation, ReviewError> {
        let waiting = self.in_review(id, person).await?;
        Ok(self.decide(&waiting.release, &order(Verb::Approve, reason), person).await?)
    }

    /// Takes what waits under the id out of the queue: whoever submitted it and may change the package withdraws it, an
    /// approver rejects it.
    pub async fn turn_down(self: &Arc<Self>, id: &StageId, reason: &str, person: &Principal) -> Result<(), ReviewError> {
        for _ in 0..ATTEMPTS_MAX {
            let waiting = self.in_review(id, person).await?;
            let own = waiting.submission.as_ref().filter(|one| is_by(one, person));
            let package = waiting.release.package.clone();
            let before = self.state.package(&package).await.map_err(CatalogError::from)?;
            let withdraws = match (own, &before.local) {
                (Some(_), Some(local)) => may_change(local, &package.name, person),
                (Some(_), None) | (None, _) => Err(AmendError::NotOwner(package.name.clone())),
            };
            let by = match (withdraws, person.name.clone()) {
                (Ok(()), Some(by)) => by,
                (Err(_), _) | (Ok(()), None) if person.roles.covers(Role::Approver) => {
                    self.decide(&waiting.release, &order(Verb::Reject, reason), person).await?;
                    return Ok(());
                }
                (Err(error), _) => return Err(ReviewError::NotYours(Box::new(error))),
                (Ok(()), None) => return Err(ReviewError::NotYours(Box::new(AmendError::Nameless))),
            };
            if before.revision != waiting.revision {
                // It may be open by now.
                continue;
            }
            let version = waiting.release.version;
            let changes = vec![Amendment::Withdrawn { version }];
            let amended = Command::Amended { package: package.clone(), by: by.clone(), changes };
            let change = self.change(&package, &before, vec![amended]).await?;
            match self.commit_change(change, Actor::Person(by)).await {
                Ok(_) => return Ok(()),
                Err(error) if error.is_conflict() => {}
                Err(ChangeError::Commit(error)) => return Err(CatalogError::from(error).into()),
                Err(ChangeError::Unrecorded(error) | ChangeError::Catalog(error)) => return Err(error.into()),
            }
        }
        Err(CatalogError::Storage("the release changes too fast to be withdrawn".to_owned()).into())
    }

    /// The bytes of what waits under the id. `puller` is whom the review is recorded of, as [`Catalog::artifact`] does.
    pub async fn bytes_in_review(
        self: &Arc<Self>,
        id: &StageId,
        person: &Principal,
        puller: Option<Puller>,
    ) -> Result<Download, ReviewError> {
        let waiting = self.in_review(id, person).await?;
        let Some(artifact) = waiting.artifacts.into_iter().next() else { return Err(ReviewError::Unknown(id.clone())) };
        let content = self.quarantine.for_review(&waiting.release, &artifact.file, person).await?;
        let puller = puller.map(|one| Puller { user_agent: format!("in review: {}", one.user_agent), ..one });
        self.pulled(&waiting.release, puller.as_ref());
        Ok(Download { release: waiting.release, file: artifact.file, content })
    }

    /// When the release was withdrawn by those who published it here; none while it was not.
    pub async fn is_withdrawn(&self, release: &ReleaseId) -> Result<bool, CatalogError> {
        let state = self.state.package(&release.package).await?;
        Ok(state.submission(&release.version).is_some_and(|one| one.withdrawn_at.is_some()))
    }
}

fn order(verb: Verb, reason: &str) -> Order {
    Order { verb, reason: reason.to_owned(), digest: None, revision: None, expires_at: None }
}
