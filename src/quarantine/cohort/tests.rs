//! Cohorts, case by case: who waits for whom, and how that is settled.

use bytes::Bytes;

use super::*;
use crate::config::policy::Policy;
use crate::ecosystem::Pin;
use crate::model::digest::DocumentDigest;
use crate::model::index::Claims;
use crate::model::index::Row;
use crate::model::standing::Standing;
use crate::quarantine::age::AgeRule;
use crate::quarantine::cohort::graph::NODES_MAX;
use crate::quarantine::cohort::graph::PACKAGES_MAX;
use crate::quarantine::context::Context;
use crate::quarantine::standings::judge_all;
use crate::quarantine::verdict::Reason;

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(24 * 3_600);

fn now() -> Timestamp {
    Timestamp::parse("2026-11-20T12:00:00Z").unwrap()
}

fn release(text: &str) -> ReleaseId {
    let (name, version) = text.rsplit_once('@').unwrap();
    ReleaseId { package: PackageId::npm(name).unwrap(), version: Version::parse(version).unwrap() }
}

/// What the tests' manifests say: `?` marks an optional pin, `os` a platform, `by=…` a publisher.
fn bonds(manifest: &[u8]) -> Bonds {
    let mut bonds = Bonds::default();
    for word in std::str::from_utf8(manifest).unwrap().split_whitespace() {
        match (word, word.strip_prefix("by="), word.strip_prefix('?')) {
            ("os", _, _) => bonds.is_for_platform = true,
            (_, Some(by), _) => bonds.publisher = Some(by.to_owned()),
            (_, None, Some(optional)) => bonds.pins.push(Pin { release: release(optional), optional: true }),
            (_, None, None) => bonds.pins.push(Pin { release: release(word), optional: false }),
        }
    }
    bonds
}

/// One release of a package, published so long ago, with what its manifest says.
fn index(text: &str, age: Duration, manifest: &str) -> Index {
    let ReleaseId { package, version } = release(text);
    let row = Row {
        version,
        manifest: 0..manifest.len(),
        published_at: Some(now().minus(age)),
        artifacts: Vec::new(),
        claims: Claims::default(),
        origin: crate::model::index::Origin::default(),
        unreadable: None,
        removed_at: None,
    };
    Index {
        package,
        source: DocumentDigest::of(format!("{text} {manifest}").as_bytes()),
        frame: Bytes::new(),
        pointers: Vec::new(),
        earlier: Vec::new(),
        rows: vec![row],
        text: Bytes::copy_from_slice(manifest.as_bytes()),
    }
}

#[derive(Default)]
struct World(Cohorts);

impl World {
    fn question<'a>(index: &'a Index, state: &'a PackageState, now: Timestamp) -> Question<'a> {
        Question { index, state, minimum: DAY * 7, bonds: &bonds, now }
    }

    fn tie_at(&self, index: &Index, now: Timestamp) -> Option<Arc<Tie>> {
        let state = PackageState::default();
        self.0.ties(&World::question(index, &state, now)).values().next().cloned()
    }

    fn tie(&self, index: &Index) -> Option<Arc<Tie>> {
        self.tie_at(index, now())
    }

    /// Judged and heard, by itself to be held for its age until then, or as `reason` says.
    fn judged(&self, index: &Index, reason: Reason) {
        self.tie(index);
        let (state, policy) = (PackageState::default(), Policy::default());
        let mut standings = judge_all(index, &state, &policy, &Context::default(), DocumentDigest::of, now());
        for verdict in &mut standings.verdicts {
            verdict.reason = reason.clone();
            verdict.standing = if matches!(reason, Reason::Finding { .. }) { Standing::Rejected } else { Standing::Admissible };
            verdict.changes_at = None;
        }
        self.0.hear(index, &standings);
    }
}

fn held(days: u32) -> Reason {
    Reason::Age { opens_at: now().plus(DAY * days), rule: AgeRule::Minimum(DAY * 7) }
}

fn rejected() -> Reason {
    Reason::Finding { kind: crate::model::finding::FindingKind::DestroysFiles, evidence: String::new() }
}

fn names(tie: Option<Arc<Tie>>) -> Vec<String> {
    tie.map(|tie| tie.siblings.clone()).unwrap_or_default()
}

#[test]
fn a_release_and_its_platforms_are_a_set() {
    let world = World::default();
    let parent = index("esbuild@0.21.5", HOUR, "?@esbuild/linux@0.21.5 ?@esbuild/mac@0.21.5 by=ann");
    let (linux, mac) = (index("@esbuild/linux@0.21.5", HOUR, "os by=ann"), index("@esbuild/mac@0.21.5", HOUR, "os by=ann"));
    for (one, days) in [(&parent, 3), (&linux, 4), (&mac, 5)] {
        world.judged(one, held(days));
    }
    let tie = world.tie(&parent).unwrap();
    assert_eq!((tie.opens_at, tie.last.as_str(), &tie.withheld), (now().plus(DAY * 5), "@esbuild/mac@0.21.5", &None));
    assert_eq!(names(world.tie(&linux)), ["@esbuild/mac@0.21.5", "esbuild@0.21.5"]);
    world.judged(&mac, rejected());
    for (one, withheld) in [(&parent, true), (&linux, true), (&mac, false)] {
        let tie = world.tie(one).unwrap();
        assert_eq!(tie.withheld.is_some(), withheld, "{:?}", tie.withheld);
    }
    let told = world.tie(&linux).unwrap().withheld.clone().unwrap();
    assert_eq!(told, "@esbuild/mac@0.21.5, which is rejected (its code wipes files)");
    // What is for every platform and old is nobody's sibling.
    let other = index("fast@1.0.0", HOUR, "?lodash@4.17.21");
    assert_eq!(names(world.tie(&other)), ["lodash@4.17.21"], "it may be");
    world.judged(&index("lodash@4.17.21", DAY * 20, ""), rejected());
    assert!(world.tie(&other).is_none());
}

#[test]
fn a_burst_that_pins_each_other_is_a_cohort_whichever_is_judged_first() {
    let train = [
        index("@acme/a@2.0.0", HOUR * 30, "@acme/b@2.0.0"),
        index("@acme/b@2.0.0", HOUR * 30, "@acme/c@2.0.0"),
        index("@acme/c@2.0.0", HOUR * 30, ""),
        index("@acme/d@2.0.0", HOUR * 30, "@acme/c@2.0.0"),
    ];
    for first in 0..train.len() {
        let world = World::default();
        let order = (0..train.len()).map(|at| &train[(first + at) % train.len()]);
        order.for_each(|one| world.judged(one, Reason::Clear));
        // One that was passed over because nobody named it yet is met again.
        train.iter().for_each(|one| world.judged(one, Reason::Clear));
        for one in &train {
            assert_eq!(names(world.tie(one)).len(), 3, "{:?}", one.package);
            assert!(world.tie(one).unwrap().is_open(now()));
        }
        let before: Vec<u64> = train.iter().map(|one| world.0.changes(&one.package)).collect();
        world.judged(&train[2], rejected());
        for (at, one) in train.iter().enumerate().filter(|(at, _)| *at != 2) {
            assert!(world.tie(one).unwrap().withheld.is_some());
            assert_ne!(world.0.changes(&one.package), before[at], "whoever kept a judgement has it made anew");
        }
        assert!(world.tie(&train[2]).unwrap().withheld.is_none(), "the others are good by themselves");
    }
}

#[test]
fn who_merely_pins_a_release_holds_up_nobody() {
    let world = World::default();
    let victim = index("left-pad@1.3.0", HOUR, "by=ann x@1.0.0");
    for (attacker, manifest) in [
        ("evil@1.0.0", "left-pad@1.3.0 by=eve"),
        ("@left-pad/x@1.0.0", "left-pad@1.3.0 by=eve"),
        ("late@1.0.0", "left-pad@1.3.0"),
        ("nobody@1.0.0", "?left-pad@1.3.0"),
    ] {
        world.judged(&index(attacker, HOUR, manifest), rejected());
    }
    world.judged(&victim, Reason::Clear);
    assert!(world.tie(&victim).is_none_or(|tie| tie.withheld.is_none()));
    // Of the same hand it does, within the hour and no longer.
    world.judged(&index("mine@1.0.0", HOUR * 3, "left-pad@1.3.0 by=ann"), rejected());
    assert!(world.tie(&victim).is_none_or(|tie| tie.withheld.is_none()));
    world.judged(&index("mine@1.0.1", HOUR * 2, "left-pad@1.3.0 by=ann"), rejected());
    assert!(world.tie(&victim).unwrap().withheld.as_ref().unwrap().starts_with("mine@1.0.1, which is rejected"));
}

#[test]
fn what_is_unknown_opens_by_age_and_no_sooner() {
    let world = World::default();
    let one = index("@acme/a@2.0.0", HOUR * 30, "@acme/b@2.0.0 lodash@4.17.21");
    let tie = world.tie(&one).unwrap();
    assert_eq!((tie.opens_at, tie.last.as_str()), (now().minus(HOUR * 30).plus(DAY * 7), "@acme/b@2.0.0"));
    assert!(tie.withheld.is_none() && tie.siblings == ["@acme/b@2.0.0"]);
    assert_eq!(world.0.strangers(&one.package, now()), [release("@acme/b@2.0.0").package]);
    // Looked at, and it has no such release: nobody to wait for.
    world.judged(&index("@acme/b@1.9.0", DAY * 20, ""), Reason::Clear);
    assert!(world.tie(&one).is_none());
    assert!(world.0.strangers(&one.package, now()).is_empty());
}

#[test]
fn who_was_passed_over_is_judged_anew_once_it_is_named() {
    let world = World::default();
    let (web, core) = (index("@acme/web@2.0.0", HOUR, ""), index("@acme/core@2.0.0", HOUR, "@acme/web@2.0.0 lodash@4.17.21"));
    let lodash = index("lodash@4.17.21", HOUR, "");
    for one in [&web, &lodash] {
        world.judged(one, Reason::Clear);
    }
    let before = [&web, &lodash].map(|one| world.0.changes(&one.package));
    world.tie(&core);
    let after = [&web, &lodash].map(|one| world.0.changes(&one.package));
    assert!(before[0] != after[0] && before[1] == after[1], "{before:?} {after:?}");
    assert_eq!(names(world.tie(&web)), ["@acme/core@2.0.0"]);
}

#[test]
fn a_judgement_that_ran_out_is_made_again_and_counts_meanwhile() {
    let world = World::default();
    let (one, other) = (index("@acme/a@2.0.0", HOUR, "@acme/b@2.0.0"), index("@acme/b@2.0.0", HOUR, ""));
    world.tie(&one);
    let state = PackageState::default();
    world.tie(&other);
    let mut standings = judge_all(&other, &state, &Policy::default(), &Context::default(), DocumentDigest::of, now());
    standings.verdicts[0].reason = rejected();
    standings.verdicts[0].standing = Standing::Rejected;
    standings.verdicts[0].changes_at = Some(now().plus(HOUR));
    world.0.hear(&other, &standings);
    assert_eq!(world.tie(&one).unwrap().changes_at, Some(now().plus(HOUR)));
    assert!(world.0.strangers(&one.package, now()).is_empty());
    let later = now().plus(HOUR);
    assert!(world.tie_at(&one, later).unwrap().withheld.is_some());
    assert_eq!(world.0.strangers(&one.package, later), [other.package]);
}

#[test]
fn ties_end_and_cohorts_have_a_size() {
    let world = World::default();
    let (one, other) = (index("@acme/a@2.0.0", HOUR, "@acme/b@2.0.0"), index("@acme/b@2.0.0", HOUR, ""));
    world.tie(&one);
    world.judged(&other, rejected());
    assert!(world.tie(&one).unwrap().withheld.is_some());
    assert!(world.tie_at(&one, now().minus(HOUR).plus(TIED_FOR)).is_none());
    let pins: Vec<String> = (0..200).map(|number| format!("@big/p{number}@1.0.0")).collect();
    let many = index("@big/all@1.0.0", HOUR, &pins.join(" "));
    world.tie(&many);
    for pin in &pins {
        world.judged(&index(pin, HOUR, ""), held(3));
    }
    let tie = world.tie(&many).unwrap();
    assert!(tie.siblings.len() <= 2 * SIBLINGS_MAX && !tie.siblings.is_empty(), "{}", tie.siblings.len());
}

#[test]
fn what_is_remembered_has_a_bound_and_is_met_again() {
    let world = World::default();
    let numbers = 0..NODES_MAX + 10;
    for number in numbers {
        world.0.bind(&World::question(&index(&format!("p{number}@1.0.0"), HOUR, "os"), &PackageState::default(), now()));
    }
    let graph = lock(&world.0.graph);
    assert!(graph.nodes.len() <= NODES_MAX && graph.nodes.len() > NODES_MAX / 2, "{}", graph.nodes.len());
    assert!(graph.looked_at.len() <= PACKAGES_MAX && graph.versions.len() == graph.nodes.len());
}

#[test]
fn whoever_asks_whether_something_changed_waits_for_nobody() {
    let cohorts = Arc::new(Cohorts::default());
    let _judging = lock(&cohorts.graph);
    let (told, heard) = std::sync::mpsc::channel();
    let asked = Arc::clone(&cohorts);
    std::thread::spawn(move || told.send(asked.changes(&PackageId::npm("left-pad").unwrap())));
    assert_eq!(heard.recv_timeout(Duration::from_secs(10)), Ok(0));
}
