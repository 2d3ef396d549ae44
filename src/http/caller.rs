//! Who calls, as every handler asks it. Made by the server's door and by nobody else; a request without one is
//! refused.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::header;
use http::request::Parts;

use crate::access::Access;
use crate::access::Identity;
use crate::http::fields::Fields;
use crate::http::fields::text;
use crate::http::problem::Kind;
use crate::http::problem::Problem;
use crate::model::pull::Puller;
use crate::model::token::Role;

/// The caller of one request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Caller {
    /// The name of the token; `None` without one.
    pub name: Option<String>,
    /// What the caller may do; `None`: nothing. A caller without a token is a reader where that is allowed.
    pub role: Option<Role>,
    /// Of the client; behind a trusted proxy, as that proxy says.
    pub address: IpAddr,
    /// As it was sent, to its first [`Caller::USER_AGENT_BYTES_MAX`].
    pub user_agent: Option<Box<[u8]>>,
    /// Origin and prefix under which the client reaches Airlock, without a trailing slash: `http://127.0.0.1:4873`.
    pub base: Arc<str>,
}

impl Caller {
    /// Longer user agents are cut.
    pub const USER_AGENT_BYTES_MAX: usize = 256;

    /// # Errors
    /// 401 for a caller without a token, 403 for one whose role does not cover `needed`.
    pub fn require(&self, needed: Role) -> Result<(), Problem> {
        match (self.role, &self.name) {
            (Some(role), _) if role.covers(needed) => Ok(()),
            (Some(role), Some(_)) => {
                let detail = format!("this needs a token with the role {}; yours is {}", needed.as_str(), role.as_str());
                Err(Problem::new(Kind::Forbidden, detail))
            }
            (Some(_) | None, None) | (None, Some(_)) => Err(Problem::new(
                Kind::Unauthenticated,
                format!("this needs a token with the role {}: an admin makes one with `airlock token create`", needed.as_str()),
            )),
        }
    }

    /// # Errors
    /// As [`Caller::require`], for readers.
    pub fn may_read(&self) -> Result<(), Problem> {
        self.require(Role::Reader)
    }

    /// The name that a decision is recorded under.
    ///
    /// # Errors
    /// 401 for a caller without a token.
    pub fn person(&self) -> Result<&str, Problem> {
        self.name.as_deref().ok_or_else(|| Problem::new(Kind::Unauthenticated, "this needs a token, so that it is known who did it"))
    }

    /// As the recall list keeps it.
    pub fn puller(&self) -> Puller {
        let user_agent = self.user_agent.as_deref().unwrap_or_default();
        Puller { by: self.name.clone(), address: self.address, user_agent: String::from_utf8_lossy(user_agent).into_owned() }
    }
}

/// Tells callers apart by what they present.
#[derive(Clone)]
pub struct Callers(Arc<Access>);

impl Callers {
    pub fn new(access: Arc<Access>) -> Callers {
        Callers(access)
    }

    /// Name and role, from the `Authorization` header and from nowhere else: a token in a URL would be in every log.
    ///
    /// # Errors
    /// 401 for a token that is not valid. Without one there is a role only where callers without a token have one.
    pub async fn identify<F: Fields>(&self, fields: &F) -> Result<Identity, Problem> {
        let Ok(given) = fields.only(&header::AUTHORIZATION) else {
            return Err(Problem::new(Kind::Malformed, "the request has more than one Authorization"));
        };
        // What is no text is no token, and is refused as one.
        Ok(self.0.identify(given.map(|value| text(value).unwrap_or("?"))).await?)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Caller, Problem> {
        parts.extensions.get::<Caller>().cloned().ok_or_else(|| Problem::internal("a route is mounted outside of the caller middleware"))
    }
}
