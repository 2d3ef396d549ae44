//! Where a release stands, in npm's words.

use axum::response::Response;

use crate::model::package::PackageName;
use crate::model::package::Version;
use crate::protocol::npm::call::Call;
use crate::protocol::npm::explain::Failure;
use crate::protocol::npm::handlers::Registry;

/// `GET /-/package/{package}/version/{version}/status`
pub async fn status(_registry: &Registry, call: Call<'_>, _package: PackageName, _version: Version) -> Result<Response, Failure> {
    Err(call.not_served())
}
