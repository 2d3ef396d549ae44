//! Tokens that are given at an identity provider's word: to a person who signed in there, to a build that it signed for.

use crate::access::Access;
use crate::access::AccessError;
use crate::access::Created;
use crate::access::by::By;
use crate::access::oidc::Identities;
use crate::access::oidc::OidcError;
use crate::access::oidc::sign_in::Person;
use crate::access::users::NewUser;
use crate::access::users::SignedIn;
use crate::config::access::Registration;
use crate::model::package::PackageName;
use crate::model::pattern::PackagePattern;
use crate::model::token::Role;
use crate::model::token::TokenKind;

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
        let until = self.clock.now().plus(build.token_for);
        let created = self.issue(&build.name, Role::Publisher, Some(until), |token| {
            token.kind = TokenKind::Exchanged;
            token.packages = vec![PackagePattern::Package(package.clone())];
            token.workflow = Some(build.workflow);
        });
        Ok(created.await?)
    }

    /// The user that a person is who signed in elsewhere, made at the first time. Whoever the provider means keeps the name of
    /// that first time, and takes nobody else's.
    ///
    /// # Errors
    /// `NotAdmitted` to whom no group brings in, where nobody may register; to who is disabled; to who is called as
    /// somebody else.
    pub async fn admit(&self, person: Person) -> Result<SignedIn, OidcError> {
        let lives_for = self.config.oidc.as_ref().ok_or(OidcError::NotConfigured)?.sign_in_for;
        let is_open = match self.config.registration {
            Registration::Open => true,
            Registration::Closed => false,
        };
        let user = self.user_of(&person.subject).await?;
        if user.as_ref().is_some_and(|user| user.disabled_at.is_some()) {
            return refused(format!("the user {:?} is disabled: ask an admin", person.name));
        }
        // An admin may have raised a user's own role since the first time.
        let has_role = user.as_ref().is_some_and(|user| user.role != Role::Reader);
        if person.groups.is_empty() && !is_open && !has_role {
            return refused(format!("{:?} is in no group that comes in here: ask an admin", person.name));
        }
        let groups = person.groups.clone();
        let name = match user {
            Some(user) => user.name,
            None => self.first_time(person, if is_open { self.config.new_users } else { Role::Reader }).await?,
        };
        // Whoever set a password for this user did not sign in with it.
        Ok(SignedIn { name, groups, lives_for, behind: Vec::new() })
    }

    /// The name of a new user.
    async fn first_time(&self, person: Person, role: Role) -> Result<String, OidcError> {
        let taken = format!("the name {:?} belongs to somebody else here: ask an admin", person.name);
        if self.is_somebodys(&person.name).await? {
            return refused(taken);
        }
        let Person { subject, name, email, groups: _ } = person;
        let by = By::themselves(&name);
        let new = NewUser { name, role, email, password: None, oidc: Some(subject.clone()) };
        match self.make_user(new, &by).await {
            Ok(user) => Ok(user.name),
            // The same person may have signed in a moment ago in another window.
            Err(AccessError::UserTaken(_)) => match self.user_of(&subject).await? {
                Some(user) => Ok(user.name),
                None => refused(taken),
            },
            Err(other) => Err(other.into()),
        }
    }
}

fn refused<T>(why: String) -> Result<T, OidcError> {
    Err(OidcError::NotAdmitted { why })
}
