//! The identity of a build exchanged for a token that publishes one package for a short time.

use axum::response::Response;

use crate::model::package::PackageName;
use crate::protocol::npm::call::Call;
use crate::protocol::npm::explain::Failure;
use crate::protocol::npm::handlers::Registry;

/// `POST /-/npm/v1/oidc/token/exchange/package/{package}`
pub async fn exchange(_registry: &Registry, call: Call<'_>, _package: PackageName) -> Result<Response, Failure> {
    Err(call.not_served())
}
