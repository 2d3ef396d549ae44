//! The identity of a build exchanged for a token that publishes one package for a short time.

use axum::response::Response;
use http::StatusCode;
use http::header;
use serde_json::json;
use url::Url;

use crate::http::problem::Kind;
use crate::http::problem::Problem;
use crate::model::package::PackageName;
use crate::protocol::npm::call::Call;
use crate::protocol::npm::call::told;
use crate::protocol::npm::explain::Failure;
use crate::protocol::npm::handlers::Registry;

/// `POST /-/npm/v1/oidc/token/exchange/package/{package}`, with the identity token as bearer. The body says nothing.
pub async fn exchange(registry: &Registry, call: Call<'_>, package: PackageName) -> Result<Response, Failure> {
    let detail = "this is for builds that show an identity token: Authorization: Bearer …";
    let id_token = bearer(&call).ok_or_else(|| Problem::new(Kind::Unauthenticated, detail))?;
    let host = Url::parse(&call.caller.base).ok().and_then(|base| base.host_str().map(str::to_owned)).unwrap_or_default();
    let created = registry.access.exchange(id_token, &package, &host).await.map_err(Problem::from)?;
    let expires = created.token.expires_at.map(|at| at.to_string());
    let answer = json!({
        "token_type": "oidc",
        "token": created.text,
        "created": created.token.created_at.to_string(),
        "expires": expires,
    });
    told(StatusCode::CREATED, &answer)
}

fn bearer<'r>(call: &Call<'r>) -> Option<&'r str> {
    let mut given = call.request.headers.get_all(header::AUTHORIZATION).iter();
    let (scheme, token) = given.next()?.to_str().ok()?.trim().split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && given.next().is_none()).then(|| token.trim())
}
