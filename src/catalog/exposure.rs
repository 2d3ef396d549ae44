//! A package as clients may see it. [`Exposed`] is made here only, and it *keeps* what may be listed: nobody has to
//! remember to take away what may not.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;

use crate::config::policy::Fallback;
use crate::config::policy::FallbackAction;
use crate::ecosystem::Ecosystem;
use crate::ecosystem::Track;
use crate::model::digest::DocumentDigest;
use crate::model::index::Index;
use crate::model::index::Row;
use crate::model::package::PackageId;
use crate::model::package::Version;
use crate::model::refusal::Refusal;
use crate::model::standing::Standing;
use crate::model::time::Timestamp;
use crate::quarantine::standings::Standings;
use crate::quarantine::verdict::Verdict;
use crate::quarantine::verdict::Vulnerability;
use crate::quarantine::wording::Alternative;
use crate::quarantine::wording::refusal;

/// How many withheld releases are named to clients, newest first.
pub const WITHHELD_MAX: usize = 200;

/// As many as CouchDB has.
const REVISION_DIGITS: usize = 32;

/// A release that is listed.
#[derive(Clone, PartialEq, Debug)]
pub struct ExposedRelease {
    pub version: Version,
    /// As upstream wrote it, byte for byte.
    pub manifest: Bytes,
    /// Upstream's time of publication; where it gives none, the first sight.
    pub published_at: Timestamp,
    /// Names of its artifacts as upstream spells them.
    pub files: Vec<String>,
    pub approved: bool,
}

/// A release that is known and not listed: its version and why, and nothing of its text.
#[derive(Clone, PartialEq, Debug)]
pub struct Withheld {
    pub version: Version,
    pub refusal: Refusal,
}

/// What clients may see of a package. Made by [`expose`] only, from standings:
/// ```
/// fn renders(exposed: &airlock::catalog::exposure::Exposed) -> usize {
///     exposed.releases().len()
/// }
/// ```
/// and not by hand:
/// ```compile_fail,E0451
/// fn forge(whole: airlock::catalog::exposure::Exposed) -> airlock::catalog::exposure::Exposed {
///     airlock::catalog::exposure::Exposed { releases: Vec::new(), ..whole }
/// }
/// ```
#[derive(Debug)]
pub struct Exposed {
    package: PackageId,
    frame: Bytes,
    releases: Vec<ExposedRelease>,
    pointers: Vec<(String, Version)>,
    withheld: Vec<Withheld>,
    withheld_total: usize,
    modified: Timestamp,
    stamp: DocumentDigest,
    revision: Box<str>,
    repaired: bool,
    ladder: Arc<Ladder>,
}

impl Exposed {
    pub fn package(&self) -> &PackageId {
        &self.package
    }

    /// The dialect's document without releases, pointers and times.
    pub fn frame(&self) -> &Bytes {
        &self.frame
    }

    /// In upstream's order.
    pub fn releases(&self) -> &[ExposedRelease] {
        &self.releases
    }

    pub fn release(&self, version: &Version) -> Option<&ExposedRelease> {
        self.releases.iter().find(|release| release.version == *version)
    }

    /// Each points at a release that is listed.
    pub fn pointers(&self) -> &[(String, Version)] {
        &self.pointers
    }

    pub fn pointer(&self, name: &str) -> Option<&Version> {
        self.pointers.iter().find(|(pointer, _)| pointer == name).map(|(_, version)| version)
    }

    /// Newest first, at most [`WITHHELD_MAX`].
    pub fn withheld(&self) -> &[Withheld] {
        &self.withheld
    }

    pub fn withheld_total(&self) -> usize {
        self.withheld_total
    }

    /// Never older than any listed release.
    pub fn modified(&self) -> Timestamp {
        self.modified
    }

    /// Changes whenever anything that clients see of the package changes. Covers neither form nor base address.
    pub fn stamp(&self) -> &DocumentDigest {
        &self.stamp
    }

    /// Changes whenever what is listed changes, and neither with time nor with the words that withheld releases are explained
    /// in: who wants to change what it saw names it by this.
    /// 32 lower-case hexadecimal digits.
    pub fn revision(&self) -> &str {
        &self.revision
    }

    /// Whether a pointer was moved or dropped because upstream's target is withheld.
    pub fn repaired(&self) -> bool {
        self.repaired
    }

    /// What is listed that may stand in for what is not.
    pub fn ladder(&self) -> &Arc<Ladder> {
        &self.ladder
    }

    /// How much memory it takes, about, in bytes.
    pub fn weight(&self) -> usize {
        const RELEASE_BYTES: usize = 160;
        let manifests: usize = self.releases.iter().map(|release| release.manifest.len() + RELEASE_BYTES).sum();
        manifests + self.frame.len() + self.withheld.len() * RELEASE_BYTES * 2
    }
}

/// Keeps what may be listed. `standings` speaks of the rows of `index`, one each, in order.
pub fn expose(index: &Index, standings: &Standings, ecosystem: &dyn Ecosystem) -> Exposed {
    let mut releases = Vec::new();
    let mut withheld = Vec::new();
    for (row, verdict) in index.rows.iter().zip(&standings.verdicts) {
        let listed = match verdict.standing {
            Standing::Approved => true,
            Standing::Admissible => standings.lists_admissible,
            Standing::Quarantined | Standing::Held { .. } | Standing::InReview | Standing::Rejected | Standing::Revoked => verdict.observed,
        };
        if listed && row.unreadable.is_none() {
            releases.push(ExposedRelease {
                version: row.version.clone(),
                manifest: index.manifest(row),
                published_at: row.published_at.unwrap_or(verdict.age_counts_from),
                files: row.artifacts.iter().map(|artifact| artifact.file.clone()).collect(),
                approved: verdict.standing == Standing::Approved,
            });
        } else {
            withheld.push((&row.version, verdict));
        }
    }
    withheld.sort_by(|(left, _), (right, _)| ecosystem.precedence(right, left));
    let withheld_total = withheld.len();
    withheld.truncate(WITHHELD_MAX);
    let risks = Risks::of(index, standings);
    let ladder = Ladder::of(&releases, &risks, ecosystem);
    let withheld: Vec<Withheld> = withheld
        .into_iter()
        .map(|(version, verdict)| Withheld {
            version: version.clone(),
            refusal: refusal(&index.package, version, verdict, standings.now, ladder.below(version, ecosystem)),
        })
        .collect();
    let (pointers, repaired) = repair_pointers(index, &releases, &risks, ecosystem);
    let newest = releases.iter().map(|release| release.published_at).max();
    let modified = newest.into_iter().fold(standings.changed_at, Timestamp::max);
    let listed = listed(index, &releases, &pointers);
    let mut revision = DocumentDigest::of(&listed).hex();
    revision.truncate(REVISION_DIGITS);
    let stamp = stamp(listed, &withheld, modified);
    Exposed {
        package: index.package.clone(),
        frame: index.frame.clone(),
        releases,
        pointers,
        withheld,
        withheld_total,
        modified,
        stamp,
        revision: revision.into(),
        repaired,
        ladder: Arc::new(ladder),
    }
}

/// The stable releases that are listed, oldest first, so that what may stand in for another is found without a walk.
#[derive(Debug)]
pub struct Ladder {
    is_left_to_people: bool,
    stable: Vec<Rung>,
    /// For each place, the newest approved one up to it.
    approved: Vec<Option<usize>>,
}

#[derive(Debug)]
struct Rung {
    version: Version,
    approved: bool,
    /// As [`Risks`] has it.
    vulnerability: Option<Box<Vulnerability>>,
}

impl Ladder {
    fn of(releases: &[ExposedRelease], risks: &Risks<'_>, ecosystem: &dyn Ecosystem) -> Ladder {
        let is_stable = |release: &&ExposedRelease| ecosystem.track(&release.version).is_some_and(|track| track.prerelease.is_none());
        let rung = |release: &ExposedRelease| Rung {
            version: release.version.clone(),
            approved: release.approved,
            vulnerability: risks.of_release(&release.version).map(|one| Box::new(one.clone())),
        };
        let mut stable: Vec<Rung> = releases.iter().filter(is_stable).map(rung).collect();
        stable.sort_by(|left, right| ecosystem.precedence(&left.version, &right.version));
        let mut newest = None;
        let newest_so_far = |(at, rung): (usize, &Rung)| {
            if rung.approved {
                newest = Some(at);
            }
            newest
        };
        let approved = stable.iter().enumerate().map(newest_so_far).collect();
        Ladder { is_left_to_people: risks.action == FallbackAction::Refuse, stable, approved }
    }

    /// The newest release older than `version`, an approved one first.
    pub fn below(&self, version: &Version, ecosystem: &dyn Ecosystem) -> Option<Alternative<'_>> {
        let older = self.stable.partition_point(|rung| ecosystem.precedence(&rung.version, version) == Ordering::Less);
        let newest = older.checked_sub(1)?;
        let found = self.stable.get(self.approved.get(newest).copied().flatten().unwrap_or(newest))?;
        let vulnerability = found.vulnerability.as_deref();
        let is_left_to_people = self.is_left_to_people && vulnerability.is_some();
        Some(Alternative { version: &found.version, approved: found.approved, vulnerability, is_left_to_people })
    }
}

/// The gravest vulnerability of each listed release, where it is as grave as policy minds in what stands in for another.
struct Risks<'s> {
    action: FallbackAction,
    grave: HashMap<&'s Version, &'s Vulnerability>,
}

impl<'s> Risks<'s> {
    fn of(index: &'s Index, standings: &'s Standings) -> Risks<'s> {
        let Fallback { score, action } = standings.fallback;
        let of =
            |(row, verdict): (&'s Row, &'s Verdict)| Some((&row.version, verdict.gravest.as_deref().filter(|one| one.score >= score)?));
        Risks { action, grave: index.rows.iter().zip(&standings.verdicts).filter_map(of).collect() }
    }

    fn of_release(&self, version: &Version) -> Option<&'s Vulnerability> {
        self.grave.get(version).copied()
    }

    /// Whether it may stand in for another release.
    fn may_stand_in(&self, version: &Version) -> bool {
        match self.action {
            FallbackAction::Notice => true,
            FallbackAction::Refuse => !self.grave.contains_key(version),
        }
    }
}

/// A pointer is touched only if its target is not listed. Where it is known what it was wished to be at before, the newest
/// such target that is listed stands in, and none but `latest` is anywhere else. Else `latest` becomes the newest stable release below the old
/// target (only where there is none, and it was a prerelease itself, the newest of its class); any other stays within its
/// major and its prerelease class. One that finds nothing is dropped, and so is one that finds what policy minds; none ever rises.
fn repair_pointers(
    index: &Index,
    releases: &[ExposedRelease],
    risks: &Risks<'_>,
    ecosystem: &dyn Ecosystem,
) -> (Vec<(String, Version)>, bool) {
    const LATEST: &str = "latest";
    let listed: HashSet<&Version> = releases.iter().map(|release| &release.version).collect();
    let mut stand_ins = None;
    let mut repaired = false;
    let mut pointers: Vec<(String, Version)> = Vec::new();
    for (name, target) in &index.pointers {
        if listed.contains(target) {
            pointers.push((name.clone(), target.clone()));
            continue;
        }
        repaired = true;
        let wished = index.earlier.iter().find(|(pointer, _)| pointer == name).map(|(_, versions)| versions);
        if let Some(version) = wished.into_iter().flatten().find(|version| listed.contains(version)) {
            pointers.extend(risks.may_stand_in(version).then(|| (name.clone(), version.clone())));
            continue;
        }
        if wished.is_some() && name != LATEST {
            // It was never at anything else that is listed, and waits.
            continue;
        }
        let stand_ins = stand_ins.get_or_insert_with(|| StandIns::of(releases, ecosystem));
        let candidate = ecosystem.track(target).and_then(|old| {
            let newest = |major, class: &Option<String>| stand_ins.below(target, major, class, ecosystem);
            if name == LATEST {
                newest(None, &None).or_else(|| newest(None, &old.prerelease))
            } else {
                newest(Some(old.major), &old.prerelease)
            }
        });
        if let Some(version) = candidate.filter(|version| risks.may_stand_in(version)) {
            pointers.push((name.clone(), version.clone()));
        }
    }
    (pointers, repaired)
}

/// Listed versions by prerelease class, and by that and major (with `None` for all majors); each oldest first.
struct StandIns<'r>(HashMap<(Option<u64>, Option<String>), Vec<&'r Version>>);

impl<'r> StandIns<'r> {
    fn of(releases: &'r [ExposedRelease], ecosystem: &dyn Ecosystem) -> StandIns<'r> {
        let tracked = |release: &'r ExposedRelease| ecosystem.track(&release.version).map(|track| (&release.version, track));
        let mut all: Vec<(&Version, Track)> = releases.iter().filter_map(tracked).collect();
        all.sort_by(|(left, _), (right, _)| ecosystem.precedence(left, right));
        let mut by_track: HashMap<_, Vec<&Version>> = HashMap::new();
        for (version, track) in all {
            by_track.entry((None, track.prerelease.clone())).or_default().push(version);
            by_track.entry((Some(track.major), track.prerelease)).or_default().push(version);
        }
        StandIns(by_track)
    }

    /// The newest that is older than `target`; of equals the last in upstream's order.
    fn below(&self, target: &Version, major: Option<u64>, class: &Option<String>, ecosystem: &dyn Ecosystem) -> Option<&'r Version> {
        let versions = self.0.get(&(major, class.clone()))?;
        let older = versions.partition_point(|version| ecosystem.precedence(version, target) == Ordering::Less);
        versions.get(older.checked_sub(1)?).copied()
    }
}

/// What is listed, and what upstream said, as bytes to be hashed.
fn listed(index: &Index, releases: &[ExposedRelease], pointers: &[(String, Version)]) -> Vec<u8> {
    let mut text = Vec::with_capacity(128 + releases.len() * 16);
    // Two packages may show the same text, and a body names its package.
    text.extend_from_slice(index.package.to_string().as_bytes());
    text.push(0);
    text.extend_from_slice(index.source.raw());
    let mut add = |part: &str| {
        text.extend_from_slice(part.as_bytes());
        text.push(0);
    };
    for release in releases {
        add(release.version.as_str());
    }
    add("");
    for (name, version) in pointers {
        add(name);
        add(version.as_str());
    }
    add("");
    text
}

fn stamp(listed: Vec<u8>, withheld: &[Withheld], modified: Timestamp) -> DocumentDigest {
    let mut text = listed;
    text.extend_from_slice(&modified.millis().to_le_bytes());
    for one in withheld {
        text.extend_from_slice(one.refusal.sentence.as_bytes());
        text.push(0);
    }
    DocumentDigest::of(&text)
}

#[cfg(test)]
mod tests;
