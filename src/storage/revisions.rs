//! Every package's revision, and which names differ from each other in their case only.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::ops::Bound;

use serde::Deserialize;
use serde::Deserializer;
use serde::Serialize;
use serde::Serializer;

use crate::model::package::PackageId;
use crate::storage::record::Sequence;

/// Written as the map that it is; what is kept besides is made from it again.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Revisions {
    all: BTreeMap<PackageId, Sequence>,
    /// Names with capitals, by themselves without: of two that differ in their case only, one has some. There are few.
    capitals: BTreeMap<String, BTreeSet<PackageId>>,
}

impl Revisions {
    pub fn of(&self, package: &PackageId) -> Option<Sequence> {
        self.all.get(package).copied()
    }

    pub fn set(&mut self, package: &PackageId, revision: Sequence) {
        if let Some(known) = self.all.get_mut(package) {
            *known = revision;
            return;
        }
        self.note_capitals(package);
        self.all.insert(package.clone(), revision);
    }

    pub fn count(&self) -> usize {
        self.all.len()
    }

    pub fn after(&self, from: Bound<&PackageId>) -> impl Iterator<Item = (&PackageId, &Sequence)> {
        self.all.range((from, Bound::Unbounded))
    }

    /// Names that differ from this one in their case only, in order.
    pub fn alike(&self, package: &PackageId) -> Vec<PackageId> {
        let folded = package.to_string().to_ascii_lowercase();
        let plain = PackageId::parse(&folded).ok().filter(|plain| self.all.contains_key(plain));
        let mut alike: BTreeSet<PackageId> = self.capitals.get(&folded).cloned().unwrap_or_default();
        alike.extend(plain);
        alike.remove(package);
        alike.into_iter().collect()
    }

    fn note_capitals(&mut self, package: &PackageId) {
        if package.name.as_str().bytes().any(|byte| byte.is_ascii_uppercase()) {
            let folded = package.to_string().to_ascii_lowercase();
            self.capitals.entry(folded).or_default().insert(package.clone());
        }
    }
}

impl Serialize for Revisions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.all.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Revisions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Revisions, D::Error> {
        let all: BTreeMap<PackageId, Sequence> = BTreeMap::deserialize(deserializer)?;
        let mut revisions = Revisions::default();
        for package in all.keys() {
            revisions.note_capitals(package);
        }
        Ok(Revisions { all, ..revisions })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_another_case_are_found_also_when_they_were_read_again() {
        let id = |name: &str| PackageId::npm(name).unwrap();
        let mut revisions = Revisions::default();
        for (at, name) in ["left-pad", "Left-Pad", "LEFT-PAD", "@acme/Web", "other", "Left-Pad"].into_iter().enumerate() {
            revisions.set(&id(name), Sequence(at as u64 + 1));
        }
        let text = serde_json::to_string(&revisions).unwrap();
        assert!(text.contains("\"npm/Left-Pad\":6"), "{text}");
        let read: Revisions = serde_json::from_str(&text).unwrap();
        assert_eq!(read, revisions);
        for (name, expect) in [
            ("left-pad", vec!["LEFT-PAD", "Left-Pad"]),
            ("Left-Pad", vec!["LEFT-PAD", "left-pad"]),
            ("lEFT-pad", vec!["LEFT-PAD", "Left-Pad", "left-pad"]),
            ("@acme/web", vec!["@acme/Web"]),
            ("@acme/Web", vec![]),
            ("OTHER", vec!["other"]),
            ("left-pads", vec![]),
        ] {
            let found: Vec<String> = read.alike(&id(name)).iter().map(|one| one.name.to_string()).collect();
            assert_eq!(found, expect, "{name}");
        }
    }
}
