//! Where all releases of one package stand, at one revision and instant: each judged by itself, with what they have in common.

use crate::config::policy::Fallback;
use crate::config::policy::Listing;
use crate::config::policy::Mode;
use crate::config::policy::Policy;
use crate::config::rules::PackageRules;
use crate::model::digest::DocumentDigest;
use crate::model::index::Index;
use crate::model::index::Row;
use crate::model::time::Timestamp;
use crate::quarantine::age::Age;
use crate::quarantine::approval::is_vouched_for;
use crate::quarantine::context::Context;
use crate::quarantine::judge::Case;
use crate::quarantine::judge::judge;
use crate::quarantine::judge::not_by_themselves;
use crate::quarantine::verdict::Verdict;
use crate::storage::record::PackageState;
use crate::storage::record::Sequence;

/// The verdicts of all releases of one package, at one revision and instant.
#[derive(Clone, Debug)]
pub struct Standings {
    pub revision: Sequence,
    pub now: Timestamp,
    /// One for each row of the index, in order.
    pub verdicts: Vec<Verdict>,
    /// The first instant at which one of them may change.
    pub valid_until: Option<Timestamp>,
    /// When the last of them changed by itself or by a decision, as far as is known.
    pub changed_at: Timestamp,
    pub lists_admissible: bool,
    pub fallback: Fallback,
}

/// From when the oldest release of a package counts.
pub fn name_counts_from(index: &Index, state: &PackageState, now: Timestamp) -> Timestamp {
    let first_seen_at = state.first_seen_at.unwrap_or(now);
    let counts_from = index.rows.iter().map(|row| Age::of(row, state.releases.get(&row.version), first_seen_at).counts_from);
    counts_from.min().unwrap_or(first_seen_at)
}

/// What all releases of a package are judged with.
pub struct Around<'a> {
    index: &'a Index,
    state: &'a PackageState,
    policy: &'a Policy,
    rules: PackageRules<'a>,
    context: &'a Context,
    first_seen_at: Timestamp,
    name_counts_from: Timestamp,
    approved_before: bool,
    now: Timestamp,
}

impl<'a> Around<'a> {
    pub fn of(index: &'a Index, state: &'a PackageState, policy: &'a Policy, context: &'a Context, now: Timestamp) -> Around<'a> {
        let first_seen_at = state.first_seen_at.unwrap_or(now);
        let name_counts_from = name_counts_from(index, state, now);
        let needed = policy.review.approvals.max(1);
        let is_approved = |(version, release)| is_vouched_for(release, needed, not_by_themselves(policy, state.submission(version)), now);
        let approved_before = state.releases.iter().any(is_approved);
        let rules = policy.of_package(&index.package);
        Around { index, state, policy, rules, context, first_seen_at, name_counts_from, approved_before, now }
    }

    /// One release. `substance`: [`crate::ecosystem::Ecosystem::substance`].
    pub fn case(&'a self, row: &'a Row, substance: &impl Fn(&[u8]) -> DocumentDigest) -> Case<'a> {
        let Around { index, state, policy, ref rules, context, first_seen_at, name_counts_from, approved_before, now } = *self;
        let known = state.releases.get(&row.version).filter(|one| !one.inspections.is_empty() || !one.decisions.is_empty());
        Case {
            package: &index.package,
            row,
            substance: known.map(|_| substance(&index.manifest(row))),
            state: state.releases.get(&row.version),
            submission: state.submission(&row.version),
            first_seen_at,
            name_counts_from,
            approved_before,
            alleged: &[],
            policy,
            rules,
            context,
            now,
        }
    }
}

/// Judges every release of a package. `substance`: [`crate::ecosystem::Ecosystem::substance`].
pub fn judge_all(
    index: &Index,
    state: &PackageState,
    policy: &Policy,
    context: &Context,
    substance: impl Fn(&[u8]) -> DocumentDigest,
    now: Timestamp,
) -> Standings {
    let around = Around::of(index, state, policy, context, now);
    let first_seen_at = around.first_seen_at;
    let verdicts: Vec<Verdict> = index.rows.iter().map(|row| judge(&around.case(row, &substance))).collect();
    let valid_until = verdicts.iter().filter_map(|verdict| verdict.changes_at).min();
    let openings = verdicts.iter().filter_map(|verdict| verdict.changed_at).filter(|at| *at <= now);
    let last_sight = state.last_sight.as_ref().map_or(first_seen_at, |sight| sight.at);
    let changed_at = openings.fold(last_sight.min(now), Timestamp::max);
    Standings {
        revision: state.revision,
        now,
        verdicts,
        valid_until,
        changed_at,
        lists_admissible: policy.listing == Listing::Admissible || policy.mode == Mode::Observe,
        fallback: policy.fallback,
    }
}
