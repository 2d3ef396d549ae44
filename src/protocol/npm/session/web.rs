//! Signing in with a browser.

use axum::response::Response;

use crate::protocol::npm::call::Call;
use crate::protocol::npm::explain::Failure;
use crate::protocol::npm::handlers::Registry;

/// `POST /-/v1/login`: where to sign in, and where to ask whether it is done.
pub async fn begin(_registry: &Registry, call: Call<'_>) -> Result<Response, Failure> {
    Err(call.not_served())
}

/// `GET /-/v1/done/{session}`: the token, once.
pub async fn poll(_registry: &Registry, call: Call<'_>, _session: String) -> Result<Response, Failure> {
    Err(call.not_served())
}
