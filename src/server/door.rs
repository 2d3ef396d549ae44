//! What every request passes: it gets an id, is counted, logged and bounded; then it is let in under a base address and
//! as a known caller, or refused.

use std::borrow::Cow;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;
use std::time::Instant;

use axum::body::Body;
use axum::extract::MatchedPath;
use axum::extract::Request;
use axum::extract::State;
use axum::middleware::Next;
use axum::response::IntoResponse;
use axum::response::Response;
use bytes::Bytes;
use futures_util::FutureExt;
use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::Method;
use http::header;
use http_body::Frame;
use http_body::SizeHint;
use percent_encoding::percent_decode_str;
use tracing::Instrument;

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
use crate::telemetry::Metrics;
use crate::telemetry::RequestLabels;
use crate::telemetry::RouteLabels;

/// The instance that answers, on every answer; by it an Airlock knows that its upstream is itself.
pub const INSTANCE: HeaderName = HeaderName::from_static("airlock-instance");
/// The instances a request came through.
pub const VIA: HeaderName = HeaderName::from_static("airlock-via");
pub const REQUEST_ID: HeaderName = HeaderName::from_static("airlock-request-id");

/// The longest path that is logged.
const PATH_BYTES_MAX: usize = 256;

/// The other end of the connection. Put into a request's extensions where it is read from the socket.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// The caller's name and address, on the way back to the log.
#[derive(Clone, Debug)]
struct Named {
    name: Option<String>,
    address: IpAddr,
}

pub struct Door {
    pub origins: Origins,
    pub callers: Callers,
    pub metrics: Arc<Metrics>,
    pub body_bytes_max: u64,
    instance: HeaderValue,
    /// Random for the process, so that ids of two starts differ.
    start: u32,
    requests: AtomicU64,
}

impl Door {
    pub fn new(origins: Origins, callers: Callers, metrics: Arc<Metrics>, body_bytes_max: u64, instance: &str) -> Door {
        let instance_value = HeaderValue::try_from(instance).unwrap_or(HeaderValue::from_static("unnamed"));
        let start = instance.bytes().fold(2_166_136_261_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(16_777_619));
        Door { origins, callers, metrics, body_bytes_max, instance: instance_value, start, requests: AtomicU64::new(0) }
    }

    fn next_id(&self) -> String {
        format!("{:08x}-{:06x}", self.start, self.requests.fetch_add(1, Ordering::Relaxed))
    }

    /// The client of this request, whoever it says it is.
    fn client(&self, request: &Request) -> Option<IpAddr> {
        let peer = request.extensions().get::<Peer>()?.0.ip().to_canonical();
        Some(self.origins.client(peer, request.headers()))
    }
}

/// The id of a request: made here, never taken from a client.
#[derive(Clone, Debug)]
struct RequestId(String);

/// Outermost: id, count, log, the time a handler may take, what every answer carries.
pub async fn observe(State(door): State<Arc<Door>>, mut request: Request, next: Next) -> Response {
    let began = Instant::now();
    let id = door.next_id();
    let address = door.client(&request);
    let method = request.method().clone();
    let path = shown(request.uri().path()).into_owned();
    let is_own_page = path.starts_with("/-/airlock");
    let matched = request.extensions().get::<MatchedPath>().and_then(|path| router::template(path.as_str()));
    request.extensions_mut().insert(RequestId(id.clone()));
    let in_flight = InFlight::begin(&door.metrics);
    let span = tracing::info_span!("request", id);
    // Too busy is not dead: whoever asks that restarts what is dead.
    let mut response = if in_flight.0.requests_in_flight.get() > limits::REQUESTS_MAX && path != router::LIVEZ {
        Problem::new(Kind::NotYet, "Airlock is busy; try again shortly").retry_after(Duration::from_secs(2)).into_response()
    } else {
        let answer = AssertUnwindSafe(next.run(request)).catch_unwind();
        match tokio::time::timeout(limits::HANDLER_TIMEOUT, answer).instrument(span.clone()).await {
            Ok(Ok(response)) => response,
            Ok(Err(_)) => span.in_scope(|| Problem::internal("a handler panicked").into_response()),
            Err(_) => span.in_scope(|| {
                let problem = Problem::new(Kind::NotYet, "Airlock could not answer in time; try again").logged("a handler took too long");
                problem.retry_after(Duration::from_secs(10)).into_response()
            }),
        }
    };
    let route = response.extensions().get::<Matched>().map(|matched| matched.0).or(matched).unwrap_or("unmatched");
    let named = response.extensions_mut().remove::<Named>();
    let (caller, address) = named.map_or((None, address), |named| (named.name, Some(named.address)));
    let headers = response.headers_mut();
    headers.insert(INSTANCE, door.instance.clone());
    if let Ok(id) = HeaderValue::try_from(id.as_str()) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if is_own_page {
        secure(headers);
    }
    let entry = Entry { metrics: in_flight, began, method, route, path, status: response.status().as_u16(), caller, address, id };
    response.map(|inner| Body::new(Logged { inner, entry, sent: 0, ended: false }))
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

/// Who may come in: not ourselves, not under a foreign name, not unknown where that is not allowed, not too much.
pub async fn admit(State(door): State<Arc<Door>>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let caller = match let_in(&door, &parts).await {
        Ok(caller) => caller,
        Err(problem) => return problem.into_response(),
    };
    let named = Named { name: caller.name.clone(), address: caller.address };
    parts.extensions.insert(caller);
    let body = if http_body::Body::is_end_stream(&body) { body } else { Body::new(Bounded::new(body, door.body_bytes_max)) };
    let mut response = next.run(Request::from_parts(parts, body)).await;
    response.extensions_mut().insert(named);
    response
}

async fn let_in(door: &Door, parts: &http::request::Parts) -> Result<Caller, Problem> {
    if parts.headers.get_all(&VIA).iter().any(|via| *via == door.instance) {
        let detail = "this Airlock was asked by itself: its upstream is its own address; set another with --upstream";
        return Err(Problem::new(Kind::Loop, detail).logged(detail));
    }
    let Some(Peer(peer)) = parts.extensions.get::<Peer>() else {
        return Err(Problem::internal("a request came without the address of its connection"));
    };
    let peer = peer.ip().to_canonical();
    let base = match door.origins.base(peer, &parts.uri, &parts.headers) {
        // Whoever collects metrics asks by address, and gets no links.
        Err(_) if parts.uri.path() == router::METRICS => String::new(),
        base => base?,
    };
    let identity = door.callers.identify(&parts.headers).await?;
    if identity.role.is_none() && !router::is_for_everyone(parts.uri.path()) {
        let detail = "this Airlock answers only with a token: an admin makes one with `airlock token create`";
        return Err(Problem::new(Kind::Unauthenticated, detail));
    }
    if is_cross_site_write(&parts.method, &parts.headers, &base) {
        return Err(Problem::new(Kind::Forbidden, "a page of another site may not change anything here"));
    }
    if stated_length(&parts.headers).is_some_and(|length| length > door.body_bytes_max) {
        return Err(too_large(door.body_bytes_max));
    }
    let user_agent = parts.headers.get(header::USER_AGENT).map_or(&b""[..], HeaderValue::as_bytes);
    let user_agent = &user_agent[..user_agent.len().min(Caller::USER_AGENT_BYTES_MAX)];
    Ok(Caller {
        name: identity.name,
        role: identity.role,
        address: door.origins.client(peer, &parts.headers),
        user_agent: String::from_utf8_lossy(user_agent).into_owned(),
        base,
        request_id: parts.extensions.get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default(),
    })
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
    metrics: InFlight,
    began: Instant,
    method: Method,
    route: &'static str,
    path: String,
    status: u16,
    caller: Option<String>,
    address: Option<IpAddr>,
    id: String,
}

impl Entry {
    fn write(&self, bytes: u64, is_whole: bool) {
        let took = self.began.elapsed();
        let metrics = &self.metrics.0;
        let labels = RequestLabels { method: name(&self.method), route: self.route, status: self.status };
        metrics.requests.get_or_create(&labels).inc();
        metrics.request_seconds.get_or_create(&RouteLabels { route: self.route }).observe(took.as_secs_f64());
        metrics.response_bytes.inc_by(bytes);
        tracing::info!(
            target: "airlock::access",
            id = self.id,
            method = labels.method,
            route = self.route,
            path = self.path,
            status = self.status,
            milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            bytes,
            cut = !is_whole,
            caller = self.caller.as_deref().unwrap_or("-"),
            address = self.address.map(tracing::field::display),
            "answered"
        );
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
struct Logged {
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
