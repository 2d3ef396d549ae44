//! The whole URL space on one screen, as data: who answers where. The registry itself is at the root, Airlock's own
//! under `/-/airlock/`, which no package name can take.

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::get;

use crate::admin;
use crate::http::problem::Kind;
use crate::http::problem::Problem;
use crate::http::route::Needs;
use crate::http::route::Route;
use crate::protocol::npm;
use crate::server::door;
use crate::server::door::Door;
use crate::server::health;
use crate::server::health::Health;
use crate::server::metrics;
use crate::server::metrics::Scrape;

pub const LIVEZ: &str = "/-/airlock/livez";
pub const READYZ: &str = "/-/airlock/readyz";
pub const METRICS: &str = "/-/airlock/metrics";

/// Answered by the server itself.
pub const OWN: &[Route] = &[Route::open("GET", LIVEZ), Route::open("GET", READYZ), Route::reader("GET", METRICS)];

/// Every route there is.
pub const ROUTES: [&[Route]; 3] = [OWN, admin::ROUTES, npm::ROUTES];

/// The template of `ROUTES` that is spelled so, for labels that live as long as the process.
pub fn template(of: &str) -> Option<&'static str> {
    ROUTES.iter().copied().flatten().map(|route| route.template).find(|template| *template == of)
}

/// What answers besides the server itself, behind the door.
pub fn mount(door: &Arc<Door>, health: Arc<Health>, scrape: Arc<Scrape>, pages: Router) -> Router {
    let alive = Router::new().route(LIVEZ, get(health::livez)).merge(Router::new().route(READYZ, get(health::readyz)).with_state(health));
    let numbers = Router::new().route(METRICS, get(metrics::metrics)).with_state(scrape);
    let inside = numbers.merge(pages).layer(from_fn_with_state(Arc::clone(door), door::admit));
    let outside = alive.method_not_allowed_fallback(wrong_method);
    outside.merge(inside).layer(from_fn_with_state(Arc::clone(door), door::observe))
}

async fn wrong_method() -> Problem {
    Problem::new(Kind::MethodNotAllowed, "this is read with GET")
}

/// Whether a path is answered to callers who may do nothing else: routes without a parameter that need no role.
pub fn is_for_everyone(path: &str) -> bool {
    ROUTES.iter().flat_map(|routes| routes.iter()).any(|route| matches!(route.needs, Needs::Nothing) && route.template == path)
}
