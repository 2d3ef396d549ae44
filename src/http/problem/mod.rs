//! What goes wrong, as an answer: RFC 9457 problem documents. The one place where a failure gets its status code, and
//! its two texts: one for the client, one for the log. What each room fails with has a file of its own.

mod access;
mod catalog;
mod oidc;
mod submission;

use std::error::Error;
use std::time::Duration;

use axum::extract::rejection::BytesRejection;
use axum::extract::rejection::JsonRejection;
use axum::extract::rejection::PathRejection;
use axum::extract::rejection::QueryRejection;
use axum::response::IntoResponse;
use axum::response::Response;
use http::HeaderValue;
use http::StatusCode;
use http::header;
use hyper::ext::ReasonPhrase;
use serde::Serialize;

use crate::http::incoming::TooSlow;
use crate::model::finding::printable;
use crate::model::package::NotAName;
use crate::model::refusal::Refusal;

/// The media type of a problem document. Source: RFC 9457.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// The longest reason phrase that is sent; clients show it on one line.
pub const REASON_PHRASE_BYTES_MAX: usize = 300;

/// How far a chain of causes is followed.
pub const CAUSES_MAX: usize = 16;

/// How long a client is asked to wait when nobody knows better.
pub const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Why a request is not answered as asked. One kind, one status.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// The request cannot be understood.
    Malformed,
    /// A name that is no name in its ecosystem.
    NotAName,
    Unauthenticated,
    /// A name with a password that are not somebody's.
    WrongPassword,
    /// The caller's role does not cover it.
    Forbidden,
    /// A known release that is not open, or any other refusal by policy.
    Refused,
    /// Never seen.
    Unknown,
    MethodNotAllowed,
    /// What the caller saw has changed since, or nothing is left to decide.
    Conflict,
    TooLarge,
    UnsupportedMediaType,
    /// Understood, and not acceptable.
    Unacceptable,
    /// The client was too slow.
    TooSlow,
    /// The request's Host is not one that Airlock answers for.
    HostNotAllowed,
    TooManyRequests,
    Internal,
    NotBuilt,
    /// Upstream answers wrongly.
    Upstream,
    /// Not now; ask again.
    NotYet,
    /// The disk is full.
    StorageFull,
    /// The upstream is this Airlock itself.
    Loop,
}

impl Kind {
    /// Status, the slug of the problem's type, and its title.
    const fn texts(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Kind::Malformed => (StatusCode::BAD_REQUEST, "malformed", "The request cannot be understood"),
            Kind::NotAName => (StatusCode::BAD_REQUEST, "not-a-name", "This is not a name"),
            Kind::Unauthenticated => (StatusCode::UNAUTHORIZED, "unauthenticated", "A valid token is needed"),
            Kind::WrongPassword => (StatusCode::UNAUTHORIZED, "wrong-password", "The name or the password is wrong"),
            Kind::Forbidden => (StatusCode::FORBIDDEN, "forbidden", "This token may not do that"),
            Kind::Refused => (StatusCode::FORBIDDEN, "refused", "This release is not open"),
            Kind::Unknown => (StatusCode::NOT_FOUND, "unknown", "Not found"),
            Kind::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "Not with this method"),
            Kind::Conflict => (StatusCode::CONFLICT, "conflict", "It is not as it was"),
            Kind::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too-large", "The request is too large"),
            Kind::UnsupportedMediaType => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", "Not in this format"),
            Kind::Unacceptable => (StatusCode::UNPROCESSABLE_ENTITY, "unacceptable", "Understood, but not acceptable"),
            Kind::TooSlow => (StatusCode::REQUEST_TIMEOUT, "too-slow", "The request took too long to arrive"),
            Kind::HostNotAllowed => (StatusCode::MISDIRECTED_REQUEST, "host-not-allowed", "Airlock does not answer for this host"),
            Kind::TooManyRequests => (StatusCode::TOO_MANY_REQUESTS, "too-many-requests", "Too many requests"),
            Kind::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal", "Something went wrong in Airlock"),
            Kind::NotBuilt => (StatusCode::NOT_IMPLEMENTED, "not-built", "Not built yet"),
            Kind::Upstream => (StatusCode::BAD_GATEWAY, "upstream", "The upstream registry does not answer as it should"),
            Kind::NotYet => (StatusCode::SERVICE_UNAVAILABLE, "not-yet", "Not yet; ask again"),
            Kind::StorageFull => (StatusCode::INSUFFICIENT_STORAGE, "storage-full", "The disk is full"),
            Kind::Loop => (StatusCode::LOOP_DETECTED, "loop", "The upstream is this Airlock itself"),
        }
    }

    pub const fn status(self) -> StatusCode {
        self.texts().0
    }

    pub const fn slug(self) -> &'static str {
        self.texts().1
    }

    pub const fn title(self) -> &'static str {
        self.texts().2
    }
}

/// A failure on its way to the client.
#[derive(Clone, Debug)]
pub struct Problem {
    pub kind: Kind,
    /// One sentence for the client: what was wrong, where, and what to do.
    pub detail: String,
    /// For the log only; never sent.
    pub log: Option<String>,
    pub retry_after: Option<Duration>,
    /// The release that is not open, when that is the reason.
    pub refusal: Option<Box<Refusal>>,
}

/// RFC 9457 with the extension members `error` (which npm's clients print), `release`, `standing` and `opens_at`.
#[derive(Serialize)]
struct Document<'p> {
    #[serde(rename = "type")]
    kind: String,
    title: &'static str,
    status: u16,
    detail: &'p str,
    error: &'p str,
    #[serde(skip_serializing_if = "Option::is_none")]
    release: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    standing: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    opens_at: Option<String>,
}

impl Problem {
    pub fn new(kind: Kind, detail: impl Into<String>) -> Problem {
        Problem { kind, detail: detail.into(), log: None, retry_after: None, refusal: None }
    }

    /// A failure of Airlock's own: the client learns that it happened, the log learns what.
    pub fn internal(log: impl Into<String>) -> Problem {
        Problem::new(Kind::Internal, "Something went wrong in Airlock; its log says what").logged(log)
    }

    #[must_use]
    pub fn logged(mut self, log: impl Into<String>) -> Problem {
        self.log = Some(log.into());
        self
    }

    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Problem {
        self.retry_after = Some(wait);
        self
    }

    pub const fn status(&self) -> StatusCode {
        self.kind.status()
    }

    /// Whole seconds for `Retry-After`, rounded up, at least one.
    pub fn retry_after_seconds(&self) -> Option<u64> {
        self.retry_after.map(|wait| wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).map(|seconds| seconds.max(1))
    }

    /// Writes a failure of ours to the log, once, inside the request's span. Called by `into_response`; a dialect that
    /// answers in its own form calls it itself.
    pub fn report(&self) {
        let status = self.status();
        match &self.log {
            Some(log) if status.is_server_error() => tracing::error!(status = status.as_u16(), kind = self.kind.slug(), "{log}"),
            Some(log) => tracing::info!(status = status.as_u16(), kind = self.kind.slug(), "{log}"),
            None => {}
        }
    }

    /// `Cache-Control: no-store`, `Retry-After`, and for 401 the two ways to present a token. After a wrong password only the
    /// way of passwords: npm takes the first one named for what was wrong, and says so.
    pub fn headers(&self, headers: &mut http::HeaderMap) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after_seconds() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.kind == Kind::Unauthenticated {
            headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"airlock\""));
        }
        if self.status() == StatusCode::UNAUTHORIZED {
            headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"airlock\", charset=\"UTF-8\""));
        }
    }

    fn document(&self) -> Document<'_> {
        let (status, slug, title) = self.kind.texts();
        Document {
            kind: format!("urn:airlock:problem:{slug}"),
            title,
            status: status.as_u16(),
            detail: &self.detail,
            error: &self.detail,
            release: self.refusal.as_ref().map(|refusal| refusal.release.to_string()),
            standing: self.refusal.as_ref().map(|refusal| refusal.standing.as_str()),
            opens_at: self.refusal.as_ref().and_then(|refusal| refusal.opens_at).map(|at| at.to_string()),
        }
    }
}

/// `text` as an HTTP/1.1 reason phrase, which some clients show instead of the body: ASCII without control characters.
pub fn reason_phrase(text: &str) -> Option<ReasonPhrase> {
    let ascii: String =
        text.chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).take(REASON_PHRASE_BYTES_MAX).collect();
    ReasonPhrase::try_from(ascii.into_bytes()).ok()
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        self.report();
        let body = serde_json::to_vec(&self.document()).unwrap_or_default();
        let mut response = Response::new(axum::body::Body::from(body));
        *response.status_mut() = self.status();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        self.headers(response.headers_mut());
        if let Some(reason) = reason_phrase(&self.detail) {
            response.extensions_mut().insert(reason);
        }
        response
    }
}

impl From<NotAName> for Problem {
    fn from(error: NotAName) -> Problem {
        Problem::new(Kind::NotAName, printable(&error.to_string(), REASON_PHRASE_BYTES_MAX))
    }
}

/// The status that axum gives a rejection, as one of our kinds.
fn rejected(status: StatusCode, text: &str) -> Problem {
    let kind = match status {
        StatusCode::PAYLOAD_TOO_LARGE => Kind::TooLarge,
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Kind::UnsupportedMediaType,
        StatusCode::UNPROCESSABLE_ENTITY => Kind::Unacceptable,
        StatusCode::REQUEST_TIMEOUT => Kind::TooSlow,
        status if status.is_server_error() => return Problem::internal(text),
        _ => Kind::Malformed,
    };
    Problem::new(kind, printable(text, REASON_PHRASE_BYTES_MAX))
}

fn caused_by_slowness(rejection: &(dyn Error + 'static)) -> bool {
    let causes = std::iter::successors(rejection.source(), |error: &&(dyn Error + 'static)| (*error).source());
    causes.take(CAUSES_MAX).any(|error| error.is::<TooSlow>())
}

macro_rules! from_rejections {
    ($($rejection:ty),*) => {$(
        impl From<$rejection> for Problem {
            fn from(rejection: $rejection) -> Problem {
                if caused_by_slowness(&rejection) {
                    return Problem::new(Kind::TooSlow, TooSlow.to_string());
                }
                rejected(rejection.status(), &rejection.body_text())
            }
        }
    )*};
}
from_rejections!(BytesRejection, JsonRejection, PathRejection, QueryRejection);

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;
    use crate::access::AccessError;
    use crate::catalog::CatalogError;
    use crate::model::package::PackageId;
    use crate::model::package::Version;
    use crate::model::release::ReleaseId;
    use crate::model::standing::Standing;
    use crate::model::time::Timestamp;

    async fn answer(problem: Problem) -> (http::response::Parts, serde_json::Value) {
        let (parts, body) = problem.into_response().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (parts, serde_json::from_slice(&body).unwrap())
    }

    #[tokio::test]
    async fn a_refusal_says_what_when_and_never_is_kept() {
        let package = PackageId::npm("lodash").unwrap();
        let opens_at = Timestamp::parse("2026-11-27T14:05:00Z").unwrap();
        let release = ReleaseId { package, version: Version::parse("4.17.22").unwrap() };
        let sentence = "lodash@4.17.22 is held: published 9 hours ago, opens 2026-11-27 14:05 UTC (minimum age 7 days).".to_owned();
        let standing = Standing::Held { until: Some(opens_at) };
        let refusal = Refusal { release, standing, opens_at: Some(opens_at), sentence: sentence.clone() };
        let (parts, body) = answer(CatalogError::Refused(Box::new(refusal)).into()).await;
        assert_eq!(parts.status, 403);
        assert_eq!(parts.headers["content-type"], MEDIA_TYPE);
        assert_eq!(parts.headers["cache-control"], "no-store");
        assert_eq!(parts.extensions.get::<ReasonPhrase>().unwrap().as_bytes(), sentence.as_bytes());
        let expect = serde_json::json!({
            "type": "urn:airlock:problem:refused", "title": "This release is not open", "status": 403, "detail": sentence, "error": sentence,
            "release": "lodash@4.17.22", "standing": "held", "opens_at": "2026-11-27T14:05:00.000Z",
        });
        assert_eq!(body, expect);
    }

    #[tokio::test]
    async fn what_is_ours_is_logged_and_not_told() {
        let full = CatalogError::StorageFull("the disk is full: free space on /data and try again".into());
        let (parts, body) = answer(full.into()).await;
        assert_eq!(parts.status, StatusCode::INSUFFICIENT_STORAGE);
        assert_eq!(body["error"], "the disk is full: free space on /data and try again");
        let fault = CatalogError::Storage("/var/lib/airlock/ledger is damaged".into());
        let (parts, body) = answer(fault.into()).await;
        assert_eq!(parts.status, 500);
        assert!(!body.to_string().contains("/var/lib"));
    }

    #[tokio::test]
    async fn headers_say_when_and_how() {
        let package = PackageId::npm("left-pad").unwrap();
        let wait = Duration::from_millis(1_200);
        let upstream = |retry_after| CatalogError::Upstream { package: package.clone(), why: "503".into(), retry_after };
        let (parts, _) = answer(upstream(Some(wait)).into()).await;
        assert_eq!((parts.status.as_u16(), parts.headers["retry-after"].to_str().unwrap()), (503, "2"));
        let (parts, _) = answer(upstream(None).into()).await;
        assert_eq!(parts.status, 502);
        let (parts, _) = answer(AccessError::NotValid.into()).await;
        let ways: Vec<_> = parts.headers.get_all("www-authenticate").iter().collect();
        assert_eq!((parts.status.as_u16(), ways.len()), (401, 2));
        assert!(ways[0].to_str().unwrap().starts_with("Bearer"));
        let (parts, _) = answer(AccessError::WrongPassword.into()).await;
        let ways: Vec<_> = parts.headers.get_all("www-authenticate").iter().collect();
        assert_eq!((parts.status.as_u16(), ways.len()), (401, 1));
        assert!(ways[0].to_str().unwrap().starts_with("Basic"));
    }

    #[test]
    fn a_reason_phrase_is_one_short_line_of_ascii() {
        let phrase = reason_phrase(&format!("l\u{f6}dash\r\nset-cookie: x\u{1b}[31m{}", "x".repeat(1_000))).unwrap();
        assert!(phrase.as_bytes().starts_with(b"l?dash??set-cookie: x?[31mx"));
        assert_eq!(phrase.as_bytes().len(), REASON_PHRASE_BYTES_MAX);
    }
}
