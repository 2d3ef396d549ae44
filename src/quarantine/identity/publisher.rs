//! Who published a release, and as what, against those of the package that came before it. Only adds findings: nothing that
//! an owner or a registry says of a publisher opens anything.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::collections::HashMap;
use std::time::Duration;

use crate::ecosystem::Track;
use crate::model::finding::Finding;
use crate::model::finding::FindingKind;
use crate::model::index::Hand;
use crate::model::index::Index;
use crate::model::index::Row;
use crate::model::package::Version;
use crate::model::time::Timestamp;

/// What came out so shortly before is one act with a release: a hijacker's second release does not make the first one known,
/// nor does it make its own kind the custom.
const ACT: Duration = Duration::from_secs(14 * 24 * 3_600);
/// A publisher who was silent for so long is looked at as a new one.
const SILENCE: Duration = Duration::from_secs(365 * 24 * 3_600);
const NAMED_MAX: usize = 3;

/// A package's releases, and how its format orders them.
pub struct Question<'a> {
    pub index: &'a Index,
    /// From when each row's age counts, in the order of the rows.
    pub counts_from: &'a [Timestamp],
    pub precedence: &'a dyn Fn(&Version, &Version) -> Ordering,
    pub track: &'a dyn Fn(&Version) -> Option<Track>,
}

/// A row of which something can be said.
#[derive(Clone, Copy)]
struct Release<'a> {
    row: &'a Row,
    at: Timestamp,
}

/// What is found of each release; only of those of which something is.
pub fn examine(question: &Question<'_>) -> BTreeMap<Version, Vec<Finding>> {
    let Question { index, counts_from, .. } = *question;
    let releases = index.rows.iter().zip(counts_from).filter(|(row, _)| row.unreadable.is_none());
    let releases: Vec<Release<'_>> = releases.map(|(row, at)| Release { row, at: *at }).collect();
    let mut findings = BTreeMap::new();
    if releases.len() < 2 {
        return findings;
    }
    let publishers = Publishers::of(&releases);
    for release in &releases {
        let found = publishers.examine(release);
        if !found.is_empty() {
            findings.insert(release.row.version.clone(), found);
        }
    }
    for (release, previous) in lost(&releases, question) {
        let evidence = format!("{previous} had it");
        findings.entry(release.row.version.clone()).or_default().push(Finding::new(FindingKind::ProvenanceLost, evidence));
    }
    findings
}

/// When each publisher published, oldest first. What upstream took down counts for nobody.
struct Publishers<'a> {
    times: HashMap<(&'a str, Option<&'a str>), Vec<Release<'a>>>,
    /// The first release of all, and the first by anybody else, of which the publisher is known.
    first: Option<Release<'a>>,
    first_by_another: Option<Release<'a>>,
    /// Every release of which the publisher is known, oldest first, with the last one before it by anybody but its publisher.
    known: Vec<(Release<'a>, Option<Release<'a>>)>,
}

fn key(hand: &Hand) -> (&str, Option<&str>) {
    (hand.name.as_str(), hand.workflow.as_deref())
}

impl<'a> Publishers<'a> {
    fn of(releases: &[Release<'a>]) -> Publishers<'a> {
        let mut known: Vec<(&'a Hand, Release<'a>)> = releases
            .iter()
            .filter(|release| release.row.removed_at.is_none())
            .filter_map(|release| Some((release.row.origin.hand.as_deref()?, *release)))
            .collect();
        known.sort_by_key(|(_, release)| release.at);
        let mut times: HashMap<_, Vec<Release<'a>>> = HashMap::new();
        for (hand, release) in &known {
            times.entry(key(hand)).or_default().push(*release);
        }
        let first = known.first().copied();
        let first_by_another = first.and_then(|(first, _)| known.iter().find(|(hand, _)| !hand.is_same(first)));
        let first_by_another = first_by_another.map(|(_, release)| *release);
        let mut before: Vec<Option<Release<'a>>> = Vec::with_capacity(known.len());
        for (place, (hand, _)) in known.iter().enumerate() {
            let last = place.checked_sub(1).and_then(|last| known.get(last).copied());
            // Before a release of the same hand stands whoever stood before that one.
            before.push(match last {
                Some((other, release)) if !other.is_same(hand) => Some(release),
                Some(_) => before.last().copied().flatten(),
                None => None,
            });
        }
        let known = known.into_iter().map(|(_, release)| release).zip(before).collect();
        Publishers { times, first: first.map(|(_, release)| release), first_by_another, known }
    }

    /// The first release by anybody but `hand`.
    fn first_besides(&self, hand: &Hand) -> Option<Release<'a>> {
        let is_anothers = |release: &Release<'_>| release.row.origin.hand.as_deref().is_some_and(|other| !other.is_same(hand));
        self.first.filter(is_anothers).or(self.first_by_another.filter(is_anothers))
    }

    fn examine(&self, release: &Release<'a>) -> Vec<Finding> {
        let Some(hand) = release.row.origin.hand.as_deref() else { return Vec::new() };
        let own = self.times.get(&key(hand)).map_or(&[][..], Vec::as_slice);
        // Of the hand's other releases, those that are no part of the same act.
        let settled = own.partition_point(|other| other.at <= release.at.minus(ACT));
        match settled.checked_sub(1).and_then(|last| own.get(last)) {
            Some(last) if release.at.since(last.at) >= SILENCE => {
                let evidence = format!("{}, whose last release of it was {} of {}", named(hand), last.row.version, last.at.for_people());
                vec![Finding::new(FindingKind::DormantPublisher, evidence)]
            }
            Some(_) => Vec::new(),
            None => {
                let began = own.first().map_or(release.at, |first| first.at.min(release.at));
                let Some(before) = self.first_besides(hand).filter(|first| first.at < began) else { return Vec::new() };
                vec![Finding::new(FindingKind::NewPublisher, self.introduced(hand, release, &before))]
            }
        }
    }

    /// The last release before then by anybody but `hand`.
    fn last_besides(&self, hand: &Hand, at: Timestamp) -> Option<Release<'a>> {
        let earlier = self.known.partition_point(|(release, _)| release.at < at);
        let (last, by_another) = self.known.get(earlier.checked_sub(1)?)?;
        let is_anothers = last.row.origin.hand.as_deref().is_some_and(|other| !other.is_same(hand));
        if is_anothers { Some(*last) } else { *by_another }
    }

    /// A new publisher, beside those of before; and whether these had let them in by then.
    fn introduced(&self, hand: &Hand, release: &Release<'a>, before: &Release<'a>) -> String {
        let last = self.last_besides(hand, release.at).unwrap_or(*before);
        let Some(other) = last.row.origin.hand.as_deref() else { return named(hand) };
        let mut text = format!("{}; {} published {}", named(hand), named(other), last.row.version);
        if hand.workflow.is_none() && !other.maintainers.is_empty() {
            let people: Vec<&str> = other.maintainers.iter().take(NAMED_MAX).map(String::as_str).collect();
            let more = if other.maintainers.len() > NAMED_MAX { ", …" } else { "" };
            if other.maintainers.contains(&hand.name) {
                text.push_str(", when both could have");
            } else {
                text.push_str(&format!(", when only {}{more} could have", people.join(", ")));
            }
        }
        text
    }
}

fn named(hand: &Hand) -> String {
    match &hand.workflow {
        Some(workflow) => format!("{} (trusted publisher {workflow})", hand.name),
        None => hand.name.clone(),
    }
}

/// Releases that nothing vouches for, whose predecessor in their major line something vouched for; with the version of that.
fn lost<'a>(releases: &[Release<'a>], question: &Question<'_>) -> Vec<(Release<'a>, &'a Version)> {
    if !releases.iter().any(|release| release.row.origin.is_vouched_for()) {
        return Vec::new();
    }
    let mut lines: HashMap<(u64, Option<String>), Vec<Release<'a>>> = HashMap::new();
    for release in releases {
        if let Some(track) = (question.track)(&release.row.version) {
            lines.entry((track.major, track.prerelease)).or_default().push(*release);
        }
    }
    let mut lost = Vec::new();
    for line in lines.values_mut() {
        line.sort_by(|left, right| (question.precedence)(&left.row.version, &right.row.version));
        let (mut below, mut vouched) = (Below::default(), Below::default());
        for release in line.iter() {
            if !release.row.origin.is_vouched_for() {
                // What came out in the same act may have lost it as well: it counts only where there is nothing older.
                let previous = match below.nearest(|other| other.at <= release.at.minus(ACT)) {
                    Some(settled) => Some(settled).filter(|settled| settled.row.origin.is_vouched_for()),
                    None => vouched.nearest(|other| other.at < release.at),
                };
                lost.extend(previous.map(|previous| (*release, &previous.row.version)));
            }
            if release.row.removed_at.is_none() {
                below.add(*release);
                if release.row.origin.is_vouched_for() {
                    vouched.add(*release);
                }
            }
        }
    }
    lost
}

/// The releases below one in its line, so that the nearest of those that are old enough is found at once, however many lie between.
/// The oldest come first: one that has another above it that is as old is nearest to nothing any more.
#[derive(Default)]
struct Below<'a>(Vec<Release<'a>>);

impl<'a> Below<'a> {
    fn add(&mut self, release: Release<'a>) {
        // Whoever may have those as the nearest has this one, which is nearer and as old.
        while self.0.pop_if(|other| other.at >= release.at).is_some() {}
        self.0.push(release);
    }

    /// `is_old`: true of all up to an age, and of none after.
    fn nearest(&self, is_old: impl Fn(&Release<'_>) -> bool) -> Option<Release<'a>> {
        let old = self.0.partition_point(is_old);
        self.0.get(old.checked_sub(1)?).copied()
    }
}

#[cfg(test)]
mod tests;
