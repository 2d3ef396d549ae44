//! A policy on trial, on the wire.

use serde::Deserialize;
use serde::Serialize;
use utoipa::ToSchema;

use crate::admin::schema;
use crate::admin::wire::Standing;
use crate::model::time::Timestamp;

/// What policy is to be tried, against which, and on what.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "candidate": "[policy.release_age]\nminimum = \"14d\"\n", "days": 30 }))]
pub struct ReplayOrder {
    /// The text of an `airlock.toml`. What stands outside of `[policy]` and `[access.groups]` says nothing here.
    pub candidate: String,
    /// The same, of the policy it is compared with; without it the one that judges here.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub baseline: Option<String>,
    /// Over what was pulled in so many days, from 1 to 400; without it over every release that is known here, now.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub days: Option<u32>,
}

/// What the other policy would have done.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Replay {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(schema_with = schema::time)]
    pub from: Option<Timestamp>,
    #[schema(schema_with = schema::time)]
    pub to: Timestamp,
    /// The digests of both policies, as the ledger has them of those that judged.
    pub baseline: String,
    pub candidate: String,
    /// Pulls that were judged, each once.
    pub pulls: u64,
    /// Those of them that would have been refused.
    pub refused_pulls: u64,
    /// Releases that were judged as they stand now: all of every package that was looked at.
    pub releases: u64,
    /// Served by the one and not by the other: most pulled first, at most 1000.
    pub newly_blocked: Vec<MovedRelease>,
    pub newly_blocked_total: u64,
    /// The other way round, most wanted first, at most 1000. As of now: what is refused leaves no pull.
    pub newly_allowed: Vec<MovedRelease>,
    pub newly_allowed_total: u64,
    /// Who would have been refused something, most often first, at most 1000.
    pub hit: Vec<HitCaller>,
    pub hit_total: u64,
    /// Releases of which nothing is known here any more, each once however often it was pulled: neither policy says anything of
    /// them.
    pub unknown: u64,
    /// Their pulls, which are not among `pulls`.
    #[serde(default)]
    pub unknown_pulls: u64,
    /// False when there was more than could be looked at.
    pub complete: bool,
}

/// A release that stands elsewhere under the other policy.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct MovedRelease {
    #[schema(example = "left-pad")]
    pub package: String,
    #[schema(example = "1.3.0")]
    pub version: String,
    pub before: Standing,
    pub after: Standing,
    /// Why the policy that keeps it back does so, in the one wording.
    pub sentence: String,
    /// Pulls that would have been refused.
    pub pulls: u64,
    /// By whom, most often first, at most 20.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub pullers: Vec<HitCaller>,
    pub pullers_total: u64,
    /// How often it was asked for while it was not served, since the start.
    pub wanted: u64,
}

/// A caller who would have been refused.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct HitCaller {
    /// The name of a token, if there was one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(example = "ci")]
    pub by: Option<String>,
    #[schema(example = "192.0.2.7")]
    pub address: String,
    pub pulls: u64,
    pub releases: u64,
    #[schema(schema_with = schema::time)]
    pub last_at: Timestamp,
}

/// What became of one case of `airlock policy test`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Tried {
    pub case: String,
    /// Where it stands in its file.
    pub place: String,
    pub passed: bool,
    /// What was expected and came out otherwise: `standing: expected held, is approved`.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub differs: Vec<String>,
    pub standing: String,
    pub served: bool,
    /// The one wording.
    pub sentence: String,
}
