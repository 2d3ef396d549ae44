//! `[access]`: what a caller without a token may do, who may sign in and how, and which builds may publish.

use std::collections::BTreeMap;
use std::time::Duration;

use url::Url;

use crate::config::upstream::Secret;
use crate::model::pattern::PackagePattern;
use crate::model::token::Role;

#[derive(Clone, PartialEq, Debug)]
pub struct Access {
    pub anonymous: Anonymous,
    pub registration: Registration,
    /// Reader or publisher.
    pub new_users: Role,
    pub password_chars_min: usize,
    /// How long a token lives that npm login made with a password.
    pub sign_in_for: Duration,
    /// By name.
    pub groups: BTreeMap<String, Group>,
    pub oidc: Option<Oidc>,
    pub trusted_publishers: Vec<TrustedPublisher>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Anonymous {
    Reader,
    None,
}

/// Whether who is unknown may become a user by npm login.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Registration {
    Closed,
    Open,
}

/// People who have a role together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Group {
    pub role: Role,
    /// Names of users.
    pub members: Vec<String>,
    /// Values of the identity provider's groups claim that make one a member.
    pub claims: Vec<String>,
    /// What its members may publish, whoever owns it.
    pub packages: Vec<PackagePattern>,
}

/// An identity provider. Its text is compared with what it says of itself, byte by byte.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Issuer {
    /// As it was written.
    pub text: String,
    /// Where it is asked; the path ends with a slash.
    pub url: Url,
}

/// Who people sign in with.
#[derive(Clone, PartialEq, Debug)]
pub struct Oidc {
    pub issuer: Issuer,
    pub client_id: String,
    /// Resolved when the configuration was read; a client without one proves itself by PKCE alone.
    pub client_secret: Option<Secret>,
    pub scopes: Vec<String>,
    pub name_claim: String,
    pub groups_claim: String,
    /// How long a token lives that such a sign-in made.
    pub sign_in_for: Duration,
}

/// A build that may publish without a stored secret.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TrustedPublisher {
    pub packages: Vec<PackagePattern>,
    pub issuer: Issuer,
    /// All of them must be so; a `*` at the end of a value stands for any rest. Never empty.
    pub claims: BTreeMap<String, String>,
    /// `None`: `npm:<host of this Airlock>`.
    pub audience: Option<String>,
    pub token_for: Duration,
}

const DAY: Duration = Duration::from_secs(24 * 3_600);

impl Default for Access {
    fn default() -> Access {
        Access {
            anonymous: Anonymous::Reader,
            registration: Registration::Closed,
            new_users: Role::Publisher,
            password_chars_min: 8,
            sign_in_for: DAY * 30,
            groups: BTreeMap::new(),
            oidc: None,
            trusted_publishers: Vec::new(),
        }
    }
}
