//! What a release's files make of it, so that two releases can be compared. Never stored: it is read again from the bytes.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde::Deserialize;
use serde::Serialize;

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

/// A file, as far as a comparison needs it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileMark {
    /// In bytes.
    pub size: u64,
    /// Of its content: equal marks are equal files.
    pub digest: u64,
    pub is_code: bool,
}

/// What a release's files make of it.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Profile {
    pub capabilities: BTreeSet<Capability>,
    /// Names of hosts in string literals of code, lower case.
    pub hosts: BTreeSet<String>,
    /// Programs that installing runs: `postinstall: node setup.js`.
    pub install_steps: Vec<String>,
    /// Files that those programs name, as far as it can be followed.
    pub install_files: BTreeSet<String>,
    /// Files that are loaded first when it is used.
    pub entry_files: BTreeSet<String>,
    /// Compiled programs, by path.
    pub binaries: BTreeSet<String>,
    /// Files whose settings editors and coding agents run programs from.
    pub hooks: BTreeSet<String>,
    /// What is installed along with it: name and range.
    pub dependencies: BTreeMap<String, String>,
    /// By path.
    pub files: BTreeMap<String, FileMark>,
    pub unpacked_bytes: u64,
    /// Of all code, in thousandths of a bit per byte.
    pub entropy: u32,
}
