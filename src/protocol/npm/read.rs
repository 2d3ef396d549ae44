//! Upstream's packument, read into an index: one opaque manifest per release, and what screening needs of each. One bad
//! release is a row that says so; only a document that is bad as a whole is refused.

use std::borrow::Cow;
use std::collections::HashMap;

use bytes::Bytes;
use percent_encoding::NON_ALPHANUMERIC;
use percent_encoding::utf8_percent_encode;
use serde_json::value::RawValue;

use crate::ecosystem::Fetched;
use crate::ecosystem::Reading;
use crate::ecosystem::Unreadable;
use crate::ecosystem::json::entries;
use crate::model::finding::printable;
use crate::model::index::Artifact;
use crate::model::index::Claims;
use crate::model::index::Index;
use crate::model::index::Row;
use crate::model::package::PackageId;
use crate::model::package::PackageName;
use crate::model::package::Version;
use crate::model::time::Timestamp;
use crate::protocol::npm::claims::claims;
use crate::protocol::npm::files;
use crate::protocol::npm::head;
use crate::protocol::npm::head::Head;
use crate::protocol::npm::integrity;
use crate::protocol::npm::manifest;
use crate::protocol::npm::manifest::DEPTH_MAX;
use crate::protocol::npm::manifest::Fault;
use crate::protocol::npm::manifest::Manifest;
use crate::protocol::npm::manifest::Pair;
use crate::protocol::npm::order;
use crate::protocol::npm::write::write_key;
use crate::protocol::npm::write::write_text;

/// Most dist-tags a packument may have.
pub const TAGS_MAX: usize = 10_000;

/// Longest dist-tag that is kept, in bytes.
pub const TAG_BYTES_MAX: usize = 256;

/// Longest `dist.tarball` that is read, in bytes.
const LOCATION_BYTES_MAX: usize = 2_048;

/// What is kept of a packument's head. What is not named here cannot tell of a release that is withheld.
pub const FRAME_FIELDS: [&str; 13] = [
    "description",
    "maintainers",
    "author",
    "contributors",
    "homepage",
    "keywords",
    "repository",
    "bugs",
    "license",
    "licenses",
    "users",
    "readmeFilename",
    "readme",
];

/// The key under which the frame keeps upstream's `time.created`.
pub const CREATED: &str = "created";

/// The tag whose release upstream copies a packument's head from, and the key under which the frame keeps its target.
pub const LATEST: &str = "latest";

/// Reads the one document that upstream answered with.
///
/// Errors: [`Unreadable`] when it is no packument of this package, is ambiguous in its head, or is over a limit. How many
/// bytes it may have is the caller's to bound.
pub fn read(package: &PackageId, fetched: &[Fetched]) -> Result<Reading, Unreadable> {
    let [document] = fetched else {
        return Err(Unreadable::Malformed("a package is described by one document".to_owned()));
    };
    let Head { pairs: head, versions: releases } = head::split(&document.body)?;
    let name = manifest::text(&head, "name", "name").map_err(malformed)?;
    if name != package.name.as_str() {
        let name = printable(&name, PackageName::BYTES_MAX);
        return Err(Unreadable::Malformed(format!("it describes {name:?} and not {}", package.name)));
    }
    let times = manifest::get(&head, "time").map(times).unwrap_or_default();
    let (rows, text) = rows(&package.name, &releases, &times);
    let pointers = manifest::get(&head, "dist-tags").map(pointers).transpose()?.unwrap_or_default();
    Ok(Reading::Complete(Index {
        package: package.clone(),
        source: Fetched::digest(fetched),
        frame: frame(&head, times.get(CREATED).copied().flatten(), &pointers)?,
        pointers,
        rows,
        text,
    }))
}

fn malformed(fault: Fault) -> Unreadable {
    Unreadable::Malformed(fault.to_string())
}

fn rows(package: &PackageName, releases: &[Pair<'_>], times: &HashMap<String, Option<Timestamp>>) -> (Vec<Row>, Bytes) {
    let mut text = Vec::with_capacity(releases.iter().map(|(_, manifest)| manifest.get().len()).sum());
    let mut rows: Vec<Row> = Vec::with_capacity(releases.len());
    let mut places: HashMap<Version, usize> = HashMap::with_capacity(releases.len());
    for (key, manifest) in releases {
        let Some(version) = nameable(key) else { continue };
        if let Some(row) = places.get(&version).and_then(|place| rows.get_mut(*place)) {
            *row =
                Row { unreadable: Some(Fault::SameVersion.to_string()), claims: Claims::default(), artifacts: Vec::new(), ..row.clone() };
            continue;
        }
        places.insert(version.clone(), rows.len());
        let start = text.len();
        text.extend_from_slice(manifest.get().as_bytes());
        let (artifacts, claims, unreadable) = match release(package, key, manifest) {
            Ok((artifact, claims)) => (vec![artifact], claims, None),
            Err(fault) => (Vec::new(), Claims::default(), Some(fault.to_string())),
        };
        let published_at = times.get(key).copied().flatten();
        rows.push(Row { version, manifest: start..text.len(), published_at, artifacts, claims, unreadable, removed_at: None });
    }
    name_files(package, &mut rows);
    (rows, Bytes::from(text))
}

/// Gives each release its file. One that cannot be read has a file too, so that asking for it is told why it is held.
fn name_files(package: &PackageName, rows: &mut [Row]) {
    let located: Vec<(&Version, &str)> =
        rows.iter().map(|row| (&row.version, row.artifacts.first().map_or("", |artifact| artifact.location.as_str()))).collect();
    let names = files::name_all(package, &located);
    for (row, (file, aliases)) in rows.iter_mut().zip(names) {
        match row.artifacts.first_mut() {
            Some(artifact) => {
                artifact.file = file;
                artifact.aliases = aliases;
            }
            None => row.artifacts.push(Artifact { file, aliases, location: String::new(), integrity: Default::default() }),
        }
    }
}

/// What one manifest states; the artifact has no name yet.
fn release(package: &PackageName, key: &str, manifest: &RawValue) -> Result<(Artifact, Claims), Fault> {
    if order::semantic(key).is_none() || key.len() > Version::BYTES_MAX {
        return Err(Fault::not_a_version(key));
    }
    let manifest = Manifest::split(manifest.get().as_bytes())?;
    let name = manifest.text("name")?;
    if name != package.as_str() {
        return Err(Fault::disagrees("name", &name, package.as_str()));
    }
    let version = manifest.text("version")?;
    if cleaned(&version) != key {
        return Err(Fault::disagrees("version", &version, key));
    }
    if !manifest.get("dist").is_some_and(|dist| dist.get().starts_with('{')) {
        return Err(Fault::Missing { field: "dist" });
    }
    let dist = manifest.object("dist")?;
    let location = manifest::text(&dist, "tarball", "dist.tarball")?;
    if location.is_empty() || location.len() > LOCATION_BYTES_MAX || location.chars().any(char::is_control) {
        return Err(Fault::Shape { field: "dist.tarball", wanted: "an address" });
    }
    let integrity =
        integrity::stated(hash(&dist, "integrity", "dist.integrity")?.as_deref(), hash(&dist, "shasum", "dist.shasum")?.as_deref());
    Ok((Artifact { file: String::new(), aliases: Vec::new(), location: location.into_owned(), integrity }, claims(&manifest)?))
}

/// A hash that is stated, or not; what is stated in no readable form is a fault.
fn hash<'t>(dist: &[Pair<'t>], key: &str, field: &'static str) -> Result<Option<Cow<'t, str>>, Fault> {
    match manifest::get(dist, key) {
        Some(value) if value.get() != "null" => manifest::text(dist, key, field).map(Some),
        Some(_) | None => Ok(None),
    }
}

/// A version as old manifests spell it, `v1.0.0` or `= 1.0.0`, without what npm strips. Source: semver, `clean`.
fn cleaned(version: &str) -> &str {
    version.trim().trim_start_matches(['=', 'v', ' '])
}

/// A name for the release under `key`. A key that can be no version gets one too, percent-encoded and cut, so that people
/// can see what is held; its row is unreadable.
fn nameable(key: &str) -> Option<Version> {
    if let Ok(version) = Version::parse(key) {
        return Some(version);
    }
    let encoded = utf8_percent_encode(key, NON_ALPHANUMERIC).to_string();
    let shown = if encoded.is_empty() { "%" } else { encoded.get(..Version::BYTES_MAX).unwrap_or(&encoded) };
    Version::parse(shown).ok()
}

/// Every time that can be read. A key that stands twice with different times has none.
fn times(time: &RawValue) -> HashMap<String, Option<Timestamp>> {
    let pairs = entries(time.get().as_bytes()).unwrap_or_default();
    let mut times: HashMap<String, Option<Timestamp>> = HashMap::with_capacity(pairs.len());
    for (key, value) in pairs {
        let at = manifest::as_text(value).and_then(|text| Timestamp::parse(text.trim()).ok());
        times.entry(key).and_modify(|before| *before = before.filter(|before| Some(*before) == at)).or_insert(at);
    }
    times
}

/// Tags in upstream's order. One that is no text, or points at what can be no version, or stands twice with different
/// versions, is left out: a tag is a convenience and never a reason to hold releases.
fn pointers(tags: &RawValue) -> Result<Vec<(String, Version)>, Unreadable> {
    let pairs = entries(tags.get().as_bytes()).map_err(|fault| malformed(fault.into()))?;
    if pairs.len() > TAGS_MAX {
        return Err(Unreadable::TooLarge { what: "the number of dist-tags", max: TAGS_MAX as u64 });
    }
    let mut targets: HashMap<&str, Option<Version>> = HashMap::with_capacity(pairs.len());
    for (tag, value) in &pairs {
        let version = manifest::as_text(value).and_then(|text| Version::parse(&text).ok());
        targets
            .entry(tag)
            .and_modify(|before| *before = before.take().filter(|before| Some(before) == version.as_ref()))
            .or_insert(version);
    }
    let is_tag = |tag: &str| !tag.is_empty() && tag.len() <= TAG_BYTES_MAX && tag != "__proto__" && !tag.chars().any(char::is_control);
    let each = pairs.iter().filter(|(tag, _)| is_tag(tag));
    Ok(each.filter_map(|(tag, _)| Some((tag.clone(), targets.remove(tag.as_str())??))).collect())
}

/// The head of the document with the fields that may be shown, each value as upstream wrote it; beside them when the
/// package was created and which release the head describes.
fn frame(head: &[Pair<'_>], created: Option<Timestamp>, pointers: &[(String, Version)]) -> Result<Bytes, Unreadable> {
    let mut frame = vec![b'{'];
    for (key, value) in head.iter().filter(|(key, _)| FRAME_FIELDS.contains(&key.as_str())) {
        write_key(&mut frame, key, 1);
        frame.extend_from_slice(value.get().as_bytes());
    }
    if let Some(created) = created {
        write_key(&mut frame, CREATED, 1);
        write_text(&mut frame, &created.to_string());
    }
    if let Some((_, latest)) = pointers.iter().find(|(tag, _)| tag == LATEST) {
        write_key(&mut frame, LATEST, 1);
        write_text(&mut frame, latest.as_str());
    }
    frame.push(b'}');
    if manifest::is_deeper_than(&frame, DEPTH_MAX) {
        return Err(Unreadable::TooLarge { what: "the depth of the document", max: DEPTH_MAX as u64 });
    }
    Ok(Bytes::from(frame))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ecosystem::UpstreamPath;
    use crate::model::digest::Digest;
    use crate::model::index::ExoticDependency;
    use crate::protocol::npm::head::VERSIONS_MAX;

    fn package() -> PackageId {
        PackageId::npm("x").unwrap()
    }

    fn try_read(text: &str) -> Result<Index, Unreadable> {
        let fetched = Fetched { path: UpstreamPath("x".to_owned()), body: Bytes::copy_from_slice(text.as_bytes()) };
        match read(&package(), &[fetched])? {
            Reading::Complete(index) => Ok(index),
            Reading::NeedMore(_) => panic!("npm needs one document"),
        }
    }

    #[track_caller]
    fn index(text: &str) -> Index {
        try_read(text).unwrap()
    }

    fn manifest(version: &str) -> String {
        format!(r#"{{"name":"x","version":"{version}","dist":{{"tarball":"https://registry.example/x/-/x-{version}.tgz"}}}}"#)
    }

    /// A packument with these raw `versions`.
    fn with(versions: &str) -> String {
        format!(r#"{{"name":"x","versions":{{{versions}}}}}"#)
    }

    /// Why the manifest under `key` cannot be read, while its neighbour lives.
    #[track_caller]
    fn unreadable(key: &str, manifest_text: &str, why: &str) {
        let index = index(&with(&format!(r#""{key}":{manifest_text},"9.9.9":{}"#, manifest("9.9.9"))));
        let reasons: Vec<Option<&str>> = index.rows.iter().map(|row| row.unreadable.as_deref()).collect();
        assert_eq!(reasons, [Some(why), None]);
        assert_eq!(index.rows[0].claims, Claims::default());
        assert_eq!(index.rows[0].artifacts.len(), 1);
        assert_eq!(index.rows[0].artifacts[0].location, "");
    }

    #[test]
    fn a_packument_is_split_and_kept_byte_for_byte() {
        let sha512 = Digest::of(b"");
        let first = format!(
            r#"{{ "version" : "1.0.0","name":"x", "\u0078":[1e999 , "\ud800"],
              "dist":{{"integrity":"{}","tarball":"https://registry.example/x/-/x-1.0.0.tgz"}},
              "scripts":{{"install":"make"}},"dependencies":{{"y":"a/y"}},"deprecated":"old"}}"#,
            sha512.sri()
        );
        let second = manifest("1.1.0-beta.1");
        let text = format!(
            r#" {{"_id":"x","_rev":"5-abc","name":"x","description" : "an \u0078","dist-tags":{{"latest":"1.0.0","beta":"1.1.0-beta.1"}},
            "versions" : {{ "1.0.0": {first} , "1.1.0-beta.1":{second} }},
            "time":{{"created":"2020-01-01T00:00:00.000Z","modified":"2021-01-01T00:00:00.000Z","1.0.0":"2020-01-01T02:00:00+02:00"}},
            "_attachments":{{}},"readme":"x","policyRestrictions":{{}},"secret":1}} "#
        );
        let index = index(&text);
        assert_eq!(index.source, crate::model::digest::DocumentDigest::of(text.as_bytes()));
        assert_eq!(index.frame, r#"{"description":"an \u0078","readme":"x","created":"2020-01-01T00:00:00.000Z","latest":"1.0.0"}"#);
        assert_eq!(
            index.pointers.iter().map(|(tag, version)| (tag.as_str(), version.as_str())).collect::<Vec<_>>(),
            [("latest", "1.0.0"), ("beta", "1.1.0-beta.1")]
        );
        assert_eq!(index.rows.len(), 2);
        assert_eq!(index.manifest(&index.rows[0]), first.as_bytes());
        assert_eq!(index.manifest(&index.rows[1]), second.as_bytes());
        let row = &index.rows[0];
        assert_eq!((row.version.as_str(), &row.unreadable, row.removed_at), ("1.0.0", &None, None));
        assert_eq!(row.published_at.unwrap().to_string(), "2020-01-01T00:00:00.000Z");
        assert_eq!(row.artifacts[0].file, "x-1.0.0.tgz");
        assert_eq!(row.artifacts[0].integrity.sha512, Some(sha512));
        assert_eq!(row.claims.install_steps[0].command, "make");
        assert_eq!(row.claims.exotic_dependencies, [ExoticDependency { name: "y".to_owned(), wanted: "a/y".to_owned() }]);
        assert_eq!(row.claims.deprecated.as_deref(), Some("old"));
        assert_eq!(index.rows[1].published_at, None);
        assert_eq!(index.rows[1].artifacts[0].integrity, Default::default());
    }

    #[test]
    fn one_bad_release_is_held_and_the_rest_lives() {
        let dist = r#""dist":{"tarball":"https://registry.example/x/-/x-1.0.0.tgz"}"#;
        unreadable(
            "1.0.0",
            &format!(r#"{{"name":"x","version":"1.0.0","version":"1.0.0",{dist}}}"#),
            r#"its manifest has the key "version" twice"#,
        );
        unreadable(
            "1.0.0",
            &format!(r#"{{"name":"x","version":"1.0.0","__proto__":{{}},{dist}}}"#),
            r#"its manifest has the key "__proto__", which is not allowed"#,
        );
        unreadable(
            "1.0.0",
            &format!(r#"{{"name":"y","version":"1.0.0",{dist}}}"#),
            r#"its name "y" disagrees with "x", under which it stands"#,
        );
        unreadable(
            "1.0.0",
            &format!(r#"{{"name":"x","version":"1.0.1",{dist}}}"#),
            r#"its version "1.0.1" disagrees with "1.0.0", under which it stands"#,
        );
        unreadable("1.0.0", &format!(r#"{{"version":"1.0.0",{dist}}}"#), "its name is missing");
        unreadable("1.0.0", &format!(r#"{{"name":"x","version":1,{dist}}}"#), "its version is not a string");
        unreadable("1.0.0", r#"{"name":"x","version":"1.0.0"}"#, "its dist is missing");
        unreadable("1.0.0", r#"{"name":"x","version":"1.0.0","dist":[]}"#, "its dist is missing");
        unreadable("1.0.0", r#"{"name":"x","version":"1.0.0","dist":{}}"#, "its dist.tarball is missing");
        unreadable("1.0.0", r#"{"name":"x","version":"1.0.0","dist":{"tarball":""}}"#, "its dist.tarball is not an address");
        unreadable("1.0.0", r#"{"name":"x","version":"1.0.0","dist":{"tarball":"a\u0000"}}"#, "its dist.tarball is not an address");
        unreadable(
            "1.0.0",
            r#"{"name":"x","version":"1.0.0","dist":{"tarball":"a","tarball":"a"}}"#,
            r#"dist has the key "tarball" twice"#,
        );
        unreadable("1.0.0", r#"{"name":"x","version":"1.0.0","dist":{"tarball":"a","shasum":1}}"#, "its dist.shasum is not a string");
        unreadable("1.0.0", &format!(r#"{{"name":"x","version":"1.0.0","scripts":7,{dist}}}"#), "its scripts is not an object");
        unreadable("1.0.0", "null", "not JSON: invalid type: null, expected an object at line 1 column 4");
        let deep = format!(r#"{{"name":"x","version":"1.0.0","a":{}{},{dist}}}"#, "[".repeat(70), "]".repeat(70));
        unreadable("1.0.0", &deep, "it is nested deeper than 64");
        for key in ["1.0", "v1.0.0", "1.0.0-01", "one", "99999999999999999999.0.0", "9007199254740992.0.0", "__proto__"] {
            unreadable(key, &manifest(key), &format!("{key:?} is not a semantic version"));
        }
    }

    #[test]
    fn a_release_that_cannot_be_named_is_still_seen() {
        let index = index(&with(&format!(r#""":{0},"1.0.0/../2":{0},"1.0.0 ":{0},"{1}":{0},"é":{0}"#, manifest("1.0.0"), "1".repeat(300))));
        let names: Vec<&str> = index.rows.iter().map(|row| row.version.as_str()).collect();
        assert_eq!(names, ["%", "1%2E0%2E0%2F%2E%2E%2F2", "1%2E0%2E0%20", &"1".repeat(256), "%C3%A9"]);
        assert!(index.rows.iter().all(|row| row.unreadable.is_some()));
    }

    #[test]
    fn a_version_that_stands_twice_is_neither() {
        let twice = format!(r#""1.0.0":{0},"2.0.0":{1},"1.0.\u0030":{0}"#, manifest("1.0.0"), manifest("2.0.0"));
        let index = index(&with(&twice));
        assert_eq!(index.rows.len(), 2);
        assert_eq!(index.rows[0].unreadable.as_deref(), Some("its version stands twice in the index"));
        assert_eq!(index.rows[1].unreadable, None);
    }

    #[test]
    fn old_spellings_of_a_version_agree() {
        for spelled in ["v1.0.0", "=1.0.0", " 1.0.0 ", "= v1.0.0"] {
            let index = index(&with(&format!(
                r#""1.0.0":{{"name":"x","version":"{spelled}","dist":{{"tarball":"https://registry.example/x/-/x-{spelled}.tgz"}}}}"#
            )));
            assert_eq!(index.rows[0].unreadable, None, "{spelled}");
            assert_eq!(index.rows[0].artifacts[0].file, "x-1.0.0.tgz");
        }
    }

    #[test]
    fn documents_that_are_bad_as_a_whole() {
        #[track_caller]
        fn check(text: &str, why: &str) {
            assert_eq!(try_read(text).unwrap_err().to_string(), format!("not a document of this format: {why}"), "{text}");
        }
        check(r#"{"name":"y","versions":{}}"#, r#"it describes "y" and not x"#);
        check(r#"{"versions":{}}"#, "its name is missing");
        check(r#"{"name":"x","versions":{},"versions":{}}"#, r#"the document has the key "versions" twice"#);
        check(r#"{"name":"x","__proto__":{}}"#, r#"the document has the key "__proto__", which is not allowed"#);
        check(r#"{"name":"x","versions":[]}"#, "not JSON: invalid type: sequence, expected an object of versions at line 1 column 23");
        check(r#"{"name":"x","versions":{"#, "not JSON: EOF while parsing an object at line 1 column 24");
        check("", "not JSON: EOF while parsing a value at line 1 column 0");
        check("\u{feff}{}", "not JSON: expected value at line 1 column 1");
        let deep = format!(r#"{{"name":"x","author":{}{}}}"#, "[".repeat(70), "]".repeat(70));
        assert_eq!(try_read(&deep).unwrap_err(), Unreadable::TooLarge { what: "the depth of the document", max: 64 });
        let many: Vec<String> = (0..=VERSIONS_MAX).map(|patch| format!(r#""1.0.{patch}":0"#)).collect();
        assert_eq!(try_read(&with(&many.join(","))).unwrap_err(), Unreadable::TooLarge { what: "the number of versions", max: 50_000 });
        let tags: Vec<String> = (0..=TAGS_MAX).map(|tag| format!(r#""t{tag}":"1.0.0""#)).collect();
        let text = format!(r#"{{"name":"x","dist-tags":{{{}}}}}"#, tags.join(","));
        assert_eq!(try_read(&text).unwrap_err(), Unreadable::TooLarge { what: "the number of dist-tags", max: 10_000 });
        assert!(read(&package(), &[]).is_err());
    }

    #[test]
    fn what_mirrors_leave_out_is_fine() {
        let bare = index(&format!(r#"{{"name":"x","dist-tags":{{"latest":"1.0.0"}},"versions":{{"1.0.0":{}}}}}"#, manifest("1.0.0")));
        assert_eq!(
            (bare.rows[0].published_at, bare.rows[0].unreadable.as_deref(), bare.frame.as_ref()),
            (None, None, br#"{"latest":"1.0.0"}"#.as_slice())
        );
        assert_eq!(index(r#"{"name":"x","time":{"unpublished":{"name":"y"},"1.0.0":"2020-01-01T00:00:00Z"}}"#).rows, []);
        assert_eq!(index(&with("")).pointers, []);
    }

    #[test]
    fn times_that_are_garbage_are_none() {
        let text = format!(
            r#"{{"name":"x","versions":{{"1.0.0":{},"2.0.0":{},"3.0.0":{},"4.0.0":{}}},
            "time":{{"1.0.0":"yesterday","2.0.0":{{}},"3.0.0":"2020-01-01T00:00:00Z","3.0.0":"2024-01-01T00:00:00Z","4.0.0":" 2020-01-01T00:00:00.5-01:30 "}}}}"#,
            manifest("1.0.0"),
            manifest("2.0.0"),
            manifest("3.0.0"),
            manifest("4.0.0")
        );
        let found: Vec<Option<String>> = index(&text).rows.iter().map(|row| row.published_at.map(|at| at.to_string())).collect();
        assert_eq!(found, [None, None, None, Some("2020-01-01T01:30:00.500Z".to_owned())]);
        assert_eq!(index(r#"{"name":"x","versions":{},"time":"never"}"#).rows, []);
    }

    #[test]
    fn tags_that_cannot_be_read_are_left_out() {
        let text = r#"{"name":"x","dist-tags":{"a":1,"b":"1 0","c":"1.0.0","c":"2.0.0","d":"3.0.0","d":"3.0.0","":"1.0.0","__proto__":"1.0.0","e\n":"1.0.0","f":"4.0.0"}}"#;
        let found = index(text).pointers;
        let found: Vec<(&str, &str)> = found.iter().map(|(tag, version)| (tag.as_str(), version.as_str())).collect();
        assert_eq!(found, [("d", "3.0.0"), ("f", "4.0.0")]);
    }
}
