//! Where a release stands, every finding, what would change it and when: what `explain`, the API and the console show.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::catalog::Catalog;
use crate::catalog::CatalogError;
use crate::catalog::shelf::Shelf;
use crate::catalog::shelf::View;
use crate::model::change::Change;
use crate::model::decision::Verb;
use crate::model::digest::Digest;
use crate::model::evidence::Evidence;
use crate::model::index::Index;
use crate::model::index::Row;
use crate::model::package::PackageId;
use crate::model::package::Version;
use crate::model::principal::Principal;
use crate::model::release::ReleaseId;
use crate::model::standing::Standing;
use crate::model::time::Timestamp;
use crate::quarantine::decide::DecideError;
use crate::quarantine::decide::Order;
use crate::quarantine::decide::is_open_to_doubt;
use crate::quarantine::judge::pin;
use crate::quarantine::verdict::Reason;
use crate::quarantine::verdict::Verdict;
use crate::storage::record::LocalRelease;
use crate::storage::record::PackageState;
use crate::storage::record::ReleaseState;
use crate::storage::record::Sequence;

/// Packages read at once when releases are listed.
const PACKAGES_PAGE: usize = 100;
/// Packages looked at for one page of releases; then the page ends early, with a cursor.
const PACKAGES_MAX: usize = 2_000;

#[derive(Clone, Debug)]
pub struct Explanation {
    pub release: ReleaseId,
    pub verdict: Verdict,
    /// The one wording; for a release that is open, that it is.
    pub sentence: String,
    /// As upstream claims.
    pub published_at: Option<Timestamp>,
    pub removed_at: Option<Timestamp>,
    /// What it was submitted as; none of what upstream has.
    pub submission: Option<LocalRelease>,
    /// Those that point at it, or will where it opens.
    pub pointers: Vec<String>,
    /// Of its first artifact, as the index states it.
    pub sha1: Option<String>,
    /// Callers without a name are told that there is no such package.
    pub restricted: bool,
    /// The package's.
    pub revision: Sequence,
    pub artifacts: Vec<ArtifactState>,
    /// What speaks for it besides its bytes; none where nobody looked.
    pub evidence: Option<Evidence>,
    /// What it does that the release it was compared with did not, by the inspection that was done last.
    pub change: Option<Change>,
    /// Sights, inspections and decisions, oldest first.
    pub state: ReleaseState,
    /// What would change where it stands, in words.
    pub would_change: Vec<String>,
    /// How often it was asked for while it was not served.
    pub wanted: u64,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ArtifactState {
    pub file: String,
    /// Of the inspected bytes, else as the index states.
    pub digest: Option<Digest>,
    /// Bytes; known once inspected.
    pub size: Option<u64>,
    pub inspected_at: Option<Timestamp>,
}

/// A package at a glance.
#[derive(Clone, Debug)]
pub struct Overview {
    /// How many releases stand where, by the text of `Standing::as_str`.
    pub standings: BTreeMap<&'static str, u64>,
    /// Newest first.
    pub releases: Vec<Explanation>,
    pub total: u64,
}

/// How a listing of releases is asked for.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ReleaseFilter {
    /// The text of `Standing::as_str`.
    pub standing: Option<String>,
    pub package: Option<PackageId>,
    /// The last release of the page before.
    pub after: Option<ReleaseId>,
    pub limit: usize,
}

#[derive(Clone, Debug)]
pub struct ReleasePage {
    pub releases: Vec<Explanation>,
    /// Where the next page begins after; `None` at the end.
    pub next: Option<ReleaseId>,
}

impl Catalog {
    /// Everything about one release, open or not; asks upstream as a client's request would.
    pub async fn explain(self: &Arc<Self>, release: &ReleaseId) -> Result<Explanation, CatalogError> {
        let shelf = self.shelf(&release.package).await?;
        self.explain_on(&shelf, release).await
    }

    /// As [`Catalog::explain`], from what is known, without asking upstream.
    pub async fn explain_known(self: &Arc<Self>, release: &ReleaseId) -> Result<Explanation, CatalogError> {
        let shelf = self.known_or_asked(&release.package).await?;
        self.explain_on(&shelf, release).await
    }

    pub(super) async fn known_or_asked(self: &Arc<Self>, package: &PackageId) -> Result<Arc<Shelf>, CatalogError> {
        let state = self.state.package(package).await?;
        match self.known(package, &state).await? {
            Some(shelf) => Ok(shelf),
            None => self.shelf(package).await,
        }
    }

    pub(super) async fn explain_on(&self, shelf: &Arc<Shelf>, release: &ReleaseId) -> Result<Explanation, CatalogError> {
        let view = self.view(shelf).await?;
        match shelf.index.rows.iter().position(|row| row.version == release.version) {
            Some(row) => self.explain_row(shelf, &view, row).await,
            None => Err(CatalogError::UnknownRelease { package: release.package.clone(), wanted: format!("version {}", release.version) }),
        }
    }

    async fn explain_row(&self, shelf: &Arc<Shelf>, view: &View, at: usize) -> Result<Explanation, CatalogError> {
        let index = &shelf.index;
        let (Some(row), Some(verdict)) = (index.rows.get(at), view.standings.verdicts.get(at)) else {
            return Err(CatalogError::UnknownPackage(index.package.clone()));
        };
        let release = ReleaseId { package: index.package.clone(), version: row.version.clone() };
        let package = self.state.package(&index.package).await?;
        let state = package.releases.get(&row.version).cloned().unwrap_or_default();
        Ok(Explanation {
            sentence: self.refusal(shelf, view, at, &release).sentence,
            published_at: row.published_at,
            removed_at: row.removed_at.or(state.removed_at),
            submission: package.submission(&row.version).cloned(),
            pointers: pointers(index, &package, &row.version),
            sha1: row.artifacts.first().and_then(|artifact| artifact.integrity.sha1.clone()),
            restricted: package.local.as_ref().is_some_and(|local| local.restricted),
            revision: view.standings.revision,
            artifacts: artifacts(row, &state),
            evidence: row.artifacts.iter().find_map(|artifact| state.inspections.get(&artifact.file)?.evidence.as_deref().cloned()),
            change: row.artifacts.iter().find_map(|artifact| state.inspections.get(&artifact.file)?.facts.change.clone()),
            would_change: would_change(verdict),
            wanted: self.wanted(&release),
            verdict: verdict.clone(),
            state,
            release,
        })
    }

    /// The package's releases, newest first, at most `limit`, and how many stand where.
    pub async fn overview(self: &Arc<Self>, package: &PackageId, limit: usize) -> Result<Overview, CatalogError> {
        let shelf = self.shelf(package).await?;
        let view = self.view(&shelf).await?;
        let ecosystem = self.ecosystem(package)?;
        let mut standings = BTreeMap::new();
        for verdict in &view.standings.verdicts {
            *standings.entry(verdict.standing.as_str()).or_insert(0) += 1;
        }
        let rows = &shelf.index.rows;
        let mut order: Vec<usize> = (0..rows.len()).collect();
        order.sort_by(|left, right| ecosystem.precedence(&rows[*right].version, &rows[*left].version));
        let mut releases = Vec::new();
        for at in order.into_iter().take(limit) {
            releases.push(self.explain_row(&shelf, &view, at).await?);
        }
        Ok(Overview { standings, releases, total: rows.len() as u64 })
    }

    /// One page of releases, in the order of packages and, within one, of its index.
    pub async fn releases(self: &Arc<Self>, filter: &ReleaseFilter) -> Result<ReleasePage, CatalogError> {
        let mut page = ReleasePage { releases: Vec::new(), next: None };
        let mut seen = 0;
        let mut last = match (&filter.package, &filter.after) {
            (Some(package), _) => {
                let shelf = self.known_or_asked(package).await?;
                self.list_package(&shelf, filter, filter.after.as_ref(), &mut page).await?;
                return Ok(page);
            }
            (None, Some(after)) => {
                let state = self.state.package(&after.package).await?;
                if let Some(shelf) = self.known(&after.package, &state).await? {
                    self.list_package(&shelf, filter, Some(after), &mut page).await?;
                }
                Some(after.package.clone())
            }
            (None, None) => None,
        };
        loop {
            let packages = self.state.packages(last.as_ref(), PACKAGES_PAGE).await?;
            if packages.is_empty() {
                return Ok(page);
            }
            for (package, state) in packages {
                seen += 1;
                if let Some(shelf) = self.known(&package, &state).await? {
                    self.list_package(&shelf, filter, None, &mut page).await?;
                    let end = shelf.index.rows.last().map(|row| row.version.clone());
                    if page.next.is_none() && seen >= PACKAGES_MAX {
                        page.next = end.map(|version| ReleaseId { package: package.clone(), version });
                    }
                }
                last = Some(package);
                if page.next.is_some() {
                    return Ok(page);
                }
            }
        }
    }

    async fn list_package(
        &self,
        shelf: &Arc<Shelf>,
        filter: &ReleaseFilter,
        after: Option<&ReleaseId>,
        page: &mut ReleasePage,
    ) -> Result<(), CatalogError> {
        let view = self.view(shelf).await?;
        let rows = &shelf.index.rows;
        let begin = after.and_then(|after| rows.iter().position(|row| row.version == after.version)).map_or(0, |at| at + 1);
        for at in begin..rows.len() {
            let fits = |verdict: &Verdict| filter.standing.as_ref().is_none_or(|wanted| wanted == verdict.standing.as_str());
            if !view.standings.verdicts.get(at).is_some_and(fits) {
                continue;
            }
            if page.releases.len() >= filter.limit {
                page.next = page.releases.last().map(|last| last.release.clone());
                return Ok(());
            }
            page.releases.push(self.explain_row(shelf, &view, at).await?);
        }
        Ok(())
    }

    /// An approval is for known bytes: those of a release whose index states no digest are looked at before it.
    async fn know_bytes(self: &Arc<Self>, shelf: &Arc<Shelf>, release: &ReleaseId) -> Result<(), CatalogError> {
        let explanation = self.explain_on(shelf, release).await?;
        if explanation.verdict.digest.is_some() {
            return Ok(());
        }
        for artifact in &explanation.artifacts {
            self.inspect_file(shelf, &artifact.file).await?;
        }
        Ok(())
    }

    /// Records a person's decision on a release.
    pub async fn decide(self: &Arc<Self>, release: &ReleaseId, order: &Order, person: &Principal) -> Result<Explanation, DecideOrFind> {
        let shelf = self.known_or_asked(&release.package).await?;
        if order.verb == Verb::Approve {
            self.know_bytes(&shelf, release).await?;
        }
        let before = self.explain_on(&shelf, release).await;
        self.quarantine.decide(&shelf.index, &release.version, order, person).await?;
        self.quarantine.ring();
        let explanation = self.explain_recorded(&shelf, release, before).await?;
        if order.verb != Verb::Approve || explanation.verdict.standing != Standing::Admissible {
            return Ok(explanation);
        }
        // Whoever approved wants to know whether it really opened: its bytes are looked at now and not at the first download.
        for artifact in &explanation.artifacts {
            if let Err(error) = self.inspect_file(&shelf, &artifact.file).await {
                tracing::warn!(%release, %error, "approved, but its bytes could not be inspected yet; the first download tries again");
            }
        }
        Ok(self.explain_recorded(&shelf, release, Ok(explanation)).await?)
    }

    /// The release as it stands once something of it was recorded. What is recorded is no failure, whatever can be read of it:
    /// where that is nothing, it is told as it stood before, and that this is so.
    pub(super) async fn explain_recorded(
        &self,
        shelf: &Arc<Shelf>,
        release: &ReleaseId,
        before: Result<Explanation, CatalogError>,
    ) -> Result<Explanation, CatalogError> {
        match (self.explain_on(shelf, release).await, before) {
            (Err(error), Ok(before)) => {
                tracing::error!(%release, %error, "recorded, but where it stands now could not be read");
                let sentence = format!("This is recorded; where {release} stands now could not be read, and what is told is from before.");
                Ok(Explanation { sentence, ..before })
            }
            (now, _) => now,
        }
    }
}

/// Why a decision was not recorded.
#[derive(Debug, thiserror::Error)]
pub enum DecideOrFind {
    #[error(transparent)]
    Decide(#[from] DecideError),
    #[error(transparent)]
    Find(#[from] CatalogError),
}

/// Of what was published here by the wishes, of which the newest may wait for the release.
fn pointers(index: &Index, package: &PackageState, version: &Version) -> Vec<String> {
    match &package.local {
        Some(local) => local.tags.iter().filter(|(_, wishes)| wishes.first() == Some(version)).map(|(tag, _)| tag.clone()).collect(),
        None => index.pointers.iter().filter(|(_, at)| at == version).map(|(name, _)| name.clone()).collect(),
    }
}

fn artifacts(row: &Row, state: &ReleaseState) -> Vec<ArtifactState> {
    let one = |artifact: &crate::model::index::Artifact| {
        let inspection = state.inspections.get(&artifact.file);
        ArtifactState {
            file: artifact.file.clone(),
            digest: pin(&artifact.file, Some(state)).copied().or(artifact.integrity.sha512),
            size: inspection.map(|one| one.size),
            inspected_at: inspection.map(|one| one.at),
        }
    };
    row.artifacts.iter().map(one).collect()
}

/// What would change where it stands, in words: time, people, policy, or nothing.
fn would_change(verdict: &Verdict) -> Vec<String> {
    let mut changes = Vec::new();
    if verdict.observed {
        changes.push("policy.mode = \"enforce\": then it is not served".to_owned());
    }
    let people = |needed: u32, given: u32| {
        let missing = needed.saturating_sub(given).max(1);
        if missing == 1 { "approval by one person".to_owned() } else { format!("approval by {missing} different people") }
    };
    let hopeless = verdict.hopeless();
    for (kind, waiver) in verdict.findings.iter().filter_map(|one| Some((one.finding.kind, one.waived.as_ref()?))) {
        changes.push(format!("waiver {} of {kind} ends {}: it counts again", waiver.id, waiver.expires_at.for_people()));
    }
    match &verdict.reason {
        Reason::Age { opens_at, .. } => {
            changes.push(format!("opens {} by itself", opens_at.for_people()));
            changes.push(people(verdict.approvals_needed, verdict.approvals_given));
        }
        Reason::Tied { tie, by_age } => {
            match &tie.withheld {
                Some(withheld) => changes.push(format!("what becomes of {withheld}: they open together")),
                None => {
                    let opens_at = by_age.map_or(tie.opens_at, |at| at.max(tie.opens_at));
                    changes.push(format!("opens {} by itself", opens_at.for_people()));
                }
            }
            changes.push(people(verdict.approvals_needed, verdict.approvals_given));
        }
        Reason::Finding { .. } if hopeless.is_some() => {
            changes.push("only other bytes or another index entry from upstream; no approval opens it".to_owned());
        }
        Reason::Finding { kind, .. } => {
            changes.push(people(verdict.approvals_needed, verdict.approvals_given));
            let rule = verdict.findings.iter().find(|one| one.finding.kind == *kind && !one.covered).and_then(|one| one.rule.as_deref());
            changes.push(match rule.and_then(|rule| rule.split(':').next()) {
                Some(rule) => format!("another action for {kind} in {rule}"),
                None => format!("another action for policy.findings.{kind}"),
            });
        }
        Reason::Person(decision) => {
            if let Some(at) = decision.expires_at {
                changes.push(format!("{}'s decision expires {}", decision.by, at.for_people()));
            }
            changes.push("an approver's approve or reopen".to_owned());
        }
        Reason::Staged => changes.push(people(verdict.approvals_needed, verdict.approvals_given)),
        Reason::GivenUp { .. } => changes.push("an approver's reopen, which inspects it again".to_owned()),
        Reason::Clear => match verdict.standing {
            Standing::Approved | Standing::Admissible if is_open_to_doubt(verdict) => {
                changes.push(format!("{}, which answers the question", people(verdict.approvals_needed, verdict.approvals_given)));
                changes.push("an approver's revoke or reject, which takes it away".to_owned());
            }
            Standing::Approved if verdict.trusted.is_some() => {
                changes.push("a policy that no longer trusts it, an approver's recall, hold or reject".to_owned());
            }
            Standing::Admissible if verdict.trusted.is_some() => {
                changes.push("its first download, which proves its bytes".to_owned());
            }
            Standing::Admissible => changes.push("its first download, which inspects its bytes".to_owned()),
            Standing::Quarantined
            | Standing::Held { .. }
            | Standing::InReview
            | Standing::Approved
            | Standing::Rejected
            | Standing::Revoked => changes.push("an approver's recall, hold or reject".to_owned()),
        },
    }
    changes
}
