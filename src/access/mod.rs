//! Who is calling and what they may do: tokens, roles, and the first admin.

pub mod bootstrap;
pub mod oidc;
pub mod token;

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::Mutex;
use tokio::sync::OnceCell;

use crate::access::token::Presented;
use crate::clock::Clock;
use crate::config;
use crate::config::access::Anonymous;
use crate::model::actor::Actor;
use crate::model::time::Timestamp;
use crate::model::token::Role;
use crate::model::token::Token;
use crate::model::token::TokenId;
use crate::storage::record::Command;
use crate::storage::state::Batch;
use crate::storage::state::CommitError;
use crate::storage::state::Condition;
use crate::storage::state::ReadError;
use crate::storage::state::State;

/// The longest name of a token, in bytes.
pub const NAME_BYTES_MAX: usize = 64;

/// Tokens ever made, revoked ones too: the ledger keeps them all.
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

/// Who a request comes from. Without a name: a caller without a token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identity {
    pub name: Option<String>,
    /// `None`: nothing is allowed without a token.
    pub role: Option<Role>,
}

/// A new token, with the only sight of its secret there will ever be.
pub struct Created {
    pub token: Token,
    /// `airlock_<id>_<secret>`.
    pub text: String,
}

/// Tokens and what they allow. One for the process: what it commits counts from the same instant on.
pub struct Access {
    state: Arc<dyn State>,
    clock: Clock,
    anonymous: Anonymous,
    /// All tokens, by id; read from the store once, then kept by the only writer there is, this value.
    tokens: OnceCell<ArcSwap<HashMap<TokenId, Token>>>,
    /// One change at a time.
    changing: Mutex<()>,
}

impl Access {
    pub fn new(state: Arc<dyn State>, clock: Clock, config: &config::access::Access) -> Access {
        Access { state, clock, anonymous: config.anonymous, tokens: OnceCell::new(), changing: Mutex::new(()) }
    }

    /// Who presents `authorization`, the value of that header: `Bearer <token>`, or `Basic` with the token as password
    /// and any user. A token that is presented must be valid, even where none is needed.
    ///
    /// # Errors
    /// `NotValid`, whatever the reason; `Read` when the tokens cannot be read.
    pub async fn identify(&self, authorization: Option<&str>) -> Result<Identity, AccessError> {
        let Some(authorization) = authorization else {
            return Ok(match self.anonymous {
                Anonymous::Reader => Identity { name: None, role: Some(Role::Reader) },
                Anonymous::None => Identity { name: None, role: None },
            });
        };
        let tokens = self.tokens().await?.load();
        let presented = Presented::in_header(authorization).ok_or(AccessError::NotValid)?;
        let token = presented.of(&tokens).filter(|token| is_live(token, self.clock.now())).ok_or(AccessError::NotValid)?;
        Ok(Identity { name: Some(token.name.clone()), role: Some(token.role) })
    }

    /// All tokens, revoked ones too, oldest first.
    pub async fn list(&self) -> Result<Vec<Token>, AccessError> {
        let mut all: Vec<Token> = self.tokens().await?.load().values().cloned().collect();
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
        let tokens = self.tokens().await?.load_full();
        if tokens.len() >= TOKENS_MAX {
            return Err(AccessError::TooMany);
        }
        let created = token::mint(name, role, now, expires_at)?;
        if tokens.contains_key(&created.token.id) {
            return Err(AccessError::NoRandomness("the same id came twice; try again".to_owned()));
        }
        let free = Condition::TokenNameFree { name: name.to_owned() };
        self.commit_created(&created, free, by).await.map_err(|error| match error {
            AccessError::Commit(CommitError::Conflict(_)) => AccessError::NameTaken(name.to_owned()),
            other => other,
        })?;
        Ok(created)
    }

    /// Revokes a token at the word of `by`; one that is revoked already stays so. Durable, and in force, when it returns.
    pub async fn revoke(&self, id: &str, by: Actor) -> Result<(), AccessError> {
        let _one_at_a_time = self.changing.lock().await;
        let tokens = self.tokens().await?;
        let before = tokens.load_full();
        let token = before.get(id).ok_or_else(|| AccessError::UnknownToken(id.chars().take(NAME_BYTES_MAX).collect()))?;
        if token.revoked_at.is_some() {
            return Ok(());
        }
        let lasting = |token: &&Token| token.role == Role::Admin && token.revoked_at.is_none() && token.expires_at.is_none();
        if lasting(&token) && before.values().filter(lasting).count() == 1 {
            return Err(AccessError::LastAdmin);
        }
        let now = self.clock.now();
        // In force before it is durable: a revocation that may be lost is repeated by who asked, one that comes late is not undone.
        let mut after = HashMap::clone(&before);
        if let Some(token) = after.get_mut(id) {
            token.revoked_at = Some(now);
        }
        tokens.store(Arc::new(after));
        let commands = vec![Command::TokenRevoked { id: id.to_owned() }];
        let batch = Batch { at: now, actor: by, conditions: Vec::new(), commands };
        if let Err(error) = self.state.commit(batch).await {
            match error {
                // Nothing was written, and whoever asked is told so.
                CommitError::Conflict(_) | CommitError::DiskFull { .. } | CommitError::TooLarge { .. } | CommitError::Closed => {
                    tokens.store(before)
                }
                CommitError::Broken(_) => {}
            }
            return Err(error.into());
        }
        Ok(())
    }

    async fn commit_created(&self, created: &Created, condition: Condition, by: Actor) -> Result<(), AccessError> {
        let tokens = self.tokens().await?;
        let commands = vec![Command::TokenCreated { token: created.token.clone() }];
        self.state.commit(Batch { at: created.token.created_at, actor: by, conditions: vec![condition], commands }).await?;
        tokens.rcu(|before| {
            let mut after = HashMap::clone(before);
            after.insert(created.token.id.clone(), created.token.clone());
            after
        });
        Ok(())
    }

    async fn tokens(&self) -> Result<&ArcSwap<HashMap<TokenId, Token>>, ReadError> {
        let read = || async {
            let all = self.state.tokens().await?;
            Ok(ArcSwap::from_pointee(all.into_iter().map(|token| (token.id.clone(), token)).collect()))
        };
        self.tokens.get_or_try_init(read).await
    }
}

fn is_live(token: &Token, now: Timestamp) -> bool {
    token.revoked_at.is_none() && token.expires_at.is_none_or(|at| now < at)
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
