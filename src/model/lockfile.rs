//! A lockfile as its dialect reads it: which releases a project installs, from where, and who wants them.

use crate::model::digest::Integrity;
use crate::model::package::PackageId;
use crate::model::release::ReleaseId;

/// Largest lockfile that is read, in bytes.
pub const LOCKFILE_BYTES_MAX: usize = 64 * 1_000_000;
/// Entries of one lockfile.
pub const LOCKED_MAX: usize = 100_000;
/// Who wants what, over all entries of one lockfile.
pub const WANTS_MAX: usize = 1_000_000;

#[derive(Clone, PartialEq, Debug)]
pub struct Lockfile {
    /// The dialect's word for what kind it is: `package-lock`, `pnpm-lock`.
    pub format: &'static str,
    /// As the file states it: `3`, `9.0`.
    pub edition: String,
    /// The folders of the project and of the parts of its workspace, as far as the format tells; the project's own is empty.
    pub projects: Vec<String>,
    pub entries: Vec<Locked>,
}

/// One entry: a package at one version.
#[derive(Clone, PartialEq, Debug)]
pub struct Locked {
    /// As it is told to people: the package's own name, not an alias.
    pub name: String,
    /// Empty where the lockfile has none.
    pub version: String,
    /// Under which other name the project has it.
    pub alias: Option<String>,
    pub source: Source,
    pub stated: Stated,
    /// Where it stands in the text, counted from 1.
    pub line: u32,
    pub wants: Vec<Want>,
    /// Only while developing.
    pub dev: bool,
    /// Installing goes on without it.
    pub optional: bool,
    /// Only because another asks that it be beside it.
    pub peer: bool,
}

/// Where its bytes come from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Source {
    /// The registry that the client is configured with, or the one at `address` whatever is configured.
    Registry { release: ReleaseId, address: Option<String> },
    /// The registry that the client is configured with, at this path of it, which begins with a slash.
    Beneath { release: ReleaseId, path: String },
    /// Another place: a repository, a file at a web address.
    Elsewhere { address: String },
    /// The project itself: a folder, a file, a part of a workspace.
    Local,
    /// Inside another package's own bytes, as the lockfile says. Where they lack it clients fetch the release of that name.
    Bundled { release: Option<ReleaseId> },
}

/// What it says of the bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Stated {
    Integrity(Integrity),
    Nothing,
    /// Something that speaks of other bytes than the registry's, and why.
    NotComparable(&'static str),
}

/// That somebody wants an entry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Want {
    pub by: By,
    /// The dialect's range; `None` where the format does not tell.
    pub range: Option<Box<str>>,
    pub kind: WantKind,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum By {
    /// The project, or a part of its workspace: by its place in [`Lockfile::projects`].
    Project(usize),
    /// The entry at this place.
    Entry(usize),
    /// The format does not tell who.
    Unknown,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WantKind {
    Needed,
    Dev,
    Optional,
    Peer,
}

impl Locked {
    /// The release of a registry that it names.
    pub fn release(&self) -> Option<&ReleaseId> {
        match &self.source {
            Source::Registry { release, .. } | Source::Beneath { release, .. } => Some(release),
            Source::Bundled { release } => release.as_ref(),
            Source::Elsewhere { .. } | Source::Local => None,
        }
    }

    pub fn package(&self) -> Option<&PackageId> {
        self.release().map(|release| &release.package)
    }
}
