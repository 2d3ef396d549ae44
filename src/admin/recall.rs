//! Recalls: who pulled a release, and who said since that it is gone from where they had it.

use axum::Json;
use axum::extract::State;

use crate::admin::Api;
use crate::admin::request::NamedRelease;
use crate::admin::request::Told;
use crate::admin::wire::AcknowledgementOrder;
use crate::admin::wire::AcknowledgementView;
use crate::admin::wire::Missing;
use crate::admin::wire::NoticeView;
use crate::admin::wire::Pull;
use crate::admin::wire::Recall;
use crate::admin::wire::Recalled;
use crate::catalog::recalls::Whose;
use crate::http::caller::Caller;
use crate::http::problem::Problem;
use crate::model::job::Job;
use crate::model::job::Work;
use crate::model::pull::PullCount;
use crate::model::release::ReleaseId;
use crate::quarantine::recalls::Gone;

/// Who pulled a release, when, and how often; once it is recalled, who got rid of it and who has not
#[utoipa::path(
    get,
    path = "/-/airlock/v1/recalls/{package}/{version}", operation_id = "listPulls",
    tag = "releases",
    params(("package" = String, Path, example = "@acme%2fweb"), ("version" = String, Path, example = "1.3.0")),
    responses((status = 200, body = Recall))
)]
pub async fn pulls(State(api): State<Api>, NamedRelease(release): NamedRelease) -> Result<Json<Recall>, Problem> {
    Ok(Json(told(&api, &release).await?))
}

/// Say that a recalled release is gone from where you had it
///
/// An approver may say so `of` somebody else: a build, or an address that pulled without a token.
#[utoipa::path(
    post,
    path = "/-/airlock/v1/recalls/{package}/{version}/acknowledgements", operation_id = "acknowledgeRecall",
    tag = "releases",
    params(("package" = String, Path, example = "@acme%2fweb"), ("version" = String, Path, example = "1.3.0")),
    request_body = AcknowledgementOrder,
    responses((status = 200, description = "Recorded", body = AcknowledgementView))
)]
pub async fn acknowledge(
    State(api): State<Api>,
    caller: Caller,
    NamedRelease(release): NamedRelease,
    Told(order): Told<AcknowledgementOrder>,
) -> Result<Json<AcknowledgementView>, Problem> {
    caller.may_read()?;
    let gone = Gone { note: order.note, of: order.of };
    let said = api.quarantine.acknowledge(&release, &gone, &caller.principal).await?;
    Ok(Json(AcknowledgementView { at: said.at, by: said.by, of: said.of, note: said.note }))
}

async fn told(api: &Api, release: &ReleaseId) -> Result<Recall, Problem> {
    let recall = api.catalog.recall(release).await?;
    let pulls: Vec<Pull> = recall.pulls.into_iter().map(pull).collect();
    let said = recall.acknowledgements.into_iter();
    let missing = |whose: Whose| match whose {
        Whose::Name(by) => Missing { by: Some(by), address: None },
        Whose::Address(address) => Missing { by: None, address: Some(address) },
    };
    Ok(Recall {
        package: release.package.name.to_string(),
        version: release.version.to_string(),
        recalled: recall.decision.map(|one| Recalled { at: one.at, by: one.by, reason: one.reason }),
        total: pulls.iter().map(|pull| pull.count).sum(),
        pulls,
        acknowledgements: said.map(|one| AcknowledgementView { at: one.at, by: one.by, of: one.of, note: one.note }).collect(),
        missing: recall.missing.into_iter().map(missing).collect(),
        notices: recall.notices.iter().filter_map(|job| notice(api, job)).collect(),
    })
}

fn notice(api: &Api, job: &Job) -> Option<NoticeView> {
    match &job.work {
        Work::Notify { event, hook, .. } => Some(NoticeView {
            to: api.catalog.told_at(hook),
            event: event.as_str().to_owned(),
            attempts: job.attempts,
            given_up: job.parked,
            error: job.last_error.clone(),
        }),
        Work::Inspect { .. } => None,
    }
}

fn pull(count: PullCount) -> Pull {
    let PullCount { puller, first_at, last_at, count } = count;
    Pull { at_first: first_at, at_last: last_at, count, by: puller.by, address: puller.address.to_string(), user_agent: puller.user_agent }
}
