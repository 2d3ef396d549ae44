//! What somebody outside found out about releases: that they are malware, or have a vulnerability. Source: the OSV schema.

use serde::Deserialize;
use serde::Serialize;

use crate::model::digest::Digest;
use crate::model::package::PackageId;
use crate::model::package::Version;
use crate::model::time::Timestamp;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AdvisoryKind {
    Malware,
    Vulnerability,
}

/// A stretch of versions, in the order of the package's format.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AffectedRange {
    /// `None`: from the first on.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub introduced: Option<Version>,
    /// The first that is not affected any more.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub fixed: Option<Version>,
    /// The last that is affected.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_affected: Option<Version>,
}

/// One advisory, as far as it is about one package.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Advisory {
    /// `MAL-2025-46969`, `GHSA-…`.
    pub id: String,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub aliases: Vec<String>,
    pub kind: AdvisoryKind,
    pub package: PackageId,
    /// Versions that it names one by one.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub versions: Vec<Version>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub ranges: Vec<AffectedRange>,
    /// CVSS base score in tenths: 98 is 9.8.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub score: Option<u8>,
    /// One line, cleaned. It is somebody's text.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub summary: String,
    /// Bytes that it names by digest.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub digests: Vec<Digest>,
    /// Who says so: each counts as one source.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub sources: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub published_at: Option<Timestamp>,
    pub modified_at: Timestamp,
    /// Taken back: it counts no more.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub withdrawn_at: Option<Timestamp>,
}
