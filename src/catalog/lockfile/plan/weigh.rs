//! Which releases may stand in for one: what everybody who wants it accepts, and whose own needs can be met.

use std::cmp::Ordering;

use crate::catalog::lockfile::plan::ADDED_DEPTH_MAX;
use crate::catalog::lockfile::plan::ADDED_MAX;
use crate::catalog::lockfile::plan::CANDIDATES_MAX;
use crate::catalog::lockfile::plan::Choice;
use crate::catalog::lockfile::plan::PARENTS_MAX;
use crate::catalog::lockfile::plan::Planner;
use crate::catalog::lockfile::plan::graph::Piece;
use crate::catalog::lockfile::plan::graph::PieceWant;
use crate::catalog::lockfile::plan::graph::Wanter;
use crate::ecosystem::Requirement;
use crate::model::lockfile::WantKind;
use crate::model::package::PackageId;
use crate::model::package::Version;

/// Candidates whose needs are asked for at once.
const ASKED_AT_ONCE: usize = 4;

/// Why nothing stands in for a piece.
pub enum Failed {
    /// Something has to be found out first, or there was no time.
    Unknown,
    /// Others would do, but for the ranges of those who want it.
    NothingFits(String),
    Because(String),
}

/// What one who wants a piece accepts.
enum Accepts {
    Range(Box<str>),
    /// Nobody knows what is wanted: what is near.
    Near,
}

impl Planner<'_> {
    /// `None` once the search took too long.
    fn step(&self) -> Option<()> {
        self.steps.set(self.steps.get().checked_sub(1)?);
        Some(())
    }

    fn satisfies(&self, range: &str, version: &Version) -> Option<bool> {
        self.step()?;
        (self.rules.satisfies)(range, version)
    }

    fn accepted(&self, accepts: &Accepts, version: &Version, locked: &Version) -> bool {
        match accepts {
            Accepts::Range(range) => self.satisfies(range, version) == Some(true),
            Accepts::Near => (self.rules.is_near)(version, locked),
        }
    }

    /// What those who want the piece accept, as far as they still do. `None`: something has to be found out first.
    fn accepts(&self, piece: &Piece) -> Option<Vec<(Wanter, Accepts)>> {
        // All are looked at, so that everything that is missing is asked for at once.
        let mut all = Some(Vec::new());
        for want in &piece.wants {
            let accepts = match want.by {
                Wanter::Piece(by) => match self.chosen.get(&by) {
                    Some(Choice::Gone) => Some(None),
                    Some(Choice::To(version)) => self.range_of(by, version, &piece.release.package).map(|range| range.map(Accepts::Range)),
                    None => self.stated(piece, want, Some(by)).map(Some),
                },
                Wanter::Project(_) | Wanter::Fixed => self.stated(piece, want, None).map(Some),
            };
            all = all.zip(accepts).map(|(mut all, accepts)| {
                all.extend(accepts.map(|accepts| (want.by, accepts)));
                all
            });
        }
        all
    }

    /// As which range a version of a piece wants a package; `Some(None)`: not at all.
    fn range_of(&self, by: usize, version: &Version, package: &PackageId) -> Option<Option<Box<str>>> {
        let parent = self.graph.pieces.get(by)?;
        let needs = self.world.needs(&parent.release.package, version)?;
        Some(needs.iter().find(|need| need.package == *package).map(|need| need.range.as_str().into()))
    }

    /// What a want accepts while its wanter stays as it is. A range that the locked version itself does not satisfy was
    /// overruled by somebody.
    fn stated(&self, piece: &Piece, want: &PieceWant, by: Option<usize>) -> Option<Accepts> {
        let range = match (&want.range, by) {
            (Some(range), _) => Some(range.clone()),
            (None, Some(by)) => {
                let parent = self.graph.pieces.get(by)?;
                self.range_of(by, &parent.release.version, &piece.release.package)?
            }
            (None, None) => None,
        };
        let is_meant = |range: &str| self.satisfies(range, &piece.release.version) == Some(true);
        Some(range.filter(|range| is_meant(range)).map_or(Accepts::Near, Accepts::Range))
    }

    /// What becomes of a blocked piece.
    pub(super) fn settle(&self, at: usize) -> Result<Choice, Failed> {
        let piece = self.graph.pieces.get(at).ok_or(Failed::Unknown)?;
        let accepts = self.accepts(piece).ok_or(Failed::Unknown)?;
        if accepts.is_empty() && !piece.wants.is_empty() {
            return Ok(Choice::Gone);
        }
        let open = self.world.open(&piece.release.package).ok_or(Failed::Unknown)?;
        if open.is_empty() {
            return Err(Failed::Because("no release of it is open".to_owned()));
        }
        let candidates = self.candidates(at, &piece.release.version, open, |version| {
            accepts.iter().all(|(_, accepts)| self.accepted(accepts, version, &piece.release.version))
        });
        if candidates.is_empty() {
            self.step().ok_or(Failed::Unknown)?;
            return Err(Failed::NothingFits(self.narrow(piece, &accepts, open)));
        }
        for version in candidates.iter().take(ASKED_AT_ONCE) {
            _ = self.world.needs(&piece.release.package, version);
        }
        let mut best: Option<(usize, &Version)> = None;
        let mut first_why = None;
        for version in candidates {
            match self.additions(at, version) {
                Ok(added) if added.is_empty() => return Ok(Choice::To(version.clone())),
                Ok(added) if best.is_none_or(|(least, _)| added.len() < least) => best = Some((added.len(), version)),
                Ok(_) => {}
                Err(Failed::Unknown) => return Err(Failed::Unknown),
                Err(Failed::Because(why) | Failed::NothingFits(why)) => _ = first_why.get_or_insert(why),
            }
        }
        match best {
            Some((_, version)) => Ok(Choice::To(version.clone())),
            None => Err(Failed::Because(first_why.unwrap_or_default())),
        }
    }

    /// Nearest below first, then nearest above. What follows others comes newest first, as its client takes it.
    fn candidates<'v>(&self, at: usize, locked: &Version, open: &'v [Version], fits: impl Fn(&Version) -> bool) -> Vec<&'v Version> {
        let below = open.partition_point(|version| (self.rules.precedence)(version, locked) == Ordering::Less);
        let (below, above) = open.split_at_checked(below).unwrap_or_default();
        let fitting = |version: &&Version| *version != locked && fits(version);
        if self.follows(at) {
            return open.iter().rev().filter(fitting).take(2 * CANDIDATES_MAX).collect();
        }
        let below = below.iter().rev().filter(fitting).take(CANDIDATES_MAX);
        below.chain(above.iter().filter(fitting).take(CANDIDATES_MAX)).collect()
    }

    /// The newest that is open and that everybody accepts.
    pub(super) fn first_choice(&self, at: usize) -> Option<Version> {
        let piece = self.graph.pieces.get(at)?;
        let accepts = self.accepts(piece)?;
        let open = self.world.open(&piece.release.package)?;
        let fits = |version: &&Version| accepts.iter().all(|(_, accepts)| self.accepted(accepts, version, &piece.release.version));
        open.iter().rev().find(fits).cloned()
    }

    /// Why nothing that is open fits, in words.
    fn narrow(&self, piece: &Piece, accepts: &[(Wanter, Accepts)], open: &[Version]) -> String {
        const SAID_MAX: usize = 3;
        let locked = &piece.release.version;
        let mut said = Vec::new();
        for (by, accepts) in accepts {
            let Accepts::Range(range) = accepts else { continue };
            if said.len() < SAID_MAX && !open.iter().any(|version| self.accepted(accepts, version, locked)) {
                said.push(match by {
                    Wanter::Piece(by) => match self.graph.pieces.get(*by) {
                        Some(parent) => format!("{} needs {range}", self.now(*by, parent)),
                        None => format!("{range} is needed"),
                    },
                    Wanter::Project(_) => format!("the project asks for {range}"),
                    Wanter::Fixed => format!("{range} is asked for"),
                });
            }
        }
        let near = open.iter().rev().find(|version| (self.rules.precedence)(version, locked) == Ordering::Less).or(open.first());
        let near = near.map_or_else(String::new, |version| format!("; {version} is open"));
        match said.is_empty() {
            true => format!("no open release is accepted by all who want it{near}"),
            false => format!("{}, and no open release is that{near}", said.join(", ")),
        }
    }

    fn now(&self, at: usize, piece: &Piece) -> String {
        match self.chosen.get(&at) {
            Some(Choice::To(version)) => format!("{}@{version}", piece.release.package.name),
            Some(Choice::Gone) | None => piece.release.to_string(),
        }
    }

    /// What comes in if a piece becomes this version: nothing, if all it needs is in the lockfile.
    pub(super) fn additions(&self, at: usize, version: &Version) -> Result<Vec<(PackageId, Version)>, Failed> {
        let piece = self.graph.pieces.get(at).ok_or(Failed::Unknown)?;
        let mut added = Vec::new();
        self.meet(at, &piece.release.package, version, 0, &mut added)?;
        Ok(added)
    }

    fn meet(
        &self,
        at: usize,
        package: &PackageId,
        version: &Version,
        depth: usize,
        added: &mut Vec<(PackageId, Version)>,
    ) -> Result<(), Failed> {
        let needs = self.world.needs(package, version).ok_or(Failed::Unknown)?;
        let unmet = needs.iter().filter(|need| need.kind != WantKind::Peer && !self.is_met(need));
        // All of them are asked for, so that all that are unknown are looked up at once.
        if unmet.filter(|need| self.world.open(&need.package).is_none()).count() > 0 {
            return Err(Failed::Unknown);
        }
        for need in needs {
            self.step().ok_or(Failed::Unknown)?;
            if self.is_met(need)
                || added.iter().any(|(name, version)| *name == need.package && self.satisfies(&need.range, version) == Some(true))
            {
                continue;
            }
            let needed = || format!("{}@{version} needs {} {}", package.name, need.package.name, need.range);
            if need.kind == WantKind::Peer {
                return Err(Failed::Because(format!("{} beside it, which is not in the lockfile", needed())));
            }
            let open = self.world.open(&need.package).ok_or(Failed::Unknown)?;
            let fitting = open.iter().rev().find(|version| self.satisfies(&need.range, version).unwrap_or(true));
            let Some(fitting) = fitting else { return Err(Failed::Because(format!("{}, of which none is open", needed()))) };
            // What is blocked below it is settled after it, as that range.
            if depth == 0 && self.graph.has_blocked_below(at, &need.package) {
                continue;
            }
            if depth == ADDED_DEPTH_MAX || added.len() == ADDED_MAX {
                return Err(Failed::Because(format!("{}@{version} brings too much along", package.name)));
            }
            added.push((need.package.clone(), fitting.clone()));
            self.meet(at, &need.package, fitting, depth + 1, added)?;
        }
        Ok(())
    }

    /// Whether something in the lockfile, as it will be, is what is needed.
    fn is_met(&self, need: &Requirement) -> bool {
        let of = self.graph.by_package.get(&need.package).into_iter().flatten();
        of.filter_map(|at| Some((*at, self.graph.pieces.get(*at)?))).any(|(at, piece)| {
            let version = match self.chosen.get(&at) {
                Some(Choice::To(version)) => version,
                Some(Choice::Gone) => return false,
                None if piece.is_blocked => return false,
                None => &piece.release.version,
            };
            // A tag is what the client takes for it; any of the package may be.
            self.satisfies(&need.range, version).unwrap_or(true)
        })
    }

    /// Who wants a piece too narrowly, and what it may be instead so that something that is open fits.
    pub(super) fn give_way(&self, at: usize, depth: usize) -> Option<(usize, Version)> {
        let piece = self.graph.pieces.get(at)?;
        let accepts = self.accepts(piece)?;
        let open = self.world.open(&piece.release.package)?;
        for (by, _) in &accepts {
            let Wanter::Piece(parent) = *by else { continue };
            let others: Vec<&Accepts> = accepts.iter().filter(|(other, _)| other != by).map(|(_, accepts)| accepts).collect();
            let rest_fits = |version: &Version| others.iter().all(|accepts| self.accepted(accepts, version, &piece.release.version));
            if self.raised.contains_key(&parent) || self.graph.pieces.get(parent).is_none_or(|parent| parent.is_blocked) {
                continue;
            }
            if let Some(version) = self.another(parent, &piece.release.package, open, &rest_fits) {
                return Some((parent, version));
            }
            if depth < PARENTS_MAX
                && let Some(found) = self.give_way_above(parent, depth)
            {
                return Some(found);
            }
        }
        None
    }

    /// Where a piece is held in place by those who want it in turn.
    fn give_way_above(&self, parent: usize, depth: usize) -> Option<(usize, Version)> {
        let piece = self.graph.pieces.get(parent)?;
        let accepts = self.accepts(piece)?;
        let open = self.world.open(&piece.release.package)?;
        let fits = |version: &&Version| {
            **version != piece.release.version && accepts.iter().all(|(_, accepts)| self.accepted(accepts, version, &piece.release.version))
        };
        if open.iter().any(|version| fits(&version)) { None } else { self.give_way(parent, depth + 1) }
    }

    /// Another release of `parent` that wants the package in a way that something open fits, or not at all.
    fn another(&self, parent: usize, package: &PackageId, open: &[Version], rest_fits: &dyn Fn(&Version) -> bool) -> Option<Version> {
        let piece = self.graph.pieces.get(parent)?;
        let accepts = self.accepts(piece)?;
        let all = self.world.open(&piece.release.package)?;
        let candidates = self.candidates(parent, &piece.release.version, all, |version| {
            accepts.iter().all(|(_, accepts)| self.accepted(accepts, version, &piece.release.version))
        });
        for version in candidates {
            let Some(range) = self.range_of(parent, version, package) else { continue };
            let does =
                range.is_none_or(|range| open.iter().any(|version| rest_fits(version) && self.satisfies(&range, version) == Some(true)));
            if does && self.additions(parent, version).is_ok() {
                return Some(version.clone());
            }
        }
        None
    }
}
