//! What a plan moves: the releases of a lockfile, each once, and who wants them as what.

use std::collections::BTreeMap;
use std::collections::HashMap;

use crate::model::lockfile::By;
use crate::model::lockfile::Lockfile;
use crate::model::lockfile::WantKind;
use crate::model::package::PackageId;
use crate::model::release::ReleaseId;

/// A release that the lockfile names, at however many places.
#[derive(Clone, PartialEq, Debug)]
pub struct Piece {
    pub release: ReleaseId,
    pub wants: Vec<PieceWant>,
    /// It is not open here.
    pub is_blocked: bool,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct PieceWant {
    pub by: Wanter,
    pub range: Option<Box<str>>,
    pub is_peer: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Wanter {
    /// The project, or a part of its workspace.
    Project(usize),
    /// Another piece.
    Piece(usize),
    /// What no plan changes: a repository, a bundle, or nobody knows who.
    Fixed,
}

#[derive(Clone, PartialEq, Debug, Default)]
pub struct Graph {
    pub pieces: Vec<Piece>,
    pub by_package: HashMap<PackageId, Vec<usize>>,
}

impl Graph {
    pub fn of(lockfile: &Lockfile, is_blocked: impl Fn(&ReleaseId) -> bool) -> Graph {
        let mut graph = Graph::default();
        let mut places: BTreeMap<&ReleaseId, usize> = BTreeMap::new();
        let mut piece_of: Vec<Option<usize>> = Vec::with_capacity(lockfile.entries.len());
        for entry in &lockfile.entries {
            let Some(release) = entry.release() else {
                piece_of.push(None);
                continue;
            };
            let at = *places.entry(release).or_insert_with(|| {
                let at = graph.pieces.len();
                graph.pieces.push(Piece { release: release.clone(), wants: Vec::new(), is_blocked: is_blocked(release) });
                graph.by_package.entry(release.package.clone()).or_default().push(at);
                at
            });
            piece_of.push(Some(at));
        }
        for (entry, at) in lockfile.entries.iter().zip(&piece_of) {
            let Some(piece) = at.and_then(|at| graph.pieces.get_mut(at)) else { continue };
            piece.wants.extend(entry.wants.iter().map(|want| PieceWant {
                by: match want.by {
                    By::Project(at) => Wanter::Project(at),
                    By::Entry(at) => piece_of.get(at).copied().flatten().map_or(Wanter::Fixed, Wanter::Piece),
                    By::Unknown => Wanter::Fixed,
                },
                range: want.range.clone(),
                is_peer: want.kind == WantKind::Peer,
            }));
        }
        for piece in &mut graph.pieces {
            piece.wants.sort();
            piece.wants.dedup();
        }
        graph
    }

    /// Blocked pieces, those that want others before the others as far as that goes.
    pub fn blocked(&self) -> Vec<usize> {
        let mut depth = vec![usize::MAX; self.pieces.len()];
        let mut wanted_by: Vec<Vec<usize>> = vec![Vec::new(); self.pieces.len()];
        let mut next = Vec::new();
        for (at, piece) in self.pieces.iter().enumerate() {
            for want in &piece.wants {
                match want.by {
                    Wanter::Piece(by) => wanted_by.get_mut(by).into_iter().for_each(|all| all.push(at)),
                    Wanter::Project(_) | Wanter::Fixed => next.push(at),
                }
            }
        }
        for level in 0..=self.pieces.len() {
            let mut below = Vec::new();
            for at in std::mem::take(&mut next) {
                if let Some(depth) = depth.get_mut(at).filter(|depth| **depth == usize::MAX) {
                    *depth = level;
                    below.extend(wanted_by.get(at).into_iter().flatten());
                }
            }
            if below.is_empty() {
                break;
            }
            next = below;
        }
        let mut blocked: Vec<(usize, usize)> = self
            .pieces
            .iter()
            .enumerate()
            .filter(|(_, piece)| piece.is_blocked)
            .map(|(at, _)| (depth.get(at).copied().unwrap_or(0), at))
            .collect();
        blocked.sort_unstable();
        blocked.into_iter().map(|(_, at)| at).collect()
    }

    /// Whether a blocked piece of the package is wanted by `by`.
    pub fn has_blocked_below(&self, by: usize, package: &PackageId) -> bool {
        let of = self.by_package.get(package).into_iter().flatten().filter_map(|at| self.pieces.get(*at));
        of.filter(|piece| piece.is_blocked).any(|piece| piece.wants.iter().any(|want| want.by == Wanter::Piece(by)))
    }
}
