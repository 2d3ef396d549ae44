//! What clients ask and order: queries and bodies. Unknown parameters and fields are mistakes.

use serde::Deserialize;
use serde::Serialize;
use utoipa::IntoParams;
use utoipa::ToSchema;

use crate::admin::schema;
use crate::admin::wire::Standing;
use crate::model::decision::Verb;
use crate::model::time::Timestamp;
use crate::model::token::Role;

/// What a person decides of a release.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "decision": "approve", "reason": "read the diff, see ticket 812", "revision": 42 }))]
pub struct DecisionOrder {
    #[schema(schema_with = schema::verb)]
    pub decision: Verb,
    /// Kept for good; at most 1000 bytes. Without one the answer is 422.
    #[serde(default)]
    #[schema(required = true)]
    pub reason: String,
    /// `sha512-<base64>` or hexadecimal. If the release's bytes are others, the answer is 409.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub digest: Option<String>,
    /// The package's revision as it was seen. If it moved, the answer is 409.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub revision: Option<u64>,
    /// When the decision stops counting.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(schema_with = schema::time)]
    pub expires_at: Option<Timestamp>,
}

/// A token to be made.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "name": "maria", "role": "approver", "expires_at": "2027-01-01T00:00:00Z" }))]
pub struct TokenOrder {
    /// Names the person or program in the ledger; taken once among the tokens in use.
    pub name: String,
    #[schema(schema_with = schema::role)]
    pub role: Role,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(schema_with = schema::time)]
    pub expires_at: Option<Timestamp>,
}

/// A user to be made.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "name": "maria", "role": "publisher", "email": "maria@acme.example" }))]
pub struct UserOrder {
    /// Letters, digits, dots, hyphens and underscores; unique without regard to case.
    pub name: String,
    #[schema(schema_with = schema::role)]
    pub role: Role,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub password: Option<String>,
}

/// What is to be changed of a user; what is not given stays.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "role": "approver" }))]
pub struct UserEdit {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(schema_with = schema::role)]
    pub role: Option<Role>,
    /// Empty: none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub password: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub disabled: Option<bool>,
}

/// `?standing=&package=&limit=&cursor=`
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ReleasesQuery {
    /// Only releases that stand there.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub standing: Option<Standing>,
    /// Only releases of this package.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[param(example = "left-pad")]
    pub package: Option<String>,
    /// 1 to 500; 50 when not given.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<usize>,
    /// The `next_cursor` of the page before.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cursor: Option<String>,
}

/// `?limit=`
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct QueueQuery {
    /// 1 to 500; 50 when not given.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<usize>,
}

/// `?after=&limit=`
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// The sequence of the last record already known; 0 for the beginning.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub after: Option<u64>,
    /// 1 to 500; 50 when not given.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<usize>,
}
