//! Tokens: who may do what, until when. The secret of one is told once.

use axum::Json;
use axum::extract::Path;
use axum::extract::State;
use http::StatusCode;

use crate::access::by::By;
use crate::admin::Api;
use crate::admin::request::Told;
use crate::admin::view;
use crate::admin::wire::NewToken;
use crate::admin::wire::TokenOrder;
use crate::admin::wire::Tokens;
use crate::http::caller::Caller;
use crate::http::problem::Problem;
use crate::model::actor::Actor;

/// All tokens, revoked ones too, oldest first
///
/// Those that people and builds got by signing in are left out once they have ended and another was made.
#[utoipa::path(get, path = "/-/airlock/v1/tokens", operation_id = "listTokens", tag = "tokens", responses((status = 200, body = Tokens)))]
pub async fn list(State(api): State<Api>) -> Result<Json<Tokens>, Problem> {
    let tokens = api.access.list().await?;
    Ok(Json(Tokens { tokens: tokens.iter().map(view::token).collect() }))
}

/// Make a token
///
/// Its secret is in this answer and nowhere else; only a hash of it is kept.
#[utoipa::path(
    post,
    path = "/-/airlock/v1/tokens", operation_id = "createToken",
    tag = "tokens",
    request_body = TokenOrder,
    responses((status = 201, description = "Made", body = NewToken))
)]
pub async fn create(State(api): State<Api>, caller: Caller, Told(told): Told<TokenOrder>) -> Result<(StatusCode, Json<NewToken>), Problem> {
    caller.person()?;
    let by = By::caller(&caller.principal)?;
    let created = api.access.create(&told.name, told.role, told.expires_at, &by).await?;
    Ok((StatusCode::CREATED, Json(NewToken { view: view::token(&created.token), token: created.text })))
}

/// Revoke a token, at once
///
/// One that is revoked already stays so.
#[utoipa::path(
    delete,
    path = "/-/airlock/v1/tokens/{id}", operation_id = "revokeToken",
    tag = "tokens",
    params(("id" = String, Path, description = "12 hexadecimal digits", example = "5f0c9a1be27d")),
    responses((status = 204, description = "Revoked"))
)]
pub async fn revoke(State(api): State<Api>, caller: Caller, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    let by = Actor::Person(caller.person()?.to_owned());
    api.access.revoke(&id, by).await?;
    Ok(StatusCode::NO_CONTENT)
}
