//! npm's dialect: what its clients ask, how upstream's packuments are heard, and how what is exposed is written for them.

pub mod accept;
pub mod attestations;
pub mod audit;
pub mod bonds;
pub mod call;
pub mod claims;
pub mod compose;
pub mod describe;
pub mod difference;
pub mod explain;
pub mod files;
pub mod handlers;
pub mod head;
pub mod inspect;
pub mod integrity;
pub mod keys;
pub mod lockfile;
pub mod manage;
pub mod manifest;
pub mod names;
pub mod needs;
pub mod order;
pub mod origin;
pub mod path;
pub mod publish;
pub mod range;
pub mod read;
pub mod render;
pub mod requirements;
pub mod routes;
#[cfg(test)]
mod sample;
pub mod seal;
pub mod search;
pub mod session;
pub mod splice;
pub mod stage;
pub mod status;
pub mod substance;
pub mod tag;
pub mod violation;
pub mod vouchers;
pub mod write;

pub use crate::protocol::npm::handlers::Registry;
pub use crate::protocol::npm::routes::ROUTES;
pub use crate::protocol::npm::routes::is_for_sign_in;

use std::cmp::Ordering;

use bytes::Bytes;

use crate::ecosystem::Bonds;
use crate::ecosystem::Description;
use crate::ecosystem::Dist;
use crate::ecosystem::Ecosystem;
use crate::ecosystem::Fetched;
use crate::ecosystem::Inspected;
use crate::ecosystem::Need;
use crate::ecosystem::Reading;
use crate::ecosystem::Requirement;
use crate::ecosystem::Shift;
use crate::ecosystem::Track;
use crate::ecosystem::Unreadable;
use crate::ecosystem::UpstreamPath;
use crate::ecosystem::likeness::Names;
use crate::ecosystem::tree::Fault;
use crate::ecosystem::voucher::RegistryKey;
use crate::ecosystem::voucher::Vouchers;
use crate::model::digest::DocumentDigest;
use crate::model::index::Artifact;
use crate::model::local::LocalPackage;
use crate::model::lockfile::Lockfile;
use crate::model::package::EcosystemId;
use crate::model::package::PackageId;
use crate::model::package::Version;
use crate::protocol::npm::path::Target;
use crate::protocol::npm::range::Range;

/// The core's questions, answered for npm.
#[derive(Clone, Copy, Debug, Default)]
pub struct Npm;

impl Ecosystem for Npm {
    fn id(&self) -> EcosystemId {
        EcosystemId::Npm
    }

    fn locate(&self, package: &PackageId) -> UpstreamPath {
        UpstreamPath(package.name.as_str().replace('/', "%2f"))
    }

    fn read(&self, package: &PackageId, fetched: &[Fetched]) -> Result<Reading, Unreadable> {
        read::read(package, fetched)
    }

    fn locate_artifact(&self, package: &PackageId, artifact: &Artifact) -> UpstreamPath {
        files::locate(&package.name, artifact)
    }

    fn inspect(&self, package: &PackageId, version: &Version, manifest: &[u8], bytes: &Bytes) -> Result<Inspected, Unreadable> {
        inspect::inspect(package, version, manifest, bytes)
    }

    fn substance(&self, manifest: &[u8]) -> DocumentDigest {
        substance::substance(manifest)
    }

    fn precedence(&self, left: &Version, right: &Version) -> Ordering {
        order::precedence(left, right)
    }

    fn needs(&self, manifest: &[u8]) -> Vec<Need> {
        needs::needs(manifest)
    }

    fn bonds(&self, manifest: &[u8]) -> Bonds {
        bonds::bonds(manifest)
    }

    fn needed(&self, name: &str, range: &str) -> Option<PackageId> {
        needs::needed(name, range)
    }

    fn choose<'v>(&self, range: &str, pointers: &'v [(String, Version)], versions: &[&'v Version]) -> Option<&'v Version> {
        needs::choose(range, pointers, versions)
    }

    fn lockfile(&self, text: &[u8], name: Option<&str>) -> Result<Lockfile, Fault> {
        lockfile::read(text, name)
    }

    fn requirements(&self, manifest: &[u8]) -> Vec<Requirement> {
        requirements::requirements(manifest)
    }

    fn satisfies(&self, range: &str, version: &Version) -> Option<bool> {
        let range = Range::parse(range)?;
        Some(order::semantic(version.as_str()).is_some_and(|version| range.is_satisfied_by(&version)))
    }

    fn artifact_at(&self, path: &str) -> Option<(PackageId, String)> {
        match path::parse(&format!("/{path}")) {
            Ok(Target::Tarball(tarball)) => Some((PackageId { ecosystem: EcosystemId::Npm, name: tarball.package }, tarball.file)),
            Ok(_) | Err(_) => None,
        }
    }

    fn steps(&self, lockfile: &Lockfile, shifts: &[Shift<'_>]) -> Vec<String> {
        lockfile::steps::steps(lockfile, shifts)
    }

    fn describe(&self, frame: &[u8], manifest: &[u8]) -> Description {
        describe::describe(frame, manifest)
    }

    fn compose(&self, local: &LocalPackage) -> Result<Fetched, Unreadable> {
        compose::compose(local, self.locate(&local.package))
    }

    fn file_of(&self, package: &PackageId, version: &Version) -> String {
        files::conventional(&package.name, version)
    }

    fn seal(&self, package: &PackageId, version: &Version, manifest: &[u8], dist: &Dist) -> Result<Bytes, Unreadable> {
        seal::seal(&package.name, version, manifest, dist).map_err(|fault| Unreadable::Malformed(fault.to_string()))
    }

    fn vouchers(&self, package: &PackageId, version: &Version, manifest: &[u8]) -> Option<Vouchers> {
        vouchers::vouchers(&package.name, version, manifest)
    }

    fn locate_keys(&self) -> Option<UpstreamPath> {
        Some(UpstreamPath(vouchers::KEYS.to_owned()))
    }

    fn read_keys(&self, document: &[u8]) -> Result<Vec<RegistryKey>, Unreadable> {
        vouchers::keys(document)
    }

    fn read_provenance(&self, document: &[u8]) -> Result<Vec<serde_json::Value>, Unreadable> {
        vouchers::provenance(document)
    }

    fn names(&self) -> Option<&'static Names> {
        Some(names::all())
    }

    fn track(&self, version: &Version) -> Option<Track> {
        order::track(version)
    }
}
