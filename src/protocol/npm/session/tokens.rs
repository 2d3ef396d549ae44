//! A person's tokens, made and revoked by themselves.

use axum::body::Body;
use axum::response::Response;
use http::HeaderValue;
use http::StatusCode;
use http::header;
use serde::Deserialize;
use serde_json::Value;
use serde_json::json;

use crate::access::own::Making;
use crate::access::token::PREFIX;
use crate::http::problem::Kind;
use crate::http::problem::Problem;
use crate::model::finding::printable;
use crate::model::pattern::PackagePattern;
use crate::model::token::Role;
use crate::model::token::Token;
use crate::model::token::TokenKind;
use crate::protocol::npm::call::Call;
use crate::protocol::npm::call::told;
use crate::protocol::npm::explain::Failure;
use crate::protocol::npm::handlers::Registry;
use crate::protocol::npm::session::body;

/// As much of a token as a list shows, in characters after its beginning.
const SHOWN_CHARS: usize = 6;
/// What an answer repeats of a wrong name, in bytes.
const ECHO_BYTES_MAX: usize = 100;

/// What npm asks for. Second factors and organisations there are none here.
#[derive(Deserialize)]
struct Order {
    password: String,
    #[serde(default)]
    readonly: Option<bool>,
    #[serde(default)]
    cidr_whitelist: Option<Vec<String>>,
    #[serde(default)]
    name: Option<String>,
    /// In days.
    #[serde(default)]
    expires: Option<Value>,
    #[serde(default)]
    packages: Option<Vec<String>>,
    /// `@acme`.
    #[serde(default)]
    scopes: Option<Vec<String>>,
    #[serde(default)]
    packages_and_scopes_permission: Option<String>,
}

impl Order {
    fn making(self) -> Result<(String, Making), Problem> {
        let packages = self.packages.unwrap_or_default();
        let scopes = self.scopes.unwrap_or_default().into_iter().map(|scope| format!("@{}/*", scope.trim_start_matches('@')));
        let pattern = |text: String| {
            let wrong = |_| format!("{:?} is neither a package nor a scope", printable(&text, ECHO_BYTES_MAX));
            PackagePattern::parse(&text).map_err(wrong).map_err(|said| Problem::new(Kind::Unacceptable, said))
        };
        let packages = packages.into_iter().chain(scopes).map(pattern).collect::<Result<Vec<PackagePattern>, Problem>>()?;
        let making = Making {
            is_readonly: only_reads(self.readonly, self.packages_and_scopes_permission.as_deref())?,
            label: self.name.filter(|name| !name.is_empty()),
            lives_for_days: self.expires.map(|expires| days(&expires)).transpose()?.flatten(),
            cidr: self.cidr_whitelist.unwrap_or_default(),
            packages,
        };
        Ok((self.password, making))
    }
}

/// Whether the token that is asked for only reads. npm up to 10, pnpm and libraries say so or the contrary; npm since 11 says
/// neither, whatever `--read-only` it was told, but what the token may do with packages: without a word of that it may not
/// publish.
///
/// # Errors
/// A permission that no token here has: what was asked for is less than what would be given.
fn only_reads(readonly: Option<bool>, permission: Option<&str>) -> Result<bool, Problem> {
    match (readonly, permission) {
        (Some(true), None | Some("read-only" | "read-write")) | (Some(false) | None, Some("read-only")) | (None, None) => Ok(true),
        (Some(false), None) | (Some(false) | None, Some("read-write")) => Ok(false),
        (_, Some("read-write-stage-only")) => {
            let said = "no token here stages only: choose read-write, and what is published waits where policy.submissions is \"workflow\"";
            Err(Problem::new(Kind::Unacceptable, said))
        }
        (_, Some(_)) => Err(Problem::new(Kind::Unacceptable, "a token's permission for packages is read-only or read-write")),
    }
}

/// npm sends a number, or what its user typed.
fn days(given: &Value) -> Result<Option<u64>, Problem> {
    let read = match given {
        Value::Null => return Ok(None),
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => number.as_u64(),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    let days = read.filter(|days| *days > 0);
    days.map(Some).ok_or_else(|| Problem::new(Kind::Unacceptable, "a token expires after a whole number of days, at least one"))
}

/// A token as npm shows it: enough to know it by, and not to use it. `whole` is the token itself, told once.
fn shown(token: &Token, whole: Option<&str>) -> Value {
    let beginning: String = token.id.chars().take(SHOWN_CHARS).collect();
    let cidr = if token.cidr.is_empty() { Value::Null } else { json!(token.cidr) };
    json!({
        "key": token.id,
        "token": whole.map_or_else(|| format!("{PREFIX}{beginning}"), str::to_owned),
        "name": token.label.as_deref().unwrap_or(if token.kind == TokenKind::Session { "signed in" } else { "" }),
        "cidr_whitelist": cidr,
        "readonly": token.role == Role::Reader,
        "created": token.created_at.to_string(),
        "updated": token.created_at.to_string(),
        "expires": token.expires_at.map(|at| at.to_string()),
    })
}

/// `GET /-/npm/v1/tokens`
pub async fn list(registry: &Registry, call: Call<'_>) -> Result<Response, Failure> {
    let tokens = registry.access.tokens_of(call.caller.person()?).await.map_err(Problem::from)?;
    let objects: Vec<Value> = tokens.iter().map(|token| shown(token, None)).collect();
    // Clients go on reading while there is a `next`.
    told(StatusCode::OK, &json!({ "objects": objects, "total": objects.len(), "urls": {} }))
}

/// `POST /-/npm/v1/tokens`
pub async fn make(registry: &Registry, call: Call<'_>) -> Result<Response, Failure> {
    let caller = call.caller;
    let order: Order = body(call).await?;
    let (password, making) = order.making()?;
    let made = registry.access.make_own(&caller.principal, &password, making, caller.address).await;
    let created = made.map_err(Problem::from)?;
    told(StatusCode::CREATED, &shown(&created.token, Some(&created.text)))
}

/// `DELETE /-/npm/v1/tokens/token/{key}`
pub async fn revoke(registry: &Registry, call: Call<'_>, key: String) -> Result<Response, Failure> {
    registry.access.revoke_own(&call.caller.principal, &key).await.map_err(Problem::from)?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// `DELETE /-/user/token/{token}`: what `npm logout` does.
pub async fn give_up(registry: &Registry, call: Call<'_>, token: String) -> Result<Response, Failure> {
    registry.access.revoke_own(&call.caller.principal, &token).await.map_err(Problem::from)?;
    told(StatusCode::OK, &json!({ "ok": true }))
}
