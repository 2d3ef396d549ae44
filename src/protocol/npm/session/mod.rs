//! Signing in and out, and what people see and change of themselves.

pub mod exchange;
pub mod login;
pub mod profile;
pub mod tokens;
pub mod web;

use serde::de::DeserializeOwned;

use crate::http::incoming;
use crate::http::problem::Kind;
use crate::http::problem::Problem;
use crate::model::finding::printable;
use crate::protocol::npm::call::Call;
use crate::protocol::npm::explain::Failure;

/// What people send of themselves is small.
const BODY_BYTES_MAX: u64 = 64 * 1_024;
/// What an answer repeats of a wrong body, in bytes.
const ECHO_BYTES_MAX: usize = 200;

/// The body, as JSON. Members that nobody asks for say nothing.
///
/// # Errors
/// As [`incoming::read`]; 400 for what is no such document. Values are not repeated: one may be a password.
async fn body<T: DeserializeOwned>(call: Call<'_>) -> Result<T, Failure> {
    let bytes = incoming::read(&call.request.headers, call.body, BODY_BYTES_MAX).await?;
    serde_json::from_slice(&bytes).map_err(|error| {
        let place = if error.is_data() { what_lacks(&error.to_string()) } else { format!("not JSON at line {}", error.line()) };
        Problem::new(Kind::Malformed, format!("the body is not what is expected here: {place}")).into()
    })
}

/// Of serde's words only those that name a member of ours.
fn what_lacks(said: &str) -> String {
    if said.starts_with("missing field") { printable(said, ECHO_BYTES_MAX) } else { "a member has another type".to_owned() }
}
