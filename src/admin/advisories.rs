//! What others found out about releases: brought in by an admin, and shown to whoever reads.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use http_body_util::BodyExt;

use crate::admin::Api;
use crate::admin::request::Asked;
use crate::admin::wire::Advisories;
use crate::admin::wire::AdvisoriesQuery;
use crate::admin::wire::AdvisoryView;
use crate::admin::wire::FeedView;
use crate::admin::wire::Import;
use crate::admin::wire::ImportQuery;
use crate::admin::wire::RangeView;
use crate::admin::wire::UnreadableRecord;
use crate::catalog::sweep;
use crate::http::caller::Caller;
use crate::http::incoming;
use crate::http::problem::Problem;
use crate::model::advisory::Advisory;
use crate::model::advisory::AdvisoryKind;
use crate::model::advisory::AffectedRange;
use crate::model::advisory::FeedFault;
use crate::model::package::PackageId;
use crate::model::package::Version;
use crate::quarantine::feeds::FeedState;
use crate::quarantine::feeds::hear::Heard;

/// Of an import's body, whatever `server.body_bytes_max` is: all that there is takes more than a submission.
pub const IMPORT_BYTES_MAX: u64 = sweep::IMPORT_BYTES_MAX;

/// How the feeds of advisories are, and what they say of a package
#[utoipa::path(get, path = "/-/airlock/v1/advisories", operation_id = "listAdvisories", tag = "advisories", params(AdvisoriesQuery), responses((status = 200, body = Advisories)))]
pub async fn list(State(api): State<Api>, Asked(asked): Asked<AdvisoriesQuery>) -> Result<Json<Advisories>, Problem> {
    let package = asked.package.as_deref().map(PackageId::npm).transpose()?;
    let condition = api.quarantine.feeds().condition();
    let said = match package {
        Some(package) => {
            let quarantine = std::sync::Arc::clone(&api.quarantine);
            let said = tokio::task::spawn_blocking(move || quarantine.feeds().advisories().of(&package)).await;
            said.map_err(|error| Problem::internal(error.to_string()))?
        }
        None => std::sync::Arc::default(),
    };
    Ok(Json(Advisories {
        feeds: condition.feeds.into_iter().filter_map(feed).collect(),
        asked: condition.origin,
        fresh: condition.age.map(|age| age.is_fresh(api.clock.now())),
        as_of: condition.age.map(|age| age.as_of),
        last_error: condition.last_error,
        advisories: said.iter().map(advisory).collect(),
    }))
}

/// Import advisories
///
/// The body is a zip of OSV records, or OSV records as JSON lines. Records that are not about npm packages say nothing here; one that
/// cannot be read is told and passed over. Done again it changes nothing.
#[utoipa::path(
    post,
    path = "/-/airlock/v1/advisories", operation_id = "importAdvisories",
    tag = "advisories",
    params(ImportQuery),
    request_body(content((Vec<u8> = "application/zip"), (String = "application/x-ndjson"))),
    responses((status = 200, description = "Imported", body = Import))
)]
pub async fn import(
    State(api): State<Api>,
    caller: Caller,
    Asked(asked): Asked<ImportQuery>,
    mut body: Body,
) -> Result<Json<Import>, Problem> {
    let by = caller.person()?.to_owned();
    let brought = api.catalog.receive_advisories();
    if let Some(pieces) = brought.pieces() {
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| incoming::failed(&error, IMPORT_BYTES_MAX))?;
            if let Ok(piece) = frame.into_data()
                && pieces.send(piece).await.is_err()
            {
                // It cannot be written: whoever takes it in says why.
                break;
            }
        }
    }
    let heard = api.catalog.import_advisories(brought, asked.whole.unwrap_or(false), &by).await?;
    Ok(Json(imported(heard)))
}

fn imported(heard: Heard) -> Import {
    let Heard { advisories, unreadable, faults, as_of, .. } = heard;
    Import { advisories, unreadable, faults: faults.into_iter().map(unread).collect(), as_of }
}

fn unread(fault: FeedFault) -> UnreadableRecord {
    UnreadableRecord { record: fault.record, why: fault.why }
}

fn feed(state: FeedState) -> Option<FeedView> {
    let heard = state.heard?;
    Some(FeedView {
        name: state.name.to_owned(),
        as_of: heard.as_of,
        advisories: heard.advisories,
        vulnerabilities: state.vulnerabilities,
        unreadable: heard.unreadable,
        faults: heard.faults.into_iter().map(unread).collect(),
        newest_modified_at: state.newest_modified_at,
        lost: state.lost,
    })
}

fn advisory(advisory: &Advisory) -> AdvisoryView {
    let kind = match advisory.kind {
        AdvisoryKind::Malware => "malware",
        AdvisoryKind::Vulnerability => "vulnerability",
    };
    AdvisoryView {
        id: advisory.id.clone(),
        aliases: advisory.aliases.clone(),
        kind: kind.to_owned(),
        summary: advisory.summary.clone(),
        score: advisory.score.map(|score| format!("{}.{}", score / 10, score % 10)),
        versions: advisory.versions.iter().map(Version::to_string).collect(),
        ranges: advisory.ranges.iter().map(range).collect(),
        digests: advisory.digests.clone(),
        sources: advisory.sources.iter().map(|source| source.name.clone()).collect(),
        independent: advisory.independent,
        published_at: advisory.published_at,
        modified_at: advisory.modified_at,
        withdrawn_at: advisory.withdrawn_at,
    }
}

fn range(range: &AffectedRange) -> RangeView {
    let text = |version: &Option<Version>| version.as_ref().map(Version::to_string);
    RangeView {
        introduced: text(&range.introduced),
        fixed: text(&range.fixed),
        last_affected: text(&range.last_affected),
        limit: text(&range.limit),
    }
}
