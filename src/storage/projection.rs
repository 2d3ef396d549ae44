//! The pure fold of records into what is known of a package. Everything a request reads of packages is this, and can be
//! had again by folding the ledger from its first record.

pub mod hosting;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::model::decision::Decision;
use crate::model::decision::Verb;
use crate::model::package::PackageId;
use crate::model::waiver::Request;
use crate::storage::record::Acknowledgement;
use crate::storage::record::Command;
use crate::storage::record::Inspection;
use crate::storage::record::LastSight;
use crate::storage::record::PackageState;
use crate::storage::record::Record;
use crate::storage::record::ReleaseState;
use crate::storage::record::Sight;

/// Raised when the fold gives another state for the same records: what was kept by another one is built anew.
pub const EDITION: u16 = 5;

/// The package a command changes, if it changes one. Jobs change none: what is known of a package does not depend on them.
pub fn package(command: &Command) -> Option<&PackageId> {
    match command {
        Command::Sight(sight) => Some(&sight.package),
        Command::Inspected { release, .. }
        | Command::Decided { release, .. }
        | Command::Submitted { release, .. }
        | Command::Requested { release, .. }
        | Command::Acknowledged { release, .. } => Some(&release.package),
        Command::Amended { package, .. } | Command::Assigned { package, .. } => Some(package),
        Command::Policy { .. }
        | Command::TokenCreated { .. }
        | Command::TokenRevoked { .. }
        | Command::JobQueued { .. }
        | Command::JobLeased { .. }
        | Command::JobDone { .. }
        | Command::JobFailed { .. }
        | Command::UserMade { .. }
        | Command::UserChanged { .. }
        | Command::KeyMade { .. }
        | Command::Waived { .. }
        | Command::WaiverEnded { .. }
        | Command::Rejudged { .. }
        | Command::EditionBegun { .. }
        | Command::FeedHeard { .. } => None,
    }
}

/// Every package that a record touches, each once.
pub fn packages(record: &Record) -> BTreeSet<&PackageId> {
    record.commands.iter().filter_map(package).collect()
}

/// Applies what `record` says of `of` and makes the record its revision.
pub fn fold(state: &mut PackageState, of: &PackageId, record: &Record) {
    for command in record.commands.iter().filter(|command| package(command) == Some(of)) {
        match command {
            Command::Sight(sight) => seen(state, sight),
            Command::Inspected { release, file, inspection } => {
                inspected(state.releases.entry(release.version.clone()).or_default(), file, inspection);
                forget_empty(state, &release.version);
            }
            Command::Decided { release, decision } => {
                decided(state.releases.entry(release.version.clone()).or_default(), decision);
                forget_empty(state, &release.version);
            }
            Command::Submitted { release, submission } => hosting::submitted(state, &release.version, submission, record.sequence),
            Command::Amended { changes, .. } => hosting::amended(state, changes, record.at),
            Command::Assigned { to, .. } => hosting::assigned(state, *to, record.at),
            Command::Requested { release, request } => requested(state.releases.entry(release.version.clone()).or_default(), request),
            Command::Acknowledged { release, acknowledgement } => {
                acknowledged(state.releases.entry(release.version.clone()).or_default(), acknowledgement);
            }
            Command::Policy { .. }
            | Command::TokenCreated { .. }
            | Command::TokenRevoked { .. }
            | Command::JobQueued { .. }
            | Command::JobLeased { .. }
            | Command::JobDone { .. }
            | Command::JobFailed { .. }
            | Command::UserMade { .. }
            | Command::UserChanged { .. }
            | Command::KeyMade { .. }
            | Command::Waived { .. }
            | Command::WaiverEnded { .. }
            | Command::Rejudged { .. }
            | Command::EditionBegun { .. }
            | Command::FeedHeard { .. } => {}
        }
        state.revision = record.sequence;
    }
}

fn seen(state: &mut PackageState, sight: &Sight) {
    state.first_seen_at.get_or_insert(sight.at);
    state.last_sight = Some(LastSight { at: sight.at, source: sight.source, document: sight.document });
    for version in &sight.added {
        let release = state.releases.entry(version.clone()).or_default();
        if !sight.first {
            release.absent_at = release.absent_at.max(sight.absent_at);
            release.seen_at = release.seen_at.max(Some(sight.at));
        }
        release.removed_at = None;
        forget_empty(state, version);
    }
    for version in &sight.removed {
        state.releases.entry(version.clone()).or_default().removed_at.get_or_insert(sight.at);
    }
    for version in &sight.returned {
        if let Some(release) = state.releases.get_mut(version) {
            release.removed_at = None;
        }
        forget_empty(state, version);
    }
    for version in &sight.changed {
        state.releases.entry(version.clone()).or_default().changed_at = Some(sight.at);
    }
}

/// The bytes first looked at stay the release's bytes: an inspection of others is in the ledger and changes nothing here.
/// Bytes that were not those stated are no release's bytes: they pin nothing.
fn inspected(release: &mut ReleaseState, file: &str, inspection: &Inspection) {
    let earlier = release.inspections.get(file).filter(|earlier| earlier.pins());
    let pinned = release.pins.get(file).or_else(|| earlier.map(|earlier| &earlier.digest));
    if pinned.is_none_or(|pinned| *pinned == inspection.digest) {
        if inspection.pins() {
            release.first_inspected_at.get_or_insert(inspection.at);
        }
        release.inspections.insert(file.to_owned(), Arc::new(inspection.clone()));
    }
}

fn decided(release: &mut ReleaseState, decision: &Decision) {
    match decision.verb {
        Verb::Reopen => {
            for (file, inspection) in std::mem::take(&mut release.inspections).into_iter().filter(|(_, one)| one.pins()) {
                release.pins.entry(file).or_insert(inspection.digest);
            }
            release.decisions.clear();
        }
        Verb::Approve | Verb::Reject | Verb::Hold | Verb::Revoke => release.decisions.push(decision.clone()),
    }
}

/// Beyond the most that are kept the oldest makes room: it may be answered long since.
fn requested(release: &mut ReleaseState, request: &Request) {
    if let Some(one) = release.requests.iter_mut().find(|one| one.by == request.by) {
        *one = request.clone();
    } else {
        if release.requests.len() >= ReleaseState::REQUESTS_MAX {
            release.requests.remove(0);
        }
        release.requests.push(request.clone());
    }
}

fn acknowledged(release: &mut ReleaseState, acknowledgement: &Acknowledgement) {
    if let Some(one) = release.acknowledgements.iter_mut().find(|one| one.by == acknowledgement.by && one.of == acknowledgement.of) {
        *one = acknowledgement.clone();
    } else if release.acknowledgements.len() < ReleaseState::ACKNOWLEDGEMENTS_MAX {
        release.acknowledgements.push(acknowledgement.clone());
    }
}

/// Keeps only releases of which there is something to say.
fn forget_empty(state: &mut PackageState, version: &crate::model::package::Version) {
    if state.releases.get(version).is_some_and(|release| *release == ReleaseState::default()) {
        state.releases.remove(version);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::actor::Actor;
    use crate::model::digest::Digest;
    use crate::model::digest::DocumentDigest;
    use crate::model::digest::IntegrityOutcome;
    use crate::model::facts::Facts;
    use crate::model::package::Version;
    use crate::model::release::ReleaseId;
    use crate::model::time::Timestamp;
    use crate::storage::record::Sequence;

    struct Folded {
        package: PackageId,
        state: PackageState,
    }

    impl Folded {
        fn new() -> Folded {
            Folded { package: PackageId::npm("left-pad").unwrap(), state: PackageState::default() }
        }

        fn fold(&mut self, commands: Vec<Command>) -> &mut Folded {
            let sequence = Sequence(self.state.revision.0 + 1);
            let record = Record { version: 1, sequence, at: at(0), actor: Actor::Airlock, commands };
            fold(&mut self.state, &self.package, &record);
            self
        }

        fn sight(&mut self, seconds: i64, change: impl FnOnce(&mut Sight)) -> &mut Folded {
            let document = DocumentDigest::of(b"document");
            let mut sight = Sight {
                package: self.package.clone(),
                at: at(seconds),
                source: document,
                document,
                first: false,
                absent_at: None,
                added: vec![],
                removed: vec![],
                returned: vec![],
                changed: vec![],
            };
            change(&mut sight);
            self.fold(vec![Command::Sight(sight)])
        }

        fn inspect(&mut self, bytes: &[u8], edition: u16) -> &mut Folded {
            let inspection = Inspection {
                at: at(1),
                edition,
                digest: Digest::of(bytes),
                size: 1,
                integrity: IntegrityOutcome::Agrees,
                facts: Facts::default(),
                substance: None,
                evidence: None,
            };
            let release = self.release_id();
            self.fold(vec![Command::Inspected { release, file: "f".into(), inspection: Box::new(inspection) }])
        }

        fn decide(&mut self, verb: Verb) -> &mut Folded {
            let decision = Decision {
                verb,
                by: "ann".into(),
                behind: vec![],
                at: at(2),
                reason: "r".into(),
                digest: None,
                substance: None,
                covers: vec![],
                basis: None,
                expires_at: None,
            };
            let release = self.release_id();
            self.fold(vec![Command::Decided { release, decision }])
        }

        fn release_id(&self) -> ReleaseId {
            ReleaseId { package: self.package.clone(), version: v("1.0.0") }
        }

        fn release(&self) -> ReleaseState {
            self.state.releases.get(&v("1.0.0")).cloned().unwrap_or_default()
        }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    fn v(text: &str) -> Version {
        Version::parse(text).unwrap()
    }

    #[test]
    fn a_first_sight_says_nothing_of_its_releases() {
        let mut folded = Folded::new();
        folded.sight(5, |sight| {
            sight.first = true;
            sight.absent_at = Some(at(1));
            sight.added = vec![v("1.0.0"), v("2.0.0")];
        });
        assert!(folded.state.releases.is_empty());
        assert_eq!(folded.state.first_seen_at, Some(at(5)));
        assert_eq!(folded.state.last_sight.as_ref().unwrap().at, at(5));
        assert_eq!(folded.state.revision, Sequence(1));
    }

    #[test]
    fn a_release_comes_goes_and_comes_back() {
        let mut folded = Folded::new();
        folded.sight(9, |sight| {
            sight.added = vec![v("1.0.0")];
            sight.absent_at = Some(at(8));
        });
        assert_eq!(folded.release().absent_at, Some(at(8)));
        folded.sight(10, |sight| sight.removed = vec![v("1.0.0")]).sight(11, |sight| sight.removed = vec![v("1.0.0")]);
        assert_eq!(folded.release().removed_at, Some(at(10)));
        folded.sight(12, |sight| {
            sight.returned = vec![v("1.0.0")];
            sight.absent_at = Some(at(11));
        });
        assert_eq!(folded.release().removed_at, None);
        assert_eq!(folded.release().absent_at, Some(at(8)), "it had been here before");
        folded.sight(13, |sight| sight.changed = vec![v("1.0.0")]);
        assert_eq!(folded.release().changed_at, Some(at(13)));
        assert_eq!(folded.state.first_seen_at, Some(at(9)));
    }

    #[test]
    fn nothing_is_kept_of_a_release_of_which_there_is_nothing_to_say() {
        let mut folded = Folded::new();
        folded.sight(1, |sight| sight.removed = vec![v("1.0.0")]).sight(2, |sight| sight.returned = vec![v("1.0.0")]);
        assert!(folded.state.releases.is_empty());
    }

    #[test]
    fn the_first_bytes_stay_the_releases_bytes() {
        let mut folded = Folded::new();
        folded.inspect(b"first", 1).inspect(b"other", 2);
        assert_eq!(folded.release().inspections["f"].digest, Digest::of(b"first"));
        folded.inspect(b"first", 3);
        assert_eq!(folded.release().inspections["f"].edition, 3);
        assert_eq!(folded.state.revision, Sequence(3));
    }

    #[test]
    fn reopening_forgets_all_but_the_pin() {
        let mut folded = Folded::new();
        folded.inspect(b"first", 1).decide(Verb::Approve).decide(Verb::Reopen);
        assert!(folded.release().decisions.is_empty() && folded.release().inspections.is_empty());
        assert_eq!(folded.release().pins["f"], Digest::of(b"first"));
        folded.inspect(b"other", 2);
        assert!(folded.release().inspections.is_empty());
        folded.inspect(b"first", 2).decide(Verb::Reject);
        assert_eq!(folded.release().inspections.len(), 1);
        assert_eq!(folded.release().decisions.len(), 1);
    }

    #[test]
    fn jobs_do_not_move_a_revision() {
        let mut folded = Folded::new();
        let work = crate::model::job::Work::Inspect { release: folded.release_id(), file: "f".into() };
        folded.fold(vec![Command::JobQueued { work, due_at: at(0) }]);
        assert_eq!(folded.state, PackageState::default());
    }
}
