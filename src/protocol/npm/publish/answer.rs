//! What a submitter is told: that the release is there, where it stands, and where more is said.

use axum::response::Response;
use http::HeaderName;
use http::HeaderValue;
use http::StatusCode;
use serde::Serialize;

use crate::catalog::submit::Submitted;
use crate::http::link;
use crate::protocol::npm::call::told;
use crate::protocol::npm::explain::Failure;
use crate::protocol::npm::explain::notice;

const STAGE_ID: HeaderName = HeaderName::from_static("airlock-stage-id");

#[derive(Serialize)]
struct Published<'s> {
    ok: &'static str,
    success: bool,
    id: &'s str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'s str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Staged<'s> {
    message: &'s str,
    stage_id: &'s str,
    id: &'s str,
    success: bool,
}

/// 201 where it may be installed, 202 where it waits.
pub fn published(submitted: &Submitted, base: &str) -> Result<Response, Failure> {
    let name = submitted.release.package.name.as_str();
    let (status, waits) = match &submitted.explanation {
        Some(explanation) if explanation.verdict.is_served() => (StatusCode::CREATED, None),
        Some(_) | None => (StatusCode::ACCEPTED, Some(sentence(submitted))),
    };
    let said: Vec<String> = waits.into_iter().chain(unrestricted(submitted)).collect();
    let message = said.join(" ");
    let body = Published { ok: "created", success: true, id: name, message: Some(&*message).filter(|message| !message.is_empty()) };
    let response = told(status, &body)?;
    Ok(if message.is_empty() { response } else { noticed(response, &message, submitted, base) })
}

/// Where it stands, as far as that could be read.
fn sentence(submitted: &Submitted) -> String {
    match &submitted.explanation {
        Some(explanation) => explanation.sentence.clone(),
        None => format!("{} is published; where it stands now could not be read.", submitted.release),
    }
}

/// The package is not restricted although its publisher's client asked for that.
fn unrestricted(submitted: &Submitted) -> Option<String> {
    let name = &submitted.release.package.name;
    let is_open = submitted.explanation.as_ref().is_some_and(|one| !one.restricted);
    (submitted.asked_restricted && is_open).then(|| {
        format!(
            "{name} is readable by everybody who may read here, access \"restricted\" in a publish hides nothing: \
             `npm access set status=private {name}` does."
        )
    })
}

/// What `npm stage publish` reads.
pub fn staged(submitted: &Submitted, base: &str) -> Result<Response, Failure> {
    let id = submitted.id.as_str();
    let said: Vec<String> = [sentence(submitted)].into_iter().chain(unrestricted(submitted)).collect();
    let message = said.join(" ");
    let body = Staged { message: &message, stage_id: id, id, success: true };
    Ok(noticed(told(StatusCode::CREATED, &body)?, &message, submitted, base))
}

fn noticed(mut response: Response, message: &str, submitted: &Submitted, base: &str) -> Response {
    let link = link::of_release(base, &submitted.release);
    let headers = response.headers_mut();
    if let Some((header, text)) = notice(message, &link) {
        headers.insert(header, text);
    }
    if let Ok(id) = HeaderValue::try_from(submitted.id.as_str()) {
        headers.insert(STAGE_ID, id);
    }
    response
}
