//! The behaviour diff: what a release's files make of it that those of another release did not.

use std::collections::BTreeSet;

use crate::model::change::Change;
use crate::model::change::Gained;
use crate::model::package::Version;
use crate::model::profile::FileMark;
use crate::model::profile::Profile;

/// What `after` does that `before`, the profile of the release `baseline`, did not. Since when the names of dependencies are
/// known is not told here: that takes their indexes, and is for the caller to fill in.
pub fn between(before: &Profile, after: &Profile, baseline: &Version) -> Change {
    let gained = |after: &BTreeSet<String>, before: &BTreeSet<String>| cut(after.difference(before).cloned());
    let files = Files::between(before, after);
    Change {
        baseline: baseline.clone(),
        install_steps: cut(after.install_steps.iter().filter(|step| !before.install_steps.contains(step)).cloned()),
        capabilities: cut(after.capabilities.difference(&before.capabilities).copied()),
        hosts: gained(&after.hosts, &before.hosts),
        dependencies: cut(after
            .dependencies
            .iter()
            .filter(|(name, _)| !before.dependencies.contains_key(*name))
            .map(|(name, range)| Gained { name: name.clone(), range: range.clone(), first_published_at: None })),
        // A package that has compiled programs gets more of them with every platform.
        binaries: if before.binaries.is_empty() { gained(&after.binaries, &before.binaries) } else { Vec::new() },
        hooks: gained(&after.hooks, &before.hooks),
        loose_scripts: cut(after.loose_files.iter().filter(|path| !before.files.contains_key(*path)).cloned()),
        signals: cut(after.signals.difference(&before.signals).copied()),
        entry_rewritten: files.entry_rewritten,
        grown_bytes: files.grown_bytes,
        unpacked_bytes_before: before.unpacked_bytes,
        unpacked_bytes: after.unpacked_bytes,
        entropy_before: before.entropy,
        entropy: after.entropy,
        files_added: files.added,
        files_changed: files.changed,
        files_removed: files.removed,
    }
}

fn cut<T>(all: impl Iterator<Item = T>) -> Vec<T> {
    all.take(Change::LIST_MAX).collect()
}

/// What became of the files.
#[derive(Default)]
struct Files {
    added: u32,
    changed: u32,
    removed: u32,
    grown_bytes: u64,
    entry_rewritten: Option<String>,
}

impl Files {
    fn between(before: &Profile, after: &Profile) -> Files {
        let mut files = Files::default();
        let is_code = |profile: &Profile, path: &String| profile.files.get(path).is_some_and(|mark| mark.is_code);
        let gone: Vec<&String> = before.files.keys().filter(|path| !after.files.contains_key(*path)).collect();
        let mut same_code = !gone.iter().any(|path| is_code(before, path));
        let mut grew: Option<(u64, &String)> = None;
        for (path, mark) in &after.files {
            let Some(old) = before.files.get(path) else {
                files.added = files.added.saturating_add(1);
                same_code &= !mark.is_code;
                continue;
            };
            if old.digest == mark.digest && old.size == mark.size {
                continue;
            }
            files.changed = files.changed.saturating_add(1);
            if !mark.is_code {
                continue;
            }
            same_code &= after.entry_files.contains(path);
            files.grown_bytes = files.grown_bytes.max(doubled(old, mark));
            let growth = mark.size.saturating_sub(old.size);
            if growth > 0 && grew.is_none_or(|(most, _)| growth > most) {
                grew = Some((growth, path));
            }
        }
        files.removed = u32::try_from(gone.len()).unwrap_or(u32::MAX);
        files.entry_rewritten = grew.filter(|_| same_code).map(|(_, path)| path.clone());
        files
    }
}

/// By how many bytes a file grew that is at least twice as large now.
fn doubled(old: &FileMark, new: &FileMark) -> u64 {
    if new.size >= old.size.saturating_mul(2) { new.size - old.size } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::profile::Capability;
    use crate::model::signal::SignalKind;

    fn profile(files: &[(&str, u64, u64)]) -> Profile {
        let mark = |size, digest, path: &str| FileMark { size, digest, is_code: path.ends_with(".js") };
        let files = files.iter().map(|(path, size, digest)| ((*path).to_owned(), mark(*size, *digest, path))).collect();
        Profile { files, entry_files: BTreeSet::from(["index.js".to_owned()]), ..Profile::default() }
    }

    fn changed(before: &Profile, after: &Profile) -> Change {
        between(before, after, &Version::parse("1.0.0").unwrap())
    }

    #[test]
    fn equal_profiles_have_no_change() {
        let same = profile(&[("index.js", 10, 1), ("a.md", 5, 2)]);
        let change = changed(&same, &same);
        assert_eq!((change.files_added, change.files_changed, change.files_removed), (0, 0, 0));
        assert!(change.entry_rewritten.is_none() && change.capabilities.is_empty() && change.hosts.is_empty());
    }

    #[test]
    fn what_is_gained_is_told_and_what_is_lost_is_not() {
        let texts = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect::<BTreeSet<_>>();
        let before = Profile {
            hosts: texts(&["a.example", "b.example"]),
            capabilities: BTreeSet::from([Capability::Filesystem]),
            install_steps: vec!["install: x".to_owned()],
            hooks: texts(&[".mcp.json"]),
            dependencies: [("old".to_owned(), "1".to_owned())].into(),
            ..profile(&[("index.js", 10, 1), ("setup.js", 1, 1)])
        };
        let after = Profile {
            hosts: texts(&["b.example", "c.example"]),
            capabilities: BTreeSet::from([Capability::Network, Capability::Filesystem]),
            install_steps: vec!["install: x".to_owned(), "postinstall: node run.js".to_owned()],
            loose_files: texts(&["setup.js", "run.js"]),
            binaries: texts(&["a.node"]),
            hooks: texts(&[".mcp.json", ".vscode/tasks.json"]),
            dependencies: [("old".to_owned(), "2".to_owned()), ("new".to_owned(), "^1".to_owned())].into(),
            signals: BTreeSet::from([SignalKind::TlsOff]),
            unpacked_bytes: 7,
            ..profile(&[("index.js", 10, 1), ("setup.js", 1, 1), ("run.js", 9, 3)])
        };
        let change = changed(&before, &after);
        assert_eq!(change.hosts, ["c.example"]);
        assert_eq!(change.capabilities, [Capability::Network]);
        assert_eq!(change.install_steps, ["postinstall: node run.js"]);
        assert_eq!(change.loose_scripts, ["run.js"]);
        assert_eq!(change.binaries, ["a.node"]);
        assert_eq!(change.hooks, [".vscode/tasks.json"]);
        assert_eq!(change.dependencies, [Gained { name: "new".into(), range: "^1".into(), first_published_at: None }]);
        assert_eq!(change.signals, [SignalKind::TlsOff]);
        assert_eq!((change.files_added, change.unpacked_bytes_before, change.unpacked_bytes), (1, 0, 7));
        // More programs beside those there were are what a new platform brings.
        let brought = changed(&Profile { binaries: texts(&["b.node"]), ..Profile::default() }, &after);
        assert!(brought.binaries.is_empty());
    }

    #[test]
    fn a_lone_entry_that_grew_is_told() {
        let before = profile(&[("index.js", 100, 1), ("lib.js", 100, 2), ("readme.md", 10, 3)]);
        let rewritten = |files: &[(&str, u64, u64)]| changed(&before, &profile(files)).entry_rewritten;
        assert_eq!(rewritten(&[("index.js", 500, 9), ("lib.js", 100, 2), ("readme.md", 11, 4)]).as_deref(), Some("index.js"));
        for files in [
            [("index.js", 90, 9), ("lib.js", 100, 2)].as_slice(),
            &[("index.js", 500, 9), ("lib.js", 101, 8)],
            &[("index.js", 500, 9)],
            &[("index.js", 500, 9), ("lib.js", 100, 2), ("more.js", 1, 1)],
            &[("index.js", 100, 1), ("lib.js", 500, 8)],
        ] {
            assert_eq!(rewritten(files), None, "{files:?}");
        }
        assert_eq!(changed(&before, &profile(&[("index.js", 250, 9), ("lib.js", 199, 8)])).grown_bytes, 150);
    }

    #[test]
    fn lists_are_cut_short() {
        let hosts = (0..100).map(|number| format!("h{number}.example")).collect();
        assert_eq!(changed(&Profile::default(), &Profile { hosts, ..Profile::default() }).hosts.len(), Change::LIST_MAX);
    }
}
