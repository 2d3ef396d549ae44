//! The behaviour diff: which release another is compared with, and what its files make of it that those of the other did not.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use crate::ecosystem::Ecosystem;
use crate::model::change::Change;
use crate::model::change::Gained;
use crate::model::finding::printable;
use crate::model::index::Index;
use crate::model::package::Version;
use crate::model::profile::FileMark;
use crate::model::profile::Profile;
use crate::model::standing::Standing;
use crate::model::time::Timestamp;
use crate::quarantine::standings::Standings;

/// Of each text in a change.
const TEXT_BYTES_MAX: usize = 256;

/// The row that a release, whose age counts from `counts_from`, is compared with: of those that are served, the newest below it in its major line; else the
/// lowest above it there that was published before it, as for a fix of an old line; else the newest of the lines below, or the
/// lowest of those above that was published before it, so that nobody escapes by a low number. None where there is none, and for a version that cannot be ordered.
pub fn baseline(
    index: &Index,
    standings: &Standings,
    version: &Version,
    counts_from: Timestamp,
    ecosystem: &dyn Ecosystem,
) -> Option<usize> {
    // Better the greater.
    const BELOW: u8 = 3;
    const ABOVE: u8 = 2;
    const LINES_BELOW: u8 = 1;
    const LINES_ABOVE: u8 = 0;
    let major = ecosystem.track(version)?.major;
    let mut best: Option<(u8, usize)> = None;
    for (other, (one, judged)) in index.rows.iter().zip(&standings.verdicts).enumerate() {
        if one.version == *version || judged.standing != Standing::Approved || one.artifacts.is_empty() {
            continue;
        }
        let Some(track) = ecosystem.track(&one.version) else { continue };
        let order = ecosystem.precedence(&one.version, version);
        let rank = match (track.major.cmp(&major), order) {
            (Ordering::Equal, Ordering::Less | Ordering::Equal) => BELOW,
            (Ordering::Equal, Ordering::Greater) if judged.age_counts_from < counts_from => ABOVE,
            (Ordering::Less, _) => LINES_BELOW,
            (Ordering::Greater, _) if judged.age_counts_from < counts_from => LINES_ABOVE,
            (Ordering::Equal | Ordering::Greater, _) => continue,
        };
        let is_better = best.is_none_or(|(best_rank, best)| {
            let nearer = ecosystem.precedence(&one.version, &index.rows[best].version);
            rank > best_rank || (rank == best_rank && if rank == ABOVE || rank == LINES_ABOVE { nearer.is_lt() } else { nearer.is_gt() })
        });
        if is_better {
            best = Some((rank, other));
        }
    }
    best.map(|(_, row)| row)
}

/// The dependencies that `after` has and `before` has not, by name and range.
pub fn gained<'p>(before: &'p Profile, after: &'p Profile) -> impl Iterator<Item = (&'p str, &'p str)> {
    let of_after = after.dependencies.iter().filter(|(name, _)| !before.dependencies.contains_key(*name));
    of_after.map(|(name, range)| (name.as_str(), range.as_str()))
}

/// What `after` does that `before`, the profile of the release `baseline`, did not. `since`: from when the oldest release of what a
/// dependency names counts, where that is known.
pub fn between(before: &Profile, after: &Profile, baseline: &Version, since: &dyn Fn(&str, &str) -> Option<Timestamp>) -> Change {
    let gained = |after: &BTreeSet<String>, before: &BTreeSet<String>| cut(after.difference(before).map(|text| shown(text)));
    let files = Files::between(before, after);
    Change {
        baseline: baseline.clone(),
        install_steps: cut(after.install_steps.iter().filter(|step| !before.install_steps.contains(step)).map(|step| shown(step))),
        capabilities: cut(after.capabilities.difference(&before.capabilities).copied()),
        hosts: gained(&after.hosts, &before.hosts),
        dependencies: dependencies(before, after, since),
        // A package that has compiled programs gets more of them with every platform.
        binaries: if before.binaries.is_empty() { gained(&after.binaries, &before.binaries) } else { Vec::new() },
        hooks: gained(&after.hooks, &before.hooks),
        loose_scripts: cut(after.loose_files.iter().filter(|path| !before.files.contains_key(*path)).map(|path| shown(path))),
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

/// The youngest first, so that none of them is cut off, then those of which nothing is known.
fn dependencies(before: &Profile, after: &Profile, since: &dyn Fn(&str, &str) -> Option<Timestamp>) -> Vec<Gained> {
    let one = |(name, range): (&str, &str)| Gained { name: shown(name), range: shown(range), first_published_at: since(name, range) };
    let mut all: Vec<Gained> = gained(before, after).map(one).collect();
    all.sort_by_key(|one| (one.first_published_at.is_none(), one.first_published_at.map(std::cmp::Reverse)));
    cut(all.into_iter())
}

fn shown(text: &str) -> String {
    printable(text, TEXT_BYTES_MAX)
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
        files.entry_rewritten = grew.filter(|_| same_code).map(|(_, path)| shown(path));
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
        between(before, after, &Version::parse("1.0.0").unwrap(), &|_, _| None)
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
    fn the_youngest_dependencies_are_told_first() {
        let dependencies = (0..100).map(|number| (format!("d{number:02}"), "1".to_owned())).collect();
        let after = Profile { dependencies, ..Profile::default() };
        let at = |day: i64| Timestamp::from_millis(day * 86_400_000);
        let since = |name: &str, _: &str| match name {
            "d50" => None,
            "d98" => Some(at(9)),
            "d99" => Some(at(8)),
            _ => Some(at(1)),
        };
        let change = between(&Profile::default(), &after, &Version::parse("1.0.0").unwrap(), &since);
        let names: Vec<&str> = change.dependencies.iter().map(|one| one.name.as_str()).take(3).collect();
        assert_eq!((names, change.dependencies.len()), (vec!["d98", "d99", "d00"], Change::LIST_MAX));
    }

    #[test]
    fn lists_are_cut_short() {
        let hosts = (0..100).map(|number| format!("h{number}.example")).collect();
        assert_eq!(changed(&Profile::default(), &Profile { hosts, ..Profile::default() }).hosts.len(), Change::LIST_MAX);
    }
}
