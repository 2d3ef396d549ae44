//! Whose a package is, who may read it, and what is told of that.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use crate::catalog::amend::Wish;
use crate::http::caller::Caller;
use crate::http::problem::Kind;
use crate::http::problem::Problem;
use crate::model::actor::is_one_name;
use crate::model::finding::printable;
use crate::model::package::PackageId;
use crate::model::package::PackageName;
use crate::protocol::npm::call::Call;
use crate::protocol::npm::call::told;
use crate::protocol::npm::explain::Failure;
use crate::protocol::npm::handlers::Registry;
use crate::protocol::npm::handlers::npm;
use crate::protocol::npm::manage::SHOWN_BYTES_MAX;
use crate::protocol::npm::manage::amend;
use crate::protocol::npm::manage::done;
use crate::protocol::npm::manage::malformed;
use crate::protocol::npm::manage::may_amend;
use crate::protocol::npm::manage::order;
use crate::protocol::npm::manage::parameter;

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
    let asked = owners.iter().filter(|name| only.as_ref().is_none_or(|only| is_one_name(only, name)));
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
    let package = npm(package);
    may_amend(registry, caller, &package).await?;
    let order: AccessOrder = order(registry, call).await?;
    let on = match order.access.as_deref() {
        Some("restricted") => true,
        Some("public") => false,
        Some(_) => return Err(malformed("access is \"public\" or \"restricted\"").into()),
        None => return Err(Problem::new(Kind::Refused, "Airlock has no second factor that a package could ask for").into()),
    };
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
    let package = npm(package);
    may_amend(registry, caller, &package).await?;
    let OwnerOrder { user } = order(registry, call).await?;
    amend(registry, caller, &package, &[Wish::Owners { added: BTreeSet::from([user]), removed: BTreeSet::new() }]).await?;
    done(StatusCode::OK, package.name.as_str())
}

/// `DELETE /-/package/{package}/owners/{user}`
pub async fn remove_owner(registry: &Registry, call: Call<'_>, package: PackageName, user: String) -> Result<Response, Failure> {
    let package = npm(package);
    may_amend(registry, call.caller, &package).await?;
    let hosted = registry.catalog.hosted(&package).await?;
    if !hosted.as_ref().and_then(|state| state.local.as_ref()).is_some_and(|local| local.is_owner(&user)) {
        let text = format!("{:?} is no owner of {}", printable(&user, SHOWN_BYTES_MAX), package.name);
        return Err(Problem::new(Kind::Unacceptable, text).into());
    }
    amend(registry, call.caller, &package, &[Wish::Owners { added: BTreeSet::new(), removed: BTreeSet::from([user]) }]).await?;
    done(StatusCode::OK, package.name.as_str())
}

/// `GET /-/user/{user}/package`
pub async fn packages_of(registry: &Registry, call: Call<'_>, user: String) -> Result<Response, Failure> {
    let owned = shown_to(registry, call.caller, registry.catalog.owned_by(&user).await?);
    told(StatusCode::OK, &owned.map(|package| (package.name.to_string(), "write")).collect::<BTreeMap<String, &str>>())
}

/// Without those of which callers without a name are not told.
pub(super) fn shown_to<'r>(registry: &'r Registry, caller: &'r Caller, packages: Vec<PackageId>) -> impl Iterator<Item = PackageId> + 'r {
    packages.into_iter().filter(|package| caller.name.is_some() || !registry.catalog.is_restricted(package))
}
