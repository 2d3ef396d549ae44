//! Requests and recalls on the wire.

use serde::Deserialize;
use serde::Serialize;
use utoipa::ToSchema;

use crate::admin::schema;
use crate::model::time::Timestamp;

/// Why a release is to be let through.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "reason": "it fixes the crash of ticket 811" }))]
pub struct RequestOrder {
    /// Kept for good; at most 1000 bytes. Without one the answer is 422.
    #[serde(default)]
    #[schema(required = true)]
    pub reason: String,
}

/// That a recalled release is gone from where somebody had it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "note": "removed from the lockfile, build 4711 thrown away" }))]
pub struct AcknowledgementOrder {
    /// What was done; at most 1000 bytes.
    #[serde(default)]
    pub note: String,
    /// Whose pulls it is about, by their token's name or their address, where those are not your own; for approvers.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(example = "ci")]
    pub of: Option<String>,
}

/// Who pulled a release, and, once it is recalled, who got rid of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Recall {
    #[schema(example = "left-pad")]
    pub package: String,
    #[schema(example = "1.3.0")]
    pub version: String,
    /// Who took it back; absent while nobody has.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub recalled: Option<Recalled>,
    pub pulls: Vec<Pull>,
    /// The sum of all counts.
    pub total: u64,
    /// Since it was recalled, oldest first.
    #[serde(default)]
    pub acknowledgements: Vec<AcknowledgementView>,
    /// Pullers of whom nobody said that it is gone, most recent last; empty while it is not recalled.
    #[serde(default)]
    pub missing: Vec<Missing>,
    /// Notices of it that are not delivered.
    #[serde(default)]
    pub notices: Vec<NoticeView>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Recalled {
    #[schema(schema_with = schema::time)]
    pub at: Timestamp,
    #[schema(example = "maria")]
    pub by: String,
    pub reason: String,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct AcknowledgementView {
    #[schema(schema_with = schema::time)]
    pub at: Timestamp,
    #[schema(example = "maria")]
    pub by: String,
    /// Whose pulls it is about, where those are not their own.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(example = "ci")]
    pub of: Option<String>,
    pub note: String,
}

/// Somebody who pulled it: by the token's name, or, without a token, by the address.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Missing {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(example = "ci")]
    pub by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(example = "10.0.4.17")]
    pub address: Option<String>,
}

/// A notice that waits for its next attempt, or was given up.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct NoticeView {
    /// Where it goes to, without the path; absent where the configuration names the address no more.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(example = "https://hooks.example")]
    pub to: Option<String>,
    /// `recalled` or `malware_in_use`.
    #[schema(example = "recalled")]
    pub event: String,
    pub attempts: u32,
    pub given_up: bool,
    /// What went wrong the last time.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<String>,
}

/// One puller of a release.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Pull {
    #[schema(schema_with = schema::time)]
    pub at_first: Timestamp,
    #[schema(schema_with = schema::time)]
    pub at_last: Timestamp,
    pub count: u64,
    /// The name of the token, if the puller had one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub by: Option<String>,
    #[schema(example = "10.0.4.17")]
    pub address: String,
    pub user_agent: String,
}
