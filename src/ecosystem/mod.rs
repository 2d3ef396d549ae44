//! What the core must ask of a package format. No I/O: a dialect says what to ask and how to hear, never how to fetch.
//! `archive` and `json` are strict readers, `scan` looks through
//! files; several formats share them.

pub mod archive;
pub mod json;
pub mod scan;

use std::cmp::Ordering;

use crate::ecosystem::json::JsonFault;
use crate::model::digest::Digest;
use crate::model::digest::DocumentDigest;
use crate::model::facts::Facts;
use crate::model::index::Artifact;
use crate::model::index::Index;
use crate::model::local::LocalPackage;
use crate::model::package::EcosystemId;
use crate::model::package::PackageId;
use crate::model::package::Version;
use crate::model::profile::Profile;
use bytes::Bytes;

/// A path under the upstream's base URL, percent-encoded, without a leading slash: `@acme%2fweb`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct UpstreamPath(pub String);

/// One document that upstream answered with.
#[derive(Clone, Debug)]
pub struct Fetched {
    pub path: UpstreamPath,
    pub body: Bytes,
}

impl Fetched {
    /// The digest under which a sight of these documents is recorded: over all bodies, in the order asked.
    pub fn digest(all: &[Fetched]) -> DocumentDigest {
        match all {
            [one] => DocumentDigest::of(&one.body),
            several => {
                let each: Vec<u8> = several.iter().flat_map(|one| *DocumentDigest::of(&one.body).raw()).collect();
                DocumentDigest::of(&each)
            }
        }
    }
}

/// What a reading came to.
#[derive(Debug)]
pub enum Reading {
    Complete(Index),
    /// Ask these too and read again with all; rounds are bounded by the caller.
    NeedMore(Vec<UpstreamPath>),
}

/// A document or artifact that cannot be read as a whole. A fault of a single release is that row's `unreadable` instead.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Unreadable {
    #[error("not a document of this format: {0}")]
    Malformed(String),
    #[error("{what} is over its limit of {max}")]
    TooLarge { what: &'static str, max: u64 },
    #[error("{0} is reserved, not built yet")]
    Reserved(EcosystemId),
}

impl From<JsonFault> for Unreadable {
    fn from(fault: JsonFault) -> Unreadable {
        Unreadable::Malformed(fault.to_string())
    }
}

/// Which releases may stand in for each other when a pointer is repaired.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Track {
    pub major: u64,
    /// `beta` of `2.0.0-beta.3`; none for a stable release.
    pub prerelease: Option<String>,
}

/// Another package that installing a release takes, and which of its releases: the range is the dialect's.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Need {
    pub package: PackageId,
    pub range: String,
}

/// The file of a release that was submitted here, as it was measured.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dist {
    /// The name it is served under.
    pub file: String,
    pub digest: Digest,
    /// 40 lower-case hexadecimal digits.
    pub sha1: String,
    /// Entries in the archive.
    pub files: u64,
    pub unpacked_bytes: u64,
    pub has_shrinkwrap: bool,
    /// Ids of keys with the signatures that they made, in base64.
    pub signatures: Vec<(String, String)>,
    /// The sigstore bundle that came with it.
    pub provenance: Option<String>,
}

/// What people search by.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Description {
    pub description: Option<String>,
    pub keywords: Vec<String>,
    /// Names.
    pub maintainers: Vec<String>,
}

/// What is inside an artifact.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Inspected {
    pub facts: Facts,
    /// To be compared with another release's. Empty where the facts say that nothing was looked at.
    pub profile: Profile,
}

/// A package format. Pure: values in, values out.
pub trait Ecosystem: Send + Sync {
    fn id(&self) -> EcosystemId;

    /// What to ask upstream for first.
    fn locate(&self, package: &PackageId) -> UpstreamPath;

    /// How to hear the answers. Each manifest is kept byte for byte; a release that cannot be read becomes a row that says so.
    fn read(&self, package: &PackageId, fetched: &[Fetched]) -> Result<Reading, Unreadable>;

    /// Where an artifact lies under an upstream's own base, whatever its document says of hosts.
    fn locate_artifact(&self, package: &PackageId, artifact: &Artifact) -> UpstreamPath;

    /// What is inside. `manifest` is the release's text in the index, for comparison.
    fn inspect(&self, package: &PackageId, version: &Version, manifest: &[u8], bytes: &Bytes) -> Result<Inspected, Unreadable>;

    /// What a release's files make of it, to compare another release with: one that cannot be read is an error.
    fn profile(&self, package: &PackageId, version: &Version, manifest: &[u8], bytes: &Bytes) -> Result<Profile, Unreadable> {
        let Inspected { facts, profile } = self.inspect(package, version, manifest, bytes)?;
        match facts.unsafe_archive.or(facts.unreadable_manifest) {
            Some(why) => Err(Unreadable::Malformed(why)),
            None => Ok(profile),
        }
    }

    /// The digest of what matters in a release's text in the index: equal for two texts that install the same, as when only
    /// a deprecation or a signature was added. Inspections and approvals are bound to it.
    fn substance(&self, manifest: &[u8]) -> DocumentDigest {
        DocumentDigest::of(manifest)
    }

    /// Which is newer. A version that cannot be ordered is older than all that can.
    fn precedence(&self, left: &Version, right: &Version) -> Ordering;

    /// What a client that installs the release with this manifest will ask for next. A guess: nothing depends on it.
    fn needs(&self, _manifest: &[u8]) -> Vec<Need> {
        Vec::new()
    }

    /// Which package a dependency is, by the name and the range under which a manifest has it; `None` where no registry is asked.
    fn needed(&self, _name: &str, _range: &str) -> Option<PackageId> {
        None
    }

    /// Which of `versions` a client takes for a range of [`Need`]. A guess as well.
    fn choose<'v>(&self, _range: &str, _pointers: &'v [(String, Version)], _versions: &[&'v Version]) -> Option<&'v Version> {
        None
    }

    /// The name under which the file of a release that was submitted here is served. Two releases of one package that would
    /// have the same cannot both be submitted.
    fn file_of(&self, package: &PackageId, version: &Version) -> String {
        format!("{}-{version}", package.name.unscoped())
    }

    /// The document of a package that is at home here, as an upstream would answer with it: `read` reads it back.
    fn compose(&self, _local: &LocalPackage) -> Result<Fetched, Unreadable> {
        Err(Unreadable::Reserved(self.id()))
    }

    /// The text under which a submitted release is served for good: what was submitted, with what was measured.
    fn seal(&self, _package: &PackageId, _version: &Version, _manifest: &[u8], _dist: &Dist) -> Result<Bytes, Unreadable> {
        Err(Unreadable::Reserved(self.id()))
    }

    /// What an index's frame and one release's manifest say to who searches.
    fn describe(&self, _frame: &[u8], _manifest: &[u8]) -> Description {
        Description::default()
    }

    /// `None` when the version cannot be ordered.
    fn track(&self, version: &Version) -> Option<Track>;
}
