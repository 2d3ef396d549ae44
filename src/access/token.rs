//! The text of a token, `airlock_<id>_<secret>`: made from the system's randomness, found by its id, compared by the hash
//! of its secret in constant time.

use std::sync::Arc;

use data_encoding::BASE64;
use data_encoding::BASE64URL_NOPAD;
use data_encoding::HEXLOWER;
use subtle::ConstantTimeEq;

use crate::access::AccessError;
use crate::access::Created;
use crate::access::known::Known;
use crate::access::known::Pass;
use crate::model::digest::DocumentDigest;
use crate::model::time::Timestamp;
use crate::model::token::Role;
use crate::model::token::Token;
use crate::model::token::TokenId;

/// What every token begins with, so that scanners for leaked secrets can know it.
pub const PREFIX: &str = "airlock_";

const ID_BYTES: usize = 6;
const SECRET_BYTES: usize = 32;
pub const ID_CHARS: usize = 12;
const SECRET_CHARS: usize = 43;

/// The longest `Authorization` that is looked at.
const HEADER_BYTES_MAX: usize = 1_024;

/// A well-formed token as a caller presents it: nothing is proven yet.
pub struct Presented {
    id: TokenId,
    secret_hash: DocumentDigest,
}

/// Makes a token of 256 random bits.
pub fn mint(name: &str, role: Role, now: Timestamp, expires_at: Option<Timestamp>) -> Result<Created, AccessError> {
    let (mut id, mut secret) = ([0_u8; ID_BYTES], [0_u8; SECRET_BYTES]);
    let random = getrandom::fill(&mut id).and_then(|()| getrandom::fill(&mut secret));
    random.map_err(|error| AccessError::NoRandomness(error.to_string()))?;
    let id: TokenId = HEXLOWER.encode(&id);
    let secret = BASE64URL_NOPAD.encode(&secret);
    let text = format!("{PREFIX}{id}_{secret}");
    let secret_hash = DocumentDigest::of(secret.as_bytes());
    Ok(Created { token: Token { expires_at, ..Token::named(id, name.to_owned(), role, secret_hash, now) }, text })
}

/// What an `Authorization` header presents.
pub enum Credentials {
    Token(Presented),
    Password { name: String, password: String },
}

impl Credentials {
    /// `Bearer <token>`, `Basic` with a token as password and any user, or `Basic` with name and password.
    pub fn in_header(authorization: &str) -> Option<Credentials> {
        if authorization.len() > HEADER_BYTES_MAX {
            return None;
        }
        let (scheme, rest) = authorization.trim().split_once(' ')?;
        match scheme {
            scheme if scheme.eq_ignore_ascii_case("bearer") => Presented::parse(rest.trim()).map(Credentials::Token),
            scheme if scheme.eq_ignore_ascii_case("basic") => {
                let text = String::from_utf8(BASE64.decode(rest.trim().as_bytes()).ok()?).ok()?;
                let (name, password) = text.split_once(':')?;
                match Presented::parse(password) {
                    Some(presented) => Some(Credentials::Token(presented)),
                    None if name.is_empty() || password.is_empty() => None,
                    None => Some(Credentials::Password { name: name.to_owned(), password: password.to_owned() }),
                }
            }
            _ => None,
        }
    }
}

impl Presented {
    pub fn parse(text: &str) -> Option<Presented> {
        let (id, secret) = text.strip_prefix(PREFIX)?.split_at_checked(ID_CHARS)?;
        let secret = secret.strip_prefix('_')?;
        let well_formed = id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) && secret.len() == SECRET_CHARS;
        well_formed.then(|| Presented { id: id.to_owned(), secret_hash: DocumentDigest::of(secret.as_bytes()) })
    }

    /// The token whose secret was presented, live or not. Takes the same time for a wrong secret and for an unknown id.
    pub fn of<'a>(&self, known: &'a Known) -> Option<&'a Arc<Pass>> {
        let found = known.pass(&self.id);
        let expected = found.map_or(DocumentDigest::from_raw([0; 32]), |pass| pass.token.secret_hash);
        let same = bool::from(expected.raw().ct_eq(self.secret_hash.raw()));
        found.filter(|_| same)
    }
}
