//! The manifest of a release that is published here, as it is served for good: what was submitted, with what was measured.

use bytes::Bytes;

use crate::ecosystem::Dist;
use crate::model::package::PackageName;
use crate::model::package::Version;
use crate::protocol::npm::attestations;
use crate::protocol::npm::manifest::Fault;
use crate::protocol::npm::manifest::Manifest;
use crate::protocol::npm::write::write_key;
use crate::protocol::npm::write::write_text;

/// What a client has no say in, and what it leaves behind of its own work.
const DROPPED: [&str; 16] = [
    "_attachments",
    "_cached",
    "_from",
    "_hasShrinkwrap",
    "_id",
    "_integrity",
    "_npmOperationalInternal",
    "_resolved",
    "_rev",
    "access",
    "deprecated",
    "dist",
    "integrity",
    "maintainers",
    "shasum",
    "_shasum",
];

/// Everything else stays as it was written. `dist.tarball` is a path: whoever is served is told the whole address.
pub fn seal(package: &PackageName, version: &Version, manifest: &[u8], dist: &Dist) -> Result<Bytes, Fault> {
    let split = Manifest::split(manifest)?;
    let mut out = Vec::with_capacity(manifest.len() + 1_024);
    out.push(b'{');
    for (key, value) in split.pairs.iter().filter(|(key, _)| !DROPPED.contains(&&**key)) {
        write_key(&mut out, key, 1);
        out.extend_from_slice(value.get().as_bytes());
    }
    write_key(&mut out, "_id", 1);
    write_text(&mut out, &format!("{package}@{version}"));
    write_key(&mut out, "_hasShrinkwrap", 1);
    out.extend_from_slice(if dist.has_shrinkwrap { b"true" } else { b"false" });
    write_key(&mut out, "dist", 1);
    write_dist(&mut out, package, version, dist);
    out.push(b'}');
    Ok(Bytes::from(out))
}

fn write_dist(out: &mut Vec<u8>, package: &PackageName, version: &Version, dist: &Dist) {
    out.push(b'{');
    let start = out.len();
    for (key, text) in [("tarball", format!("{package}/-/{}", dist.file)), ("shasum", dist.sha1.clone()), ("integrity", dist.digest.sri())]
    {
        write_key(out, key, start);
        write_text(out, &text);
    }
    for (key, number) in [("fileCount", dist.files), ("unpackedSize", dist.unpacked_bytes)] {
        write_key(out, key, start);
        out.extend_from_slice(number.to_string().as_bytes());
    }
    write_key(out, "signatures", start);
    out.push(b'[');
    for (at, (key, signature)) in dist.signatures.iter().enumerate() {
        out.extend_from_slice(if at == 0 { b"{\"keyid\":" } else { b",{\"keyid\":" });
        write_text(out, key);
        out.extend_from_slice(b",\"sig\":");
        write_text(out, signature);
        out.push(b'}');
    }
    out.push(b']');
    if dist.provenance.is_some() {
        write_key(out, "attestations", start);
        out.extend_from_slice(b"{\"url\":");
        write_text(out, &attestations::path(package, version));
        out.extend_from_slice(b",\"provenance\":{\"predicateType\":\"https://slsa.dev/provenance/v1\"}}");
    }
    out.push(b'}');
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use serde_json::json;

    use super::*;
    use crate::model::digest::Digest;

    fn sealed(manifest: &Value, dist: &Dist) -> Value {
        let package = PackageName::npm("@acme/web").unwrap();
        let version = Version::parse("1.0.0").unwrap();
        serde_json::from_slice(&seal(&package, &version, manifest.to_string().as_bytes(), dist).unwrap()).unwrap()
    }

    #[test]
    fn what_is_measured_stands_in_for_what_was_said() {
        let digest = Digest::of(b"tarball");
        let dist = Dist {
            file: "web-1.0.0.tgz".into(),
            digest,
            sha1: "0".repeat(40),
            files: 3,
            unpacked_bytes: 700,
            has_shrinkwrap: true,
            signatures: vec![("SHA256:k".into(), "sig".into())],
            provenance: None,
        };
        let said = json!({
            "name": "@acme/web", "version": "1.0.0", "dependencies": {"a": "1"}, "_npmUser": {"name": "maria"},
            "_id": "x", "_resolved": "/home/x.tgz", "_from": "file:x", "_integrity": "x", "integrity": "y", "shasum": "z",
            "maintainers": [{"name": "eve"}], "_hasShrinkwrap": false, "deprecated": "no",
            "dist": {"integrity": "sha512-x", "signatures": [{"keyid": "forged", "sig": "x"}], "tarball": "https://registry.example/x.tgz"},
        });
        let expect = json!({
            "name": "@acme/web", "version": "1.0.0", "dependencies": {"a": "1"}, "_npmUser": {"name": "maria"},
            "_id": "@acme/web@1.0.0", "_hasShrinkwrap": true,
            "dist": {
                "tarball": "@acme/web/-/web-1.0.0.tgz", "shasum": "0".repeat(40), "integrity": digest.sri(), "fileCount": 3,
                "unpackedSize": 700, "signatures": [{"keyid": "SHA256:k", "sig": "sig"}],
            },
        });
        assert_eq!(sealed(&said, &dist), expect);
        let attested = sealed(&said, &Dist { provenance: Some("{}".into()), ..dist });
        assert_eq!(attested["dist"]["attestations"]["url"], "-/npm/v1/attestations/@acme%2fweb@1.0.0");
    }
}
