//! What is served although it would be kept back, because policy only observes: counted and told each time.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::catalog::Catalog;
use crate::catalog::shelf::Shelf;
use crate::catalog::shelf::View;
use crate::model::finding::Action;
use crate::model::finding::FindingKind;
use crate::model::release::ReleaseId;

/// Why a release that is served would be kept back.
#[derive(Debug)]
pub struct Observed {
    sentence: Box<str>,
    is_malware: bool,
}

impl Catalog {
    /// `None` of what stands open.
    pub(super) fn observed(&self, shelf: &Shelf, view: &View, row: usize, release: &ReleaseId) -> Option<Arc<Observed>> {
        let verdict = view.standings.verdicts.get(row).filter(|verdict| verdict.observed)?;
        let is_malware = verdict.findings.iter().any(|one| one.finding.kind == FindingKind::Malware && one.action > Action::Note);
        let sentence = self.refusal(shelf, view, row, release).sentence.into();
        Some(Arc::new(Observed { sentence, is_malware }))
    }

    /// One more download of it.
    pub(super) fn tell_observed(&self, observed: Option<&Observed>) {
        let Some(Observed { sentence, is_malware }) = observed else { return };
        self.counts.observed.fetch_add(1, Ordering::Relaxed);
        if *is_malware {
            self.counts.malware_served.fetch_add(1, Ordering::Relaxed);
            tracing::error!("MALWARE was served, because policy.mode is \"observe\": {sentence}");
        } else {
            tracing::warn!("{sentence}");
        }
    }
}
