//! The smallest set of version changes that makes a lockfile green: a bounded search over what is open. Pure: what it does
//! not know it asks for, and is asked again.
//!
//! A blocked release gives way to one that is open and that everybody who wants it accepts: the nearest below, else the
//! nearest above. What its needs then are must be in the lockfile or open. Where nobody's range admits another, who wants it
//! so narrowly gives way too, up to [`PARENTS_MAX`] steps up. Blocked releases are settled from the project down, so that
//! what follows another follows its choice. The first that takes the fewest additions is taken; that no smaller set exists
//! beyond these bounds is not proven.

pub mod graph;
mod weigh;
pub mod world;

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::catalog::lockfile::plan::graph::Graph;
use crate::catalog::lockfile::plan::graph::Wanter;
use crate::catalog::lockfile::plan::weigh::Failed;
use crate::catalog::lockfile::plan::world::Question;
use crate::catalog::lockfile::plan::world::Rules;
use crate::catalog::lockfile::plan::world::World;
use crate::model::package::PackageId;
use crate::model::package::Version;
use crate::model::release::ReleaseId;

/// Releases that are tried in one's stead, on each side.
pub const CANDIDATES_MAX: usize = 16;
/// How many steps up those who want a release may give way for it.
pub const PARENTS_MAX: usize = 3;
/// Releases that one change may bring in, and how many steps down they are followed.
pub const ADDED_MAX: usize = 64;
pub const ADDED_DEPTH_MAX: usize = 4;
/// Releases that give way only for another's sake.
pub const RAISED_MAX: usize = 32;
/// Ranges and releases that are compared in one search.
pub const STEPS_MAX: usize = 1_000_000;
/// Turns: in each but the last more gives way, or is given up on.
pub const TURNS_MAX: usize = 64;
/// Blocked releases that are planned for; of more, the rest is said to be too much.
pub const BLOCKED_MAX: usize = 1_000;

/// One change.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Change {
    pub package: PackageId,
    /// None of what comes in only by other changes.
    pub from: Option<Version>,
    /// None of what nobody wants any more.
    pub to: Option<Version>,
    /// It comes by itself with the others, and nobody has to ask for it.
    pub follows: bool,
    /// The newest that is open and fits: what the client takes if it chooses anew.
    pub is_first_choice: bool,
}

/// A blocked release that nothing can stand in for, and why.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Stuck {
    pub release: ReleaseId,
    pub why: String,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Plan {
    /// By name.
    pub changes: Vec<Change>,
    pub stuck: Vec<Stuck>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Planned {
    Plan(Plan),
    /// Find these out, and ask again.
    Ask(Vec<Question>),
}

/// What becomes of a piece.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Choice {
    To(Version),
    Gone,
}

struct Planner<'p> {
    graph: &'p Graph,
    world: &'p World,
    rules: Rules<'p>,
    chosen: BTreeMap<usize, Choice>,
    /// Pieces that are not blocked and give way for a blocked one's sake: for which.
    raised: BTreeMap<usize, (Version, usize)>,
    /// Blocked pieces for which giving way did not help.
    hopeless: BTreeSet<usize>,
    steps: std::cell::Cell<usize>,
}

/// Plans. The same for the same graph, world and rules.
pub fn plan(graph: &Graph, world: &World, rules: Rules<'_>) -> Planned {
    let mut planner = Planner {
        graph,
        world,
        rules,
        chosen: BTreeMap::new(),
        raised: BTreeMap::new(),
        hopeless: BTreeSet::new(),
        steps: std::cell::Cell::new(STEPS_MAX),
    };
    let blocked = graph.blocked();
    for _ in 0..TURNS_MAX {
        let stuck = match planner.turn(&blocked) {
            Turn::Settled(stuck) => stuck,
            Turn::Again => continue,
        };
        if world.has_questions() {
            return Planned::Ask(world.take_questions());
        }
        if planner.steps.get() == 0 {
            break;
        }
        return Planned::Plan(planner.told(stuck));
    }
    let stuck = blocked
        .iter()
        .filter_map(|at| graph.pieces.get(*at))
        .map(|piece| Stuck { release: piece.release.clone(), why: GIVEN_UP.to_owned() });
    Planned::Plan(Plan { changes: Vec::new(), stuck: stuck.collect() })
}

const GIVEN_UP: &str = "looking for what could stand in for it took too long";

enum Turn {
    Settled(Vec<(usize, String)>),
    /// Something gives way that did not before.
    Again,
}

impl Planner<'_> {
    fn turn(&mut self, blocked: &[usize]) -> Turn {
        self.chosen = self.raised.iter().map(|(at, (version, _))| (*at, Choice::To(version.clone()))).collect();
        let mut stuck = Vec::new();
        let mut narrow = Vec::new();
        for (count, at) in blocked.iter().copied().enumerate() {
            if count >= BLOCKED_MAX {
                stuck.push((at, format!("more than {BLOCKED_MAX} releases are not open; plans are made for so many")));
                continue;
            }
            match self.settle(at) {
                Ok(choice) => _ = self.chosen.insert(at, choice),
                Err(Failed::Unknown) => stuck.push((at, GIVEN_UP.to_owned())),
                Err(Failed::NothingFits(why)) => {
                    if !self.hopeless.contains(&at) {
                        narrow.push(at);
                    }
                    stuck.push((at, why));
                }
                Err(Failed::Because(why)) => stuck.push((at, why)),
            }
        }
        if self.world.has_questions() {
            return Turn::Settled(Vec::new());
        }
        if narrow.is_empty() {
            // Whoever gave way for what is stuck all the same did so in vain.
            let is_stuck: BTreeSet<usize> = stuck.iter().map(|(at, _)| *at).collect();
            let before = self.raised.len();
            self.raised.retain(|_, (_, sake)| !is_stuck.contains(sake));
            self.hopeless.extend(is_stuck);
            return if self.raised.len() == before { Turn::Settled(stuck) } else { Turn::Again };
        }
        let mut ways = Vec::new();
        for at in narrow {
            let way = (self.raised.len() + ways.len() < RAISED_MAX).then(|| self.give_way(at, 0)).flatten();
            ways.push((at, way));
        }
        if self.world.has_questions() {
            return Turn::Settled(Vec::new());
        }
        for (at, way) in ways {
            match way {
                Some((parent, version)) => _ = self.raised.entry(parent).or_insert((version, at)),
                None => _ = self.hopeless.insert(at),
            }
        }
        Turn::Again
    }

    /// The changes of the choices made, with what comes in by them.
    fn told(&self, stuck: Vec<(usize, String)>) -> Plan {
        let mut changes = BTreeSet::new();
        let mut added: BTreeSet<(PackageId, Version)> = BTreeSet::new();
        for (at, choice) in &self.chosen {
            let Some(piece) = self.graph.pieces.get(*at) else { continue };
            let (package, from) = (piece.release.package.clone(), Some(piece.release.version.clone()));
            let follows = self.follows(*at);
            match choice {
                Choice::Gone => _ = changes.insert(Change { package, from, to: None, follows: true, is_first_choice: true }),
                Choice::To(to) => {
                    added.extend(self.additions(*at, to).unwrap_or_default());
                    let is_first_choice = self.first_choice(*at).as_ref() == Some(to);
                    changes.insert(Change { package, from, to: Some(to.clone()), follows, is_first_choice });
                }
            }
        }
        let is_there = |package: &PackageId, version: &Version| {
            changes.iter().any(|change| change.package == *package && change.to.as_ref() == Some(version))
        };
        let added: Vec<Change> = added
            .into_iter()
            .filter(|(package, version)| !is_there(package, version))
            .map(|(package, to)| Change { package, from: None, to: Some(to), follows: true, is_first_choice: true })
            .collect();
        changes.extend(added);
        let stuck = stuck.into_iter().filter_map(|(at, why)| Some(Stuck { release: self.graph.pieces.get(at)?.release.clone(), why }));
        Plan { changes: changes.into_iter().collect(), stuck: stuck.collect() }
    }

    /// Whether only pieces that change want it: then the client chooses it anew by itself.
    fn follows(&self, at: usize) -> bool {
        let wants = self.graph.pieces.get(at).map_or(&[][..], |piece| &piece.wants);
        let changes = |by: Wanter| match by {
            Wanter::Piece(by) => self.chosen.contains_key(&by),
            Wanter::Project(_) | Wanter::Fixed => false,
        };
        !wants.is_empty() && wants.iter().all(|want| changes(want.by))
    }
}

#[cfg(test)]
mod tests;
