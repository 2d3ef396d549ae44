//! Where a release stands, every finding, what would change it and when: what `explain`, the API and the console show.

use crate::model::digest::Digest;
use crate::model::release::ReleaseId;
use crate::model::time::Timestamp;
use crate::quarantine::judge::Verdict;
use crate::storage::record::ReleaseState;
use crate::storage::record::Sequence;

#[derive(Clone, Debug)]
pub struct Explanation {
    pub release: ReleaseId,
    pub verdict: Verdict,
    /// The one wording; for a release that is open, that it is.
    pub sentence: String,
    /// As upstream claims.
    pub published_at: Option<Timestamp>,
    pub removed_at: Option<Timestamp>,
    /// The package's.
    pub revision: Sequence,
    pub artifacts: Vec<ArtifactState>,
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
