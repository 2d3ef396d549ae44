//! Waivers: made and ended by people, ended by Airlock where their reason is gone, and known here by the packages that they are
//! about. Whether one counts for a release is for `quarantine::waived` to say.

use std::collections::HashMap;
use std::hash::DefaultHasher;
use std::hash::Hash;
use std::hash::Hasher;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use data_encoding::HEXLOWER;
use tokio::sync::Mutex;

use crate::model::actor::Actor;
use crate::model::actor::is_among;
use crate::model::actor::join;
use crate::model::decision::Decision;
use crate::model::finding::FindingKind;
use crate::model::finding::printable;
use crate::model::package::PackageId;
use crate::model::package::PackageName;
use crate::model::package::Version;
use crate::model::pattern::PackagePattern;
use crate::model::principal::Principal;
use crate::model::release::ReleaseId;
use crate::model::time::Timestamp;
use crate::model::token::Role;
use crate::model::waiver::Waiver;
use crate::model::waiver::WaiverId;
use crate::quarantine::Quarantine;
use crate::quarantine::approval::people_needed;
use crate::quarantine::approval::stands_behind;
use crate::quarantine::waived::people;
use crate::quarantine::waived::refused;
use crate::storage::record::Command;
use crate::storage::state::Batch;
use crate::storage::state::CommitError;
use crate::storage::state::ReadError;

/// Waivers that count at once.
pub const WAIVERS_MAX: usize = 1_000;
/// For how long one counts at most.
pub const LASTS_MOST: Duration = Duration::from_secs(366 * 24 * 3_600);
/// The name under which Airlock itself ends a waiver.
pub const AIRLOCK: &str = "airlock";

/// What a person wants to be waived.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WaiverOrder {
    pub packages: Vec<PackagePattern>,
    /// Only this release of the one package that is named.
    pub version: Option<Version>,
    pub findings: Vec<FindingKind>,
    pub reason: String,
    pub expires_at: Timestamp,
}

/// How many people waived a finding as one waiver does, and how many it takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Voices {
    pub finding: FindingKind,
    pub given: u32,
    pub needed: u32,
}

#[derive(Debug, thiserror::Error)]
pub enum WaiveError {
    #[error("a waiver needs a name to be recorded under")]
    Nobody,
    #[error("a reason is needed")]
    ReasonMissing,
    #[error("the reason is longer than {max} bytes")]
    ReasonTooLong { max: usize },
    #[error("packages: name 1 to {max} of them, such as left-pad or @acme/*")]
    Packages { max: usize },
    #[error("version: it is of one package that is named in full, and nothing else")]
    VersionOfMany,
    #[error("findings: name at least one")]
    NoFindings,
    #[error("findings: {kind}: {why}")]
    NeverWaived { kind: FindingKind, why: &'static str },
    #[error("expires_at: {0} is not in the future")]
    ExpiryInPast(Timestamp),
    #[error("expires_at: a waiver counts for {} days at most", .max.as_secs() / 86_400)]
    ExpiryTooFar { max: Duration },
    /// All packages of a scope, known or not.
    #[error("a waiver for all packages of a scope needs a token with the role admin")]
    TooWide,
    #[error(
        "{by} stands behind {release} as who submitted it, or who gave or was given a token or a password for it: another person is needed"
    )]
    OwnSubmission { release: ReleaseId, by: String },
    #[error("{by} has waived this already, by waiver {id}; end that one to change it")]
    Already { by: String, id: WaiverId },
    #[error("{max} waivers count already: end some that are not needed any more")]
    TooMany { max: usize },
    #[error("there is no waiver {0}")]
    Unknown(WaiverId),
    #[error("waiver {0} has ended already")]
    Ended(WaiverId),
    #[error("no random numbers are to be had: {0}")]
    Random(getrandom::Error),
    #[error(transparent)]
    Commit(#[from] CommitError),
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// The waivers as they are recorded, in memory whole: every judgement asks for them.
#[derive(Default)]
pub struct Waivers {
    known: ArcSwap<Known>,
    /// Held from before a change is recorded until it is known here, so that nothing older comes after.
    settling: Mutex<()>,
}

#[derive(Default)]
struct Known {
    /// Oldest first.
    all: Vec<Arc<Waiver>>,
    by_name: HashMap<PackageName, About>,
    by_scope: HashMap<String, About>,
}

/// Waivers that name the same, by their places.
#[derive(Default)]
struct About {
    places: Vec<usize>,
    /// Another number for another list of them, and for one of which one ended.
    stamp: u64,
}

impl About {
    fn add(&mut self, place: usize, waiver: &Waiver) {
        if self.places.last() == Some(&place) {
            return;
        }
        self.places.push(place);
        let mut hasher = DefaultHasher::new();
        (self.stamp, &waiver.id, waiver.ended_at).hash(&mut hasher);
        self.stamp = hasher.finish();
    }
}

impl Waivers {
    pub fn know(&self, all: Vec<Waiver>) {
        let mut known = Known { all: all.into_iter().map(Arc::new).collect(), ..Known::default() };
        for (place, waiver) in known.all.iter().enumerate() {
            for pattern in &waiver.packages {
                match pattern {
                    PackagePattern::Package(name) => known.by_name.entry(name.clone()).or_default().add(place, waiver),
                    PackagePattern::Scope(scope) => known.by_scope.entry(scope.clone()).or_default().add(place, waiver),
                }
            }
        }
        self.known.store(Arc::new(known));
    }

    /// Those that speak of the package, oldest first; of those that ended, as many as are remembered.
    pub fn of(&self, package: &PackageId) -> Arc<[Arc<Waiver>]> {
        let known = self.known.load();
        let mut places: Vec<usize> = known.about(package).flat_map(|about| about.places.iter().copied()).collect();
        places.sort_unstable();
        places.dedup();
        places.into_iter().filter_map(|place| known.all.get(place).cloned()).collect()
    }

    /// Another number whenever [`Waivers::of`] is another list.
    pub fn changes(&self, package: &PackageId) -> u64 {
        self.known.load().about(package).fold(0, |sum, about| sum.rotate_left(21).wrapping_add(about.stamp))
    }

    /// All that are remembered, oldest first.
    pub fn all(&self) -> Vec<Arc<Waiver>> {
        self.known.load().all.clone()
    }
}

impl Known {
    fn about(&self, package: &PackageId) -> impl Iterator<Item = &About> {
        let scope = package.name.scope().filter(|_| !self.by_scope.is_empty());
        self.by_name.get(&package.name).into_iter().chain(scope.and_then(|scope| self.by_scope.get(scope)))
    }
}

impl Quarantine {
    /// All waivers that count, and of those that ended the last thousand; oldest first.
    pub fn waivers(&self) -> Vec<Arc<Waiver>> {
        self.waivers.all()
    }

    /// For each finding of a waiver: how many people waived it for all that the waiver is about, of as many as it takes.
    pub fn voices(&self, waiver: &Waiver, now: Timestamp) -> Vec<Voices> {
        let all = self.waivers.all();
        let is_as_wide = |other: &Waiver| {
            let names = |pattern: &PackagePattern| other.packages.iter().any(|one| one.covers(pattern));
            waiver.packages.iter().all(names) && (other.version.is_none() || other.version == waiver.version)
        };
        let counting: Vec<&Waiver> = all.iter().map(|one| &**one).filter(|one| one.counts_at(now) && is_as_wide(one)).collect();
        let voices = |kind: &FindingKind| Voices {
            finding: *kind,
            given: people(counting.iter().copied().filter(|one| one.findings.contains(kind))),
            needed: people_needed(self.policy.action(*kind), self.policy.review.approvals.max(1)),
        };
        waiver.findings.iter().map(voices).collect()
    }

    /// Records a waiver of `person`. Durable, and counting, when it returns.
    pub async fn waive(&self, order: &WaiverOrder, person: &Principal) -> Result<Arc<Waiver>, WaiveError> {
        let Some(by) = person.name.as_deref() else { return Err(WaiveError::Nobody) };
        let now = self.clock.now();
        let mut behind = Vec::new();
        join(&mut behind, &person.behind, by);
        let waiver = well_formed(order, by, behind, now)?;
        if waiver.is_wide() && !person.roles.covers(Role::Admin) {
            return Err(WaiveError::TooWide);
        }
        self.is_of_another(&waiver, by).await?;
        let _alone = self.waivers.settling.lock().await;
        let known = self.waivers.all();
        let mine = known.iter().find(|one| {
            let is_same = one.packages == waiver.packages && one.version == waiver.version && one.findings == waiver.findings;
            one.counts_at(now) && is_among(by, &one.by) && is_same
        });
        if let Some(mine) = mine {
            return Err(WaiveError::Already { by: by.to_owned(), id: mine.id.clone() });
        }
        if known.iter().filter(|one| one.counts_at(now)).count() >= WAIVERS_MAX {
            return Err(WaiveError::TooMany { max: WAIVERS_MAX });
        }
        let command = Command::Waived { waiver: waiver.clone() };
        let mut all: Vec<Waiver> = known.iter().map(|one| Waiver::clone(one)).collect();
        all.push(waiver.clone());
        let batch = Batch { at: now, actor: Actor::Person(by.to_owned()), conditions: Vec::new(), commands: vec![command] };
        self.settle(batch, all).await?;
        tracing::info!(waiver = waiver.id, by, "waived");
        Ok(Arc::new(waiver))
    }

    /// Ends a waiver before its time. Whoever may make one may end any: it lets nothing through.
    pub async fn end_waiver(&self, id: &str, reason: &str, person: &Principal) -> Result<Arc<Waiver>, WaiveError> {
        let Some(by) = person.name.as_deref() else { return Err(WaiveError::Nobody) };
        let reason = reasoned(reason)?;
        self.end(id, reason, by, Actor::Person(by.to_owned())).await
    }

    /// Ends a waiver whose reason is gone.
    pub async fn close_waiver(&self, id: &str, reason: &str) -> Result<Arc<Waiver>, WaiveError> {
        self.end(id, reason.to_owned(), AIRLOCK, Actor::Airlock).await
    }

    async fn end(&self, id: &str, reason: String, by: &str, actor: Actor) -> Result<Arc<Waiver>, WaiveError> {
        let _alone = self.waivers.settling.lock().await;
        let now = self.clock.now();
        let of_id = |all: Vec<Arc<Waiver>>| all.into_iter().find(|one| one.id == *id);
        let waiver = of_id(self.waivers.all()).ok_or_else(|| WaiveError::Unknown(id.to_owned()))?;
        if !waiver.counts_at(now) {
            return Err(WaiveError::Ended(waiver.id.clone()));
        }
        let command = Command::WaiverEnded { id: waiver.id.clone(), by: by.to_owned(), reason };
        // Before it is recorded: whoever asked may be gone by then, and it is to let nothing through any more.
        let mut known: Vec<Waiver> = self.waivers.all().iter().map(|one| Waiver::clone(one)).collect();
        for one in known.iter_mut().filter(|one| one.id == *id) {
            one.ended_at = Some(now);
            one.ended_by = Some(by.to_owned());
        }
        self.waivers.know(known.clone());
        let settled = self.settle(Batch { at: now, actor, conditions: Vec::new(), commands: vec![command] }, known).await;
        if settled.is_err()
            && let Ok(recorded) = self.state.waivers().await
        {
            self.waivers.know(recorded);
        }
        settled?;
        tracing::info!(waiver = id, by, "a waiver ended");
        Ok(of_id(self.waivers.all()).unwrap_or(waiver))
    }

    /// `after`: all of them once it is recorded, where that cannot be read back. What is recorded is no failure.
    async fn settle(&self, batch: Batch, after: Vec<Waiver>) -> Result<(), WaiveError> {
        self.state.commit(batch).await?;
        let recorded = self.state.waivers().await;
        self.waivers.know(recorded.unwrap_or_else(|error| {
            tracing::error!(%error, "waivers were recorded, but could not be read back; they hold as they were recorded");
            after
        }));
        Ok(())
    }

    /// Who stands behind a release does not let it through. Where a waiver is about more, it does not count for such releases.
    async fn is_of_another(&self, waiver: &Waiver, by: &str) -> Result<(), WaiveError> {
        let (Some(version), [PackagePattern::Package(name)]) = (&waiver.version, waiver.packages.as_slice()) else { return Ok(()) };
        if self.policy.review.self_approval {
            return Ok(());
        }
        for ecosystem in self.ecosystems.keys() {
            let package = PackageId { ecosystem: *ecosystem, name: name.clone() };
            let state = self.state.package(&package).await?;
            if state.submission(version).is_some_and(|one| stands_behind(by, &waiver.behind, one)) {
                return Err(WaiveError::OwnSubmission { release: ReleaseId { package, version: version.clone() }, by: by.to_owned() });
            }
        }
        Ok(())
    }
}

fn reasoned(reason: &str) -> Result<String, WaiveError> {
    let reason = reason.trim();
    if reason.is_empty() {
        return Err(WaiveError::ReasonMissing);
    }
    if reason.len() > Decision::REASON_BYTES_MAX {
        return Err(WaiveError::ReasonTooLong { max: Decision::REASON_BYTES_MAX });
    }
    Ok(printable(reason, Decision::REASON_BYTES_MAX))
}

fn well_formed(order: &WaiverOrder, by: &str, behind: Vec<String>, now: Timestamp) -> Result<Waiver, WaiveError> {
    let reason = reasoned(&order.reason)?;
    let (mut packages, mut findings) = (order.packages.clone(), order.findings.clone());
    packages.sort_unstable();
    packages.dedup();
    findings.sort_unstable();
    findings.dedup();
    if packages.is_empty() || packages.len() > Waiver::PACKAGES_MAX {
        return Err(WaiveError::Packages { max: Waiver::PACKAGES_MAX });
    }
    if order.version.is_some() && !matches!(packages.as_slice(), [PackagePattern::Package(_)]) {
        return Err(WaiveError::VersionOfMany);
    }
    if findings.is_empty() {
        return Err(WaiveError::NoFindings);
    }
    let never = findings.iter().find_map(|kind| Some((*kind, refused(*kind, order.version.is_some())?)));
    if let Some((kind, why)) = never {
        return Err(WaiveError::NeverWaived { kind, why });
    }
    if order.expires_at <= now {
        return Err(WaiveError::ExpiryInPast(order.expires_at));
    }
    if order.expires_at > now.plus(LASTS_MOST) {
        return Err(WaiveError::ExpiryTooFar { max: LASTS_MOST });
    }
    let mut id = [0_u8; 6];
    getrandom::fill(&mut id).map_err(WaiveError::Random)?;
    Ok(Waiver {
        id: HEXLOWER.encode(&id),
        packages,
        version: order.version.clone(),
        findings,
        reason,
        by: vec![by.to_owned()],
        behind,
        made_at: now,
        expires_at: order.expires_at,
        ended_at: None,
        ended_by: None,
    })
}
