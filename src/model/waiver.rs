//! A person's decision that named findings do not count, for some packages, until a date.

use serde::Deserialize;
use serde::Serialize;

use crate::model::finding::FindingKind;
use crate::model::package::PackageId;
use crate::model::package::Version;
use crate::model::pattern::PackagePattern;
use crate::model::time::Timestamp;

/// 12 lower-case hexadecimal digits.
pub type WaiverId = String;

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Waiver {
    pub id: WaiverId,
    pub packages: Vec<PackagePattern>,
    /// Only this release of the one package that is named.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub version: Option<Version>,
    pub findings: Vec<FindingKind>,
    pub reason: String,
    /// Whose decision it is. Each name once.
    pub by: Vec<String>,
    /// Who else could have decided so under that name: see [`crate::model::principal::Principal::behind`].
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub behind: Vec<String>,
    pub made_at: Timestamp,
    /// It always ends.
    pub expires_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ended_at: Option<Timestamp>,
    /// Who ended it, or `airlock` because its reason was gone.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ended_by: Option<String>,
}

impl Waiver {
    /// Patterns of packages that one waiver names.
    pub const PACKAGES_MAX: usize = 50;

    /// Whether it is about the release, whatever the time.
    pub fn is_about(&self, package: &PackageId, version: &Version) -> bool {
        self.speaks_of(package) && self.version.as_ref().is_none_or(|only| only == version)
    }

    /// Whether it is about any release of the package.
    pub fn speaks_of(&self, package: &PackageId) -> bool {
        self.packages.iter().any(|pattern| pattern.matches(&package.name))
    }

    /// Whether it is about packages that nobody named one by one.
    pub fn is_wide(&self) -> bool {
        self.packages.iter().any(|pattern| matches!(pattern, PackagePattern::Scope(_)))
    }

    pub fn counts_at(&self, now: Timestamp) -> bool {
        now < self.expires_at && self.ended_at.is_none_or(|ended_at| now < ended_at)
    }
}

/// Somebody asks that a release be let through.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Request {
    pub by: String,
    pub at: Timestamp,
    pub reason: String,
}
