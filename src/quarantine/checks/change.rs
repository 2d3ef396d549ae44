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
pub fn ripens_at(change: &Change, new_package: Duration) -> impl Iterator<Item = Timestamp> {
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

/// Why the change is one that hijacked packages have: none where it is not. Two traits are needed, of which one is what a
/// payload cannot do without: further reach, another host, a technique, or code that came all at once into what is loaded
/// first. In a release that by its number only mends, the other trait is that.
fn suspicious(change: &Change, around: &Circumstances<'_>) -> Vec<String> {
    let mut payload = Vec::new();
    let reach: Vec<&str> =
        change.capabilities.iter().filter(|one| **one != Capability::Filesystem).map(|one| one.as_str()).collect();
    if !reach.is_empty() {
        payload.push(format!("reaches further: {}", listed(&reach)));
    }
    if !change.hosts.is_empty() {
        payload.push(format!("names other hosts: {}", listed(&change.hosts)));
    }
    if !change.signals.is_empty() {
        let named: Vec<String> = change.signals.iter().map(|one| format!("{one:?}")).collect();
        payload.push(format!("does what it did not: {}", listed(&named)));
    }
    let mut manner = Vec::new();
    if let Some(file) = &change.entry_rewritten {
        manner.push(format!("of all code only {file} changed, and grew"));
    }
    if change.grown_bytes >= GROWN_BYTES || jumped(change) {
        manner.push("much code came at once".to_owned());
    }
    if change.entropy >= change.entropy_before.saturating_add(ENTROPY_GAINED) && change.entropy_before > 0 {
        manner.push("its code is denser".to_owned());
    }
    if around.by_a_stranger {
        manner.push("somebody else published it, or in another way".to_owned());
    }
    let mends = only_mends(&change.baseline, around.version);
    let is_rare = match (payload.len(), manner.len()) {
        (0, manner) => manner > 1,
        (_, 0) => mends,
        (_, _) => true,
    };
    if is_rare { payload.into_iter().chain(manner).collect() } else { Vec::new() }
}

/// `1.2.4` after `1.2.3`: all but the last number is the same.
fn only_mends(before: &Version, after: &Version) -> bool {
    let line = |version: &Version| version.as_str().split(['-', '+']).next().and_then(|plain| plain.rsplit_once('.')).map(|(line, _)| line.to_owned());
    line(before).is_some() && line(before) == line(after)
}

fn listed<T: AsRef<str>>(all: &[T]) -> String {
    let mut named: Vec<&str> = all.iter().take(NAMED_MAX).map(AsRef::as_ref).collect();
    if all.len() > NAMED_MAX {
        named.push("…");
    }
    named.join(", ")
}
