//! A packument that comes back as the client wants it, and releases that are taken back.

use std::sync::Arc;

use axum::response::Response;
use http::StatusCode;
use serde_json::Map;
use serde_json::Value;

use crate::catalog::amend::AmendError;
use crate::catalog::amend::Wish;
use crate::catalog::exposure::Exposed;
use crate::http::caller::Caller;
use crate::http::problem::Kind;
use crate::http::problem::Problem;
use crate::model::finding::printable;
use crate::model::package::PackageId;
use crate::model::package::PackageName;
use crate::model::package::Version;
use crate::protocol::npm::call::Call;
use crate::protocol::npm::difference::NotADifference;
use crate::protocol::npm::difference::Reach;
use crate::protocol::npm::difference::difference;
use crate::protocol::npm::explain::Failure;
use crate::protocol::npm::files;
use crate::protocol::npm::handlers::Registry;
use crate::protocol::npm::handlers::npm;
use crate::protocol::npm::manage::SHOWN_BYTES_MAX;
use crate::protocol::npm::manage::amend;
use crate::protocol::npm::manage::done;
use crate::protocol::npm::manage::malformed;
use crate::protocol::npm::manage::may_amend;
use crate::protocol::npm::path::TarballName;
use crate::protocol::npm::publish;
use crate::protocol::npm::publish::Written;
use crate::protocol::npm::render::REVISION_PREFIX;

/// Keys of a written packument that say whose it is and what the writer saw, and nothing that is to change.
const ABOUT: [&str; 3] = ["_id", "_rev", "name"];
const USERS: &str = "users";

/// `PUT /{package}/-rev/{rev}`: the packument as the client wants it, against what it saw.
pub async fn replace(registry: &Registry, call: Call<'_>, package: PackageName, revision: String) -> Result<Response, Failure> {
    let caller = call.caller;
    let id = npm(package.clone());
    may_amend(registry, caller, &id).await?;
    let written = publish::written(registry, call).await?;
    rewrite(registry, caller, package, written, Some(&revision)).await
}

/// `PUT /{package}` without a file.
pub async fn write_back(registry: &Registry, caller: &Caller, package: PackageName, written: Written) -> Result<Response, Failure> {
    rewrite(registry, caller, package, written, None).await
}

/// A packument that is written back: with the revision that its path names, or with the one in it.
async fn rewrite(
    registry: &Registry,
    caller: &Caller,
    package: PackageName,
    written: Written,
    revision: Option<&str>,
) -> Result<Response, Failure> {
    let name = caller.person()?.to_owned();
    // The turn ends when everything is recorded.
    let Written { packument, turn: _turn } = written;
    let Value::Object(body) = packument else { return Err(malformed("the body is no packument: it is not an object").into()) };
    for key in ["_id", "name"] {
        if body.get(key).is_some_and(|named| named.as_str() != Some(package.as_str())) {
            return Err(malformed(format!("the body's {key} is not {package}, which the path names")).into());
        }
    }
    let reach = if revision.is_some() { Reach::Whole } else { Reach::Plain };
    let package = npm(package);
    let wishes = if registry.catalog.hosted(&package).await?.is_some() {
        let view = match stated(&body, revision) {
            // Whatever was seen of it, a star is one's own.
            _ if is_star(&body) => registry.catalog.exposed(&package).await?.exposed,
            Some(revision) => seen_at(registry, &package, revision).await?,
            None => return Err(malformed("the body has no _rev, so that nobody knows what you saw: read the package first").into()),
        };
        // Every manifest that was shown is read for it.
        let compared = tokio::task::spawn_blocking(move || difference(&view, &body, &name, reach)).await;
        compared.map_err(|crash| Problem::internal(crash.to_string()))?.map_err(Problem::from)?
    } else if is_star(&body) {
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
    may_amend(registry, call.caller, &package).await?;
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
    // Whose it is not learns nothing of what is gone.
    may_amend(registry, call.caller, &package).await?;
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
    amend(registry, call.caller, &package, &[Wish::Withdraw { versions }]).await?;
    done(StatusCode::OK, package.name.as_str())
}

fn of_upstream(package: &PackageId) -> Problem {
    AmendError::OfUpstream(package.name.clone()).into()
}

impl From<NotADifference> for Problem {
    fn from(error: NotADifference) -> Problem {
        let text = error.to_string();
        match error {
            NotADifference::Shape(_) | NotADifference::Target(_) | NotADifference::Tag(_) => Problem::new(Kind::Malformed, text),
            NotADifference::Addition(_) | NotADifference::Changed { .. } => Problem::new(Kind::Refused, text),
            NotADifference::Shown(_) => Problem::internal(text),
        }
    }
}
