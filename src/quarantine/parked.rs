//! Work that was given up, in memory, so that the gate and the listings can say so without asking the store.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use crate::model::index::Index;
use crate::model::job::Work;
use crate::model::release::ReleaseId;
use crate::model::standing::Standing;
use crate::quarantine::standings::Standings;
use crate::quarantine::verdict::Reason;
use crate::quarantine::workflow::CRASHED;
use crate::quarantine::workflow::lock;

/// Each work that was given up, with its last error.
#[derive(Debug, Default)]
pub struct Parked {
    works: Mutex<HashMap<Work, String>>,
    /// How often each work crashed since the start, until it is given up or done: whoever asks begins it, so that the job's
    /// own count of one try each would bound nothing.
    crashes: Mutex<HashMap<Work, u32>>,
    changes: AtomicU64,
}

impl Parked {
    pub fn add(&self, works: impl IntoIterator<Item = (Work, String)>) {
        lock(&self.works).extend(works);
        self.changes.fetch_add(1, Ordering::SeqCst);
    }

    /// Counts one more crash and says how many there were.
    pub fn crashed(&self, work: &Work) -> u32 {
        let mut crashes = lock(&self.crashes);
        let count = crashes.entry(work.clone()).or_default();
        *count = count.saturating_add(1);
        *count
    }

    pub fn remove(&self, work: &Work) {
        lock(&self.crashes).remove(work);
        if lock(&self.works).remove(work).is_some() {
            self.changes.fetch_add(1, Ordering::SeqCst);
        }
    }

    pub fn forget(&self, release: &ReleaseId) {
        lock(&self.crashes).retain(|work, _| release_of(work) != release);
        lock(&self.works).retain(|work, _| release_of(work) != release);
        self.changes.fetch_add(1, Ordering::SeqCst);
    }

    pub fn of(&self, release: &ReleaseId) -> Vec<Work> {
        lock(&self.works).keys().filter(|work| release_of(work) == release).cloned().collect()
    }

    /// Why the work is not begun again for whoever asks: its bytes or its entry may be what kills workers. What was given
    /// up because upstream was out, or the disk full, is tried again.
    pub fn crash(&self, work: &Work) -> Option<String> {
        lock(&self.works).get(work).filter(|error| error.starts_with(CRASHED)).cloned()
    }

    pub fn len(&self) -> usize {
        lock(&self.works).len()
    }

    /// Another number whenever [`Parked::set_aside`] may come out otherwise.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::SeqCst)
    }

    /// Puts the releases back into quarantine whose inspection crashes: nobody knows what they are, so that nothing of
    /// them is shown until a person reopens them.
    pub fn set_aside(&self, index: &Index, standings: &mut Standings) {
        let works = lock(&self.works);
        let crashed = works.iter().filter(|(work, error)| release_of(work).package == index.package && error.starts_with(CRASHED));
        for (work, error) in crashed {
            let row = index.rows.iter().position(|row| row.version == release_of(work).version);
            let Some(verdict) = row.and_then(|row| standings.verdicts.get_mut(row)) else { continue };
            match verdict.standing {
                Standing::Admissible => {
                    verdict.standing = Standing::Quarantined;
                    verdict.reason = Reason::GivenUp { error: error.clone() };
                }
                // Policy may only observe what is known, and of this nothing is.
                Standing::Held { .. } | Standing::InReview | Standing::Rejected if verdict.observed && !verdict.inspected => {
                    verdict.observed = false;
                    verdict.reason = Reason::GivenUp { error: error.clone() };
                }
                Standing::Quarantined
                | Standing::Held { .. }
                | Standing::InReview
                | Standing::Approved
                | Standing::Rejected
                | Standing::Revoked => {}
            }
        }
    }
}

const fn release_of(work: &Work) -> &ReleaseId {
    match work {
        Work::Inspect { release, .. } | Work::Notify { release, .. } => release,
    }
}
