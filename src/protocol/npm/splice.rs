//! One listed release's manifest, written for a client: upstream's text as it is, but for the address of the tarball.

use std::ops::Range;

use crate::catalog::exposure::ExposedRelease;
use crate::ecosystem::json::Raw;
use crate::model::package::PackageName;
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

/// Where the artifact of a release lies for a client: `<base>/<name>/-/<file>`.
pub fn address(base: &str, package: &PackageName, release: &ExposedRelease) -> String {
    match release.files.first() {
        Some(file) => format!("{base}/{package}/-/{file}"),
        None => format!("{base}/{package}/-/{}", files::conventional(package, &release.version)),
    }
}

/// The whole manifest, each other byte as upstream wrote it.
pub fn whole(out: &mut Vec<u8>, manifest: &[u8], address: &str) -> Result<(), Fault> {
    let split = Manifest::split(manifest)?;
    write_edited(out, manifest, &[tarball(manifest, &split, address)?]);
    Ok(())
}

/// The manifest as a full packument holds it: without the readme that some upstreams repeat in each release.
pub fn in_full(out: &mut Vec<u8>, manifest: &[u8], address: &str) -> Result<(), Fault> {
    let split = Manifest::split(manifest)?;
    let mut edits = vec![tarball(manifest, &split, address)?];
    edits.extend(without(manifest, &split, README));
    edits.sort_by_key(|edit| edit.range.start);
    write_edited(out, manifest, &edits);
    Ok(())
}

/// The manifest as an abbreviated packument holds it. Whether installing runs something is said by the scripts, not by
/// the hint alone.
pub fn abbreviated(out: &mut Vec<u8>, manifest: &[u8], address: &str) -> Result<(), Fault> {
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
            write_edited(out, text, &[tarball(text, &split, address)?]);
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

/// The edit of `text`, which holds the manifest or its `dist`, that puts `address` where upstream's was.
fn tarball(text: &[u8], split: &Manifest<'_>, address: &str) -> Result<Edit, Fault> {
    let dist = split.object("dist")?;
    let missing = Fault::Missing { field: "dist.tarball" };
    let range = manifest::get(&dist, "tarball").and_then(|value| place(text, value)).ok_or(missing)?;
    let mut by = Vec::with_capacity(address.len() + 2);
    write_text(&mut by, address);
    Ok(Edit { range, by })
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
    use super::*;

    type Write = fn(&mut Vec<u8>, &[u8], &str) -> Result<(), Fault>;

    #[track_caller]
    fn check(write: Write, manifest: &str, expect: &str) {
        let mut out = b"before ".to_vec();
        write(&mut out, manifest.as_bytes(), "http://gate.example/x/-/x-1.0.0.tgz").unwrap();
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
            assert!(whole(&mut Vec::new(), manifest.as_bytes(), "a").is_err(), "{manifest}");
        }
    }
}
