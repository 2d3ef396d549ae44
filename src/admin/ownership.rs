//! To whom a name belongs: to what is published here, or to the upstream registry.

use axum::Json;
use axum::extract::State;

use crate::admin::Api;
use crate::admin::request::NamedPackage;
use crate::admin::request::Told;
use crate::admin::wire::NameOrder;
use crate::admin::wire::NameView;
use crate::http::caller::Caller;
use crate::http::problem::Problem;
use crate::model::actor::Actor;

/// Assign a name
///
/// `local`: what is published here is served under it, and the upstream registry is not asked for it again. `upstream`: the
/// other way round; what was published here is kept, and comes back when the name does.
#[utoipa::path(
    put,
    path = "/-/airlock/v1/packages/{package}/owner", operation_id = "assignName",
    tag = "names",
    params(("package" = String, Path, example = "@acme%2fweb")),
    request_body = NameOrder,
    responses((status = 200, description = "It belongs there from now on", body = NameView))
)]
pub async fn assign(
    State(api): State<Api>,
    caller: Caller,
    NamedPackage(package): NamedPackage,
    Told(order): Told<NameOrder>,
) -> Result<Json<NameView>, Problem> {
    let by = Actor::Person(caller.person()?.to_owned());
    api.catalog.assign(&package, order.to, by).await?;
    Ok(Json(NameView { package: package.name.to_string(), to: order.to }))
}
