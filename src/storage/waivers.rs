//! The waivers that people made, those that ended too.

use serde::Deserialize;
use serde::Serialize;

use crate::model::time::Timestamp;
use crate::model::waiver::Waiver;
use crate::model::waiver::WaiverId;

/// Oldest first. One that ended long ago makes room: the ledger has it for good.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Waivers(Vec<Waiver>);

impl Waivers {
    /// Waivers that are remembered besides those that count.
    const ENDED_MAX: usize = 1_000;

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn all(&self) -> &[Waiver] {
        &self.0
    }

    /// A second waiver of the same id is ignored: an id is what ends one.
    pub fn add(&mut self, waiver: &Waiver) {
        if self.0.iter().any(|other| other.id == waiver.id) {
            return;
        }
        self.0.push(waiver.clone());
        let is_over = |one: &Waiver| !one.counts_at(waiver.made_at);
        let mut excess = self.0.iter().filter(|one| is_over(one)).count().saturating_sub(Self::ENDED_MAX);
        self.0.retain(|one| {
            let goes = excess > 0 && is_over(one);
            excess -= usize::from(goes);
            !goes
        });
    }

    pub fn end(&mut self, id: &WaiverId, by: &str, at: Timestamp) {
        if let Some(waiver) = self.0.iter_mut().find(|one| one.id == *id && one.ended_at.is_none()) {
            waiver.ended_at = Some(at);
            waiver.ended_by = Some(by.to_owned());
        }
    }
}
