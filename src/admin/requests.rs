//! Requests: developers who ask that a release be let through.

use axum::Json;
use axum::extract::State;

use crate::admin::Api;
use crate::admin::releases::told_of;
use crate::admin::request::NamedRelease;
use crate::admin::request::Told;
use crate::admin::view;
use crate::admin::wire::ReleaseView;
use crate::admin::wire::RequestOrder;
use crate::http::caller::Caller;
use crate::http::problem::Problem;

/// Ask that a release be let through
///
/// It opens nothing: whoever decides sees how many people ask, and why. Asked again it counts once, with the newer words. A
/// rejection, a hold or a recall answers what was asked before.
#[utoipa::path(
    post,
    path = "/-/airlock/v1/releases/{package}/{version}/requests", operation_id = "requestRelease",
    tag = "releases",
    params(("package" = String, Path, example = "@acme%2fweb"), ("version" = String, Path, example = "1.3.0")),
    request_body = RequestOrder,
    responses((status = 200, description = "Recorded; the release as it stands", body = ReleaseView), (status = 429, description = "Too many at once; ask again after `Retry-After`"))
)]
pub async fn request(
    State(api): State<Api>,
    caller: Caller,
    NamedRelease(release): NamedRelease,
    Told(told): Told<RequestOrder>,
) -> Result<Json<ReleaseView>, Problem> {
    caller.may_read()?;
    told_of(&api, &caller, &release.package)?;
    let explanation = api.catalog.request(&release, &told.reason, &caller.principal).await?;
    Ok(Json(view::release(&explanation, &caller.base)))
}
