//! Stamps: numbers that move when a package has to be judged anew for what became known of others. Asked of every request, so that
//! nothing is locked: a package has one of a few thousand places, and those who share one are judged anew with it.

use std::hash::BuildHasher;
use std::hash::BuildHasherDefault;
use std::hash::DefaultHasher;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use crate::model::package::PackageId;

/// Of eight bytes each.
const PLACES: usize = 4_096;

#[derive(Debug)]
pub struct Stamps {
    /// Whoever chooses names that share a place has one judged more often than it need be, and no more.
    hasher: BuildHasherDefault<DefaultHasher>,
    places: Box<[AtomicU64]>,
}

impl Default for Stamps {
    fn default() -> Stamps {
        Stamps { hasher: BuildHasherDefault::default(), places: (0..PLACES).map(|_| AtomicU64::new(0)).collect() }
    }
}

impl Stamps {
    /// To be called when what is known has changed already, so that whoever sees the number move sees the change too.
    pub fn touch(&self, package: &PackageId) {
        if let Some(place) = self.place(package) {
            place.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// Another number whenever the package was touched.
    pub fn of(&self, package: &PackageId) -> u64 {
        self.place(package).map_or(0, |place| place.load(Ordering::Acquire))
    }

    fn place(&self, package: &PackageId) -> Option<&AtomicU64> {
        let hash = self.hasher.hash_one(package.name.as_str());
        self.places.get(usize::try_from(hash % PLACES as u64).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_touched_moves_and_nearly_nothing_else_does() {
        let stamps = Stamps::default();
        let packages: Vec<PackageId> = (0..100).map(|number| PackageId::npm(&format!("p{number}")).unwrap()).collect();
        let read = || packages.iter().map(|package| stamps.of(package)).collect::<Vec<u64>>();
        let mut moved = 0;
        for package in &packages {
            let before = read();
            let last = stamps.of(package);
            stamps.touch(package);
            assert_ne!(stamps.of(package), last);
            moved += before.iter().zip(read()).filter(|(before, after)| **before != *after).count();
        }
        assert!((100..110).contains(&moved), "{moved}");
    }
}
