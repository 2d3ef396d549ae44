//! Rendered bodies within a budget of bytes, each in the coding that somebody asked for. A hit parses nothing, compresses
//! nothing and copies no body.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use futures_util::future::Shared;
use quick_cache::Equivalent;
use quick_cache::OptionsBuilder;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use quick_cache::sync::DefaultLifecycle;
use tokio::sync::Semaphore;

use crate::http::arena::Arena;
use crate::http::problem::Problem;
use crate::http::rendered::Coding;
use crate::http::rendered::Manner;
use crate::http::rendered::Rendered;
use crate::model::digest::DocumentDigest;

/// What rendered bodies may take in memory when nobody says otherwise.
pub const BODY_CACHE_BYTES: u64 = 64 * 1024 * 1024;

/// Bodies built at the same time; more wait. Each may hold a large document several times over.
const BUILDS_AT_ONCE_MAX: usize = 4;

/// Which body: nothing else may influence what `build` returns.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct BodyKey<'k> {
    /// Of everything the body is made from: the exposed package.
    pub stamp: DocumentDigest,
    /// The client-visible base, because bodies hold links.
    pub base: &'k str,
    /// The form, `full`, `abbreviated`, `version/1.3.0`.
    pub form: &'k str,
    pub coding: Coding,
}

/// A [`BodyKey`] that is kept; hashes as that one does, by having its fields in its order.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct KeptKey {
    stamp: DocumentDigest,
    base: Box<str>,
    form: Box<str>,
    coding: Coding,
}

impl BodyKey<'_> {
    fn kept(&self) -> KeptKey {
        KeptKey { stamp: self.stamp, base: self.base.into(), form: self.form.into(), coding: self.coding }
    }
}

impl KeptKey {
    fn borrowed(&self) -> BodyKey<'_> {
        BodyKey { stamp: self.stamp, base: &self.base, form: &self.form, coding: self.coding }
    }
}

impl Equivalent<KeptKey> for BodyKey<'_> {
    fn equivalent(&self, kept: &KeptKey) -> bool {
        *self == kept.borrowed()
    }
}

type Flight = Shared<BoxFuture<'static, Result<Rendered, Problem>>>;

#[derive(Clone)]
struct ByBytes;

impl Weighter<KeptKey, Rendered> for ByBytes {
    fn weight(&self, _: &KeptKey, rendered: &Rendered) -> u64 {
        rendered.weight()
    }
}

/// Rendered bodies within a budget; the least wanted go first.
pub struct BodyCache {
    kept: Cache<KeptKey, Rendered, ByBytes>,
    /// `None` where the system has no such file.
    arena: Option<Arena>,
    flights: Mutex<HashMap<KeptKey, Flight>>,
    builds: Semaphore,
    hits: AtomicU64,
    builds_total: AtomicU64,
}

/// How the cache fares, for metrics.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct BodyCacheCondition {
    pub hits: u64,
    pub builds: u64,
    pub entries: u64,
    pub bytes: u64,
}

impl BodyCache {
    /// # Panics
    /// Never: the options are complete.
    pub fn new(bytes_max: u64) -> BodyCache {
        const BODY_BYTES_TYPICAL: u64 = 32 * 1024;
        // One shard, so that a single large body may take most of the budget.
        let entries = usize::try_from(bytes_max / BODY_BYTES_TYPICAL).unwrap_or(usize::MAX).clamp(64, 1_000_000);
        #[expect(clippy::expect_used, reason = "build fails only when a capacity is missing, and both are set here")]
        let options = OptionsBuilder::new()
            .shards(1)
            .estimated_items_capacity(entries)
            .weight_capacity(bytes_max)
            .build()
            .expect("both capacities are set");
        BodyCache {
            kept: Cache::with_options(options, ByBytes, quick_cache::DefaultHashBuilder::default(), DefaultLifecycle::default()),
            arena: Arena::new().inspect_err(|error| tracing::warn!(%error, "no file in memory: bodies are copied for each client")).ok(),
            flights: Mutex::new(HashMap::new()),
            builds: Semaphore::new(BUILDS_AT_ONCE_MAX),
            hits: AtomicU64::new(0),
            builds_total: AtomicU64::new(0),
        }
    }

    /// The body for `key`, if it is kept.
    pub fn kept(&self, key: &BodyKey<'_>) -> Option<Rendered> {
        let rendered = self.kept.get(key);
        self.hits.fetch_add(u64::from(rendered.is_some()), Ordering::Relaxed);
        rendered
    }

    /// The body for `key`; built by the first who asks, off the async threads, while all others wait for the same build.
    /// A build goes on when its callers go away. `build` returns the plain body.
    ///
    /// # Errors
    /// Those of `build`; a build that panics is an internal problem. Failures are not kept.
    pub async fn get_or_build<F>(self: &Arc<BodyCache>, key: BodyKey<'_>, manner: Manner, build: F) -> Result<Rendered, Problem>
    where
        F: FnOnce() -> Result<Bytes, Problem> + Send + 'static,
    {
        if let Some(rendered) = self.kept.get(&key) {
            self.hits.fetch_add(1, Ordering::Relaxed);
            return Ok(rendered);
        }
        let flight = {
            let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
            // A flight ends by being kept first and forgotten second, so one of the two is seen here.
            if let Some(rendered) = self.kept.get(&key) {
                self.hits.fetch_add(1, Ordering::Relaxed);
                return Ok(rendered);
            }
            let id = key.kept();
            flights.entry(id.clone()).or_insert_with(|| self.take_off(id, manner, build)).clone()
        };
        flight.await
    }

    fn take_off<F>(self: &Arc<BodyCache>, id: KeptKey, manner: Manner, build: F) -> Flight
    where
        F: FnOnce() -> Result<Bytes, Problem> + Send + 'static,
    {
        let cache = Arc::clone(self);
        let task = tokio::spawn(async move {
            let landing = Landing { cache: &cache, id: &id };
            let permit = cache.builds.acquire().await;
            cache.builds_total.fetch_add(1, Ordering::Relaxed);
            let of = id.clone();
            let arena = Arc::clone(&cache);
            let render = move || build().map(|plain| Rendered::new(&of.borrowed(), &manner, plain, arena.arena.as_ref()));
            let built = tokio::task::spawn_blocking(render).await;
            drop(permit);
            let built = built.map_err(|error| Problem::internal(format!("rendering a body failed: {error}"))).flatten();
            if let Ok(rendered) = &built {
                cache.kept.insert(id.clone(), rendered.clone());
            }
            drop(landing);
            built
        });
        task.map(|ended| ended.map_err(|error| Problem::internal(format!("rendering a body failed: {error}"))).flatten()).boxed().shared()
    }

    pub fn condition(&self) -> BodyCacheCondition {
        BodyCacheCondition {
            hits: self.hits.load(Ordering::Relaxed),
            builds: self.builds_total.load(Ordering::Relaxed),
            entries: u64::try_from(self.kept.len()).unwrap_or(u64::MAX),
            bytes: self.kept.weight(),
        }
    }
}

/// Forgets a flight however it ends.
struct Landing<'c> {
    cache: &'c BodyCache,
    id: &'c KeptKey,
}

impl Drop for Landing<'_> {
    fn drop(&mut self) {
        self.cache.flights.lock().unwrap_or_else(PoisonError::into_inner).remove(self.id);
    }
}

#[cfg(test)]
mod tests;
