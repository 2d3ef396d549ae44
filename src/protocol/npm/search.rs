//! Search, over what may be seen and nothing else.

use axum::response::Response;

use crate::protocol::npm::call::Call;
use crate::protocol::npm::explain::Failure;
use crate::protocol::npm::handlers::Registry;

/// `GET /-/v1/search`
pub async fn search(_registry: &Registry, call: Call<'_>) -> Result<Response, Failure> {
    Err(call.not_served())
}
