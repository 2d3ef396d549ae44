//! A request as the registry's handlers are given it, and the small answers they give.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::HeaderMap;
use http::HeaderValue;
use http::Method;
use http::StatusCode;
use http::header;
use http::request::Parts;
use serde::Serialize;

use crate::http::caller::Caller;
use crate::http::problem::Problem;
use crate::protocol::npm::explain::Failure;

pub const JSON: &str = "application/json";

/// A request to read, without its path.
pub struct Asked<'r, F = HeaderMap> {
    pub is_head: bool,
    pub fields: &'r F,
    pub caller: &'r Caller,
    /// Whether the client means to write back what it reads, and so needs every field.
    pub to_write: bool,
}

/// One request for a route of the registry, of a caller whom that route answers. Its body is unread.
pub struct Call<'r> {
    pub request: &'r Parts,
    pub caller: &'r Caller,
    /// Never more than `body_bytes_max`, never slower than is allowed; empty for what is read.
    pub body: Body,
}

impl<'r> Call<'r> {
    pub fn method(&self) -> &'r Method {
        &self.request.method
    }

    pub fn is_reading(&self) -> bool {
        matches!(*self.method(), Method::GET | Method::HEAD)
    }

    pub fn is_deleting(&self) -> bool {
        *self.method() == Method::DELETE
    }

    pub fn asked(&self) -> Asked<'r> {
        let to_write = is_to_write(self.request.uri.query());
        Asked { is_head: *self.method() == Method::HEAD, fields: &self.request.headers, caller: self.caller, to_write }
    }

    pub fn not_served(&self) -> Failure {
        Failure::not_served(self.request.uri.path())
    }
}

/// Whether the client means to write back what it reads.
pub fn is_to_write(query: Option<&str>) -> bool {
    query.is_some_and(|query| query.split('&').any(|pair| pair == "write=true"))
}

/// A small answer that nobody keeps: npm keeps whatever has an `ETag`. The door takes the body from HEAD.
pub fn json(status: StatusCode, body: Bytes) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(JSON));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    *response.body_mut() = Body::from(body);
    response
}

/// The same of a value.
///
/// # Errors
/// It cannot be written as JSON: a fault of ours.
pub fn told(status: StatusCode, value: &impl Serialize) -> Result<Response, Failure> {
    match serde_json::to_vec(value) {
        Ok(body) => Ok(json(status, body.into())),
        Err(error) => Err(Problem::internal(format!("an answer cannot be written: {error}")).into()),
    }
}
