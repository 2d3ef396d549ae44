//! Change: what a release does that the last approved one of its major line did not, as findings. Most changes are what
//! releases are for; a few together are what hijacked packages have in common.

use std::time::Duration;

use crate::model::change::Change;
use crate::model::finding::Finding;
use crate::model::finding::FindingKind;
use crate::model::package::Version;
use crate::model::profile::Capability;
use crate::model::time::Timestamp;

const NAMED_MAX: usize = 5;

/// A release is far larger when it unpacks to that many times the size, and at least that much more.
const JUMP_TIMES: u64 = 3;
const JUMP_BYTES: u64 = 300_000;
/// A file that at least doubled and grew by that much holds something else than it did.
const GROWN_BYTES: u64 = 32_000;
/// What obfuscated code adds to the entropy of a package, in thousandths of a bit per byte.
const ENTROPY_GAINED: u32 = 200;
/// In less than that much more the entropy of a little code says nothing: a payload takes kilobytes.
const DENSER_BYTES: u64 = 4_096;

/// What of a release besides its bytes a change is judged by.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances<'a> {
    pub version: &'a Version,
    /// Whether who published it, or how, is another than before.
    pub by_a_stranger: bool,
    /// Names younger than this are new: `policy.release_age.new_package`.
    pub new_package: Duration,
    pub now: Timestamp,
}

/// Whether a finding of screening says that another hand is behind the release than before.
pub const fn is_of_a_stranger(kind: FindingKind) -> bool {
    matches!(kind, FindingKind::NewPublisher | FindingKind::DormantPublisher | FindingKind::ProvenanceLost)
}

pub fn examine(change: &Change, around: &Circumstances<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let against = format!("against {}", change.baseline);
    let mut found = |kind, what: String| findings.push(Finding::new(kind, format!("{what} ({against})")));
    let young: Vec<String> = young(change, around);
    if !young.is_empty() {
        found(FindingKind::YoungDependency, young.join("; "));
    }
    for (kind, gained) in [
        (FindingKind::InstallGained, &change.install_steps),
        (FindingKind::BinaryGained, &change.binaries),
        (FindingKind::HooksGained, &change.hooks),
        (FindingKind::LooseScript, &change.loose_scripts),
        (FindingKind::HostGained, &change.hosts),
    ] {
        if !gained.is_empty() {
            found(kind, listed(gained));
        }
    }
    if !change.capabilities.is_empty() {
        let named: Vec<&str> = change.capabilities.iter().map(|one| one.as_str()).collect();
        found(FindingKind::CapabilityGained, listed(&named));
    }
    if !change.dependencies.is_empty() {
        let named: Vec<String> = change.dependencies.iter().map(|one| format!("{}@{}", one.name, one.range)).collect();
        found(FindingKind::DependencyGained, listed(&named));
    }
    if jumped(change) {
        found(FindingKind::SizeJump, format!("{} to {} bytes", change.unpacked_bytes_before, change.unpacked_bytes));
    }
    if let Some(file) = &change.entry_rewritten {
        found(FindingKind::EntryRewritten, file.clone());
    }
    let reasons = suspicious(change, around);
    if !reasons.is_empty() {
        found(FindingKind::SuspiciousChange, reasons.join("; "));
    }
    findings
}

/// The instants at which a dependency that is new now is not any more: then the judgement may be another one.
pub fn ripens_at(change: &Change, new_package: Duration) -> impl Iterator<Item = Timestamp> + Clone {
    change.dependencies.iter().filter_map(move |one| one.first_published_at.map(|at| at.plus(new_package)))
}

/// A name whose age is not known is judged when it is asked for itself, as every package is.
fn young(change: &Change, around: &Circumstances<'_>) -> Vec<String> {
    let young = change.dependencies.iter().filter_map(|one| {
        let at = one.first_published_at?;
        (around.now < at.plus(around.new_package)).then(|| format!("{} is from {}", one.name, at.for_people()))
    });
    young.take(NAMED_MAX).collect()
}

fn jumped(change: &Change) -> bool {
    change.unpacked_bytes >= change.unpacked_bytes_before.saturating_mul(JUMP_TIMES)
        && change.unpacked_bytes >= change.unpacked_bytes_before.saturating_add(JUMP_BYTES)
}

/// Why the change is one that hijacked packages have: none where it is not. What a payload cannot do without is further reach,
/// another host or a technique; how it comes is in the one file that is loaded first, all at once, denser than the rest, by
/// another hand, with a package of its own. A release that by its number only mends needs one of the first, or two of the second.
/// Any other may well do more than before, and needs others' packages for it; it needs one of the first, in the lone file that is loaded first, and one more of the second.
fn suspicious(change: &Change, around: &Circumstances<'_>) -> Vec<String> {
    let mut payload = Vec::new();
    let reach: Vec<&str> = change.capabilities.iter().filter(|one| **one != Capability::Filesystem).map(|one| one.as_str()).collect();
    if !reach.is_empty() {
        payload.push(format!("reaches further: {}", listed(&reach)));
    }
    if !change.hosts.is_empty() {
        payload.push(format!("names other hosts: {}", listed(&change.hosts)));
    }
    if !change.signals.is_empty() {
        let named: Vec<String> = change.signals.iter().map(ToString::to_string).collect();
        payload.push(format!("does what it did not: {}", listed(&named)));
    }
    let mut manner = Vec::new();
    if let Some(file) = &change.entry_rewritten {
        manner.push(format!("of all code only {file} changed, and grew"));
    }
    if change.grown_bytes >= GROWN_BYTES || jumped(change) {
        manner.push("much code came at once".to_owned());
    }
    let is_denser = change.entropy_before > 0 && change.entropy >= change.entropy_before.saturating_add(ENTROPY_GAINED);
    if is_denser && change.unpacked_bytes >= change.unpacked_bytes_before.saturating_add(DENSER_BYTES) {
        manner.push("its code is denser".to_owned());
    }
    if around.by_a_stranger {
        manner.push("somebody else published it, or in another way".to_owned());
    }
    let is_rare = if only_mends(&change.baseline, around.version) {
        if around.by_a_stranger && !change.dependencies.is_empty() {
            manner.push("another package comes with it".to_owned());
        }
        !payload.is_empty() || manner.len() > 1
    } else {
        !payload.is_empty() && change.entry_rewritten.is_some() && manner.len() > 1
    };
    if is_rare { payload.into_iter().chain(manner).collect() } else { Vec::new() }
}

/// `1.2.4` after `1.2.3`: all but the last number is the same.
fn only_mends(before: &Version, after: &Version) -> bool {
    let line = |version: &Version| {
        version.as_str().split(['-', '+']).next().and_then(|plain| plain.rsplit_once('.')).map(|(line, _)| line.to_owned())
    };
    line(before).is_some() && line(before) == line(after)
}

fn listed<T: AsRef<str>>(all: &[T]) -> String {
    let mut named: Vec<&str> = all.iter().take(NAMED_MAX).map(AsRef::as_ref).collect();
    if all.len() > NAMED_MAX {
        named.push("…");
    }
    named.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::change::Gained;
    use crate::model::signal::SignalKind;

    const DAY: Duration = Duration::from_secs(24 * 3_600);

    fn none() -> Change {
        Change {
            baseline: Version::parse("1.2.3").unwrap(),
            install_steps: Vec::new(),
            capabilities: Vec::new(),
            hosts: Vec::new(),
            dependencies: Vec::new(),
            binaries: Vec::new(),
            hooks: Vec::new(),
            loose_scripts: Vec::new(),
            signals: Vec::new(),
            entry_rewritten: None,
            grown_bytes: 0,
            unpacked_bytes_before: 100_000,
            unpacked_bytes: 100_000,
            entropy_before: 5_000,
            entropy: 5_000,
            files_added: 0,
            files_changed: 0,
            files_removed: 0,
        }
    }

    fn kinds(version: &str, by_a_stranger: bool, change: &Change) -> Vec<FindingKind> {
        let version = Version::parse(version).unwrap();
        let now = Timestamp::from_millis(0).plus(DAY * 100);
        let around = Circumstances { version: &version, by_a_stranger, new_package: DAY * 14, now };
        examine(change, &around).into_iter().map(|finding| finding.kind).collect()
    }

    fn is_suspicious(version: &str, change: &Change) -> bool {
        kinds(version, false, change).contains(&FindingKind::SuspiciousChange)
    }

    #[test]
    fn nothing_new_leads_to_nothing() {
        assert_eq!(kinds("1.2.4", true, &none()), []);
    }

    #[test]
    fn each_gain_has_its_finding() {
        let one = vec!["x".to_owned()];
        for (change, kind) in [
            (Change { install_steps: one.clone(), ..none() }, FindingKind::InstallGained),
            (Change { binaries: one.clone(), ..none() }, FindingKind::BinaryGained),
            (Change { hooks: one.clone(), ..none() }, FindingKind::HooksGained),
            (Change { loose_scripts: one.clone(), ..none() }, FindingKind::LooseScript),
            (Change { hosts: one, ..none() }, FindingKind::HostGained),
            (Change { capabilities: vec![Capability::Filesystem], ..none() }, FindingKind::CapabilityGained),
            (Change { entry_rewritten: Some("index.js".to_owned()), ..none() }, FindingKind::EntryRewritten),
            (Change { unpacked_bytes: 400_000, ..none() }, FindingKind::SizeJump),
        ] {
            assert_eq!(kinds("1.3.0", false, &change), [kind]);
        }
        assert_eq!(kinds("1.3.0", false, &Change { unpacked_bytes: 399_999, ..none() }), []);
        assert_eq!(kinds("1.3.0", false, &Change { unpacked_bytes_before: 1_000_000, unpacked_bytes: 2_900_000, ..none() }), []);
    }

    #[test]
    fn a_dependency_is_young_until_it_is_older() {
        let gained = |days: Option<u32>| Change {
            dependencies: vec![Gained {
                name: "new".to_owned(),
                range: "^1".to_owned(),
                first_published_at: days.map(|days| Timestamp::from_millis(0).plus(DAY * days)),
            }],
            ..none()
        };
        assert_eq!(kinds("1.2.4", false, &gained(Some(87))), [FindingKind::YoungDependency, FindingKind::DependencyGained]);
        assert_eq!(kinds("1.2.4", false, &gained(Some(86))), [FindingKind::DependencyGained]);
        assert_eq!(kinds("1.2.4", false, &gained(None)), [FindingKind::DependencyGained]);
        assert_eq!(ripens_at(&gained(Some(87)), DAY * 14).collect::<Vec<_>>(), [Timestamp::from_millis(0).plus(DAY * 101)]);
        assert_eq!(ripens_at(&gained(None), DAY * 14).count(), 0);
    }

    #[test]
    fn a_package_that_comes_with_a_mend_by_another_hand_is_suspicious() {
        let dependencies = vec![Gained { name: "new".to_owned(), range: "^1".to_owned(), first_published_at: None }];
        let gained = Change { dependencies, ..none() };
        let entry = Change { entry_rewritten: Some("index.js".to_owned()), ..gained.clone() };
        let suspicious = FindingKind::SuspiciousChange;
        assert!(kinds("1.2.4", true, &gained).contains(&suspicious));
        assert!(!is_suspicious("1.2.4", &gained) && !is_suspicious("1.2.4", &entry));
        assert!(!kinds("1.3.0", true, &entry).contains(&suspicious));
    }

    /// What the releases of these incidents had in common with each other, and not with others.
    #[test]
    fn changes_of_hijacked_packages_are_suspicious() {
        let entry = || Some("index.js".to_owned());
        for (incident, change) in [
            // A drainer in a bundle that speaks to a host of its own.
            ("connect-kit", Change { hosts: vec!["drop.example".to_owned()], files_changed: 3, ..none() }),
            // Keys are sent away by a function added to a library that used the network already.
            ("web3.js", Change { hosts: vec!["drop.example".to_owned()], files_changed: 7, ..none() }),
            // The one file of a library that reached for nothing wraps the browser's requests.
            ("chalk", Change { capabilities: vec![Capability::Network], entry_rewritten: entry(), ..none() }),
            // 80 KB of obfuscated code behind the end of the file that is loaded first, reaching for what it reached for before.
            ("node-ipc", Change { entry_rewritten: entry(), grown_bytes: 80_000, entropy: 5_400, ..none() }),
        ] {
            assert!(is_suspicious("1.2.4", &change), "{incident}");
        }
        let denser = Change { entry_rewritten: entry(), entropy: 5_400, unpacked_bytes: 105_000, ..none() };
        assert!(is_suspicious("1.2.4", &denser));
        assert!(is_suspicious("1.2.4", &Change { signals: vec![SignalKind::CredentialFiles], ..none() }));
        let by_another = Change { entry_rewritten: entry(), ..none() };
        assert!(kinds("1.2.4", true, &by_another).contains(&FindingKind::SuspiciousChange));
        assert!(is_suspicious(
            "1.3.0",
            &Change { capabilities: vec![Capability::Process], entry_rewritten: entry(), grown_bytes: 80_000, ..none() }
        ));
    }

    #[test]
    fn changes_that_releases_are_for_are_not() {
        let entry = || Some("index.js".to_owned());
        for (version, change) in [
            ("1.2.4", Change { entry_rewritten: entry(), ..none() }),
            ("1.2.4", Change { entry_rewritten: entry(), entropy: 5_400, unpacked_bytes: 104_000, ..none() }),
            ("1.2.4", Change { grown_bytes: 80_000, files_changed: 9, ..none() }),
            ("1.2.4", Change { capabilities: vec![Capability::Filesystem], files_changed: 2, ..none() }),
            ("1.3.0", Change { capabilities: vec![Capability::Network], hosts: vec!["api.example".to_owned()], files_added: 5, ..none() }),
            ("1.3.0", Change { capabilities: vec![Capability::Network], grown_bytes: 80_000, entropy: 5_400, files_added: 5, ..none() }),
            ("1.3.0", Change { capabilities: vec![Capability::Environment], entry_rewritten: entry(), ..none() }),
            ("1.3.0", Change { entry_rewritten: entry(), grown_bytes: 80_000, entropy: 5_400, ..none() }),
        ] {
            assert!(!is_suspicious(version, &change), "{version} {change:?}");
        }
    }

    #[test]
    fn what_only_mends_is_known_by_its_number() {
        let mends = |before: &str, after: &str| only_mends(&Version::parse(before).unwrap(), &Version::parse(after).unwrap());
        assert!(mends("1.2.3", "1.2.4") && mends("1.2.3", "1.2.4-rc.1") && mends("1.2.3", "1.2.10"));
        assert!(!mends("1.2.3", "1.3.0") && !mends("1.2.3", "2.0.0") && !mends("1", "2"));
    }
}
