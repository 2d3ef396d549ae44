//! Releases that come in from a client: read as they stream in, checked, submitted to quarantine.

use axum::response::Response;

use crate::model::package::PackageName;
use crate::protocol::npm::call::Call;
use crate::protocol::npm::explain::Failure;
use crate::protocol::npm::handlers::Registry;

/// `PUT /{package}`: a release is submitted, or what was read is written back changed.
pub async fn put(_registry: &Registry, call: Call<'_>, _package: PackageName) -> Result<Response, Failure> {
    Err(call.not_served())
}

/// `POST /-/stage/package/{package}`: a release is submitted and waits for somebody to look at it.
pub async fn stage(_registry: &Registry, call: Call<'_>, _package: PackageName) -> Result<Response, Failure> {
    Err(call.not_served())
}
