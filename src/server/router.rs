//! The whole URL space on one screen, as data: who answers where. The registry itself is at the root, Airlock's own
//! under `/-/airlock/`, which no package name can take.

use std::sync::Arc;

use axum::Router;
use axum::extract::MatchedPath;
use axum::extract::Request;
use axum::middleware::Next;
use axum::middleware::from_fn;
use axum::response::Response;
use axum::routing::get;
use http::Method;

use crate::admin;
use crate::http::problem::Kind;
use crate::http::problem::Problem;
use crate::http::route::Matched;
use crate::http::route::Needs;
use crate::http::route::Route;
use crate::protocol::npm;
use crate::server::health;
use crate::server::health::Health;
use crate::server::metrics;
use crate::server::metrics::Scrape;

pub const LIVEZ: &str = "/-/airlock/livez";
pub const READYZ: &str = "/-/airlock/readyz";
pub const METRICS: &str = "/-/airlock/metrics";

/// Where more may be brought than elsewhere.
pub const ADVISORIES: &str = "/-/airlock/v1/advisories";

/// Answered by the server itself.
pub const OWN: &[Route] = &[Route::open("GET", LIVEZ), Route::open("GET", READYZ), Route::reader("GET", METRICS)];

/// Every route there is.
pub const ROUTES: [&[Route]; 3] = [OWN, admin::ROUTES, npm::ROUTES];

/// The template of `ROUTES` that is spelled so, for labels that live as long as the process.
pub fn template(of: &str) -> Option<&'static str> {
    ROUTES.iter().copied().flatten().map(|route| route.template).find(|template| *template == of)
}

/// Whether a path is of Airlock's own pages and not of the registry: `/` too, which people open to see what answers there.
pub fn is_own(path: &str) -> bool {
    path == "/" || path.strip_prefix("/-/airlock").is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether a path is answered to whoever asks, under whatever name.
pub fn is_outside(path: &str) -> bool {
    path == LIVEZ || path == READYZ
}

/// Everything that answers.
pub struct Site {
    pub outside: Router,
    /// Airlock's own pages, behind the door.
    pub pages: Router,
    /// Every other path, behind the door. Asked directly: it is what is asked all day.
    pub registry: npm::Registry,
}

impl Site {
    pub fn new(health: Arc<Health>, scrape: Arc<Scrape>, pages: Router, registry: npm::Registry) -> Site {
        let alive =
            Router::new().route(LIVEZ, get(health::livez)).merge(Router::new().route(READYZ, get(health::readyz)).with_state(health));
        let outside = alive.method_not_allowed_fallback(wrong_method).layer(from_fn(matched));
        let numbers = Router::new().route(METRICS, get(metrics::metrics)).with_state(scrape);
        let pages = numbers.merge(pages).layer(from_fn(matched));
        Site { outside, pages, registry }
    }
}

/// Tells the door which route it was.
async fn matched(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().and_then(|path| template(path.as_str()));
    let mut response = next.run(request).await;
    if let Some(route) = route {
        response.extensions_mut().insert(Matched(route));
    }
    response
}

async fn wrong_method() -> Problem {
    Problem::new(Kind::MethodNotAllowed, "this is read with GET")
}

/// Whether a path is answered to callers who may do nothing else: routes without a parameter that need no role.
pub fn is_for_everyone(path: &str) -> bool {
    ROUTES.iter().flat_map(|routes| routes.iter()).any(|route| matches!(route.needs, Needs::Nothing) && route.template == path)
}

/// Airlock's own pages on which people sign in.
const SIGN_IN_PAGES: [&str; 2] = ["/-/airlock/sign-in/", "/-/airlock/oidc/"];

/// Whether a path is asked to get a token: by whoever has none, and not refused for one that no longer serves. Each such
/// route needs nothing, and asks for itself.
pub fn is_for_sign_in(method: &Method, path: &str) -> bool {
    npm::is_for_sign_in(method, path) || SIGN_IN_PAGES.iter().any(|page| path.starts_with(page))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_signing_in_is_done_without_a_token() {
        let check = |method: Method, path: &str, expect: bool| assert_eq!(is_for_sign_in(&method, path), expect, "{method} {path}");
        check(Method::PUT, "/-/user/org.couchdb.user:ann", true);
        check(Method::PUT, "/-/user/org.couchdb.user:ann/-rev/1-0", true);
        check(Method::GET, "/-/user/org.couchdb.user:ann", false);
        check(Method::POST, "/-/v1/login", true);
        check(Method::POST, "/-/v1/login/", false);
        check(Method::GET, "/-/v1/done/0123", true);
        check(Method::POST, "/-/npm/v1/oidc/token/exchange/package/left-pad", true);
        check(Method::GET, "/-/airlock/sign-in/0123", true);
        check(Method::GET, "/-/airlock/oidc/callback", true);
        for path in ["/left-pad", "/-/npm/v1/tokens", "/-/airlock/v1/tokens", "/-/airlock/", "/-/whoami", "/-/v1/search", "/-/v1/loginx"] {
            check(Method::PUT, path, false);
            check(Method::GET, path, false);
        }
    }

    /// So that letting somebody in to sign in lets nobody in to anything else.
    #[test]
    fn what_is_let_in_to_sign_in_needs_nothing() {
        for route in ROUTES.into_iter().flatten() {
            let method = Method::from_bytes(route.method.as_bytes()).unwrap();
            if is_for_sign_in(&method, route.template) {
                assert_eq!(route.needs, Needs::Nothing, "{route:?}");
            }
        }
    }
}
