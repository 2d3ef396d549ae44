//! What the owners of a package change of it, and who stars it: wishes in, one record out.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::catalog::Catalog;
use crate::catalog::CatalogError;
use crate::catalog::local::ChangeError;
use crate::catalog::refresh::ATTEMPTS_MAX;
use crate::catalog::rights::may_change;
use crate::model::actor::Actor;
use crate::model::actor::is_one_name;
use crate::model::package::PackageId;
use crate::model::package::PackageName;
use crate::model::package::Version;
use crate::model::principal::Principal;
use crate::model::token::TokenKind;
use crate::storage::record::Amendment;
use crate::storage::record::Command;
use crate::storage::record::Local;
use crate::storage::record::PackageState;
use crate::storage::state::Batch;
use crate::storage::state::CommitError;
use crate::storage::state::Condition;

/// Owners of one package.
pub const OWNERS_MAX: usize = 200;
/// Pointers of one package.
pub const TAGS_MAX: usize = 1_000;
/// The longest text of a deprecation, in bytes.
pub const DEPRECATION_BYTES_MAX: usize = 4_096;
/// The pointer that a package always has.
const LATEST: &str = "latest";

/// One thing that is to change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Wish {
    Tag {
        tag: String,
        version: Version,
    },
    Untag {
        tag: String,
    },
    /// Without a text it is deprecated no more.
    Deprecate {
        version: Version,
        text: Option<String>,
    },
    Withdraw {
        versions: Vec<Version>,
    },
    /// More of them, and fewer. What is not spoken of stays.
    Owners {
        added: BTreeSet<String>,
        removed: BTreeSet<String>,
    },
    Star {
        on: bool,
    },
    Restrict {
        on: bool,
    },
}

#[derive(Debug, thiserror::Error)]
pub enum AmendError {
    #[error("this needs a token, so that it is known who did it")]
    Nameless,
    #[error("{0} belongs to the upstream registry, so that nothing of it is changed here; an admin can assign the name")]
    OfUpstream(PackageName),
    #[error("you are not an owner of {0}; its owners can make you one")]
    NotOwner(PackageName),
    #[error("this token does not publish {0}")]
    NotInReach(PackageName),
    #[error("this token is a build's: it publishes {0} and changes nothing of it")]
    OfABuild(PackageName),
    #[error("{package} has no version {version} that was published here")]
    UnknownVersion { package: PackageName, version: Version },
    #[error("{package} has no tag {tag:?}")]
    UnknownTag { package: PackageName, tag: String },
    #[error("the tag latest stays: set it to another version instead")]
    LatestStays,
    #[error("nobody here is called {0:?}")]
    Unknown(String),
    #[error("a package has at least one owner")]
    NoOwner,
    #[error("{what} are at most {max}")]
    TooMany { what: &'static str, max: usize },
    #[error("too much is changed at once, do it in parts: {0}")]
    TooLarge(String),
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error(transparent)]
    Commit(#[from] CommitError),
}

impl From<ChangeError> for AmendError {
    fn from(error: ChangeError) -> AmendError {
        match error {
            ChangeError::Commit(CommitError::TooLarge { why }) => AmendError::TooLarge(why),
            ChangeError::Commit(error) => AmendError::Commit(error),
            ChangeError::Unrecorded(error) | ChangeError::Catalog(error) => AmendError::Catalog(error),
        }
    }
}

impl Catalog {
    /// Grants all wishes or none, in one record. What is so already is granted.
    pub async fn amend(self: &Arc<Self>, package: &PackageId, wishes: &[Wish], by: &Principal) -> Result<Arc<PackageState>, AmendError> {
        let Some(name) = by.name.as_deref() else { return Err(AmendError::Nameless) };
        for _ in 0..ATTEMPTS_MAX {
            let before = self.state.package(package).await.map_err(CatalogError::from)?;
            if !by.is_for(&package.name) {
                return Err(AmendError::NotInReach(package.name.clone()));
            }
            let is_for_everyone = wishes.iter().all(|wish| matches!(wish, Wish::Star { .. }));
            let changes = match &before.local {
                Some(local) => {
                    if !is_for_everyone {
                        may_change(local, &package.name, by)?;
                    }
                    self.granted(package, local, wishes, name).await?
                }
                None => {
                    // Whether it is there at all is said first.
                    self.shelf(package).await?;
                    if !is_for_everyone {
                        return Err(AmendError::OfUpstream(package.name.clone()));
                    }
                    self.stars(package, wishes, name).await?
                }
            };
            if changes.is_empty() {
                return Ok(before);
            }
            let commands = vec![Command::Amended { package: package.clone(), by: name.to_owned(), changes }];
            match self.amended(package, &before, commands, Actor::Person(name.to_owned())).await {
                Ok(state) => return Ok(state),
                Err(error) if error.is_conflict() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(CatalogError::Storage(format!("{} changes too fast to be recorded", package.name)).into())
    }

    async fn amended(
        self: &Arc<Self>,
        package: &PackageId,
        before: &Arc<PackageState>,
        commands: Vec<Command>,
        actor: Actor,
    ) -> Result<Arc<PackageState>, ChangeError> {
        if before.local.is_some() {
            let change = self.change(package, before, commands).await?;
            return self.commit_change(change, actor).await;
        }
        // What upstream has of it is as it was.
        let conditions = vec![Condition::Revision { package: package.clone(), is: before.revision }];
        self.state.commit(Batch { at: self.clock.now(), actor, conditions, commands }).await?;
        Ok(self.state.package(package).await.map_err(CatalogError::from)?)
    }

    /// The stars of a package that is not ours are only on whose list they stand.
    async fn stars(&self, package: &PackageId, wishes: &[Wish], name: &str) -> Result<Vec<Amendment>, AmendError> {
        let is_starred = self.state.stars_of(name).await.map_err(CatalogError::from)?.contains(package);
        let wanted = wishes.iter().rev().find_map(|wish| if let Wish::Star { on } = wish { Some(*on) } else { None });
        let on = wanted.filter(|on| *on != is_starred);
        Ok(on.map(|on| Amendment::Starred { by: name.to_owned(), on }).into_iter().collect())
    }

    /// What is to be recorded so that every wish is granted.
    async fn granted(&self, package: &PackageId, local: &Local, wishes: &[Wish], name: &str) -> Result<Vec<Amendment>, AmendError> {
        let mut changes = Vec::new();
        let mut new_tags: BTreeSet<&str> = BTreeSet::new();
        let present = |version: &Version| match local.releases.get(version).filter(|release| release.withdrawn_at.is_none()) {
            Some(release) => Ok(release),
            None => Err(AmendError::UnknownVersion { package: package.name.clone(), version: version.clone() }),
        };
        for wish in wishes {
            match wish {
                Wish::Tag { tag, version } => {
                    present(version)?;
                    let wishes = local.tags.get(tag);
                    if wishes.is_none() {
                        new_tags.insert(tag);
                    }
                    if local.tags.len() + new_tags.len() > TAGS_MAX {
                        return Err(AmendError::TooMany { what: "the tags of a package", max: TAGS_MAX });
                    }
                    if wishes.and_then(|wishes| wishes.first()) != Some(version) {
                        changes.push(Amendment::Tagged { tag: tag.clone(), version: version.clone() });
                    }
                }
                Wish::Untag { tag } if tag == LATEST => return Err(AmendError::LatestStays),
                Wish::Untag { tag } => match local.tags.get(tag) {
                    Some(_) => changes.push(Amendment::Untagged { tag: tag.clone() }),
                    None => return Err(AmendError::UnknownTag { package: package.name.clone(), tag: tag.clone() }),
                },
                Wish::Deprecate { version, text } => {
                    if text.as_ref().is_some_and(|text| text.len() > DEPRECATION_BYTES_MAX) {
                        return Err(AmendError::TooMany { what: "the bytes of a deprecation", max: DEPRECATION_BYTES_MAX });
                    }
                    if present(version)?.deprecated != *text {
                        changes.push(Amendment::Deprecated { version: version.clone(), text: text.clone() });
                    }
                }
                Wish::Withdraw { versions } => {
                    for version in versions {
                        match local.releases.get(version) {
                            Some(release) if release.withdrawn_at.is_some() => {}
                            Some(_) => changes.push(Amendment::Withdrawn { version: version.clone() }),
                            None => return Err(AmendError::UnknownVersion { package: package.name.clone(), version: version.clone() }),
                        }
                    }
                }
                Wish::Owners { added, removed } => {
                    // Before any of them is looked for.
                    if added.len() > OWNERS_MAX {
                        return Err(AmendError::TooMany { what: "the owners of a package", max: OWNERS_MAX });
                    }
                    let is_in = |names: &BTreeSet<String>, name: &str| names.iter().any(|one| is_one_name(one, name));
                    // In whatever case: it is the same person.
                    let kept = local.owners.iter().filter(|name| !is_in(removed, name));
                    let new = added.iter().filter(|name| !local.is_owner(name) && !is_in(removed, name));
                    let names: BTreeSet<String> = kept.chain(new).cloned().collect();
                    if names.is_empty() {
                        return Err(AmendError::NoOwner);
                    }
                    if names.len() > OWNERS_MAX {
                        return Err(AmendError::TooMany { what: "the owners of a package", max: OWNERS_MAX });
                    }
                    for new in names.difference(&local.owners) {
                        self.somebody(new).await?;
                    }
                    if names != local.owners {
                        changes.push(Amendment::Owners { names });
                    }
                }
                Wish::Star { on } => {
                    if local.stars.contains(name) != *on {
                        changes.push(Amendment::Starred { by: name.to_owned(), on: *on });
                    }
                }
                Wish::Restrict { on } => {
                    if local.restricted != *on {
                        changes.push(Amendment::Restricted { on: *on });
                    }
                }
            }
        }
        Ok(changes)
    }

    /// Whether anybody has the name: a user who is let in, or a person with a token that counts.
    async fn somebody(&self, name: &str) -> Result<(), AmendError> {
        let users = self.state.users().await.map_err(CatalogError::from)?;
        let now = self.clock.now();
        if users.iter().any(|user| is_one_name(&user.name, name) && user.disabled_at.is_none()) {
            return Ok(());
        }
        let tokens = self.state.tokens().await.map_err(CatalogError::from)?;
        if tokens.iter().any(|token| token.kind == TokenKind::Named && is_one_name(&token.name, name) && token.counts_at(now)) {
            return Ok(());
        }
        Err(AmendError::Unknown(name.chars().take(64).collect()))
    }

    /// The package as it is at home here; `None`: it is upstream's.
    ///
    /// # Errors
    /// Neither here nor upstream.
    pub async fn hosted(self: &Arc<Self>, package: &PackageId) -> Result<Option<Arc<PackageState>>, CatalogError> {
        let state = self.state.package(package).await?;
        if state.local.is_some() {
            return Ok(Some(state));
        }
        self.shelf(package).await?;
        Ok(None)
    }

    /// What somebody starred, in order.
    pub async fn stars_of(&self, user: &str) -> Result<Vec<PackageId>, CatalogError> {
        Ok(self.state.stars_of(user).await?)
    }

    /// The packages that somebody owns, in order.
    pub async fn owned_by(&self, user: &str) -> Result<Vec<PackageId>, CatalogError> {
        let mut owned = Vec::new();
        for package in self.state.locals().await? {
            if self.state.package(&package).await?.local.as_ref().is_some_and(|local| local.is_owner(user)) {
                owned.push(package);
            }
        }
        Ok(owned)
    }
}
