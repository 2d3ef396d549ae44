//! What the core must ask of a package format. No I/O: a dialect says what to ask and how to hear, never how to fetch.
//! `archive`, `json` and `tree` are strict readers, `scan` looks through files, `likeness` compares names; several formats share them.

pub mod archive;
pub mod json;
pub mod likeness;
pub mod scan;
pub mod signature;
pub mod sigstore;
pub mod tree;
pub mod voucher;

use std::cmp::Ordering;

use crate::ecosystem::json::JsonFault;
use crate::ecosystem::likeness::Names;
use crate::ecosystem::tree::Fault;
use crate::ecosystem::voucher::RegistryKey;
use crate::ecosystem::voucher::Vouchers;
use crate::model::digest::Digest;
use crate::model::digest::DocumentDigest;
use crate::model::facts::Facts;
use crate::model::index::Artifact;
use crate::model::index::Index;
use crate::model::local::LocalPackage;
use crate::model::lockfile::Lockfile;
use crate::model::lockfile::WantKind;
use crate::model::package::EcosystemId;
use crate::model::package::PackageId;
use crate::model::package::Version;
use crate::model::profile::Profile;
use crate::model::release::ReleaseId;
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

/// What a release asks for of another package, as its manifest has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Requirement {
    pub package: PackageId,
    pub range: String,
    pub kind: WantKind,
}

/// A change of a lockfile that is to be made with the client that wrote it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shift<'s> {
    pub package: &'s PackageId,
    pub from: &'s Version,
    pub to: &'s Version,
    /// The folders of the projects that want it themselves; the project's own is empty.
    pub projects: Vec<&'s str>,
    /// Names of packages that want it.
    pub parents: Vec<&'s str>,
    /// As which ranges it is wanted, as far as that is known.
    pub ranges: Vec<&'s str>,
    /// The client would choose that version by itself, if it chose anew.
    pub is_first_choice: bool,
    /// The lockfile has other releases of the package besides.
    pub has_siblings: bool,
    /// Where it stands in the lockfile.
    pub line: u32,
}

/// What a release's manifest says of its companions.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Bonds {
    /// Each release once.
    pub pins: Vec<Pin>,
    /// It can be installed on some platforms only.
    pub is_for_platform: bool,
    /// Who published it, as the registry says; none where that tells nobody from others.
    pub publisher: Option<String>,
}

/// A release that is needed in exactly this version.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pin {
    pub release: ReleaseId,
    /// It is installed where it can be.
    pub optional: bool,
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

    /// What the release with this manifest says of its companions: more than it should say only holds it up.
    fn bonds(&self, _manifest: &[u8]) -> Bonds {
        Bonds::default()
    }

    /// Which package a dependency is, by the name and the range under which a manifest has it; `None` where no registry is asked.
    fn needed(&self, _name: &str, _range: &str) -> Option<PackageId> {
        None
    }

    /// Which of `versions` a client takes for a range of [`Need`]. A guess as well.
    fn choose<'v>(&self, _range: &str, _pointers: &'v [(String, Version)], _versions: &[&'v Version]) -> Option<&'v Version> {
        None
    }

    /// A lockfile of one of the format's clients. `name`: what the file is called, where that is known.
    fn lockfile(&self, _text: &[u8], _name: Option<&str>) -> Result<Lockfile, Fault> {
        Err(Fault { line: 1, why: Unreadable::Reserved(self.id()).to_string() })
    }

    /// What a release asks for of other packages, all of it that a registry can serve.
    fn requirements(&self, _manifest: &[u8]) -> Vec<Requirement> {
        Vec::new()
    }

    /// Whether a version satisfies a range; `None` where `range` is none.
    fn satisfies(&self, _range: &str, _version: &Version) -> Option<bool> {
        None
    }

    /// The package and the file that a path under a registry's base is of, without a leading slash.
    fn artifact_at(&self, _path: &str) -> Option<(PackageId, String)> {
        None
    }

    /// How the client of a lockfile is told to make these changes: a line each, for a shell or for people.
    fn steps(&self, _lockfile: &Lockfile, _shifts: &[Shift<'_>]) -> Vec<String> {
        Vec::new()
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

    /// What speaks for a release besides its bytes, as `manifest`, its text in the index, has it. `None` where nothing is known of that.
    fn vouchers(&self, _package: &PackageId, _version: &Version, _manifest: &[u8]) -> Option<Vouchers> {
        None
    }

    /// Where registries of this format have the keys that they sign releases with.
    fn locate_keys(&self) -> Option<UpstreamPath> {
        None
    }

    /// How to hear them.
    fn read_keys(&self, _document: &[u8]) -> Result<Vec<RegistryKey>, Unreadable> {
        Err(Unreadable::Reserved(self.id()))
    }

    /// The bundles among a release's statements that say from what it was built.
    fn read_provenance(&self, _document: &[u8]) -> Result<Vec<serde_json::Value>, Unreadable> {
        Err(Unreadable::Reserved(self.id()))
    }

    /// The names of this format that people know; `None` where that is not known. Reading them takes a while, once.
    fn names(&self) -> Option<&'static Names> {
        None
    }

    /// `None` when the version cannot be ordered.
    fn track(&self, version: &Version) -> Option<Track>;
}
