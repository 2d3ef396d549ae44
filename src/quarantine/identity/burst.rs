//! Bursts: many packages of one scope or one publisher that have new releases within an hour, among those that were asked for here.
//! Kept in memory and filled from the indexes that are judged, so that after a start it is whole again once these were read.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use crate::model::finding::Finding;
use crate::model::finding::FindingKind;
use crate::model::index::Index;
use crate::model::index::Row;
use crate::model::package::PackageId;
use crate::model::package::Version;
use crate::model::time::Timestamp;
use crate::quarantine::stamps::Stamps;
use crate::quarantine::workflow::lock;

/// So many packages are many.
pub const PACKAGES_MIN: usize = 10;
/// Before and after a release.
const WITHIN: Duration = Duration::from_secs(3_600);
/// Older releases are no part of a burst any more.
const KEPT: Duration = Duration::from_secs(14 * 24 * 3_600);
/// Scopes and publishers; those whose last release is the oldest go first.
const HANDS_MAX: usize = 4_096;
/// Releases of one of them; the oldest go first.
const RELEASES_MAX: usize = 1_024;
const NAMED_MAX: usize = 5;

/// What came out lately.
#[derive(Default)]
pub struct Bursts {
    lately: Mutex<Lately>,
    /// What may change the judgement of packages that are not judged now.
    stamps: Stamps,
}

#[derive(Default)]
struct Lately {
    /// By scope or publisher, as people write them.
    hands: HashMap<Box<str>, BTreeSet<(Timestamp, PackageId)>>,
}

impl Bursts {
    /// Another number whenever the package's part in a burst may be another.
    pub fn changes(&self, package: &PackageId) -> u64 {
        self.stamps.of(package)
    }

    /// Takes in what is new of a package, and tells which of its releases are part of a burst. `counts_from`: from when each row's age
    /// counts, in the order of the rows.
    pub fn examine(&self, index: &Index, counts_from: &[Timestamp], now: Timestamp) -> BTreeMap<Version, Finding> {
        let since = now.minus(KEPT);
        let young = || index.rows.iter().zip(counts_from).filter(|(_, at)| (since..=now).contains(*at));
        let mut found = BTreeMap::new();
        if young().next().is_none() {
            return found;
        }
        let mut lately = lock(&self.lately);
        for (row, at) in young() {
            for hand in hands(&index.package, row) {
                for other in lately.take_in(&hand, *at, &index.package, since) {
                    self.stamps.touch(&other);
                }
            }
        }
        for (row, at) in young() {
            let burst = hands(&index.package, row).find_map(|hand| {
                let packages = lately.around(&hand, *at);
                (packages.len() >= PACKAGES_MIN).then_some((hand, packages))
            });
            if let Some((hand, packages)) = burst {
                let named: Vec<&str> = packages.iter().take(NAMED_MAX).map(|package| package.name.as_str()).collect();
                let evidence = format!("{} packages {hand} within the hour: {}, …", packages.len(), named.join(", "));
                found.insert(row.version.clone(), Finding::new(FindingKind::PublishBurst, evidence));
            }
        }
        found
    }
}

impl Lately {
    /// The other packages that are part of a burst by it and may not have been before.
    fn take_in(&mut self, hand: &str, at: Timestamp, package: &PackageId, since: Timestamp) -> BTreeSet<PackageId> {
        if !self.hands.contains_key(hand) {
            self.make_room(since);
            self.hands.insert(Box::from(hand), BTreeSet::new());
        }
        let Some(releases) = self.hands.get_mut(hand) else { return BTreeSet::new() };
        if !releases.insert((at, package.clone())) {
            return BTreeSet::new();
        }
        while releases.len() > RELEASES_MAX || releases.first().is_some_and(|(at, _)| *at < since) {
            releases.pop_first();
        }
        // They may be enough since this one; more than enough they were before.
        let mut packages = self.around(hand, at);
        if !(PACKAGES_MIN..PACKAGES_MIN * 2).contains(&packages.len()) {
            return BTreeSet::new();
        }
        packages.remove(package);
        packages
    }

    /// Packages of a hand with releases around then.
    fn around(&self, hand: &str, at: Timestamp) -> BTreeSet<PackageId> {
        let releases = self.hands.get(hand).into_iter().flatten();
        let around = releases.skip_while(|(other, _)| *other < at.minus(WITHIN)).take_while(|(other, _)| *other <= at.plus(WITHIN));
        around.map(|(_, package)| package.clone()).collect()
    }

    fn make_room(&mut self, since: Timestamp) {
        if self.hands.len() < HANDS_MAX {
            return;
        }
        self.hands.retain(|_, releases| releases.last().is_some_and(|(at, _)| *at >= since));
        if self.hands.len() < HANDS_MAX {
            return;
        }
        let oldest = self.hands.iter().min_by_key(|(_, releases)| releases.last().map(|(at, _)| *at)).map(|(hand, _)| hand.clone());
        if let Some(oldest) = oldest {
            self.hands.remove(&oldest);
        }
    }
}

/// Whose a release is: its scope's, and its publisher's where that is a person. All workflows of a host have one name.
fn hands(package: &PackageId, row: &Row) -> impl Iterator<Item = String> {
    let scope = package.name.scope().map(|scope| format!("of {scope}"));
    let publisher = row.origin.hand.as_deref().filter(|hand| hand.workflow.is_none()).map(|hand| format!("by {}", hand.name));
    [scope, publisher].into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;

    use super::*;
    use crate::model::digest::DocumentDigest;
    use crate::model::index::Claims;
    use crate::model::index::Hand;
    use crate::model::index::Origin;

    const MINUTE: Duration = Duration::from_secs(60);

    fn now() -> Timestamp {
        Timestamp::parse("2026-11-20T12:00:00Z").unwrap()
    }

    /// What is told of a package with one release, published `ago` by `by`.
    fn seen(bursts: &Bursts, name: &str, by: &str, ago: Duration) -> Option<String> {
        let hand = Hand { name: by.to_owned(), ..Hand::default() };
        let row = Row {
            version: Version::parse("1.0.0").unwrap(),
            manifest: 0..0,
            published_at: None,
            artifacts: Vec::new(),
            claims: Claims::default(),
            origin: Origin { hand: Some(Arc::new(hand)), has_provenance: false },
            unreadable: None,
            removed_at: None,
        };
        let index = Index {
            package: PackageId::npm(name).unwrap(),
            source: DocumentDigest::of(b""),
            frame: Bytes::new(),
            pointers: Vec::new(),
            earlier: Vec::new(),
            rows: vec![row],
            text: Bytes::new(),
        };
        let found = bursts.examine(&index, &[now().minus(ago)], now());
        found.into_values().next().map(|finding| finding.evidence)
    }

    #[test]
    fn many_packages_of_a_scope_within_the_hour_are_a_burst() {
        let bursts = Bursts::default();
        let first = PackageId::npm("@acme/p0").unwrap();
        for number in 0..9_u32 {
            assert_eq!(seen(&bursts, &format!("@acme/p{number}"), &format!("u{number}"), MINUTE * 10 * number / 2), None);
        }
        assert_eq!(seen(&bursts, "@acme/early", "x", MINUTE * 200), None);
        assert_eq!(seen(&bursts, "@other/p", "x", MINUTE), None);
        let before = bursts.changes(&first);
        let evidence = "10 packages of @acme within the hour: @acme/p0, @acme/p1, @acme/p2, @acme/p3, @acme/p4, …";
        assert_eq!(seen(&bursts, "@acme/p9", "u9", MINUTE * 30).as_deref(), Some(evidence));
        assert_ne!(bursts.changes(&first), before, "those before are judged anew");
        assert!(seen(&bursts, "@acme/p0", "u0", Duration::ZERO).is_some());
        assert_eq!(seen(&bursts, "@acme/early", "x", MINUTE * 200), None, "hours before");
    }

    #[test]
    fn many_packages_of_a_publisher_are_too_and_many_releases_of_one_are_not() {
        let bursts = Bursts::default();
        for number in 0..20_u32 {
            assert_eq!(seen(&bursts, "same", "mal", MINUTE * number), None);
        }
        for number in 0..8 {
            assert_eq!(seen(&bursts, &format!("p{number}"), "mal", MINUTE), None);
        }
        assert!(seen(&bursts, "p8", "mal", MINUTE).unwrap().starts_with("10 packages by mal within the hour: "));
    }

    #[test]
    fn whoever_asks_whether_something_changed_waits_for_nobody() {
        let bursts = Arc::new(Bursts::default());
        let _judging = lock(&bursts.lately);
        let (told, heard) = std::sync::mpsc::channel();
        let asked = Arc::clone(&bursts);
        std::thread::spawn(move || told.send(asked.changes(&PackageId::npm("left-pad").unwrap())));
        assert_eq!(heard.recv_timeout(Duration::from_secs(10)), Ok(0));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let bursts = Bursts::default();
        for number in 0..HANDS_MAX + 10 {
            seen(&bursts, &format!("p{number}"), &format!("u{number}"), MINUTE);
        }
        for number in 0..RELEASES_MAX + 10 {
            seen(&bursts, &format!("q{number}"), "mal", MINUTE);
        }
        seen(&bursts, "old", "old", KEPT + MINUTE);
        let lately = lock(&bursts.lately);
        assert_eq!(lately.hands.len(), HANDS_MAX);
        assert_eq!(lately.hands["by mal"].len(), RELEASES_MAX);
        assert!(!lately.hands.contains_key("by old"));
    }
}
