//! What advisories say of each release of one package, and which releases they name as the fix of what is in use here.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::collections::HashMap;
use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use crate::ecosystem::Track;
use crate::model::advisory::Advisory;
use crate::model::advisory::AdvisoryKind;
use crate::model::advisory::AffectedRange;
use crate::model::advisory::Source;
use crate::model::digest::Digest;
use crate::model::index::Index;
use crate::model::index::Row;
use crate::model::package::Version;
use crate::model::time::Timestamp;
use crate::quarantine::judge::pin;
use crate::storage::record::PackageState;

/// By version; only releases of which there is something to say.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Advised {
    pub said: BTreeMap<Version, Vec<Said>>,
    /// Releases that an independent advisory names as the fix of a release that is in use here: the id of the gravest one.
    pub fixes: BTreeMap<Version, Box<str>>,
}

/// An advisory that is about a release, and why.
#[derive(Clone, PartialEq, Debug)]
pub struct Said {
    pub advisory: Arc<Advisory>,
    /// It names the release's very bytes, perhaps under another name.
    pub names_bytes: bool,
    /// Who names this release, in order; never none.
    pub sources: Vec<String>,
    /// The first release that is not affected any more, where it says so.
    pub fixed: Option<Version>,
}

/// What is asked, and how versions are ordered.
pub struct Question<'a> {
    pub index: &'a Index,
    pub state: &'a PackageState,
    /// All that are about the package; withdrawn ones too.
    pub advisories: &'a [Advisory],
    /// Whether its name is the one that they speak of. What is at home here has the same name as something else outside.
    pub is_named_outside: bool,
    /// All that name these bytes.
    pub by_digest: &'a dyn Fn(&Digest) -> Vec<Advisory>,
    pub precedence: &'a dyn Fn(&Version, &Version) -> Ordering,
    pub track: &'a dyn Fn(&Version) -> Option<Track>,
    pub now: Timestamp,
}

impl Advised {
    pub fn of(question: &Question<'_>) -> Advised {
        let Question { index, state, advisories, is_named_outside, now, .. } = *question;
        let mut advised = Advised::default();
        let counting: Vec<Arc<Advisory>> =
            advisories.iter().filter(|one| is_named_outside && one.counts_at(now)).map(|one| Arc::new(one.clone())).collect();
        if !counting.is_empty() {
            let ladder = Ladder::of(question);
            for advisory in &counting {
                advised.name(advisory, &ladder);
            }
            advised.fixes = fixes(question, &counting, &ladder, &advised.said);
        }
        for row in &index.rows {
            advised.name_bytes(question, row, state);
        }
        advised
    }

    fn name(&mut self, advisory: &Arc<Advisory>, ladder: &Ladder<'_>) {
        for (version, fixed) in ladder.affected(advisory) {
            let sources = ladder.sources(advisory, version);
            let said = Said { advisory: Arc::clone(advisory), names_bytes: false, sources, fixed };
            self.said.entry(version.clone()).or_default().push(said);
        }
    }

    fn name_bytes(&mut self, question: &Question<'_>, row: &Row, state: &PackageState) {
        let released = state.releases.get(&row.version);
        let mut digests: Vec<Digest> = Vec::new();
        for artifact in &row.artifacts {
            digests.extend(pin(&artifact.file, released).copied().into_iter().chain(artifact.integrity.sha512));
        }
        digests.sort_unstable();
        digests.dedup();
        for advisory in digests.iter().flat_map(question.by_digest).filter(|one| one.counts_at(question.now)) {
            let said = self.said.entry(row.version.clone()).or_default();
            match said.iter_mut().find(|one| one.advisory.id == advisory.id && one.advisory.package == advisory.package) {
                Some(known) => known.names_bytes = true,
                None => {
                    let sources = advisory.sources.iter().map(|source| source.name.clone()).collect();
                    said.push(Said { advisory: Arc::new(advisory), names_bytes: true, sources, fixed: None });
                }
            }
        }
    }
}

/// The package's versions, oldest first, so that a range is found without a walk.
struct Ladder<'a> {
    sorted: Vec<&'a Version>,
    places: HashMap<&'a Version, usize>,
    precedence: &'a dyn Fn(&Version, &Version) -> Ordering,
}

impl<'a> Ladder<'a> {
    fn of(question: &Question<'a>) -> Ladder<'a> {
        let mut sorted: Vec<&Version> = question.index.rows.iter().map(|row| &row.version).collect();
        sorted.sort_by(|left, right| (question.precedence)(left, right));
        let places = sorted.iter().enumerate().map(|(place, version)| (*version, place)).collect();
        Ladder { sorted, places, precedence: question.precedence }
    }

    fn range(&self, range: &AffectedRange) -> Range<usize> {
        let first_not = |order: Ordering, end: &Version| {
            self.sorted.partition_point(|version| {
                let found = (self.precedence)(version, end);
                found == Ordering::Less || found == order
            })
        };
        let below = |end: &Option<Version>| end.as_ref().map(|end| first_not(Ordering::Less, end));
        let start = below(&range.introduced).unwrap_or(0);
        let last = range.last_affected.as_ref().map(|last| first_not(Ordering::Equal, last));
        let end = [below(&range.fixed), below(&range.limit), last].into_iter().flatten().fold(self.sorted.len(), usize::min);
        start..end.max(start)
    }

    /// Each version that an advisory is about, once, and what fixes it.
    fn affected(&self, advisory: &Advisory) -> Vec<(&'a Version, Option<Version>)> {
        let mut found: BTreeMap<usize, Option<Version>> = BTreeMap::new();
        for range in &advisory.ranges {
            for place in self.range(range) {
                let fixed = found.entry(place).or_default();
                if fixed.is_none() {
                    fixed.clone_from(&range.fixed);
                }
            }
        }
        for place in advisory.versions.iter().filter_map(|version| self.places.get(version)) {
            found.entry(*place).or_default();
        }
        found.into_iter().filter_map(|(place, fixed)| Some((*self.sorted.get(place)?, fixed))).collect()
    }

    fn sources(&self, advisory: &Advisory, version: &Version) -> Vec<String> {
        let names = |source: &&Source| {
            (source.versions.is_empty() && source.ranges.is_empty())
                || source.versions.contains(version)
                || source.ranges.iter().any(|range| range.contains(version, self.precedence))
        };
        let named: Vec<String> = advisory.sources.iter().filter(names).map(|source| source.name.clone()).collect();
        // Whoever joined the sources names it.
        if named.is_empty() { advisory.sources.iter().take(1).map(|source| source.name.clone()).collect() } else { named }
    }
}

/// For each independent advisory about what is in use here: the release that fixes it, or, where there is none by that name, the
/// first one after it in its major line that is as free of what is known and was there when the advisory came out.
fn fixes(
    question: &Question<'_>,
    counting: &[Arc<Advisory>],
    ladder: &Ladder<'_>,
    said: &BTreeMap<Version, Vec<Said>>,
) -> BTreeMap<Version, Box<str>> {
    let Question { index, state, precedence, track, .. } = *question;
    let in_use: HashSet<&Version> =
        state.releases.iter().filter(|(_, one)| !one.inspections.is_empty()).map(|(version, _)| version).collect();
    let gone = |row: &&Row| {
        row.unreadable.is_some() || row.removed_at.is_some() || state.releases.get(&row.version).is_some_and(|one| one.removed_at.is_some())
    };
    let served: HashSet<&Version> = index.rows.iter().filter(|row| !gone(row)).map(|row| &row.version).collect();
    let published: HashMap<&Version, Option<Timestamp>> = index.rows.iter().map(|row| (&row.version, row.published_at)).collect();
    let mut fixes: BTreeMap<Version, (Option<u8>, Box<str>)> = BTreeMap::new();
    for advisory in counting.iter().filter(|one| one.kind == AdvisoryKind::Vulnerability && one.independent) {
        let wanted: HashSet<Version> =
            ladder.affected(advisory).into_iter().filter(|(version, _)| in_use.contains(version)).filter_map(|(_, fixed)| fixed).collect();
        let is_as_free = |version: &Version| {
            let grave = |one: &Said| one.advisory.kind == AdvisoryKind::Malware || one.advisory.score >= advisory.score;
            !said.get(version).is_some_and(|all| all.iter().any(grave))
        };
        // What no advisory names, and what came after it, is the owner's choice.
        let was_there = |version: &Version| {
            let Some((release, told)) = published.get(version).copied().flatten().zip(advisory.published_at) else { return false };
            let absent_at = state.releases.get(version).and_then(|one| one.absent_at);
            release <= told && absent_at.is_none_or(|absent_at| absent_at <= told)
        };
        for fixed in &wanted {
            let line = track(fixed);
            let is_of_line = |version: &Version| {
                track(version).is_some_and(|one| one.prerelease.is_none() && line.as_ref().is_some_and(|line| line.major == one.major))
            };
            let from = ladder.sorted.partition_point(|version| precedence(version, fixed) == Ordering::Less);
            let after = ladder.sorted.get(from..).unwrap_or_default().iter().copied();
            let fix = after
                .filter(|version| served.contains(version) && is_as_free(version))
                .find(|version| *version == fixed || (is_of_line(version) && was_there(version)));
            if let Some(version) = fix {
                let graver = |known: &(Option<u8>, Box<str>)| known.0 < advisory.score;
                if fixes.get(version).is_none_or(graver) {
                    fixes.insert(version.clone(), (advisory.score, advisory.id.as_str().into()));
                }
            }
        }
    }
    fixes.into_iter().map(|(version, (_, id))| (version, id)).collect()
}

#[cfg(test)]
mod tests;
