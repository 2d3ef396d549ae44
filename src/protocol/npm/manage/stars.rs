//! Who likes what: everybody for themselves, upstream's packages too.

use std::collections::BTreeMap;

use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use serde_json::json;

use crate::catalog::amend::Wish;
use crate::http::problem::Problem;
use crate::model::package::PackageName;
use crate::protocol::npm::call::Call;
use crate::protocol::npm::call::told;
use crate::protocol::npm::explain::Failure;
use crate::protocol::npm::handlers::Registry;
use crate::protocol::npm::handlers::npm;
use crate::protocol::npm::manage::amend;
use crate::protocol::npm::manage::done;
use crate::protocol::npm::manage::malformed;
use crate::protocol::npm::manage::order;
use crate::protocol::npm::manage::parameter;
use crate::protocol::npm::manage::people::shown_to;

#[derive(Deserialize)]
struct StarOrder {
    name: String,
}

/// `PUT` or `DELETE` of the caller's star for a package; without one here, the body names it.
pub async fn star(registry: &Registry, call: Call<'_>, package: Option<PackageName>) -> Result<Response, Failure> {
    let caller = call.caller;
    let on = !call.is_deleting();
    let package = match package {
        Some(package) => package,
        None => PackageName::npm(&order::<StarOrder>(registry, call).await?.name).map_err(Problem::from)?,
    };
    let package = npm(package);
    amend(registry, caller, &package, &[Wish::Star { on }]).await?;
    done(StatusCode::OK, package.name.as_str())
}

/// `GET /-/_view/starredByUser?key="ann"`
pub async fn starred_by(registry: &Registry, call: Call<'_>) -> Result<Response, Failure> {
    let key = parameter(&call, "key").ok_or_else(|| malformed("'key' query parameter is required: the name of a user"))?;
    let user = serde_json::from_str::<String>(&key).unwrap_or(key);
    let starred = shown_to(registry, call.caller, registry.catalog.stars_of(&user).await?);
    let rows: Vec<Value> = starred.map(|package| json!({"value": package.name.as_str()})).collect();
    told(StatusCode::OK, &json!({"rows": rows}))
}

/// `GET /-/user/{user}/stars`
pub async fn stars(registry: &Registry, call: Call<'_>, user: String) -> Result<Response, Failure> {
    let starred = shown_to(registry, call.caller, registry.catalog.stars_of(&user).await?);
    told(StatusCode::OK, &starred.map(|package| (package.name.to_string(), true)).collect::<BTreeMap<String, bool>>())
}
