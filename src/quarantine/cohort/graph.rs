//! Who names whom: the releases that may have companions, what became of each by itself, and who waits for whom.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::collections::HashSet;
use std::collections::VecDeque;
use std::time::Duration;

use crate::ecosystem::Bonds;
use crate::ecosystem::Pin;
use crate::model::digest::DocumentDigest;
use crate::model::package::PackageId;
use crate::model::package::Version;
use crate::model::release::ReleaseId;
use crate::model::standing::Standing;
use crate::model::time::Timestamp;
use crate::quarantine::cohort::BURST;
use crate::quarantine::cohort::SIBLINGS_MAX;
use crate::quarantine::cohort::TIED_FOR;
use crate::quarantine::context::Tie;
use crate::quarantine::verdict::Reason;
use crate::quarantine::verdict::Verdict;
use crate::storage::record::Sequence;

/// Releases that are remembered, and packages that were looked at. Past it some are forgotten, and found again as they are asked for.
pub(super) const NODES_MAX: usize = 20_000;
pub(super) const PACKAGES_MAX: usize = 20_000;

#[derive(Debug, Default)]
pub(super) struct Graph {
    pub(super) nodes: HashMap<ReleaseId, Node>,
    /// Those of each package.
    pub(super) versions: HashMap<PackageId, Vec<Version>>,
    /// Who pins a release, in order.
    pinned_by: HashMap<ReleaseId, BTreeSet<ReleaseId>>,
    /// Of which index each package was looked at last.
    pub(super) looked_at: HashMap<PackageId, DocumentDigest>,
}

#[derive(Debug)]
pub(super) struct Node {
    pub(super) published_at: Option<Timestamp>,
    pub(super) counts_from: Timestamp,
    pub(super) bonds: Bonds,
    /// As it was judged last, by itself.
    pub(super) fate: Option<Fate>,
}

/// What becomes of a release by itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Fate {
    pub(super) alone: Alone,
    /// From then on it may be another.
    pub(super) until: Option<Timestamp>,
    /// The judgement's revision and time: an older one that comes later says nothing.
    pub(super) as_of: (Sequence, Timestamp),
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Alone {
    Open,
    Opens(Timestamp),
    /// It does not open by itself, and why.
    Withheld(String),
}

impl Alone {
    pub(super) fn of(verdict: &Verdict) -> Alone {
        match &verdict.reason {
            Reason::Clear => Alone::Open,
            Reason::Age { opens_at, .. } => Alone::Opens(*opens_at),
            Reason::Tied { by_age: Some(at), .. } => Alone::Opens(*at),
            Reason::Tied { by_age: None, .. } => Alone::Open,
            Reason::Finding { kind, .. } => Alone::Withheld(format!("{} ({})", stands(verdict.standing), kind.short())),
            Reason::Person(decision) => Alone::Withheld(format!("{} by {}", stands(verdict.standing), decision.by)),
            Reason::Staged | Reason::GivenUp { .. } => Alone::Withheld(stands(verdict.standing).to_owned()),
        }
    }
}

const fn stands(standing: Standing) -> &'static str {
    match standing {
        Standing::Rejected => "is rejected",
        Standing::Revoked => "was revoked",
        Standing::InReview => "waits for review",
        Standing::Held { .. } => "is held",
        Standing::Quarantined | Standing::Admissible | Standing::Approved => "is in quarantine",
    }
}

/// Everything that a release waits for.
#[derive(Default)]
pub(super) struct Circle {
    /// Without the release itself, in order of their steps.
    pub(super) members: Vec<ReleaseId>,
    /// Named by one of them, likely of the same hand, and of a package that was never looked at.
    pub(super) strangers: Vec<ReleaseId>,
}

pub(super) fn is_young(counts_from: Timestamp, now: Timestamp) -> bool {
    now.since(counts_from) < TIED_FOR
}

impl Node {
    pub(super) fn is_settled(&self, now: Timestamp) -> bool {
        self.fate.as_ref().is_some_and(|fate| fate.until.is_none_or(|until| now < until))
    }
}

impl Graph {
    /// Only releases that name companions, are named by one, or are for one platform are kept. Gives the packages that have to be
    /// judged anew by it.
    pub(super) fn take_in(
        &mut self,
        package: &PackageId,
        source: DocumentDigest,
        nodes: Vec<(Version, Node)>,
        now: Timestamp,
    ) -> HashSet<PackageId> {
        self.make_room(now);
        let before = self.take_out(package);
        self.looked_at.insert(package.clone(), source);
        let (mut kept, mut touched) = (Vec::new(), HashSet::new());
        for (version, mut node) in nodes {
            let release = ReleaseId { package: package.clone(), version: version.clone() };
            let is_alone = node.bonds.pins.is_empty() && !node.bonds.is_for_platform && !self.pinned_by.contains_key(&release);
            if is_alone {
                continue;
            }
            let known = before.get(&release);
            node.fate = known.and_then(|known| known.fate.clone());
            let is_new = known.is_none_or(|known| known.bonds != node.bonds);
            for pin in &node.bonds.pins {
                self.pinned_by.entry(pin.release.clone()).or_default().insert(release.clone());
                // It was looked at before anybody named this release of it, and passed over.
                let was_passed_over =
                    is_new && !self.nodes.contains_key(&pin.release) && self.looked_at.remove(&pin.release.package).is_some();
                if was_passed_over && are_family(&release, &pin.release) {
                    touched.insert(pin.release.package.clone());
                }
            }
            self.nodes.insert(release.clone(), node);
            kept.push(version);
            if is_new {
                touched.extend(self.around(&release));
            }
        }
        if !kept.is_empty() {
            self.versions.insert(package.clone(), kept);
        }
        touched.remove(package);
        touched
    }

    /// Forgets the package's releases, and says what they were.
    fn take_out(&mut self, package: &PackageId) -> HashMap<ReleaseId, Node> {
        let mut out = HashMap::new();
        for version in self.versions.remove(package).into_iter().flatten() {
            let release = ReleaseId { package: package.clone(), version };
            let Some(node) = self.nodes.remove(&release) else { continue };
            for pin in &node.bonds.pins {
                if let Some(by) = self.pinned_by.get_mut(&pin.release) {
                    by.remove(&release);
                    if by.is_empty() {
                        self.pinned_by.remove(&pin.release);
                    }
                }
            }
            out.insert(release, node);
        }
        out
    }

    /// What goes is met again when somebody is judged who names it.
    fn make_room(&mut self, now: Timestamp) {
        if self.looked_at.len() >= PACKAGES_MAX {
            self.looked_at.clear();
        }
        if self.nodes.len() < NODES_MAX {
            return;
        }
        let is_old = |one: &ReleaseId| self.nodes.get(one).is_none_or(|node| !is_young(node.counts_from, now));
        let old = self.versions.iter().filter(|(package, versions)| {
            versions.iter().all(|version| is_old(&ReleaseId { package: (*package).clone(), version: version.clone() }))
        });
        let mut goes: Vec<PackageId> = old.map(|(package, _)| package.clone()).collect();
        if goes.is_empty() {
            goes = self.versions.keys().take(self.versions.len().div_ceil(4)).cloned().collect();
        }
        for package in goes {
            self.take_out(&package);
            self.looked_at.remove(&package);
        }
    }

    /// The packages of everybody who may wait for the release, or it for them, without its own.
    pub(super) fn around(&self, release: &ReleaseId) -> HashSet<PackageId> {
        const AROUND_MAX: usize = 4 * SIBLINGS_MAX;
        let mut seen: HashSet<ReleaseId> = HashSet::from([release.clone()]);
        let mut next = VecDeque::from([release.clone()]);
        while let Some(one) = next.pop_front() {
            let named = self.nodes.get(&one).into_iter().flat_map(|node| node.bonds.pins.iter().map(|pin| &pin.release));
            let naming = self.pinned_by.get(&one).into_iter().flatten();
            for other in named.chain(naming).filter(|other| self.nodes.contains_key(*other)) {
                if seen.len() < AROUND_MAX && !seen.contains(other) {
                    seen.insert(other.clone());
                    next.push_back(other.clone());
                }
            }
        }
        seen.into_iter().map(|one| one.package).filter(|one| *one != release.package).collect()
    }

    pub(super) fn tie(&self, release: &ReleaseId, minimum: Duration, now: Timestamp) -> Option<Tie> {
        let node = self.nodes.get(release).filter(|node| is_young(node.counts_from, now))?;
        let circle = self.circle(release, now);
        // What is not known opens as a release of this age would, and no sooner: it holds up nobody for longer.
        let unsettled = node.counts_from.plus(minimum);
        let mut tie =
            Tie { opens_at: Timestamp::from_millis(0), last: String::new(), withheld: None, siblings: Vec::new(), changes_at: None };
        let mut withheld: Vec<String> = Vec::new();
        let fate = |one: &ReleaseId| self.nodes.get(one).and_then(|node| node.fate.as_ref());
        let others = circle.members.iter().filter(|one| one.package != release.package);
        for (other, fate) in others.map(|one| (one, fate(one))).chain(circle.strangers.iter().map(|one| (one, None))) {
            tie.siblings.push(other.to_string());
            let opens_at = match fate.map(|fate| &fate.alone) {
                Some(Alone::Open) => continue,
                Some(Alone::Withheld(why)) => {
                    withheld.push(format!("{other}, which {why}"));
                    continue;
                }
                Some(Alone::Opens(at)) => *at,
                None => unsettled,
            };
            if opens_at > tie.opens_at {
                tie.opens_at = opens_at;
                tie.last = other.to_string();
            }
        }
        let untils = circle.members.iter().filter_map(|one| fate(one)?.until).filter(|until| *until > now);
        tie.changes_at = untils.chain([node.counts_from.plus(TIED_FOR)]).min();
        tie.siblings.sort();
        tie.withheld = withheld.into_iter().min();
        (!tie.siblings.is_empty()).then_some(tie)
    }

    /// Whom the release waits for, whom those wait for, and so on.
    pub(super) fn circle(&self, release: &ReleaseId, now: Timestamp) -> Circle {
        let mut circle = Circle::default();
        let mut seen: HashSet<&ReleaseId> = HashSet::from([release]);
        let mut next: VecDeque<&ReleaseId> = VecDeque::from([release]);
        while let Some(one) = next.pop_front() {
            let Some(node) = self.nodes.get(one).filter(|node| is_young(node.counts_from, now)) else { continue };
            let mut waits_for: Vec<&ReleaseId> = Vec::new();
            for pin in &node.bonds.pins {
                match self.nodes.get(&pin.release) {
                    Some(other) if is_companion(one, node, pin, other) => waits_for.push(&pin.release),
                    Some(_) => {}
                    None if is_stranger(one, pin)
                        && !self.looked_at.contains_key(&pin.release.package)
                        && circle.strangers.len() < SIBLINGS_MAX
                        && !circle.strangers.contains(&pin.release) =>
                    {
                        circle.strangers.push(pin.release.clone());
                    }
                    None => {}
                }
            }
            let naming = self.pinned_by.get(one).into_iter().flatten();
            waits_for.extend(naming.filter(|by| self.nodes.get(*by).is_some_and(|other| is_of_one_hand(one, node, by, other))));
            waits_for.sort_unstable();
            for other in waits_for {
                if seen.len() > SIBLINGS_MAX {
                    return circle;
                }
                if seen.insert(other) {
                    circle.members.push(other.clone());
                    next.push_back(other);
                }
            }
        }
        circle
    }
}

/// Whether a release waits for one that it pins: its own doing, so that a likely companion is enough.
fn is_companion(release: &ReleaseId, node: &Node, pin: &Pin, other: &Node) -> bool {
    let is_platform = pin.optional && other.bonds.is_for_platform;
    let is_same = node.bonds.publisher.is_some() && node.bonds.publisher == other.bonds.publisher;
    is_platform || (is_burst(node, other) && (is_same || are_family(release, &pin.release)))
}

/// Whether a release waits for one that pins it. Anybody may pin it, so that only who surely is of the same hand holds it up.
fn is_of_one_hand(release: &ReleaseId, node: &Node, by: &ReleaseId, other: &Node) -> bool {
    let scope = release.package.name.scope();
    let is_same = node.bonds.publisher.is_some() && node.bonds.publisher == other.bonds.publisher;
    is_burst(node, other) && (is_same || (scope.is_some() && scope == by.package.name.scope()))
}

/// Whether a release that is pinned and not known here is likely a companion.
fn is_stranger(release: &ReleaseId, pin: &Pin) -> bool {
    pin.optional || are_family(release, &pin.release)
}

/// Of one scope, or of a scope that is named as the other one is: `esbuild` and `@esbuild/linux-x64`.
fn are_family(left: &ReleaseId, right: &ReleaseId) -> bool {
    let (left, right) = (&left.package.name, &right.package.name);
    match (left.scope(), right.scope()) {
        (Some(one), Some(other)) => one == other,
        (None, Some(scope)) => scope.strip_prefix('@') == Some(left.as_str()),
        (Some(scope), None) => scope.strip_prefix('@') == Some(right.as_str()),
        (None, None) => false,
    }
}

fn is_burst(left: &Node, right: &Node) -> bool {
    match (left.published_at, right.published_at) {
        (Some(left), Some(right)) => left.since(right) <= BURST && right.since(left) <= BURST,
        (None, _) | (_, None) => false,
    }
}
