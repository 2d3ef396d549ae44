//! The seam to what is remembered: conditional batches in, snapshots out. Implemented in memory and on ledger + sled;
//! `storage/conformance.rs` says what every implementation must do.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::model::actor::Actor;
use crate::model::digest::DocumentDigest;
use crate::model::job::Job;
use crate::model::job::Sort;
use crate::model::package::PackageId;
use crate::model::time::Timestamp;
use crate::model::token::Token;
use crate::model::user::User;
use crate::model::waiver::Waiver;
use crate::storage::record::Command;
use crate::storage::record::FeedHeard;
use crate::storage::record::PackageState;
use crate::storage::record::Record;
use crate::storage::record::SealKey;
use crate::storage::record::Sequence;

/// Commands that take effect together, if all conditions hold.
#[derive(Clone, Debug)]
pub struct Batch {
    pub at: Timestamp,
    pub actor: Actor,
    pub conditions: Vec<Condition>,
    pub commands: Vec<Command>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Condition {
    /// The package's revision is this; 0 for one never touched.
    Revision { package: PackageId, is: Sequence },
    /// No token that is neither revoked nor expired at the batch's time has this name, in whatever case.
    TokenNameFree { name: String },
    /// No token was ever made.
    NoTokens,
    /// No user has this name, in whatever case, nor has a named token that counts at the batch's time; and it is not reserved.
    UserNameFree { name: String },
}

#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// Nothing was changed.
    #[error("a condition no longer holds: {0:?}")]
    Conflict(Condition),
    /// Nothing was changed.
    #[error("the disk is full: the change was refused, and nothing else is affected; free space on {path} and try again")]
    DiskFull { path: String },
    /// Nothing was changed.
    #[error("the change cannot be written as one record: {why}")]
    TooLarge { why: String },
    /// Whether the change is durable is unknown; no further change is accepted until restart.
    #[error("the ledger cannot be written: {0}")]
    Broken(String),
    #[error("the store is shutting down")]
    Closed,
}

impl CommitError {
    /// Whether everything is as it was before.
    pub const fn wrote_nothing(&self) -> bool {
        match self {
            CommitError::Conflict(_) | CommitError::DiskFull { .. } | CommitError::TooLarge { .. } | CommitError::Closed => true,
            CommitError::Broken(_) => false,
        }
    }

    /// Whether space on the disk would help.
    pub const fn is_disk_full(&self) -> bool {
        match self {
            CommitError::DiskFull { .. } => true,
            CommitError::Conflict(_) | CommitError::TooLarge { .. } | CommitError::Broken(_) | CommitError::Closed => false,
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("what is stored cannot be read: {0}")]
    Damaged(String),
    #[error("could not read from disk: {0}")]
    Io(#[from] std::io::Error),
}

/// A record as the audit log shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    pub record: Record,
    /// SHA-256 of the record as it lies in the ledger, the hash before it included.
    pub hash: DocumentDigest,
    pub previous: DocumentDigest,
}

/// The outcome of proving the ledger from its first byte to its last.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Proof {
    Sound {
        records: u64,
        head: DocumentDigest,
    },
    /// Where the chain breaks, in words, and the last record that is sound.
    Broken {
        after: Sequence,
        place: String,
    },
}

/// What upstream was last heard to say of a package: a cache, lost without harm.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
pub struct IndexNote {
    /// Of what upstream said; equal to the last sight's, or the note is void.
    pub source: DocumentDigest,
    /// When upstream last confirmed it.
    pub checked_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub etag: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_modified: Option<String>,
}

#[async_trait]
pub trait State: Send + Sync {
    /// Atomic; durable when it returns `Ok`; the sequence is the store's.
    async fn commit(&self, batch: Batch) -> Result<Sequence, CommitError>;

    /// The package as of now; a package never touched is the default state.
    async fn package(&self, package: &PackageId) -> Result<Arc<PackageState>, ReadError>;

    /// The package's revision, 0 if never touched. Asked on every request: memory only, where memory holds it.
    async fn revision(&self, package: &PackageId) -> Result<Sequence, ReadError>;

    /// Packages in order after `after`, at most `limit`: one page is one snapshot.
    async fn packages(&self, after: Option<&PackageId>, limit: usize) -> Result<Vec<(PackageId, Arc<PackageState>)>, ReadError>;

    /// All tokens, revoked ones too, oldest first.
    async fn tokens(&self) -> Result<Vec<Token>, ReadError>;

    /// All users, disabled ones too, oldest first.
    async fn users(&self) -> Result<Vec<User>, ReadError>;

    /// The public halves of all signing keys there ever were, oldest first.
    async fn keys(&self) -> Result<Vec<SealKey>, ReadError>;

    /// The packages that are at home here, in order.
    async fn locals(&self) -> Result<Vec<PackageId>, ReadError>;

    /// The packages of which people ever approved a release, in order.
    async fn let_in(&self) -> Result<Vec<PackageId>, ReadError>;

    /// The packages of which anything is recorded and whose names differ from this one's in their case only, in order. Goes over all.
    async fn names_alike(&self, package: &PackageId) -> Result<Vec<PackageId>, ReadError>;

    /// All waivers that count, and of those that ended the last thousand; oldest first.
    async fn waivers(&self) -> Result<Vec<Waiver>, ReadError>;

    /// What was heard last of each feed of advisories, by its name.
    async fn feeds(&self) -> Result<BTreeMap<String, FeedHeard>, ReadError>;

    /// Since when each edition of the inspection looks here.
    async fn editions(&self) -> Result<BTreeMap<u16, Timestamp>, ReadError>;

    /// What the user of this name starred, in order.
    async fn stars_of(&self, user: &str) -> Result<Vec<PackageId>, ReadError>;

    /// Takes up to `limit` jobs that are due, neither parked nor leased, for `duration`; durable before it returns.
    async fn lease(&self, now: Timestamp, duration: Duration, limit: usize) -> Result<Vec<Job>, CommitError>;

    /// Every job that is not done, parked ones too, oldest first, at most `limit`.
    async fn jobs(&self, limit: usize) -> Result<Vec<Job>, ReadError>;

    /// Those of them of one sort, oldest first, at most `limit`: no other sort crowds them out.
    async fn jobs_of(&self, sort: Sort, limit: usize) -> Result<Vec<Job>, ReadError>;

    /// Ledger entries after `after`, oldest first, at most `limit`; fewer when they are large. Only an empty page is the end.
    async fn entries(&self, after: Sequence, limit: usize) -> Result<Vec<Entry>, ReadError>;

    /// The digest of the policy recorded last.
    async fn policy(&self) -> Result<Option<DocumentDigest>, ReadError>;

    /// The digest of the policy that judged before it, until a record says what that changed.
    async fn policy_before(&self) -> Result<Option<DocumentDigest>, ReadError>;

    /// Proves the whole ledger again from disk.
    async fn verify(&self) -> Result<Proof, ReadError>;

    /// Keeps a cache note; not durable, never an error.
    async fn put_note(&self, package: &PackageId, note: IndexNote);

    async fn note(&self, package: &PackageId) -> Option<IndexNote>;

    /// Whether the store answers and accepts commits, for readiness; the reason if not.
    async fn health(&self) -> Result<(), String>;

    /// Writes down that everything is in order and stops accepting commits.
    async fn close(&self);
}
