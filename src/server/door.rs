//! What every request passes: it gets an id, is counted, logged and bounded; then it is let in under a base address and
//! as a known caller, or refused.

use std::borrow::Cow;
use std::future::poll_fn;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::response::IntoResponse;
use axum::response::Response;
use bytes::Bytes;
use futures_util::FutureExt;
use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::Method;
use http::Request;
use http::Uri;
use http::header;
use http::request::Parts;
use http_body::Frame;
use http_body::SizeHint;
use percent_encoding::percent_decode_str;
use tower::util::ServiceExt;
use tracing::Instrument;

use crate::clock::Clock;
use crate::http::caller::Caller;
use crate::http::caller::Callers;
use crate::http::incoming::Bounded;
use crate::http::incoming::stated_length;
use crate::http::incoming::too_large;
use crate::http::problem::Kind;
use crate::http::problem::Problem;
use crate::http::route::Matched;
use crate::server::limits;
use crate::server::origin::Origins;
use crate::server::router;
use crate::server::router::Site;
use crate::telemetry;
use crate::telemetry::line::Answered;
use crate::telemetry::numbers::Metrics;
use crate::telemetry::numbers::RequestLabels;
use crate::telemetry::numbers::RouteLabels;

/// The instance that answers, on every answer; by it an Airlock knows that its upstream is itself.
pub const INSTANCE: HeaderName = HeaderName::from_static("airlock-instance");
/// The instances a request came through.
pub const VIA: HeaderName = HeaderName::from_static("airlock-via");
pub const REQUEST_ID: HeaderName = HeaderName::from_static("airlock-request-id");

/// The longest path that is logged.
const PATH_BYTES_MAX: usize = 256;

pub struct Door {
    pub origins: Origins,
    pub callers: Callers,
    pub metrics: Arc<Metrics>,
    pub body_bytes_max: u64,
    pub clock: Clock,
    instance: HeaderValue,
    /// What ids begin with: random for the process, so that those of two starts differ.
    start: Vec<u8>,
    requests: AtomicU64,
}

/// What came of a request behind the door.
struct Outcome {
    response: Response,
    route: Option<&'static str>,
    /// The name and the address of a caller that was let in.
    caller: Option<(Option<String>, IpAddr)>,
}

impl Outcome {
    fn refused(problem: Problem) -> Outcome {
        Outcome { response: problem.into_response(), route: None, caller: None }
    }
}

impl Door {
    pub fn new(origins: Origins, callers: Callers, metrics: Arc<Metrics>, body_bytes_max: u64, instance: &str, clock: Clock) -> Door {
        let instance_value = HeaderValue::try_from(instance).unwrap_or(HeaderValue::from_static("unnamed"));
        let start = instance.bytes().fold(2_166_136_261_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(16_777_619));
        let start = format!("{start:08x}-").into_bytes();
        Door { origins, callers, metrics, body_bytes_max, clock, instance: instance_value, start, requests: AtomicU64::new(0) }
    }

    /// The id of a request: made here, never taken from a client.
    fn next_id(&self) -> HeaderValue {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        let mut id = Vec::with_capacity(32);
        id.extend_from_slice(&self.start);
        for digit in (0..(64 - number.leading_zeros()).div_ceil(4).max(6)).rev() {
            id.push(b"0123456789abcdef"[usize::try_from(number >> (4 * digit) & 0xf).unwrap_or(0)]);
        }
        HeaderValue::from_maybe_shared(Bytes::from(id)).unwrap_or(HeaderValue::from_static(""))
    }

    /// One request from its head on: id, count, the time a handler may take, what every answer carries; logged when the
    /// answer's body is over.
    pub async fn answer(self: &Arc<Door>, site: &Site, peer: SocketAddr, request: Request<Body>) -> http::Response<Logged> {
        let began = Instant::now();
        let id = self.next_id();
        let peer = peer.ip().to_canonical();
        let (parts, body) = request.into_parts();
        let address = self.origins.client(peer, &parts.headers);
        let (method, uri) = (name(&parts.method), parts.uri.clone());
        let in_flight = InFlight::begin(&self.metrics);
        let span = tracing::info_span!("request", id = %shown_id(&id));
        // Too busy is not dead: whoever asks that restarts what is dead.
        let outcome = if in_flight.0.requests_in_flight.get() > limits::REQUESTS_MAX && uri.path() != router::LIVEZ {
            let busy = Problem::new(Kind::NotYet, "Airlock is busy; try again shortly");
            Outcome::refused(busy.retry_after(Duration::from_secs(2)))
        } else {
            let mut answer = pin!(AssertUnwindSafe(self.ask(site, Asker { peer, address }, parts, body)).catch_unwind());
            // What is answered at once needs no timer.
            let begun = poll_fn(|cx| Poll::Ready(span.in_scope(|| answer.as_mut().poll(cx)))).await;
            let answered = match begun {
                Poll::Ready(answered) => Ok(answered),
                Poll::Pending => tokio::time::timeout(limits::HANDLER_TIMEOUT, answer).instrument(span.clone()).await,
            };
            match answered {
                Ok(Ok(outcome)) => outcome,
                Ok(Err(_)) => span.in_scope(|| Outcome::refused(Problem::internal("a handler panicked"))),
                Err(_) => span.in_scope(|| {
                    let problem =
                        Problem::new(Kind::NotYet, "Airlock could not answer in time; try again").logged("a handler took too long");
                    Outcome::refused(problem.retry_after(Duration::from_secs(10)))
                }),
            }
        };
        let Outcome { mut response, route, caller } = outcome;
        if method == "HEAD" {
            behead(&mut response);
        }
        let headers = response.headers_mut();
        headers.insert(INSTANCE, self.instance.clone());
        headers.insert(REQUEST_ID, id.clone());
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if router::is_own(uri.path()) {
            secure(headers);
        }
        let (caller, address) = caller.unwrap_or((None, address));
        let status = response.status().as_u16();
        let route = route.unwrap_or("unmatched");
        let entry = Entry { door: Arc::clone(self), in_flight, began, method, route, uri, status, caller, address, id };
        response.map(|inner| Logged { inner, entry, sent: 0, ended: false })
    }

    /// Lets the request in, and asks whoever it is for.
    async fn ask(&self, site: &Site, asker: Asker, mut parts: Parts, body: Body) -> Outcome {
        let body = if http_body::Body::is_end_stream(&body) { body } else { Body::new(Bounded::new(body, self.body_bytes_max)) };
        let path = parts.uri.path();
        if router::is_outside(path) {
            return Box::pin(own(&site.outside, Request::from_parts(parts, body), None)).await;
        }
        let caller = match self.let_in(asker, &parts).await {
            Ok(caller) => caller,
            Err(problem) => return Outcome::refused(problem),
        };
        let named = Some((caller.name.clone(), caller.address));
        if router::is_own(path) {
            parts.extensions.insert(caller);
            return Box::pin(own(&site.pages, Request::from_parts(parts, body), named)).await;
        }
        let (response, route) = site.registry.answer(&parts, &caller).await;
        Outcome { response, route, caller: named }
    }

    /// Who may come in: not ourselves, not under a foreign name, not unknown where that is not allowed, not too much.
    async fn let_in(&self, asker: Asker, parts: &Parts) -> Result<Caller, Problem> {
        if parts.headers.get_all(&VIA).iter().any(|via| *via == self.instance) {
            let detail = "this Airlock was asked by itself: its upstream is its own address; set another with --upstream";
            return Err(Problem::new(Kind::Loop, detail).logged(detail));
        }
        let base = match self.origins.base(asker.peer, &parts.uri, &parts.headers) {
            // Whoever collects metrics asks by address, and gets no links.
            Err(_) if parts.uri.path() == router::METRICS => "".into(),
            base => base?,
        };
        let identity = self.callers.identify(&parts.headers).await?;
        if identity.role.is_none() && !router::is_for_everyone(parts.uri.path()) {
            let detail = "this Airlock answers only with a token: an admin makes one with `airlock token create`";
            return Err(Problem::new(Kind::Unauthenticated, detail));
        }
        if is_cross_site_write(&parts.method, &parts.headers, &base) {
            return Err(Problem::new(Kind::Forbidden, "a page of another site may not change anything here"));
        }
        if stated_length(&parts.headers).is_some_and(|length| length > self.body_bytes_max) {
            return Err(too_large(self.body_bytes_max));
        }
        let user_agent = parts.headers.get(header::USER_AGENT).cloned();
        Ok(Caller { name: identity.name, role: identity.role, address: asker.address, user_agent, base })
    }
}

/// Where a request comes from: the other end of the connection, and the client, who is another behind a trusted proxy.
#[derive(Clone, Copy)]
struct Asker {
    peer: IpAddr,
    address: IpAddr,
}

/// Asks routes of our own, which tell by `Matched` which of them it was.
async fn own(routes: &Router, request: Request<Body>, caller: Option<(Option<String>, IpAddr)>) -> Outcome {
    let Ok(mut response) = routes.clone().oneshot(request).await;
    let route = response.extensions_mut().remove::<Matched>().map(|matched| matched.0);
    Outcome { response, route, caller }
}

fn shown_id(id: &HeaderValue) -> &str {
    id.to_str().unwrap_or_default()
}

/// Takes the body away that HEAD does not ask for, and leaves its length. Source: RFC 9110, 9.3.2.
fn behead(response: &mut Response) {
    let body = std::mem::take(response.body_mut());
    if let Some(length) = http_body::Body::size_hint(&body).exact().filter(|length| *length > 0) {
        response.headers_mut().entry(header::CONTENT_LENGTH).or_insert(length.into());
    }
}

/// What keeps a browser from being talked into anything on Airlock's own pages. A page may say more exactly.
fn secure(headers: &mut HeaderMap) {
    const CLOSED: [(HeaderName, &str); 4] = [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in CLOSED {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}

/// A browser keeps Basic credentials and sends them along with what another site makes it send. Programs state no origin.
fn is_cross_site_write(method: &Method, headers: &HeaderMap, base: &str) -> bool {
    if method.is_safe() {
        return false;
    }
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    let foreign_site = site.is_some_and(|site| site != b"same-origin" && site != b"none");
    let origin = headers.get(header::ORIGIN).map(HeaderValue::as_bytes);
    // A base may have a prefix, an origin has none.
    let is_ours = |origin: &[u8]| base.as_bytes().strip_prefix(origin).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"));
    foreign_site || origin.is_some_and(|origin| !is_ours(origin))
}

/// A path as it may be logged: without the token that `npm logout` and `npm token revoke` put into it, not too long.
fn shown(path: &str) -> Cow<'_, str> {
    // Most paths hold nothing that any spelling of a token could begin with.
    let is_plain = path.len() <= PATH_BYTES_MAX && !path.bytes().any(|byte| matches!(byte, b'%' | b'_' | b'A'..=b'Z'));
    if is_plain && memchr::memmem::find(path.as_bytes(), b"token").is_none() {
        return Cow::Borrowed(path);
    }
    let decoded = percent_decode_str(path).decode_utf8_lossy().to_ascii_lowercase();
    for holder in ["/user/token/", "/tokens/token/"] {
        if decoded.contains(holder) {
            return Cow::Owned(format!("/-{holder}[redacted]"));
        }
    }
    if decoded.contains("airlock_") || decoded.contains("npm_") {
        return Cow::Borrowed("[redacted: may hold a token]");
    }
    let end = path.floor_char_boundary(PATH_BYTES_MAX);
    Cow::Borrowed(&path[..end])
}

/// One request being answered.
struct InFlight(Arc<Metrics>);

impl InFlight {
    fn begin(metrics: &Arc<Metrics>) -> InFlight {
        metrics.requests_in_flight.inc();
        InFlight(Arc::clone(metrics))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.requests_in_flight.dec();
    }
}

/// What is known of a request when its answer's head is made.
struct Entry {
    door: Arc<Door>,
    in_flight: InFlight,
    began: Instant,
    method: &'static str,
    route: &'static str,
    uri: Uri,
    status: u16,
    caller: Option<String>,
    address: IpAddr,
    id: HeaderValue,
}

impl Entry {
    fn write(&self, bytes: u64, is_whole: bool) {
        let took = self.began.elapsed();
        let metrics = &self.in_flight.0;
        let labels = RequestLabels { method: self.method, route: self.route, status: self.status };
        metrics.requests.get_or_create(&labels).inc();
        metrics.request_seconds.get_or_create(&RouteLabels { route: self.route }).observe(took.as_secs_f64());
        metrics.response_bytes.inc_by(bytes);
        telemetry::answered(&Answered {
            at: self.door.clock.now(),
            id: shown_id(&self.id),
            method: self.method,
            route: self.route,
            path: &shown(self.uri.path()),
            status: self.status,
            milliseconds: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            bytes,
            cut: !is_whole,
            caller: self.caller.as_deref(),
            address: Some(self.address),
        });
    }
}

/// A method as a label: the known ones and no other, so that nobody makes up series.
fn name(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "DELETE" => "DELETE",
        "PATCH" => "PATCH",
        "OPTIONS" => "OPTIONS",
        _ => "OTHER",
    }
}

/// An answer's body that is logged when it is over.
pub struct Logged {
    inner: Body,
    entry: Entry,
    sent: u64,
    ended: bool,
}

impl http_body::Body for Logged {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(cx);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => self.sent += frame.data_ref().map_or(0, |bytes| bytes.len() as u64),
            Poll::Ready(None) => self.ended = true,
            Poll::Ready(Some(Err(_))) | Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for Logged {
    fn drop(&mut self) {
        let is_whole = self.ended || http_body::Body::is_end_stream(&self.inner);
        self.entry.write(self.sent, is_whole);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_in_a_path_is_not_shown() {
        let secret = "airlock_0123456789ab_c2VjcmV0c2VjcmV0c2VjcmV0";
        for path in [
            format!("/-/user/token/{secret}"),
            "/-/user/token/npm_abcdef".to_owned(),
            "/-%2fuser%2Ftoken%2fabcdef".to_owned(),
            "/prefix/-/user/token/abcdef".to_owned(),
            "/-/npm/v1/tokens/token/abcdef".to_owned(),
            format!("/left-pad/{secret}"),
            format!("/%61irlock_{}", &secret[8..]),
        ] {
            let shown = shown(&path);
            assert!(shown.contains("[redacted"), "{path}");
            assert!(!shown.contains("abcdef") && !shown.contains("c2VjcmV0"), "{path}");
        }
        assert_eq!(shown("/@acme%2fweb"), "/@acme%2fweb");
        assert_eq!(shown(&format!("/{}", "\u{e9}".repeat(400))).len(), PATH_BYTES_MAX - 1);
    }

    #[test]
    fn another_site_writes_nothing() {
        let check = |method: Method, given: &[(&'static str, &str)], expect: bool| {
            let headers = given.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect();
            assert_eq!(is_cross_site_write(&method, &headers, "http://localhost:4873"), expect, "{given:?}");
        };
        check(Method::POST, &[], false);
        check(Method::POST, &[("origin", "http://localhost:4873")], false);
        check(Method::POST, &[("sec-fetch-site", "same-origin"), ("origin", "http://localhost:4873")], false);
        check(Method::POST, &[("origin", "http://localhost")], true);
        check(Method::POST, &[("origin", "http://evil.example")], true);
        check(Method::POST, &[("origin", "null")], true);
        check(Method::DELETE, &[("sec-fetch-site", "cross-site")], true);
        check(Method::GET, &[("sec-fetch-site", "cross-site")], false);
    }
}
