//! Signing in with the identity provider: the browser that `npm login` opened is sent there, and comes back.

use axum::extract::Path;
use axum::extract::Query;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::response::Response;
use data_encoding::HEXLOWER;
use http::HeaderMap;
use http::HeaderValue;
use http::StatusCode;
use http::header;
use serde::Deserialize;
use url::Url;

use crate::access::oidc::sign_in;
use crate::access::oidc::sign_in::Answer;
use crate::admin::Api;
use crate::admin::page;
use crate::http::caller::Caller;
use crate::http::problem::Kind;
use crate::http::problem::Problem;
use crate::model::digest::DocumentDigest;

/// What the browser is recognised by when it comes back: 32 lower-case hexadecimal digits.
const COOKIE: &str = "airlock-oidc";
/// The same over TLS. By this name browsers take it from this very host only, and from none beside it: whoever could plant
/// one would know what a page that was never shown holds. Source: draft-ietf-httpbis-rfc6265bis, 4.1.3.2.
const COOKIE_OF_HOST: &str = "__Host-airlock-oidc";
/// Below the base: where the pages are.
const PATH: &str = "/-/airlock/oidc/";
const SECRET_BYTES: usize = 16;
const SECRET_CHARS: usize = 2 * SECRET_BYTES;

#[derive(Deserialize)]
pub struct Leave {
    /// Says that the person saw the page that this browser was shown.
    seen: Option<String>,
}

/// Sign in with the identity provider, for a program that waits
///
/// First the page that says which program that is; from there to the provider. Whoever is lured here by a link of somebody
/// else's sign-in sees that page, and the provider is not asked before they went on.
#[utoipa::path(
    get,
    path = "/-/airlock/oidc/start/{session}", operation_id = "oidcStart",
    tag = "pages",
    params(("session" = String, Path, description = "As the address of the sign-in page has it"), ("seen" = Option<String>, Query, description = "As the page has it")),
    responses((status = 200, description = "Who asks", body = String, content_type = "text/html"), (status = 303, description = "To the provider"))
)]
pub async fn start(
    State(api): State<Api>,
    caller: Caller,
    headers: HeaderMap,
    Path(session): Path<String>,
    Query(leave): Query<Leave>,
) -> Response {
    let answered = leaving(&api, &caller, &headers, &session, leave.seen.as_deref()).await;
    answered.unwrap_or_else(|problem| refused(&problem, &caller.base))
}

async fn leaving(api: &Api, caller: &Caller, headers: &HeaderMap, session: &str, seen: Option<&str>) -> Result<Response, Problem> {
    let identities = api.access.identities();
    let (Some(issuer), Some(asking)) = (identities.signs_in(), api.access.asking(session)) else {
        return Err(Problem::new(Kind::Unknown, "nobody waits for this sign-in: begin again, with npm login"));
    };
    let browser = match browser(headers, &caller.base) {
        Some(browser) => browser,
        None => secret()?,
    };
    let proof = seen_by(&browser, session);
    let mut response = if seen == Some(proof.as_str()) {
        let to = identities.leave(session, &browser, &caller.base).await?;
        let to = HeaderValue::try_from(to).map_err(|error| Problem::internal(format!("the provider's address: {error}")))?;
        let mut response = StatusCode::SEE_OTHER.into_response();
        response.headers_mut().insert(header::LOCATION, to);
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    } else {
        let on = format!("{}{PATH}start/{session}?seen={proof}", caller.base);
        page::html(StatusCode::OK, "Sign in", &caller.base, &page::oidc::leaving(issuer, &asking, &on))
    };
    response.headers_mut().insert(header::SET_COOKIE, cookie(&browser, &caller.base)?);
    Ok(response)
}

/// Where the identity provider sends the browser back to
#[utoipa::path(
    get,
    path = "/-/airlock/oidc/callback", operation_id = "oidcCallback",
    tag = "pages",
    params(
        ("code" = Option<String>, Query, description = "Worth an identity, once"),
        ("state" = Option<String>, Query, description = "As it was sent there"),
        ("error" = Option<String>, Query, description = "Why there is no code"),
        ("iss" = Option<String>, Query, description = "Who says so")
    ),
    responses((status = 200, description = "Signed in: the program that waits has its token", body = String, content_type = "text/html"))
)]
pub async fn callback(State(api): State<Api>, caller: Caller, headers: HeaderMap, Query(answer): Query<Answer>) -> Response {
    let answered = returning(&api, &caller, &headers, answer).await;
    answered.unwrap_or_else(|problem| refused(&problem, &caller.base))
}

async fn returning(api: &Api, caller: &Caller, headers: &HeaderMap, answer: Answer) -> Result<Response, Problem> {
    let (session, person) = api.access.identities().back(browser(headers, &caller.base).as_deref(), answer).await?;
    let signed_in = api.access.admit(person).await?;
    let name = signed_in.name.clone();
    api.access.end_web(&session, signed_in)?;
    Ok(page::html(StatusCode::OK, "Signed in", &caller.base, &page::sign_in::done(&name)))
}

/// Whatever a browser asks for, this is for a person.
fn refused(problem: &Problem, base: &str) -> Response {
    problem.report();
    // A browser that is told 401 asks for name and password itself.
    let status = if problem.status() == StatusCode::UNAUTHORIZED { StatusCode::FORBIDDEN } else { problem.status() };
    let mut response = page::html(status, "Not signed in", base, &page::oidc::refused(&problem.detail));
    if let Some(seconds) = problem.retry_after_seconds() {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

/// The secret that this browser was given. Where there are two, somebody else gave one of them.
fn browser(headers: &HeaderMap, base: &str) -> Option<String> {
    let ours = if is_secure(base) { COOKIE_OF_HOST } else { COOKIE };
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut named = pairs.filter(|(name, _)| *name == ours);
    let (Some((_, secret)), None) = (named.next(), named.next()) else { return None };
    let is_one = secret.len() == SECRET_CHARS && secret.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    is_one.then(|| secret.to_owned())
}

/// What only a page that was shown to this browser can hold.
fn seen_by(browser: &str, session: &str) -> String {
    HEXLOWER.encode(&DocumentDigest::of(format!("{browser}\n{session}").as_bytes()).raw()[..SECRET_BYTES])
}

fn secret() -> Result<String, Problem> {
    let mut random = [0_u8; SECRET_BYTES];
    getrandom::fill(&mut random).map_err(|error| Problem::internal(format!("no random numbers are to be had: {error}")))?;
    Ok(HEXLOWER.encode(&random))
}

fn is_secure(base: &str) -> bool {
    base.starts_with("https:")
}

/// Sent back when the provider's answer leads here from its own site, and on no request that another site makes otherwise.
fn cookie(browser: &str, base: &str) -> Result<HeaderValue, Problem> {
    let seconds = sign_in::UNDER_WAY_FOR.as_secs();
    let cookie = if is_secure(base) {
        format!("{COOKIE_OF_HOST}={browser}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax; Secure")
    } else {
        let at = Url::parse(base).map_err(|error| Problem::internal(format!("the base address: {error}")))?;
        let path = format!("{}{PATH}", at.path().trim_end_matches('/'));
        format!("{COOKIE}={browser}; Path={path}; Max-Age={seconds}; HttpOnly; SameSite=Lax")
    };
    HeaderValue::try_from(cookie).map_err(|error| Problem::internal(format!("a cookie: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_for_these_pages_and_of_this_host_only() {
        let secret = "0123456789abcdef0123456789abcdef";
        let check = |base: &str, expect: &str| assert_eq!(cookie(secret, base).unwrap(), expect);
        let plain = format!("airlock-oidc={secret}; Path=/-/airlock/oidc/; Max-Age=600; HttpOnly; SameSite=Lax");
        check("http://127.0.0.1:4873", &plain);
        check("http://localhost/npm", &plain.replace("Path=", "Path=/npm"));
        check("https://acme.example/npm", &format!("__Host-airlock-oidc={secret}; Path=/; Max-Age=600; HttpOnly; SameSite=Lax; Secure"));
        let read = |text: &str, base: &str| browser(&HeaderMap::from_iter([(header::COOKIE, text.parse().unwrap())]), base);
        let (plain, secure) = ("http://localhost", "https://acme.example");
        assert_eq!(read(&format!("a=b; airlock-oidc={secret}; c"), plain).as_deref(), Some(secret));
        assert_eq!(read(&format!("airlock-oidc=x; __Host-airlock-oidc={secret}"), secure).as_deref(), Some(secret));
        let twice = format!("airlock-oidc={secret}; airlock-oidc={secret}");
        for wrong in ["", "airlock-oidc=", "airlock-oidc=0123", "xairlock-oidc=0123456789abcdef0123456789abcdef", &twice] {
            assert_eq!(read(wrong, plain), None, "{wrong}");
        }
        assert_eq!(read(&format!("airlock-oidc={secret}"), secure), None, "any host beside this one may have planted it");
        assert_ne!(seen_by(secret, "a"), seen_by(secret, "b"));
    }
}
