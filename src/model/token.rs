//! A token as it is kept: never the secret, only its hash, the role it gives and until when.

use serde::Deserialize;
use serde::Serialize;

use crate::model::digest::DocumentDigest;
use crate::model::pattern::PackagePattern;
use crate::model::principal::Workflow;
use crate::model::time::Timestamp;

/// What a caller may do. Each role is its own; admin may do everything.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    Reader,
    Publisher,
    Approver,
    Admin,
}

impl Role {
    pub const ALL: [Role; 4] = [Role::Reader, Role::Publisher, Role::Approver, Role::Admin];

    pub const fn as_str(self) -> &'static str {
        match self {
            Role::Reader => "reader",
            Role::Publisher => "publisher",
            Role::Approver => "approver",
            Role::Admin => "admin",
        }
    }

    pub fn parse(text: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.as_str() == text)
    }

    /// Whether a caller with this role may do what `needed` may. Publishers and approvers may read; neither may do
    /// what the other does.
    pub const fn covers(self, needed: Role) -> bool {
        match (self, needed) {
            (Role::Admin, _) | (_, Role::Reader) => true,
            (Role::Publisher, Role::Publisher) | (Role::Approver, Role::Approver) => true,
            (Role::Reader | Role::Publisher | Role::Approver, Role::Publisher | Role::Approver | Role::Admin) => false,
        }
    }
}

/// The public half of a token: it names the token in lists and finds it at sign-in. 12 lower-case hexadecimal digits.
pub type TokenId = String;

/// How a token came to be, and so what it may never do.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenKind {
    /// An admin made it: its name is the person. One that counts has this name at a time.
    #[default]
    Named,
    /// A user signed in.
    Session,
    /// A user made it of a token they had.
    Made,
    /// A build got it for what its identity provider said; it publishes one package for minutes, and never approves.
    Exchanged,
}

impl TokenKind {
    fn is_named(&self) -> bool {
        match self {
            TokenKind::Named => true,
            TokenKind::Session | TokenKind::Made | TokenKind::Exchanged => false,
        }
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Token {
    pub id: TokenId,
    pub name: String,
    pub role: Role,
    /// SHA-256 of the secret, which holds 256 random bits, so that a fast hash is enough.
    pub secret_hash: DocumentDigest,
    pub created_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub expires_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub revoked_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "TokenKind::is_named", default)]
    pub kind: TokenKind,
    /// What its user calls it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub label: Option<String>,
    /// Who made it, where that was another than the one it names.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub made_by: Option<String>,
    /// Who else could do what is done with it: whoever made it and saw its secret, whoever gave that person the token or the
    /// password to make it with, and so on. `None` in records that do not say it: the fold works it out.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub behind: Option<Vec<String>>,
    /// Networks it is used from; empty: from everywhere.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub cidr: Vec<String>,
    /// Packages it may publish; empty: those that its user may.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub packages: Vec<PackagePattern>,
    /// Groups of the configuration that its user was in when it was made, at the word of who vouches for the user.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub groups: Vec<String>,
    /// The build that it was exchanged for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub workflow: Option<Workflow>,
}

impl Token {
    /// A token of an admin's making that does not expire.
    pub fn named(id: TokenId, name: String, role: Role, secret_hash: DocumentDigest, created_at: Timestamp) -> Token {
        Token {
            id,
            name,
            role,
            secret_hash,
            created_at,
            expires_at: None,
            revoked_at: None,
            kind: TokenKind::Named,
            label: None,
            made_by: None,
            behind: None,
            cidr: Vec::new(),
            packages: Vec::new(),
            groups: Vec::new(),
            workflow: None,
        }
    }

    /// Whether it need not be remembered once `newer` is made: people sign in and builds run every day, and by then what they
    /// got for it has ended. What was done with it names who did it. A name that an admin gave stays somebody's for good.
    pub fn makes_room_for(&self, newer: &Token) -> bool {
        let is_of_its_user = match self.kind {
            TokenKind::Named => false,
            TokenKind::Session | TokenKind::Made | TokenKind::Exchanged => true,
        };
        is_of_its_user && !self.counts_at(newer.created_at)
    }

    /// Neither revoked nor expired.
    pub fn counts_at(&self, at: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|expires_at| at < expires_at)
    }
}
