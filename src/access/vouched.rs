//! Tokens that are given at an identity provider's word: to a person who signed in there, to a build that it signed for.

use std::sync::Arc;

use crate::access::Access;
use crate::access::Created;
use crate::access::oidc::Identities;
use crate::access::oidc::OidcError;
use crate::access::oidc::sign_in::Person;
use crate::access::token;
use crate::config::access::Registration;
use crate::model::actor::Actor;
use crate::model::package::PackageName;
use crate::model::pattern::PackagePattern;
use crate::model::token::Role;
use crate::model::token::Token;
use crate::model::token::TokenKind;
use crate::model::user::User;
use crate::storage::record::Command;
use crate::storage::state::Batch;
use crate::storage::state::CommitError;
use crate::storage::state::Condition;

impl Access {
    /// With those outside whose word counts.
    #[must_use]
    pub fn with_identities(self, identities: Identities) -> Access {
        Access { identities, ..self }
    }

    pub fn identities(&self) -> &Identities {
        &self.identities
    }

    /// A token that publishes `package` for minutes, for the build that presents `id_token`; `host` is this Airlock's name
    /// as the build knows it, without a port. Durable when it returns.
    pub async fn exchange(&self, id_token: &str, package: &PackageName, host: &str) -> Result<Created, OidcError> {
        let build = self.identities.build(id_token, package, host).await?;
        let now = self.clock.now();
        let _one_at_a_time = self.changing.lock().await;
        self.has_room(now).await?;
        let mut created = token::mint(&build.name, Role::Publisher, now, Some(now.plus(build.token_for)))?;
        created.token = Token {
            kind: TokenKind::Exchanged,
            packages: vec![PackagePattern::Package(package.clone())],
            workflow: Some(build.workflow),
            ..created.token
        };
        self.commit_created(&created, Vec::new(), Actor::Person(build.name)).await?;
        Ok(created)
    }

    /// A token for who signed in elsewhere, who becomes a user here at the first time. Whoever the provider means keeps the
    /// name of that first time, and takes nobody else's. Durable when it returns.
    ///
    /// # Errors
    /// `NotAdmitted` to whom no group brings in, where nobody may register; to who is disabled; to who is called as
    /// somebody else.
    pub async fn sign_in_elsewhere(&self, person: Person) -> Result<Created, OidcError> {
        let oidc = self.config.oidc.as_ref().ok_or(OidcError::NotConfigured)?;
        let now = self.clock.now();
        let _one_at_a_time = self.changing.lock().await;
        self.has_room(now).await?;
        let known = self.known().await?;
        let before = known.load_full();
        let user = before.people().map(|known| &known.user).find(|user| user.oidc.as_ref() == Some(&person.subject)).cloned();
        let is_open = match self.config.registration {
            Registration::Open => true,
            Registration::Closed => false,
        };
        let refused = |why: String| Err(OidcError::NotAdmitted { why });
        if user.as_ref().is_some_and(|user| user.disabled_at.is_some()) {
            return refused(format!("the user {:?} is disabled: ask an admin", person.name));
        }
        // An admin may have raised a user's own role since the first time.
        let has_role = user.as_ref().is_some_and(|user| user.role != Role::Reader);
        if person.groups.is_empty() && !is_open && !has_role {
            return refused(format!("{:?} is in no group that comes in here: ask an admin", person.name));
        }
        let is_new = user.is_none();
        let user = match user {
            Some(user) => user,
            None if before.person(&person.name).is_some() => return refused(taken(&person.name)),
            None => User {
                name: person.name,
                role: if is_open { self.config.new_users } else { Role::Reader },
                email: person.email,
                password: None,
                oidc: Some(person.subject),
                made_at: now,
                disabled_at: None,
            },
        };
        let mut created = token::mint(&user.name, user.role, now, Some(now.plus(oidc.sign_in_for)))?;
        created.token = Token { kind: TokenKind::Session, groups: person.groups, ..created.token };
        let (mut conditions, mut commands) = (Vec::new(), Vec::new());
        if is_new {
            conditions.push(Condition::UserNameFree { name: user.name.clone() });
            commands.push(Command::UserMade { user: user.clone() });
        }
        commands.push(Command::TokenCreated { token: created.token.clone() });
        let name = user.name.clone();
        let batch = Batch { at: now, actor: Actor::Person(name.clone()), conditions, commands };
        match self.state.commit(batch).await {
            Ok(_) => {}
            Err(CommitError::Conflict(_)) => return refused(taken(&name)),
            Err(error) => return Err(OidcError::Access(error.into())),
        }
        let groups = &self.config.groups;
        let after = if is_new { before.with_user(user, groups) } else { (*before).clone() };
        known.store(Arc::new(after.with_token(created.token.clone(), groups)));
        Ok(created)
    }
}

fn taken(name: &str) -> String {
    format!("the name {name:?} belongs to somebody else here: an admin can say who")
}
