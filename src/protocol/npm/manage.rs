//! What owners change of their packages, and what is told of who owns what: tags, deprecations, owners, access, stars.

use axum::response::Response;
use serde_json::Value;

use crate::model::package::PackageName;
use crate::protocol::npm::call::Call;
use crate::protocol::npm::explain::Failure;
use crate::protocol::npm::handlers::Registry;
use crate::protocol::npm::path::TarballName;

/// `PUT /{package}` without a file: the packument as the client wants it, against what it saw. `call` has no body any more.
pub async fn write_back(_registry: &Registry, call: Call<'_>, _package: PackageName, _body: Value) -> Result<Response, Failure> {
    Err(call.not_served())
}

/// `PUT /{package}/-rev/{rev}`: the packument as the client wants it, against what it saw.
pub async fn replace(_registry: &Registry, call: Call<'_>, _package: PackageName, _revision: String) -> Result<Response, Failure> {
    Err(call.not_served())
}

/// `DELETE /{package}/-rev/{rev}`: every release.
pub async fn withdraw_all(_registry: &Registry, call: Call<'_>, _package: PackageName, _revision: String) -> Result<Response, Failure> {
    Err(call.not_served())
}

/// `DELETE /{package}/-/{file}/-rev/{rev}`: the release that the file is of.
pub async fn withdraw(_registry: &Registry, call: Call<'_>, _tarball: TarballName, _revision: String) -> Result<Response, Failure> {
    Err(call.not_served())
}

/// `PUT` or `POST /-/package/{package}/dist-tags/{tag}`: the body names the version.
pub async fn tag(_registry: &Registry, call: Call<'_>, _package: PackageName, _tag: String) -> Result<Response, Failure> {
    Err(call.not_served())
}

/// `DELETE /-/package/{package}/dist-tags/{tag}`
pub async fn untag(_registry: &Registry, call: Call<'_>, _package: PackageName, _tag: String) -> Result<Response, Failure> {
    Err(call.not_served())
}

/// `GET /-/package/{package}/visibility`
pub async fn visibility(_registry: &Registry, call: Call<'_>, _package: PackageName) -> Result<Response, Failure> {
    Err(call.not_served())
}

/// `GET /-/package/{package}/collaborators`
pub async fn collaborators(_registry: &Registry, call: Call<'_>, _package: PackageName) -> Result<Response, Failure> {
    Err(call.not_served())
}

/// `GET /-/package/{package}/access`
pub async fn access(_registry: &Registry, call: Call<'_>, _package: PackageName) -> Result<Response, Failure> {
    Err(call.not_served())
}

/// `POST /-/package/{package}/access`: who may read it.
pub async fn restrict(_registry: &Registry, call: Call<'_>, _package: PackageName) -> Result<Response, Failure> {
    Err(call.not_served())
}

/// `PUT /-/package/{package}/owners`: the body names the user.
pub async fn add_owner(_registry: &Registry, call: Call<'_>, _package: PackageName) -> Result<Response, Failure> {
    Err(call.not_served())
}

/// `DELETE /-/package/{package}/owners/{user}`
pub async fn remove_owner(_registry: &Registry, call: Call<'_>, _package: PackageName, _user: String) -> Result<Response, Failure> {
    Err(call.not_served())
}

/// `PUT` or `DELETE` of the caller's star for a package; without one here, the body names it.
pub async fn star(_registry: &Registry, call: Call<'_>, _package: Option<PackageName>) -> Result<Response, Failure> {
    Err(call.not_served())
}

/// `GET /-/_view/starredByUser`
pub async fn starred_by(_registry: &Registry, call: Call<'_>) -> Result<Response, Failure> {
    Err(call.not_served())
}

/// `GET /-/user/{user}/stars`
pub async fn stars(_registry: &Registry, call: Call<'_>, _user: String) -> Result<Response, Failure> {
    Err(call.not_served())
}

/// `GET /-/user/{user}/package`
pub async fn packages_of(_registry: &Registry, call: Call<'_>, _user: String) -> Result<Response, Failure> {
    Err(call.not_served())
}
