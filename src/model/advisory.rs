//! What somebody outside found out about releases: that they are malware, or have a vulnerability. Source: the OSV schema.

use std::cmp::Ordering;

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
    /// Where the stretch ends although nothing was fixed: nothing is said of this one and those after it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub limit: Option<Version>,
}

impl AffectedRange {
    /// Whether the version lies in it. `precedence` orders versions as the package's format does.
    pub fn contains(&self, version: &Version, precedence: impl Fn(&Version, &Version) -> Ordering) -> bool {
        let is_below = |end: &Version| precedence(version, end) == Ordering::Less;
        self.introduced.as_ref().is_none_or(|start| precedence(version, start) != Ordering::Less)
            && self.fixed.as_ref().is_none_or(is_below)
            && self.limit.as_ref().is_none_or(is_below)
            && self.last_affected.as_ref().is_none_or(|last| precedence(version, last) != Ordering::Greater)
    }
}

/// Who says so. Where neither versions nor ranges are given, it says so of all that the advisory names.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Source {
    pub name: String,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub versions: Vec<Version>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub ranges: Vec<AffectedRange>,
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
    /// Bytes that it names by digest: a file of a release, whole.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub digests: Vec<Digest>,
    /// Each counts as one source. Never none.
    pub sources: Vec<Source>,
    /// Somebody looked at it who is not the package's owner.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub independent: bool,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub published_at: Option<Timestamp>,
    pub modified_at: Timestamp,
    /// Taken back: it counts no more.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub withdrawn_at: Option<Timestamp>,
}

impl Advisory {
    pub fn counts_at(&self, now: Timestamp) -> bool {
        self.withdrawn_at.is_none_or(|withdrawn_at| now < withdrawn_at)
    }
}

/// A record of a feed that could not be read.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FeedFault {
    /// Its path in what was brought, or its line.
    pub record: String,
    pub why: String,
}
