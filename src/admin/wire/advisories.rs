//! Advisories on the wire: what feeds say, and how the feeds are.

use serde::Deserialize;
use serde::Serialize;
use utoipa::IntoParams;
use utoipa::ToSchema;

use crate::admin::schema;
use crate::model::digest::Digest;
use crate::model::time::Timestamp;

/// Which advisories are asked for.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AdvisoriesQuery {
    /// Those about this package; without it only how the feeds are.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[param(example = "left-pad")]
    pub package: Option<String>,
}

/// What an import is.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ImportQuery {
    /// True: it is all that is known, as of the newest record in it, such as OSV's `all.zip`. Else the records are joined with what was
    /// imported in this way before, and what is known gets no younger.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub whole: Option<bool>,
}

/// What became of an import.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Import {
    /// Records about npm packages that were read, one for each package.
    pub advisories: u64,
    /// Records that could not be read and were passed over: then what is known gets no younger.
    pub unreadable: u64,
    /// The first of these, at most 20.
    pub faults: Vec<UnreadableRecord>,
    /// From when what is known counts now.
    #[schema(schema_with = schema::time)]
    pub as_of: Timestamp,
}

/// A record that could not be read.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct UnreadableRecord {
    /// Its path in the zip, or its line.
    #[schema(example = "MAL-2099-0001.json")]
    pub record: String,
    pub why: String,
}

/// How the feeds are, and what they say of a package.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Advisories {
    /// Those that were heard.
    pub feeds: Vec<FeedView>,
    /// Where it is asked for what is new; absent where nothing is asked.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(example = "https://feeds.example")]
    pub asked: Option<String>,
    /// Whether what is known is recent enough to open releases by; absent where nobody has to know.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub fresh: Option<bool>,
    /// From when what is known counts.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(schema_with = schema::time)]
    pub as_of: Option<Timestamp>,
    /// Why it was not heard when it was asked last.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_error: Option<String>,
    /// About the package that was asked for, withdrawn ones too.
    pub advisories: Vec<AdvisoryView>,
}

/// One feed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct FeedView {
    /// `osv`: all that is known outside; `own`: records that were imported one by one.
    #[schema(example = "osv")]
    pub name: String,
    #[schema(schema_with = schema::time)]
    pub as_of: Timestamp,
    /// One counts for each package that it is about.
    pub advisories: u64,
    /// Of these, how many are not about malware.
    pub vulnerabilities: u64,
    /// Records that could not be read when it was heard last.
    pub unreadable: u64,
    /// The first of these, at most 20. As long as there are any, what is known gets no younger.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub faults: Vec<UnreadableRecord>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(schema_with = schema::time)]
    pub newest_modified_at: Option<Timestamp>,
    /// Why it is gone although it was heard: nothing opens until it is heard again.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub lost: Option<String>,
}

/// One advisory, as far as it is about one package.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct AdvisoryView {
    #[schema(example = "MAL-2099-0001")]
    pub id: String,
    pub aliases: Vec<String>,
    /// `malware` or `vulnerability`.
    #[schema(example = "malware")]
    pub kind: String,
    /// One line of somebody else's text, cleaned.
    pub summary: String,
    /// CVSS base score.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(example = "9.8")]
    pub score: Option<String>,
    pub versions: Vec<String>,
    pub ranges: Vec<RangeView>,
    /// Files of releases that it names by their bytes.
    #[schema(value_type = Vec<String>)]
    pub digests: Vec<Digest>,
    /// Who says so.
    pub sources: Vec<String>,
    /// Somebody looked at it who is not the package's owner: only then its fix takes the security lane.
    pub independent: bool,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(schema_with = schema::time)]
    pub published_at: Option<Timestamp>,
    #[schema(schema_with = schema::time)]
    pub modified_at: Timestamp,
    /// Since when it counts no more.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(schema_with = schema::time)]
    pub withdrawn_at: Option<Timestamp>,
}

/// A stretch of versions.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct RangeView {
    /// Absent: from the first on.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub introduced: Option<String>,
    /// The first that is not affected any more.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub fixed: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_affected: Option<String>,
    /// Nothing is said of this one and those after it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub limit: Option<String>,
}
