//! What a release's files make of it, so that two releases can be compared. Never stored: it is read again from the bytes.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde::Deserialize;
use serde::Serialize;

use crate::model::signal::SignalKind;

/// What code reaches for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Capability {
    Network,
    /// Starts other programs.
    Process,
    /// Reads environment variables.
    Environment,
    /// Reads or writes files.
    Filesystem,
    /// Runs text as code.
    Eval,
}

impl Capability {
    /// As people read it in evidence.
    pub const fn as_str(self) -> &'static str {
        match self {
            Capability::Network => "network",
            Capability::Process => "processes",
            Capability::Environment => "environment",
            Capability::Filesystem => "files",
            Capability::Eval => "eval",
        }
    }
}

/// A file, as far as a comparison needs it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileMark {
    /// In bytes.
    pub size: u64,
    /// Of its content, comparable within one process only: equal marks are equal files.
    pub digest: u64,
    pub is_code: bool,
}

/// What a release's files make of it.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Profile {
    pub capabilities: BTreeSet<Capability>,
    /// Names of hosts in string literals of code, lower case; at most [`Profile::HOSTS_MAX`].
    pub hosts: BTreeSet<String>,
    /// Programs that installing runs: `postinstall: node setup.js`.
    pub install_steps: Vec<String>,
    /// Files that those programs name, and those that these load, as far as it can be followed.
    pub install_files: BTreeSet<String>,
    /// Those of `install_files` that nothing else of the release uses.
    pub loose_files: BTreeSet<String>,
    /// Files that are loaded first when it is used.
    pub entry_files: BTreeSet<String>,
    /// Compiled programs, by path.
    pub binaries: BTreeSet<String>,
    /// Files whose settings editors and coding agents run programs from.
    pub hooks: BTreeSet<String>,
    /// What is installed along with it: name and range.
    pub dependencies: BTreeMap<String, String>,
    /// What the scan saw, wherever it saw it.
    pub signals: BTreeSet<SignalKind>,
    /// By path.
    pub files: BTreeMap<String, FileMark>,
    pub unpacked_bytes: u64,
    /// Of all code, in thousandths of a bit per byte.
    pub entropy: u32,
}

impl Profile {
    /// More hosts than this are not kept; the largest seen has a third of it.
    pub const HOSTS_MAX: usize = 4_096;
}
