//! What owners change of their packages, and what is told of who owns what: tags, deprecations, owners, access, stars. Whose
//! the package is is asked before a body is read.

mod packument;
mod people;
mod stars;
mod tags;

pub use packument::replace;
pub use packument::withdraw;
pub use packument::withdraw_all;
pub use packument::write_back;
pub use people::access;
pub use people::add_owner;
pub use people::collaborators;
pub use people::packages_of;
pub use people::remove_owner;
pub use people::restrict;
pub use people::visibility;
pub use stars::star;
pub use stars::starred_by;
pub use stars::stars;
pub use tags::tag;
pub use tags::untag;

use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use serde_json::json;
use url::form_urlencoded;

use crate::catalog::amend::AmendError;
use crate::catalog::amend::Wish;
use crate::ecosystem::json::Bounds;
use crate::ecosystem::json::strict;
use crate::http::caller::Caller;
use crate::http::incoming;
use crate::http::problem::Kind;
use crate::http::problem::Problem;
use crate::model::package::PackageId;
use crate::protocol::npm::call::Call;
use crate::protocol::npm::call::told;
use crate::protocol::npm::explain::Failure;
use crate::protocol::npm::handlers::Registry;

/// A body that is no packument, in bytes.
const ORDER_BYTES_MAX: u64 = 64 * 1_024;
const ORDER_DEPTH_MAX: usize = 8;
const SHOWN_BYTES_MAX: usize = 80;

/// Whether the caller may change the package: to be asked before a body is read.
async fn may_amend(registry: &Registry, caller: &Caller, package: &PackageId) -> Result<(), Failure> {
    registry.catalog.may_amend(package, &caller.principal).await.map_err(failed)
}

async fn amend(registry: &Registry, caller: &Caller, package: &PackageId, wishes: &[Wish]) -> Result<(), Failure> {
    registry.catalog.amend(package, wishes, &caller.principal).await.map(drop).map_err(failed)
}

fn failed(error: AmendError) -> Failure {
    match error {
        AmendError::Catalog(error) => error.into(),
        error => Problem::from(error).into(),
    }
}

/// What every client takes for done.
fn done(status: StatusCode, id: &str) -> Result<Response, Failure> {
    told(status, &json!({"ok": "changed", "success": true, "id": id}))
}

/// A parameter of the query, decoded.
fn parameter(call: &Call<'_>, name: &str) -> Option<String> {
    let query = call.request.uri.query().unwrap_or_default();
    form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

async fn order<T: for<'de> Deserialize<'de>>(registry: &Registry, call: Call<'_>) -> Result<T, Failure> {
    let body = read(registry, call).await?;
    serde_json::from_value(body).map_err(|error| malformed(format!("the body is not understood: {error}")).into())
}

async fn read(registry: &Registry, call: Call<'_>) -> Result<Value, Failure> {
    let Call { request, caller: _, body } = call;
    let bytes = incoming::read(&request.headers, body, ORDER_BYTES_MAX.min(registry.body_bytes_max)).await?;
    let bounds = Bounds { bytes_max: bytes.len(), depth_max: ORDER_DEPTH_MAX };
    Ok(strict(&bytes, bounds).map_err(|fault| malformed(format!("the body: {fault}")))?)
}

fn malformed(text: impl Into<String>) -> Problem {
    Problem::new(Kind::Malformed, text)
}
