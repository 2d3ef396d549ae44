//! The registries outside: how they are asked, with which credentials and how much patience, and where a request may go.
//! Keeps nothing: fetching and keeping are joined in `catalog`.

mod breaker;
mod client;
pub mod coalesce;
mod error;
mod feed;
mod guard;
pub mod hook;
mod origins;
mod patience;
mod provider;
mod registry;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use url::Url;

use crate::clock::Clock;
use crate::config;
use crate::config::upstream::Secret;
use crate::model::package::PackageId;
use crate::upstream::breaker::Breaker;
use crate::upstream::client::Client;
use crate::upstream::client::Reach;
use crate::upstream::guard::Guard;
use crate::upstream::hook::Hook;
use crate::upstream::origins::Origins;
use crate::upstream::patience::Backoff;
use crate::upstream::registry::Registry;
use crate::upstream::registry::Setup;

pub use crate::upstream::client::INSTANCE as INSTANCE_HEADER;
pub use crate::upstream::client::VIA as VIA_HEADER;
pub use crate::upstream::error::UpstreamError;
pub use crate::upstream::feed::FeedHost;
pub use crate::upstream::provider::Provider;

/// What makes the next request for a document conditional: as upstream said it, weak tags too.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Validators {
    pub etag: Option<String>,
    pub last_modified: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Document {
    Fresh {
        body: Bytes,
        validators: Validators,
    },
    /// Only where validators were given.
    Unchanged,
    Missing,
}

/// How one upstream does, counted since the start.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Condition {
    /// `default` or the scope, such as `@acme`.
    pub name: String,
    /// `https://registry.example`, without credentials.
    pub origin: String,
    /// Half-open counts as open.
    pub breaker_open: bool,
    /// Requests sent, redirects and retries included.
    pub requests: u64,
    /// Of these, failed by transport, 5xx or 429.
    pub failures: u64,
    pub retries: u64,
    /// Callers that shared another's fetch.
    pub coalesced: u64,
}

/// The default upstream and one per scope.
#[derive(Debug)]
pub struct Upstreams {
    default: Arc<Registry>,
    scopes: BTreeMap<String, Arc<Registry>>,
    instance: String,
    clock: Clock,
}

/// What tests do differently: pauses and names.
struct Tuning {
    backoff: Backoff,
    guard: Guard,
}

impl Upstreams {
    /// `default_url` is where packages without a scope of their own are asked for: the configured one, or what npm on
    /// this machine uses. `instance` is this Airlock's own name, by which it knows itself in a loop.
    pub fn new(config: &config::upstream::Upstream, default_url: Url, instance: &str, clock: Clock) -> Result<Upstreams, UpstreamError> {
        let tuning = Tuning { backoff: Backoff::DEFAULT, guard: Guard::system() };
        Upstreams::build(config, &default_url, instance, &clock, &tuning)
    }

    fn build(
        config: &config::upstream::Upstream,
        default_url: &Url,
        instance: &str,
        clock: &Clock,
        tuning: &Tuning,
    ) -> Result<Upstreams, UpstreamError> {
        let client = |name: &str, reach: Reach| {
            Client::new(reach, instance, config.timeout, clock.clone()).map_err(|why| UpstreamError::Setup { name: name.to_owned(), why })
        };
        let guarded = Arc::new(client("default", Reach::Guarded(tuning.guard.clone()))?);
        let listed: Vec<_> = config.tarball_origins.iter().map(|url| (url.origin(), Breaker::new(clock.clone()))).collect();
        let listed = Arc::new(listed);
        let registry = |name: &str, url: &Url, token: &Option<Secret>| {
            let origins = Origins::new(url, &config.tarball_origins).map_err(|why| UpstreamError::Setup { name: name.to_owned(), why })?;
            Registry::new(Setup {
                name: name.to_owned(),
                client: client(name, Reach::Configured { base: origins.base().clone() })?,
                origins,
                token: token.clone(),
                index_bytes_max: config.index_bytes_max,
                artifact_bytes_max: config.artifact_bytes_max,
                timeout: config.timeout,
                retries: config.retries,
                backoff: tuning.backoff,
                guard: tuning.guard.clone(),
                guarded: Arc::clone(&guarded),
                listed: Arc::clone(&listed),
                clock: clock.clone(),
            })
            .map(Arc::new)
        };
        let mut scopes = BTreeMap::new();
        for (scope, other) in &config.scopes {
            scopes.insert(scope.clone(), registry(scope, &other.url, &other.token)?);
        }
        let default = registry("default", default_url, &config.token)?;
        Ok(Upstreams { default, scopes, instance: instance.to_owned(), clock: clock.clone() })
    }

    /// A document of the package. `path` is percent-encoded, relative to the upstream's base, without a leading slash.
    pub async fn document(&self, package: &PackageId, path: &str, validators: Option<&Validators>) -> Result<Document, UpstreamError> {
        self.of(package).document(path, validators).await
    }

    /// A file of the package, whole: `location` as its document said it where that may be asked, else `fallback_path`,
    /// which is percent-encoded and relative to the upstream's base. Whether these are the right bytes is not known here.
    pub async fn artifact(&self, package: &PackageId, location: &str, fallback_path: &str) -> Result<Bytes, UpstreamError> {
        self.of(package).artifact(location, fallback_path).await
    }

    /// The default upstream first, then the scopes by name.
    pub fn condition(&self) -> Vec<Condition> {
        std::iter::once(&self.default).chain(self.scopes.values()).map(|registry| registry.condition()).collect()
    }

    /// A document that is about no package, of the upstream of a scope, `@acme`, or of the default one, with that upstream's
    /// credentials only. `path` is as for `document`.
    pub async fn about_nothing(&self, scope: Option<&str>, path: &str) -> Result<Document, UpstreamError> {
        self.of_scope(scope).document(path, None).await
    }

    /// As `document`, of what is small: statements about a release.
    pub async fn note(&self, package: &PackageId, path: &str) -> Result<Document, UpstreamError> {
        self.of(package).note(path).await
    }

    /// As `about_nothing`, of what is small: a registry's keys.
    pub async fn note_about_nothing(&self, scope: Option<&str>, path: &str) -> Result<Document, UpstreamError> {
        self.of_scope(scope).note(path).await
    }

    /// The scopes that have an upstream of their own, `@acme`, in order.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        self.scopes.keys().map(String::as_str)
    }

    /// Posts JSON to the upstream of a scope, `@acme`, or to the default one: once, and with that upstream's credentials
    /// only. `path` is as for `document`. `None`: that upstream has no such endpoint.
    pub async fn post(&self, package_scope: Option<&str>, path: &str, body: Bytes) -> Result<Option<Bytes>, UpstreamError> {
        self.of_scope(package_scope).post(path, body).await
    }

    /// The scope, where it has an upstream of its own; `None` where its packages are the default one's.
    pub fn own_scope(&self, scope: Option<&str>) -> Option<&str> {
        scope.and_then(|scope| self.in_any_case(scope)).map(|(scope, _)| scope)
    }

    /// The identity provider at `issuer`. Keep it: it holds the connections.
    pub fn provider(&self, issuer: &Url) -> Result<Provider, UpstreamError> {
        Provider::new(issuer, &self.instance, self.clock.clone())
    }

    /// The feed of advisories under `base`. Keep it: it holds the connections.
    pub fn feed(&self, base: &Url) -> Result<FeedHost, UpstreamError> {
        FeedHost::new(base, &self.instance, self.clock.clone())
    }

    /// An address that is told things. `is_private`: it may be one of the network that Airlock stands in.
    pub fn hook(&self, url: &Url, is_private: bool) -> Result<Hook, UpstreamError> {
        Hook::new(url, is_private, &self.instance, self.clock.clone())
    }

    fn of(&self, package: &PackageId) -> &Arc<Registry> {
        self.of_scope(package.name.scope())
    }

    fn of_scope(&self, scope: Option<&str>) -> &Arc<Registry> {
        scope.and_then(|scope| self.in_any_case(scope)).map_or(&self.default, |(_, registry)| registry)
    }

    /// A scope in another case is not the default upstream's to answer for: nobody else hears of it.
    fn in_any_case(&self, scope: &str) -> Option<(&str, &Arc<Registry>)> {
        let exact = self.scopes.get_key_value(scope);
        let found = exact.or_else(|| self.scopes.iter().find(|(own, _)| own.eq_ignore_ascii_case(scope)));
        found.map(|(own, registry)| (own.as_str(), registry))
    }
}
