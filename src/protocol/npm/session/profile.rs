//! Who the caller is.

use axum::response::Response;
use http::StatusCode;
use serde_json::json;

use crate::protocol::npm::call::Call;
use crate::protocol::npm::call::told;
use crate::protocol::npm::explain::Failure;
use crate::protocol::npm::handlers::Registry;

/// `GET /-/whoami`
pub fn whoami(call: &Call<'_>) -> Result<Response, Failure> {
    told(StatusCode::OK, &json!({ "username": call.caller.person()? }))
}

/// `GET /-/npm/v1/user`
pub async fn read(_registry: &Registry, call: Call<'_>) -> Result<Response, Failure> {
    Err(call.not_served())
}

/// `POST /-/npm/v1/user`: the password, the address.
pub async fn change(_registry: &Registry, call: Call<'_>) -> Result<Response, Failure> {
    Err(call.not_served())
}
