//! What inspection saw in an artifact's bytes. Recorded in the ledger, so that checks can be repeated without the bytes.

use serde::Deserialize;
use serde::Serialize;

use crate::model::change::Change;
use crate::model::index::InstallStep;
use crate::model::signal::Signal;

/// A field in which the manifest inside the bytes differs from the index.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Difference {
    pub field: String,
    /// As the index has it, cut short; empty where the field is absent.
    pub listed: String,
    /// As the bytes have it.
    pub shipped: String,
}

/// What inspection saw in an artifact's bytes. Observations only: what they mean is for `quarantine::checks`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Facts {
    /// Number of files.
    pub files: u32,
    pub unpacked_bytes: u64,
    /// The first rule of the archive profile that the archive breaks; then nothing else was looked at.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub unsafe_archive: Option<String>,
    /// Whether the archive brings along what exactly is to be installed with it.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub has_shrinkwrap: bool,
    /// Why the manifest inside cannot be read; then nothing was compared.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub unreadable_manifest: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub differences: Vec<Difference>,
    /// What installing these bytes runs, as found in the bytes.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub install_steps: Vec<InstallStep>,
    /// Those of `install_steps` that the index does not mention.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub hidden_install_steps: Vec<InstallStep>,
    /// The build file that installing runs although no script says so.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub implicit_build: Option<String>,
    /// Commands that reading a build file runs: gyp's `<!(…)`.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub build_commands: Vec<String>,
    /// Files that installing runs, and those that they load, as far as it can be followed.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub install_files: Vec<String>,
    /// What the scan of all files saw: of each kind a few places, the rest is counted nowhere.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub signals: Vec<Signal>,
    /// Files that could not be looked through, and why.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub unscanned: Vec<String>,
    /// Compiled programs, by path.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub binaries: Vec<String>,
    /// Files whose settings editors and coding agents run programs from.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub hooks: Vec<String>,
    /// Packages that lie inside it: `name@version`.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub bundled: Vec<String>,
    /// What installing fetches from elsewhere, and how that is known.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub fetches: Vec<String>,
    /// Addresses in the shrinkwrap inside it that are no registry's.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub foreign_addresses: Vec<String>,
    /// What it says of its licence, cut short.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub license: Option<String>,
    /// Against the last approved release of its major line, where there is one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub change: Option<Change>,
}
