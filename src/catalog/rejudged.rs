//! After a policy changed: what is in use here is judged by the one before and by the one that judges now, and what that opened and
//! closed is recorded. Nothing is decided by it; where each release stands is computed as ever.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::catalog::Catalog;
use crate::catalog::CatalogError;
use crate::config::policy::Policy;
use crate::model::digest::DocumentDigest;
use crate::model::package::PackageId;
use crate::model::release::ReleaseId;
use crate::model::time::Timestamp;
use crate::quarantine::trial::OnTrial;
use crate::storage::record::Command;
use crate::storage::record::PackageState;
use crate::storage::record::Rejudged;
use crate::storage::record::Sequence;

/// Packages, and records of the ledger, that are read at once.
const PAGE: usize = 64;
const RECORDS: usize = 1_000;
/// For so many times as long as it works it rests.
const RESTS: u32 = 3;

impl Catalog {
    /// After a start, until what the policy changed is recorded: once, unless it is stopped before it is done.
    pub(super) async fn rejudge(self: Arc<Self>, stop: watch::Receiver<bool>) {
        let Some(before) = self.quarantine.policy_before() else { return };
        let old = match self.recorded_policy(before).await {
            Ok(Some(old)) => Arc::new((OnTrial::of(Arc::new(old)), OnTrial::of(Arc::new(self.quarantine.policy().clone())))),
            Ok(None) => {
                tracing::warn!(policy = %before, "the policy that judged before cannot be read any more: what the new one opened is not recorded");
                // It is looked for no more, so that the next change of policy is compared with this one.
                if let Err(error) = self.quarantine.record_rejudged(Rejudged::since(before)).await {
                    tracing::error!(%error, "that the policies could not be compared could not be recorded");
                }
                return;
            }
            Err(error) => {
                tracing::error!(%error, "what the new policy opened could not be recorded");
                return;
            }
        };
        match self.compared_with(&old, before, stop).await {
            Ok(Some(rejudged)) => {
                let (opened, closed) = (rejudged.opened_total, rejudged.closed_total);
                match self.quarantine.record_rejudged(rejudged).await {
                    Ok(()) => tracing::info!(opened, closed, "the new policy was compared with the one before, over what is in use here"),
                    Err(error) => tracing::error!(%error, "what the new policy opened could not be recorded"),
                }
            }
            Ok(None) => {}
            Err(error) => tracing::error!(%error, "what the new policy opened could not be recorded"),
        }
    }

    /// The policy that the ledger has under this digest; `None` where it has none that this version can read.
    async fn recorded_policy(&self, digest: DocumentDigest) -> Result<Option<Policy>, CatalogError> {
        let mut after = Sequence(0);
        let text_of = |command: &Command| {
            let Command::Policy { digest: recorded, text } = command else { return None };
            (*recorded == digest).then(|| text.clone())
        };
        loop {
            let entries = self.state.entries(after, RECORDS).await?;
            let Some(last) = entries.last() else { return Ok(None) };
            after = last.record.sequence;
            // Wherever else it stands, it is the same text.
            if let Some(text) = entries.iter().flat_map(|entry| &entry.record.commands).find_map(text_of) {
                return Ok(serde_json::from_str(&text).ok());
            }
            tokio::task::yield_now().await;
        }
    }

    /// `None` where it was stopped before it had looked at everything.
    async fn compared_with(
        self: &Arc<Self>,
        sides: &Arc<(OnTrial, OnTrial)>,
        before: DocumentDigest,
        stop: watch::Receiver<bool>,
    ) -> Result<Option<Rejudged>, CatalogError> {
        let mut rejudged = Rejudged::since(before);
        let mut last = None;
        loop {
            let began = Instant::now();
            let packages = self.state.packages(last.as_ref(), PAGE).await?;
            let Some((package, _)) = packages.last() else { return Ok(Some(rejudged)) };
            last = Some(package.clone());
            for (package, state) in packages {
                if *stop.borrow() {
                    return Ok(None);
                }
                self.compare_package(sides, package, state, &mut rejudged).await?;
            }
            tokio::time::sleep(began.elapsed() * RESTS).await;
        }
    }

    async fn compare_package(
        self: &Arc<Self>,
        sides: &Arc<(OnTrial, OnTrial)>,
        package: PackageId,
        state: Arc<PackageState>,
        rejudged: &mut Rejudged,
    ) -> Result<(), CatalogError> {
        if state.releases.values().all(|one| one.inspections.is_empty() && one.decisions.is_empty()) {
            return Ok(());
        }
        let Some(sight) = &state.last_sight else { return Ok(()) };
        let Some(index) = self.kept_index(&package, sight).await?.map(Arc::new) else { return Ok(()) };
        let now = self.clock.now();
        self.meet_on(sides, &index, &state, now).await?;
        let (quarantine, sides) = (Arc::clone(&self.quarantine), Arc::clone(sides));
        let judged = move || {
            let is_used = |version| state.releases.get(version).is_some_and(|one| !one.inspections.is_empty() || !one.decisions.is_empty());
            let used = index.rows.iter().enumerate().filter(|(_, row)| is_used(&row.version));
            let points: Vec<(usize, Timestamp)> = used.map(|(row, _)| (row, now)).collect();
            let compared = quarantine.compare(&sides, &index, &state, &points, now);
            let moved =
                points.iter().zip(compared).filter_map(|((row, _), compared)| Some((index.rows.get(*row)?.version.clone(), compared?)));
            moved.filter(|(_, one)| one.is_newly_allowed() || one.is_newly_blocked()).collect::<Vec<_>>()
        };
        let moved = tokio::task::spawn_blocking(judged).await.map_err(|error| CatalogError::Storage(error.to_string()))?;
        for (version, compared) in moved {
            rejudged.add(ReleaseId { package: package.clone(), version }, compared.is_newly_allowed());
        }
        Ok(())
    }
}
