//! What is attested of a release: where and from what it was built.

use axum::response::Response;

use crate::model::package::PackageName;
use crate::protocol::npm::call::Call;
use crate::protocol::npm::explain::Failure;
use crate::protocol::npm::handlers::Registry;

/// `GET /-/npm/v1/attestations/{subject}`
pub async fn attestations(_registry: &Registry, call: Call<'_>, _package: PackageName, _wanted: String) -> Result<Response, Failure> {
    Err(call.not_served())
}
