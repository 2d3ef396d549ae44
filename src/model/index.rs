//! What upstream says of a package: one opaque manifest per release, kept byte for byte, and what screening needs of it.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use serde::Deserialize;
use serde::Serialize;

use crate::model::digest::DocumentDigest;
use crate::model::digest::Integrity;
use crate::model::package::PackageId;
use crate::model::package::Version;
use crate::model::time::Timestamp;

/// A file of a release, as the index states it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Artifact {
    /// The name it is served under; unique in the index.
    pub file: String,
    /// Other names it is asked by, such as upstream's own where that is irregular.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub aliases: Vec<String>,
    /// Where the document says it lies: an absolute URL, or a path under the upstream's base. Never trusted as it is.
    pub location: String,
    #[serde(default)]
    pub integrity: Integrity,
}

/// A program that installing runs: `postinstall`, `node setup.js`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct InstallStep {
    pub event: String,
    pub command: String,
}

/// A dependency that no registry serves: its name and what stands where a version range belongs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ExoticDependency {
    pub name: String,
    pub wanted: String,
}

/// What a release's manifest claims, in the words that screening judges.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Claims {
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub install_steps: Vec<InstallStep>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub exotic_dependencies: Vec<ExoticDependency>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub deprecated: Option<String>,
}

/// Who published a release, as its registry says it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Hand {
    pub name: String,
    /// Which configured workflow, where no person's token did: `github oidc:0123`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub workflow: Option<String>,
    /// Who could have published it then, by name, in order; at most [`Hand::MAINTAINERS_MAX`].
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub maintainers: Vec<String>,
}

impl Hand {
    pub const MAINTAINERS_MAX: usize = 32;
    /// Of each text.
    pub const TEXT_BYTES_MAX: usize = 128;

    /// Whether both are one publisher, whoever else could publish then.
    pub fn is_same(&self, other: &Hand) -> bool {
        self.name == other.name && self.workflow == other.workflow
    }
}

/// Where a release comes from, in its registry's words.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Origin {
    /// Shared by all rows that have it; kept once for an index, and not in each row.
    #[serde(skip)]
    pub hand: Option<Arc<Hand>>,
    /// Whether its registry has a statement of where and from what it was built.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub has_provenance: bool,
}

impl Origin {
    /// Whether a workflow stands behind it, by statement or by being trusted to publish.
    pub fn is_vouched_for(&self) -> bool {
        self.has_provenance || self.hand.as_ref().is_some_and(|hand| hand.workflow.is_some())
    }

    /// Whether there is nothing to keep of it in a row.
    fn is_kept_elsewhere(&self) -> bool {
        !self.has_provenance
    }
}

/// One release of the index. `manifest` is where its text lies in [`Index::text`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Row {
    pub version: Version,
    pub manifest: Range<usize>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub published_at: Option<Timestamp>,
    #[serde(default)]
    pub artifacts: Vec<Artifact>,
    #[serde(default)]
    pub claims: Claims,
    #[serde(skip_serializing_if = "Origin::is_kept_elsewhere", default)]
    pub origin: Origin,
    /// Why the entry cannot be read; then nothing else of it counts.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub unreadable: Option<String>,
    /// Since when upstream no longer lists it. The row is kept, because what was served here is still asked for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub removed_at: Option<Timestamp>,
}

/// A package as upstream describes it. Rows are in upstream's order; no two have the same version.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Index {
    pub package: PackageId,
    /// The digest of what upstream said, before it was split.
    pub source: DocumentDigest,
    /// The dialect's document without releases, pointers and times. Opaque here.
    pub frame: Bytes,
    /// Movable names in upstream's order, with the version each points at.
    pub pointers: Vec<(String, Version)>,
    /// Where pointers of a package that is at home here were wished to be before, the newest wish first: while a target may
    /// not be seen, the next one stands in for it. All of its pointers are in it, those that were never elsewhere with nothing.
    pub earlier: Vec<(String, Vec<Version>)>,
    pub rows: Vec<Row>,
    /// All manifests, one after the other.
    pub text: Bytes,
}

impl Index {
    pub fn manifest(&self, row: &Row) -> Bytes {
        self.text.slice(row.manifest.clone())
    }

    pub fn row(&self, version: &Version) -> Option<&Row> {
        self.rows.iter().find(|row| row.version == *version)
    }

    /// How much memory it takes, about, in bytes.
    pub fn weight(&self) -> usize {
        // A row of 200 bytes, its artifact of 224, the text of both, and what allocating each costs.
        const ROW_BYTES: usize = 700;
        self.text.len() + self.frame.len() + self.rows.len() * ROW_BYTES
    }
}
