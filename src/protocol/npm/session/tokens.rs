//! A person's tokens, made and revoked by themselves.

use axum::response::Response;

use crate::protocol::npm::call::Call;
use crate::protocol::npm::explain::Failure;
use crate::protocol::npm::handlers::Registry;

/// `GET /-/npm/v1/tokens`
pub async fn list(_registry: &Registry, call: Call<'_>) -> Result<Response, Failure> {
    Err(call.not_served())
}

/// `POST /-/npm/v1/tokens`
pub async fn make(_registry: &Registry, call: Call<'_>) -> Result<Response, Failure> {
    Err(call.not_served())
}

/// `DELETE /-/npm/v1/tokens/token/{key}`
pub async fn revoke(_registry: &Registry, call: Call<'_>, _key: String) -> Result<Response, Failure> {
    Err(call.not_served())
}

/// `DELETE /-/user/token/{token}`: what `npm logout` does.
pub async fn give_up(_registry: &Registry, call: Call<'_>, _token: String) -> Result<Response, Failure> {
    Err(call.not_served())
}
