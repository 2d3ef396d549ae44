//! Signing in with a name and a password.

use axum::response::Response;

use crate::protocol::npm::call::Call;
use crate::protocol::npm::explain::Failure;
use crate::protocol::npm::handlers::Registry;

/// `GET /-/user/org.couchdb.user:{user}`
pub async fn user(_registry: &Registry, call: Call<'_>, _user: String) -> Result<Response, Failure> {
    Err(call.not_served())
}

/// `PUT /-/user/org.couchdb.user:{user}`, with a revision or without: name and password for a token.
pub async fn sign_in(_registry: &Registry, call: Call<'_>, _user: String) -> Result<Response, Failure> {
    Err(call.not_served())
}
