//! Which findings of a release people waived: whose waivers count, how many people they are, and what nobody waives.

use std::sync::Arc;

use crate::model::advisory::AdvisoryKind;
use crate::model::finding::FindingKind;
use crate::model::package::PackageId;
use crate::model::package::Version;
use crate::model::time::Timestamp;
use crate::model::waiver::Waiver;
use crate::quarantine::advised::Said;
use crate::quarantine::approval::can_be_covered;
use crate::quarantine::approval::may_be_one;
use crate::quarantine::approval::stands_behind;
use crate::storage::record::LocalRelease;

/// Waivers of one finding whose makers are counted.
const VOICES_MAX: usize = 64;

/// The waivers that are about one release.
pub struct Waived<'w> {
    about: Vec<&'w Arc<Waiver>>,
    /// Those of them that count now, and of nobody who stands behind what was submitted.
    counting: Vec<&'w Arc<Waiver>>,
}

impl<'w> Waived<'w> {
    /// `submitted`: whose own people's waivers do not count.
    pub fn of(
        package: &PackageId,
        version: &Version,
        waivers: &'w [Arc<Waiver>],
        submitted: Option<&LocalRelease>,
        now: Timestamp,
    ) -> Waived<'w> {
        let about: Vec<&Arc<Waiver>> = waivers.iter().filter(|one| one.is_about(package, version)).collect();
        let is_of_others =
            |one: &Waiver| submitted.is_none_or(|submission| !one.by.iter().any(|by| stands_behind(by, &one.behind, submission)));
        let counting = about.iter().copied().filter(|one| one.counts_at(now) && is_of_others(one)).collect();
        Waived { about, counting }
    }

    /// The waiver by which the finding does not count, if `needed` people made such: the first of theirs.
    pub fn by(&self, kind: FindingKind, needed: u32, said: &[Said]) -> Option<&'w Arc<Waiver>> {
        let of_kind = self.counting.iter().copied().filter(|one| one.findings.contains(&kind) && reaches(one, kind, said));
        let voices: Vec<&Arc<Waiver>> = of_kind.collect();
        voices.first().copied().filter(|_| people(voices.iter().map(|one| &***one)) >= needed)
    }

    /// When each of them ends by its date.
    pub fn ends(&self) -> impl Iterator<Item = Timestamp> {
        self.about.iter().filter(|one| one.ended_at.is_none()).map(|one| one.expires_at)
    }

    /// When each of them began and ended.
    pub fn turns(&self) -> impl Iterator<Item = Timestamp> {
        self.about
            .iter()
            .flat_map(|one| [Some(one.made_at), Some(one.ended_at.map_or(one.expires_at, |at| at.min(one.expires_at)))])
            .flatten()
    }
}

/// How many people made these waivers, surely. Of those who may be one person one is counted, and nobody is taken away by who came
/// first: an admin's word takes nothing from that of two people whose tokens the admin made.
pub fn people<'w>(waivers: impl Iterator<Item = &'w Waiver>) -> u32 {
    let voices = waivers.flat_map(|one| one.by.iter().map(|by| (by.as_str(), one.behind.as_slice())));
    let voices: Vec<(&str, &[String])> = voices.take(VOICES_MAX).collect();
    let beginning_with = |first: &(&str, &[String])| {
        let mut people = vec![*first];
        for voice in &voices {
            if people.iter().all(|one| !may_be_one(*one, *voice)) {
                people.push(*voice);
            }
        }
        people.len()
    };
    u32::try_from(voices.iter().map(beginning_with).max().unwrap_or(0)).unwrap_or(u32::MAX)
}

/// Whether a waiver of these findings may be made: `None`, or why not. No number of people waives bytes that do not verify or an
/// entry that nobody can read, and what is called malware is waived release by release.
pub const fn refused(kind: FindingKind, is_of_one_release: bool) -> Option<&'static str> {
    if !can_be_covered(kind) {
        return Some("nobody can waive it");
    }
    if matches!(kind, FindingKind::Malware) && !is_of_one_release {
        return Some("it is waived for one release only: name its version");
    }
    None
}

/// Whether a waiver that names the kind reaches this finding of it: malware that is known by its very bytes is what it is called.
fn reaches(waiver: &Waiver, kind: FindingKind, said: &[Said]) -> bool {
    let is_known_by_bytes = || said.iter().any(|one| one.advisory.kind == AdvisoryKind::Malware && one.names_bytes);
    refused(kind, waiver.version.is_some()).is_none() && !(kind == FindingKind::Malware && is_known_by_bytes())
}
