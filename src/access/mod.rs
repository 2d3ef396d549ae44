//! Who is calling and what they may do: users, tokens, roles, and the first admin.

mod alike;
mod attempts;
pub mod bootstrap;
pub mod by;
mod identity;
mod known;
pub mod oidc;
pub mod own;
mod password;
mod remembered;
mod roles;
pub mod token;
pub mod users;
mod vouched;
pub mod web;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::Mutex;
use tokio::sync::OnceCell;

use crate::access::alike::Alike;
use crate::access::attempts::Attempts;
use crate::access::attempts::Blocked;
use crate::access::by::By;
use crate::access::known::Known;
use crate::access::oidc::Identities;
use crate::access::password::PasswordError;
use crate::access::password::Passwords;
use crate::access::remembered::Remembered;
use crate::access::web::Sessions;
use crate::clock::Clock;
use crate::config;
use crate::config::access::Anonymous;
use crate::config::access::Registration;
use crate::model::actor::Actor;
use crate::model::actor::is_one_name;
use crate::model::principal::Principal;
use crate::model::principal::Roles;
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

/// Tokens that count at a time.
pub const TOKENS_MAX: usize = 100_000;
/// The same of one name.
pub const TOKENS_OF_ONE_MAX: usize = 1_000;

/// Names that would be mistaken for somebody else in the audit log.
const NAMES_RESERVED: [&str; 2] = ["airlock", "anonymous"];
/// The same of what builds are called by.
pub(crate) const NAMES_OF_BUILDS: &str = "ci:";

#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// Malformed, unknown, expired and revoked alike: who tries is not told which.
    #[error("the token is not valid: sign in with `npm login`, or use one that an admin made with `airlock token create`")]
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
    #[error("there are {TOKENS_MAX} tokens in use already, or {TOKENS_OF_ONE_MAX} of this name; end some first")]
    TooMany,
    /// Unknown, disabled, without a password, wrong: who tries is not told which.
    #[error("the name or the password is wrong")]
    WrongPassword,
    #[error("too many attempts to sign in failed; try again later")]
    TooManyAttempts(Duration),
    #[error("too many sign-ins are open; try again in some minutes")]
    TooManySessions,
    #[error("this sign-in is over: begin it anew")]
    NoSession,
    #[error("too many people sign in at this moment; try again shortly")]
    Busy,
    #[error("a user's name is 1 to 64 letters, digits, dots, hyphens and underscores, and begins with a letter or a digit")]
    NotAUserName,
    #[error("this is not an e-mail address")]
    NotAnEmail,
    #[error("a password has at least {0} characters ([access] password_chars_min)")]
    PasswordTooShort(usize),
    #[error("a password has at most {} bytes", password::BYTES_MAX)]
    PasswordTooLong,
    #[error("the name {0:?} is taken or reserved")]
    UserTaken(String),
    #[error("nobody is called {0:?}")]
    UnknownUser(String),
    #[error("there are {} users already", users::USERS_MAX)]
    TooManyUsers,
    #[error("this needs a user with a password: an admin makes one with `airlock user add`")]
    NoPassword,
    #[error(
        "more than {} people could act with what you came in with: let somebody make it whom fewer gave their token or password",
        by::BEHIND_MAX
    )]
    TooManyBehind,
    #[error("{0:?} is not a network: write 10.0.0.0/8")]
    NotANetwork(String),
    #[error("a token has at most {} networks and packages, and a short name", own::BOUNDS_MAX)]
    TooMuchOfAToken,
    #[error("a password could not be hashed: {0}")]
    Hashing(String),
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

impl From<Blocked> for AccessError {
    fn from(Blocked(wait): Blocked) -> AccessError {
        AccessError::TooManyAttempts(wait)
    }
}

impl From<PasswordError> for AccessError {
    fn from(error: PasswordError) -> AccessError {
        match error {
            PasswordError::Busy => AccessError::Busy,
            PasswordError::Broken(why) => AccessError::Hashing(why),
        }
    }
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
    /// Those outside whose word counts.
    identities: Identities,
    /// One change at a time.
    changing: Mutex<Changing>,
    passwords: Passwords,
    attempts: Attempts,
    alike: Alike,
    remembered: Remembered,
    sessions: Sessions,
}

/// What whoever changes something minds of earlier changes.
#[derive(Default)]
struct Changing {
    /// Tokens whose revocation counts and may not be durable: asked for again, it is committed again.
    undurable: BTreeSet<TokenId>,
}

impl Access {
    pub fn new(state: Arc<dyn State>, clock: Clock, config: &config::access::Access) -> Access {
        let anonymous = match config.anonymous {
            Anonymous::Reader => Roles::of(Role::Reader),
            Anonymous::None => Roles::NONE,
        };
        Access {
            identities: Identities::nobody(&clock),
            state,
            clock,
            config: config.clone(),
            anonymous: Arc::new(Principal::anonymous(anonymous)),
            known: OnceCell::new(),
            changing: Mutex::default(),
            passwords: Passwords::default(),
            attempts: Attempts::default(),
            alike: Alike::default(),
            remembered: Remembered::default(),
            sessions: Sessions::default(),
        }
    }

    /// Whether people may sign in with an identity provider.
    pub fn has_provider(&self) -> bool {
        self.config.oidc.is_some()
    }

    /// Whether who is unknown becomes a user by signing in.
    pub fn may_register(&self) -> bool {
        self.config.registration == Registration::Open
    }

    /// A token that somebody gets for themselves; `shape` says what kind. Durable when it returns.
    async fn issue(
        &self,
        name: &str,
        role: Role,
        expires_at: Option<Timestamp>,
        shape: impl FnOnce(&mut Token),
    ) -> Result<Created, AccessError> {
        let changing = self.changing.lock().await;
        let now = self.clock.now();
        self.has_room(name, now).await?;
        let mut created = token::mint(name, role, now, expires_at)?;
        created.token.behind = Some(Vec::new());
        shape(&mut created.token);
        self.commit_created(&created, Vec::new(), Actor::Person(name.to_owned()), &changing).await?;
        Ok(created)
    }

    /// All tokens that an admin made, revoked ones too, and of the others those that count or ended since another was made;
    /// oldest first.
    pub async fn list(&self) -> Result<Vec<Token>, AccessError> {
        let mut all: Vec<Token> = self.known().await?.load().passes().map(|pass| pass.token.clone()).collect();
        all.sort_by(|left, right| left.created_at.cmp(&right.created_at).then_with(|| left.id.cmp(&right.id)));
        Ok(all)
    }

    /// Makes a token named `name` at the word of `by`. Durable when it returns.
    pub async fn create(&self, name: &str, role: Role, expires_at: Option<Timestamp>, by: &By) -> Result<Created, AccessError> {
        named(name)?;
        if is_reserved(name) {
            return Err(AccessError::NameReserved(name.to_owned()));
        }
        let now = self.clock.now();
        if let Some(at) = expires_at.filter(|at| *at <= now) {
            return Err(AccessError::ExpiryInPast(at));
        }
        let behind = by.hands_on(name)?;
        let changing = self.changing.lock().await;
        // Where anybody may have taken the name, whoever has it is not known to be who the admin means.
        if self.may_register() && self.known().await?.load().person(name).is_some() {
            return Err(AccessError::UserTaken(name.to_owned()));
        }
        self.has_room(name, now).await?;
        let mut created = token::mint(name, role, now, expires_at)?;
        created.token.made_by = by.another_than(name);
        created.token.behind = Some(behind);
        let free = Condition::TokenNameFree { name: name.to_owned() };
        self.commit_created(&created, vec![free], by.actor(), &changing).await.map_err(|error| match error {
            AccessError::Commit(CommitError::Conflict(_)) => AccessError::NameTaken(name.to_owned()),
            other => other,
        })?;
        Ok(created)
    }

    /// Revokes a token at the word of `by`; one that is revoked already stays so. Durable, and in force, when it returns.
    pub async fn revoke(&self, id: &str, by: Actor) -> Result<(), AccessError> {
        let mut changing = self.changing.lock().await;
        let known = self.known().await?;
        let before = known.load_full();
        let pass = before.pass(id).ok_or_else(|| AccessError::UnknownToken(id.chars().take(NAME_BYTES_MAX).collect()))?;
        let was_undurable = changing.undurable.contains(id);
        if pass.token.revoked_at.is_some() && !was_undurable {
            return Ok(());
        }
        if pass.is_lasting_admin() && before.lasting_admins() == 1 {
            return Err(AccessError::LastAdmin);
        }
        let now = self.clock.now();
        let revoked_at = Some(pass.token.revoked_at.unwrap_or(now));
        let after = before.with_token(Token { revoked_at, ..pass.token.clone() }, &self.config.groups);
        let commands = vec![Command::TokenRevoked { id: id.to_owned() }];
        // Before it is tried: whoever asks may go away in the middle of it.
        changing.undurable.insert(id.to_owned());
        let revoked = self.commit_in_force(before, after, commands, now, by).await;
        match &revoked {
            Ok(()) => _ = changing.undurable.remove(id),
            // It counts again as it did.
            Err(AccessError::Commit(error)) if error.wrote_nothing() && !was_undurable => _ = changing.undurable.remove(id),
            Err(_) => {}
        }
        revoked
    }

    /// For what takes something away: in force before it is durable. A revocation that may be lost is repeated by who
    /// asked, one that comes late is not undone. Called by whoever holds `changing`.
    async fn commit_in_force(
        &self,
        before: Arc<Known>,
        after: Known,
        commands: Vec<Command>,
        at: Timestamp,
        by: Actor,
    ) -> Result<(), AccessError> {
        let known = self.known().await?;
        known.store(Arc::new(after));
        let batch = Batch { at, actor: by, conditions: Vec::new(), commands };
        if let Err(error) = self.state.commit(batch).await {
            if error.wrote_nothing() {
                known.store(before);
            }
            return Err(error.into());
        }
        Ok(())
    }

    async fn has_room(&self, name: &str, now: Timestamp) -> Result<(), AccessError> {
        let known = self.known().await?.load();
        let counting = || known.passes().filter(|pass| pass.counts_at(now));
        let of_name = counting().filter(|pass| is_one_name(&pass.token.name, name)).count();
        if of_name >= TOKENS_OF_ONE_MAX || counting().count() >= TOKENS_MAX { Err(AccessError::TooMany) } else { Ok(()) }
    }

    /// Durable when it returns; called by whoever holds `changing`.
    async fn commit_created(
        &self,
        created: &Created,
        conditions: Vec<Condition>,
        by: Actor,
        changing: &Changing,
    ) -> Result<(), AccessError> {
        let known = self.known().await?;
        let before = known.load_full();
        if before.pass(&created.token.id).is_some() {
            return Err(AccessError::NoRandomness("the same id came twice; try again".to_owned()));
        }
        let commands = vec![Command::TokenCreated { token: created.token.clone() }];
        self.state.commit(Batch { at: created.token.created_at, actor: by, conditions, commands }).await?;
        known.store(Arc::new(before.with_new_token(created.token.clone(), &changing.undurable, &self.config.groups)));
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

fn is_reserved(name: &str) -> bool {
    let of_builds = name.get(..NAMES_OF_BUILDS.len()).is_some_and(|start| is_one_name(start, NAMES_OF_BUILDS));
    of_builds || NAMES_RESERVED.iter().any(|reserved| is_one_name(reserved, name))
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
