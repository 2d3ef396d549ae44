//! Plans of small worlds, with npm's rules of ranges.

use std::collections::BTreeMap;

use super::*;
use crate::catalog::lockfile::plan::world::Rules;
use crate::ecosystem::Requirement;
use crate::model::lockfile::By;
use crate::model::lockfile::Locked;
use crate::model::lockfile::Lockfile;
use crate::model::lockfile::Source;
use crate::model::lockfile::Stated;
use crate::model::lockfile::Want;
use crate::model::lockfile::WantKind;
use crate::protocol::npm::order::precedence;
use crate::protocol::npm::order::track;
use crate::protocol::npm::range::Range;
use crate::protocol::npm::range::satisfies;

/// A lockfile, and all releases that there are: `a@1.0.0 open: b@^1 c@2 peer:d@1`.
struct Scene {
    locked: Vec<(&'static str, &'static str)>,
    /// `project>a@^1`, `a@1.0.0>b@^1`, `a@1.0.0>b@?`.
    wants: Vec<&'static str>,
    releases: BTreeMap<ReleaseId, (bool, Vec<Requirement>)>,
}

fn release(text: &str) -> ReleaseId {
    let (name, version) = text.rsplit_once('@').unwrap();
    ReleaseId { package: PackageId::npm(name).unwrap(), version: Version::parse(version).unwrap() }
}

fn requirement(text: &str) -> Requirement {
    let (kind, text) = text.strip_prefix("peer:").map_or((WantKind::Needed, text), |text| (WantKind::Peer, text));
    let (name, range) = text.split_once('@').unwrap();
    Requirement { package: PackageId::npm(name).unwrap(), range: range.replace('_', " "), kind }
}

impl Scene {
    fn new(locked: &[&'static str], wants: &[&'static str], releases: &[&str]) -> Scene {
        let locked = locked.iter().map(|text| text.split_once('@').unwrap()).collect();
        let read = |text: &&str| {
            let (head, needs) = text.split_once(':').unwrap();
            let (name, standing) = head.split_once(' ').unwrap();
            (release(name), (standing == "open", needs.split_whitespace().map(requirement).collect()))
        };
        Scene { locked, wants: wants.to_vec(), releases: releases.iter().map(read).collect() }
    }

    fn lockfile(&self) -> Lockfile {
        let place = |text: &str| self.locked.iter().position(|(name, version)| format!("{name}@{version}") == text);
        let entry = |(at, (name, version)): (usize, &(&str, &str))| {
            let wants = self.wants.iter().filter_map(|text| {
                let (by, wanted) = text.split_once('>').unwrap();
                let (wanted, range) = wanted.rsplit_once('@').unwrap();
                // `left@1.0.0:^1` names which of several; `left:^1` the only one.
                let of = self.locked.iter().position(|(name, version)| wanted == *name || wanted == format!("{name}@{version}"));
                (of == Some(at)).then(|| Want {
                    by: if by == "project" { By::Project(0) } else { place(by).map_or(By::Unknown, By::Entry) },
                    range: (range != "?").then(|| range.into()),
                    kind: WantKind::Needed,
                })
            });
            Locked {
                name: (*name).to_owned(),
                version: (*version).to_owned(),
                alias: None,
                source: Source::Registry { release: release(&format!("{name}@{version}")), address: None },
                stated: Stated::Nothing,
                line: 1,
                wants: wants.collect(),
                dev: false,
                optional: false,
                peer: false,
            }
        };
        let entries = self.locked.iter().enumerate().map(entry).collect();
        Lockfile { format: "package-lock", edition: "3".to_owned(), projects: vec![String::new()], entries }
    }

    /// Plans, answering what is asked, and counts the rounds.
    fn plan(&self) -> (Plan, usize) {
        let is_open = |release: &ReleaseId| self.releases.get(release).is_some_and(|(open, _)| *open);
        let graph = Graph::of(&self.lockfile(), |release| !is_open(release));
        let fits = |range: &str, version: &Version| Range::parse(range).map(|_| satisfies(range, version.as_str()));
        let near = |left: &Version, right: &Version| track(left) == track(right);
        let rules = Rules { satisfies: &fits, precedence: &precedence, is_near: &near };
        let mut world = World::default();
        for round in 1..20 {
            match plan(&graph, &world, rules) {
                Planned::Plan(plan) => return (plan, round),
                Planned::Ask(questions) => {
                    assert!(!questions.is_empty());
                    for question in questions {
                        match question {
                            Question::Open(package) => {
                                let open = self.releases.iter().filter(|(release, (open, _))| *open && release.package == package);
                                let mut open: Vec<Version> = open.map(|(release, _)| release.version.clone()).collect();
                                open.sort_by(precedence);
                                world.open_are(package, open);
                            }
                            Question::Needs(release) => {
                                let needs = self.releases.get(&release).map(|(_, needs)| needs.clone()).unwrap_or_default();
                                world.needs_are(release, needs);
                            }
                        }
                    }
                }
            }
        }
        panic!("it asks for ever");
    }
}

fn told(plan: &Plan) -> Vec<String> {
    let version = |version: &Option<Version>| version.as_ref().map_or_else(|| "-".to_owned(), Version::to_string);
    let change = |change: &Change| {
        let mark = if change.follows {
            " follows"
        } else if change.is_first_choice {
            ""
        } else {
            " pinned"
        };
        format!("{} {} to {}{mark}", change.package.name, version(&change.from), version(&change.to))
    };
    let stuck = plan.stuck.iter().map(|stuck| format!("{}: {}", stuck.release, stuck.why));
    plan.changes.iter().map(change).chain(stuck).collect()
}

#[track_caller]
fn check(locked: &[&'static str], wants: &[&'static str], releases: &[&str], expect: &[&str]) {
    let (plan, rounds) = Scene::new(locked, wants, releases).plan();
    assert_eq!(told(&plan), expect);
    assert!(rounds <= 8, "{rounds} rounds");
}

#[test]
fn what_is_open_needs_no_plan() {
    check(&["a@1.0.0"], &["project>a@^1"], &["a@1.0.0 open:"], &[]);
}

#[test]
fn the_nearest_below_then_the_nearest_above() {
    let a = ["a@1.0.0 open:", "a@1.2.0 open:", "a@1.3.0 held:", "a@1.4.0 open:", "a@1.5.0 open:", "a@2.0.0 open:"];
    check(&["a@1.3.0"], &["project>a@^1"], &a, &["a 1.3.0 to 1.2.0 pinned"]);
    check(&["a@1.3.0"], &["project>a@^1.3.0"], &a, &["a 1.3.0 to 1.4.0 pinned"]);
    check(&["a@1.3.0"], &["project>a@^1.3.0", "b@1.0.0>a@>=1.3"], &[&a[..], &["b@1.0.0 open:"]].concat(), &["a 1.3.0 to 1.4.0 pinned"]);
    check(&["a@1.5.0"], &["project>a@^1"], &["a@1.4.0 open:", "a@1.5.0 held:"], &["a 1.5.0 to 1.4.0"]);
}

#[test]
fn every_range_counts() {
    let all = ["a@1.1.0 open:", "a@1.2.0 open:", "a@1.3.0 held:", "a@1.4.0 open:", "b@1.0.0 open: a@>=1.3"];
    check(&["a@1.3.0", "b@1.0.0"], &["project>a@^1", "project>b@1", "b@1.0.0>a@>=1.3"], &all, &["a 1.3.0 to 1.4.0"]);
    check(
        &["a@1.3.0", "b@1.0.0"],
        &["project>a@<1.4", "project>b@*", "b@1.0.0>a@>=1.3"],
        &all,
        &["a@1.3.0: no open release is accepted by all who want it; 1.2.0 is open"],
    );
    check(&["a@1.3.0"], &["project>a@1.3.0"], &all, &["a@1.3.0: the project asks for 1.3.0, and no open release is that; 1.2.0 is open"]);
    check(&["a@1.3.0"], &["project>a@1.3.0"], &["a@1.3.0 held:"], &["a@1.3.0: no release of it is open"]);
}

#[test]
fn ranges_that_the_lockfile_does_not_tell_are_asked_of_the_manifest() {
    let all = ["a@1.1.0 open:", "a@1.2.0 open:", "a@1.3.0 held:", "b@1.0.0 open: a@<1.2_||_1.3.0"];
    check(&["a@1.3.0", "b@1.0.0"], &["project>b@1", "b@1.0.0>a@?"], &all, &["a 1.3.0 to 1.1.0"]);
    // Nobody knows: what is of the same line.
    check(&["a@1.3.0"], &["nobody>a@?"], &all, &["a 1.3.0 to 1.2.0"]);
    check(
        &["a@2.0.0"],
        &["nobody>a@?"],
        &["a@1.0.0 open:", "a@2.0.0 held:", "a@3.0.0 open:"],
        &["a@2.0.0: no open release is accepted by all who want it; 1.0.0 is open"],
    );
    // A range that the locked release itself is not was overruled: then nobody knows either.
    check(&["a@1.3.0"], &["project>a@^7"], &all, &["a 1.3.0 to 1.2.0"]);
}

#[test]
fn what_it_needs_is_locked_or_open() {
    let all = ["a@1.1.0 open: b@^1", "a@1.2.0 open: b@^2", "a@1.3.0 held: b@^1", "b@1.0.0 open:", "b@2.0.0 held:"];
    let wants = ["project>a@^1", "a@1.3.0>b@^1"];
    check(&["a@1.3.0", "b@1.0.0"], &wants, &all, &["a 1.3.0 to 1.1.0 pinned"]);
    let opened = [&all[..], &["b@2.1.0 open: c@1"]].concat();
    // Nothing of c is open, so b 2.1.0 does not help.
    check(&["a@1.3.0", "b@1.0.0"], &wants, &opened, &["a 1.3.0 to 1.1.0 pinned"]);
    // With c it would do, but bring in two; the other brings in nothing.
    let more = [&opened[..], &["c@1.0.0 open:"]].concat();
    check(&["a@1.3.0", "b@1.0.0"], &wants, &more, &["a 1.3.0 to 1.1.0 pinned"]);
    let only: Vec<&str> = more.iter().filter(|one| !one.starts_with("a@1.1.0")).copied().collect();
    check(&["a@1.3.0", "b@1.0.0"], &wants, &only, &["a 1.3.0 to 1.2.0", "b - to 2.1.0 follows", "c - to 1.0.0 follows"]);
    check(
        &["a@1.3.0", "b@1.0.0"],
        &wants,
        &["a@1.2.0 open: b@^2", "a@1.3.0 held:", "b@1.0.0 open:"],
        &["a@1.3.0: a@1.2.0 needs b ^2, of which none is open"],
    );
}

#[test]
fn peers_have_to_be_there() {
    let all = ["a@1.1.0 open: peer:b@^1", "a@1.2.0 open: peer:b@^2", "a@1.3.0 held: peer:b@^1", "b@1.0.0 open:", "b@2.0.0 open:"];
    check(&["a@1.3.0", "b@1.0.0"], &["project>a@^1", "project>b@^1"], &all, &["a 1.3.0 to 1.1.0 pinned"]);
    check(
        &["a@1.3.0", "b@1.0.0"],
        &["project>a@>=1.2", "project>b@^1"],
        &all,
        &["a@1.3.0: a@1.2.0 needs b ^2 beside it, which is not in the lockfile"],
    );
}

#[test]
fn what_is_pinned_by_another_follows_it() {
    // As a bundler and its programs for each platform: all of one day, each pinned to the other.
    let all = [
        "a@1.0.0 open: x@1.0.0 y@1.0.0",
        "a@1.1.0 held: x@1.1.0 y@1.1.0",
        "x@1.0.0 open:",
        "x@1.1.0 held:",
        "y@1.0.0 open:",
        "y@1.1.0 held:",
    ];
    let wants = ["project>a@^1", "a@1.1.0>x@1.1.0", "a@1.1.0>y@1.1.0"];
    let expect = ["a 1.1.0 to 1.0.0", "x 1.1.0 to 1.0.0 follows", "y 1.1.0 to 1.0.0 follows"];
    check(&["x@1.1.0", "a@1.1.0", "y@1.1.0"], &wants, &all, &expect);
    // What the older one does not need any more goes.
    let less = ["a@1.0.0 open: x@^1", "a@1.1.0 held: x@1.1.0 y@1.1.0", "x@1.0.0 open:", "x@1.1.0 held:", "y@1.1.0 held:"];
    check(&["x@1.1.0", "a@1.1.0", "y@1.1.0"], &wants, &less, &["a 1.1.0 to 1.0.0", "x 1.1.0 to 1.0.0 follows", "y 1.1.0 to - follows"]);
    // What follows comes as its client takes it: the newest.
    let newest = ["a@1.0.0 open: x@^1", "a@1.1.0 held: x@1.1.0", "x@1.0.0 open:", "x@1.1.0 held:", "x@1.2.0 open:"];
    check(&["x@1.1.0", "a@1.1.0"], &["project>a@1", "a@1.1.0>x@1.1.0"], &newest, &["a 1.1.0 to 1.0.0", "x 1.1.0 to 1.2.0 follows"]);
}

#[test]
fn who_wants_it_too_narrowly_gives_way() {
    let all = ["a@1.0.0 open: b@1.0.0", "a@1.1.0 open: b@1.1.0", "b@1.0.0 open:", "b@1.1.0 held:"];
    let wants = ["project>a@^1", "a@1.1.0>b@1.1.0"];
    check(&["a@1.1.0", "b@1.1.0"], &wants, &all, &["a 1.1.0 to 1.0.0 pinned", "b 1.1.0 to 1.0.0 follows"]);
    // Two steps up.
    let deep = [
        "t@2.0.0 open: a@1.1.0",
        "t@1.0.0 open: a@1.0.0",
        "a@1.0.0 open: b@1.0.0",
        "a@1.1.0 open: b@1.1.0",
        "b@1.0.0 open:",
        "b@1.1.0 held:",
    ];
    let wants = ["project>t@*", "t@2.0.0>a@1.1.0", "a@1.1.0>b@1.1.0"];
    let (plan, _) = Scene::new(&["t@2.0.0", "a@1.1.0", "b@1.1.0"], &wants, &deep).plan();
    assert_eq!(told(&plan), ["a 1.1.0 to 1.0.0 follows", "b 1.1.0 to 1.0.0 follows", "t 2.0.0 to 1.0.0 pinned"]);
    // In vain: then nobody gives way.
    let vain = ["a@1.0.0 open: b@0.9.0", "a@1.1.0 open: b@1.1.0", "b@1.0.0 open:", "b@1.1.0 held:"];
    check(
        &["a@1.1.0", "b@1.1.0"],
        &["project>a@^1", "a@1.1.0>b@1.1.0"],
        &vain,
        &["b@1.1.0: a@1.1.0 needs 1.1.0, and no open release is that; 1.0.0 is open"],
    );
}

#[test]
fn several_are_settled_together_and_each_stuck_one_is_named() {
    let all = ["a@1.0.0 open:", "a@1.1.0 held:", "b@1.0.0 open:", "b@1.1.0 held:", "c@1.0.0 held:"];
    check(
        &["c@1.0.0", "b@1.1.0", "a@1.1.0"],
        &["project>a@^1", "project>b@^1", "project>c@1"],
        &all,
        &["a 1.1.0 to 1.0.0", "b 1.1.0 to 1.0.0", "c@1.0.0: no release of it is open"],
    );
}

#[test]
fn circles_end() {
    let all = ["a@1.0.0 open: b@1", "a@1.1.0 held: b@1.1.0", "b@1.0.0 open: a@1", "b@1.1.0 held: a@1.1.0"];
    let wants = ["project>a@^1", "a@1.1.0>b@1.1.0", "b@1.1.0>a@1.1.0"];
    let (plan, _) = Scene::new(&["a@1.1.0", "b@1.1.0"], &wants, &all).plan();
    assert_eq!(plan.changes.len() + plan.stuck.len(), 2, "{:?}", told(&plan));
}

/// A lockfile as hostile as it can be is given up on, and not worked at for ever.
#[test]
fn a_search_has_an_end() {
    let count = 1_200;
    let mut graph = Graph::default();
    let mut world = World::default();
    for at in 0..count {
        let release = release(&format!("p{at}@1.0.99"));
        let wants = (0..60).map(|by| graph::PieceWant {
            by: Wanter::Piece((at * 7 + by) % count),
            range: Some("^1.0.0 || ^2 || ^3".into()),
            is_peer: false,
        });
        graph.by_package.insert(release.package.clone(), vec![at]);
        world.open_are(release.package.clone(), (0..600).map(|patch| Version::parse(&format!("4.0.{patch}")).unwrap()).collect());
        world.needs_are(release.clone(), Vec::new());
        graph.pieces.push(graph::Piece { release, wants: wants.collect(), is_blocked: true });
    }
    let asked = std::cell::Cell::new(0);
    let fits = |_: &str, version: &Version| {
        asked.set(asked.get() + 1);
        Some(version.as_str().starts_with('1'))
    };
    let rules = Rules { satisfies: &fits, precedence: &precedence, is_near: &|_, _| false };
    let Planned::Plan(plan) = plan(&graph, &world, rules) else { panic!("everything is known") };
    assert_eq!((plan.changes.len(), plan.stuck.len()), (0, count));
    assert!(asked.get() <= STEPS_MAX && plan.stuck[0].why == GIVEN_UP, "{} {}", asked.get(), plan.stuck[0].why);
}
