//! The packument of a package that is at home here, written as an upstream would answer with it, so that it is read, judged
//! and rendered as any other.

use bytes::Bytes;

use crate::ecosystem::Fetched;
use crate::ecosystem::Unreadable;
use crate::ecosystem::UpstreamPath;
use crate::model::local::LocalManifest;
use crate::model::local::LocalPackage;
use crate::protocol::npm::manifest;
use crate::protocol::npm::manifest::Fault;
use crate::protocol::npm::manifest::Manifest;
use crate::protocol::npm::read::CREATED;
use crate::protocol::npm::read::FRAME_FIELDS;
use crate::protocol::npm::read::LATEST;
use crate::protocol::npm::render::PACKAGES_OWN_FIELDS;
use crate::protocol::npm::write::write_key;
use crate::protocol::npm::write::write_text;

const DEPRECATED: &str = "deprecated";

/// The document under `path`. The same package is always written in the same bytes, from whichever of its texts.
///
/// # Errors
/// A release's text is no manifest.
pub fn compose(local: &LocalPackage, path: UpstreamPath) -> Result<Fetched, Unreadable> {
    let text: usize = local.releases.iter().map(|release| release.text.len() + 128).sum();
    let mut out = Vec::with_capacity(text + 1_024);
    write(&mut out, local).map_err(|fault| Unreadable::Malformed(fault.to_string()))?;
    Ok(Fetched { path, body: Bytes::from(out) })
}

fn write(out: &mut Vec<u8>, local: &LocalPackage) -> Result<(), Fault> {
    out.push(b'{');
    write_key(out, "name", 1);
    write_text(out, local.package.name.as_str());
    write_key(out, "dist-tags", 1);
    write_object(out, local.tags.iter(), |out, (tag, version), start| {
        write_key(out, tag, start);
        write_text(out, version.as_str());
    });
    write_key(out, "versions", 1);
    out.push(b'{');
    let start = out.len();
    for release in &local.releases {
        write_key(out, release.version.as_str(), start);
        write_manifest(out, release)?;
    }
    out.push(b'}');
    write_key(out, "time", 1);
    let created = local.releases.iter().map(|release| release.at).chain([local.assigned_at]).min().unwrap_or(local.assigned_at);
    let times = local.releases.iter().map(|release| (release.version.as_str(), release.at));
    write_object(out, [(CREATED, created)].into_iter().chain(times), |out, (key, at), start| {
        write_key(out, key, start);
        write_text(out, &at.to_string());
    });
    write_head(out, local)?;
    write_key(out, "maintainers", 1);
    write_owners(out, local);
    if !local.stars.is_empty() {
        write_key(out, "users", 1);
        write_object(out, local.stars.iter(), |out, name, start| {
            write_key(out, name, start);
            out.extend_from_slice(b"true");
        });
    }
    out.push(b'}');
    Ok(())
}

fn write_object<T>(out: &mut Vec<u8>, items: impl Iterator<Item = T>, each: impl Fn(&mut Vec<u8>, T, usize)) {
    out.push(b'{');
    let start = out.len();
    for item in items {
        each(out, item, start);
    }
    out.push(b'}');
}

/// The release's text, with what its owners say of it now in place of what it said of that itself.
fn write_manifest(out: &mut Vec<u8>, release: &LocalManifest) -> Result<(), Fault> {
    let manifest = Manifest::split(&release.text)?;
    out.push(b'{');
    let start = out.len();
    for (key, value) in manifest.pairs.iter().filter(|(key, _)| **key != *DEPRECATED) {
        write_key(out, key, start);
        out.extend_from_slice(value.get().as_bytes());
    }
    if let Some(text) = &release.deprecated {
        write_key(out, DEPRECATED, start);
        write_text(out, text);
    }
    out.push(b'}');
    Ok(())
}

/// What describes the package is what its latest release says of itself.
fn write_head(out: &mut Vec<u8>, local: &LocalPackage) -> Result<(), Fault> {
    let latest = local.tags.iter().find(|(tag, _)| tag == LATEST).map(|(_, version)| version);
    let Some(release) = local.releases.iter().find(|release| Some(&release.version) == latest) else { return Ok(()) };
    let manifest = Manifest::split(&release.text)?;
    for key in FRAME_FIELDS.into_iter().filter(|key| !PACKAGES_OWN_FIELDS.contains(key)) {
        if let Some(value) = manifest::get(&manifest.pairs, key) {
            write_key(out, key, 1);
            out.extend_from_slice(value.get().as_bytes());
        }
    }
    Ok(())
}

/// Clients print an address after each name, so that there always is one, if an empty one.
fn write_owners(out: &mut Vec<u8>, local: &LocalPackage) {
    out.push(b'[');
    for (at, owner) in local.owners.iter().enumerate() {
        out.extend_from_slice(if at == 0 { b"{\"name\":" } else { b",{\"name\":" });
        write_text(out, &owner.name);
        out.extend_from_slice(b",\"email\":");
        write_text(out, owner.email.as_deref().unwrap_or_default());
        out.push(b'}');
    }
    out.push(b']');
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use serde_json::json;

    use super::*;
    use crate::ecosystem::Ecosystem;
    use crate::ecosystem::Reading;
    use crate::model::index::Index;
    use crate::model::local::Owner;
    use crate::model::package::PackageId;
    use crate::model::package::Version;
    use crate::model::time::Timestamp;
    use crate::protocol::npm::Npm;

    fn version(text: &str) -> Version {
        Version::parse(text).unwrap()
    }

    fn release(of: &str, deprecated: Option<&str>) -> LocalManifest {
        let text = json!({
            "name": "@acme/web", "version": of, "description": format!("web {of}"), "deprecated": "said by itself",
            "scripts": {"install": "node x.js"}, "dist": {"tarball": format!("web-{of}.tgz"), "integrity": "sha512-x"},
        });
        let at = Timestamp::parse("2026-11-20T12:00:00Z").unwrap();
        LocalManifest { version: version(of), text: text.to_string().into(), at, deprecated: deprecated.map(str::to_owned) }
    }

    fn package() -> LocalPackage {
        LocalPackage {
            package: PackageId::npm("@acme/web").unwrap(),
            assigned_at: Timestamp::parse("2026-11-19T12:00:00Z").unwrap(),
            owners: vec![Owner { name: "maria".into(), email: None }, Owner { name: "ann".into(), email: Some("ann@acme.example".into()) }],
            stars: vec!["bob".into()],
            tags: vec![("latest".into(), version("1.1.0")), ("next".into(), version("1.0.0"))],
            releases: vec![release("1.0.0", Some("old \"one\"")), release("1.1.0", None)],
        }
    }

    fn index(local: &LocalPackage) -> Index {
        let document = Npm.compose(local).unwrap();
        match Npm.read(&local.package, &[document]).unwrap() {
            Reading::Complete(index) => index,
            Reading::NeedMore(more) => panic!("{more:?}"),
        }
    }

    #[test]
    fn what_is_composed_is_read_back() {
        let local = package();
        let index = index(&local);
        assert_eq!(index.pointers, local.tags);
        assert_eq!(index.rows.iter().map(|row| row.version.clone()).collect::<Vec<_>>(), [version("1.0.0"), version("1.1.0")]);
        assert!(index.rows.iter().all(|row| row.unreadable.is_none() && row.published_at == Some(local.releases[0].at)), "{index:?}");
        assert_eq!(index.rows[0].claims.deprecated.as_deref(), Some("old \"one\""));
        assert_eq!((index.rows[1].claims.deprecated.as_deref(), index.rows[1].claims.install_steps.len()), (None, 1));
        assert_eq!(index.rows[0].artifacts[0].file, "web-1.0.0.tgz");
        let frame: Value = serde_json::from_slice(&index.frame).unwrap();
        let owners = json!([{"name": "maria", "email": ""}, {"name": "ann", "email": "ann@acme.example"}]);
        assert_eq!(
            frame,
            json!({
                "description": "web 1.1.0", "maintainers": owners, "users": {"bob": true},
                "created": "2026-11-19T12:00:00.000Z", "latest": "1.1.0",
            })
        );
    }

    #[test]
    fn it_is_the_same_from_texts_that_were_composed_before() {
        let mut local = package();
        let first = Npm.compose(&local).unwrap().body;
        let index = index(&local);
        for (release, row) in local.releases.iter_mut().zip(&index.rows) {
            release.text = index.manifest(row);
        }
        assert_eq!(Npm.compose(&local).unwrap().body, first);
    }

    #[test]
    fn a_text_that_is_no_manifest_is_said() {
        let mut local = package();
        local.releases[0].text = Bytes::from_static(b"[]");
        assert_eq!(Npm.compose(&local).unwrap_err().to_string(), "not a document of this format: its manifest is not an object");
    }
}
