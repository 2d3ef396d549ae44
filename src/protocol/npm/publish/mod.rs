//! Releases that come in from a client: read as they stream in, checked, submitted to quarantine.

mod answer;
mod body;
mod check;
mod name;
mod scan;

use axum::body::Body;
use axum::response::Response;
use serde_json::Value;

use crate::catalog::submit::Submitted;
use crate::http::problem::Kind;
use crate::http::problem::Problem;
use crate::model::package::PackageName;
use crate::protocol::npm::call::Call;
use crate::protocol::npm::explain::Failure;
use crate::protocol::npm::handlers::Registry;
use crate::protocol::npm::manage;
use crate::protocol::npm::publish::body::Arrived;
use crate::protocol::npm::publish::check::Came;
use crate::protocol::npm::publish::check::check;

/// What came of a body.
enum Outcome {
    Submitted(Box<Submitted>),
    /// It brought no file.
    Packument(Box<Value>),
}

/// `PUT /{package}`: a release is submitted, or what was read is written back changed.
pub async fn put(registry: &Registry, mut call: Call<'_>, package: PackageName) -> Result<Response, Failure> {
    match come_in(registry, &mut call, &package, false).await? {
        Outcome::Submitted(submitted) => answer::published(&submitted, &call.caller.base),
        Outcome::Packument(changed) => manage::write_back(registry, call, package, *changed).await,
    }
}

/// `POST /-/stage/package/{package}`: a release is submitted and waits for somebody to look at it.
pub async fn stage(registry: &Registry, mut call: Call<'_>, package: PackageName) -> Result<Response, Failure> {
    match come_in(registry, &mut call, &package, true).await? {
        Outcome::Submitted(submitted) => answer::staged(&submitted, &call.caller.base),
        Outcome::Packument(_) => Err(Problem::new(Kind::Malformed, "the body has no tarball").into()),
    }
}

/// Reads the body to its end, and submits what it is.
async fn come_in(registry: &Registry, call: &mut Call<'_>, package: &PackageName, staged: bool) -> Result<Outcome, Failure> {
    let by = call.caller.person()?.to_owned();
    let body = std::mem::replace(&mut call.body, Body::empty());
    let arrived = body::arrive(&registry.catalog, &call.request.headers, body, registry.body_bytes_max).await?;
    let Arrived { scanned, received, bytes } = arrived;
    let name = package.clone();
    // Reading it strictly takes long where it is large.
    let checked = tokio::task::spawn_blocking(move || check(&scanned, &Came { package: &name, bytes, by: &by, staged }));
    let checked = checked.await.map_err(|crash| Problem::internal(crash.to_string()))?.map_err(Problem::from)?;
    match (checked, received) {
        (check::Body::Packument(changed), None) => Ok(Outcome::Packument(changed)),
        (check::Body::Release(offer), Some(received)) => {
            let submitted = registry.catalog.submit(*offer, received, &call.caller.principal).await.map_err(Problem::from)?;
            Ok(Outcome::Submitted(Box::new(submitted)))
        }
        (check::Body::Packument(_), Some(_)) | (check::Body::Release(_), None) => {
            Err(Problem::new(Kind::Malformed, "the tarball does not stand where tarballs stand").into())
        }
    }
}
