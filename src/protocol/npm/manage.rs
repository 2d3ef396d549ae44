//! What owners change of their packages, and what is told of who owns what: tags, deprecations, owners, access, stars.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;
use url::form_urlencoded;

use crate::catalog::amend::AmendError;
use crate::catalog::amend::Wish;
use crate::catalog::amend::may_change;
use crate::catalog::exposure::Exposed;
use crate::ecosystem::json::Bounds;
use crate::ecosystem::json::strict;
use crate::http::caller::Caller;
use crate::http::incoming;
use crate::http::link;
use crate::http::problem::Kind;
use crate::http::problem::Problem;
use crate::model::actor::is_one_name;
use crate::model::finding::printable;
use crate::model::package::PackageId;
use crate::model::package::PackageName;
use crate::model::package::Version;
use crate::model::release::ReleaseId;
use crate::model::standing::Standing;
use crate::protocol::npm::call::Call;
use crate::protocol::npm::call::told;
use crate::protocol::npm::difference::NotADifference;
use crate::protocol::npm::difference::Reach;
use crate::protocol::npm::difference::difference;
use crate::protocol::npm::explain::Failure;
use crate::protocol::npm::explain::notice;
use crate::protocol::npm::files;
use crate::protocol::npm::handlers::Registry;
use crate::protocol::npm::handlers::npm;
use crate::protocol::npm::manifest::DEPTH_MAX;
use crate::protocol::npm::needs;
use crate::protocol::npm::path::TarballName;
use crate::protocol::npm::read::TAG_BYTES_MAX;
use crate::protocol::npm::render::REVISION_PREFIX;

/// A packument that is written back, in bytes.
const PACKUMENT_BYTES_MAX: u64 = 32 * 1_024 * 1_024;
/// Any other body, in bytes.
const ORDER_BYTES_MAX: u64 = 64 * 1_024;
/// A packument holds manifests.
const PACKUMENT_DEPTH_MAX: usize = DEPTH_MAX + 4;
const SHOWN_BYTES_MAX: usize = 80;

/// Keys of a written packument that say whose it is and what the writer saw, and nothing that is to change.
const ABOUT: [&str; 3] = ["_id", "_rev", "name"];
const USERS: &str = "users";

/// `PUT /{package}/-rev/{rev}`: the packument as the client wants it, against what it saw.
pub async fn replace(registry: &Registry, call: Call<'_>, package: PackageName, revision: String) -> Result<Response, Failure> {
    let caller = call.caller;
    let body = read(registry, call, PACKUMENT_BYTES_MAX).await?;
    rewrite(registry, caller, package, &body, Some(&revision)).await
}

/// `PUT /{package}` without a file. `call` has no body any more.
pub async fn write_back(registry: &Registry, call: Call<'_>, package: PackageName, body: Value) -> Result<Response, Failure> {
    rewrite(registry, call.caller, package, &body, None).await
}

/// A packument that is written back: with the revision that its path names, or with the one in it.
async fn rewrite(
    registry: &Registry,
    caller: &Caller,
    package: PackageName,
    body: &Value,
    revision: Option<&str>,
) -> Result<Response, Failure> {
    let name = caller.person()?.to_owned();
    let Some(body) = body.as_object() else { return Err(malformed("the body is no packument: it is not an object").into()) };
    for key in ["_id", "name"] {
        if body.get(key).is_some_and(|named| named.as_str() != Some(package.as_str())) {
            return Err(malformed(format!("the body's {key} is not {package}, which the path names")).into());
        }
    }
    let reach = if revision.is_some() { Reach::Whole } else { Reach::Plain };
    let package = npm(package);
    let wishes = if registry.catalog.hosted(&package).await?.is_some() {
        let view = match stated(body, revision) {
            Some(revision) => seen_at(registry, &package, revision).await?,
            None if is_star(body) => registry.catalog.exposed(&package).await?.exposed,
            None => return Err(malformed("the body has no _rev, so that nobody knows what you saw: read the package first").into()),
        };
        difference(&view, body, &name, reach).map_err(Problem::from)?
    } else if is_star(body) {
        vec![Wish::Star { on: body.get(USERS).and_then(|users| users.get(&name)).is_some_and(|one| *one != Value::Bool(false)) }]
    } else {
        return Err(of_upstream(&package).into());
    };
    amend(registry, caller, &package, &wishes).await?;
    done(StatusCode::CREATED, package.name.as_str())
}

/// The revision that the client names. What a client writes that never read one is none.
fn stated<'s>(body: &'s Map<String, Value>, revision: Option<&'s str>) -> Option<&'s str> {
    revision.or_else(|| body.get("_rev").and_then(Value::as_str)).filter(|revision| *revision != "undefined")
}

/// Whether nothing is written but who stars it.
fn is_star(body: &Map<String, Value>) -> bool {
    body.contains_key(USERS) && body.keys().all(|key| key == USERS || ABOUT.contains(&key.as_str()))
}

async fn seen_at(registry: &Registry, package: &PackageId, revision: &str) -> Result<Arc<Exposed>, Failure> {
    let digits = revision.strip_prefix(REVISION_PREFIX).unwrap_or(revision);
    match registry.catalog.seen_at(package, digits).await? {
        Some(view) => Ok(view),
        None => {
            let text = format!("{} is not as it was when you read it: read it again and repeat what you did", package.name);
            Err(Problem::new(Kind::Conflict, text).into())
        }
    }
}

/// `DELETE /{package}/-rev/{rev}`: every release that the client was shown. What it was not shown stays.
pub async fn withdraw_all(registry: &Registry, call: Call<'_>, package: PackageName, revision: String) -> Result<Response, Failure> {
    let package = npm(package);
    if registry.catalog.hosted(&package).await?.is_none() {
        return Err(of_upstream(&package).into());
    }
    let view = seen_at(registry, &package, &revision).await?;
    let versions: Vec<Version> = view.releases().iter().map(|release| release.version.clone()).collect();
    if versions.is_empty() {
        let text = format!("nothing of {} is open that could be unpublished; `npm stage reject` takes back what waits", package.name);
        return Err(Problem::new(Kind::Refused, text).into());
    }
    amend(registry, call.caller, &package, &[Wish::Withdraw { versions }]).await?;
    done(StatusCode::OK, package.name.as_str())
}

/// `DELETE /{package}/-/{file}/-rev/{rev}`: the release that the file is of. Clients ask this when it is gone already.
pub async fn withdraw(registry: &Registry, call: Call<'_>, tarball: TarballName, revision: String) -> Result<Response, Failure> {
    let TarballName { package, file } = tarball;
    let package = npm(package);
    let Some(state) = registry.catalog.hosted(&package).await? else { return Err(of_upstream(&package).into()) };
    let releases = state.local.iter().flat_map(|local| &local.releases);
    let named = releases.filter(|(version, _)| files::is_of(&package.name, version, &file));
    let Some((version, release)) = named.min_by_key(|(_, release)| release.withdrawn_at.is_some()) else {
        let text = format!("{} has no file {:?}", package.name, printable(&file, SHOWN_BYTES_MAX));
        return Err(Problem::new(Kind::Unknown, text).into());
    };
    let versions = if release.withdrawn_at.is_some() {
        Vec::new()
    } else {
        let view = seen_at(registry, &package, &revision).await?;
        if view.release(version).is_none() {
            return Err(Failure::no_such_version(&package.name, version.as_str()));
        }
        vec![version.clone()]
    };
    // Whose it is not learns nothing of what is gone.
    amend(registry, call.caller, &package, &[Wish::Withdraw { versions }]).await?;
    done(StatusCode::OK, package.name.as_str())
}

/// `PUT` or `POST /-/package/{package}/dist-tags/{tag}`: the body names the version. One that may not be seen yet waits, and
/// the tag stays where it was.
pub async fn tag(registry: &Registry, call: Call<'_>, package: PackageName, tag: String) -> Result<Response, Failure> {
    let caller = call.caller;
    is_tag(&tag)?;
    let body = read(registry, call, ORDER_BYTES_MAX).await?;
    let version = body.as_str().and_then(|text| Version::parse(text).ok());
    let version = version.ok_or_else(|| malformed("the body is the version that the tag is for, as a JSON string"))?;
    let package = npm(package);
    amend(registry, caller, &package, &[Wish::Tag { tag: tag.clone(), version: version.clone() }]).await?;
    let mut response = done(StatusCode::CREATED, package.name.as_str())?;
    let explained = registry.catalog.explain_known(&ReleaseId { package, version }).await?;
    match explained.verdict.standing {
        Standing::Approved | Standing::Admissible => {}
        Standing::Quarantined | Standing::Held { .. } | Standing::InReview | Standing::Rejected | Standing::Revoked => {
            let pending = format!("the tag {tag} waits, and stays where it is until then: {}", explained.sentence);
            if let Some((name, value)) = notice(&pending, &link::of_release(&caller.base, &explained.release)) {
                response.headers_mut().insert(name, value);
            }
        }
    }
    Ok(response)
}

/// `DELETE /-/package/{package}/dist-tags/{tag}`
pub async fn untag(registry: &Registry, call: Call<'_>, package: PackageName, tag: String) -> Result<Response, Failure> {
    let package = npm(package);
    amend(registry, call.caller, &package, &[Wish::Untag { tag }]).await?;
    done(StatusCode::OK, package.name.as_str())
}

/// # Errors
/// npm would take it for a version or a range, or it cannot stand in a path.
fn is_tag(tag: &str) -> Result<(), Problem> {
    let shown = || printable(tag, SHOWN_BYTES_MAX);
    if tag.is_empty() || tag.len() > TAG_BYTES_MAX || tag.trim() != tag || tag == "__proto__" || tag.chars().any(char::is_control) {
        return Err(malformed(format!("{:?} is not a tag", shown())));
    }
    if needs::is_range(tag) {
        return Err(malformed(format!("the tag {:?} is a range of versions", shown())));
    }
    Ok(())
}

/// `GET /-/package/{package}/visibility`
pub async fn visibility(registry: &Registry, _call: Call<'_>, package: PackageName) -> Result<Response, Failure> {
    told(StatusCode::OK, &json!({"public": !is_restricted(registry, &npm(package)).await?}))
}

/// `GET /-/package/{package}/access`
pub async fn access(registry: &Registry, _call: Call<'_>, package: PackageName) -> Result<Response, Failure> {
    let access = if is_restricted(registry, &npm(package)).await? { "restricted" } else { "public" };
    told(StatusCode::OK, &json!({"access": access}))
}

async fn is_restricted(registry: &Registry, package: &PackageId) -> Result<bool, Failure> {
    let hosted = registry.catalog.hosted(package).await?;
    Ok(hosted.and_then(|state| state.local.as_ref().map(|local| local.restricted)).unwrap_or_default())
}

/// `GET /-/package/{package}/collaborators`, of all or of one user. Nobody here writes to what is upstream's.
pub async fn collaborators(registry: &Registry, call: Call<'_>, package: PackageName) -> Result<Response, Failure> {
    let only = parameter(&call, "user");
    let hosted = registry.catalog.hosted(&npm(package)).await?;
    let owners = hosted.and_then(|state| state.local.as_ref().map(|local| local.owners.clone())).unwrap_or_default();
    let asked = owners.iter().filter(|name| only.as_ref().is_none_or(|only| only == *name));
    told(StatusCode::OK, &asked.map(|name| (name.as_str(), "write")).collect::<BTreeMap<&str, &str>>())
}

/// What may be set of who reads a package. npm sends its rules for publishing to the same address.
#[derive(Deserialize)]
struct AccessOrder {
    access: Option<String>,
}

/// `POST /-/package/{package}/access`: who may read it.
pub async fn restrict(registry: &Registry, call: Call<'_>, package: PackageName) -> Result<Response, Failure> {
    let caller = call.caller;
    let order: AccessOrder = order(registry, call).await?;
    let on = match order.access.as_deref() {
        Some("restricted") => true,
        Some("public") => false,
        Some(_) => return Err(malformed("access is \"public\" or \"restricted\"").into()),
        None => return Err(Problem::new(Kind::Refused, "Airlock has no second factor that a package could ask for").into()),
    };
    let package = npm(package);
    amend(registry, caller, &package, &[Wish::Restrict { on }]).await?;
    done(StatusCode::OK, package.name.as_str())
}

#[derive(Deserialize)]
struct OwnerOrder {
    user: String,
}

/// `PUT /-/package/{package}/owners`: the body names the user.
pub async fn add_owner(registry: &Registry, call: Call<'_>, package: PackageName) -> Result<Response, Failure> {
    let caller = call.caller;
    let OwnerOrder { user } = order(registry, call).await?;
    with_owners(registry, caller, &npm(package), |owners| {
        // In whatever case: it is the same person.
        if !owners.iter().any(|owner| is_one_name(owner, &user)) {
            owners.insert(user);
        }
        Ok(())
    })
    .await
}

/// `DELETE /-/package/{package}/owners/{user}`
pub async fn remove_owner(registry: &Registry, call: Call<'_>, package: PackageName, user: String) -> Result<Response, Failure> {
    with_owners(registry, call.caller, &npm(package), |owners| {
        let before = owners.len();
        owners.retain(|owner| !is_one_name(owner, &user));
        if owners.len() < before { Ok(()) } else { Err(AmendError::Unknown(printable(&user, SHOWN_BYTES_MAX))) }
    })
    .await
}

async fn with_owners(
    registry: &Registry,
    caller: &Caller,
    package: &PackageId,
    change: impl FnOnce(&mut BTreeSet<String>) -> Result<(), AmendError>,
) -> Result<Response, Failure> {
    let Some(state) = registry.catalog.hosted(package).await? else { return Err(of_upstream(package).into()) };
    if let Some(local) = &state.local {
        // Who may change nothing is told that, whatever is wrong with it besides.
        may_change(local, &package.name, &caller.principal).map_err(Problem::from)?;
    }
    let mut names = state.local.as_ref().map(|local| local.owners.clone()).unwrap_or_default();
    change(&mut names).map_err(Problem::from)?;
    amend(registry, caller, package, &[Wish::Owners { names }]).await?;
    done(StatusCode::OK, package.name.as_str())
}

#[derive(Deserialize)]
struct StarOrder {
    name: String,
}

/// `PUT` or `DELETE` of the caller's star for a package; without one here, the body names it.
pub async fn star(registry: &Registry, call: Call<'_>, package: Option<PackageName>) -> Result<Response, Failure> {
    let caller = call.caller;
    let on = !call.is_deleting();
    let package = match package {
        Some(package) => package,
        None => PackageName::npm(&order::<StarOrder>(registry, call).await?.name).map_err(Problem::from)?,
    };
    let package = npm(package);
    amend(registry, caller, &package, &[Wish::Star { on }]).await?;
    done(StatusCode::OK, package.name.as_str())
}

/// `GET /-/_view/starredByUser?key="ann"`
pub async fn starred_by(registry: &Registry, call: Call<'_>) -> Result<Response, Failure> {
    let key = parameter(&call, "key").ok_or_else(|| malformed("'key' query parameter is required: the name of a user"))?;
    let user = serde_json::from_str::<String>(&key).unwrap_or(key);
    let starred = shown_to(registry, call.caller, registry.catalog.stars_of(&user).await?);
    let rows: Vec<Value> = starred.map(|package| json!({"value": package.name.as_str()})).collect();
    told(StatusCode::OK, &json!({"rows": rows}))
}

/// `GET /-/user/{user}/stars`
pub async fn stars(registry: &Registry, call: Call<'_>, user: String) -> Result<Response, Failure> {
    let starred = shown_to(registry, call.caller, registry.catalog.stars_of(&user).await?);
    told(StatusCode::OK, &starred.map(|package| (package.name.to_string(), true)).collect::<BTreeMap<String, bool>>())
}

/// `GET /-/user/{user}/package`
pub async fn packages_of(registry: &Registry, call: Call<'_>, user: String) -> Result<Response, Failure> {
    let owned = shown_to(registry, call.caller, registry.catalog.owned_by(&user).await?);
    told(StatusCode::OK, &owned.map(|package| (package.name.to_string(), "write")).collect::<BTreeMap<String, &str>>())
}

/// Without those of which callers without a name are not told.
fn shown_to<'r>(registry: &'r Registry, caller: &'r Caller, packages: Vec<PackageId>) -> impl Iterator<Item = PackageId> + 'r {
    packages.into_iter().filter(|package| caller.name.is_some() || !registry.catalog.is_restricted(package))
}

async fn amend(registry: &Registry, caller: &Caller, package: &PackageId, wishes: &[Wish]) -> Result<(), Failure> {
    match registry.catalog.amend(package, wishes, &caller.principal).await {
        Ok(_) => Ok(()),
        Err(AmendError::Catalog(error)) => Err(error.into()),
        Err(error) => Err(Problem::from(error).into()),
    }
}

fn of_upstream(package: &PackageId) -> Problem {
    AmendError::OfUpstream(package.name.clone()).into()
}

/// What every client takes for done.
fn done(status: StatusCode, id: &str) -> Result<Response, Failure> {
    told(status, &json!({"ok": "changed", "success": true, "id": id}))
}

/// A parameter of the query, decoded.
fn parameter(call: &Call<'_>, name: &str) -> Option<String> {
    let query = call.request.uri.query().unwrap_or_default();
    form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

async fn order<T: for<'de> Deserialize<'de>>(registry: &Registry, call: Call<'_>) -> Result<T, Failure> {
    let body = read(registry, call, ORDER_BYTES_MAX).await?;
    serde_json::from_value(body).map_err(|error| malformed(format!("the body is not understood: {error}")).into())
}

async fn read(registry: &Registry, call: Call<'_>, bytes_max: u64) -> Result<Value, Failure> {
    let Call { request, caller: _, body } = call;
    let bytes = incoming::read(&request.headers, body, bytes_max.min(registry.body_bytes_max)).await?;
    let bounds = Bounds { bytes_max: bytes.len(), depth_max: PACKUMENT_DEPTH_MAX };
    Ok(strict(&bytes, bounds).map_err(|fault| malformed(format!("the body: {fault}")))?)
}

fn malformed(text: impl Into<String>) -> Problem {
    Problem::new(Kind::Malformed, text)
}

impl From<NotADifference> for Problem {
    fn from(error: NotADifference) -> Problem {
        let text = error.to_string();
        match error {
            NotADifference::Shape(_) | NotADifference::Target(_) => Problem::new(Kind::Malformed, text),
            NotADifference::Addition(_) | NotADifference::Changed { .. } => Problem::new(Kind::Refused, text),
            NotADifference::Shown(_) => Problem::internal(text),
        }
    }
}
