//! A person or program with a password or an identity elsewhere, and what may change of it.

use std::fmt;

use serde::Deserialize;
use serde::Serialize;

use crate::model::time::Timestamp;
use crate::model::token::Role;

/// The longest name of a user, in bytes.
const NAME_BYTES_MAX: usize = 64;
/// Airlock itself, callers without a name, and the token of the first start.
const RESERVED: [&str; 3] = ["airlock", "anonymous", "admin"];

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct User {
    /// Unique without regard to case.
    pub name: String,
    pub role: Role,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub email: Option<String>,
    /// `None`: signs in elsewhere only.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub password: Option<PasswordHash>,
    /// Who else knows the password: whoever gave it to the user, and who stands behind them; nobody once the user has set it.
    /// `None` in records that do not say it: the fold works it out.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub behind: Option<Vec<String>>,
    /// The identity that signs in as this user.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub oidc: Option<Subject>,
    pub made_at: Timestamp,
    /// Since when nothing of this user is let in.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub disabled_at: Option<Timestamp>,
}

/// Whom an identity provider means. The subject never changes there; a name may.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Subject {
    pub issuer: String,
    pub subject: String,
}

/// A password's hash with its parameters, in the PHC form. Printing it shows nothing.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// `phc` is as the hasher wrote it: `$argon2id$v=19$…`.
    pub fn new(phc: String) -> PasswordHash {
        PasswordHash(phc)
    }

    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UserChange {
    Password(PasswordHash),
    /// Who else knows the password that was set just before, in the same record.
    Behind(Vec<String>),
    Role(Role),
    Email(Option<String>),
    Disabled(bool),
}

impl User {
    /// `[A-Za-z0-9][A-Za-z0-9._-]{0,63}`.
    pub fn is_name(text: &str) -> bool {
        let first = text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
        first && text.len() <= NAME_BYTES_MAX && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
    }

    /// Whether nobody may be called so, because it would be taken for another.
    pub fn is_reserved(name: &str) -> bool {
        RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(name))
    }

    /// `at` is when it changed.
    pub fn apply(&mut self, change: &UserChange, at: Timestamp) {
        match change {
            UserChange::Password(hash) => self.password = Some(hash.clone()),
            UserChange::Behind(people) => self.behind = Some(people.clone()),
            UserChange::Role(role) => self.role = *role,
            UserChange::Email(email) => self.email.clone_from(email),
            UserChange::Disabled(true) => _ = self.disabled_at.get_or_insert(at),
            UserChange::Disabled(false) => self.disabled_at = None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain() {
        for good in ["a", "Maria", "ci-bot_2.x", &"a".repeat(64)] {
            assert!(User::is_name(good), "{good}");
        }
        for bad in ["", "-a", ".a", "_a", "a b", "a/b", "a:b", "é", "a\n", &"a".repeat(65)] {
            assert!(!User::is_name(bad), "{bad}");
        }
        assert!(User::is_reserved("Admin") && !User::is_reserved("administrator"));
    }

    #[test]
    fn a_hash_is_not_printed() {
        let hash = PasswordHash::new("$argon2id$canary".to_owned());
        assert!(!format!("{hash:?} {:?}", UserChange::Password(hash.clone())).contains("canary"));
    }
}
