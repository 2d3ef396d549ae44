//! Where a refusal's link leads: the same words as the API's, as a page, as text, or as JSON.

use axum::Json;
use axum::extract::Path;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::response::Response;
use http::HeaderMap;
use http::StatusCode;

use crate::admin::Api;
use crate::admin::page;
use crate::admin::page::Form;
use crate::admin::page::landing;
use crate::admin::page::landing::Counts;
use crate::admin::page::package;
use crate::admin::page::release::OTHERS_MAX;
use crate::admin::page::release::Page;
use crate::admin::releases::OVERVIEW_MAX;
use crate::admin::releases::at_a_glance;
use crate::admin::releases::told_of;
use crate::admin::request::subject;
use crate::admin::view;
use crate::admin::wire::Package;
use crate::admin::wire::ReleaseView;
use crate::http::caller::Caller;
use crate::http::link;
use crate::http::problem::Problem;
use crate::model::package::PackageId;
use crate::model::release::ReleaseId;
use crate::model::token::Role;

/// What this server is, and the line to paste
#[utoipa::path(get, path = "/-/airlock/", operation_id = "showHome", tag = "pages", responses((status = 200, description = "A page, or text", content_type = "text/html", body = String)))]
pub async fn home(State(api): State<Api>, caller: Caller, headers: HeaderMap) -> Response {
    let condition = caller.require(Role::Reader).is_ok().then(|| api.catalog.condition());
    let counts =
        condition.map(|now| Counts { downloads: now.downloads, refused: now.refused, observed: now.observing.then_some(now.observed) });
    match Form::of(&headers) {
        Form::Html => page::html(StatusCode::OK, "A registry with a gate", &caller.base, &landing::html(&caller.base, counts)),
        Form::Text | Form::Json => page::text(StatusCode::OK, landing::text(&caller.base, counts)),
    }
}

/// Why a release is not served, for people
///
/// `{subject}` is `NAME@VERSION`, or `NAME` for the whole package. A page for browsers, text for terminals, and for
/// `Accept: application/json` what the API answers.
#[utoipa::path(
    get,
    path = "/-/airlock/r/{subject}", operation_id = "showExplanation",
    tag = "pages",
    params(("subject" = String, Path, example = "left-pad@1.3.0")),
    responses((status = 200, description = "As the `Accept` header asks", content((ReleaseView = "application/json"), (String = "text/html"), (String = "text/plain"))))
)]
pub async fn subject_page(State(api): State<Api>, caller: Caller, headers: HeaderMap, Path(asked): Path<String>) -> Response {
    let form = Form::of(&headers);
    match explained(&api, &caller, form, &asked).await {
        Ok(response) => response,
        Err(problem) => page::problem(problem, form, &caller.base),
    }
}

async fn explained(api: &Api, caller: &Caller, form: Form, asked: &str) -> Result<Response, Problem> {
    caller.require(Role::Reader)?;
    let (package, version) = subject(asked)?;
    told_of(api, caller, &package)?;
    match (package, version) {
        (package, Some(version)) => release(api, caller, form, &ReleaseId { package, version }).await,
        (package, None) => whole_package(api, caller, form, &package).await,
    }
}

async fn release(api: &Api, caller: &Caller, form: Form, release: &ReleaseId) -> Result<Response, Problem> {
    let view: ReleaseView = view::release(&api.catalog.explain(release).await?, &caller.base);
    if form == Form::Json {
        return Ok(Json(view).into_response());
    }
    let others = api.catalog.overview(&release.package, OTHERS_MAX + 1).await?;
    let others = others.releases.iter().map(|other| (view::summary(other), link::of_release(&caller.base, &other.release)));
    let shown = Page::new(view, others);
    Ok(match form {
        Form::Html => page::html(StatusCode::OK, &shown.title(), &caller.base, &shown.html(&caller.base)),
        Form::Text | Form::Json => page::text(StatusCode::OK, shown.text()),
    })
}

async fn whole_package(api: &Api, caller: &Caller, form: Form, asked: &PackageId) -> Result<Response, Problem> {
    let overview = api.catalog.overview(asked, OVERVIEW_MAX).await?;
    let shown: Package = at_a_glance(asked, &overview);
    let links: Vec<String> = overview.releases.iter().map(|one| link::of_release(&caller.base, &one.release)).collect();
    Ok(match form {
        Form::Json => Json(shown).into_response(),
        Form::Text => page::text(StatusCode::OK, package::text(&shown)),
        Form::Html => page::html(StatusCode::OK, &shown.package, &caller.base, &package::html(&shown, &links)),
    })
}
