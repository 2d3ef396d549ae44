//! Why a request is not answered, in the one wording and on every channel that some client shows: `error`, `message` and
//! `reason` in the body, the HTTP/1.1 reason phrase, and `npm-notice`.

use std::fmt::Display;

use axum::body::Body;
use axum::response::Response;
use http::HeaderName;
use http::HeaderValue;
use http::header;
use serde::Serialize;

use crate::catalog::CatalogError;
use crate::http::link;
use crate::http::problem::Kind;
use crate::http::problem::Problem;
use crate::http::problem::REASON_PHRASE_BYTES_MAX;
use crate::http::problem::reason_phrase;
use crate::model::finding::printable;
use crate::model::release::ReleaseId;
use crate::protocol::npm::manifest::Fault;
use crate::protocol::npm::path::BadPath;

/// npm prints this header of an error, and of an answer to what it wrote, on a line of its own.
const NPM_NOTICE: HeaderName = HeaderName::from_static("npm-notice");

/// Longest `npm-notice` that is sent, in bytes.
const NOTICE_BYTES_MAX: usize = 600;

/// A request that is not answered as asked.
#[derive(Debug)]
pub struct Failure {
    problem: Box<Problem>,
    /// The release that stands behind it: its page says more.
    about: Option<ReleaseId>,
    /// The methods that would be answered, for 405.
    allow: Option<String>,
}

/// All three are what some client prints.
#[derive(Serialize)]
struct Document<'f> {
    error: &'f str,
    message: &'f str,
    reason: &'f str,
}

/// What npm has commands for and Airlock has not, and where to look instead.
fn absent(path: &str) -> Option<&'static str> {
    const GROUPS: &str = "Airlock has no organisations and no teams: groups of people stand in its configuration, [access.groups]";
    const HOOKS: &str = "Airlock has no hooks";
    const TRUST: &str = "trusted publishers stand in Airlock's configuration, [[access.trusted_publishers]]";
    if path.starts_with("/-/org/") || path.starts_with("/-/team/") {
        Some(GROUPS)
    } else if path.starts_with("/-/npm/v1/hooks") {
        Some(HOOKS)
    } else if path.starts_with("/-/package/") && (path.ends_with("/trust") || path.contains("/trust/")) {
        Some(TRUST)
    } else {
        None
    }
}

impl Failure {
    pub fn not_served(path: &str) -> Failure {
        let said = match absent(path) {
            Some(instead) => instead.to_owned(),
            None => format!("Airlock does not serve {}", printable(path, REASON_PHRASE_BYTES_MAX / 2)),
        };
        Problem::new(Kind::Unknown, said).into()
    }

    pub fn no_such_version(package: &impl Display, wanted: &str) -> Failure {
        Problem::new(Kind::Unknown, format!("{package} has no version or tag {:?}", printable(wanted, REASON_PHRASE_BYTES_MAX / 4))).into()
    }

    pub fn method(method: &impl Display, allow: &str) -> Failure {
        let problem = Problem::new(Kind::MethodNotAllowed, format!("Airlock does not answer {method} here, only {allow}"));
        Failure { allow: Some(allow.to_owned()), ..problem.into() }
    }

    /// The answer for npm's clients, with links under `base`. Writes a failure of ours to the log.
    pub fn response(&self, base: &str) -> Response {
        self.problem.report();
        let sentence = &self.problem.detail;
        let link = self.about.as_ref().map(|release| link::of_release(base, release));
        let said = match &link {
            Some(link) => format!("{sentence} {link}"),
            None => sentence.clone(),
        };
        let body = serde_json::to_vec(&Document { error: &said, message: &said, reason: &said }).unwrap_or_default();
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.problem.status();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
        self.problem.headers(headers);
        if let Some(allow) = self.allow.as_deref().and_then(|allow| HeaderValue::try_from(allow).ok()) {
            headers.insert(header::ALLOW, allow);
        }
        if let Some((header, text)) = link.as_deref().and_then(|link| notice(sentence, link)) {
            headers.insert(header, text);
        }
        let phrase = one_line(sentence, link.as_deref().unwrap_or_default(), REASON_PHRASE_BYTES_MAX);
        if let Some(phrase) = reason_phrase(&phrase) {
            response.extensions_mut().insert(phrase);
        }
        *response.body_mut() = Body::from(body);
        response
    }
}

/// The header that npm prints on a line of its own.
pub fn notice(sentence: &str, link: &str) -> Option<(HeaderName, HeaderValue)> {
    let text = HeaderValue::try_from(one_line(sentence, link, NOTICE_BYTES_MAX)).ok()?;
    Some((NPM_NOTICE, text))
}

/// Sentence and link as one line of ASCII of at most `bytes_max` bytes; the sentence is cut before the link is.
fn one_line(sentence: &str, link: &str, bytes_max: usize) -> String {
    const CUT: &str = "...";
    let ascii = |c: char| if c.is_ascii_graphic() || c == ' ' { c } else { '?' };
    let link: String = link.chars().map(ascii).collect();
    let room = bytes_max.saturating_sub(link.len() + usize::from(!link.is_empty()));
    let mut line: String = sentence.chars().map(ascii).collect();
    if line.len() > room {
        line.truncate(room.saturating_sub(CUT.len()));
        line.push_str(CUT);
    }
    if !link.is_empty() {
        line.push(' ');
        line.push_str(&link);
    }
    line.truncate(bytes_max);
    line
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Failure {
        let about = problem.refusal.as_ref().map(|refusal| refusal.release.clone());
        Failure { problem: Box::new(problem), about, allow: None }
    }
}

impl From<CatalogError> for Failure {
    fn from(error: CatalogError) -> Failure {
        let inspected = match &error {
            CatalogError::NotYet { release, .. } => Some(release.clone()),
            CatalogError::UnknownPackage(_)
            | CatalogError::UnknownRelease { .. }
            | CatalogError::Refused(_)
            | CatalogError::Upstream { .. }
            | CatalogError::Loop
            | CatalogError::Storage(_)
            | CatalogError::StorageFull(_) => None,
        };
        let failure = Failure::from(Problem::from(error));
        Failure { about: failure.about.or(inspected), ..failure }
    }
}

impl From<BadPath> for Failure {
    fn from(bad: BadPath) -> Failure {
        match bad {
            BadPath::Name(name) => Problem::from(name).into(),
            BadPath::TooLong { .. } | BadPath::Encoding(_) => Problem::new(Kind::Malformed, bad.to_string()).into(),
        }
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Problem {
        Problem::internal(format!("a manifest that was read before cannot be written: {fault}"))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::StatusCode;
    use http_body_util::BodyExt;
    use hyper::ext::ReasonPhrase;

    use super::*;
    use crate::model::package::PackageId;
    use crate::model::package::Version;
    use crate::model::refusal::Refusal;
    use crate::model::standing::Standing;

    const BASE: &str = "https://gate.example/npm";

    fn release() -> ReleaseId {
        ReleaseId { package: PackageId::npm("@acme/web").unwrap(), version: Version::parse("1.1.0").unwrap() }
    }

    fn refused(sentence: &str) -> Failure {
        let refusal =
            Refusal { release: release(), standing: Standing::Held { until: None }, opens_at: None, sentence: sentence.to_owned() };
        CatalogError::Refused(Box::new(refusal)).into()
    }

    fn phrase(response: &Response) -> &str {
        std::str::from_utf8(response.extensions().get::<ReasonPhrase>().unwrap().as_bytes()).unwrap()
    }

    async fn body(response: Response) -> serde_json::Value {
        serde_json::from_slice(&response.into_body().collect().await.unwrap().to_bytes()).unwrap()
    }

    #[tokio::test]
    async fn a_refusal_says_the_same_on_every_channel() {
        let response = refused("@acme/web@1.1.0 is held: é. 1.0.0 is approved.").response(BASE);
        assert_eq!(response.status(), StatusCode::FORBIDDEN);
        let line = "@acme/web@1.1.0 is held: ?. 1.0.0 is approved. https://gate.example/npm/-/airlock/r/@acme/web@1.1.0";
        assert_eq!((phrase(&response), response.headers()[NPM_NOTICE].to_str().unwrap()), (line, line));
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
        let body = body(response).await;
        let line = line.replace('?', "é");
        assert_eq!(body, serde_json::json!({ "error": line, "message": line, "reason": line }));
    }

    #[test]
    fn a_long_sentence_is_cut_before_its_link() {
        let response = refused(&format!("x{}\r\nevil: header", "é\u{1b}".repeat(600))).response(BASE);
        let (phrase, notice) = (phrase(&response), response.headers()[NPM_NOTICE].to_str().unwrap());
        assert_eq!((phrase.len(), notice.len()), (REASON_PHRASE_BYTES_MAX, NOTICE_BYTES_MAX));
        for line in [phrase, notice] {
            assert!(line.ends_with("?... https://gate.example/npm/-/airlock/r/@acme/web@1.1.0"));
        }
        assert_eq!(response.headers().len(), 4);
    }

    #[tokio::test]
    async fn what_is_not_there_and_what_is_no_name() {
        async fn check(failure: Failure, status: StatusCode, said: &str) {
            let response = failure.response(BASE);
            assert_eq!((response.status(), phrase(&response)), (status, said));
            assert_eq!(response.headers().get(NPM_NOTICE), None);
            assert_eq!(body(response).await["error"], said);
        }
        check(Failure::not_served("/-/x"), StatusCode::NOT_FOUND, "Airlock does not serve /-/x").await;
        for (path, word) in [("/-/org/acme/user", "groups"), ("/-/team/acme/web/user", "groups"), ("/-/npm/v1/hooks", "hooks")] {
            let said = Failure::not_served(path).problem.detail;
            assert!(said.contains(word), "{said}");
        }
        assert!(Failure::not_served("/-/package/@acme%2fweb/trust").problem.detail.contains("trusted_publishers"));
        check(Failure::no_such_version(&"x", "9"), StatusCode::NOT_FOUND, "x has no version or tag \"9\"").await;
        let bad = crate::protocol::npm::path::parse("/.x").unwrap_err();
        check(bad.into(), StatusCode::BAD_REQUEST, "\".x\" is not a package name: it starts with a dot or an underscore").await;
        let unknown = CatalogError::UnknownPackage(PackageId::npm("x").unwrap());
        check(unknown.into(), StatusCode::NOT_FOUND, "x is not known, neither here nor at the upstream registry").await;
        let method = Failure::method(&"PUT", "GET, HEAD");
        assert_eq!(method.response(BASE).headers()[header::ALLOW], "GET, HEAD");
        check(method, StatusCode::METHOD_NOT_ALLOWED, "Airlock does not answer PUT here, only GET, HEAD").await;
    }

    #[test]
    fn one_under_inspection_is_asked_for_again() {
        let response = Failure::from(CatalogError::NotYet { release: release(), retry_after: Duration::from_millis(4_100) }).response(BASE);
        assert_eq!((response.status(), &response.headers()[header::RETRY_AFTER]), (StatusCode::SERVICE_UNAVAILABLE, &HeaderValue::from(5)));
        assert!(phrase(&response).ends_with(" https://gate.example/npm/-/airlock/r/@acme/web@1.1.0"));
    }

    #[test]
    fn a_fault_of_ours_stays_in_the_log() {
        let response = Failure::from(Problem::from(Fault::SameVersion)).response(BASE);
        assert_eq!(phrase(&response), "Something went wrong in Airlock; its log says what");
    }
}
