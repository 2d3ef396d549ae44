//! Rendered bodies within a budget of bytes, each in the coding that somebody asked for; and the answer made from one:
//! conditional requests, HEAD, lengths. A hit parses nothing, compresses nothing and copies no body.

use std::collections::HashMap;
use std::io::Write;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::SystemTime;

use bytes::Bytes;
use data_encoding::HEXLOWER;
use flate2::Compression;
use flate2::Crc;
use flate2::write::GzEncoder;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use futures_util::future::Shared;
use http::StatusCode;
use http::header;
use quick_cache::Equivalent;
use quick_cache::OptionsBuilder;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use quick_cache::sync::DefaultLifecycle;
use sha2::Digest as _;
use sha2::Sha256;
use tokio::sync::Semaphore;

use crate::http::fields;
use crate::http::fields::Fields;
use crate::http::problem::Problem;
use crate::http::ready;
use crate::http::ready::Content;
use crate::http::ready::Ready;
use crate::model::digest::DocumentDigest;
use crate::model::time::Timestamp;

/// What rendered bodies may take in memory when nobody says otherwise.
pub const BODY_CACHE_BYTES: u64 = 64 * 1024 * 1024;

/// Bodies built at the same time; more wait. Each may hold a large document several times over.
const BUILDS_AT_ONCE_MAX: usize = 4;

/// What compresses to nearly nothing less is sent as it is: it fits into one packet anyway.
const GZIP_FROM_BYTES: usize = 1_024;

/// How tightly bodies are compressed while somebody waits. Of packuments from 0.5 to 7 MB, 6 makes nothing smaller by more
/// than a hundredth and takes a tenth longer; 3 takes a quarter less time for bodies that are larger by 9 to 15 hundredths.
const GZIP_LEVEL: u32 = 5;

/// Entries in an `If-None-Match` that are looked at.
const ETAGS_MAX: usize = 64;

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

/// How a body is coded on its way. Nearly everyone asks for gzip, so that the plain form, ten times its size, is in memory
/// only where somebody wants it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Coding {
    Plain,
    Gzip,
}

impl Coding {
    /// The one that a client likes best.
    pub fn wanted<F: Fields>(request: &F) -> Coding {
        if accepts_gzip(request) { Coding::Gzip } else { Coding::Plain }
    }
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

/// What a body is sent with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Manner {
    pub content_type: &'static str,
    /// `no-cache` for what changes: kept by clients, asked again each time.
    pub cache_control: &'static str,
    pub last_modified: Option<Timestamp>,
}

/// A rendered body with all that its answers need. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Rendered(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    cache_control: &'static str,
    /// Whole seconds since the epoch, rounded up.
    last_modified: Option<u64>,
    bytes: Bytes,
    /// Of `bytes`; plain also where gzip was wanted and gains nothing.
    coding: Coding,
    /// What is sent with `bytes`.
    fields: Bytes,
    /// Of the two codings of this body, since a client may hold the other: its tag, and what tells that it still is the one.
    plain: (String, Bytes),
    gzip: (String, Bytes),
}

impl Rendered {
    /// Compresses: for megabytes, off the async threads. The tag is of what the body is made from, which `of` names, and of
    /// a checksum of the body, which another version of this program may write differently.
    pub fn new(of: &BodyKey<'_>, manner: &Manner, plain: Bytes) -> Rendered {
        let mut checksum = Crc::new();
        checksum.update(&plain);
        let mut hasher = Sha256::new();
        hasher.update(of.stamp.raw());
        hasher.update(manner.content_type);
        hasher.update([0]);
        hasher.update(of.base);
        hasher.update([0]);
        hasher.update(of.form);
        hasher.update([0]);
        hasher.update(checksum.sum().to_le_bytes());
        hasher.update(checksum.amount().to_le_bytes());
        let tag = HEXLOWER.encode(&hasher.finalize()[..16]);
        let packed = (of.coding == Coding::Gzip && plain.len() >= GZIP_FROM_BYTES).then(|| gzip(&plain)).flatten();
        let (bytes, coding) = match packed.filter(|packed| packed.len() < plain.len()) {
            Some(packed) => (packed, Coding::Gzip),
            None => (plain, Coding::Plain),
        };
        let last_modified = manner.last_modified.map(|at| u64::try_from(at.millis().max(0).saturating_add(999) / 1_000).unwrap_or(0));
        let modified = last_modified.map(|seconds| httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)));
        let unchanged = |etag: String| {
            let mut known = vec![(header::ETAG, &*etag), (header::VARY, "accept, accept-encoding")];
            known.extend(modified.as_deref().map(|text| (header::LAST_MODIFIED, text)));
            let fields = ready::fields(&known);
            (etag, fields)
        };
        let (plain, gzip) = (unchanged(format!("\"{tag}\"")), unchanged(format!("\"{tag}-gzip\"")));
        let length = bytes.len().to_string();
        let mut more = vec![(header::CONTENT_TYPE, manner.content_type), (header::CONTENT_LENGTH, &*length)];
        let (_, known) = match coding {
            Coding::Plain => &plain,
            Coding::Gzip => {
                more.push((header::CONTENT_ENCODING, "gzip"));
                &gzip
            }
        };
        let fields = Bytes::from([&known[..], &ready::fields(&more)].concat());
        Rendered(Arc::new(Parts { cache_control: manner.cache_control, last_modified, bytes, coding, fields, plain, gzip }))
    }

    /// The answer to GET or HEAD.
    pub fn ready<F: Fields>(&self, is_head: bool, request: &F) -> Ready {
        let parts = &self.0;
        let cache_control = parts.cache_control;
        if let Some((_, fields)) = parts.unchanged(request) {
            return Ready { status: StatusCode::NOT_MODIFIED, fields: fields.clone(), cache_control, content: Content::NONE };
        }
        let content = if is_head { Content::NONE } else { Content::Memory(parts.bytes.clone()) };
        Ready { status: StatusCode::OK, fields: parts.fields.clone(), cache_control, content }
    }

    /// As they are sent.
    pub fn bytes(&self) -> &Bytes {
        &self.0.bytes
    }

    fn weight(&self) -> u64 {
        const OVERHEAD_BYTES: usize = 1_024;
        u64::try_from(self.0.bytes.len() + OVERHEAD_BYTES).unwrap_or(u64::MAX)
    }
}

impl Parts {
    fn known(&self) -> &(String, Bytes) {
        match self.coding {
            Coding::Plain => &self.plain,
            Coding::Gzip => &self.gzip,
        }
    }

    /// The coding that the client still holds. `If-None-Match` beats `If-Modified-Since`. Source: RFC 9110, 13.2.2.
    fn unchanged<F: Fields>(&self, request: &F) -> Option<&(String, Bytes)> {
        if request.first(&header::IF_NONE_MATCH).is_some() {
            return etags(request).find_map(|tag| match tag {
                "*" => Some(self.known()),
                tag => [&self.plain, &self.gzip].into_iter().find(|(etag, _)| etag == tag),
            });
        }
        let modified = self.last_modified?;
        let since = fields::text(request.only(&header::IF_MODIFIED_SINCE).ok()??)?;
        let since = httpdate::parse_http_date(since).ok()?;
        let since = since.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
        (modified <= since).then_some(self.known())
    }
}

/// The opaque tags of all `If-None-Match` fields, weakness stripped, quotes kept. Tags of ours hold no comma.
fn etags<F: Fields>(request: &F) -> impl Iterator<Item = &str> {
    let tags = request.texts(&header::IF_NONE_MATCH).flat_map(|field| field.split(',')).map(str::trim).take(ETAGS_MAX);
    tags.map(|tag| tag.strip_prefix("W/").unwrap_or(tag))
}

/// Whether an `If-None-Match` names `etag`, or anything at all by `*`.
pub fn holds<F: Fields>(request: &F, etag: &str) -> bool {
    etags(request).any(|tag| tag == "*" || tag == etag)
}

/// Whether gzip is wanted at least as much as the plain form. Source: RFC 9110, 12.5.3.
fn accepts_gzip<F: Fields>(request: &F) -> bool {
    let (mut gzip, mut any, mut identity) = (None, None, None);
    for item in request.texts(&header::ACCEPT_ENCODING).flat_map(|field| field.split(',')) {
        let mut halves = item.split(';');
        let coding = halves.next().unwrap_or("").trim();
        let weight = halves.find_map(|half| half.trim().strip_prefix(['q', 'Q'])?.trim_start().strip_prefix('='));
        // What is no weight counts as a refusal: the plain form is always right.
        let weight = weight.map_or(1.0, |text| text.trim().parse::<f32>().ok().filter(|q| (0.0..=1.0).contains(q)).unwrap_or(0.0));
        match coding {
            "*" => any = Some(weight),
            coding if coding.eq_ignore_ascii_case("gzip") || coding.eq_ignore_ascii_case("x-gzip") => gzip = Some(weight),
            coding if coding.eq_ignore_ascii_case("identity") => identity = Some(weight),
            _ => {}
        }
    }
    let gzip = gzip.or(any).unwrap_or(0.0);
    gzip > 0.0 && gzip >= identity.unwrap_or(0.0)
}

fn gzip(plain: &[u8]) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(plain.len() / 6), Compression::new(GZIP_LEVEL));
    encoder.write_all(plain).ok()?;
    encoder.finish().ok().map(Bytes::from)
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
            let render = move || build().map(|plain| Rendered::new(&of.borrowed(), &manner, plain));
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
