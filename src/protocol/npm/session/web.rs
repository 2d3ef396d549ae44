//! Signing in with a browser.

use axum::response::Response;
use http::HeaderValue;
use http::StatusCode;
use http::header;
use serde_json::json;

use crate::http::problem::Problem;
use crate::protocol::npm::call::Call;
use crate::protocol::npm::call::told;
use crate::protocol::npm::explain::Failure;
use crate::protocol::npm::handlers::Registry;

/// `POST /-/v1/login`: where to sign in, and where to ask whether it is done. Of the body nothing is needed.
pub async fn begin(registry: &Registry, call: Call<'_>) -> Result<Response, Failure> {
    let caller = call.caller;
    let user_agent = caller.user_agent.as_deref().map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let begun = registry.access.begin_web(caller.address, user_agent).map_err(Problem::from)?;
    let login_url = format!("{}/-/airlock/sign-in/{}", caller.base, begun.code);
    let done_url = format!("{}/-/v1/done/{}", caller.base, begun.done);
    told(StatusCode::OK, &json!({ "loginUrl": login_url, "doneUrl": done_url }))
}

/// `GET /-/v1/done/{session}`: the token, once.
pub async fn poll(registry: &Registry, _call: Call<'_>, session: String) -> Result<Response, Failure> {
    match registry.access.poll_web(&session).await.map_err(Problem::from)? {
        Some(created) => told(StatusCode::OK, &json!({ "token": created.text })),
        None => {
            let mut response = told(StatusCode::ACCEPTED, &json!({}))?;
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            Ok(response)
        }
    }
}
