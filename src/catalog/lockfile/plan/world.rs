//! What a plan may build with: which releases are open, and what they need. It grows as the plan asks.

use std::cell::RefCell;
use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::collections::HashMap;

use crate::ecosystem::Requirement;
use crate::model::package::PackageId;
use crate::model::package::Version;
use crate::model::release::ReleaseId;

/// What is to be found out before a plan can be made.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Question {
    /// Which of its releases are open.
    Open(PackageId),
    /// What this release needs.
    Needs(ReleaseId),
}

/// The dialect's rules, as pure questions.
#[derive(Clone, Copy)]
pub struct Rules<'r> {
    /// Whether a version satisfies a range; `None` where it is none, but a tag.
    pub satisfies: &'r dyn Fn(&str, &Version) -> Option<bool>,
    pub precedence: &'r dyn Fn(&Version, &Version) -> Ordering,
    /// Whether one may stand in for the other where nobody knows what is wanted.
    pub is_near: &'r dyn Fn(&Version, &Version) -> bool,
}

#[derive(Debug, Default)]
pub struct World {
    /// Oldest first; none of a package that is not known.
    open: HashMap<PackageId, Vec<Version>>,
    needs: HashMap<ReleaseId, Vec<Requirement>>,
    asked: RefCell<BTreeSet<Question>>,
}

impl World {
    /// Notes which releases of a package are open, oldest first.
    pub fn open_are(&mut self, package: PackageId, versions: Vec<Version>) {
        self.open.insert(package, versions);
    }

    pub fn needs_are(&mut self, release: ReleaseId, needs: Vec<Requirement>) {
        self.needs.insert(release, needs);
    }

    /// What is open, oldest first. `None`: not known yet, and asked for from now on.
    pub fn open(&self, package: &PackageId) -> Option<&[Version]> {
        let known = self.open.get(package).map(Vec::as_slice);
        if known.is_none() {
            self.asked.borrow_mut().insert(Question::Open(package.clone()));
        }
        known
    }

    /// What a release needs. `None`: not known yet, and asked for from now on.
    pub fn needs(&self, package: &PackageId, version: &Version) -> Option<&[Requirement]> {
        let release = ReleaseId { package: package.clone(), version: version.clone() };
        let known = self.needs.get(&release).map(Vec::as_slice);
        if known.is_none() {
            self.asked.borrow_mut().insert(Question::Needs(release));
        }
        known
    }

    pub fn has_questions(&self) -> bool {
        !self.asked.borrow().is_empty()
    }

    pub fn take_questions(&self) -> Vec<Question> {
        std::mem::take(&mut *self.asked.borrow_mut()).into_iter().collect()
    }
}
