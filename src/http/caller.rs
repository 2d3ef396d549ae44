//! Who calls, as every handler asks it. Made by the server's door and by nobody else; a request without one is
//! refused.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::header;
use http::request::Parts;

use crate::access::Access;
use crate::http::fields::Fields;
use crate::http::fields::text;
use crate::http::problem::Kind;
use crate::http::problem::Problem;
use crate::http::route::Needs;
use crate::model::principal::Principal;
use crate::model::principal::Roles;
use crate::model::pull::Puller;
use crate::model::token::Role;

/// The caller of one request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Caller {
    /// Of the user or the token, as in `principal`; `None` without one.
    pub name: Option<String>,
    /// What the caller may do. A caller without a token is a reader where that is allowed.
    pub principal: Arc<Principal>,
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

    /// Whether a route that needs this answers the caller.
    ///
    /// # Errors
    /// 401 for a caller without a token, 403 for one whose role is not enough.
    pub fn meets(&self, needs: Needs) -> Result<(), Problem> {
        match needs {
            Needs::Nothing => Ok(()),
            Needs::Person => self.person().map(|_| ()),
            Needs::Role(needed) => self.require(needed),
            Needs::AnyOf(roles) => self.require_any(roles),
        }
    }

    /// # Errors
    /// 401 for a caller without a token, 403 for one whose role does not cover `needed`.
    pub fn require(&self, needed: Role) -> Result<(), Problem> {
        self.require_any(&[needed])
    }

    fn require_any(&self, needed: &[Role]) -> Result<(), Problem> {
        let roles = self.principal.roles;
        if needed.iter().any(|needed| roles.covers(*needed)) {
            return Ok(());
        }
        let words = needed.iter().map(|role| role.as_str()).collect::<Vec<&str>>().join(" or ");
        Err(if self.name.is_some() {
            Problem::new(Kind::Forbidden, format!("this needs a token with the role {words}; yours is {}", words_of(roles)))
        } else {
            let detail = format!(
                "this needs a token with the role {words}: sign in with `npm login`, or use one that an admin made with `airlock token create`"
            );
            Problem::new(Kind::Unauthenticated, detail)
        })
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
        self.name.as_deref().ok_or_else(|| {
            Problem::new(Kind::Unauthenticated, "this needs a token, so that it is known who did it: sign in with `npm login`")
        })
    }

    /// As the recall list keeps it.
    pub fn puller(&self) -> Puller {
        let user_agent = self.user_agent.as_deref().unwrap_or_default();
        Puller { by: self.name.clone(), address: self.address, user_agent: String::from_utf8_lossy(user_agent).into_owned() }
    }
}

/// The roles that are not part of another of them.
fn words_of(roles: Roles) -> String {
    let is_part = |role: Role| roles.iter().any(|other| other != role && other.covers(role));
    let whole: Vec<&str> = roles.iter().filter(|role| !is_part(*role)).map(Role::as_str).collect();
    if whole.is_empty() { "none".to_owned() } else { whole.join(" and ") }
}

/// Tells callers apart by what they present.
#[derive(Clone)]
pub struct Callers(Arc<Access>);

impl Callers {
    pub fn new(access: Arc<Access>) -> Callers {
        Callers(access)
    }

    /// Who it is, from the `Authorization` header and from nowhere else: a token in a URL would be in every log.
    ///
    /// # Errors
    /// 401 for a token that is not valid. Without one there are roles only where callers without a token have them.
    pub async fn identify<F: Fields>(&self, fields: &F, address: IpAddr) -> Result<Arc<Principal>, Problem> {
        let Ok(given) = fields.only(&header::AUTHORIZATION) else {
            return Err(Problem::new(Kind::Malformed, "the request has more than one Authorization"));
        };
        // What is no text is no token, and is refused as one.
        Ok(self.0.identify(given.map(|value| text(value).unwrap_or("?")), address).await?)
    }

    /// Who has no name and no role: whoever signs in and presents what is no token.
    pub fn nobody() -> Arc<Principal> {
        Arc::new(Principal::anonymous(Roles::NONE))
    }
}

/// For tests of what is behind the door.
#[cfg(test)]
impl Caller {
    pub fn tried(name: Option<&str>, roles: Roles, base: &str) -> Caller {
        let name = name.map(str::to_owned);
        let principal = Principal { name: name.clone(), behind: name.iter().cloned().collect(), ..Principal::anonymous(roles) };
        let address = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
        Caller { name, principal: Arc::new(principal), address, user_agent: None, base: base.into() }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Caller, Problem> {
        parts.extensions.get::<Caller>().cloned().ok_or_else(|| Problem::internal("a route is mounted outside of the caller middleware"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_route_needs_is_asked_of_role_and_name() {
        #[track_caller]
        fn check(needs: Needs, name: Option<&str>, role: Option<Role>, expect: Result<(), &str>) {
            let caller = Caller::tried(name, role.map_or(Roles::NONE, Roles::of), "");
            let met = caller.meets(needs).map_err(|problem| format!("{} {}", problem.status().as_u16(), problem.detail));
            assert_eq!(met, expect.map_err(str::to_owned));
        }
        const BOTH: Needs = Needs::AnyOf(&[Role::Publisher, Role::Approver]);
        let (ann, reader) = (Some("ann"), Some(Role::Reader));
        check(Needs::Nothing, None, None, Ok(()));
        check(Needs::Person, ann, reader, Ok(()));
        check(Needs::Person, None, reader, Err("401 this needs a token, so that it is known who did it: sign in with `npm login`"));
        check(Needs::Role(Role::Reader), None, reader, Ok(()));
        check(
            Needs::Role(Role::Approver),
            ann,
            Some(Role::Publisher),
            Err("403 this needs a token with the role approver; yours is publisher"),
        );
        for role in [Role::Publisher, Role::Approver, Role::Admin] {
            check(BOTH, ann, Some(role), Ok(()));
        }
        check(BOTH, ann, reader, Err("403 this needs a token with the role publisher or approver; yours is reader"));
        let unknown = "401 this needs a token with the role publisher or approver: sign in with `npm login`, or use one that an admin made with `airlock token create`";
        check(BOTH, None, reader, Err(unknown));
        check(BOTH, None, None, Err(unknown));
        let both = Roles::of(Role::Publisher).with(Role::Approver);
        let words = [both, Roles::of(Role::Admin), Roles::of(Role::Reader), Roles::NONE].map(words_of);
        assert_eq!(words, ["publisher and approver", "admin", "reader", "none"]);
    }
}
