//! What a submitter is told: that the release is there, where it stands, and where more is said.

use axum::response::Response;
use http::HeaderName;
use http::HeaderValue;
use http::StatusCode;
use serde::Serialize;

use crate::catalog::submit::Submitted;
use crate::http::link;
use crate::model::standing::Standing;
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
    let sentence = &submitted.explanation.sentence;
    match submitted.explanation.verdict.standing {
        Standing::Approved | Standing::Admissible => {
            told(StatusCode::CREATED, &Published { ok: "created", success: true, id: name, message: None })
        }
        Standing::Quarantined | Standing::Held { .. } | Standing::InReview | Standing::Rejected | Standing::Revoked => {
            let body = Published { ok: "created", success: true, id: name, message: Some(sentence) };
            Ok(noticed(told(StatusCode::ACCEPTED, &body)?, submitted, base))
        }
    }
}

/// What `npm stage publish` reads.
pub fn staged(submitted: &Submitted, base: &str) -> Result<Response, Failure> {
    let id = submitted.id.as_str();
    let body = Staged { message: &submitted.explanation.sentence, stage_id: id, id, success: true };
    Ok(noticed(told(StatusCode::CREATED, &body)?, submitted, base))
}

fn noticed(mut response: Response, submitted: &Submitted, base: &str) -> Response {
    let link = link::of_release(base, &submitted.release);
    let headers = response.headers_mut();
    if let Some((header, text)) = notice(&submitted.explanation.sentence, &link) {
        headers.insert(header, text);
    }
    if let Ok(id) = HeaderValue::try_from(submitted.id.as_str()) {
        headers.insert(STAGE_ID, id);
    }
    response
}
