//! Trying a policy: the same judgement by another policy, of releases that are known here at some time that was, or of releases
//! that are only described.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::Mutex;

use crate::config::cases::TrialAdvisory;
use crate::config::cases::TrialCase;
use crate::config::policy::Policy;
use crate::model::advisory::Advisory;
use crate::model::advisory::AdvisoryKind;
use crate::model::advisory::Source;
use crate::model::decision::Decision;
use crate::model::decision::Verb;
use crate::model::digest::Digest;
use crate::model::digest::Integrity;
use crate::model::digest::IntegrityOutcome;
use crate::model::facts::Facts;
use crate::model::finding::Finding;
use crate::model::finding::FindingKind;
use crate::model::index::Artifact;
use crate::model::index::Claims;
use crate::model::index::Index;
use crate::model::index::Origin;
use crate::model::index::Row;
use crate::model::package::PackageId;
use crate::model::release::ReleaseId;
use crate::model::stage::StageId;
use crate::model::time::Timestamp;
use crate::quarantine::Quarantine;
use crate::quarantine::advised::Advised;
use crate::quarantine::advised::Said;
use crate::quarantine::checks::inspection::EDITION;
use crate::quarantine::cohort::Cohorts;
use crate::quarantine::context::Context;
use crate::quarantine::judge::Case;
use crate::quarantine::judge::judge;
use crate::quarantine::question;
use crate::quarantine::standings::Around;
use crate::quarantine::standings::judge_all;
use crate::quarantine::verdict::Stage;
use crate::quarantine::verdict::Verdict;
use crate::quarantine::workflow::lock;
use crate::storage::record::Inspection;
use crate::storage::record::LocalRelease;
use crate::storage::record::PackageState;
use crate::storage::record::ReleaseState;
use crate::storage::record::Sequence;

/// Packages that a trial remembers to have met.
const MET_MAX: usize = 20_000;

/// A policy on trial, with what it makes of companions: what a release belongs together with opens by this policy too.
pub struct OnTrial {
    pub policy: Arc<Policy>,
    cohorts: Cohorts,
    /// Packages that were judged because they are known here to belong together with others.
    met: Mutex<BTreeSet<PackageId>>,
}

impl OnTrial {
    pub fn of(policy: Arc<Policy>) -> OnTrial {
        OnTrial { policy, cohorts: Cohorts::default(), met: Mutex::default() }
    }

    /// Whether it is to be judged still. What is forgotten is judged again.
    fn meets(&self, package: &PackageId) -> bool {
        let mut met = lock(&self.met);
        if met.len() >= MET_MAX {
            met.clear();
        }
        met.insert(package.clone())
    }
}

/// Where one release stands under two policies.
#[derive(Clone, PartialEq, Debug)]
pub struct Compared {
    pub before: Verdict,
    pub after: Verdict,
}

impl Compared {
    pub fn is_newly_blocked(&self) -> bool {
        self.before.is_served() && !self.after.is_served()
    }

    pub fn is_newly_allowed(&self) -> bool {
        !self.before.is_served() && self.after.is_served()
    }
}

impl Quarantine {
    /// Packages whose releases this policy has to judge before it says what becomes of this one's. Their companions belong
    /// together as of now, whenever a release is judged as of.
    pub fn strangers_on(&self, trial: &OnTrial, index: &Index, state: &PackageState, now: Timestamp) -> Vec<PackageId> {
        let Some(ecosystem) = self.ecosystem(index.package.ecosystem) else { return Vec::new() };
        let bonds = |manifest: &[u8]| ecosystem.bonds(manifest);
        trial.cohorts.bind(&question(&trial.policy, index, state, &bonds, now));
        // Those too that name this one, which it does not know of by itself.
        let ties = self.cohorts.ties(&question(&self.policy, index, state, &bonds, now));
        let known = ties.values().flat_map(|tie| &tie.siblings).filter_map(|one| one.rsplit_once('@'));
        let known = known.filter_map(|(name, _)| PackageId::parse(&format!("{}/{name}", index.package.ecosystem)).ok());
        let known: BTreeSet<PackageId> = known.filter(|one| *one != index.package).collect();
        let mut strangers: Vec<PackageId> = known.into_iter().filter(|one| trial.meets(one)).collect();
        strangers.extend(trial.cohorts.strangers(&index.package, now));
        strangers
    }

    /// A companion, judged by this policy.
    pub fn hear_on(&self, trial: &OnTrial, index: &Index, state: &PackageState, now: Timestamp) {
        let substance = |manifest: &[u8]| self.substance(index.package.ecosystem, manifest);
        let context = self.context_by((&trial.policy, &trial.cohorts), index, state, now);
        let mut standings = judge_all(index, state, &trial.policy, &context, substance, now);
        self.parked.set_aside(index, &mut standings);
        trial.cohorts.hear(index, &standings);
    }

    /// Releases of one package under two policies, each as of an instant: its age and people's decisions are as they were then, and
    /// everything else (inspections, advisories) is as it is known now. `points`: rows of the index, with when.
    pub fn compare(
        &self,
        (before, after): &(OnTrial, OnTrial),
        index: &Index,
        state: &PackageState,
        points: &[(usize, Timestamp)],
        now: Timestamp,
    ) -> Vec<Option<Compared>> {
        let substance = |manifest: &[u8]| self.substance(index.package.ecosystem, manifest);
        let context_of = |side: &OnTrial| self.context_by((&side.policy, &side.cohorts), index, state, now);
        let (old_context, new_context) = (context_of(before), context_of(after));
        let mut instants: Vec<Timestamp> = points.iter().map(|(_, at)| *at).collect();
        instants.sort_unstable();
        instants.dedup();
        let mut compared = vec![None; points.len()];
        for at in instants {
            let then = as_of(state, at);
            let then = then.as_ref().unwrap_or(state);
            let old = Around::of(index, then, &before.policy, &old_context, at);
            let new = Around::of(index, then, &after.policy, &new_context, at);
            for (place, (row, _)) in points.iter().enumerate().filter(|(_, (_, when))| *when == at) {
                let Some(row) = index.rows.get(*row) else { continue };
                let one = Compared { before: judge(&old.case(row, &substance)), after: judge(&new.case(row, &substance)) };
                if let Some(place) = compared.get_mut(place) {
                    *place = Some(one);
                }
            }
        }
        compared
    }
}

/// The package before people decided what they decided since; `None` where they did not.
fn as_of(state: &PackageState, at: Timestamp) -> Option<PackageState> {
    let is_later = |one: &Decision| one.at > at;
    if !state.releases.values().any(|release| release.decisions.iter().any(is_later)) {
        return None;
    }
    let mut then = state.clone();
    for release in then.releases.values_mut() {
        release.decisions.retain(|one| !is_later(one));
    }
    Some(then)
}

/// What a policy makes of a release that is only described, at `now`.
pub fn try_case(policy: &Policy, case: &TrialCase, now: Timestamp) -> Verdict {
    let TrialCase { package, version, .. } = case;
    let bytes = Digest::of(b"the bytes of a release that nobody has");
    let file = format!("{}-{version}.tgz", package.name.unscoped());
    let integrity = Integrity { sha512: Some(bytes), ..Integrity::default() };
    let row = Row {
        version: version.clone(),
        manifest: 0..0,
        published_at: Some(now.minus(case.age)),
        artifacts: vec![Artifact { file: file.clone(), aliases: Vec::new(), location: String::new(), integrity }],
        claims: Claims::default(),
        origin: Origin::default(),
        unreadable: None,
        removed_at: None,
    };
    let mut state = ReleaseState::default();
    if case.inspected {
        let facts = Facts { license: case.license.clone(), ..Facts::default() };
        let integrity = IntegrityOutcome::Agrees;
        let inspection =
            Inspection { at: now, edition: EDITION, digest: bytes, size: 1, integrity, facts, substance: None, evidence: None };
        state.inspections.insert(file, Arc::new(inspection));
    }
    state.decisions = (0..case.approvals).map(|number| approval(number, bytes, now)).collect();
    let submission = case.published_by.as_ref().map(|by| submission(case, by, bytes, now));
    let alleged: Vec<(Finding, Stage)> = case.findings.iter().map(|finding| (finding.clone(), Stage::Screening)).collect();
    judge(&Case {
        package,
        row: &row,
        substance: None,
        state: Some(&state),
        submission: submission.as_ref(),
        first_seen_at: now.minus(case.package_age),
        name_counts_from: now.minus(case.package_age),
        approved_before: case.approved_before,
        alleged: &alleged,
        policy,
        rules: &policy.of_package(package),
        context: &context(case),
        now,
    })
}

/// By another person each, in sight of everything.
fn approval(number: u64, bytes: Digest, now: Timestamp) -> Decision {
    Decision {
        verb: Verb::Approve,
        by: format!("person {number}"),
        behind: Vec::new(),
        at: now,
        reason: "as the case says".to_owned(),
        digest: Some(bytes),
        substance: None,
        covers: FindingKind::ALL.to_vec(),
        basis: None,
        expires_at: None,
    }
}

fn submission(case: &TrialCase, by: &str, digest: Digest, now: Timestamp) -> LocalRelease {
    let release = ReleaseId { package: case.package.clone(), version: case.version.clone() };
    LocalRelease {
        id: StageId::of(&release),
        at: now.minus(case.age),
        by: by.to_owned(),
        behind: vec![by.to_owned()],
        staged: false,
        sequence: Sequence(1),
        digest,
        sha1: String::new(),
        size: 1,
        workflow: None,
        deprecated: None,
        withdrawn_at: None,
    }
}

fn context(case: &TrialCase) -> Context {
    let mut advised = Advised::default();
    for one in &case.advisories {
        if one.fixed_by_this {
            advised.fixes.insert(case.version.clone(), one.id.as_str().into());
            continue;
        }
        let said = Said { advisory: Arc::new(advisory(case, one)), names_bytes: false, sources: one.sources.clone(), fixed: None };
        advised.said.entry(case.version.clone()).or_default().push(said);
    }
    Context { advised: Arc::new(advised), ..Context::default() }
}

fn advisory(case: &TrialCase, described: &TrialAdvisory) -> Advisory {
    let kind = if described.malware { AdvisoryKind::Malware } else { AdvisoryKind::Vulnerability };
    let source = |name: &String| Source { name: name.clone(), versions: Vec::new(), ranges: Vec::new() };
    Advisory {
        id: described.id.clone(),
        aliases: Vec::new(),
        kind,
        package: case.package.clone(),
        versions: vec![case.version.clone()],
        ranges: Vec::new(),
        score: described.score,
        summary: String::new(),
        digests: Vec::new(),
        sources: described.sources.iter().map(source).collect(),
        independent: true,
        published_at: None,
        modified_at: Timestamp::from_millis(0),
        withdrawn_at: None,
    }
}
