//! A rendered body with all that its answers need, made once: conditional requests, HEAD, codings, lengths.

use std::io::Write;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;
use std::time::SystemTime;

use bytes::Bytes;
use data_encoding::HEXLOWER;
use flate2::Compression;
use flate2::Crc;
use flate2::write::GzEncoder;
use http::StatusCode;
use http::header;
use sha2::Digest as _;
use sha2::Sha256;

use crate::http::arena::Arena;
use crate::http::arena::Region;
use crate::http::body::FileBody;
use crate::http::cache::BodyKey;
use crate::http::fields;
use crate::http::fields::Fields;
use crate::http::ready;
use crate::http::ready::Content;
use crate::http::ready::Ready;
use crate::model::time::Timestamp;

/// What compresses to nearly nothing less is sent as it is: it fits into one packet anyway.
const GZIP_FROM_BYTES: usize = 1_024;

/// How tightly bodies are compressed while somebody waits. Of packuments from 0.5 to 7 MB, 6 makes nothing smaller by more
/// than a hundredth and takes a tenth longer; 3 takes a quarter less time for bodies that are larger by 9 to 15 hundredths.
const GZIP_LEVEL: u32 = 5;

/// Part of every tag: to be raised when equal things are rendered or compressed into other bytes than before.
const RENDERING_EDITION: u8 = 1;

/// Bodies that the system sends from a file. Smaller ones are copied sooner than sent in two steps; larger ones fill what a
/// connection takes at once, and then copying costs half of what sending from a file does.
const SENT_BY_SYSTEM: RangeInclusive<usize> = 16 * 1_024..=160 * 1_024;

/// Entries in an `If-None-Match` that are looked at.
const ETAGS_MAX: usize = 64;

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
    body: Kept,
    /// Of `body`; plain also where gzip was wanted and gains nothing.
    coding: Coding,
    /// What is sent with `body`.
    fields: Bytes,
    /// Of the two codings of this body, since a client may hold the other: its tag, and what tells that it still is the one.
    plain: (String, Bytes),
    gzip: (String, Bytes),
}

/// Where the bytes of a body are.
#[derive(Debug)]
enum Kept {
    Memory(Bytes),
    Arena(Arc<Region>),
}

impl Kept {
    /// `arena` is for bodies that the system sends with less work than they are copied with.
    fn new(bytes: Bytes, arena: Option<&Arena>) -> Kept {
        let arena = arena.filter(|_| SENT_BY_SYSTEM.contains(&bytes.len()));
        match arena.and_then(|arena| arena.keep(&bytes).ok()) {
            Some(region) => Kept::Arena(region),
            None => Kept::Memory(bytes),
        }
    }

    fn length(&self) -> u64 {
        match self {
            Kept::Memory(bytes) => bytes.len() as u64,
            Kept::Arena(region) => region.length(),
        }
    }

    fn content(&self) -> Content {
        match self {
            Kept::Memory(bytes) => Content::Memory(bytes.clone()),
            Kept::Arena(region) => Content::File(FileBody::of_region(Arc::clone(region))),
        }
    }
}

impl Rendered {
    /// Compresses: for megabytes, off the async threads. The tag is of what the body is made from, which `of` names, and of
    /// a checksum of the body, which another version of this program may write differently.
    pub fn new(of: &BodyKey<'_>, manner: &Manner, plain: Bytes, arena: Option<&Arena>) -> Rendered {
        let mut checksum = Crc::new();
        checksum.update(&plain);
        let mut hasher = Sha256::new();
        hasher.update([RENDERING_EDITION]);
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
            None => (snug(plain.into()), Coding::Plain),
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
        let body = Kept::new(bytes, arena);
        let length = body.length().to_string();
        let mut more = vec![(header::CONTENT_TYPE, manner.content_type), (header::CONTENT_LENGTH, &*length)];
        let (_, known) = match coding {
            Coding::Plain => &plain,
            Coding::Gzip => {
                more.push((header::CONTENT_ENCODING, "gzip"));
                &gzip
            }
        };
        let fields = Bytes::from([&known[..], &ready::fields(&more)].concat());
        Rendered(Arc::new(Parts { cache_control: manner.cache_control, last_modified, body, coding, fields, plain, gzip }))
    }

    /// The answer to GET or HEAD.
    pub fn ready<F: Fields>(&self, is_head: bool, request: &F) -> Ready {
        let parts = &self.0;
        let cache_control = parts.cache_control;
        if let Some((_, fields)) = parts.unchanged(request) {
            return Ready { status: StatusCode::NOT_MODIFIED, fields: fields.clone(), cache_control, content: Content::NONE };
        }
        let content = if is_head { Content::NONE } else { parts.body.content() };
        Ready { status: StatusCode::OK, fields: parts.fields.clone(), cache_control, content }
    }

    /// Of the body as it is sent, in bytes.
    pub fn length(&self) -> u64 {
        self.0.body.length()
    }

    /// In a cache, in bytes.
    pub fn weight(&self) -> u64 {
        const OVERHEAD_BYTES: u64 = 1_024;
        self.length() + OVERHEAD_BYTES
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
    encoder.finish().ok().map(snug)
}

/// Without the room that the text was written into and did not need: kept bodies took twice what the budget counts.
fn snug(mut text: Vec<u8>) -> Bytes {
    text.shrink_to_fit();
    Bytes::from(text)
}

#[cfg(test)]
mod tests;
