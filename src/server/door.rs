//! What every request passes: it gets an id, is counted, logged and bounded; then it is let in under a base address and
//! as a known caller, or refused.

use std::future::poll_fn;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
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
use http::StatusCode;
use http::header;
use http::request::Parts;
use http::uri::Authority;
use tower::util::ServiceExt;
use tracing::Instrument;

use crate::admin::advisories::IMPORT_BYTES_MAX;
use crate::clock::Clock;
use crate::http::caller::Caller;
use crate::http::caller::Callers;
use crate::http::fields::Fields;
use crate::http::fields::Plain;
use crate::http::incoming::Bounded;
use crate::http::incoming::stated_length;
use crate::http::incoming::too_large;
use crate::http::problem::Kind;
use crate::http::problem::Problem;
use crate::http::ready;
use crate::http::route::Matched;
use crate::server::entry::Entry;
use crate::server::entry::InFlight;
use crate::server::entry::Inner;
use crate::server::entry::Logged;
use crate::server::entry::RequestId;
use crate::server::entry::name;
use crate::server::limits;
use crate::server::origin::Origins;
use crate::server::router;
use crate::server::router::Site;
use crate::telemetry::numbers::Metrics;

/// The instance that answers, on every answer; by it an Airlock knows that its upstream is itself.
pub const INSTANCE: HeaderName = HeaderName::from_static("airlock-instance");
/// The instances a request came through.
pub const VIA: HeaderName = HeaderName::from_static("airlock-via");
pub const REQUEST_ID: HeaderName = HeaderName::from_static("airlock-request-id");
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const NOSNIFF: &str = "nosniff";

pub struct Door {
    pub origins: Origins,
    pub callers: Callers,
    pub metrics: Arc<Metrics>,
    pub body_bytes_max: u64,
    pub clock: Clock,
    instance: HeaderValue,
    /// Of every answer, as a head has them.
    fields: Bytes,
    /// What ids begin with: random for the process, so that those of two starts differ.
    start: u32,
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
        let fields = ready::fields(&[(INSTANCE, instance_value.to_str().unwrap_or_default()), (header::X_CONTENT_TYPE_OPTIONS, NOSNIFF)]);
        Door { origins, callers, metrics, body_bytes_max, clock, instance: instance_value, fields, start, requests: AtomicU64::new(0) }
    }

    /// The id of a request: made here, never taken from a client.
    fn next_id(&self) -> RequestId {
        RequestId::new(self.start, self.requests.fetch_add(1, Ordering::Relaxed))
    }

    /// The answer to a request without a body, if it lies ready, as [`Door::answer`] would give it: its head stands in
    /// `head`, but for what the connection says itself. `None` says nothing.
    pub fn at_once<F: Fields>(self: &Arc<Door>, site: &Site, peer: SocketAddr, plain: &Plain<'_, F>, head: &mut Vec<u8>) -> Option<Logged> {
        if router::is_own(plain.path) || self.metrics.requests_in_flight.get() >= limits::REQUESTS_MAX {
            return None;
        }
        let began = Instant::now();
        let peer = peer.ip().to_canonical();
        let asker = Asker { peer, address: self.origins.client(peer, plain.fields) };
        let method = if plain.is_head { Method::HEAD } else { Method::GET };
        let looked = AssertUnwindSafe(async {
            let caller = self.let_in(asker, &method, plain.path, None, plain.fields).await.ok()?;
            let (ready, route) = site.registry.ready(plain, &caller).await?;
            Some((caller, ready, route))
        });
        // What would have to wait does so elsewhere, and what panics does so where it is told.
        let (caller, ready, route) = catch_unwind(|| looked.now_or_never()).ok()???;
        self.metrics.answered_at_once.inc();
        let id = self.next_id();
        let status: &[u8] =
            if ready.status == StatusCode::NOT_MODIFIED { b"HTTP/1.1 304 Not Modified\r\n" } else { b"HTTP/1.1 200 OK\r\n" };
        head.clear();
        head.extend_from_slice(status);
        ready.write(head);
        head.extend_from_slice(&self.fields);
        for part in [REQUEST_ID.as_str(), ": ", id.as_str(), "\r\n"] {
            head.extend_from_slice(part.as_bytes());
        }
        let entry = Entry {
            in_flight: InFlight::begin(self),
            began,
            method: name(&method),
            route,
            path: plain.path.into(),
            status: ready.status.as_u16(),
            caller: caller.name,
            address: asker.address,
            id,
        };
        Some(Logged::new(Inner::Ready(ready.content), entry))
    }

    /// One request from its head on: id, count, the time a handler may take, what every answer carries; logged when the
    /// answer's body is over.
    pub async fn answer(self: &Arc<Door>, site: &Site, peer: SocketAddr, request: Request<Body>) -> http::Response<Logged> {
        let began = Instant::now();
        let id = self.next_id();
        let peer = peer.ip().to_canonical();
        let (parts, body) = request.into_parts();
        let address = self.origins.client(peer, &parts.headers);
        let (method, path) = (name(&parts.method), Box::from(parts.uri.path()));
        let patience = if http_body::Body::is_end_stream(&body) { limits::HANDLER_TIMEOUT } else { limits::UPLOAD_TIMEOUT };
        let in_flight = InFlight::begin(self);
        let span = tracing::info_span!("request", id = %id.as_str());
        // Too busy is not dead: whoever asks that restarts what is dead.
        let outcome = if self.metrics.requests_in_flight.get() > limits::REQUESTS_MAX && *path != *router::LIVEZ {
            let busy = Problem::new(Kind::NotYet, "Airlock is busy; try again shortly");
            Outcome::refused(busy.retry_after(Duration::from_secs(2)))
        } else {
            let mut answer = pin!(AssertUnwindSafe(self.ask(site, Asker { peer, address }, parts, body)).catch_unwind());
            // What is answered at once needs no timer.
            let begun = poll_fn(|cx| Poll::Ready(span.in_scope(|| answer.as_mut().poll(cx)))).await;
            let answered = match begun {
                Poll::Ready(answered) => Ok(answered),
                Poll::Pending => tokio::time::timeout(patience, answer).instrument(span.clone()).await,
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
        headers.insert(REQUEST_ID, id.header());
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static(NOSNIFF));
        if router::is_own(&path) {
            secure(headers);
        }
        let (caller, address) = caller.unwrap_or((None, address));
        let status = response.status().as_u16();
        let route = route.unwrap_or("unmatched");
        let entry = Entry { in_flight, began, method, route, path, status, caller, address, id };
        response.map(|inner| Logged::new(Inner::Made(inner), entry))
    }

    /// Lets the request in, and asks whoever it is for.
    async fn ask(&self, site: &Site, asker: Asker, mut parts: Parts, body: Body) -> Outcome {
        let body =
            if http_body::Body::is_end_stream(&body) { body } else { Body::new(Bounded::new(body, self.body_bytes_max(parts.uri.path()))) };
        let path = parts.uri.path();
        if router::is_outside(path) {
            return Box::pin(own(&site.outside, Request::from_parts(parts, body), None)).await;
        }
        let authority = parts.uri.authority().map(Authority::as_str);
        let caller = match self.let_in(asker, &parts.method, path, authority, &parts.headers).await {
            Ok(caller) => caller,
            Err(problem) => return Outcome::refused(problem),
        };
        let named = Some((caller.name.clone(), caller.address));
        if router::is_own(path) {
            parts.extensions.insert(caller);
            return Box::pin(own(&site.pages, Request::from_parts(parts, body), named)).await;
        }
        let (response, route) = site.registry.answer(&parts, body, &caller).await;
        Outcome { response, route, caller: named }
    }

    /// Whoever is not let in there is refused before anything of it is read.
    fn body_bytes_max(&self, path: &str) -> u64 {
        if path == router::ADVISORIES { self.body_bytes_max.max(IMPORT_BYTES_MAX) } else { self.body_bytes_max }
    }

    /// Who may come in: not ourselves, not under a foreign name, not unknown where that is not allowed, not too much.
    async fn let_in<F: Fields>(
        &self,
        asker: Asker,
        method: &Method,
        path: &str,
        authority: Option<&str>,
        fields: &F,
    ) -> Result<Caller, Problem> {
        if fields.all(&VIA).any(|via| via == self.instance.as_bytes()) {
            let detail = "this Airlock was asked by itself: its upstream is its own address; set another with --upstream";
            return Err(Problem::new(Kind::Loop, detail).logged(detail));
        }
        let base = match self.origins.base(asker.peer, authority, fields) {
            // Whoever collects metrics asks by address, and gets no links.
            Err(_) if path == router::METRICS => "".into(),
            base => base?,
        };
        let principal = match self.callers.identify(fields, asker.address).await {
            // Clients go on sending the token that no longer serves while they sign in for another.
            Err(problem) if problem.kind == Kind::Unauthenticated && router::is_for_sign_in(method, path) => Callers::nobody(),
            identified => identified?,
        };
        if !principal.may_read() && !router::is_for_everyone(path) && !router::is_for_sign_in(method, path) {
            let detail = "this Airlock answers only with a token: sign in with `npm login`, or use one that an admin made with `airlock token create`";
            return Err(Problem::new(Kind::Unauthenticated, detail));
        }
        if is_cross_site_write(method, fields, &base) {
            return Err(Problem::new(Kind::Forbidden, "a page of another site may not change anything here"));
        }
        let bytes_max = self.body_bytes_max(path);
        if stated_length(fields).is_some_and(|length| length > bytes_max) {
            return Err(too_large(bytes_max));
        }
        let user_agent = fields.first(&header::USER_AGENT).map(|value| value[..value.len().min(Caller::USER_AGENT_BYTES_MAX)].into());
        Ok(Caller { name: principal.name.clone(), principal, address: asker.address, user_agent, base })
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
fn is_cross_site_write<F: Fields>(method: &Method, fields: &F, base: &str) -> bool {
    if method.is_safe() {
        return false;
    }
    let foreign_site = fields.first(&FETCH_SITE).is_some_and(|site| site != b"same-origin" && site != b"none");
    let origin = fields.first(&header::ORIGIN);
    // A base may have a prefix, an origin has none.
    let is_ours = |origin: &[u8]| base.as_bytes().strip_prefix(origin).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"));
    foreign_site || origin.is_some_and(|origin| !is_ours(origin))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_site_writes_nothing() {
        let check = |method: Method, given: &[(&'static str, &str)], expect: bool| {
            let headers: HeaderMap = given.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect();
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
