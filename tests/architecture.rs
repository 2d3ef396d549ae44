//! The house rules of `ARCHITECTURE.md` as a test: plain text over `src/`, nothing but std. Each rule is a function from
//! a file's path and code to complaints, and each is shown to catch a made-up violation.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says what is wrong by failing")]

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use text::code;
use text::declared;
use text::declared_by_path;
use text::identifier;
use text::without_tests;
use text::words;

#[path = "architecture/text.rs"]
mod text;

/// What each room may use; itself always. The same table stands in `ARCHITECTURE.md`.
const ROOMS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("clock", &["model"]),
    ("config", &["model"]),
    ("telemetry", &["model"]),
    ("ecosystem", &["model"]),
    ("storage", &["config", "model"]),
    ("upstream", &["clock", "config", "model"]),
    ("events", &["clock", "config", "model", "upstream"]),
    ("quarantine", &["clock", "config", "ecosystem", "model", "storage", "upstream"]),
    ("catalog", &["clock", "config", "ecosystem", "events", "model", "quarantine", "storage", "upstream"]),
    ("access", &["clock", "config", "model", "storage", "upstream"]),
    ("http", &["access", "catalog", "model", "quarantine"]),
    ("protocol", &["access", "catalog", "ecosystem", "http", "model"]),
    ("admin", &["access", "catalog", "clock", "http", "model", "quarantine"]),
    (
        "app",
        &[
            "access",
            "admin",
            "catalog",
            "clock",
            "config",
            "ecosystem",
            "events",
            "http",
            "model",
            "protocol",
            "quarantine",
            "storage",
            "telemetry",
            "upstream",
        ],
    ),
    ("server", &["admin", "app", "clock", "config", "http", "protocol", "telemetry"]),
    ("cli", &["admin", "app", "clock", "config", "http", "model", "protocol", "server", "telemetry"]),
];

/// Where a third-party crate may be named.
const DOORS: &[(&str, &[&str])] = &[
    ("axum", &["http/", "protocol/", "admin/", "server/", "access/"]),
    ("reqwest", &["upstream/client.rs", "cli/remote.rs"]),
    ("sled", &["storage/sled.rs"]),
    ("clap", &["cli/", "main.rs"]),
    ("toml", &["config/"]),
    ("argon2", &["access/password.rs"]),
    ("openidconnect", &["access/oidc/"]),
    ("ring", &["catalog/seal.rs", "events/sign.rs", "ecosystem/signature.rs"]),
    ("webpki", &["ecosystem/sigstore/"]),
    ("cvss", &["quarantine/feeds/score.rs"]),
    ("spdx", &["model/license.rs"]),
    ("regorus", &["config/rego.rs"]),
    ("rawzip", &["storage/advisories/bundle.rs", "cli/advisories.rs"]),
];

/// What only some files may say, and why.
const WORDS: &[(&[&str], &[&str], &str)] = &[
    (&["SystemTime::now", "Timestamp::now", "Zoned::now"], &["clock.rs"], "only clock.rs reads the system clock"),
    (&["std::env", "env::var", "env::vars", "env::args", "env::set_var"], &["config/", "main.rs"], "only config/ reads the environment"),
];

/// Values that prove something are made in one file only.
const PROOFS: &[(&str, &str)] = &[("Exposed", "catalog/exposure.rs"), ("Clearance", "quarantine/gate.rs"), ("Verified", "model/digest.rs")];

const DIALECTS: &[&str] = &["npm", "nuget", "pypi", "oci"];

/// Whether `path` is one of `places`: a file, or a folder that ends with a slash.
fn is_at(path: &str, places: &[&str]) -> bool {
    places.iter().any(|place| if place.ends_with('/') { path.starts_with(place) } else { path == *place })
}

/// `storage` of `storage/sled.rs`, `clock` of `clock.rs`.
fn room(path: &str) -> &str {
    path.split('/').next().unwrap().trim_end_matches(".rs")
}

/// What the code names below the crate's root, from `crate::a::b` and from `super::` that climbs so far: pairs of `a`
/// and `b`, either empty if something else than a name stands there.
fn named(path: &str, code: &str) -> Vec<(String, String)> {
    let depth = path.trim_end_matches("/mod.rs").trim_end_matches(".rs").split('/').count();
    let first_two = |rest: &str| {
        let first = identifier(rest);
        let second = rest[first.len()..].strip_prefix("::").map_or("", identifier);
        (first.to_owned(), second.to_owned())
    };
    let from_root = words(code, "crate").filter_map(|at| code[at..].strip_prefix("crate::")).map(first_two);
    let climbing = words(code, "super").filter_map(|at| {
        let mut rest = code[at..].strip_prefix("super::")?;
        let mut climbed = 1;
        while let Some(further) = rest.strip_prefix("super::") {
            (rest, climbed) = (further, climbed + 1);
        }
        let own: Vec<&str> = path.trim_end_matches("/mod.rs").trim_end_matches(".rs").split('/').collect();
        match climbed {
            _ if code[..at].ends_with("super::") => None,
            climbed if climbed >= depth => Some(first_two(rest)),
            climbed if climbed + 1 == depth => Some((own[0].to_owned(), identifier(rest).to_owned())),
            _ => None,
        }
    });
    from_root.chain(climbing).collect()
}

fn imports(path: &str, code: &str) -> Vec<String> {
    let own = room(path);
    if matches!(path, "lib.rs" | "main.rs") {
        return Vec::new();
    }
    let Some((_, may_use)) = ROOMS.iter().find(|(name, _)| *name == own) else {
        return vec![format!("{path}: {own} is not a room of the table")];
    };
    let strays =
        named(path, code).into_iter().map(|(target, _)| target).filter(|target| target != own && !may_use.contains(&target.as_str()));
    strays
        .map(|target| {
            format!("{path}: {own} may not use {}", if target.is_empty() { "a group or a glob of the crate's root" } else { &target })
        })
        .collect()
}

/// A room that passed on another room's things would open a way round the table.
fn no_passing_on(path: &str, code: &str) -> Vec<String> {
    let passed = code.match_indices("pub use crate::").map(|(at, start)| identifier(&code[at + start.len()..]));
    passed.filter(|target| *target != room(path)).map(|target| format!("{path}: passes on what belongs to {target}")).collect()
}

fn doors(path: &str, code: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    for (name, places) in DOORS {
        let named = words(code, name).any(|at| {
            let inside_a_path =
                code[..at].ends_with("::") && code[..at - 2].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == '>');
            let used = code[..at].trim_end().ends_with("use") || code[..at].trim_end().ends_with("extern crate");
            !inside_a_path && (used || code[at + name.len()..].starts_with("::"))
        });
        if named && !is_at(path, places) {
            complaints.push(format!("{path}: {name} is named outside of {}", places.join(" ")));
        }
    }
    complaints
}

fn forbidden_words(path: &str, code: &str) -> Vec<String> {
    let elsewhere = WORDS.iter().filter(|(_, places, _)| !is_at(path, places));
    let said = elsewhere
        .flat_map(|(needles, _, why)| needles.iter().map(move |needle| (needle, why)))
        .filter(|(needle, _)| words(code, needle).next().is_some());
    said.map(|(needle, why)| format!("{path}: says {needle}, but {why}")).collect()
}

fn dialects(path: &str, code: &str) -> Vec<String> {
    let Some(own) = path.strip_prefix("protocol/").map(room).filter(|own| DIALECTS.contains(own)) else {
        return Vec::new();
    };
    let others =
        named(path, code).into_iter().filter(|(first, second)| first == "protocol" && second != own && DIALECTS.contains(&second.as_str()));
    others.map(|(_, other)| format!("{path}: {own} uses {other}; a dialect may not use another")).collect()
}

fn proofs(path: &str, code: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    for (name, home) in PROOFS {
        let made = words(code, name).any(|at| {
            let before = code[..at].trim_end();
            let no_value = ["impl", "struct", "for", "->", ">"].iter().any(|word| before.ends_with(word));
            code[at + name.len()..].trim_start().starts_with('{') && !no_value
        });
        if made && path != *home {
            complaints.push(format!("{path}: {name} is made in {home} only"));
        }
    }
    complaints
}

fn opens_with_its_purpose(path: &str, text: &str) -> Vec<String> {
    if text.starts_with("//! ") { Vec::new() } else { vec![format!("{path}: does not open with //!")] }
}

/// The file that must declare `path`, and the name by which it does.
fn parent<'a>(path: &'a str, files: &BTreeMap<String, String>) -> (String, &'a str) {
    let (folder, name) = match path.strip_suffix("/mod.rs").unwrap_or(path.trim_end_matches(".rs")).rsplit_once('/') {
        Some(both) => both,
        None => return ("lib.rs".to_owned(), path.strip_suffix("/mod.rs").unwrap_or(path.trim_end_matches(".rs"))),
    };
    let beside = format!("{folder}.rs");
    (if files.contains_key(&beside) { beside } else { format!("{folder}/mod.rs") }, name)
}

/// Complaints about files that nobody declares, and the files that only tests have.
fn linked(files: &BTreeMap<String, String>) -> (Vec<String>, BTreeSet<String>) {
    let (mut complaints, mut for_tests) = (Vec::new(), BTreeSet::new());
    for path in files.keys().filter(|path| !matches!(path.as_str(), "lib.rs" | "main.rs")) {
        let (parent, name) = parent(path, files);
        let by_name = files.get(&parent).and_then(|text| declared(&code(text)).get(name).copied());
        let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
        let beside = files.iter().filter(|(other, _)| other.rsplit_once('/').map_or("", |(folder, _)| folder) == folder);
        match by_name.or_else(|| beside.map(|(_, text)| text).find_map(|text| declared_by_path(text, file))) {
            None => complaints.push(format!("{path}: is not declared in {parent}")),
            Some(true) => _ = for_tests.insert(path.clone()),
            Some(false) => {}
        }
    }
    (complaints, for_tests)
}

/// Every rule over one file.
fn check(path: &str, text: &str) -> Vec<String> {
    let (code, mut complaints) = without_tests(path, &code(text));
    complaints.extend(opens_with_its_purpose(path, text));
    for rule in [imports, no_passing_on, doors, forbidden_words, dialects, proofs] {
        complaints.extend(rule(path, &code));
    }
    complaints
}

/// Host names of package registries, put together here so that they stand nowhere.
fn registry_hosts() -> Vec<String> {
    let hosts = [
        ("registry.", "npmjs.", "org"),
        ("registry.", "npmjs.", "com"),
        ("registry.", "yarnpkg.", "com"),
        ("static.", "crates.", "io"),
        ("index.", "crates.", "io"),
        ("", "crates.", "io/"),
        ("", "pypi.", "org"),
        ("files.", "pythonhosted.", "org"),
        ("deb.", "debian.", "org"),
        ("security.", "debian.", "org"),
    ];
    hosts.map(|(sub, domain, top)| format!("{sub}{domain}{top}")).to_vec()
}

fn hosts_in(path: &str, text: &str) -> Vec<String> {
    let text = text.to_lowercase();
    registry_hosts().into_iter().filter(|host| text.contains(host)).map(|host| format!("{path}: names {host}")).collect()
}

/// Rows of the table under a head that says `room` and `may use`: names in backticks, several rooms to a row.
fn table_of(markdown: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut table = BTreeMap::new();
    let names = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<BTreeSet<String>>();
    let is_head = |line: &&str| line.starts_with('|') && line.contains("room") && line.contains("may use");
    for row in markdown.lines().skip_while(|line| !is_head(line)).skip(2).take_while(|line| line.starts_with('|')) {
        let cells: Vec<&str> = row.split('|').skip(1).collect();
        for room in names(cells[0]) {
            table.insert(room, names(cells[1]));
        }
    }
    table
}

fn files_below(folder: &Path, skip: &[&str], found: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_symlink() || skip.contains(&name.as_str()) {
            continue;
        }
        if path.is_dir() {
            files_below(&path, skip, found);
        } else {
            found.push((path.display().to_string(), fs::read(&path).unwrap()));
        }
    }
}

fn source_files() -> BTreeMap<String, String> {
    let src = format!("{}/src/", env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    files_below(Path::new(&src), &[], &mut found);
    let rust = found.into_iter().filter(|(path, _)| path.ends_with(".rs"));
    rust.map(|(path, bytes)| (path[src.len()..].to_owned(), String::from_utf8(bytes).unwrap())).collect()
}

fn expect_none(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn every_line_is_in_its_room() {
    let files = source_files();
    assert!(files.len() > 10, "src/ was not found");
    let (mut complaints, for_tests) = linked(&files);
    for (path, text) in &files {
        if for_tests.contains(path) {
            complaints.extend(opens_with_its_purpose(path, text));
        } else {
            complaints.extend(check(path, text));
        }
    }
    expect_none(&complaints);
}

#[test]
fn no_file_names_a_registry() {
    let mut found = Vec::new();
    files_below(Path::new(env!("CARGO_MANIFEST_DIR")), &["target", ".git", "node_modules", "airlock-data"], &mut found);
    expect_none(&found.iter().flat_map(|(path, bytes)| hosts_in(path, &String::from_utf8_lossy(bytes))).collect::<Vec<_>>());
}

#[test]
fn the_page_has_the_same_table() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md");
    if page.exists() {
        let ours: BTreeMap<String, BTreeSet<String>> =
            ROOMS.iter().map(|(room, uses)| ((*room).to_owned(), uses.iter().map(|name| (*name).to_owned()).collect())).collect();
        assert_eq!(table_of(&fs::read_to_string(page).unwrap()), ours);
    }
}

#[test]
fn the_table_has_no_circle() {
    let place = |name: &str| ROOMS.iter().position(|(room, _)| *room == name).unwrap();
    for (room, uses) in ROOMS {
        for used in *uses {
            assert!(place(used) < place(room), "{room} may use {used}, which stands below it");
        }
    }
}

#[test]
fn each_rule_catches_what_it_is_for() {
    #[track_caller]
    fn caught(path: &str, body: &str, complaint: &str) {
        let complaints = check(path, &format!("//! A file.\n{body}\n"));
        assert!(complaints.iter().any(|one| one.contains(complaint)), "{body}: {complaints:?}");
    }
    caught("protocol/npm/read.rs", "use crate::storage::blob::Blobs;", "protocol may not use storage");
    caught("protocol/npm/read.rs", "fn f() { crate::upstream::fetch() }", "protocol may not use upstream");
    caught("protocol/npm/read.rs", "fn f() { super::super::super::quarantine::clear() }", "protocol may not use quarantine");
    caught("protocol/npm/read.rs", "use crate::{storage, model};", "may not use a group or a glob");
    caught("protocol/npm/read.rs", "use crate::*;", "may not use a group or a glob");
    caught("clock.rs", "use super::config::Config;", "clock may not use config");
    caught("storage/mod.rs", "use super::quarantine::judge;", "storage may not use quarantine");
    caught("model/package.rs", "fn f() {\n    let s = \"//\"; crate::clock::Clock::system(); }", "model may not use clock");
    caught("basement/mod.rs", "", "basement is not a room");
    caught("catalog/mod.rs", "pub use crate::storage::blob::Blobs;", "passes on what belongs to storage");
    caught("catalog/mod.rs", "use axum::Router;", "axum is named outside");
    caught("upstream/mod.rs", "type C = reqwest::Client;", "reqwest is named outside");
    caught("storage/mod.rs", "use ::sled::Db;", "sled is named outside");
    caught("server/mod.rs", "use clap as c;", "clap is named outside");
    caught("access/mod.rs", "use argon2::Argon2;", "argon2 is named outside");
    caught("upstream/provider.rs", "fn f() { openidconnect::reqwest(); }", "openidconnect is named outside");
    caught("quarantine/gate.rs", "use ring::digest;", "ring is named outside");
    caught("quarantine/judge.rs", "fn f() { SystemTime::now(); }", "only clock.rs reads the system clock");
    caught("quarantine/judge.rs", "fn f() { jiff::Timestamp::now(); }", "only clock.rs reads the system clock");
    caught("cli/mod.rs", "fn f() { std::env::var(\"HOME\"); }", "only config/ reads the environment");
    caught("protocol/npm/mod.rs", "use crate::protocol::oci::Digest;", "npm uses oci");
    caught("protocol/npm/read.rs", "use super::super::nuget;", "npm uses nuget");
    caught("protocol/nuget.rs", "use super::npm::path;", "nuget uses npm");
    caught("protocol/npm/render.rs", "fn f() { let e = Exposed { releases }; }", "Exposed is made in catalog/exposure.rs only");
    caught("catalog/artifact.rs", "fn f() -> X { g(Clearance { digest }) }", "Clearance is made in quarantine/gate.rs only");
    caught("storage/disk.rs", "fn f() { Some(crate::model::digest::Verified { bytes }) }", "Verified is made in model/digest.rs only");
    caught("model/a.rs", "#[cfg(test)]\nmod tests {\n}\nuse crate::storage::x;", "code follows its test module");
    assert_eq!(check("model/a.rs", "use std::fmt;\n"), ["model/a.rs: does not open with //!"]);
}

#[test]
fn no_rule_cries_wolf() {
    let fine = [
        (
            "catalog/mod.rs",
            "/// See [`crate::server`] and `axum::Router`.\nuse crate::upstream::Client; // crate::http::x\nconst A: &str = \"std::env\";",
        ),
        (
            "catalog/mod.rs",
            "pub use crate::catalog::exposure::Exposed;\nfn f() -> Exposed {\n}\nimpl Exposed {\n}\nimpl X for Exposed {\n}",
        ),
        (
            "model/a.rs",
            "const A: char = '\"'; const B: &str = r#\"crate::storage \" \"#;\n#[cfg(test)]\nmod tests {\n    use crate::storage::x;\n}",
        ),
        ("model/a.rs", "fn f<'a>(x: &'a str) -> &'a str { let c = '\\''; x }\nuse crate::model::time::Timestamp;"),
        ("storage/mod.rs", "pub mod sled;\nuse crate::storage::sled::Store;\nuse self::sled::Other;"),
        ("protocol/npm/read.rs", "use super::path::parse;\nuse super::super::shared::x;\nuse crate::protocol::npm::render;"),
        (
            "http/mod.rs",
            "let p = rustls::crypto::ring::default_provider();\nuse http::StatusCode;\nuse axum::body::Body;\nlet v = env!(\"CARGO_PKG_VERSION\");",
        ),
    ];
    for (path, body) in fine {
        expect_none(&check(path, &format!("//! A file.\n{body}\n")));
    }
}

#[test]
fn a_file_that_nobody_declares_is_found() {
    let files = |pairs: &[(&str, &str)]| pairs.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    let (complaints, for_tests) = linked(&files(&[
        ("lib.rs", "pub mod model;\npub mod clock;\n"),
        ("clock.rs", ""),
        ("model/mod.rs", "pub mod time;\n#[cfg(test)]\npub mod conformance;\n// mod lost;\n"),
        ("model/time.rs", "mod zone;\n#[cfg(test)]\n#[path = \"time_tests.rs\"]\nmod tests;\n"),
        ("model/time/zone.rs", ""),
        ("model/conformance.rs", ""),
        ("model/lost.rs", ""),
        ("model/time_tests.rs", ""),
        ("main.rs", ""),
        ("stray.rs", ""),
    ]));
    assert_eq!(complaints, ["model/lost.rs: is not declared in model/mod.rs", "stray.rs: is not declared in lib.rs"]);
    assert_eq!(for_tests.into_iter().collect::<Vec<_>>(), ["model/conformance.rs", "model/time_tests.rs"]);
}

#[test]
fn a_registry_is_known_by_every_name() {
    for host in registry_hosts() {
        assert_eq!(hosts_in("x.md", &format!("see HTTPS://{}/x", host.to_uppercase())).len().min(1), 1, "{host}");
    }
    expect_none(&hosts_in("x.md", "https://registry.example/ and github.com/rust-lang/crates.io-index"));
}

#[test]
fn a_table_is_read_from_a_page() {
    let page = "text `x`\n\n| room | may use | because |\n|---|---|---|\n| `a` `b` | `c` | `d` |\n| `c` | – | |\n\n| `e` | `f` |\n";
    let table = table_of(page);
    assert_eq!(table.keys().collect::<Vec<_>>(), ["a", "b", "c"]);
    assert_eq!((table["b"].len(), table["c"].len()), (1, 0));
}
