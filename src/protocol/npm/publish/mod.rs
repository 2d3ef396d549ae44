//! Releases that come in from a client: read as they stream in, checked, submitted to quarantine. And packuments that a
//! client writes back, which come in the same way.

mod answer;
mod body;
mod check;
mod name;
mod scan;

use axum::body::Body;
use axum::response::Response;
use serde_json::Value;

use crate::catalog::submit::SubmitError;
use crate::catalog::submit::Submitted;
use crate::catalog::upload::Text;
use crate::catalog::upload::Turn;
use crate::ecosystem::json::Bounds;
use crate::ecosystem::json::strict;
use crate::http::problem::Kind;
use crate::http::problem::Problem;
use crate::model::package::PackageName;
use crate::protocol::npm::call::Call;
use crate::protocol::npm::explain::Failure;
use crate::protocol::npm::handlers::Registry;
use crate::protocol::npm::handlers::npm;
use crate::protocol::npm::manage;
use crate::protocol::npm::publish::body::Arrived;
use crate::protocol::npm::publish::body::Hearing;
use crate::protocol::npm::publish::check::Came;
use crate::protocol::npm::publish::check::check;
use crate::protocol::npm::publish::scan::DEPTH_MAX;
use crate::protocol::npm::publish::scan::PACKUMENT_BYTES_MAX;

/// What came of a body.
enum Outcome {
    Submitted(Box<Submitted>),
    /// It brought no file.
    Packument(Box<Written>),
}

/// A packument that is written back.
pub struct Written {
    pub packument: Value,
    /// To be kept until what is made of it is recorded.
    pub turn: Turn,
}

/// `PUT /{package}`: a release is submitted, or what was read is written back changed.
pub async fn put(registry: &Registry, mut call: Call<'_>, package: PackageName) -> Result<Response, Failure> {
    let hearing = match registry.catalog.may_publish(&npm(package.clone()), &call.caller.principal).await {
        Ok(()) => Hearing::Everything,
        Err(SubmitError::Catalog(error)) => return Err(error.into()),
        Err(error @ SubmitError::UpstreamSilent { .. }) => return Err(Problem::from(error).into()),
        // Anybody may say that they like it, and npm says so here.
        Err(error) => Hearing::OfAStranger(error.into()),
    };
    match come_in(registry, &mut call, &package, false, &hearing).await? {
        Outcome::Submitted(submitted) => answer::published(&submitted, &call.caller.base),
        Outcome::Packument(written) => manage::write_back(registry, call.caller, package, *written).await,
    }
}

/// `POST /-/stage/package/{package}`: a release is submitted and waits for somebody to look at it.
pub async fn stage(registry: &Registry, mut call: Call<'_>, package: PackageName) -> Result<Response, Failure> {
    registry.catalog.may_publish(&npm(package.clone()), &call.caller.principal).await.map_err(Problem::from)?;
    match come_in(registry, &mut call, &package, true, &Hearing::Everything).await? {
        Outcome::Submitted(submitted) => answer::staged(&submitted, &call.caller.base),
        Outcome::Packument(_) => Err(Problem::new(Kind::Malformed, "the body has no tarball").into()),
    }
}

/// Reads the body to its end, and submits what it is.
async fn come_in(
    registry: &Registry,
    call: &mut Call<'_>,
    package: &PackageName,
    staged: bool,
    hearing: &Hearing,
) -> Result<Outcome, Failure> {
    let by = call.caller.person()?.to_owned();
    let Arrived { scanned, received, bytes, turn } = arrived(registry, call, hearing).await?;
    let name = package.clone();
    // Reading it strictly takes long where it is large.
    let desk = registry.catalog.desk(Text::Written, scanned.skeleton.len()).await;
    let check = move || {
        let checked = check(&scanned, &Came { package: &name, bytes, by: &by, staged });
        // Only now, and with the turn: nobody may wait for this any more.
        drop((scanned, desk));
        (checked, turn)
    };
    let (checked, turn) = tokio::task::spawn_blocking(check).await.map_err(|crash| Problem::internal(crash.to_string()))?;
    let checked = checked.map_err(Problem::from)?;
    match (checked, received) {
        (check::Body::Packument(changed), None) => Ok(Outcome::Packument(Box::new(Written { packument: *changed, turn }))),
        (check::Body::Release(offer), Some(received)) => {
            let submitted = registry.catalog.submit(*offer, received, &call.caller.principal, turn).await.map_err(Problem::from)?;
            Ok(Outcome::Submitted(Box::new(submitted)))
        }
        (check::Body::Packument(_), Some(_)) | (check::Body::Release(_), None) => {
            Err(Problem::new(Kind::Malformed, "the tarball does not stand where tarballs stand").into())
        }
    }
}

/// The packument that is written back with `PUT /{package}/-rev/{rev}`, of a caller who may change the package.
pub async fn written(registry: &Registry, mut call: Call<'_>) -> Result<Written, Failure> {
    let text = "a packument that is written back brings no tarball: a release is published with PUT of the package itself";
    let hearing = Hearing::NoTarball(Problem::new(Kind::Malformed, text));
    let Arrived { scanned, received: _, bytes: _, turn } = arrived(registry, &mut call, &hearing).await?;
    let desk = registry.catalog.desk(Text::Written, scanned.skeleton.len()).await;
    let bounds = Bounds { bytes_max: PACKUMENT_BYTES_MAX, depth_max: DEPTH_MAX };
    let read = move || {
        let read = strict(&scanned.skeleton, bounds);
        drop((scanned, desk));
        (read, turn)
    };
    let (read, turn) = tokio::task::spawn_blocking(read).await.map_err(|crash| Problem::internal(crash.to_string()))?;
    let packument = read.map_err(|fault| Problem::new(Kind::Malformed, format!("the body cannot be read: {fault}")))?;
    Ok(Written { packument, turn })
}

async fn arrived(registry: &Registry, call: &mut Call<'_>, hearing: &Hearing) -> Result<Arrived, Failure> {
    let by = call.caller.person()?;
    let body = std::mem::replace(&mut call.body, Body::empty());
    Ok(body::arrive(&registry.catalog, by, &call.request.headers, body, registry.body_bytes_max, hearing).await?)
}
