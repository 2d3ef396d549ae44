//! What reading makes of packuments, good, odd and hostile.

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
        r#"{{ "version" : "1.0.0","name":"x", "\u0078":[1e9 , "\u00e9"],
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
    unreadable("1.0.0", r#"{"name":"x","version":"1.0.0","dist":{"tarball":"a","tarball":"a"}}"#, r#"dist has the key "tarball" twice"#);
    unreadable("1.0.0", r#"{"name":"x","version":"1.0.0","dist":{"tarball":"a","shasum":1}}"#, "its dist.shasum is not a string");
    unreadable("1.0.0", &format!(r#"{{"name":"x","version":"1.0.0","scripts":7,{dist}}}"#), "its scripts is not an object");
    unreadable("1.0.0", "null", "its manifest is not an object");
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
    check(r#"{"name":"x","versions":[]}"#, "not JSON: expected an object at line 1 column 24");
    check(r#"{"name":"x","versions":{"#, "not JSON: expected a string at line 1 column 25");
    check("", "not JSON: expected an object at line 1 column 1");
    check("\u{feff}{}", "not JSON: expected an object at line 1 column 1");
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

#[test]
fn what_readers_take_differently_inside_a_value_is_unreadable() {
    for odd in [r#""config":{"__proto__":{}}"#, r#""config":{"constructor":1}"#, r#""keywords":["\ud800"]"#] {
        let text = format!(
            r#"{{"name":"x","versions":{{"1.0.0":{{"name":"x","version":"1.0.0",{odd},"dist":{{"tarball":"https://registry.example/x/-/x-1.0.0.tgz"}}}}}}}}"#
        );
        assert!(index(&text).rows[0].unreadable.is_some(), "{odd}");
    }
    let words = r#""description":"its constructor, \u00e9""#;
    let text = format!(
        r#"{{"name":"x","versions":{{"1.0.0":{{"name":"x","version":"1.0.0",{words},"dist":{{"tarball":"https://registry.example/x/-/x-1.0.0.tgz"}}}}}}}}"#
    );
    assert_eq!(index(&text).rows[0].unreadable, None);
}
