//! Who pulled a release, for telling them when it is recalled.

use axum::Json;
use axum::extract::State;

use crate::admin::Api;
use crate::admin::request::NamedRelease;
use crate::admin::wire::Pull;
use crate::admin::wire::Recall;
use crate::http::problem::Problem;
use crate::model::pull::PullCount;

/// Who pulled a release, when, and how often
#[utoipa::path(
    get,
    path = "/-/airlock/v1/recalls/{package}/{version}", operation_id = "listPulls",
    tag = "releases",
    params(("package" = String, Path, example = "@acme%2fweb"), ("version" = String, Path, example = "1.3.0")),
    responses((status = 200, body = Recall))
)]
pub async fn pulls(State(api): State<Api>, NamedRelease(release): NamedRelease) -> Result<Json<Recall>, Problem> {
    let pulls: Vec<Pull> = api.catalog.pulls(&release).await?.into_iter().map(pull).collect();
    Ok(Json(Recall {
        package: release.package.name.to_string(),
        version: release.version.to_string(),
        total: pulls.iter().map(|pull| pull.count).sum(),
        pulls,
    }))
}

fn pull(count: PullCount) -> Pull {
    let PullCount { puller, first_at, last_at, count } = count;
    Pull { at_first: first_at, at_last: last_at, count, by: puller.by, address: puller.address.to_string(), user_agent: puller.user_agent }
}
