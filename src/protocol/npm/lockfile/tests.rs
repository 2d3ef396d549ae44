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
        Source::Elsewhere { address } => format!(" ELSEWHERE {address}"),
        Source::Local => " local".to_owned(),
        Source::Bundled => " bundled".to_owned(),
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
