//! A token as it is kept: never the secret, only its hash, the role it gives and until when.

use serde::Deserialize;
use serde::Serialize;

use crate::model::digest::DocumentDigest;
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
}
