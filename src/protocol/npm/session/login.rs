//! Signing in with a name and a password.

use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use crate::access::AccessError;
use crate::http::problem::Kind;
use crate::http::problem::Problem;
use crate::protocol::npm::call::Call;
use crate::protocol::npm::call::told;
use crate::protocol::npm::explain::Failure;
use crate::protocol::npm::handlers::Registry;
use crate::protocol::npm::session::body;

/// The document of a user, as clients write it. What else stands in it says nothing.
#[derive(Deserialize)]
struct Document {
    name: String,
    password: String,
    #[serde(default)]
    email: Option<String>,
}

/// `GET /-/user/org.couchdb.user:{user}`
pub async fn user(registry: &Registry, call: Call<'_>, user: String) -> Result<Response, Failure> {
    call.caller.person()?;
    let found = registry.access.user(&user).await.map_err(Problem::from)?;
    let is_anybody = found.is_some() || registry.access.is_anybody(&user).await.map_err(Problem::from)?;
    if !is_anybody {
        return Err(Problem::from(AccessError::UnknownUser(user)).into());
    }
    let (name, email) = found.map_or((user, None), |user| (user.name, user.email));
    let document = json!({
        "_id": format!("org.couchdb.user:{name}"),
        "name": name,
        "email": email.unwrap_or_default(),
        "type": "user",
        "roles": [],
    });
    told(StatusCode::OK, &document)
}

/// `PUT /-/user/org.couchdb.user:{user}`, with a revision or without: name and password for a token.
pub async fn sign_in(registry: &Registry, call: Call<'_>, user: String) -> Result<Response, Failure> {
    let address = call.caller.address;
    let document: Document = body(call).await?;
    if document.name != user {
        return Err(Problem::new(Kind::Malformed, "the document names another user than the path").into());
    }
    let access = &registry.access;
    let signed_in = access.sign_in_or_register(&document.name, &document.password, document.email, address).await.map_err(Problem::from)?;
    let created = access.session_token(&signed_in).await.map_err(Problem::from)?;
    let id = format!("org.couchdb.user:{}", signed_in.name);
    told(StatusCode::CREATED, &json!({ "ok": true, "id": id, "rev": "1-0", "token": created.text }))
}
