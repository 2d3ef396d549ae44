//! Work that must not be lost: leased, tried again, and parked for people after a bounded number of tries.

use serde::Deserialize;
use serde::Serialize;

use crate::model::notice::HookId;
use crate::model::notice::NoticeKind;
use crate::model::release::ReleaseId;
use crate::model::time::Timestamp;

/// Two jobs with the same work are one job.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "do")]
pub enum Work {
    /// Fetch an artifact into quarantine, inspect it, record its facts.
    Inspect { release: ReleaseId, file: String },
    /// Tell one of those outside who are to be told.
    Notify { release: ReleaseId, event: NoticeKind, hook: HookId },
}

/// Jobs that are asked for apart from the others.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Sort {
    /// Inspections that were given up and wait for people.
    GivenUp,
    /// Not given up.
    Waiting,
    /// Notices of one release. Nobody reopens one that was given up: its recall shows it.
    NoticesOf(ReleaseId),
}

impl Sort {
    pub fn has(&self, job: &Job) -> bool {
        match (self, &job.work) {
            (Sort::GivenUp, Work::Inspect { .. }) => job.parked,
            (Sort::GivenUp, Work::Notify { .. }) | (Sort::NoticesOf(_), Work::Inspect { .. }) => false,
            (Sort::Waiting, Work::Inspect { .. } | Work::Notify { .. }) => !job.parked,
            (Sort::NoticesOf(release), Work::Notify { release: about, .. }) => about == release,
        }
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Job {
    pub work: Work,
    pub queued_at: Timestamp,
    /// How often it was leased.
    pub attempts: u32,
    /// Not to be leased before.
    pub due_at: Timestamp,
    /// Leased until then; past it the worker is taken for dead.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub leased_until: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_error: Option<String>,
    /// Given up: waits for people.
    pub parked: bool,
}
