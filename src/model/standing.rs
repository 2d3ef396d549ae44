//! Where a release stands. Computed by `quarantine::judge`, rendered by everyone else; unknown counts as quarantined.

use std::fmt;

use serde::Deserialize;
use serde::Serialize;

use crate::model::time::Timestamp;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Standing {
    /// Nothing is known yet.
    Quarantined,
    /// Screening found nothing against it; its bytes have not been inspected.
    Admissible,
    /// Waits for its time, or, without `until`, for as long as a finding or a person holds it.
    Held {
        #[serde(skip_serializing_if = "Option::is_none", default)]
        until: Option<Timestamp>,
    },
    /// Waits for people.
    InReview,
    /// Passed the whole workflow.
    Approved,
    Rejected,
    /// Was approved once, and is not any more.
    Revoked,
}

impl Standing {
    pub const fn as_str(self) -> &'static str {
        match self {
            Standing::Quarantined => "quarantined",
            Standing::Admissible => "admissible",
            Standing::Held { .. } => "held",
            Standing::InReview => "in_review",
            Standing::Approved => "approved",
            Standing::Rejected => "rejected",
            Standing::Revoked => "revoked",
        }
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
