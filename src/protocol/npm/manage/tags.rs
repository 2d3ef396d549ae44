//! Tags one by one: set, moved, dropped, and pending while what they are for may not be seen.

use axum::response::Response;
use http::StatusCode;

use crate::catalog::amend::Wish;
use crate::http::link;
use crate::model::package::PackageName;
use crate::model::package::Version;
use crate::model::release::ReleaseId;
use crate::protocol::npm::call::Call;
use crate::protocol::npm::explain::Failure;
use crate::protocol::npm::explain::notice;
use crate::protocol::npm::handlers::Registry;
use crate::protocol::npm::handlers::npm;
use crate::protocol::npm::manage::amend;
use crate::protocol::npm::manage::done;
use crate::protocol::npm::manage::malformed;
use crate::protocol::npm::manage::may_amend;
use crate::protocol::npm::manage::read;
use crate::protocol::npm::tag;

/// `PUT` or `POST /-/package/{package}/dist-tags/{tag}`: the body names the version. One that may not be seen yet waits, and
/// the tag stays where it was.
pub async fn tag(registry: &Registry, call: Call<'_>, package: PackageName, tag: String) -> Result<Response, Failure> {
    let caller = call.caller;
    tag::check(&tag).map_err(|wrong| malformed(wrong.to_string()))?;
    let package = npm(package);
    may_amend(registry, caller, &package).await?;
    let body = read(registry, call).await?;
    let version = body.as_str().and_then(|text| Version::parse(text).ok());
    let version = version.ok_or_else(|| malformed("the body is the version that the tag is for, as a JSON string"))?;
    amend(registry, caller, &package, &[Wish::Tag { tag: tag.clone(), version: version.clone() }]).await?;
    let mut response = done(StatusCode::CREATED, package.name.as_str())?;
    let explained = registry.catalog.explain_known(&ReleaseId { package, version }).await?;
    if !explained.verdict.is_served() {
        let pending = format!("the tag {tag} waits, and stays where it is until then: {}", explained.sentence);
        if let Some((name, value)) = notice(&pending, &link::of_release(&caller.base, &explained.release)) {
            response.headers_mut().insert(name, value);
        }
    }
    Ok(response)
}

/// `DELETE /-/package/{package}/dist-tags/{tag}`
pub async fn untag(registry: &Registry, call: Call<'_>, package: PackageName, tag: String) -> Result<Response, Failure> {
    let package = npm(package);
    amend(registry, call.caller, &package, &[Wish::Untag { tag }]).await?;
    done(StatusCode::OK, package.name.as_str())
}
