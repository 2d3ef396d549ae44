//! A policy on trial: what it would have done, before it does it.

use axum::Json;
use axum::extract::State;

use crate::admin::Api;
use crate::admin::request::Told;
use crate::admin::wire::HitCaller;
use crate::admin::wire::MovedRelease;
use crate::admin::wire::Replay;
use crate::admin::wire::ReplayOrder;
use crate::catalog::replay::Hit;
use crate::catalog::replay::Moved;
use crate::catalog::replay::On;
use crate::catalog::replay::Replayed;
use crate::catalog::replay::Trial;
use crate::http::problem::Problem;

/// Try a policy
///
/// Changes nothing. Each pull is judged as of its own time: the release's age and people's decisions as they were then, advisories and
/// inspections as they are known now. Takes up to four minutes, in the background of what is served; one at a time.
#[utoipa::path(
    post,
    path = "/-/airlock/v1/policy/replay", operation_id = "replayPolicy",
    tag = "policy",
    request_body = ReplayOrder,
    responses((status = 200, description = "What would have been otherwise", body = Replay))
)]
pub async fn replay(State(api): State<Api>, Told(told): Told<ReplayOrder>) -> Result<Json<Replay>, Problem> {
    let on = told.days.map_or(On::Known, On::Days);
    let trial = Trial { candidate: told.candidate, baseline: told.baseline, on };
    Ok(Json(shown(api.catalog.replay(&trial).await?)))
}

fn shown(replayed: Replayed) -> Replay {
    Replay {
        from: replayed.from,
        to: replayed.to,
        baseline: replayed.baseline.hex(),
        candidate: replayed.candidate.hex(),
        pulls: replayed.pulls,
        refused_pulls: replayed.refused_pulls,
        releases: replayed.releases,
        newly_blocked: replayed.blocked.into_iter().map(moved).collect(),
        newly_blocked_total: replayed.blocked_total,
        newly_allowed: replayed.allowed.into_iter().map(moved).collect(),
        newly_allowed_total: replayed.allowed_total,
        hit: replayed.hit.into_iter().map(hit).collect(),
        hit_total: replayed.hit_total,
        unknown: replayed.unknown,
        unknown_pulls: replayed.unknown_pulls,
        complete: replayed.complete,
    }
}

fn moved(moved: Moved) -> MovedRelease {
    MovedRelease {
        package: moved.release.package.name.to_string(),
        version: moved.release.version.to_string(),
        before: moved.before.into(),
        after: moved.after.into(),
        sentence: moved.sentence,
        pulls: moved.pulls,
        pullers: moved.pullers.into_iter().map(hit).collect(),
        pullers_total: moved.pullers_total,
        wanted: moved.wanted,
    }
}

fn hit(hit: Hit) -> HitCaller {
    HitCaller { by: hit.by, address: hit.address.to_string(), pulls: hit.pulls, releases: hit.releases, last_at: hit.last_at }
}
