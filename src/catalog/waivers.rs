//! What waivers come to: the packages that one is about are judged again when it is made or ended, and one whose reason is gone
//! everywhere is ended by Airlock itself.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::catalog::Catalog;
use crate::catalog::CatalogError;
use crate::model::finding::Action;
use crate::model::finding::FindingKind;
use crate::model::index::Index;
use crate::model::package::PackageId;
use crate::model::pattern::PackagePattern;
use crate::model::principal::Principal;
use crate::model::waiver::Waiver;
use crate::quarantine::standings::Standings;
use crate::quarantine::verdict::Judged;
use crate::quarantine::waivers::WaiveError;
use crate::quarantine::waivers::WaiverOrder;
use crate::storage::record::PackageState;

/// How often it is looked whether the reasons of waivers are gone.
const TIDY_EVERY: Duration = Duration::from_secs(3_600);
/// How often it is asked whether that time has come: by the clock of the process, which is another than that of tests.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// For so long after it was made a waiver stays, whether it is needed yet or not.
const STAYS: Duration = Duration::from_secs(24 * 3_600);
/// Packages that are looked at for one waiver; one that is about more known ones is not ended by Airlock.
const PACKAGES_MAX: usize = 2_000;
/// Packages read at once.
const PAGE: usize = 64;
const GONE: &str = "its reason is gone: no release that it is about has any of these findings any more";

/// What of the releases that a waiver is about is known now.
#[derive(Clone, Copy, Default)]
struct Sought {
    /// One of them has a finding that the waiver names, and policy does something about it.
    found: bool,
    /// One of them was inspected: there was something to find.
    inspected: bool,
    /// Some could not be looked at.
    incomplete: bool,
}

impl Catalog {
    pub async fn waive(self: &Arc<Self>, order: &WaiverOrder, person: &Principal) -> Result<Arc<Waiver>, WaiveError> {
        let waiver = self.quarantine.waive(order, person).await?;
        self.judge_again(&waiver);
        Ok(waiver)
    }

    pub async fn end_waiver(self: &Arc<Self>, id: &str, reason: &str, person: &Principal) -> Result<Arc<Waiver>, WaiveError> {
        let waiver = self.quarantine.end_waiver(id, reason, person).await?;
        self.judge_again(&waiver);
        Ok(waiver)
    }

    /// So that the queue has what waits now. Whoever asks for a package has it judged anew anyway.
    fn judge_again(self: &Arc<Self>, waiver: &Arc<Waiver>) {
        let (this, waiver) = (Arc::clone(self), Arc::clone(waiver));
        tokio::spawn(async move { this.seek(&waiver).await });
    }

    /// Ends waivers whose reason is gone, again and again, until `stop` says so.
    pub(super) async fn tidy_waivers(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let mut next = self.clock.now();
        while !*stop.borrow() {
            if self.clock.now() >= next {
                self.end_needless().await;
                next = self.clock.now().plus(TIDY_EVERY);
            }
            tokio::select! {
                () = tokio::time::sleep(ASK_EVERY) => {}
                _ = stop.changed() => {}
            }
        }
    }

    async fn end_needless(self: &Arc<Self>) {
        let now = self.clock.now();
        let is_due = |one: &Arc<Waiver>| one.counts_at(now) && now.since(one.made_at) >= STAYS;
        for waiver in self.quarantine.waivers().into_iter().filter(is_due) {
            let sought = self.seek(&waiver).await;
            if sought.found || sought.incomplete || !sought.inspected {
                continue;
            }
            match self.quarantine.close_waiver(&waiver.id, GONE).await {
                // Somebody was faster.
                Ok(_) | Err(WaiveError::Ended(_) | WaiveError::Unknown(_)) => {}
                Err(error) => tracing::error!(waiver = waiver.id, %error, "a waiver whose reason is gone could not be ended"),
            }
        }
    }

    /// Judges every known package that the waiver is about, and looks for what it is about.
    async fn seek(self: &Arc<Self>, waiver: &Waiver) -> Sought {
        let mut sought = Sought::default();
        let mut left = PACKAGES_MAX;
        for pattern in &waiver.packages {
            let looked = match pattern {
                PackagePattern::Package(name) => {
                    let ids = self.quarantine.ecosystem_ids().map(|ecosystem| PackageId { ecosystem, name: name.clone() });
                    self.seek_among(ids.collect(), waiver, &mut sought, &mut left).await
                }
                PackagePattern::Scope(scope) => self.seek_in_scope(scope, waiver, &mut sought, &mut left).await,
            };
            if let Err(error) = looked {
                tracing::warn!(waiver = waiver.id, %error, "what a waiver is about could not be judged again");
                sought.incomplete = true;
            }
        }
        sought
    }

    async fn seek_in_scope(
        self: &Arc<Self>,
        scope: &str,
        waiver: &Waiver,
        sought: &mut Sought,
        left: &mut usize,
    ) -> Result<(), CatalogError> {
        let mut last = None;
        loop {
            let packages = self.state.packages(last.as_ref(), PAGE).await?;
            let Some((package, _)) = packages.last() else { return Ok(()) };
            last = Some(package.clone());
            let of_scope = packages.into_iter().map(|(package, _)| package).filter(|one| one.name.scope() == Some(scope));
            self.seek_among(of_scope.collect(), waiver, sought, left).await?;
            tokio::task::yield_now().await;
        }
    }

    async fn seek_among(
        self: &Arc<Self>,
        packages: Vec<PackageId>,
        waiver: &Waiver,
        sought: &mut Sought,
        left: &mut usize,
    ) -> Result<(), CatalogError> {
        for package in packages {
            let state = self.state.package(&package).await?;
            if state.last_sight.is_none() {
                continue;
            }
            if *left == 0 {
                sought.incomplete = true;
                return Ok(());
            }
            *left -= 1;
            let (index, standings) = self.find_waiting(&package, &state).await?;
            sought.look_at(&index, &standings, &state, waiver);
        }
        Ok(())
    }
}

impl Sought {
    fn look_at(&mut self, index: &Index, standings: &Standings, state: &PackageState, waiver: &Waiver) {
        let about = index.rows.iter().zip(&standings.verdicts).filter(|(row, _)| waiver.is_about(&index.package, &row.version));
        for (row, verdict) in about {
            self.found |= verdict.findings.iter().any(|one| is_about(waiver, one));
            self.inspected |= state.releases.get(&row.version).is_some_and(|one| !one.inspections.is_empty());
        }
    }
}

/// Whether it is a finding that the waiver names, and of which policy does more than to note it.
fn is_about(waiver: &Waiver, judged: &Judged) -> bool {
    let matters = judged.action > Action::Note || judged.finding.kind == FindingKind::MalwareUnconfirmed;
    matters && waiver.findings.contains(&judged.finding.kind)
}
