//! What is known against the releases that a project uses.

use axum::response::Response;

use crate::protocol::npm::call::Call;
use crate::protocol::npm::explain::Failure;
use crate::protocol::npm::handlers::Registry;

/// `POST /-/npm/v1/security/advisories/bulk`: versions by package.
pub async fn bulk(_registry: &Registry, call: Call<'_>) -> Result<Response, Failure> {
    Err(call.not_served())
}

/// `POST /-/npm/v1/security/audits` and `…/audits/quick`: a whole tree.
pub async fn quick(_registry: &Registry, call: Call<'_>) -> Result<Response, Failure> {
    Err(call.not_served())
}
