//! The page on which people sign in for a program that waits.

use axum::extract::Path;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use http::header;
use url::form_urlencoded;

use crate::access::AccessError;
use crate::admin::Api;
use crate::admin::page;
use crate::admin::page::Form;
use crate::admin::page::sign_in::Page;
use crate::admin::request::whole;
use crate::http::caller::Caller;
use crate::http::problem::Kind;
use crate::http::problem::Problem;

/// What the form sends.
#[derive(Default)]
struct Filled {
    name: String,
    password: String,
    nonce: String,
}

impl Filled {
    fn read(bytes: &[u8]) -> Filled {
        let mut filled = Filled::default();
        for (key, value) in form_urlencoded::parse(bytes) {
            match &*key {
                "name" => filled.name = value.into_owned(),
                "password" => filled.password = value.into_owned(),
                "nonce" => filled.nonce = value.into_owned(),
                _ => {}
            }
        }
        filled
    }
}

/// Sign in for a program that waits
#[utoipa::path(
    get,
    path = "/-/airlock/sign-in/{session}", operation_id = "showSignIn",
    tag = "pages",
    params(("session" = String, Path, description = "From `loginUrl` of `POST /-/v1/login`")),
    responses((status = 200, description = "A page with a form", content_type = "text/html", body = String), (status = 404, description = "It is over"))
)]
pub async fn form(State(api): State<Api>, caller: Caller, Path(session): Path<String>) -> Response {
    match shown(&api, &caller, &session, None) {
        Ok(page) => page::form(StatusCode::OK, "Sign in", &caller.base, &page.html(&caller.base)),
        Err(problem) => page::problem(problem, Form::Html, &caller.base),
    }
}

/// Sign in, with what the form holds
#[utoipa::path(
    post,
    path = "/-/airlock/sign-in/{session}", operation_id = "signIn",
    tag = "pages",
    params(("session" = String, Path, description = "From `loginUrl` of `POST /-/v1/login`")),
    request_body(content_type = "application/x-www-form-urlencoded", content = String),
    responses(
        (status = 200, description = "Signed in: the program that waits gets its token", content_type = "text/html", body = String),
        (status = 403, description = "The name or the password is wrong"),
        (status = 404, description = "It is over"),
        (status = 429, description = "Too many attempts failed")
    )
)]
pub async fn submit(State(api): State<Api>, caller: Caller, Path(session): Path<String>, body: axum::body::Body) -> Response {
    match signed_in(&api, &caller, &session, body).await {
        Ok(name) => page::html(StatusCode::OK, "Signed in", &caller.base, &page::sign_in::done(&name)),
        Err(problem) => {
            // A browser that is told 401 asks for name and password itself.
            let status = if problem.status() == StatusCode::UNAUTHORIZED { StatusCode::FORBIDDEN } else { problem.status() };
            match shown(&api, &caller, &session, Some(&problem.detail)) {
                Ok(page) => {
                    problem.report();
                    let mut response = page::form(status, "Sign in", &caller.base, &page.html(&caller.base));
                    if let Some(seconds) = problem.retry_after_seconds() {
                        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
                    }
                    response
                }
                Err(over) => page::problem(over, Form::Html, &caller.base),
            }
        }
    }
}

/// The page for a sign-in that is open, with what went wrong before.
fn shown<'s>(api: &Api, caller: &Caller, session: &'s str, wrong: Option<&str>) -> Result<Page<'s>, Problem> {
    let asking = api.access.asking(session).ok_or(AccessError::NoSession)?;
    Ok(Page {
        session,
        is_from_here: asking.address == caller.address,
        asking,
        has_provider: api.access.has_provider(),
        may_register: api.access.may_register(),
        wrong: wrong.map(str::to_owned),
    })
}

/// The name of who signed in.
async fn signed_in(api: &Api, caller: &Caller, session: &str, body: axum::body::Body) -> Result<String, Problem> {
    let filled = Filled::read(&whole(body).await?);
    let asking = api.access.asking(session).ok_or(AccessError::NoSession)?;
    if filled.nonce != asking.nonce {
        return Err(Problem::new(Kind::Forbidden, "the form was not filled in on this page: load it anew"));
    }
    let signed_in = api.access.sign_in_or_register(filled.name.trim(), &filled.password, None, caller.address).await?;
    let name = signed_in.name.clone();
    api.access.end_web(session, signed_in)?;
    Ok(name)
}
