//! One request to one address and its answer, read whole within limits of time and size. The only file that knows reqwest.
//! No redirect is followed here, no client's header is forwarded, no cookie is kept.

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use bytes::BytesMut;
use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::StatusCode;
use http::header;
use reqwest::dns::Addrs;
use reqwest::dns::Name;
use reqwest::dns::Resolve;
use reqwest::dns::Resolving;
use tokio::sync::mpsc;
use tokio::time::Instant;
use url::Host;
use url::Url;

use crate::clock::Clock;
use crate::upstream::Document;
use crate::upstream::Validators;
use crate::upstream::error::UpstreamError;
use crate::upstream::guard::Forbidden;
use crate::upstream::guard::Guard;
use crate::upstream::guard::NoAddress;
use crate::upstream::origins::Wanted;
use crate::upstream::patience::retry_after;

/// Sent with every request: the instance that asks.
pub const VIA: HeaderName = HeaderName::from_static("airlock-via");
/// Set by Airlock's server on every answer: the instance that answers.
pub const INSTANCE: HeaderName = HeaderName::from_static("airlock-instance");

const USER_AGENT: &str = concat!("airlock/", env!("CARGO_PKG_VERSION"));
const CONNECT_TIMEOUT_MAX: Duration = Duration::from_secs(10);
/// Below what servers usually keep, so that a connection is rarely closed under a request.
const IDLE_CONNECTION: Duration = Duration::from_secs(45);
const IDLE_CONNECTIONS_MAX: usize = 32;
/// One attempt, its redirects and whole body included, takes at most this many times the configured timeout.
const ATTEMPT_TIMEOUTS: u32 = 10;
/// Room for a body that is made before its first byte has come.
const FIRST_BYTES_MAX: u64 = 1024 * 1024;
/// A longer ETag or Last-Modified is not kept.
const VALIDATOR_BYTES_MAX: usize = 1_024;
const CAUSES_MAX: usize = 8;

/// Which addresses a client connects to.
pub enum Reach {
    /// Hosts that the operator configured, private ones too. The usual proxy variables hold, except for this machine.
    Configured { base: Url },
    /// Hosts that only a redirect named. No proxy, because a proxy would resolve the name again, unguarded.
    Guarded(Guard),
}

pub struct Client {
    http: reqwest::Client,
    instance: HeaderValue,
    timeout: Duration,
    clock: Clock,
}

pub struct Ask<'a> {
    pub url: &'a Url,
    pub wanted: Wanted,
    pub validators: Option<&'a Validators>,
    /// A whole Authorization header.
    pub credentials: Option<&'a HeaderValue>,
    /// Decoded.
    pub body_bytes_max: u64,
    pub deadline: Instant,
}

pub enum Heard {
    Document(Document),
    /// As the Location header says it.
    Elsewhere(String),
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client")
    }
}

/// Makes ring the process's TLS provider, unless there is one already.
fn install_crypto() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // It fails only when another thread was faster, with the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}

impl Client {
    /// Errs with why it cannot be built.
    pub fn new(reach: Reach, instance: &str, timeout: Duration, clock: Clock) -> Result<Client, String> {
        install_crypto();
        let instance = HeaderValue::from_str(instance).map_err(|_| "the instance's name fits no header".to_owned())?;
        let needs_roots = match &reach {
            Reach::Configured { base } => base.scheme() == "https",
            Reach::Guarded(_) => false,
        };
        let builder = || {
            let builder = reqwest::Client::builder()
                .user_agent(USER_AGENT)
                .redirect(reqwest::redirect::Policy::none())
                .referer(false)
                .tcp_nodelay(true)
                .connect_timeout(timeout.min(CONNECT_TIMEOUT_MAX))
                .pool_idle_timeout(IDLE_CONNECTION)
                .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX);
            match &reach {
                Reach::Configured { base } if is_this_machine(base) => builder.no_proxy(),
                Reach::Configured { .. } => builder,
                Reach::Guarded(guard) => builder.no_proxy().dns_resolver(Arc::new(GuardedNames(guard.clone()))),
            }
        };
        let http = match builder().build() {
            Ok(http) => http,
            Err(error) if needs_roots => return Err(causes(&error)),
            // A machine without certificates can still use an http upstream. With no roots every https host is refused.
            Err(error) => {
                tracing::warn!(why = causes(&error), "no trust roots: https hosts cannot be asked");
                builder().tls_certs_only([]).build().map_err(|error| causes(&error))?
            }
        };
        Ok(Client { http, instance, timeout, clock })
    }

    /// When an attempt that starts now is given up.
    pub fn deadline(&self) -> Instant {
        Instant::now() + self.timeout * ATTEMPT_TIMEOUTS
    }

    pub async fn ask(&self, ask: &Ask<'_>) -> Result<Heard, UpstreamError> {
        let host = ask.url.host_str().unwrap_or_default();
        let sent = self.in_time(host, ask.deadline, self.request(ask).send()).await?;
        let response = sent.map_err(|error| fault(host, &error, Phase::Head))?;
        if response.headers().get(INSTANCE) == Some(&self.instance) {
            return Err(UpstreamError::Loop);
        }
        let status = response.status();
        match status.as_u16() {
            200 => self.read(ask, response).await.map(Heard::Document),
            304 if ask.validators.is_some() => Ok(Heard::Document(Document::Unchanged)),
            404 | 410 => Ok(Heard::Document(Document::Missing)),
            301 | 302 | 303 | 307 | 308 => match text(response.headers(), &header::LOCATION, usize::MAX) {
                Some(location) => Ok(Heard::Elsewhere(location)),
                None => Err(UpstreamError::Garbled { why: "a redirect to nowhere" }),
            },
            _ => Err(self.refusal(status, response.headers())),
        }
    }

    /// Sends the request as it is, with this instance's name, and gives the answer as it is, whatever its status; redirects
    /// are answers. The body counts decoded.
    pub async fn send(&self, request: http::Request<Vec<u8>>, body_bytes_max: u64) -> Result<http::Response<Vec<u8>>, UpstreamError> {
        let (head, body) = request.into_parts();
        let url = Url::parse(&head.uri.to_string()).map_err(|_| UpstreamError::Garbled { why: "an address that is none" })?;
        let host = url.host_str().unwrap_or_default().to_owned();
        let deadline = self.deadline();
        let request = self.http.request(head.method, url).headers(head.headers).header(VIA, self.instance.clone()).body(body);
        let sent = self.in_time(&host, deadline, request.send()).await?;
        let mut response = sent.map_err(|error| fault(&host, &error, Phase::Head))?;
        if response.headers().get(INSTANCE) == Some(&self.instance) {
            return Err(UpstreamError::Loop);
        }
        let mut answer = http::Response::new(Vec::new());
        *answer.status_mut() = response.status();
        *answer.headers_mut() = response.headers().clone();
        *answer.body_mut() = self.whole(&host, deadline, body_bytes_max, &mut response).await?.into();
        Ok(answer)
    }

    /// Sends the request as it is, with this instance's name. That it was taken is all that counts of the answer.
    pub async fn tell(&self, request: http::Request<Vec<u8>>) -> Result<(), UpstreamError> {
        let (head, body) = request.into_parts();
        let url = Url::parse(&head.uri.to_string()).map_err(|_| UpstreamError::Garbled { why: "an address that is none" })?;
        let host = url.host_str().unwrap_or_default().to_owned();
        let request = self.http.request(head.method, url).headers(head.headers).header(VIA, self.instance.clone()).body(body);
        let sent = self.in_time(&host, self.deadline(), request.send()).await?;
        let answer = sent.map_err(|error| fault(&host, &error, Phase::Head))?;
        if answer.status().is_success() { Ok(()) } else { Err(self.refusal(answer.status(), answer.headers())) }
    }

    /// Posts JSON. `None`: there is nothing at this address that takes it.
    pub async fn post(
        &self,
        url: &Url,
        body: Bytes,
        credentials: Option<&HeaderValue>,
        body_bytes_max: u64,
    ) -> Result<Option<Bytes>, UpstreamError> {
        let request = http::Request::post(url.as_str());
        let request = request.header(header::CONTENT_TYPE, "application/json").header(header::ACCEPT, "application/json");
        let mut request = request.body(body.into()).map_err(|_| UpstreamError::Garbled { why: "an address that is none" })?;
        if let Some(credentials) = credentials {
            request.headers_mut().insert(header::AUTHORIZATION, credentials.clone());
        }
        let answer = self.send(request, body_bytes_max).await?;
        match answer.status().as_u16() {
            200 | 201 => Ok(Some(answer.into_body().into())),
            404 | 405 | 410 => Ok(None),
            _ => Err(self.refusal(answer.status(), answer.headers())),
        }
    }

    /// Hands on a body piece by piece as it comes, as it lies there: nobody encodes it on the way. Only 200 is an answer. It ends well
    /// where the receiver has heard enough and is gone.
    pub async fn pieces(&self, url: &Url, body_bytes_max: u64, deadline: Instant, to: &mpsc::Sender<Bytes>) -> Result<(), UpstreamError> {
        let host = url.host_str().unwrap_or_default();
        let request = self.http.get(url.clone()).header(VIA, self.instance.clone()).header(header::ACCEPT_ENCODING, "identity");
        let sent = self.in_time(host, deadline, request.send()).await?;
        let mut response = sent.map_err(|error| fault(host, &error, Phase::Head))?;
        match response.status().as_u16() {
            200 => {}
            404 | 410 => return Err(UpstreamError::Missing),
            _ => return Err(self.refusal(response.status(), response.headers())),
        }
        if text(response.headers(), &header::CONTENT_ENCODING, VALIDATOR_BYTES_MAX).is_some_and(|coding| coding != "identity") {
            return Err(UpstreamError::Garbled { why: "an encoding that was not asked for" });
        }
        let too_large = UpstreamError::TooLarge { max: body_bytes_max };
        let mut left = body_bytes_max;
        while let Some(chunk) = self.in_time(host, deadline, response.chunk()).await?.map_err(|error| fault(host, &error, Phase::Body))? {
            left = left.checked_sub(chunk.len() as u64).ok_or_else(|| too_large.clone())?;
            if to.send(chunk).await.is_err() {
                return Ok(());
            }
        }
        Ok(())
    }

    fn request(&self, ask: &Ask<'_>) -> reqwest::RequestBuilder {
        let mut request = self.http.get(ask.url.clone()).header(VIA, self.instance.clone());
        request = match ask.wanted {
            Wanted::Document | Wanted::Note => request.header(header::ACCEPT, "application/json"),
            // The bytes are hashed: nobody shall encode them on the way.
            Wanted::Artifact => request.header(header::ACCEPT, "*/*").header(header::ACCEPT_ENCODING, "identity"),
        };
        if let Some(credentials) = ask.credentials {
            request = request.header(header::AUTHORIZATION, credentials.clone());
        }
        if let Some(validators) = ask.validators {
            for (name, value) in [(header::IF_NONE_MATCH, &validators.etag), (header::IF_MODIFIED_SINCE, &validators.last_modified)] {
                if let Some(value) = value.as_deref().and_then(|value| HeaderValue::from_str(value).ok()) {
                    request = request.header(name, value);
                }
            }
        }
        request
    }

    fn refusal(&self, status: StatusCode, headers: &HeaderMap) -> UpstreamError {
        let retry_after = text(headers, &header::RETRY_AFTER, VALIDATOR_BYTES_MAX).and_then(|text| retry_after(&text, self.clock.now()));
        match status.as_u16() {
            429 => UpstreamError::Busy { retry_after },
            500..600 if retry_after.is_some() => UpstreamError::Busy { retry_after },
            status @ 500..600 => UpstreamError::Failing { status },
            status @ 400..500 => UpstreamError::Refused { status },
            _ => UpstreamError::Garbled { why: "a status that nobody asked for" },
        }
    }

    async fn read(&self, ask: &Ask<'_>, mut response: reqwest::Response) -> Result<Document, UpstreamError> {
        let validators = Validators {
            etag: text(response.headers(), &header::ETAG, VALIDATOR_BYTES_MAX),
            last_modified: text(response.headers(), &header::LAST_MODIFIED, VALIDATOR_BYTES_MAX),
        };
        let host = ask.url.host_str().unwrap_or_default();
        let body = self.whole(host, ask.deadline, ask.body_bytes_max, &mut response).await?;
        Ok(Document::Fresh { body, validators })
    }

    async fn whole(
        &self,
        host: &str,
        deadline: Instant,
        body_bytes_max: u64,
        response: &mut reqwest::Response,
    ) -> Result<Bytes, UpstreamError> {
        // A decoded gzip takes the header away; what is left was not asked for.
        match text(response.headers(), &header::CONTENT_ENCODING, VALIDATOR_BYTES_MAX).as_deref() {
            None | Some("" | "identity") => {}
            Some(_) => return Err(UpstreamError::Garbled { why: "an encoding that was not asked for" }),
        }
        let too_large = UpstreamError::TooLarge { max: body_bytes_max };
        let promised = response.content_length();
        if promised.is_some_and(|bytes| bytes > body_bytes_max) {
            return Err(too_large);
        }
        let room = promised.unwrap_or(0).min(FIRST_BYTES_MAX);
        let mut body = BytesMut::with_capacity(usize::try_from(room).unwrap_or(0));
        let body_bytes_max = usize::try_from(body_bytes_max).unwrap_or(usize::MAX);
        while let Some(chunk) = self.in_time(host, deadline, response.chunk()).await?.map_err(|error| fault(host, &error, Phase::Body))? {
            if chunk.len() > body_bytes_max - body.len() {
                return Err(too_large);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    }

    /// The head, and each next piece of a body, comes within the timeout, and all before the deadline.
    async fn in_time<T>(&self, host: &str, deadline: Instant, answer: impl Future<Output = T>) -> Result<T, UpstreamError> {
        let until = deadline.min(Instant::now() + self.timeout);
        tokio::time::timeout_at(until, answer)
            .await
            .map_err(|_| UpstreamError::Unreachable { host: host.to_owned(), why: "it took too long".to_owned() })
    }
}

fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(v4)) => v4.is_loopback(),
        Some(Host::Ipv6(v6)) => v6.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

fn text(headers: &HeaderMap, name: &HeaderName, bytes_max: usize) -> Option<String> {
    headers.get(name)?.to_str().ok().filter(|text| text.len() <= bytes_max).map(str::to_owned)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Head,
    Body,
}

fn fault(host: &str, error: &reqwest::Error, phase: Phase) -> UpstreamError {
    for cause in chain(error) {
        if let Some(forbidden) = cause.downcast_ref::<Forbidden>() {
            return UpstreamError::ForbiddenAddress { host: forbidden.host.clone(), address: forbidden.address };
        }
        let ended_early = cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::UnexpectedEof);
        if ended_early && phase == Phase::Body {
            return UpstreamError::Truncated;
        }
    }
    UpstreamError::Unreachable { host: host.to_owned(), why: causes(error) }
}

/// Not the error itself: its text has the URL, and that may have a signature in its query.
fn causes(error: &reqwest::Error) -> String {
    let causes: Vec<String> = chain(error).skip(1).map(ToString::to_string).collect();
    if causes.is_empty() { "the request failed".to_owned() } else { causes.join(": ") }
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source()).take(CAUSES_MAX)
}

/// The guard as reqwest's resolver: the address that was vetted is the one that is connected to.
struct GuardedNames(Guard);

impl Resolve for GuardedNames {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.0.clone();
        Box::pin(async move {
            let error: Box<dyn Error + Send + Sync> = match guard.resolve(name.as_str()).await {
                Ok(vetted) => return Ok(Box::new(vetted.into_iter()) as Addrs),
                // By itself, so that `fault` finds it.
                Err(NoAddress::Forbidden(forbidden)) => Box::new(forbidden),
                Err(error @ (NoAddress::Lookup(_) | NoAddress::None | NoAddress::TooMany)) => Box::new(error),
            };
            Err(error)
        })
    }
}
