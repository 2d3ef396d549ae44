//! Waivers: who decided that which findings do not count, for what, why and until when.

use axum::Json;
use axum::extract::Path;
use axum::extract::State;
use http::StatusCode;

use crate::admin::Api;
use crate::admin::request::Asked;
use crate::admin::request::Told;
use crate::admin::wire::WaiverEnd;
use crate::admin::wire::WaiverOrder;
use crate::admin::wire::WaiverPeople;
use crate::admin::wire::WaiverView;
use crate::admin::wire::Waivers;
use crate::admin::wire::WaiversQuery;
use crate::http::caller::Caller;
use crate::http::problem::Kind;
use crate::http::problem::Problem;
use crate::model::finding::printable;
use crate::model::package::PackageId;
use crate::model::package::PackageName;
use crate::model::package::Version;
use crate::model::pattern::PackagePattern;
use crate::model::waiver::Waiver;
use crate::quarantine::waivers::WaiverOrder as Order;

/// Of a wrong text that an answer repeats, in bytes.
const ECHO_BYTES_MAX: usize = PackageName::BYTES_MAX;

/// Waivers that count, oldest first
#[utoipa::path(get, path = "/-/airlock/v1/waivers", operation_id = "listWaivers", tag = "decisions", params(WaiversQuery), responses((status = 200, body = Waivers)))]
pub async fn list(State(api): State<Api>, Asked(asked): Asked<WaiversQuery>) -> Result<Json<Waivers>, Problem> {
    let package = asked.package.as_deref().map(PackageId::npm).transpose()?;
    let now = api.clock.now();
    let is_asked = |one: &Waiver| {
        let counts = asked.ended.unwrap_or(false) || one.counts_at(now);
        counts && package.as_ref().is_none_or(|package| one.speaks_of(package))
    };
    let all = api.quarantine.waivers();
    Ok(Json(Waivers { waivers: all.iter().filter(|one| is_asked(one)).map(|one| view(&api, one)).collect() }))
}

/// Waive findings
///
/// From then on they do not count for the releases it is about, and are shown as waived. A finding that policy rejects takes two
/// people, each with a waiver of their own; so does one of which `policy.review.approvals` asks for more than one. It never counts
/// for what its maker submitted, never reaches bytes that do not verify, entries that cannot be read and bytes that are known as
/// malware, and ends by its date, or by itself once no release it is about has such a finding.
#[utoipa::path(
    post,
    path = "/-/airlock/v1/waivers", operation_id = "waive",
    tag = "decisions",
    request_body = WaiverOrder,
    responses((status = 201, description = "Recorded", body = WaiverView))
)]
pub async fn make(
    State(api): State<Api>,
    caller: Caller,
    Told(told): Told<WaiverOrder>,
) -> Result<(StatusCode, Json<WaiverView>), Problem> {
    let order = order(told)?;
    let waiver = api.catalog.waive(&order, &caller.principal).await?;
    Ok((StatusCode::CREATED, Json(view(&api, &waiver))))
}

/// End a waiver before its time
#[utoipa::path(
    post,
    path = "/-/airlock/v1/waivers/{id}/end", operation_id = "endWaiver",
    tag = "decisions",
    params(("id" = String, Path, description = "12 hexadecimal digits", example = "5f0c9a1be27d")),
    request_body = WaiverEnd,
    responses((status = 200, description = "Ended", body = WaiverView))
)]
pub async fn end(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
    Told(told): Told<WaiverEnd>,
) -> Result<Json<WaiverView>, Problem> {
    let id = printable(&id, ECHO_BYTES_MAX);
    let waiver = api.catalog.end_waiver(&id, &told.reason, &caller.principal).await?;
    Ok(Json(view(&api, &waiver)))
}

fn order(told: WaiverOrder) -> Result<Order, Problem> {
    let wrong = |field: &str, why: String| Problem::new(Kind::Unacceptable, format!("{field}: {why}"));
    let pattern = |text: &String| PackagePattern::parse(text).map_err(|error| wrong("packages", error.to_string()));
    // Past the most there are, what remains is refused unread.
    let packages: Vec<PackagePattern> = told.packages.iter().take(Waiver::PACKAGES_MAX + 1).map(pattern).collect::<Result<_, _>>()?;
    let version = told.version.as_deref().map(Version::parse).transpose().map_err(|error| wrong("version", error.to_string()))?;
    Ok(Order { packages, version, findings: told.findings, reason: told.reason, expires_at: told.expires_at })
}

fn view(api: &Api, waiver: &Waiver) -> WaiverView {
    let now = api.clock.now();
    let people = api.quarantine.voices(waiver, now).into_iter();
    WaiverView {
        id: waiver.id.clone(),
        packages: waiver.packages.iter().map(ToString::to_string).collect(),
        version: waiver.version.as_ref().map(ToString::to_string),
        findings: waiver.findings.clone(),
        reason: waiver.reason.clone(),
        by: waiver.by.clone(),
        made_at: waiver.made_at,
        expires_at: waiver.expires_at,
        ended_at: waiver.ended_at,
        ended_by: waiver.ended_by.clone(),
        counts: waiver.counts_at(now),
        people: people.map(|one| WaiverPeople { finding: one.finding, given: one.given, needed: one.needed }).collect(),
    }
}
