//! Who is calling and what they may do: tokens, roles, and the first admin.

pub mod bootstrap;
mod known;
mod roles;
pub mod token;

use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::Mutex;
use tokio::sync::OnceCell;

use crate::access::known::Known;
use crate::access::token::Presented;
use crate::clock::Clock;
use crate::config;
use crate::config::access::Anonymous;
use crate::model::actor::Actor;
use crate::model::principal::Principal;
use crate::model::principal::Roles;
use crate::model::time::Timestamp;
use crate::model::token::Role;
use crate::model::token::Token;
use crate::storage::record::Command;
use crate::storage::state::Batch;
use crate::storage::state::CommitError;
use crate::storage::state::Condition;
use crate::storage::state::ReadError;
use crate::storage::state::State;

/// The longest name of a token, in bytes.
pub const NAME_BYTES_MAX: usize = 64;

/// Tokens that count at a time.
pub const TOKENS_MAX: usize = 100_000;

/// Names that would be mistaken for somebody else in the audit log.
const NAMES_RESERVED: [&str; 2] = ["airlock", "anonymous"];

#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// Malformed, unknown, expired and revoked alike: who tries is not told which.
    #[error("the token is not valid: an admin makes one with `airlock token create`")]
    NotValid,
    #[error("a name is 1 to {NAME_BYTES_MAX} printable ASCII characters, without a space at either end: it stands for a person")]
    NotAName,
    #[error("the name {0:?} is reserved")]
    NameReserved(String),
    #[error("{0:?} has a token already: a name stands for one person; revoke the old token first")]
    NameTaken(String),
    #[error("the token would have expired already: {0} is not in the future")]
    ExpiryInPast(Timestamp),
    #[error("no token has the id {0:?}")]
    UnknownToken(String),
    #[error("this is the last admin token that is valid without end: make another first")]
    LastAdmin,
    #[error("there are {TOKENS_MAX} tokens already")]
    TooMany,
    #[error("the system gives no random bytes: {0}")]
    NoRandomness(String),
    #[error("{path}: {source}", path = .path.display())]
    File {
        path: std::path::PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error(transparent)]
    Commit(#[from] CommitError),
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// A new token, with the only sight of its secret there will ever be.
pub struct Created {
    pub token: Token,
    /// `airlock_<id>_<secret>`.
    pub text: String,
}

/// Who may come in, and what they may do. One for the process: what it commits counts from the same instant on.
pub struct Access {
    state: Arc<dyn State>,
    clock: Clock,
    config: config::access::Access,
    /// A caller without a token.
    anonymous: Arc<Principal>,
    /// Read from the store once, then kept by the only writer there is, this value.
    known: OnceCell<ArcSwap<Known>>,
    /// One change at a time.
    changing: Mutex<()>,
}

impl Access {
    pub fn new(state: Arc<dyn State>, clock: Clock, config: &config::access::Access) -> Access {
        let anonymous = match config.anonymous {
            Anonymous::Reader => Roles::of(Role::Reader),
            Anonymous::None => Roles::NONE,
        };
        Access {
            state,
            clock,
            config: config.clone(),
            anonymous: Arc::new(Principal::anonymous(anonymous)),
            known: OnceCell::new(),
            changing: Mutex::new(()),
        }
    }

    /// Who presents `authorization`, the value of that header, from `address`: `Bearer <token>`, or `Basic` with the token
    /// as password and any user. A token that is presented must be valid, even where none is needed.
    ///
    /// # Errors
    /// `NotValid`, whatever the reason; `Read` when the tokens cannot be read.
    pub async fn identify(&self, authorization: Option<&str>, address: IpAddr) -> Result<Arc<Principal>, AccessError> {
        let Some(authorization) = authorization else {
            return Ok(Arc::clone(&self.anonymous));
        };
        let known = self.known().await?.load();
        let presented = Presented::in_header(authorization).ok_or(AccessError::NotValid)?;
        let pass = presented.of(&known).filter(|pass| pass.serves(self.clock.now(), address)).ok_or(AccessError::NotValid)?;
        Ok(Arc::clone(&pass.principal))
    }

    /// All tokens, revoked ones too, oldest first.
    pub async fn list(&self) -> Result<Vec<Token>, AccessError> {
        let mut all: Vec<Token> = self.known().await?.load().passes().map(|pass| pass.token.clone()).collect();
        all.sort_by(|left, right| left.created_at.cmp(&right.created_at).then_with(|| left.id.cmp(&right.id)));
        Ok(all)
    }

    /// Makes a token named `name` at the word of `by`. Durable when it returns.
    pub async fn create(&self, name: &str, role: Role, expires_at: Option<Timestamp>, by: Actor) -> Result<Created, AccessError> {
        named(name)?;
        if NAMES_RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(name)) {
            return Err(AccessError::NameReserved(name.to_owned()));
        }
        let now = self.clock.now();
        if let Some(at) = expires_at.filter(|at| *at <= now) {
            return Err(AccessError::ExpiryInPast(at));
        }
        let _one_at_a_time = self.changing.lock().await;
        self.has_room(now).await?;
        let mut created = token::mint(name, role, now, expires_at)?;
        created.token.made_by = made_by(&by, name);
        let free = Condition::TokenNameFree { name: name.to_owned() };
        self.commit_created(&created, vec![free], by).await.map_err(|error| match error {
            AccessError::Commit(CommitError::Conflict(_)) => AccessError::NameTaken(name.to_owned()),
            other => other,
        })?;
        Ok(created)
    }

    /// Revokes a token at the word of `by`; one that is revoked already stays so. Durable, and in force, when it returns.
    pub async fn revoke(&self, id: &str, by: Actor) -> Result<(), AccessError> {
        let _one_at_a_time = self.changing.lock().await;
        let known = self.known().await?;
        let before = known.load_full();
        let pass = before.pass(id).ok_or_else(|| AccessError::UnknownToken(id.chars().take(NAME_BYTES_MAX).collect()))?;
        if pass.token.revoked_at.is_some() {
            return Ok(());
        }
        if pass.is_lasting_admin() && before.lasting_admins() == 1 {
            return Err(AccessError::LastAdmin);
        }
        let now = self.clock.now();
        let after = before.with_token(Token { revoked_at: Some(now), ..pass.token.clone() }, &self.config.groups);
        self.commit_in_force(before, after, Command::TokenRevoked { id: id.to_owned() }, now, by).await
    }

    /// For what takes something away: in force before it is durable. A revocation that may be lost is repeated by who
    /// asked, one that comes late is not undone.
    async fn commit_in_force(
        &self,
        before: Arc<Known>,
        after: Known,
        command: Command,
        at: Timestamp,
        by: Actor,
    ) -> Result<(), AccessError> {
        let known = self.known().await?;
        known.store(Arc::new(after));
        let batch = Batch { at, actor: by, conditions: Vec::new(), commands: vec![command] };
        if let Err(error) = self.state.commit(batch).await {
            match error {
                // Nothing was written, and whoever asked is told so.
                CommitError::Conflict(_) | CommitError::DiskFull { .. } | CommitError::TooLarge { .. } | CommitError::Closed => {
                    known.store(before)
                }
                CommitError::Broken(_) => {}
            }
            return Err(error.into());
        }
        Ok(())
    }

    async fn has_room(&self, now: Timestamp) -> Result<(), AccessError> {
        let counting = self.known().await?.load().passes().filter(|pass| pass.counts_at(now)).count();
        if counting >= TOKENS_MAX { Err(AccessError::TooMany) } else { Ok(()) }
    }

    /// Durable when it returns; called by whoever holds `changing`.
    async fn commit_created(&self, created: &Created, conditions: Vec<Condition>, by: Actor) -> Result<(), AccessError> {
        let known = self.known().await?;
        let before = known.load_full();
        if before.pass(&created.token.id).is_some() {
            return Err(AccessError::NoRandomness("the same id came twice; try again".to_owned()));
        }
        let commands = vec![Command::TokenCreated { token: created.token.clone() }];
        self.state.commit(Batch { at: created.token.created_at, actor: by, conditions, commands }).await?;
        known.store(Arc::new(before.with_token(created.token.clone(), &self.config.groups)));
        Ok(())
    }

    async fn known(&self) -> Result<&ArcSwap<Known>, ReadError> {
        let read = || async {
            let (tokens, users) = (self.state.tokens().await?, self.state.users().await?);
            Ok(ArcSwap::from_pointee(Known::of(tokens, users, &self.config.groups)))
        };
        self.known.get_or_try_init(read).await
    }
}

/// Who made a token that names somebody else, and so stands behind what is done with it.
fn made_by(by: &Actor, name: &str) -> Option<String> {
    match by {
        Actor::Person(person) if person != name => Some(person.clone()),
        Actor::Person(_) | Actor::Airlock => None,
    }
}

fn named(name: &str) -> Result<(), AccessError> {
    let printable = name.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
    if name.is_empty() || name.len() > NAME_BYTES_MAX || !printable || name.trim() != name {
        return Err(AccessError::NotAName);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
