//! What a release does that the one it is compared with did not: the behaviour diff.

use serde::Deserialize;
use serde::Serialize;

use crate::model::package::Version;
use crate::model::profile::Capability;
use crate::model::signal::SignalKind;
use crate::model::time::Timestamp;

/// A dependency that the other release did not have.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Gained {
    pub name: String,
    /// As it is wanted.
    pub range: String,
    /// From when the oldest release of that name counts, where it is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub first_published_at: Option<Timestamp>,
}

/// What changed against `baseline`. Lists are cut short at [`Change::LIST_MAX`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Change {
    /// The last approved release of the same major line.
    pub baseline: Version,
    /// Steps that installing runs now, and did not.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub install_steps: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub capabilities: Vec<Capability>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub hosts: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub dependencies: Vec<Gained>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub binaries: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub hooks: Vec<String>,
    /// Files that only a step of installing names.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub loose_scripts: Vec<String>,
    /// What the scan sees now and did not.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub signals: Vec<SignalKind>,
    /// A file of code that is loaded first and grew, where only such files changed, of all its code.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub entry_rewritten: Option<String>,
    /// By how many bytes the file of code grew that grew most, where it at least doubled.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub grown_bytes: u64,
    pub unpacked_bytes_before: u64,
    pub unpacked_bytes: u64,
    /// Thousandths of a bit per byte, of all code.
    pub entropy_before: u32,
    pub entropy: u32,
    pub files_added: u32,
    pub files_changed: u32,
    pub files_removed: u32,
}

impl Change {
    /// Entries of each list.
    pub const LIST_MAX: usize = 32;
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}
