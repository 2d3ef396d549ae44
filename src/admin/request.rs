//! What a request asks, read strictly: an unknown parameter or field is a mistake to be told, not to be passed over.

use axum::extract::FromRequest;
use axum::extract::FromRequestParts;
use axum::extract::Path;
use axum::extract::Query;
use axum::extract::Request;
use bytes::Bytes;
use http::HeaderMap;
use http::header;
use http::request::Parts;
use http_body_util::BodyExt;
use http_body_util::LengthLimitError;
use http_body_util::Limited;
use serde::de::DeserializeOwned;

use crate::http::problem::Kind;
use crate::http::problem::Problem;
use crate::model::digest::Digest;
use crate::model::finding::printable;
use crate::model::package::PackageId;
use crate::model::package::Version;
use crate::model::release::ReleaseId;

pub const BODY_BYTES_MAX: usize = 64 * 1_024;
pub const LIMIT_DEFAULT: usize = 50;
pub const LIMIT_MAX: usize = 500;
/// What an answer repeats of a wrong request, in bytes.
const ECHO_BYTES_MAX: usize = 300;

/// The query string as `T`, which refuses unknown parameters.
pub struct Asked<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Asked<T>, Problem> {
        let Query(asked) = Query::try_from_uri(&parts.uri)?;
        Ok(Asked(asked))
    }
}

/// How many to answer with.
///
/// # Errors
/// 400 outside of 1 to [`LIMIT_MAX`].
pub fn limit(asked: Option<usize>) -> Result<usize, Problem> {
    match asked {
        None => Ok(LIMIT_DEFAULT),
        Some(limit @ 1..=LIMIT_MAX) => Ok(limit),
        Some(other) => Err(Problem::new(Kind::Malformed, format!("limit is from 1 to {LIMIT_MAX}, not {other}"))),
    }
}

/// The package that the path names: `{package}`, or `{scope}/{name}` where the slash came unencoded.
pub struct NamedPackage(pub PackageId);

/// The release that the path names.
pub struct NamedRelease(pub ReleaseId);

impl<S: Send + Sync> FromRequestParts<S> for NamedPackage {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<NamedPackage, Problem> {
        let Path(segments) = Path::<Vec<(String, String)>>::from_request_parts(parts, state).await?;
        Ok(NamedPackage(package(&segments)?))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for NamedRelease {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<NamedRelease, Problem> {
        let Path(segments) = Path::<Vec<(String, String)>>::from_request_parts(parts, state).await?;
        let package = package(&segments)?;
        let version = Version::parse(segment(&segments, "version").unwrap_or_default())?;
        Ok(NamedRelease(ReleaseId { package, version }))
    }
}

fn segment<'s>(segments: &'s [(String, String)], name: &str) -> Option<&'s str> {
    segments.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

fn package(segments: &[(String, String)]) -> Result<PackageId, Problem> {
    let name = match (segment(segments, "scope"), segment(segments, "name")) {
        (Some(scope), Some(name)) => format!("{scope}/{name}"),
        (Some(_), None) | (None, _) => segment(segments, "package").unwrap_or_default().to_owned(),
    };
    Ok(PackageId::npm(&name)?)
}

/// `left-pad`, `left-pad@1.3.0`, `@acme/web@1.0.0`: a package, or one release of it.
pub fn subject(text: &str) -> Result<(PackageId, Option<Version>), Problem> {
    // A name has no other `@` than its first character; a version may have some.
    let at = text.char_indices().skip(1).find(|(_, c)| *c == '@').map(|(at, _)| at);
    let Some((name, version)) = at.and_then(|at| text.split_at_checked(at)) else {
        return Ok((PackageId::npm(text)?, None));
    };
    Ok((PackageId::npm(name)?, Some(Version::parse(version.strip_prefix('@').unwrap_or(version))?)))
}

/// A JSON body as `T`, which refuses unknown fields.
pub struct Told<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Told<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Told<T>, Problem> {
        let (parts, body) = request.into_parts();
        json_only(&parts.headers)?;
        let bytes = whole(body).await?;
        Ok(Told(parse(&bytes)?))
    }
}

/// The whole body.
///
/// # Errors
/// 413 above [`BODY_BYTES_MAX`], 400 when it breaks off.
pub async fn whole(body: axum::body::Body) -> Result<Bytes, Problem> {
    match Limited::new(body, BODY_BYTES_MAX).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            Err(Problem::new(Kind::TooLarge, format!("the body is larger than {BODY_BYTES_MAX} bytes")))
        }
        Err(_) => Err(Problem::new(Kind::Malformed, "the body broke off")),
    }
}

fn json_only(headers: &HeaderMap) -> Result<(), Problem> {
    let told = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = told.split(';').next().unwrap_or_default().trim();
    if media_type.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(Problem::new(Kind::UnsupportedMediaType, "the body is to be JSON, with Content-Type: application/json"))
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(bytes).map_err(|error| {
        let text = format!("the body is not what is expected here: {error}");
        Problem::new(Kind::Malformed, printable(&text, ECHO_BYTES_MAX))
    })
}

/// A digest as people paste it.
///
/// # Errors
/// 422 naming the field.
pub fn digest(text: Option<&str>) -> Result<Option<Digest>, Problem> {
    text.map(Digest::parse).transpose().map_err(|error| Problem::new(Kind::Unacceptable, format!("digest: {error}")))
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;
    use crate::admin::wire::AuditQuery;
    use crate::admin::wire::DecisionOrder;
    use crate::admin::wire::ReleasesQuery;

    async fn query<T: DeserializeOwned>(text: &str) -> Result<T, Problem> {
        let (mut parts, ()) = http::Request::get(format!("/x?{text}")).body(()).unwrap().into_parts();
        Asked::from_request_parts(&mut parts, &()).await.map(|Asked(asked)| asked)
    }

    async fn told(media_type: &str, body: impl Into<axum::body::Body>) -> Result<DecisionOrder, Problem> {
        let request = http::Request::post("/x").header("content-type", media_type).body(body.into()).unwrap();
        Told::from_request(request, &()).await.map(|Told(told)| told)
    }

    #[tokio::test]
    async fn unknown_parameters_and_wrong_values_are_told() {
        assert_eq!(query::<ReleasesQuery>("standing=in_review&limit=3").await.unwrap().limit, Some(3));
        for (text, word) in
            [("standings=held", "standings"), ("standing=good", "good"), ("limit=many", "limit"), ("limit=1&limit=2", "limit")]
        {
            let problem = query::<ReleasesQuery>(text).await.unwrap_err();
            assert_eq!(problem.status(), StatusCode::BAD_REQUEST, "{text}");
            assert!(problem.detail.contains(word), "{}", problem.detail);
        }
        assert!(query::<AuditQuery>("after=-1").await.is_err());
    }

    #[test]
    fn limits_have_a_limit() {
        assert_eq!(limit(None).unwrap(), LIMIT_DEFAULT);
        assert_eq!(limit(Some(LIMIT_MAX)).unwrap(), LIMIT_MAX);
        for wrong in [0, LIMIT_MAX + 1, usize::MAX] {
            assert_eq!(limit(Some(wrong)).unwrap_err().status(), StatusCode::BAD_REQUEST);
        }
    }

    #[tokio::test]
    async fn bodies_are_json_small_and_known() {
        let order = told("application/json; charset=utf-8", r#"{"decision":"approve","reason":"read it"}"#).await.unwrap();
        assert_eq!((order.reason.as_str(), order.digest), ("read it", None));
        for (media_type, body, status, word) in [
            ("text/plain", "{}".to_owned(), 415, "application/json"),
            ("", "{}".to_owned(), 415, "application/json"),
            ("application/json", String::new(), 400, "line 1 column 0"),
            ("application/json", "{\n  \"decision\": \"approve\",\n  oops }".to_owned(), 400, "line 3 column 3"),
            ("application/json", r#"{"decision":"approve","raeson":"x"}"#.to_owned(), 400, "raeson"),
            ("application/json", r#"{"decision":"bless","reason":"x"}"#.to_owned(), 400, "bless"),
            ("application/json", r#"{"decision":"hold","decision":"approve","reason":"x"}"#.to_owned(), 400, "duplicate"),
            ("application/json", r#"{"decision":"hold","reason":"x","expires_at":"soon"}"#.to_owned(), 400, "RFC 3339"),
            ("application/json", format!(r#"{{"reason":"{}"}}"#, "x".repeat(BODY_BYTES_MAX)), 413, "65536"),
        ] {
            let problem = told(media_type, body.clone()).await.unwrap_err();
            assert_eq!(problem.status().as_u16(), status, "{body:.80}");
            assert!(problem.detail.contains(word), "{}", problem.detail);
        }
    }

    #[test]
    fn a_subject_is_a_package_or_a_release() {
        let read = |text| subject(text).map(|(package, version)| (package.name.to_string(), version.map(|version| version.to_string())));
        assert_eq!(read("left-pad").unwrap(), ("left-pad".to_owned(), None));
        assert_eq!(read("@acme/web").unwrap(), ("@acme/web".to_owned(), None));
        assert_eq!(read("@acme/web@1.0.0+b@1").unwrap(), ("@acme/web".to_owned(), Some("1.0.0+b@1".to_owned())));
        for wrong in ["", "@", "@acme", "left-pad@", "@1.0.0", "../x@1", "é@1", "a@1/2"] {
            assert_eq!(subject(wrong).unwrap_err().status(), StatusCode::BAD_REQUEST, "{wrong}");
        }
    }

    #[test]
    fn a_digest_is_read_in_both_forms() {
        let known = Digest::of(b"tarball");
        assert_eq!(digest(Some(&known.sri())).unwrap(), Some(known));
        assert_eq!(digest(Some(&known.hex())).unwrap(), Some(known));
        assert!(digest(None).unwrap().is_none());
        let problem = digest(Some("sha1-abc")).unwrap_err();
        assert!(problem.status() == StatusCode::UNPROCESSABLE_ENTITY && problem.detail.starts_with("digest: "), "{}", problem.detail);
    }
}
