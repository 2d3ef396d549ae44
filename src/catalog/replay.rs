//! A policy on trial: over what was pulled lately, or over all that is known here, what another policy would have kept back or let
//! through. Off the serving path, one at a time, and nothing of it is remembered.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::catalog::Catalog;
use crate::catalog::CatalogError;
use crate::config::Faults;
use crate::config::policy::Policy;
use crate::config::read_policy;
use crate::model::digest::DocumentDigest;
use crate::model::package::PackageId;
use crate::model::package::Version;
use crate::model::release::ReleaseId;
use crate::model::standing::Standing;
use crate::model::time::Timestamp;
use crate::quarantine::text_of;
use crate::quarantine::trial::Compared;
use crate::quarantine::trial::OnTrial;
use crate::quarantine::verdict::Verdict;
use crate::quarantine::wording;
use crate::storage::pulls::since::DayPulls;
use crate::storage::record::PackageState;

/// Releases that are named of each kind, and callers; all are counted.
pub const NAMED_MAX: usize = 1_000;
/// Callers that are named of one release.
pub const PULLERS_MAX: usize = 20;
/// As far back as pulls are kept.
pub const DAYS_MAX: u32 = 400;
/// Packages read at once.
const PAGE: usize = 64;
/// A trial that takes longer ends with what it found until then.
const TIME_MAX: Duration = Duration::from_secs(240);
const DAY: Duration = Duration::from_secs(24 * 3_600);

/// What is tried, against what, on what.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trial {
    /// The text of a configuration.
    pub candidate: String,
    /// The same; `None`: the policy that judges here.
    pub baseline: Option<String>,
    pub on: On,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum On {
    /// What was pulled in the last so many days.
    Days(u32),
    /// Every release of every package that is known here, now.
    Known,
}

#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    #[error("{0}")]
    Faults(#[from] Faults),
    #[error("days is from 1 to {DAYS_MAX}")]
    Days,
    #[error("another policy is on trial; try again when that is done")]
    Busy,
    #[error(transparent)]
    Catalog(#[from] CatalogError),
}

/// What a trial came to.
#[derive(Clone, PartialEq, Debug)]
pub struct Replayed {
    pub from: Option<Timestamp>,
    pub to: Timestamp,
    pub baseline: DocumentDigest,
    pub candidate: DocumentDigest,
    /// Pulls that were judged, each once, and how many of them the candidate would have refused.
    pub pulls: u64,
    pub refused_pulls: u64,
    /// Releases that were judged as of now: all of every package that was looked at.
    pub releases: u64,
    /// Most pulled first.
    pub blocked: Vec<Moved>,
    pub blocked_total: u64,
    /// Most wanted first.
    pub allowed: Vec<Moved>,
    pub allowed_total: u64,
    /// Who would have been refused something, most often first.
    pub hit: Vec<Hit>,
    pub hit_total: u64,
    /// Releases of which nothing is known here any more, each once however often it was pulled, and their pulls: neither policy
    /// says anything of them.
    pub unknown: u64,
    pub unknown_pulls: u64,
    /// Whether everything was looked at.
    pub complete: bool,
}

/// A release that another policy moves.
#[derive(Clone, PartialEq, Debug)]
pub struct Moved {
    pub release: ReleaseId,
    pub before: Standing,
    pub after: Standing,
    /// The one wording, of the policy that keeps it back.
    pub sentence: String,
    /// Pulls that would have been refused.
    pub pulls: u64,
    pub pullers: Vec<Hit>,
    pub pullers_total: u64,
    /// How often it was asked for while it was not served, since the start.
    pub wanted: u64,
}

/// A caller, and what they would not have got.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hit {
    pub by: Option<String>,
    pub address: IpAddr,
    pub pulls: u64,
    pub releases: u64,
    pub last_at: Timestamp,
}

type Who = (Option<String>, IpAddr);

/// What is found, as it is gathered.
#[derive(Default)]
struct Gathered {
    blocked: BTreeMap<ReleaseId, (Moved, HashMap<Who, Hit>)>,
    allowed: Vec<Moved>,
    allowed_total: u64,
    pulls: u64,
    releases: u64,
    unknown: u64,
    unknown_pulls: u64,
}

type Sides = Arc<(OnTrial, OnTrial)>;

impl Catalog {
    /// # Errors
    /// A policy has faults, another one is on trial, or what is stored cannot be read.
    pub async fn replay(self: &Arc<Self>, trial: &Trial) -> Result<Replayed, TrialError> {
        let candidate = Arc::new(read_policy("candidate", &trial.candidate)?);
        let baseline = match &trial.baseline {
            Some(text) => Arc::new(read_policy("baseline", text)?),
            None => Arc::new(self.quarantine.policy().clone()),
        };
        if matches!(trial.on, On::Days(days) if days == 0 || days > DAYS_MAX) {
            return Err(TrialError::Days);
        }
        let Ok(_turn) = self.trials.try_acquire() else { return Err(TrialError::Busy) };
        let (began, now) = (Instant::now(), self.clock.now());
        let mut gathered = Gathered::default();
        let sides = Arc::new((OnTrial::of(Arc::clone(&baseline)), OnTrial::of(Arc::clone(&candidate))));
        let (from, complete) = match trial.on {
            On::Days(days) => {
                let from = now.minus(DAY * days);
                (Some(from), self.over_pulls(from, &sides, &mut gathered, began).await?)
            }
            On::Known => (None, self.over_known(&sides, &mut gathered, began).await?),
        };
        let digest = |policy: &Policy| DocumentDigest::of(text_of(policy).as_bytes());
        Ok(gathered.summed_up(from, now, (digest(&baseline), digest(&candidate)), complete))
    }

    async fn over_pulls(
        self: &Arc<Self>,
        from: Timestamp,
        sides: &Sides,
        gathered: &mut Gathered,
        began: Instant,
    ) -> Result<bool, CatalogError> {
        let since = self.pulls.since(from).await.map_err(|error| CatalogError::Storage(error.to_string()))?;
        let mut packages: BTreeMap<PackageId, Vec<DayPulls>> = BTreeMap::new();
        for one in since.pulls {
            packages.entry(one.release.package.clone()).or_default().push(one);
        }
        for (package, pulls) in packages {
            if began.elapsed() > TIME_MAX {
                return Ok(false);
            }
            let state = self.state.package(&package).await?;
            self.try_package(package, state, pulls, sides, gathered).await?;
        }
        Ok(since.left_out == 0)
    }

    async fn over_known(self: &Arc<Self>, sides: &Sides, gathered: &mut Gathered, began: Instant) -> Result<bool, CatalogError> {
        let mut last = None;
        loop {
            let packages = self.state.packages(last.as_ref(), PAGE).await?;
            let Some((package, _)) = packages.last() else { return Ok(true) };
            last = Some(package.clone());
            for (package, state) in packages {
                if began.elapsed() > TIME_MAX {
                    return Ok(false);
                }
                self.try_package(package, state, Vec::new(), sides, gathered).await?;
            }
        }
    }

    /// Rests as long as it works, so that serving has the other core.
    async fn try_package(
        self: &Arc<Self>,
        package: PackageId,
        state: Arc<PackageState>,
        pulls: Vec<DayPulls>,
        sides: &Sides,
        gathered: &mut Gathered,
    ) -> Result<(), CatalogError> {
        let began = Instant::now();
        let index = match &state.last_sight {
            Some(sight) => self.kept_index(&package, sight).await?,
            None => None,
        };
        let Some(index) = index.map(Arc::new) else {
            gathered.lost(&state, &pulls);
            return Ok(());
        };
        let now = self.clock.now();
        self.meet_on(sides, &index, &state, now).await?;
        let (quarantine, sides) = (Arc::clone(&self.quarantine), Arc::clone(sides));
        let judged = move || {
            let row = |one: &DayPulls| index.rows.iter().position(|row| row.version == one.release.version);
            let points: Vec<(usize, Timestamp)> = pulls.iter().map(|one| (row(one).unwrap_or(usize::MAX), one.first_at)).collect();
            let then = quarantine.compare(&sides, &index, &state, &points, now);
            let today: Vec<(usize, Timestamp)> = (0..index.rows.len()).map(|row| (row, now)).collect();
            let today = quarantine.compare(&sides, &index, &state, &today, now);
            (index, pulls, then, today)
        };
        let (index, pulls, then, today) =
            tokio::task::spawn_blocking(judged).await.map_err(|error| CatalogError::Storage(error.to_string()))?;
        let is_of_pulls = !pulls.is_empty();
        // In order of releases.
        let mut last_unknown = None;
        for (one, compared) in pulls.into_iter().zip(then) {
            match compared {
                Some(compared) => gathered.pulled(&one, &compared),
                None => {
                    gathered.unknown += u64::from(last_unknown.as_ref() != Some(&one.release));
                    gathered.unknown_pulls += one.count;
                    last_unknown = Some(one.release);
                }
            }
        }
        gathered.releases += index.rows.len() as u64;
        for (row, compared) in index.rows.iter().zip(&today) {
            let Some(compared) = compared else { continue };
            let release = ReleaseId { package: index.package.clone(), version: row.version.clone() };
            if compared.is_newly_allowed() {
                let wanted = self.wanted(&release);
                gathered.allows(release, compared, wanted, now);
            } else if compared.is_newly_blocked() && !is_of_pulls {
                gathered.blocks(release, compared, now);
            }
        }
        tokio::time::sleep(began.elapsed()).await;
        Ok(())
    }
}

fn moved(release: ReleaseId, compared: &Compared, keeping: &Verdict, at: Timestamp) -> Moved {
    let sentence = wording::refusal(&release.package, &release.version, keeping, at, None).sentence;
    let (before, after) = (compared.before.standing, compared.after.standing);
    Moved { release, before, after, sentence, pulls: 0, pullers: Vec::new(), pullers_total: 0, wanted: 0 }
}

impl Gathered {
    /// A package whose index is gone: of what was pulled of it, else of all that the ledger names.
    fn lost(&mut self, state: &PackageState, pulls: &[DayPulls]) {
        let releases: BTreeSet<&Version> = match pulls {
            [] => state.releases.keys().collect(),
            pulls => pulls.iter().map(|one| &one.release.version).collect(),
        };
        self.unknown += releases.len() as u64;
        self.unknown_pulls += pulls.iter().map(|one| one.count).sum::<u64>();
    }

    fn pulled(&mut self, one: &DayPulls, compared: &Compared) {
        self.pulls += one.count;
        if !compared.is_newly_blocked() {
            return;
        }
        let fresh = || (moved(one.release.clone(), compared, &compared.after, one.first_at), HashMap::new());
        let (release, pullers) = self.blocked.entry(one.release.clone()).or_insert_with(fresh);
        release.pulls += one.count;
        let who = (one.puller.by.clone(), one.puller.address);
        let none = Hit { by: who.0.clone(), address: who.1, pulls: 0, releases: 1, last_at: one.last_at };
        let hit = pullers.entry(who).or_insert(none);
        hit.pulls += one.count;
        hit.last_at = hit.last_at.max(one.last_at);
    }

    fn blocks(&mut self, release: ReleaseId, compared: &Compared, now: Timestamp) {
        self.blocked.entry(release.clone()).or_insert_with(|| (moved(release, compared, &compared.after, now), HashMap::new()));
    }

    fn allows(&mut self, release: ReleaseId, compared: &Compared, wanted: u64, now: Timestamp) {
        self.allowed_total += 1;
        self.allowed.push(Moved { wanted, ..moved(release, compared, &compared.before, now) });
        // The least wanted half makes room.
        if self.allowed.len() >= NAMED_MAX * 2 {
            self.cut_allowed();
        }
    }

    fn cut_allowed(&mut self) {
        self.allowed.sort_by(|left, right| right.wanted.cmp(&left.wanted).then_with(|| left.release.cmp(&right.release)));
        self.allowed.truncate(NAMED_MAX);
    }

    fn summed_up(
        mut self,
        from: Option<Timestamp>,
        to: Timestamp,
        (baseline, candidate): (DocumentDigest, DocumentDigest),
        complete: bool,
    ) -> Replayed {
        let mut hit: HashMap<Who, Hit> = HashMap::new();
        let mut blocked = Vec::new();
        for (release, pullers) in std::mem::take(&mut self.blocked).into_values() {
            for (who, one) in &pullers {
                match hit.get_mut(who) {
                    Some(sum) => {
                        sum.pulls += one.pulls;
                        sum.releases += 1;
                        sum.last_at = sum.last_at.max(one.last_at);
                    }
                    None => _ = hit.insert(who.clone(), one.clone()),
                }
            }
            let pullers_total = pullers.len() as u64;
            blocked.push(Moved { pullers: most(pullers, PULLERS_MAX), pullers_total, ..release });
        }
        blocked.sort_by(|left: &Moved, right| right.pulls.cmp(&left.pulls).then_with(|| left.release.cmp(&right.release)));
        let (blocked_total, hit_total) = (blocked.len() as u64, hit.len() as u64);
        let refused_pulls = blocked.iter().map(|one| one.pulls).sum();
        blocked.truncate(NAMED_MAX);
        self.cut_allowed();
        Replayed {
            from,
            to,
            baseline,
            candidate,
            pulls: self.pulls,
            refused_pulls,
            releases: self.releases,
            blocked,
            blocked_total,
            allowed: self.allowed,
            allowed_total: self.allowed_total,
            hit: most(hit, NAMED_MAX),
            hit_total,
            unknown: self.unknown,
            unknown_pulls: self.unknown_pulls,
            complete,
        }
    }
}

/// Those with the most pulls first.
fn most(hits: HashMap<Who, Hit>, most: usize) -> Vec<Hit> {
    let mut hits: Vec<Hit> = hits.into_values().collect();
    hits.sort_by(|left, right| {
        (right.pulls, &left.by, left.address, left.last_at).cmp(&(left.pulls, &right.by, right.address, right.last_at))
    });
    hits.truncate(most);
    hits
}
