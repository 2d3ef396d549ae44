//! A package that is at home here: what its dialect composes an index from.

use bytes::Bytes;
use serde::Deserialize;
use serde::Serialize;

use crate::model::package::PackageId;
use crate::model::package::Version;
use crate::model::time::Timestamp;

/// To whom a name belongs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NameOwner {
    /// What is published here; upstream is not asked for it.
    Local,
    /// What upstream has; nothing of it is published here.
    Upstream,
}

impl NameOwner {
    pub const ALL: [NameOwner; 2] = [NameOwner::Local, NameOwner::Upstream];

    pub const fn as_str(self) -> &'static str {
        match self {
            NameOwner::Local => "local",
            NameOwner::Upstream => "upstream",
        }
    }
}

/// Who may publish and change the package.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Owner {
    pub name: String,
    pub email: Option<String>,
}

/// A release as it was submitted and sealed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LocalManifest {
    pub version: Version,
    /// The manifest's JSON, byte for byte.
    pub text: Bytes,
    /// When it was submitted.
    pub at: Timestamp,
    pub deprecated: Option<String>,
}

/// Withdrawn releases are not in it. Releases are in the order of their submission.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LocalPackage {
    pub package: PackageId,
    pub assigned_at: Timestamp,
    pub owners: Vec<Owner>,
    pub stars: Vec<String>,
    /// Each tag with the version that it was last wished to be at.
    pub tags: Vec<(String, Version)>,
    pub releases: Vec<LocalManifest>,
}
