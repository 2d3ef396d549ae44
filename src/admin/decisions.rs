//! People's decisions. Every one passes `quarantine::decide`, which alone says whether it counts.

use axum::Json;
use axum::extract::State;

use crate::admin::Api;
use crate::admin::request::NamedRelease;
use crate::admin::request::Told;
use crate::admin::request::digest;
use crate::admin::view;
use crate::admin::wire::DecisionOrder;
use crate::admin::wire::ReleaseView;
use crate::http::caller::Caller;
use crate::http::problem::Problem;
use crate::quarantine::decide::Order;

/// Approve, reject, hold, reopen or revoke a release
///
/// Recorded in the ledger under the name of the caller's token. Given a `digest` or a `revision`, it counts only if the
/// release is still as it was seen; otherwise the answer is 409 and nothing is recorded.
#[utoipa::path(
    post,
    path = "/-/airlock/v1/releases/{package}/{version}/decisions", operation_id = "decide",
    tag = "decisions",
    params(("package" = String, Path, example = "@acme%2fweb"), ("version" = String, Path, example = "1.3.0")),
    request_body = DecisionOrder,
    responses((status = 200, description = "Recorded; the release as it stands now", body = ReleaseView))
)]
pub async fn decide(
    State(api): State<Api>,
    caller: Caller,
    NamedRelease(release): NamedRelease,
    Told(told): Told<DecisionOrder>,
) -> Result<Json<ReleaseView>, Problem> {
    let digest = digest(told.digest.as_deref())?;
    let order = Order { verb: told.decision, reason: told.reason, digest, revision: told.revision, expires_at: told.expires_at };
    let explanation = api.catalog.decide(&release, &order, &caller.principal).await?;
    Ok(Json(view::release(&explanation, &caller.base)))
}
