//! What clients read all day: the catalog says what of it may be seen, a renderer writes it down.

use std::sync::Arc;
use std::time::Duration;

use axum::response::Response;
use bytes::Bytes;
use http::HeaderName;
use http::HeaderValue;
use http::StatusCode;

use crate::access::Access;
use crate::catalog::Catalog;
use crate::catalog::CatalogError;
use crate::catalog::Download;
use crate::catalog::Sighted;
use crate::catalog::exposure::Exposed;
use crate::http::body;
use crate::http::cache::BodyCache;
use crate::http::cache::BodyKey;
use crate::http::caller::Caller;
use crate::http::fields::Fields;
use crate::http::fields::Plain;
use crate::http::problem::Problem;
use crate::http::ready::Ready;
use crate::http::rendered::Coding;
use crate::http::rendered::Manner;
use crate::http::rendered::Rendered;
use crate::model::package::EcosystemId;
use crate::model::package::PackageId;
use crate::model::package::PackageName;
use crate::model::package::Version;
use crate::model::refusal::Refusal;
use crate::model::release::ReleaseId;
use crate::model::standing::Standing;
use crate::model::token::Role;
use crate::protocol::npm::accept;
use crate::protocol::npm::call::Asked;
use crate::protocol::npm::call::JSON;
use crate::protocol::npm::call::is_to_write;
use crate::protocol::npm::call::json;
use crate::protocol::npm::explain::Failure;
use crate::protocol::npm::manifest::Fault;
use crate::protocol::npm::path;
use crate::protocol::npm::path::TarballName;
use crate::protocol::npm::path::Target;
use crate::protocol::npm::render;
use crate::protocol::npm::render::Form;
use crate::protocol::npm::routes::PACKUMENT;
use crate::protocol::npm::routes::TARBALL;

/// How long upstream has not confirmed what is served, in seconds, when that is longer than it may be.
const STALE: HeaderName = HeaderName::from_static("airlock-stale-seconds");

/// Packuments may change at any time: kept by clients, asked again each time.
const CHANGES: &str = "no-cache";
const CHANGES_FOR_ONE: &str = "private, no-cache";
/// A release's bytes never change.
const NEVER_CHANGES: &str = "public, max-age=31536000, immutable";
/// The same for a caller with a token: no shared cache may hand it to callers without one.
const NEVER_CHANGES_FOR_ONE: &str = "private, max-age=31536000, immutable";

const TGZ: &str = "application/octet-stream";

/// The registry as npm's clients ask it, and whom it asks.
pub struct Registry {
    pub catalog: Arc<Catalog>,
    pub bodies: Arc<BodyCache>,
    pub access: Arc<Access>,
    /// As the door bounds every body.
    pub body_bytes_max: u64,
}

impl Registry {
    /// The answer that lies ready, and its route. `None` says nothing: then [`Registry::answer`] is to be asked.
    pub async fn ready<F: Fields>(&self, plain: &Plain<'_, F>, caller: &Caller) -> Option<(Ready, &'static str)> {
        caller.require(Role::Reader).ok()?;
        let asked = Asked { is_head: plain.is_head, fields: plain.fields, caller, to_write: is_to_write(plain.query) };
        let target = path::parse(plain.path).ok()?;
        if self.hides(&target, caller) {
            return None;
        }
        match target {
            Target::Packument(name) => {
                let question = Question::packument(&asked);
                Some((self.kept_packument(&asked, &npm(name), &question).await?, PACKUMENT))
            }
            Target::Tarball(tarball) => {
                let puller = (!asked.is_head).then(|| caller.puller());
                let download = self.catalog.opened_before(&npm(tarball.package), &tarball.file, puller.as_ref()).await;
                Some((sent_bytes(&asked, &download.ok()??), TARBALL))
            }
            Target::VersionOrTag { .. } | Target::Revision { .. } | Target::TarballRevision { .. } | Target::Own(_) | Target::NotServed => {
                None
            }
        }
    }

    pub async fn packument(&self, asked: &Asked<'_>, name: PackageName) -> Result<Response, Failure> {
        let package = npm(name);
        let question = Question::packument(asked);
        if let Some(ready) = self.kept_packument(asked, &package, &question).await {
            return Ok(ready.into_response());
        }
        let sighted = self.catalog.exposed(&package).await?;
        let Question { form, .. } = question;
        self.rendered(asked, &sighted, question.key, question.content_type, move |exposed, base| render::packument(exposed, base, form))
            .await
    }

    /// The body that is kept of what was last exposed, if that still is what would be.
    async fn kept_packument<F: Fields>(&self, asked: &Asked<'_, F>, package: &PackageId, question: &Question) -> Option<Ready> {
        let glance = self.catalog.glance(package).await?;
        let key = BodyKey { stamp: glance.stamp, base: &asked.caller.base, form: question.key, coding: Coding::wanted(asked.fields) };
        Some(sent(asked, &self.bodies.kept(&key)?))
    }

    pub async fn version(&self, asked: &Asked<'_>, name: PackageName, wanted: &str) -> Result<Response, Failure> {
        let package = npm(name);
        let sighted = self.catalog.exposed(&package).await?;
        let exposed = &sighted.exposed;
        let version = Version::parse(wanted).ok();
        let listed = version.as_ref().and_then(|version| exposed.release(version));
        let Some(release) = listed.or_else(|| exposed.pointer(wanted).and_then(|version| exposed.release(version))) else {
            return Err(Box::pin(self.not_listed(package, version, wanted)).await);
        };
        let version = release.version.clone();
        self.rendered(asked, &sighted, &format!("version/{version}"), JSON, move |exposed, base| match exposed.release(&version) {
            Some(release) => render::version(exposed, release, base),
            None => Err(Fault::Missing { field: "release" }),
        })
        .await
    }

    /// Why a version is not among those that are listed: it is withheld, or it is not known at all.
    pub async fn not_listed(&self, package: PackageId, version: Option<Version>, wanted: &str) -> Failure {
        let name = package.name.clone();
        let Some(version) = version else { return Failure::no_such_version(&name, wanted) };
        match self.catalog.explain(&ReleaseId { package, version }).await {
            Ok(explained) => {
                let opens_at = match explained.verdict.standing {
                    Standing::Held { until } => until,
                    Standing::Quarantined
                    | Standing::Admissible
                    | Standing::InReview
                    | Standing::Approved
                    | Standing::Rejected
                    | Standing::Revoked => None,
                };
                let refusal =
                    Refusal { release: explained.release, standing: explained.verdict.standing, opens_at, sentence: explained.sentence };
                self.catalog.refuse(refusal).into()
            }
            Err(CatalogError::UnknownRelease { .. }) => Failure::no_such_version(&name, wanted),
            Err(error) => error.into(),
        }
    }

    pub async fn tarball(&self, asked: &Asked<'_>, tarball: TarballName) -> Result<Response, Failure> {
        let download = self.catalog.artifact(&npm(tarball.package), &tarball.file, (!asked.is_head).then(|| asked.caller.puller())).await?;
        Ok(sent_bytes(asked, &download).into_response())
    }

    pub async fn dist_tags(&self, name: PackageName) -> Result<Response, Failure> {
        let sighted = self.catalog.exposed(&npm(name)).await?;
        Ok(dated(json(StatusCode::OK, render::tags(&sighted.exposed)), sighted.stale_for))
    }

    /// The body that `write` makes of what is exposed, made once for everyone who asks for the same.
    async fn rendered<W>(
        &self,
        asked: &Asked<'_>,
        sighted: &Sighted,
        form: &str,
        content_type: &'static str,
        write: W,
    ) -> Result<Response, Failure>
    where
        W: FnOnce(&Exposed, &str) -> Result<Bytes, Fault> + Send + 'static,
    {
        let exposed = Arc::clone(&sighted.exposed);
        let base = Arc::clone(&asked.caller.base);
        let coding = Coding::wanted(asked.fields);
        let key = BodyKey { stamp: *exposed.stamp(), base: &asked.caller.base, form, coding };
        let manner = Manner { content_type, cache_control: CHANGES, last_modified: Some(exposed.modified()) };
        let build = move || write(&exposed, &base).map_err(Problem::from);
        let rendered = self.bodies.get_or_build(key, manner, build).await?;
        Ok(dated(sent(asked, &rendered).into_response(), sighted.stale_for))
    }
}

/// In which form a packument is wanted.
struct Question {
    form: Form,
    /// The form, as bodies are kept by.
    key: &'static str,
    content_type: &'static str,
}

impl Question {
    fn packument<F: Fields>(asked: &Asked<'_, F>) -> Question {
        let form = if asked.to_write { Form::Full } else { accept::form(asked.fields) };
        match form {
            Form::Full => Question { form, key: "full", content_type: JSON },
            Form::Abbreviated => Question { form, key: "abbreviated", content_type: accept::ABBREVIATED },
        }
    }
}

fn sent<F: Fields>(asked: &Asked<'_, F>, rendered: &Rendered) -> Ready {
    let mut ready = rendered.ready(asked.is_head, asked.fields);
    if asked.caller.name.is_some() {
        ready.cache_control = CHANGES_FOR_ONE;
    }
    ready
}

fn sent_bytes<F: Fields>(asked: &Asked<'_, F>, download: &Download) -> Ready {
    let cache_control = if asked.caller.name.is_some() { NEVER_CHANGES_FOR_ONE } else { NEVER_CHANGES };
    body::ready(&download.content, asked.is_head, asked.fields, TGZ, cache_control)
}

pub fn npm(name: PackageName) -> PackageId {
    PackageId { ecosystem: EcosystemId::Npm, name }
}

fn dated(mut response: Response, stale_for: Option<Duration>) -> Response {
    if let Some(age) = stale_for {
        response.headers_mut().insert(STALE, HeaderValue::from(age.as_secs()));
    }
    response
}

#[cfg(test)]
mod tests;
