//! npm's routes as one table, and the one place where a request finds its handler: the table says whom a route answers
//! before any handler is asked.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::Method;
use http::StatusCode;
use http::request::Parts;

use crate::catalog::CatalogError;
use crate::http::caller::Caller;
use crate::http::route::Route;
use crate::model::package::PackageName;
use crate::model::token::Role;
use crate::protocol::npm::attestations;
use crate::protocol::npm::audit;
use crate::protocol::npm::call::Call;
use crate::protocol::npm::call::json;
use crate::protocol::npm::explain::Failure;
use crate::protocol::npm::handlers::Registry;
use crate::protocol::npm::handlers::npm;
use crate::protocol::npm::keys;
use crate::protocol::npm::manage;
use crate::protocol::npm::path;
use crate::protocol::npm::path::Target;
use crate::protocol::npm::path::own::Own;
use crate::protocol::npm::publish;
use crate::protocol::npm::search;
use crate::protocol::npm::session::exchange;
use crate::protocol::npm::session::login;
use crate::protocol::npm::session::profile;
use crate::protocol::npm::session::tokens;
use crate::protocol::npm::session::web;
use crate::protocol::npm::stage;
use crate::protocol::npm::status;

pub const PACKUMENT: &str = "/{package}";
pub const TARBALL: &str = "/{package}/-/{file}";
const VERSION: &str = "/{package}/{version}";
const REVISION: &str = "/{package}/-rev/{rev}";
const TARBALL_REVISION: &str = "/{package}/-/{file}/-rev/{rev}";
const PING: &str = "/-/ping";
const WHOAMI: &str = "/-/whoami";
const SEARCH: &str = "/-/v1/search";
const DIST_TAGS: &str = "/-/package/{package}/dist-tags";
const DIST_TAG: &str = "/-/package/{package}/dist-tags/{tag}";
const VISIBILITY: &str = "/-/package/{package}/visibility";
const COLLABORATORS: &str = "/-/package/{package}/collaborators";
const ACCESS: &str = "/-/package/{package}/access";
const OWNERS: &str = "/-/package/{package}/owners";
const OWNER: &str = "/-/package/{package}/owners/{user}";
const STATUS: &str = "/-/package/{package}/version/{version}/status";
const STAR: &str = "/-/user/v1/star";
const PACKAGE_STAR: &str = "/-/user/package/{package}/star";
const STARRED_BY: &str = "/-/_view/starredByUser";
const STARS: &str = "/-/user/{user}/stars";
const PACKAGES_OF: &str = "/-/user/{user}/package";
const USER: &str = "/-/user/org.couchdb.user:{user}";
const USER_REVISION: &str = "/-/user/org.couchdb.user:{user}/-rev/{rev}";
const TOKEN: &str = "/-/user/token/{token}";
const TOKENS: &str = "/-/npm/v1/tokens";
const TOKEN_KEY: &str = "/-/npm/v1/tokens/token/{key}";
const PROFILE: &str = "/-/npm/v1/user";
const LOGIN: &str = "/-/v1/login";
const DONE: &str = "/-/v1/done/{session}";
const EXCHANGE: &str = "/-/npm/v1/oidc/token/exchange/package/{package}";
const STAGE_PACKAGE: &str = "/-/stage/package/{package}";
const STAGE: &str = "/-/stage";
const STAGED: &str = "/-/stage/{id}";
const STAGED_TARBALL: &str = "/-/stage/{id}/tarball";
const STAGED_APPROVAL: &str = "/-/stage/{id}/approve";
const KEYS: &str = "/-/npm/v1/keys";
const ATTESTATIONS: &str = "/-/npm/v1/attestations/{subject}";
const AUDIT_BULK: &str = "/-/npm/v1/security/advisories/bulk";
const AUDIT: &str = "/-/npm/v1/security/audits";
const AUDIT_QUICK: &str = "/-/npm/v1/security/audits/quick";

/// Who has something in the review queue: who submits, and who looks at it.
const OF_THE_QUEUE: &[Role] = &[Role::Publisher, Role::Approver];

/// Everything that is served, and whom. What is asked most stands first.
pub const ROUTES: &[Route] = &[
    Route::reader("GET", PACKUMENT),
    Route::reader("HEAD", PACKUMENT),
    Route::new("PUT", PACKUMENT, Role::Publisher),
    Route::reader("GET", TARBALL),
    Route::reader("HEAD", TARBALL),
    Route::reader("GET", VERSION),
    Route::reader("HEAD", VERSION),
    Route::new("PUT", REVISION, Role::Publisher),
    Route::new("DELETE", REVISION, Role::Publisher),
    Route::new("DELETE", TARBALL_REVISION, Role::Publisher),
    Route::open("GET", PING),
    Route::open("HEAD", PING),
    Route::person("GET", WHOAMI),
    Route::person("HEAD", WHOAMI),
    Route::reader("GET", SEARCH),
    Route::reader("HEAD", SEARCH),
    Route::reader("GET", DIST_TAGS),
    Route::reader("HEAD", DIST_TAGS),
    Route::new("PUT", DIST_TAG, Role::Publisher),
    Route::new("POST", DIST_TAG, Role::Publisher),
    Route::new("DELETE", DIST_TAG, Role::Publisher),
    Route::reader("GET", VISIBILITY),
    Route::reader("HEAD", VISIBILITY),
    Route::reader("GET", COLLABORATORS),
    Route::reader("HEAD", COLLABORATORS),
    Route::reader("GET", ACCESS),
    Route::reader("HEAD", ACCESS),
    Route::new("POST", ACCESS, Role::Publisher),
    Route::new("PUT", OWNERS, Role::Publisher),
    Route::new("DELETE", OWNER, Role::Publisher),
    Route::reader("GET", STATUS),
    Route::reader("HEAD", STATUS),
    Route::person("PUT", STAR),
    Route::person("DELETE", STAR),
    Route::person("PUT", PACKAGE_STAR),
    Route::person("DELETE", PACKAGE_STAR),
    Route::reader("GET", STARRED_BY),
    Route::reader("HEAD", STARRED_BY),
    Route::reader("GET", STARS),
    Route::reader("HEAD", STARS),
    Route::reader("GET", PACKAGES_OF),
    Route::reader("HEAD", PACKAGES_OF),
    Route::person("GET", USER),
    Route::person("HEAD", USER),
    Route::open("PUT", USER),
    Route::open("PUT", USER_REVISION),
    Route::person("DELETE", TOKEN),
    Route::person("GET", TOKENS),
    Route::person("HEAD", TOKENS),
    Route::person("POST", TOKENS),
    Route::person("DELETE", TOKEN_KEY),
    Route::person("GET", PROFILE),
    Route::person("HEAD", PROFILE),
    Route::person("POST", PROFILE),
    Route::open("POST", LOGIN),
    // Not with HEAD: what it answers is told once.
    Route::open("GET", DONE),
    Route::open("POST", EXCHANGE),
    Route::new("POST", STAGE_PACKAGE, Role::Publisher),
    Route::any_of("GET", STAGE, OF_THE_QUEUE),
    Route::any_of("HEAD", STAGE, OF_THE_QUEUE),
    Route::any_of("GET", STAGED, OF_THE_QUEUE),
    Route::any_of("HEAD", STAGED, OF_THE_QUEUE),
    Route::any_of("DELETE", STAGED, OF_THE_QUEUE),
    Route::any_of("GET", STAGED_TARBALL, OF_THE_QUEUE),
    Route::any_of("HEAD", STAGED_TARBALL, OF_THE_QUEUE),
    Route::new("POST", STAGED_APPROVAL, Role::Approver),
    Route::open("GET", KEYS),
    Route::open("HEAD", KEYS),
    Route::reader("GET", ATTESTATIONS),
    Route::reader("HEAD", ATTESTATIONS),
    Route::reader("POST", AUDIT_BULK),
    Route::reader("POST", AUDIT),
    Route::reader("POST", AUDIT_QUICK),
];

/// Whether a path is asked to get a token: by whoever has none, and not refused for one that no longer serves.
pub fn is_for_sign_in(method: &Method, path: &str) -> bool {
    const BELOW: [&str; 2] = ["/-/v1/done/", "/-/npm/v1/oidc/token/exchange/"];
    path == LOGIN
        || BELOW.iter().any(|start| path.starts_with(start))
        || (*method == Method::PUT && path.starts_with("/-/user/org.couchdb.user:"))
}

fn template(target: &Target) -> Option<&'static str> {
    match target {
        Target::Packument(_) => Some(PACKUMENT),
        Target::Tarball(_) => Some(TARBALL),
        Target::VersionOrTag { .. } => Some(VERSION),
        Target::Revision { .. } => Some(REVISION),
        Target::TarballRevision { .. } => Some(TARBALL_REVISION),
        Target::Own(own) => Some(template_of_own(own)),
        Target::NotServed => None,
    }
}

fn template_of_own(own: &Own) -> &'static str {
    match own {
        Own::Ping => PING,
        Own::Whoami => WHOAMI,
        Own::Search => SEARCH,
        Own::DistTags(_) => DIST_TAGS,
        Own::DistTag { .. } => DIST_TAG,
        Own::Visibility(_) => VISIBILITY,
        Own::Collaborators(_) => COLLABORATORS,
        Own::Access(_) => ACCESS,
        Own::Owners(_) => OWNERS,
        Own::Owner { .. } => OWNER,
        Own::Status { .. } => STATUS,
        Own::Star => STAR,
        Own::PackageStar(_) => PACKAGE_STAR,
        Own::StarredBy => STARRED_BY,
        Own::Stars { .. } => STARS,
        Own::PackagesOf { .. } => PACKAGES_OF,
        Own::User { .. } => USER,
        Own::UserRevision { .. } => USER_REVISION,
        Own::Token { .. } => TOKEN,
        Own::Tokens => TOKENS,
        Own::TokenKey { .. } => TOKEN_KEY,
        Own::Profile => PROFILE,
        Own::Login => LOGIN,
        Own::Done { .. } => DONE,
        Own::Exchange(_) => EXCHANGE,
        Own::StagePackage(_) => STAGE_PACKAGE,
        Own::Stage => STAGE,
        Own::Staged { .. } => STAGED,
        Own::StagedTarball { .. } => STAGED_TARBALL,
        Own::StagedApproval { .. } => STAGED_APPROVAL,
        Own::Keys => KEYS,
        Own::Attestations { .. } => ATTESTATIONS,
        Own::AuditBulk => AUDIT_BULK,
        Own::Audit => AUDIT,
        Own::AuditQuick => AUDIT_QUICK,
    }
}

/// The package that is asked for by its name in the path.
fn package(target: &Target) -> Option<&PackageName> {
    match target {
        Target::Packument(package) | Target::VersionOrTag { package, .. } | Target::Revision { package, .. } => Some(package),
        Target::Tarball(tarball) | Target::TarballRevision { tarball, .. } => Some(&tarball.package),
        Target::Own(own) => package_of_own(own),
        Target::NotServed => None,
    }
}

fn package_of_own(own: &Own) -> Option<&PackageName> {
    match own {
        Own::DistTags(package)
        | Own::DistTag { package, .. }
        | Own::Visibility(package)
        | Own::Collaborators(package)
        | Own::Access(package)
        | Own::Owners(package)
        | Own::Owner { package, .. }
        | Own::Status { package, .. }
        | Own::PackageStar(package)
        | Own::Exchange(package)
        | Own::StagePackage(package)
        | Own::Attestations { package, .. } => Some(package),
        Own::Ping
        | Own::Whoami
        | Own::Search
        | Own::Star
        | Own::StarredBy
        | Own::Stars { .. }
        | Own::PackagesOf { .. }
        | Own::User { .. }
        | Own::UserRevision { .. }
        | Own::Token { .. }
        | Own::Tokens
        | Own::TokenKey { .. }
        | Own::Profile
        | Own::Login
        | Own::Done { .. }
        | Own::Stage
        | Own::Staged { .. }
        | Own::StagedTarball { .. }
        | Own::StagedApproval { .. }
        | Own::Keys
        | Own::AuditBulk
        | Own::Audit
        | Own::AuditQuick => None,
    }
}

/// As if the package were not there.
fn hidden(target: &Target) -> Failure {
    match package(target) {
        Some(package) => CatalogError::UnknownPackage(npm(package.clone())).into(),
        None => Failure::not_served(""),
    }
}

/// Whether the caller may ask this of the routes of one template.
fn admitted(template: &str, method: &Method, caller: &Caller) -> Result<(), Failure> {
    let of_template = || ROUTES.iter().filter(|route| route.template == template);
    match of_template().find(|route| route.method == method.as_str()) {
        Some(route) => Ok(caller.meets(route.needs)?),
        None => Err(Failure::method(method, &of_template().map(|route| route.method).collect::<Vec<&str>>().join(", "))),
    }
}

impl Registry {
    /// Answers every path that is not Airlock's own. Says with the answer which route it was, if it was any.
    pub async fn answer(&self, request: &Parts, body: Body, caller: &Caller) -> (Response, Option<&'static str>) {
        let call = Call { request, caller, body };
        let (template, answered) = match path::parse(attestations::without_prefix(request.uri.path(), &caller.base)) {
            Ok(target) => match template(&target) {
                Some(template) => match admitted(template, &request.method, caller) {
                    Ok(()) if self.hides(&target, caller) => (Some(template), Err(hidden(&target))),
                    Ok(()) => (Some(template), self.of_target(call, target).await),
                    Err(failure) => (Some(template), Err(failure)),
                },
                None => (None, Err(call.not_served())),
            },
            Err(bad) => (None, Err(bad.into())),
        };
        (answered.unwrap_or_else(|failure| failure.response(&caller.base)), template)
    }

    /// Whether the package is one of which callers without a name are not told. A build that exchanges its identity for a token
    /// has no name yet.
    pub(super) fn hides(&self, target: &Target, caller: &Caller) -> bool {
        caller.name.is_none()
            && self.catalog.has_restricted()
            && !matches!(target, Target::Own(Own::Exchange(_)))
            && package(target).is_some_and(|package| self.catalog.is_restricted(&npm(package.clone())))
    }

    /// What is asked all day is answered in place; everything else lies on the heap while it waits.
    async fn of_target(&self, call: Call<'_>, target: Target) -> Result<Response, Failure> {
        match target {
            Target::Packument(package) if call.is_reading() => self.packument(&call.asked(), package).await,
            Target::Packument(package) => Box::pin(publish::put(self, call, package)).await,
            Target::VersionOrTag { package, wanted } => self.version(&call.asked(), package, &wanted).await,
            Target::Tarball(tarball) => self.tarball(&call.asked(), tarball).await,
            Target::Revision { package, revision } if call.is_deleting() => {
                Box::pin(manage::withdraw_all(self, call, package, revision)).await
            }
            Target::Revision { package, revision } => Box::pin(manage::replace(self, call, package, revision)).await,
            Target::TarballRevision { tarball, revision } => Box::pin(manage::withdraw(self, call, tarball, revision)).await,
            Target::Own(own) => Box::pin(self.of_own(call, own)).await,
            Target::NotServed => Err(call.not_served()),
        }
    }

    async fn of_own(&self, call: Call<'_>, own: Own) -> Result<Response, Failure> {
        match own {
            Own::Ping => Ok(json(StatusCode::OK, Bytes::from_static(b"{}"))),
            Own::Whoami => profile::whoami(&call),
            Own::Search => search::search(self, call).await,
            Own::DistTags(package) => self.dist_tags(package).await,
            Own::DistTag { package, tag } if call.is_deleting() => manage::untag(self, call, package, tag).await,
            Own::DistTag { package, tag } => manage::tag(self, call, package, tag).await,
            Own::Visibility(package) => manage::visibility(self, call, package).await,
            Own::Collaborators(package) => manage::collaborators(self, call, package).await,
            Own::Access(package) if call.is_reading() => manage::access(self, call, package).await,
            Own::Access(package) => manage::restrict(self, call, package).await,
            Own::Owners(package) => manage::add_owner(self, call, package).await,
            Own::Owner { package, user } => manage::remove_owner(self, call, package, user).await,
            Own::Status { package, version } => status::status(self, call, package, version).await,
            Own::Star => manage::star(self, call, None).await,
            Own::PackageStar(package) => manage::star(self, call, Some(package)).await,
            Own::StarredBy => manage::starred_by(self, call).await,
            Own::Stars { user } => manage::stars(self, call, user).await,
            Own::PackagesOf { user } => manage::packages_of(self, call, user).await,
            Own::User { user } if call.is_reading() => login::user(self, call, user).await,
            Own::User { user } => login::sign_in(self, call, user).await,
            // Whoever writes over a user's document signs in as that user.
            Own::UserRevision { user, revision: _ } => login::sign_in(self, call, user).await,
            Own::Token { token } => tokens::give_up(self, call, token).await,
            Own::Tokens if call.is_reading() => tokens::list(self, call).await,
            Own::Tokens => tokens::make(self, call).await,
            Own::TokenKey { key } => tokens::revoke(self, call, key).await,
            Own::Profile if call.is_reading() => profile::read(self, call).await,
            Own::Profile => profile::change(self, call).await,
            Own::Login => web::begin(self, call).await,
            Own::Done { session } => web::poll(self, call, session).await,
            Own::Exchange(package) => exchange::exchange(self, call, package).await,
            Own::StagePackage(package) => publish::stage(self, call, package).await,
            Own::Stage => stage::list(self, call).await,
            Own::Staged { id } if call.is_deleting() => stage::reject(self, call, id).await,
            Own::Staged { id } => stage::view(self, call, id).await,
            Own::StagedTarball { id } => stage::tarball(self, call, id).await,
            Own::StagedApproval { id } => stage::approve(self, call, id).await,
            Own::Keys => keys::keys(self, call).await,
            Own::Attestations { package, wanted } => attestations::attestations(self, call, package, wanted).await,
            Own::AuditBulk => audit::bulk(self, call).await,
            Own::Audit | Own::AuditQuick => audit::quick(self, call).await,
        }
    }
}
