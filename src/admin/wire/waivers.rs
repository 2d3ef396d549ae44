//! Waivers on the wire.

use serde::Deserialize;
use serde::Serialize;
use utoipa::IntoParams;
use utoipa::ToSchema;

use crate::admin::schema;
use crate::model::finding::FindingKind;
use crate::model::time::Timestamp;

/// What a person wants to be waived.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "packages": ["esbuild", "@esbuild/*"], "findings": ["install_gained"], "reason": "its build was read, see ticket 812", "expires_at": "2027-01-01T00:00:00Z" }))]
pub struct WaiverOrder {
    /// `left-pad`, `@acme/web`, `@acme/*`; 1 to 50. All of a scope takes the role admin.
    pub packages: Vec<String>,
    /// Only this release of the one package that is named.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub version: Option<String>,
    #[schema(schema_with = schema::finding_kinds)]
    pub findings: Vec<FindingKind>,
    /// Kept for good; at most 1000 bytes. Without one the answer is 422.
    #[serde(default)]
    #[schema(required = true)]
    pub reason: String,
    /// When it stops counting; at most 366 days ahead.
    #[schema(schema_with = schema::time)]
    pub expires_at: Timestamp,
}

/// Why a waiver ends before its time.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "reason": "its owner removed the script" }))]
pub struct WaiverEnd {
    /// Kept for good; at most 1000 bytes. Without one the answer is 422.
    #[serde(default)]
    #[schema(required = true)]
    pub reason: String,
}

/// `?package=&ended=`
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WaiversQuery {
    /// Only those that are about this package.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[param(example = "left-pad")]
    pub package: Option<String>,
    /// Those too that count no more.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ended: Option<bool>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Waivers {
    /// Oldest first. Of those that ended the last thousand are remembered here; the ledger has all.
    pub waivers: Vec<WaiverView>,
}

/// A person's decision that findings do not count.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct WaiverView {
    /// 12 hexadecimal digits.
    #[schema(example = "5f0c9a1be27d")]
    pub id: String,
    #[schema(example = json!(["esbuild", "@esbuild/*"]))]
    pub packages: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub version: Option<String>,
    #[schema(schema_with = schema::finding_kinds)]
    pub findings: Vec<FindingKind>,
    pub reason: String,
    #[schema(example = json!(["maria"]))]
    pub by: Vec<String>,
    #[schema(schema_with = schema::time)]
    pub made_at: Timestamp,
    #[schema(schema_with = schema::time)]
    pub expires_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(schema_with = schema::time)]
    pub ended_at: Option<Timestamp>,
    /// Who ended it before its time; `airlock` where its reason was gone.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ended_by: Option<String>,
    /// Whether it is neither ended nor past its time.
    pub counts: bool,
    /// For each finding, whether enough people waived it.
    pub people: Vec<WaiverPeople>,
}

/// How many people waived a finding for all that a waiver is about, and how many it takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct WaiverPeople {
    #[schema(schema_with = schema::finding_kind)]
    pub finding: FindingKind,
    pub given: u32,
    pub needed: u32,
}

/// By which waiver a finding of a release does not count.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct WaiverMark {
    #[schema(example = "5f0c9a1be27d")]
    pub id: String,
    #[schema(example = json!(["maria"]))]
    pub by: Vec<String>,
    pub reason: String,
    #[schema(schema_with = schema::time)]
    pub expires_at: Timestamp,
}
