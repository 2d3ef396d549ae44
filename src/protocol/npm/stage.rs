//! The review queue as `npm stage` asks it: the same queue that the console and `airlock queue` show.

use axum::response::Response;
use http::HeaderName;
use http::HeaderValue;
use http::StatusCode;
use http::header;
use serde::Serialize;
use serde_json::json;

use crate::catalog::explanation::Explanation;
use crate::catalog::review::ReviewError;
use crate::http::body;
use crate::http::link;
use crate::http::problem::Kind;
use crate::http::problem::Problem;
use crate::model::package::PackageName;
use crate::model::stage::StageId;
use crate::model::standing::Standing;
use crate::model::time::Timestamp;
use crate::protocol::npm::call::Call;
use crate::protocol::npm::call::told;
use crate::protocol::npm::explain::Failure;
use crate::protocol::npm::handlers::Registry;
use crate::protocol::npm::handlers::npm;

const TGZ: &str = "application/octet-stream";
const NPM_NOTICE: HeaderName = HeaderName::from_static("npm-notice");
/// As npm asks for it.
const PER_PAGE: usize = 100;
const PER_PAGE_MAX: usize = 100;
const PAGE_MAX: usize = 100_000;
/// What the ledger says of decisions that came this way.
const APPROVED: &str = "npm stage approve";
const REJECTED: &str = "npm stage reject";

/// What waits, as `npm stage list` and `npm stage view` print it: field by field.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    id: String,
    package_name: String,
    version: String,
    tag: Option<String>,
    created_at: Timestamp,
    actor: String,
    /// None for what comes from upstream, which is nobody here.
    actor_type: Option<&'static str>,
    access: &'static str,
    shasum: Option<String>,
    status: &'static str,
}

/// One of them, and why it waits.
#[derive(Serialize)]
struct Viewed {
    #[serde(flatten)]
    item: Item,
    reason: String,
    link: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    items: Vec<Item>,
    page: usize,
    per_page: usize,
    total: usize,
}

impl Item {
    fn of(waiting: &Explanation) -> Item {
        let submission = waiting.submission.as_ref();
        Item {
            id: StageId::of(&waiting.release).to_string(),
            package_name: waiting.release.package.name.to_string(),
            version: waiting.release.version.to_string(),
            tag: waiting.pointers.iter().find(|tag| *tag == "latest").or(waiting.pointers.first()).cloned(),
            created_at: submission.map(|one| one.at).or(waiting.published_at).unwrap_or(waiting.verdict.age_counts_from),
            actor: submission.map_or_else(|| "upstream".to_owned(), |one| one.by.clone()),
            actor_type: submission.map(|_| "user"),
            access: if waiting.restricted { "restricted" } else { "public" },
            shasum: submission.map(|one| one.sha1.clone()).or_else(|| waiting.sha1.clone()),
            status: match waiting.verdict.standing {
                Standing::Quarantined => "validating",
                Standing::Admissible
                | Standing::Held { .. }
                | Standing::InReview
                | Standing::Approved
                | Standing::Rejected
                | Standing::Revoked => "staged",
            },
        }
    }
}

/// `GET /-/stage?page=0&perPage=100&package=@acme/web`: what waits, a page of it.
pub async fn list(registry: &Registry, call: Call<'_>) -> Result<Response, Failure> {
    let asked = Query::read(call.request.uri.query())?;
    let skip = asked.page * asked.per_page;
    let person = &call.caller.principal;
    let found = registry.catalog.review_page(asked.package.map(npm).as_ref(), person, skip, asked.per_page).await?;
    let items = found.waiting.iter().map(Item::of).collect();
    told(StatusCode::OK, &Page { items, page: asked.page, per_page: asked.per_page, total: found.total })
}

struct Query {
    package: Option<PackageName>,
    page: usize,
    per_page: usize,
}

impl Query {
    fn read(query: Option<&str>) -> Result<Query, Problem> {
        let mut read = Query { package: None, page: 0, per_page: PER_PAGE };
        for (key, value) in url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            let number = |max: usize| {
                let parsed = value.parse().ok().filter(|number| *number <= max);
                parsed.ok_or_else(|| Problem::new(Kind::Malformed, format!("{key} is a number up to {max}")))
            };
            match key.as_ref() {
                "page" => read.page = number(PAGE_MAX)?,
                "perPage" => read.per_page = number(PER_PAGE_MAX)?.max(1),
                "package" if !value.is_empty() => read.package = Some(PackageName::npm(&value)?),
                _ => {}
            }
        }
        Ok(read)
    }
}

/// What is no id waits for nobody.
fn stage_id(id: &str, call: &Call<'_>) -> Result<StageId, Failure> {
    StageId::parse(id).map_err(|_| call.not_served())
}

impl From<ReviewError> for Failure {
    fn from(error: ReviewError) -> Failure {
        Problem::from(error).into()
    }
}

/// `GET /-/stage/{id}`
pub async fn view(registry: &Registry, call: Call<'_>, id: String) -> Result<Response, Failure> {
    let id = stage_id(&id, &call)?;
    let waiting = registry.catalog.in_review(&id, &call.caller.principal).await?;
    let link = link::of_release(&call.caller.base, &waiting.release);
    told(StatusCode::OK, &Viewed { item: Item::of(&waiting), reason: waiting.sentence, link })
}

/// `DELETE /-/stage/{id}`: rejected by who reviews, withdrawn by who submitted.
pub async fn reject(registry: &Registry, call: Call<'_>, id: String) -> Result<Response, Failure> {
    let id = stage_id(&id, &call)?;
    registry.catalog.turn_down(&id, REJECTED, &call.caller.principal).await?;
    let mut response = Response::default();
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// `GET /-/stage/{id}/tarball`: for who reviews it, and for nobody else.
pub async fn tarball(registry: &Registry, call: Call<'_>, id: String) -> Result<Response, Failure> {
    let id = stage_id(&id, &call)?;
    let asked = call.asked();
    let puller = (!asked.is_head).then(|| call.caller.puller());
    let download = registry.catalog.bytes_in_review(&id, &call.caller.principal, puller).await?;
    Ok(body::ready(&download.content, asked.is_head, asked.fields, TGZ, "no-store").into_response())
}

/// `POST /-/stage/{id}/approve`: 201 when it is open then, 202 when more is needed.
pub async fn approve(registry: &Registry, call: Call<'_>, id: String) -> Result<Response, Failure> {
    let id = stage_id(&id, &call)?;
    let approved = registry.catalog.approve_in_review(&id, APPROVED, &call.caller.principal).await?;
    let verdict = &approved.verdict;
    if verdict.is_served() {
        return told(StatusCode::CREATED, &json!({"ok": true, "message": approved.sentence}));
    }
    let message = format!("{} of {} approvals: {}", verdict.approvals_given, verdict.approvals_needed, approved.sentence);
    let mut response = told(StatusCode::ACCEPTED, &json!({"ok": true, "message": message}))?;
    let ascii: String = message.chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).collect();
    if let Ok(notice) = HeaderValue::try_from(ascii) {
        response.headers_mut().insert(NPM_NOTICE, notice);
    }
    Ok(response)
}
