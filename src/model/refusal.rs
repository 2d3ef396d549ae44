//! Why a release is not served, in the one wording that every channel shows.

use serde::Serialize;

use crate::model::release::ReleaseId;
use crate::model::standing::Standing;
use crate::model::time::Timestamp;

/// A refusal to show or serve a known release. `sentence` has no link, which only an edge that knows its own address adds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Refusal {
    pub release: ReleaseId,
    pub standing: Standing,
    /// When it opens by itself, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opens_at: Option<Timestamp>,
    /// `lodash@4.17.22 is held: published 9 hours ago, opens 2026-11-27 14:05 UTC (minimum age 7 days). 4.17.21 is approved.`
    pub sentence: String,
}
