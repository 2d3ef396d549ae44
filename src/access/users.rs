//! Users: how they sign in and register, and what changes of them.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::access::Access;
use crate::access::AccessError;
use crate::access::Created;
use crate::access::by::By;
use crate::access::known::Person;
use crate::access::password;
use crate::config::access::Registration;
use crate::model::actor::Actor;
use crate::model::actor::is_one_name;
use crate::model::principal::Roles;
use crate::model::token::Role;
use crate::model::token::TokenKind;
use crate::model::user::PasswordHash;
use crate::model::user::Subject;
use crate::model::user::User;
use crate::model::user::UserChange;
use crate::storage::record::Command;
use crate::storage::state::Batch;
use crate::storage::state::CommitError;
use crate::storage::state::Condition;

/// Users ever made.
pub const USERS_MAX: usize = 100_000;
/// The longest address, in bytes. Source: RFC 5321, 4.5.3.1.
const EMAIL_BYTES_MAX: usize = 254;

/// A person who was found to be who it says, and what its token is to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignedIn {
    /// Of a user that there is.
    pub name: String,
    /// Groups of the configuration that an identity provider put it in; those that name it are its own anyway.
    pub groups: Vec<String>,
    /// How long its token lives.
    pub lives_for: Duration,
    /// Who else could have signed in so: those who know the password.
    pub behind: Vec<String>,
}

/// A user to be made.
pub struct NewUser {
    pub name: String,
    pub role: Role,
    pub email: Option<String>,
    pub password: Option<String>,
    pub oidc: Option<Subject>,
}

impl Access {
    /// Who has this name and this password.
    ///
    /// # Errors
    /// `WrongPassword`, whatever the reason; `TooManyAttempts`; `Busy`.
    pub async fn sign_in(&self, name: &str, password: &str, address: IpAddr) -> Result<SignedIn, AccessError> {
        let person = self.verified(name, password, address).await?;
        Ok(self.signed_in(&person.user))
    }

    /// With the password that the user has.
    fn signed_in(&self, user: &User) -> SignedIn {
        let behind = user.behind.clone().unwrap_or_default();
        SignedIn { name: user.name.clone(), groups: Vec::new(), lives_for: self.config.sign_in_for, behind }
    }

    /// The same; who is unknown becomes a user, where registration is open.
    ///
    /// # Errors
    /// As [`Access::sign_in`]; for a name or a password that a new user may not have, which of them.
    pub async fn sign_in_or_register(
        &self,
        name: &str,
        password: &str,
        email: Option<String>,
        address: IpAddr,
    ) -> Result<SignedIn, AccessError> {
        let is_known = self.known().await?.load().person(name).is_some();
        if is_known || self.config.registration == Registration::Closed {
            return self.sign_in(name, password, address).await;
        }
        // Never taken back: so an address registers no more people than it may guess passwords.
        self.attempts.begin(address, name, self.clock.now())?;
        if self.is_somebodys(name).await? {
            // Takes as long as where it is a user's.
            self.passwords.verify(password, None).await?;
            return Err(AccessError::WrongPassword);
        }
        let new = NewUser { name: name.to_owned(), role: self.config.new_users, email, password: Some(password.to_owned()), oidc: None };
        let made = self.make_user(new, &By::themselves(name)).await.map_err(|error| match error {
            // Somebody was faster, or it is reserved: who registers is not told of others.
            AccessError::UserTaken(_) => AccessError::WrongPassword,
            other => other,
        })?;
        Ok(self.signed_in(&made))
    }

    /// Whether a token of an admin's making ever had this name: what that person did and owns stays theirs.
    pub async fn is_somebodys(&self, name: &str) -> Result<bool, AccessError> {
        let known = self.known().await?.load();
        let is_named = |token: &crate::model::token::Token| token.kind == TokenKind::Named && is_one_name(&token.name, name);
        let mut members = self.config.groups.values().flat_map(|group| &group.members);
        Ok(known.passes().any(|pass| is_named(&pass.token)) || members.any(|member| is_one_name(member, name)))
    }

    /// A token for who signed in. Durable when it returns.
    ///
    /// # Errors
    /// `WrongPassword` for a user that is disabled by now.
    pub async fn session_token(&self, signed_in: &SignedIn) -> Result<Created, AccessError> {
        let person = self.person(&signed_in.name).await?.ok_or(AccessError::WrongPassword)?;
        let expires_at = self.clock.now().plus(signed_in.lives_for);
        let role = foremost(person.principal.roles);
        self.issue(&person.user.name, role, Some(expires_at), |token| {
            token.kind = TokenKind::Session;
            token.groups.clone_from(&signed_in.groups);
            token.behind = Some(signed_in.behind.clone());
        })
        .await
    }

    /// All users, disabled ones too, by name.
    pub async fn users(&self) -> Result<Vec<User>, AccessError> {
        let mut all: Vec<User> = self.known().await?.load().people().map(|person| person.user.clone()).collect();
        all.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(all)
    }

    /// In whatever case; a disabled one too.
    pub async fn user(&self, name: &str) -> Result<Option<User>, AccessError> {
        Ok(self.known().await?.load().person(name).map(|person| person.user.clone()))
    }

    /// Whether anybody is called so: a user, or whom a token names that counts.
    pub async fn is_anybody(&self, name: &str) -> Result<bool, AccessError> {
        let now = self.clock.now();
        let known = self.known().await?.load();
        Ok(known.person(name).is_some() || known.passes().any(|pass| is_one_name(&pass.token.name, name) && pass.counts_at(now)))
    }

    /// The user that signs in with this identity; a disabled one too.
    pub async fn user_of(&self, subject: &Subject) -> Result<Option<User>, AccessError> {
        let known = self.known().await?.load();
        Ok(known.people().find(|person| person.user.oidc.as_ref() == Some(subject)).map(|person| person.user.clone()))
    }

    /// Makes a user at the word of `by`, who knows the password and so stands behind what is done with it. Durable when it
    /// returns.
    ///
    /// # Errors
    /// `NotAUserName`, `NotAnEmail`, `PasswordTooShort`, `PasswordTooLong`, `UserTaken`, `TooManyUsers`, `TooManyBehind`.
    pub async fn make_user(&self, new: NewUser, by: &By) -> Result<User, AccessError> {
        if !User::is_name(&new.name) {
            return Err(AccessError::NotAUserName);
        }
        let email = email(new.email)?;
        let password = match &new.password {
            Some(password) => Some(self.hashed(password).await?),
            None => None,
        };
        let behind = if password.is_some() { by.hands_on(&new.name)? } else { Vec::new() };
        let _one_at_a_time = self.changing.lock().await;
        let known = self.known().await?;
        let before = known.load_full();
        if before.people().count() >= USERS_MAX {
            return Err(AccessError::TooManyUsers);
        }
        let made_at = self.clock.now();
        let NewUser { name, role, oidc, .. } = new;
        let user = User { name, role, email, password, behind: Some(behind), oidc, made_at, disabled_at: None };
        let conditions = vec![Condition::UserNameFree { name: user.name.clone() }];
        let commands = vec![Command::UserMade { user: user.clone() }];
        match self.state.commit(Batch { at: made_at, actor: by.actor(), conditions, commands }).await {
            Ok(_) => {}
            Err(CommitError::Conflict(_)) => return Err(AccessError::UserTaken(user.name)),
            Err(other) => return Err(other.into()),
        }
        known.store(Arc::new(before.with_user(user.clone(), &self.config.groups)));
        Ok(user)
    }

    /// Changes a user at the word of `by`; durable when it returns. What takes something away is in force before. Whoever sets
    /// a password knows it.
    ///
    /// # Errors
    /// `UnknownUser`; `LastAdmin` when nobody could administer any more; `TooManyBehind`.
    pub async fn change_user(&self, name: &str, changes: Vec<UserChange>, by: &By) -> Result<User, AccessError> {
        let changes: Vec<Vec<UserChange>> = changes.into_iter().map(|change| with_hands(change, name, by)).collect::<Result<_, _>>()?;
        let changes = changes.concat();
        let _one_at_a_time = self.changing.lock().await;
        let known = self.known().await?;
        let before = known.load_full();
        let unknown = || AccessError::UnknownUser(name.chars().take(super::NAME_BYTES_MAX).collect());
        let mut user = before.person(name).ok_or_else(unknown)?.user.clone();
        let now = self.clock.now();
        for change in &changes {
            user.apply(change, now);
        }
        let after = before.with_user(user.clone(), &self.config.groups);
        if after.lasting_admins() == 0 && before.lasting_admins() > 0 {
            return Err(AccessError::LastAdmin);
        }
        let takes_away = changes.iter().any(|change| match change {
            UserChange::Disabled(is_disabled) => *is_disabled,
            UserChange::Role(_) | UserChange::Password(_) => true,
            UserChange::Email(_) | UserChange::Behind(_) => false,
        });
        let commands: Vec<Command> = changes.into_iter().map(|change| Command::UserChanged { name: user.name.clone(), change }).collect();
        if takes_away {
            self.commit_in_force(before, after, commands, now, by.actor()).await?;
        } else {
            self.state.commit(Batch { at: now, actor: by.actor(), conditions: Vec::new(), commands }).await?;
            known.store(Arc::new(after));
        }
        Ok(user)
    }

    /// A new password for whoever has the old one. From then on it is theirs alone.
    ///
    /// # Errors
    /// As [`Access::sign_in`], and as a new password may be wrong.
    pub async fn change_password(&self, name: &str, old: &str, new: &str, address: IpAddr) -> Result<(), AccessError> {
        let person = self.verified(name, old, address).await?;
        let hash = self.hashed(new).await?;
        let name = &person.user.name;
        self.change_user(name, vec![UserChange::Password(hash)], &By::themselves(name)).await.map(|_| ())
    }

    /// The hash of a password that a user may have.
    ///
    /// # Errors
    /// `PasswordTooShort`, `PasswordTooLong`, `Busy`.
    pub async fn hashed(&self, password: &str) -> Result<PasswordHash, AccessError> {
        if password.chars().count() < self.config.password_chars_min {
            return Err(AccessError::PasswordTooShort(self.config.password_chars_min));
        }
        if password.len() > password::BYTES_MAX {
            return Err(AccessError::PasswordTooLong);
        }
        Ok(self.passwords.hash(password).await?)
    }

    /// Who has this name and this password and is let in. One hash is computed, whoever it is.
    pub(super) async fn verified(&self, name: &str, password: &str, address: IpAddr) -> Result<Arc<Person>, AccessError> {
        // Who is locked out takes no turn from others.
        self.attempts.may_begin(address, name, self.clock.now())?;
        let turn = self.passwords.turn().await?;
        // Counted once it is its turn: those who wait have not failed.
        let attempt = self.attempts.begin(address, name, self.clock.now())?;
        let person = self.person(name).await?;
        let hash = person.as_ref().and_then(|person| person.user.password.as_ref());
        let is_right = turn.verify(password, hash).await?;
        let person = person.filter(|_| is_right).ok_or(AccessError::WrongPassword)?;
        attempt.succeeded(self.clock.now());
        if person.user.password.as_ref().is_some_and(|hash| !password::is_as_made_now(hash))
            && let Err(error) = self.strengthen(&person.user, password).await
        {
            tracing::warn!(%error, user = person.user.name, "a password keeps a hash of before");
        }
        Ok(person)
    }

    /// The same password under a hash as it is made now; unless it was changed meanwhile.
    async fn strengthen(&self, user: &User, password: &str) -> Result<(), AccessError> {
        let stronger = UserChange::Password(self.passwords.hash(password).await?);
        let _one_at_a_time = self.changing.lock().await;
        let known = self.known().await?;
        let before = known.load_full();
        let Some(person) = before.person(&user.name).filter(|person| person.user.password == user.password) else { return Ok(()) };
        let at = self.clock.now();
        let mut changed = person.user.clone();
        changed.apply(&stronger, at);
        let commands = vec![Command::UserChanged { name: changed.name.clone(), change: stronger }];
        self.state.commit(Batch { at, actor: Actor::Airlock, conditions: Vec::new(), commands }).await?;
        known.store(Arc::new(before.with_user(changed, &self.config.groups)));
        Ok(())
    }

    /// One that is let in.
    async fn person(&self, name: &str) -> Result<Option<Arc<Person>>, AccessError> {
        let known = self.known().await?.load();
        Ok(known.person(name).filter(|person| person.user.disabled_at.is_none()).cloned())
    }
}

/// With a password goes who knows it.
fn with_hands(change: UserChange, name: &str, by: &By) -> Result<Vec<UserChange>, AccessError> {
    match change {
        UserChange::Password(_) => Ok(vec![change, UserChange::Behind(by.hands_on(name)?)]),
        UserChange::Behind(_) | UserChange::Role(_) | UserChange::Email(_) | UserChange::Disabled(_) => Ok(vec![change]),
    }
}

/// The role that a list shows of a token that acts for its user.
pub(super) fn foremost(roles: Roles) -> Role {
    [Role::Admin, Role::Approver, Role::Publisher].into_iter().find(|role| roles.covers(*role)).unwrap_or(Role::Reader)
}

/// An address as it is kept; an empty one is none.
///
/// # Errors
/// `NotAnEmail`.
pub fn email(given: Option<String>) -> Result<Option<String>, AccessError> {
    let Some(email) = given.filter(|email| !email.is_empty()) else { return Ok(None) };
    let is_plain = email.chars().all(|c| !c.is_control() && !c.is_whitespace());
    let has_parts = email.split_once('@').is_some_and(|(local, host)| !local.is_empty() && !host.is_empty());
    if email.len() > EMAIL_BYTES_MAX || !is_plain || !has_parts {
        return Err(AccessError::NotAnEmail);
    }
    Ok(Some(email))
}
