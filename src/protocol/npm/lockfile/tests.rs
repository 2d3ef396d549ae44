//! What real clients wrote is read as they mean it: `entries.txt` beside each lockfile has an entry a line. What they did not
//! write is refused with its line.

use std::path::Path;

use super::*;
use crate::model::lockfile::By;
use crate::model::lockfile::Locked;
use crate::model::lockfile::Source;
use crate::model::lockfile::Stated;
use crate::model::lockfile::WantKind;

fn fixtures() -> Vec<(String, std::path::PathBuf)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/lockfiles");
    let names = ["package-lock.json", "npm-shrinkwrap.json", "pnpm-lock.yaml", "yarn.lock", "bun.lock", "deno.lock"];
    let mut found = Vec::new();
    for client in std::fs::read_dir(folder).unwrap() {
        let client = client.unwrap().path();
        for name in names {
            let path = client.join(name);
            if path.exists() {
                found.push((format!("{}/{name}", client.file_name().unwrap().to_str().unwrap()), path));
            }
        }
    }
    found.sort();
    assert!(found.len() >= 14, "{found:?}");
    found
}

fn told(lockfile: &Lockfile) -> String {
    let mut lines = vec![format!("{} {}", lockfile.format, lockfile.edition)];
    lines.extend(lockfile.entries.iter().map(|one| told_of(one, lockfile)));
    lines.join("\n") + "\n"
}

fn told_of(one: &Locked, lockfile: &Lockfile) -> String {
    let mut said = format!("{}: {}", one.line, one.name);
    if !one.version.is_empty() {
        said += &format!("@{}", one.version);
    }
    if let Some(alias) = &one.alias {
        said += &format!(" as {alias}");
    }
    said += &match &one.source {
        Source::Registry { address: Some(address), .. } => format!(" at {address}"),
        Source::Registry { address: None, .. } => String::new(),
        Source::Beneath { path, .. } => format!(" beneath {path}"),
        Source::Elsewhere { address } => format!(" ELSEWHERE {address}"),
        Source::Local => " local".to_owned(),
        Source::Bundled { .. } => " bundled".to_owned(),
    };
    said += match &one.stated {
        Stated::Integrity(_) => " hashed",
        Stated::NotComparable(_) => " not comparable",
        Stated::Nothing => "",
    };
    for (is, word) in [(one.dev, " dev"), (one.optional, " optional"), (one.peer, " peer")] {
        said += if is { word } else { "" };
    }
    for want in &one.wants {
        let by = match want.by {
            By::Project(at) if lockfile.projects[at].is_empty() => "the project",
            By::Project(at) => &lockfile.projects[at],
            By::Unknown => "?",
            By::Entry(at) => &lockfile.entries[at].name,
        };
        let kind = match want.kind {
            WantKind::Needed => "",
            WantKind::Dev => " dev",
            WantKind::Optional => " optional",
            WantKind::Peer => " peer",
        };
        said += &format!(" <- {by}{kind} {}", want.range.as_deref().unwrap_or("?"));
    }
    said
}

#[test]
#[expect(clippy::disallowed_methods, reason = "whether a test may write is no setting of Airlock")]
fn what_clients_write_is_read() {
    for (name, path) in fixtures() {
        let text = std::fs::read(&path).unwrap();
        let lockfile = read(&text, Some(&name)).unwrap_or_else(|fault| panic!("{name}: {fault}"));
        let kept = path.with_file_name("entries.txt");
        let told = told(&lockfile);
        if std::env::var_os("AIRLOCK_UPDATE_SNAPSHOTS").is_some() {
            std::fs::write(&kept, &told).unwrap();
        }
        assert_eq!(told, std::fs::read_to_string(&kept).unwrap_or_default(), "{name}");
        // Whatever it is called.
        let unnamed = read(&text, None).unwrap_or_else(|fault| panic!("{name}: {fault}"));
        assert_eq!(unnamed.entries, lockfile.entries, "{name}");
    }
}

/// Windows' line ends change nothing.
#[test]
fn line_ends_do_not_matter() {
    for (name, path) in fixtures() {
        let text = std::fs::read_to_string(&path).unwrap();
        let lockfile = read(text.replace('\n', "\r\n").as_bytes(), Some(&name)).unwrap_or_else(|fault| panic!("{name}: {fault}"));
        assert_eq!(told(&lockfile), told(&read(text.as_bytes(), Some(&name)).unwrap()), "{name}");
    }
}

/// Whatever is cut off or changed, it is read or refused.
#[test]
fn damaged_lockfiles_are_read_or_refused() {
    for (name, path) in fixtures() {
        let text = std::fs::read(&path).unwrap();
        for at in (0..text.len()).step_by(307) {
            let _ = read(&text[..at], Some(&name));
            for byte in [b' ', b'\n', b'"', b'{', b':', b',', 0xff] {
                let mut changed = text.clone();
                changed[at] = byte;
                let _ = read(&changed, Some(&name));
            }
        }
    }
}

#[track_caller]
fn check(text: &str, expect: &[&str]) {
    let told = told(&read(text.as_bytes(), None).unwrap());
    assert_eq!(told.lines().skip(1).collect::<Vec<&str>>(), expect);
}

/// pnpm fetches each beside its peers by its own resolution.
#[test]
fn every_resolution_of_a_package_is_an_entry() {
    let text = "lockfileVersion: '6.0'\n\ndependencies:\n  app:\n    specifier: ^1\n    version: 1.0.0(left@2.0.0)\n\npackages:\n\n  \
                /app@1.0.0(left@1.0.0):\n    resolution: {integrity: sha1-AAAAAAAAAAAAAAAAAAAAAAAAAAA=}\n\n  \
                /app@1.0.0(left@1.1.0):\n    resolution: {integrity: sha1-AAAAAAAAAAAAAAAAAAAAAAAAAAA=}\n\n  \
                /app@1.0.0(left@2.0.0):\n    resolution: {integrity: sha1-AAAAAAAAAAAAAAAAAAAAAAAAAAA=, tarball: https://evil.example/a.tgz}\n";
    check(text, &["10: app@1.0.0 hashed", "16: app@1.0.0 at https://evil.example/a.tgz hashed <- the project ^1"]);
}

/// yarn fetches what a patch names, entry or not.
#[test]
fn what_is_patched_is_where_it_is_fetched() {
    let patch = |inner: &str| format!("  version: 1.0.0\n  resolution: \"left@patch:{inner}#./l.patch::version=1.0.0\"\n");
    for (inner, expect) in [
        ("left@npm%3A1.0.0", "4: left@1.0.0"),
        ("left@https%3A%2F%2Fevil.example%2Fl.tgz", "4: left@1.0.0 ELSEWHERE https://evil.example/l.tgz"),
        ("evil@npm%3A6.6.6", "4: evil@6.6.6 as left"),
        ("left@npm%3A1.0.0%3A%3A__archiveUrl%3Dhttps%253A%252F%252Fevil.example%252Fl.tgz", "4: left@1.0.0 at https://evil.example/l.tgz"),
        (
            "left@patch%3Aleft%40https%253A%252F%252Fevil.example%252Fl.tgz%23.%2Fm.patch",
            "4: left@1.0.0 ELSEWHERE https://evil.example/l.tgz",
        ),
        ("left@workspace%3A.", "4: left@1.0.0 local"),
        ("%ff", "4: left@1.0.0 ELSEWHERE patch:%ff#./l.patch::version=1.0.0"),
    ] {
        let text = format!("__metadata:\n  version: 8\n\n\"left@patch:x\":\n{}", patch(inner));
        let told = told(&read(text.as_bytes(), None).unwrap());
        let line = told.lines().nth(1).unwrap();
        assert_eq!(line.strip_suffix(" <- ? ?").unwrap(), expect, "{inner}");
    }
    let both = format!(
        "__metadata:\n  version: 8\n\n\"left@npm:^1\":\n  version: 1.0.0\n  resolution: \"left@npm:1.0.0\"\n\n\"left@patch:x\":\n{}",
        patch("left@npm%3A1.0.0")
    );
    check(&both, &["4: left@1.0.0 <- ? ^1", "8: left@1.0.0 local <- ? ?"]);
}

/// bun 1.4 fetches what is bundled in nothing that it fetches: at the top, and below a part of the workspace.
#[test]
fn bundled_is_what_lies_in_what_is_fetched() {
    let one = |path: &str| format!("\"{path}\": [\"inner@3.0.0\", \"https://r.example/i.tgz\", {{ \"bundled\": true }}, \"\"],\n");
    let text = format!(
        "{{\"lockfileVersion\": 1, \"workspaces\": {{\"\": {{\"name\": \"p\"}}}}, \"packages\": {{\n\"app\": [\"app@workspace:app\"],\n\"bundler\": [\"bundler@1.0.0\", \"\", {{}}, \"\"],\n{}{}{}{}}}}}\n",
        one("inner"),
        one("app/inner"),
        one("bundler/inner"),
        one("nobody/inner"),
    );
    check(
        &text,
        &[
            "2: app local",
            "3: bundler@1.0.0",
            "4: inner@3.0.0 at https://r.example/i.tgz",
            "5: inner@3.0.0 at https://r.example/i.tgz",
            "6: inner@3.0.0 bundled",
            "7: inner@3.0.0 at https://r.example/i.tgz",
        ],
    );
}
