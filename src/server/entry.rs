//! One request from its head to the end of its answer's body: it has an id, is counted, and is logged once.

use std::borrow::Cow;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;
use std::time::Instant;

use axum::body::Body;
use bytes::Bytes;
use http::HeaderValue;
use http::Method;
use http_body::Frame;
use http_body::SizeHint;
use percent_encoding::percent_decode_str;

use crate::http::ready::Content;
use crate::server::door::Door;
use crate::server::sending::InFile;
use crate::server::sending::Part;
use crate::telemetry;
use crate::telemetry::line::Answered;
use crate::telemetry::numbers::RequestLabels;
use crate::telemetry::numbers::RouteLabels;

/// The longest path that is logged.
const PATH_BYTES_MAX: usize = 256;

/// `0badcafe-00002a`: of the process, and the number of the request in it.
#[derive(Clone, Copy)]
pub struct RequestId {
    text: [u8; RequestId::BYTES_MAX],
    length: usize,
}

impl RequestId {
    const BYTES_MAX: usize = 8 + 1 + 16;
    const DIGITS_MIN: usize = 6;

    pub fn new(process: u32, number: u64) -> RequestId {
        let digits = usize::try_from(u64::BITS - number.leading_zeros()).unwrap_or(0).div_ceil(4).max(RequestId::DIGITS_MIN);
        let mut text = [b'-'; RequestId::BYTES_MAX];
        let length = 9 + digits;
        hex(process.into(), &mut text[..8]);
        hex(number, &mut text[9..length]);
        RequestId { text, length }
    }

    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.text[..self.length]).unwrap_or_default()
    }

    pub fn header(&self) -> HeaderValue {
        HeaderValue::from_str(self.as_str()).unwrap_or(HeaderValue::from_static(""))
    }
}

/// The last digits of a number, as many as there is room for.
fn hex(mut number: u64, room: &mut [u8]) {
    for digit in room.iter_mut().rev() {
        *digit = b"0123456789abcdef"[usize::try_from(number & 0xf).unwrap_or(0)];
        number >>= 4;
    }
}

/// One request being answered.
pub struct InFlight(Arc<Door>);

impl InFlight {
    pub fn begin(door: &Arc<Door>) -> InFlight {
        door.metrics.requests_in_flight.inc();
        InFlight(Arc::clone(door))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.metrics.requests_in_flight.dec();
    }
}

/// What is known of a request when its answer's head is made.
pub struct Entry {
    pub in_flight: InFlight,
    pub began: Instant,
    pub method: &'static str,
    pub route: &'static str,
    pub path: Box<str>,
    pub status: u16,
    pub caller: Option<String>,
    pub address: IpAddr,
    pub id: RequestId,
}

impl Entry {
    fn write(&self, bytes: u64, is_whole: bool) {
        let took = self.began.elapsed();
        let door = &self.in_flight.0;
        let metrics = &door.metrics;
        let labels = RequestLabels { method: self.method, route: self.route, status: self.status };
        metrics.requests.get_or_create(&labels).inc();
        metrics.request_seconds.get_or_create(&RouteLabels { route: self.route }).observe(took.as_secs_f64());
        metrics.response_bytes.inc_by(bytes);
        telemetry::answered(&Answered {
            at: door.clock.now(),
            id: self.id.as_str(),
            method: self.method,
            route: self.route,
            path: &shown(&self.path),
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
pub fn name(method: &Method) -> &'static str {
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
    inner: Inner,
    entry: Entry,
    sent: u64,
    ended: bool,
}

impl Logged {
    pub fn new(inner: Inner, entry: Entry) -> Logged {
        Logged { inner, entry, sent: 0, ended: false }
    }
}

/// An answer's body as it comes.
pub enum Inner {
    Ready(Content),
    Made(Body),
}

impl http_body::Body for Inner {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        match &mut *self {
            Inner::Ready(content) => Pin::new(content).poll_frame(cx),
            Inner::Made(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Inner::Ready(content) => content.is_end_stream(),
            Inner::Made(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Inner::Ready(content) => content.size_hint(),
            Inner::Made(body) => body.size_hint(),
        }
    }
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

impl InFile for Logged {
    fn rest(&self) -> Option<Part<'_>> {
        match &self.inner {
            Inner::Ready(Content::File(body)) => body.rest().map(|(file, offset, length)| Part { file, offset, length }),
            Inner::Ready(Content::Memory(_)) | Inner::Made(_) => None,
        }
    }

    fn advance(&mut self, bytes: u64) {
        if let Inner::Ready(Content::File(body)) = &mut self.inner {
            body.advance(bytes);
            self.sent += bytes;
        }
    }
}

impl Drop for Logged {
    fn drop(&mut self) {
        let is_whole = self.ended || http_body::Body::is_end_stream(&self.inner);
        self.entry.write(self.sent, is_whole);
    }
}

/// What stands before a token, and before the secrets of a sign-in that is open.
const HOLDERS: [&str; 5] = ["/user/token/", "/tokens/token/", "/v1/done/", "/sign-in/", "/oidc/start/"];

/// A path as it may be logged: without the token that `npm logout` and `npm token revoke` put into it, not too long.
fn shown(path: &str) -> Cow<'_, str> {
    // Most paths hold nothing that any spelling of a token could begin with.
    let is_plain = path.len() <= PATH_BYTES_MAX && !path.bytes().any(|byte| matches!(byte, b'%' | b'_' | b'A'..=b'Z'));
    let may_sign_in = path.starts_with("/-/") && HOLDERS.iter().any(|holder| path.contains(holder));
    if is_plain && !may_sign_in && memchr::memmem::find(path.as_bytes(), b"token").is_none() {
        return Cow::Borrowed(path);
    }
    let decoded = percent_decode_str(path).decode_utf8_lossy().to_ascii_lowercase();
    for holder in HOLDERS {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_grows_with_its_number() {
        assert_eq!(RequestId::new(0xbad_cafe, 42).as_str(), "0badcafe-00002a");
        assert_eq!(RequestId::new(u32::MAX, 0x0123_4567).as_str(), "ffffffff-1234567");
        assert_eq!(RequestId::new(0, u64::MAX).header(), "00000000-ffffffffffffffff");
    }

    #[test]
    fn a_token_in_a_path_is_not_shown() {
        let secret = "airlock_0123456789ab_c2VjcmV0c2VjcmV0c2VjcmV0";
        for path in [
            format!("/-/user/token/{secret}"),
            "/-/user/token/npm_abcdef".to_owned(),
            "/-/v1/done/abcdef".to_owned(),
            "/-/airlock/sign-in/abcdef".to_owned(),
            "/-/airlock/oidc/start/abcdef".to_owned(),
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
}
