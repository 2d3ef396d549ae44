//! Who the caller is.

use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::access::AccessError;
use crate::access::by::By;
use crate::access::users;
use crate::http::problem::Kind;
use crate::http::problem::Problem;
use crate::model::user::UserChange;
use crate::protocol::npm::call::Call;
use crate::protocol::npm::call::told;
use crate::protocol::npm::explain::Failure;
use crate::protocol::npm::handlers::Registry;
use crate::protocol::npm::session::body;

/// What is changed. npm sends the whole profile back with one member changed; the others say nothing.
#[derive(Deserialize)]
struct Changes {
    #[serde(default)]
    password: Option<Passwords>,
    #[serde(default)]
    email: Option<String>,
    #[serde(default)]
    tfa: Option<Value>,
    /// What npm sends besides.
    #[serde(flatten)]
    other: Map<String, Value>,
}

/// What npm lets its users write about themselves, and nobody here reads.
const NOT_KEPT: [&str; 5] = ["fullname", "homepage", "freenode", "twitter", "github"];

#[derive(Deserialize)]
struct Passwords {
    old: String,
    new: String,
}

/// `GET /-/whoami`
pub fn whoami(call: &Call<'_>) -> Result<Response, Failure> {
    told(StatusCode::OK, &json!({ "username": call.caller.person()? }))
}

/// `GET /-/npm/v1/user`
pub async fn read(registry: &Registry, call: Call<'_>) -> Result<Response, Failure> {
    let name = call.caller.person()?;
    profile(registry, name).await
}

/// `POST /-/npm/v1/user`: the password, the address.
pub async fn change(registry: &Registry, call: Call<'_>) -> Result<Response, Failure> {
    let caller = call.caller;
    let name = caller.person()?;
    let changes: Changes = body(call).await?;
    if !matches!(changes.tfa, None | Some(Value::Null | Value::Bool(false))) {
        return Err(Problem::new(Kind::Forbidden, "there is no second factor here: sign in with an identity provider that has one").into());
    }
    let is_said = |key: &&str| changes.other.get(*key).and_then(Value::as_str).is_some_and(|said| !said.is_empty());
    if let Some(key) = NOT_KEPT.into_iter().find(is_said) {
        let said = format!("of a user Airlock keeps the password and the e-mail address, and no {key}");
        return Err(Problem::new(Kind::Unacceptable, said).into());
    }
    let access = &registry.access;
    if access.is_narrow(&caller.principal).await.map_err(Problem::from)? {
        return Err(Problem::new(Kind::Forbidden, "this token was made for less than to change its user").into());
    }
    if let Some(Passwords { old, new }) = changes.password {
        access.change_password(name, &old, &new, caller.address).await.map_err(Problem::from)?;
    }
    if let Some(email) = changes.email {
        let email = users::email(Some(email)).map_err(Problem::from)?;
        // npm sends the address back with whatever is changed.
        if access.user(name).await.map_err(Problem::from)?.and_then(|user| user.email) == email {
            return profile(registry, name).await;
        }
        let changed = access.change_user(name, vec![UserChange::Email(email)], &By::themselves(name)).await;
        changed.map_err(|error| match error {
            AccessError::UnknownUser(_) => Problem::from(AccessError::NoPassword),
            other => other.into(),
        })?;
    }
    profile(registry, name).await
}

/// Every member that a client reads is there.
async fn profile(registry: &Registry, name: &str) -> Result<Response, Failure> {
    let user = registry.access.user(name).await.map_err(Problem::from)?;
    let made_at = user.as_ref().map(|user| user.made_at.to_string());
    let email = user.and_then(|user| user.email);
    let profile = json!({
        "tfa": false,
        "name": name,
        "email": email.unwrap_or_default(),
        "email_verified": false,
        "created": made_at,
        "updated": made_at,
        "cidr_whitelist": null,
        "fullname": "",
        "homepage": "",
        "github": "",
        "twitter": "",
    });
    told(StatusCode::OK, &profile)
}
