//! Releases and packages as operators and developers ask for them.

use axum::Json;
use axum::extract::State;

use crate::admin::Api;
use crate::admin::cursor;
use crate::admin::request::Asked;
use crate::admin::request::NamedPackage;
use crate::admin::request::NamedRelease;
use crate::admin::request::limit;
use crate::admin::view;
use crate::admin::wire::Package;
use crate::admin::wire::Queue;
use crate::admin::wire::QueueQuery;
use crate::admin::wire::ReleaseView;
use crate::admin::wire::Releases;
use crate::admin::wire::ReleasesQuery;
use crate::catalog::CatalogError;
use crate::catalog::explanation::Overview;
use crate::catalog::explanation::ReleaseFilter;
use crate::http::caller::Caller;
use crate::http::problem::Kind;
use crate::http::problem::Problem;
use crate::model::package::PackageId;

/// Releases of a package that are shown at once.
pub const OVERVIEW_MAX: usize = 100;

/// One page of the releases known here
///
/// In the order of packages and, within one, of its index.
#[utoipa::path(get, path = "/-/airlock/v1/releases", operation_id = "listReleases", tag = "releases", params(ReleasesQuery), responses((status = 200, body = Releases)))]
pub async fn list(State(api): State<Api>, Asked(asked): Asked<ReleasesQuery>) -> Result<Json<Releases>, Problem> {
    let package = asked.package.as_deref().map(PackageId::npm).transpose()?;
    let standing = asked.standing.map(|standing| standing.as_str().to_owned());
    let listing = format!("{}|{}", standing.as_deref().unwrap_or_default(), asked.package.as_deref().unwrap_or_default());
    let after = asked.cursor.as_deref().map(|cursor| cursor::read(&listing, cursor)).transpose();
    let after = after.map_err(|error| Problem::new(Kind::Malformed, error.to_string()))?;
    let filter = ReleaseFilter { standing, package, after, limit: limit(asked.limit)? };
    let page = api.catalog.releases(&filter).await?;
    Ok(Json(Releases {
        releases: page.releases.iter().map(view::summary).collect(),
        complete: page.next.is_none(),
        next_cursor: page.next.map(|next| cursor::write(&listing, &next)),
    }))
}

/// What waits for people, most wanted first
#[utoipa::path(get, path = "/-/airlock/v1/queue", operation_id = "showQueue", tag = "releases", params(QueueQuery), responses((status = 200, body = Queue)))]
pub async fn queue(State(api): State<Api>, Asked(asked): Asked<QueueQuery>) -> Result<Json<Queue>, Problem> {
    let limit = limit(asked.limit)?;
    let queue = api.catalog.queue(limit).await?;
    Ok(Json(Queue {
        waiting: queue.waiting.iter().map(view::summary).collect(),
        parked: queue.parked.iter().take(limit).map(view::parked).collect(),
        complete: queue.complete && queue.waiting.len() < limit && queue.parked.len() <= limit,
    }))
}

/// Where one release stands, why, and what would change it
///
/// A release that was never asked for is looked up at the upstream registry, as a client's request would.
#[utoipa::path(
    get,
    path = "/-/airlock/v1/releases/{package}/{version}", operation_id = "explainRelease",
    tag = "releases",
    params(("package" = String, Path, example = "@acme%2fweb"), ("version" = String, Path, example = "1.3.0")),
    responses((status = 200, body = ReleaseView))
)]
pub async fn one(State(api): State<Api>, caller: Caller, NamedRelease(release): NamedRelease) -> Result<Json<ReleaseView>, Problem> {
    told_of(&api, &caller, &release.package)?;
    let explanation = api.catalog.explain(&release).await?;
    Ok(Json(view::release(&explanation, &caller.base)))
}

/// How many releases of a package stand where, and the newest of them
#[utoipa::path(
    get,
    path = "/-/airlock/v1/packages/{package}", operation_id = "showPackage",
    tag = "releases",
    params(("package" = String, Path, example = "@acme%2fweb")),
    responses((status = 200, body = Package))
)]
pub async fn package(State(api): State<Api>, caller: Caller, NamedPackage(package): NamedPackage) -> Result<Json<Package>, Problem> {
    told_of(&api, &caller, &package)?;
    let overview = api.catalog.overview(&package, OVERVIEW_MAX).await?;
    Ok(Json(at_a_glance(&package, &overview)))
}

/// # Errors
/// 404 for a caller without a name, of a package that only callers with one are told of.
pub fn told_of(api: &Api, caller: &Caller, package: &PackageId) -> Result<(), Problem> {
    if caller.name.is_none() && api.catalog.is_restricted(package) {
        return Err(CatalogError::UnknownPackage(package.clone()).into());
    }
    Ok(())
}

pub fn at_a_glance(package: &PackageId, overview: &Overview) -> Package {
    Package {
        package: package.name.to_string(),
        ecosystem: package.ecosystem,
        standings: overview.standings.iter().map(|(standing, count)| ((*standing).to_owned(), *count)).collect(),
        releases: overview.releases.iter().map(view::summary).collect(),
        total: overview.total,
    }
}
