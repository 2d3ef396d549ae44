//! Who calls, as every handler asks it. Made by the server's middleware and by nobody else; a request without one is
//! refused.

use std::net::IpAddr;

use axum::extract::FromRequestParts;
use http::request::Parts;

use crate::catalog::Puller;
use crate::http::problem::Kind;
use crate::http::problem::Problem;
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
    pub user_agent: String,
    /// Origin and prefix under which the client reaches Airlock, without a trailing slash: `http://127.0.0.1:4873`.
    pub base: String,
    pub request_id: String,
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

    /// The name that a decision is recorded under.
    ///
    /// # Errors
    /// 401 for a caller without a token.
    pub fn person(&self) -> Result<&str, Problem> {
        self.name.as_deref().ok_or_else(|| Problem::new(Kind::Unauthenticated, "this needs a token, so that it is known who did it"))
    }

    /// As the recall list keeps it.
    pub fn puller(&self) -> Puller {
        Puller { by: self.name.clone(), address: self.address.to_string(), user_agent: self.user_agent.clone() }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Caller, Problem> {
        parts.extensions.get::<Caller>().cloned().ok_or_else(|| Problem::internal("a route is mounted outside of the caller middleware"))
    }
}
