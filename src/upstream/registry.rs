//! One upstream: its origin and credentials, its breaker, and the fetches under way. A fetch is up to `retries + 1`
//! attempts; an attempt is a request and the redirects that follow from it.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use tokio::sync::Semaphore;
use tokio::sync::SemaphorePermit;
use url::Origin;
use url::Url;

use crate::clock::Clock;
use crate::config::upstream::Secret;
use crate::upstream::Condition;
use crate::upstream::Document;
use crate::upstream::Validators;
use crate::upstream::breaker::Breaker;
use crate::upstream::breaker::Pass;
use crate::upstream::client::Ask;
use crate::upstream::client::Client;
use crate::upstream::client::Heard;
use crate::upstream::coalesce::FLIGHTS_MAX;
use crate::upstream::coalesce::Flights;
use crate::upstream::coalesce::Lost;
use crate::upstream::error::UpstreamError;
use crate::upstream::guard::Guard;
use crate::upstream::origins::Origins;
use crate::upstream::origins::REDIRECTS_MAX;
use crate::upstream::origins::Trust;
use crate::upstream::origins::Wanted;
use crate::upstream::patience::Backoff;
use crate::upstream::patience::RETRY_AFTER_WAIT_MAX;

/// Fetches that talk to one upstream at once; the others wait their turn.
const FETCHES_MAX: usize = 64;
/// Whatever the configuration says.
const RETRIES_MAX: u32 = 10;
/// Keys of a registry, statements about a release: some ten kilobytes.
const NOTE_BYTES_MAX: u64 = 4 * 1_024 * 1_024;
/// The largest answer to what was posted: advisories of some thousand packages are a few megabytes.
const POSTED_BYTES_MAX: u64 = 32 * 1_024 * 1_024;

/// What an upstream is made of.
pub struct Setup {
    /// `default` or `@scope`.
    pub name: String,
    pub origins: Origins,
    pub token: Option<Secret>,
    pub index_bytes_max: u64,
    pub artifact_bytes_max: u64,
    pub timeout: Duration,
    pub retries: u32,
    pub backoff: Backoff,
    /// For the origins that the operator configured.
    pub client: Client,
    /// For all others.
    pub guard: Guard,
    pub guarded: Arc<Client>,
    /// Shared by all upstreams.
    pub listed: Arc<Vec<(Origin, Breaker)>>,
    pub clock: Clock,
}

#[derive(Debug)]
pub struct Registry {
    name: String,
    origins: Origins,
    credentials: Option<HeaderValue>,
    index_bytes_max: u64,
    artifact_bytes_max: u64,
    timeout: Duration,
    retries: u32,
    backoff: Backoff,
    client: Client,
    guard: Guard,
    guarded: Arc<Client>,
    listed: Arc<Vec<(Origin, Breaker)>>,
    breaker: Breaker,
    turns: Semaphore,
    flights: Flights<Errand, Result<Document, UpstreamError>>,
    requests: AtomicU64,
    failures: AtomicU64,
    retried: AtomicU64,
}

/// What makes two fetches the same.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Errand {
    wanted: Wanted,
    url: Url,
    trust: Trust,
    validators: Option<Validators>,
}

impl Registry {
    pub fn new(setup: Setup) -> Result<Registry, UpstreamError> {
        let credentials = match &setup.token {
            Some(token) => Some(bearer(token).map_err(|why| UpstreamError::Setup { name: setup.name.clone(), why })?),
            None => None,
        };
        Ok(Registry {
            name: setup.name,
            origins: setup.origins,
            credentials,
            index_bytes_max: setup.index_bytes_max,
            artifact_bytes_max: setup.artifact_bytes_max,
            timeout: setup.timeout,
            retries: setup.retries.min(RETRIES_MAX),
            backoff: setup.backoff,
            client: setup.client,
            guard: setup.guard,
            guarded: setup.guarded,
            listed: setup.listed,
            breaker: Breaker::new(setup.clock),
            turns: Semaphore::new(FETCHES_MAX),
            flights: Flights::new(FLIGHTS_MAX),
            requests: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            retried: AtomicU64::new(0),
        })
    }

    pub async fn document(self: &Arc<Self>, path: &str, validators: Option<&Validators>) -> Result<Document, UpstreamError> {
        let url = self.origins.under_base(path)?;
        // Without any value the request would not be conditional.
        let validators = validators.filter(|known| known.etag.is_some() || known.last_modified.is_some()).cloned();
        self.share(Errand { wanted: Wanted::Document, url, trust: Trust::Home, validators }).await
    }

    /// As [`Registry::document`], of what is small: keys, statements.
    pub async fn note(self: &Arc<Self>, path: &str) -> Result<Document, UpstreamError> {
        let url = self.origins.under_base(path)?;
        self.share(Errand { wanted: Wanted::Note, url, trust: Trust::Home, validators: None }).await
    }

    pub async fn artifact(self: &Arc<Self>, location: &str, fallback_path: &str) -> Result<Bytes, UpstreamError> {
        let (url, trust) = self.origins.artifact(location, fallback_path)?;
        match self.share(Errand { wanted: Wanted::Artifact, url, trust, validators: None }).await? {
            Document::Fresh { body, validators: _ } => Ok(body),
            Document::Missing => Err(UpstreamError::Missing),
            Document::Unchanged => Err(UpstreamError::Garbled { why: "unchanged, though nothing was known" }),
        }
    }

    /// Posts JSON to `path` under the base, once. `None`: this upstream has nothing there.
    pub async fn post(&self, path: &str, body: Bytes) -> Result<Option<Bytes>, UpstreamError> {
        let url = self.origins.under_base(path)?;
        let _turn = self.turn().await?;
        let pass = self.breaker.admit().map_err(|retry_after| UpstreamError::BreakerOpen { retry_after })?;
        self.requests.fetch_add(1, Ordering::Relaxed);
        let heard = self.client.post(&url, body, self.credentials.as_ref(), POSTED_BYTES_MAX).await;
        self.count(url.host_str().unwrap_or_default(), Some(pass), heard.as_ref().err());
        if let Err(error) = &heard {
            self.log(&url, error);
        }
        heard
    }

    pub fn condition(&self) -> Condition {
        Condition {
            name: self.name.clone(),
            origin: self.origins.base().origin().ascii_serialization(),
            breaker_open: self.breaker.is_open(),
            requests: self.requests.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
            retries: self.retried.load(Ordering::Relaxed),
            coalesced: self.flights.joined(),
        }
    }

    async fn share(self: &Arc<Self>, errand: Errand) -> Result<Document, UpstreamError> {
        let registry = Arc::clone(self);
        let task = errand.clone();
        let fetch = async move {
            let fetched = registry.fetch(&task).await;
            if let Err(error) = &fetched {
                registry.log(&task.url, error);
            }
            fetched
        };
        let lost = match self.flights.join(errand.clone(), fetch).await {
            Ok(fetched) => return fetched,
            Err(lost) => lost,
        };
        let error = match lost {
            Lost::Full => UpstreamError::Busy { retry_after: None },
            Lost::Crashed => UpstreamError::Crashed,
        };
        self.log(&errand.url, &error);
        Err(error)
    }

    async fn turn(&self) -> Result<SemaphorePermit<'_>, UpstreamError> {
        match tokio::time::timeout(self.timeout, self.turns.acquire()).await {
            Ok(Ok(turn)) => Ok(turn),
            Ok(Err(_)) | Err(_) => Err(UpstreamError::Busy { retry_after: None }),
        }
    }

    async fn fetch(&self, errand: &Errand) -> Result<Document, UpstreamError> {
        let _turn = self.turn().await?;
        let mut retries_done = 0;
        loop {
            let error = match self.attempt(errand).await {
                Ok(document) => return Ok(document),
                Err(error) => error,
            };
            let asked = error.retry_after().unwrap_or(Duration::ZERO);
            if !error.is_worth_a_retry() || retries_done >= self.retries || asked > RETRY_AFTER_WAIT_MAX {
                return Err(error);
            }
            tokio::time::sleep(self.backoff.pause(retries_done).max(asked)).await;
            retries_done += 1;
            self.retried.fetch_add(1, Ordering::Relaxed);
        }
    }

    async fn attempt(&self, errand: &Errand) -> Result<Document, UpstreamError> {
        let deadline = self.client.deadline();
        let mut url = errand.url.clone();
        let mut trust = errand.trust;
        for _ in 0..=REDIRECTS_MAX {
            let ask = Ask {
                url: &url,
                wanted: errand.wanted,
                validators: errand.validators.as_ref(),
                credentials: self.credentials.as_ref().filter(|_| trust == Trust::Home),
                body_bytes_max: match errand.wanted {
                    Wanted::Document => self.index_bytes_max,
                    Wanted::Note => NOTE_BYTES_MAX.min(self.index_bytes_max),
                    Wanted::Artifact => self.artifact_bytes_max,
                },
                deadline,
            };
            match self.hop(&ask, trust).await? {
                Heard::Document(document) => return Ok(document),
                Heard::Elsewhere(location) => (url, trust) = self.origins.next_hop(errand.wanted, &url, trust, &location)?,
            }
        }
        Err(UpstreamError::Redirects { max: REDIRECTS_MAX })
    }

    /// One request. A foreign host has no breaker: its failures say nothing about the upstream.
    async fn hop(&self, ask: &Ask<'_>, trust: Trust) -> Result<Heard, UpstreamError> {
        let (client, breaker) = match trust {
            Trust::Home | Trust::Listed => (&self.client, self.breaker(&ask.url.origin())),
            Trust::Foreign => {
                self.guard
                    .vet_literal(ask.url)
                    .map_err(|forbidden| UpstreamError::ForbiddenAddress { host: forbidden.host, address: forbidden.address })?;
                (&*self.guarded, None)
            }
        };
        let pass = match breaker {
            Some(breaker) => Some(breaker.admit().map_err(|retry_after| UpstreamError::BreakerOpen { retry_after })?),
            None => None,
        };
        self.requests.fetch_add(1, Ordering::Relaxed);
        let heard = client.ask(ask).await;
        self.count(ask.url.host_str().unwrap_or_default(), pass, heard.as_ref().err());
        heard
    }

    /// What one request says of the upstream.
    fn count(&self, host: &str, pass: Option<Pass<'_>>, error: Option<&UpstreamError>) {
        let failed = error.filter(|error| error.is_worth_a_retry());
        if failed.is_some() {
            self.failures.fetch_add(1, Ordering::Relaxed);
        }
        match (pass, failed) {
            (Some(pass), Some(error)) => {
                if pass.failed(error.retry_after()) {
                    tracing::warn!(upstream = self.name, host, "upstream fails repeatedly, it is left alone for a while");
                }
            }
            (Some(pass), None) => {
                if pass.succeeded() {
                    tracing::info!(upstream = self.name, host, "upstream answers again");
                }
            }
            (None, _) => {}
        }
    }

    fn breaker(&self, origin: &Origin) -> Option<&Breaker> {
        if *origin == self.origins.base().origin() {
            return Some(&self.breaker);
        }
        self.listed.iter().find(|(listed, _)| listed == origin).map(|(_, breaker)| breaker)
    }

    /// The one place where a failed fetch is logged: host and path, never the query.
    fn log(&self, url: &Url, error: &UpstreamError) {
        let host = url.host_str().unwrap_or_default();
        let path = url.path();
        match error {
            // The opening was logged.
            UpstreamError::BreakerOpen { .. } => tracing::debug!(upstream = self.name, host, path, %error, "fetch failed"),
            other => tracing::warn!(upstream = self.name, host, path, error = %other, "fetch failed"),
        }
    }
}

fn bearer(token: &Secret) -> Result<HeaderValue, String> {
    let mut value = HeaderValue::from_str(&format!("Bearer {}", token.reveal()))
        .map_err(|_| "its token has characters that fit no header".to_owned())?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::upstream::Upstream;
    use crate::model::package::PackageId;
    use crate::upstream::Upstreams;

    #[tokio::test]
    async fn a_fetch_that_gets_no_turn_in_time_is_told_to_come_back() {
        let config = Upstream { timeout: Duration::from_millis(10), ..Upstream::default() };
        let base = Url::parse("http://127.0.0.1:9/").unwrap();
        let upstreams = Upstreams::new(&config, base, "me", Clock::system()).unwrap();
        let _all = upstreams.default.turns.acquire_many(u32::try_from(FETCHES_MAX).unwrap()).await.unwrap();
        let answer = upstreams.document(&PackageId::npm("a").unwrap(), "a", None).await;
        assert_eq!(answer, Err(UpstreamError::Busy { retry_after: None }));
        assert_eq!(upstreams.condition()[0].requests, 0);
    }
}
