//! What operators ask and decide, as JSON under `/-/airlock/v1`, and the pages that a refusal's link leads to.

pub mod advisories;
mod audit;
mod cursor;
mod decisions;
mod explain;
mod idempotency;
mod lockfile;
mod oidc;
mod openapi;
mod ownership;
mod page;
mod policy;
mod recall;
mod releases;
mod request;
mod requests;
mod schema;
mod sign_in;
mod tokens;
mod users;
mod view;
mod waivers;
pub mod wire;

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::middleware::Next;
use axum::middleware::from_fn;
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse;
use axum::routing::any;
use axum::routing::delete;
use axum::routing::get;
use axum::routing::patch;
use axum::routing::post;
use axum::routing::put;

use crate::access::Access;
use crate::admin::idempotency::Calls;
use crate::catalog::Catalog;
use crate::clock::Clock;
use crate::http::caller::Caller;
use crate::http::problem::Kind;
use crate::http::problem::Problem;
use crate::http::route::Needs;
use crate::http::route::Route;
use crate::model::token::Role;
use crate::quarantine::Quarantine;

/// Whom the admin API asks.
pub struct Context {
    pub catalog: Arc<Catalog>,
    pub quarantine: Arc<Quarantine>,
    pub access: Arc<Access>,
    /// How long idempotency keys are remembered.
    pub clock: Clock,
}

type Api = Arc<Context>;

/// Every route of [`router`], with whom it answers. `{scope}/{name}` is the same as `{package}` with the slash unencoded.
pub const ROUTES: &[Route] = &[
    Route::open("GET", "/"),
    Route::open("GET", "/-/airlock"),
    Route::open("GET", "/-/airlock/"),
    Route::open("GET", "/-/airlock/v1/openapi.json"),
    Route::open("GET", "/-/airlock/oidc/start/{session}"),
    Route::open("GET", "/-/airlock/oidc/callback"),
    Route::open("GET", "/-/airlock/sign-in/{session}"),
    Route::open("POST", "/-/airlock/sign-in/{session}"),
    Route::new("GET", "/-/airlock/r/{*subject}", Role::Reader),
    Route::new("GET", "/-/airlock/v1/releases/{package}/{version}", Role::Reader),
    Route::new("GET", "/-/airlock/v1/releases/{scope}/{name}/{version}", Role::Reader),
    Route::new("GET", "/-/airlock/v1/packages/{package}", Role::Reader),
    Route::new("GET", "/-/airlock/v1/packages/{scope}/{name}", Role::Reader),
    Route::new("POST", lockfile::PATH, Role::Reader),
    Route::new("GET", "/-/airlock/v1/advisories", Role::Reader),
    Route::new("GET", "/-/airlock/v1/releases", Role::Approver),
    Route::new("GET", "/-/airlock/v1/queue", Role::Approver),
    Route::new("GET", "/-/airlock/v1/audit", Role::Approver),
    Route::new("GET", "/-/airlock/v1/audit/verify", Role::Approver),
    Route::new("GET", "/-/airlock/v1/recalls/{package}/{version}", Role::Approver),
    Route::new("GET", "/-/airlock/v1/recalls/{scope}/{name}/{version}", Role::Approver),
    Route::new("POST", "/-/airlock/v1/releases/{package}/{version}/decisions", Role::Approver),
    Route::new("POST", "/-/airlock/v1/releases/{scope}/{name}/{version}/decisions", Role::Approver),
    Route::person("POST", "/-/airlock/v1/releases/{package}/{version}/requests"),
    Route::person("POST", "/-/airlock/v1/releases/{scope}/{name}/{version}/requests"),
    Route::person("POST", "/-/airlock/v1/recalls/{package}/{version}/acknowledgements"),
    Route::person("POST", "/-/airlock/v1/recalls/{scope}/{name}/{version}/acknowledgements"),
    Route::new("GET", "/-/airlock/v1/waivers", Role::Approver),
    Route::new("POST", "/-/airlock/v1/waivers", Role::Approver),
    Route::new("POST", "/-/airlock/v1/waivers/{id}/end", Role::Approver),
    Route::new("POST", "/-/airlock/v1/advisories", Role::Admin),
    Route::new("POST", "/-/airlock/v1/policy/replay", Role::Admin),
    Route::new("PUT", "/-/airlock/v1/packages/{package}/owner", Role::Admin),
    Route::new("PUT", "/-/airlock/v1/packages/{scope}/{name}/owner", Role::Admin),
    Route::new("GET", "/-/airlock/v1/tokens", Role::Admin),
    Route::new("POST", "/-/airlock/v1/tokens", Role::Admin),
    Route::new("DELETE", "/-/airlock/v1/tokens/{id}", Role::Admin),
    Route::new("GET", "/-/airlock/v1/users", Role::Admin),
    Route::new("POST", "/-/airlock/v1/users", Role::Admin),
    Route::new("PATCH", "/-/airlock/v1/users/{name}", Role::Admin),
];

/// The whole admin API and its pages, under their full paths: to be merged, not nested, because only so
/// `/-/airlock/` itself can be a route.
pub fn router(context: Context) -> Router {
    let calls = Arc::new(Calls::new(context.clock.clone()));
    let everyone = Router::new()
        .route("/", get(explain::home))
        .route("/-/airlock", get(explain::home))
        .route("/-/airlock/", get(explain::home))
        // Asks for the reader's role itself, so that a browser is refused with a page.
        .route("/-/airlock/r/{*subject}", get(explain::subject_page))
        .route("/-/airlock/oidc/start/{session}", get(oidc::start))
        .route("/-/airlock/oidc/callback", get(oidc::callback))
        .route("/-/airlock/v1/openapi.json", get(openapi::document))
        .route("/-/airlock/sign-in/{session}", get(sign_in::form).post(sign_in::submit))
        .route("/-/airlock/{*rest}", any(unknown));
    let readers = Router::new()
        .route("/-/airlock/v1/advisories", get(advisories::list))
        .route("/-/airlock/v1/releases/{package}/{version}", get(releases::one))
        .route("/-/airlock/v1/releases/{scope}/{name}/{version}", get(releases::one))
        .route("/-/airlock/v1/packages/{package}", get(releases::package))
        .route("/-/airlock/v1/packages/{scope}/{name}", get(releases::package))
        .route(lockfile::PATH, post(lockfile::check));
    let people = Router::new()
        .route("/-/airlock/v1/releases/{package}/{version}/requests", once(post(requests::request), &calls))
        .route("/-/airlock/v1/releases/{scope}/{name}/{version}/requests", once(post(requests::request), &calls))
        .route("/-/airlock/v1/recalls/{package}/{version}/acknowledgements", once(post(recall::acknowledge), &calls))
        .route("/-/airlock/v1/recalls/{scope}/{name}/{version}/acknowledgements", once(post(recall::acknowledge), &calls));
    let approvers = Router::new()
        .route("/-/airlock/v1/releases", get(releases::list))
        .route("/-/airlock/v1/queue", get(releases::queue))
        .route("/-/airlock/v1/audit", get(audit::list))
        .route("/-/airlock/v1/audit/verify", get(audit::verify))
        .route("/-/airlock/v1/recalls/{package}/{version}", get(recall::pulls))
        .route("/-/airlock/v1/recalls/{scope}/{name}/{version}", get(recall::pulls))
        .route("/-/airlock/v1/releases/{package}/{version}/decisions", once(post(decisions::decide), &calls))
        .route("/-/airlock/v1/releases/{scope}/{name}/{version}/decisions", once(post(decisions::decide), &calls))
        .route("/-/airlock/v1/waivers", get(waivers::list).merge(once(post(waivers::make), &calls)))
        .route("/-/airlock/v1/waivers/{id}/end", once(post(waivers::end), &calls));
    let admins = Router::new()
        .route("/-/airlock/v1/advisories", post(advisories::import))
        .route("/-/airlock/v1/policy/replay", once(post(policy::replay), &calls))
        .route("/-/airlock/v1/packages/{package}/owner", once(put(ownership::assign), &calls))
        .route("/-/airlock/v1/packages/{scope}/{name}/owner", once(put(ownership::assign), &calls))
        .route("/-/airlock/v1/tokens", get(tokens::list).merge(once(post(tokens::create), &calls)))
        .route("/-/airlock/v1/tokens/{id}", once(delete(tokens::revoke), &calls))
        .route("/-/airlock/v1/users", get(users::list).merge(once(post(users::create), &calls)))
        .route("/-/airlock/v1/users/{name}", once(patch(users::change), &calls));
    everyone
        .merge(only(Needs::Role(Role::Reader), readers))
        .merge(only(Needs::Person, people))
        .merge(only(Needs::Role(Role::Approver), approvers))
        .merge(only(Needs::Role(Role::Admin), admins))
        .method_not_allowed_fallback(wrong_method)
        .with_state(Arc::new(context))
}

/// Asks for what the routes need before anything of the request is read.
fn only(needs: Needs, routes: Router<Api>) -> Router<Api> {
    routes.route_layer(from_fn(move |caller: Caller, request: Request, next: Next| async move {
        match caller.meets(needs) {
            Ok(()) => next.run(request).await,
            Err(problem) => problem.into_response(),
        }
    }))
}

/// Honours `Idempotency-Key`.
fn once(handler: axum::routing::MethodRouter<Api>, calls: &Arc<Calls>) -> axum::routing::MethodRouter<Api> {
    handler.route_layer(from_fn_with_state(Arc::clone(calls), idempotency::once))
}

async fn unknown() -> Problem {
    Problem::new(Kind::Unknown, "there is nothing here: see /-/airlock/v1/openapi.json for what there is")
}

async fn wrong_method() -> Problem {
    Problem::new(Kind::MethodNotAllowed, "this address does not answer to that method: see /-/airlock/v1/openapi.json")
}

#[cfg(test)]
mod tests;
