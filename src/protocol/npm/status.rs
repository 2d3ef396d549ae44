//! Where a release stands, in npm's words.

use axum::response::Response;
use http::StatusCode;
use serde_json::json;

use crate::catalog::CatalogError;
use crate::model::package::PackageName;
use crate::model::package::Version;
use crate::model::release::ReleaseId;
use crate::model::standing::Standing;
use crate::protocol::npm::call::Call;
use crate::protocol::npm::call::told;
use crate::protocol::npm::explain::Failure;
use crate::protocol::npm::handlers::Registry;
use crate::protocol::npm::handlers::npm;

/// `GET /-/package/{package}/version/{version}/status`
pub async fn status(registry: &Registry, call: Call<'_>, package: PackageName, version: Version) -> Result<Response, Failure> {
    let release = ReleaseId { package: npm(package), version };
    let status = match registry.catalog.explain(&release).await {
        Ok(explained) if explained.restricted && call.caller.name.is_none() => return Err(unknown(release)),
        Ok(explained) if explained.verdict.observed => "published",
        Ok(explained) => in_words(explained.verdict.standing),
        Err(CatalogError::UnknownPackage(_) | CatalogError::UnknownRelease { .. })
            if call.caller.name.is_some() && registry.catalog.is_withdrawn(&release).await? =>
        {
            "deleted"
        }
        Err(error) => return Err(error.into()),
    };
    let ReleaseId { package, version } = &release;
    told(StatusCode::OK, &json!({"packageName": package.name.as_str(), "version": version, "status": status}))
}

fn unknown(release: ReleaseId) -> Failure {
    CatalogError::UnknownPackage(release.package).into()
}

const fn in_words(standing: Standing) -> &'static str {
    match standing {
        Standing::Approved | Standing::Admissible => "published",
        Standing::Quarantined => "validating",
        Standing::Held { .. } | Standing::InReview => "staged",
        Standing::Rejected | Standing::Revoked => "blocked",
    }
}
