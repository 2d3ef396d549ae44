//! The review queue as `npm stage` asks it: the same queue that the console and `airlock queue` show.

use axum::response::Response;

use crate::protocol::npm::call::Call;
use crate::protocol::npm::explain::Failure;
use crate::protocol::npm::handlers::Registry;

/// `GET /-/stage`: what waits, a page of it.
pub async fn list(_registry: &Registry, call: Call<'_>) -> Result<Response, Failure> {
    Err(call.not_served())
}

/// `GET /-/stage/{id}`
pub async fn view(_registry: &Registry, call: Call<'_>, _id: String) -> Result<Response, Failure> {
    Err(call.not_served())
}

/// `DELETE /-/stage/{id}`: rejected by who reviews, withdrawn by who submitted.
pub async fn reject(_registry: &Registry, call: Call<'_>, _id: String) -> Result<Response, Failure> {
    Err(call.not_served())
}

/// `GET /-/stage/{id}/tarball`: for who reviews it, and for nobody else.
pub async fn tarball(_registry: &Registry, call: Call<'_>, _id: String) -> Result<Response, Failure> {
    Err(call.not_served())
}

/// `POST /-/stage/{id}/approve`
pub async fn approve(_registry: &Registry, call: Call<'_>, _id: String) -> Result<Response, Failure> {
    Err(call.not_served())
}
