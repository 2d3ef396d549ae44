//! Intake: what a new index changes. Upstream's word is compared with what was heard before, and the difference is
//! recorded as a sight: what came, what went, what is stated differently.

use std::collections::HashMap;
use std::collections::HashSet;
use std::ops::Range;

use bytes::Bytes;

use crate::model::actor::Actor;
use crate::model::digest::DocumentDigest;
use crate::model::index::Index;
use crate::model::index::Row;
use crate::model::package::PackageId;
use crate::model::package::Version;
use crate::model::time::Timestamp;
use crate::quarantine::Quarantine;
use crate::quarantine::judge::pin;
use crate::storage::record::Command;
use crate::storage::record::LastSight;
use crate::storage::record::PackageState;
use crate::storage::record::Sequence;
use crate::storage::record::Sight;
use crate::storage::state::Batch;
use crate::storage::state::CommitError;
use crate::storage::state::Condition;
use crate::storage::state::ReadError;

/// Rows kept of releases that upstream took down; the oldest removals go first.
const REMOVED_ROWS_MAX: usize = 5_000;

/// A new index joined with what was known, and what it changes.
#[derive(Debug)]
pub struct Intake {
    pub index: Index,
    changes: Changes,
}

#[derive(Debug, Default)]
struct Changes {
    first: bool,
    added: Vec<Version>,
    removed: Vec<Version>,
    returned: Vec<Version>,
    changed: Vec<Version>,
}

/// What is known of the releases that were listed before.
pub enum Before<'a> {
    /// The package was never seen.
    Nothing,
    Index(&'a Index),
    /// The document is lost; these versions are known from the ledger.
    Versions(&'a HashSet<Version>),
}

/// Joins `fresh` with what was known. Rows that upstream took down are kept and marked. A row whose bytes were pinned by
/// an inspection keeps its old text when upstream states other bytes.
pub fn join(fresh: &Index, before: &Before<'_>, state: &PackageState, now: Timestamp) -> Intake {
    let mut changes = Changes { first: matches!(before, Before::Nothing), ..Changes::default() };
    let old: HashMap<&Version, &Row> = match before {
        Before::Index(index) => index.rows.iter().map(|row| (&row.version, row)).collect(),
        Before::Nothing | Before::Versions(_) => HashMap::new(),
    };
    let mut text = Text::of(&fresh.text);
    let mut rows = Vec::with_capacity(fresh.rows.len());
    for row in &fresh.rows {
        let known = old.get(&row.version).copied();
        let was_listed = match before {
            Before::Nothing => false,
            Before::Index(_) => known.is_some(),
            Before::Versions(versions) => versions.contains(&row.version),
        };
        let released = state.releases.get(&row.version);
        let same_bytes = known.is_none_or(|known| states_same_bytes(known, row));
        let was_removed = known.is_some_and(|known| known.removed_at.is_some());
        if !was_listed {
            changes.added.push(row.version.clone());
        } else if was_removed && same_bytes {
            changes.returned.push(row.version.clone());
        } else if was_removed {
            changes.added.push(row.version.clone());
        }
        let mut kept = row.clone();
        if !same_bytes {
            changes.changed.push(row.version.clone());
        }
        let pinned = row.artifacts.iter().any(|artifact| pin(&artifact.file, released).is_some());
        if let (Before::Index(previous), Some(known), true) = (before, known, pinned)
            && !same_bytes
            && !contradicts_pin(known, released)
        {
            kept = Row { manifest: text.add(previous, known), removed_at: None, ..known.clone() };
        }
        rows.push(kept);
    }
    if let Before::Index(previous) = before {
        let present: HashSet<&Version> = fresh.rows.iter().map(|row| &row.version).collect();
        let mut gone: Vec<&Row> = previous.rows.iter().filter(|row| !present.contains(&row.version)).collect();
        gone.sort_by_key(|row| row.removed_at.unwrap_or(now));
        let excess = gone.len().saturating_sub(REMOVED_ROWS_MAX);
        for row in gone.drain(excess..) {
            if row.removed_at.is_none() {
                changes.removed.push(row.version.clone());
            }
            rows.push(Row { manifest: text.add(previous, row), removed_at: row.removed_at.or(Some(now)), ..row.clone() });
        }
    }
    let Index { package, source, frame, pointers, earlier, rows: _, text: _ } = fresh;
    let index = Index {
        package: package.clone(),
        source: *source,
        frame: frame.clone(),
        pointers: pointers.clone(),
        earlier: earlier.clone(),
        rows,
        text: text.bytes(),
    };
    Intake { index, changes }
}

/// The sight of an index that was composed here and not heard: `listed` before.
pub fn sight_of_composed(
    index: &Index,
    listed: &HashSet<Version>,
    last: Option<&LastSight>,
    document: DocumentDigest,
    now: Timestamp,
) -> Sight {
    let composed: HashSet<&Version> = index.rows.iter().map(|row| &row.version).collect();
    let mut removed: Vec<Version> = listed.iter().filter(|version| !composed.contains(version)).cloned().collect();
    removed.sort();
    Sight {
        package: index.package.clone(),
        at: now,
        source: index.source,
        document,
        first: last.is_none(),
        absent_at: None,
        added: index.rows.iter().map(|row| &row.version).filter(|version| !listed.contains(*version)).cloned().collect(),
        removed,
        returned: Vec::new(),
        changed: Vec::new(),
    }
}

/// Whether two rows state the same bytes, by the strongest hash that both state. Where they share none, nothing can be
/// said: inspection pins what is fetched.
fn states_same_bytes(left: &Row, right: &Row) -> bool {
    let (Some(left), Some(right)) = (left.artifacts.first(), right.artifacts.first()) else { return true };
    let (left, right) = (&left.integrity, &right.integrity);
    if let (Some(left), Some(right)) = (&left.sha512, &right.sha512) {
        return left == right;
    }
    if let (Some(left), Some(right)) = (&left.sha256, &right.sha256) {
        return left == right;
    }
    match (&left.sha1, &right.sha1) {
        (Some(left), Some(right)) => left == right,
        (None, _) | (_, None) => true,
    }
}

fn contradicts_pin(row: &Row, state: Option<&crate::storage::record::ReleaseState>) -> bool {
    row.artifacts.iter().any(|artifact| {
        let stated = artifact.integrity.sha512.as_ref();
        pin(&artifact.file, state).is_some_and(|pinned| stated.is_some_and(|stated| stated != pinned))
    })
}

/// All manifests of the new index, with old ones appended only where some are kept.
struct Text<'a> {
    fresh: &'a Bytes,
    more: Vec<u8>,
}

impl<'a> Text<'a> {
    const fn of(fresh: &'a Bytes) -> Text<'a> {
        Text { fresh, more: Vec::new() }
    }

    fn add(&mut self, from: &Index, row: &Row) -> Range<usize> {
        let start = self.fresh.len() + self.more.len();
        self.more.extend_from_slice(&from.manifest(row));
        start..self.fresh.len() + self.more.len()
    }

    fn bytes(self) -> Bytes {
        if self.more.is_empty() {
            return self.fresh.clone();
        }
        let mut all = Vec::with_capacity(self.fresh.len() + self.more.len());
        all.extend_from_slice(self.fresh);
        all.extend_from_slice(&self.more);
        Bytes::from(all)
    }
}

impl Quarantine {
    /// Records that `intake` was seen and kept as `document`. `absent_at` is when upstream last confirmed the index before.
    /// A conflict means that the package changed meanwhile: join again with the newer state.
    pub async fn record_sight(
        &self,
        intake: &Intake,
        document: DocumentDigest,
        absent_at: Option<Timestamp>,
        revision: Sequence,
        now: Timestamp,
    ) -> Result<Sequence, CommitError> {
        let Changes { first, added, removed, returned, changed } = &intake.changes;
        let package = intake.index.package.clone();
        if !changed.is_empty() {
            tracing::error!(%package, versions = ?changed, "upstream states other bytes for releases that were already published");
        }
        if !removed.is_empty() {
            tracing::warn!(%package, versions = ?removed, "upstream took releases down");
        }
        let sight = Sight {
            package: package.clone(),
            at: now,
            source: intake.index.source,
            document,
            first: *first,
            absent_at: if *first { None } else { absent_at },
            added: added.clone(),
            removed: removed.clone(),
            returned: returned.clone(),
            changed: changed.clone(),
        };
        let conditions = vec![Condition::Revision { package, is: revision }];
        self.state.commit(Batch { at: now, actor: Actor::Airlock, conditions, commands: vec![Command::Sight(sight)] }).await
    }

    /// Every version that the ledger says was listed when the package was last seen: only for when its document is lost.
    /// The ledger is read once for all packages, and from then on only what came since.
    pub async fn versions_seen(&self, package: &PackageId) -> Result<HashSet<Version>, ReadError> {
        const PAGE: usize = 1_000;
        let mut seen = self.seen.lock().await;
        loop {
            let page = self.state.entries(seen.after, PAGE).await?;
            let Some(last) = page.last() else { break };
            seen.after = last.record.sequence;
            for command in page.iter().flat_map(|entry| &entry.record.commands) {
                if let Command::Sight(sight) = command {
                    seen.take_in(sight);
                }
            }
        }
        Ok(seen.versions.get(package).cloned().unwrap_or_default())
    }
}

/// The versions that the ledger's sights leave listed, up to a record.
#[derive(Debug, Default)]
pub struct Seen {
    after: Sequence,
    versions: HashMap<PackageId, HashSet<Version>>,
}

impl Seen {
    fn take_in(&mut self, sight: &Sight) {
        let versions = self.versions.entry(sight.package.clone()).or_default();
        versions.extend(sight.added.iter().chain(&sight.returned).cloned());
        for version in &sight.removed {
            versions.remove(version);
        }
    }
}

#[cfg(test)]
mod tests;
