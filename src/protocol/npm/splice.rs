//! One listed release's manifest, written for a client: upstream's text as it is, but for the addresses that lead to upstream:
//! that of the tarball, and that of what is attested of it.

use std::ops::Range;

use crate::catalog::exposure::ExposedRelease;
use crate::ecosystem::json::Raw;
use crate::model::package::PackageName;
use crate::protocol::npm::attestations;
use crate::protocol::npm::claims::runs_on_install;
use crate::protocol::npm::files;
use crate::protocol::npm::manifest;
use crate::protocol::npm::manifest::Fault;
use crate::protocol::npm::manifest::Manifest;
use crate::protocol::npm::write::write_key;
use crate::protocol::npm::write::write_text;

const HAS_INSTALL_SCRIPT: &str = "hasInstallScript";
const README: &str = "readme";

/// Whether installing needs this field of a manifest. Source: npm's `registry/docs/responses/package-metadata.md`, and
/// `_npmUser`, by which pnpm ranks trust.
fn is_abbreviated(field: &str) -> bool {
    matches!(
        field,
        "name"
            | "version"
            | "deprecated"
            | "dependencies"
            | "optionalDependencies"
            | "devDependencies"
            | "bundleDependencies"
            | "bundledDependencies"
            | "peerDependencies"
            | "peerDependenciesMeta"
            | "acceptDependencies"
            | "bin"
            | "directories"
            | "dist"
            | "engines"
            | "cpu"
            | "os"
            | "libc"
            | "funding"
            | HAS_INSTALL_SCRIPT
            | "_hasShrinkwrap"
            | "_npmUser"
    )
}

/// Where what belongs to a release lies for a client.
pub struct Addresses<'a> {
    /// The address clients reach this registry under, without a trailing slash.
    pub base: &'a str,
    pub package: &'a PackageName,
    pub release: &'a ExposedRelease,
}

impl Addresses<'_> {
    /// `<base>/<name>/-/<file>`.
    fn tarball(&self) -> String {
        let Addresses { base, package, release } = self;
        match release.files.first() {
            Some(file) => format!("{base}/{package}/-/{file}"),
            None => format!("{base}/{package}/-/{}", files::conventional(package, &release.version)),
        }
    }

    fn attestations(&self) -> String {
        format!("{}/{}", self.base, attestations::path(self.package, &self.release.version))
    }
}

/// The whole manifest, each other byte as upstream wrote it.
pub fn whole(out: &mut Vec<u8>, manifest: &[u8], addresses: &Addresses<'_>) -> Result<(), Fault> {
    let split = Manifest::split(manifest)?;
    write_edited(out, manifest, &readdressed(manifest, &split, addresses)?);
    Ok(())
}

/// The manifest as a full packument holds it: without the readme that some upstreams repeat in each release.
pub fn in_full(out: &mut Vec<u8>, manifest: &[u8], addresses: &Addresses<'_>) -> Result<(), Fault> {
    let split = Manifest::split(manifest)?;
    let mut edits = readdressed(manifest, &split, addresses)?;
    edits.extend(without(manifest, &split, README));
    edits.sort_by_key(|edit| edit.range.start);
    write_edited(out, manifest, &edits);
    Ok(())
}

/// The manifest as an abbreviated packument holds it. Whether installing runs something is said by the scripts, not by
/// the hint alone.
pub fn abbreviated(out: &mut Vec<u8>, manifest: &[u8], addresses: &Addresses<'_>) -> Result<(), Fault> {
    let split = Manifest::split(manifest)?;
    let runs = runs_on_install(&split);
    out.push(b'{');
    let start = out.len();
    for (key, value) in split.pairs.iter().filter(|(key, _)| is_abbreviated(key)) {
        if *key == HAS_INSTALL_SCRIPT && runs {
            continue;
        }
        write_key(out, key, start);
        let text = value.get().as_bytes();
        if *key == "dist" {
            write_edited(out, text, &readdressed(text, &split, addresses)?);
        } else {
            out.extend_from_slice(text);
        }
    }
    if runs {
        write_key(out, HAS_INSTALL_SCRIPT, start);
        out.extend_from_slice(b"true");
    }
    out.push(b'}');
    Ok(())
}

/// Bytes of a text that are replaced.
struct Edit {
    range: Range<usize>,
    by: Vec<u8>,
}

/// The edits of `text`, which holds the manifest or its `dist`, that put our addresses where upstream's were, in order.
fn readdressed(text: &[u8], split: &Manifest<'_>, addresses: &Addresses<'_>) -> Result<Vec<Edit>, Fault> {
    let dist = split.object("dist")?;
    let missing = Fault::Missing { field: "dist.tarball" };
    let range = manifest::get(&dist, "tarball").and_then(|value| place(text, value)).ok_or(missing)?;
    let mut edits = vec![Edit::of(range, &addresses.tarball())];
    // What is no object, or has no address that is a text, leads nowhere.
    let attested = manifest::get(&dist, "attestations").filter(|value| value.get().starts_with('{'));
    let attested = attested.and_then(|value| manifest::split(value.get().as_bytes(), "dist.attestations").ok());
    let url = attested.as_ref().and_then(|fields| manifest::get(fields, "url")).filter(|url| url.get().starts_with('"'));
    edits.extend(url.and_then(|url| place(text, url)).map(|range| Edit::of(range, &addresses.attestations())));
    edits.sort_by_key(|edit| edit.range.start);
    Ok(edits)
}

impl Edit {
    /// A text in the place of what is there.
    fn of(range: Range<usize>, text: &str) -> Edit {
        let mut by = Vec::with_capacity(text.len() + 2);
        write_text(&mut by, text);
        Edit { range, by }
    }
}

/// The edit that takes out a pair with the comma that parts it from its neighbour.
fn without(text: &[u8], split: &Manifest<'_>, key: &str) -> Option<Edit> {
    let at = split.pairs.iter().position(|(name, _)| **name == *key)?;
    let end = place(text, split.pairs.get(at)?.1)?.end;
    let range = match at.checked_sub(1) {
        Some(before) => place(text, split.pairs.get(before)?.1)?.end..end,
        None => {
            let blank = |from: usize| text.get(from..).map_or(0, |rest| rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count());
            let opening = blank(0) + 1;
            let comma = end + blank(end);
            opening..if text.get(comma) == Some(&b',') { comma + 1 } else { end }
        }
    };
    Some(Edit { range, by: Vec::new() })
}

/// Where in `text` a value lies that was split out of it.
fn place(text: &[u8], value: Raw<'_>) -> Option<Range<usize>> {
    let start = (value.get().as_ptr() as usize).checked_sub(text.as_ptr() as usize)?;
    let range = start..start.checked_add(value.get().len())?;
    text.get(range.clone()).is_some_and(|found| found == value.get().as_bytes()).then_some(range)
}

/// `text` with `edits` made, which are in order and apart.
fn write_edited(out: &mut Vec<u8>, text: &[u8], edits: &[Edit]) {
    let mut at = 0;
    for edit in edits {
        out.extend_from_slice(text.get(at..edit.range.start).unwrap_or_default());
        out.extend_from_slice(&edit.by);
        at = edit.range.end;
    }
    out.extend_from_slice(text.get(at..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::model::package::Version;
    use crate::model::time::Timestamp;

    type Write = fn(&mut Vec<u8>, &[u8], &Addresses<'_>) -> Result<(), Fault>;

    fn release(version: &str) -> ExposedRelease {
        let version = Version::parse(version).unwrap();
        ExposedRelease { version, manifest: Bytes::new(), published_at: Timestamp::from_millis(0), files: Vec::new(), approved: true }
    }

    fn write_for(write: Write, out: &mut Vec<u8>, manifest: &str, package: &str, version: &str) -> Result<(), Fault> {
        let (package, release) = (PackageName::npm(package).unwrap(), release(version));
        write(out, manifest.as_bytes(), &Addresses { base: "http://gate.example", package: &package, release: &release })
    }

    #[track_caller]
    fn check(write: Write, manifest: &str, expect: &str) {
        let mut out = b"before ".to_vec();
        write_for(write, &mut out, manifest, "x", "1.0.0").unwrap();
        assert_eq!(std::str::from_utf8(&out).unwrap().strip_prefix("before "), Some(expect));
        let shown = expect.replace("\\ud800", "");
        serde_json::from_str::<serde_json::Value>(&shown).unwrap();
    }

    #[test]
    fn only_the_tarballs_address_is_another() {
        check(
            whole,
            r#"{ "a" : "\ud800" ,"dist": { "x":1, "t\u0061rball" : "https:\/\/registry.example/x.tgz" , "tarballs":"y" }, "tarball":"z" }"#,
            r#"{ "a" : "\ud800" ,"dist": { "x":1, "t\u0061rball" : "http://gate.example/x/-/x-1.0.0.tgz" , "tarballs":"y" }, "tarball":"z" }"#,
        );
        check(
            whole,
            r#"{"readme":"x","dist":{"tarball":"a"}}"#,
            r#"{"readme":"x","dist":{"tarball":"http://gate.example/x/-/x-1.0.0.tgz"}}"#,
        );
    }

    #[test]
    fn a_full_packument_has_no_readme_in_its_releases() {
        let dist = r#""dist":{"tarball":"http://gate.example/x/-/x-1.0.0.tgz"}"#;
        check(in_full, r#"{"readme":"r" , "a":1,"dist":{"tarball":"a"}}"#, &format!(r#"{{ "a":1,{dist}}}"#));
        check(in_full, r#" {"a":1 ,"readme":"r", "dist":{"tarball":"a"}}"#, &format!(r#" {{"a":1, {dist}}}"#));
        check(in_full, r#"{"dist":{"tarball":"a"},"readme":"r" }"#, &format!(r#"{{{dist} }}"#));
        check(in_full, r#"{"dist":{"tarball":"a","readme":"r"}}"#, &format!(r#"{{{},"readme":"r"}}}}"#, dist.trim_end_matches('}')));
    }

    #[test]
    fn an_abbreviated_packument_has_what_installing_needs() {
        let dist = r#""dist":{"x":1,"tarball":"http://gate.example/x/-/x-1.0.0.tgz"}"#;
        check(
            abbreviated,
            r#"{"_id":"x@1","name":"x", "readme":"r","version":"1.0.0","scripts":{"test":"t"},"os" : [ "linux" ],"_npmUser":{"name":"a"},"dist":{"x":1,"tarball":"a"}}"#,
            &format!(r#"{{"name":"x","version":"1.0.0","os":[ "linux" ],"_npmUser":{{"name":"a"}},{dist}}}"#),
        );
        for scripts in [
            r#""scripts":{"install":"make"}"#,
            r#""gypfile":true"#,
            r#""hasInstallScript":true"#,
            r#""hasInstallScript":false,"scripts":{"preinstall":"a"}"#,
        ] {
            check(
                abbreviated,
                &format!(r#"{{"name":"x",{scripts},"dist":{{"x":1,"tarball":"a"}}}}"#),
                &format!(r#"{{"name":"x",{dist},"hasInstallScript":true}}"#),
            );
        }
        check(
            abbreviated,
            r#"{"hasInstallScript":false,"dist":{"x":1,"tarball":"a"}}"#,
            &format!(r#"{{"hasInstallScript":false,{dist}}}"#),
        );
    }

    #[test]
    fn what_cannot_be_edited_is_not_written() {
        for manifest in [r#"{"name":"x"}"#, r#"{"dist":{}}"#, r#"{"dist":{"tarball":"a"}"#, "[]"] {
            assert!(write_for(whole, &mut Vec::new(), manifest, "x", "1.0.0").is_err(), "{manifest}");
        }
    }

    #[test]
    fn what_is_attested_is_asked_here() {
        let written = |write: Write, package: &str, version: &str, dist: &str| {
            let mut out = Vec::new();
            write_for(write, &mut out, &format!(r#"{{"name":"x","dist":{dist}}}"#), package, version).unwrap();
            serde_json::from_slice::<serde_json::Value>(&out).unwrap()["dist"]["attestations"].take()
        };
        for (package, version, expect) in [
            ("x", "1.0.0", "http://gate.example/-/npm/v1/attestations/x@1.0.0"),
            ("@acme/web", "1.0.0-rc.1+b", "http://gate.example/-/npm/v1/attestations/@acme%2fweb@1.0.0-rc.1%2Bb"),
        ] {
            for dist in [
                r#"{"attestations":{"url":"https://registry.example/-/npm/v1/attestations/x","provenance":{"a":1}},"tarball":"a"}"#,
                r#"{"tarball":"a","attestations" : { "provenance":{"a":1}, "url" : "-/npm/v1/attestations/x" } }"#,
            ] {
                for write in [whole, in_full, abbreviated] as [Write; 3] {
                    let attested = written(write, package, version, dist);
                    assert_eq!(attested, serde_json::json!({"url": expect, "provenance": {"a": 1}}));
                }
            }
        }
        for odd in ["7", "null", "[]", r#"{"provenance":1}"#, r#"{"url":7}"#] {
            let attested = written(whole, "x", "1.0.0", &format!(r#"{{"attestations":{odd},"tarball":"a"}}"#));
            assert_eq!(attested.to_string(), odd, "it leads nowhere and stays");
        }
    }
}
