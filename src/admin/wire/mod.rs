//! The admin API's words on the wire: what the server writes and the command line reads. All times are RFC 3339 with `Z`.

mod advisories;
mod asked;
mod change;
mod evidence;
mod locked;
mod policy;
mod recalls;
mod waivers;

pub use advisories::Advisories;
pub use advisories::AdvisoriesQuery;
pub use advisories::AdvisoryView;
pub use advisories::FeedView;
pub use advisories::Import;
pub use advisories::ImportQuery;
pub use advisories::RangeView;
pub use advisories::UnreadableRecord;
pub use asked::AuditQuery;
pub use asked::DecisionOrder;
pub use asked::NameOrder;
pub use asked::NameView;
pub use asked::QueueQuery;
pub use asked::ReleasesQuery;
pub use asked::TokenOrder;
pub use asked::UserEdit;
pub use asked::UserOrder;
pub use change::ChangeView;
pub use change::GainedView;
pub use evidence::EvidenceView;
pub use evidence::ProofState;
pub use evidence::ProofView;
pub use locked::LockedIntegrity;
pub use locked::LockedVerdict;
pub use locked::LockedView;
pub use locked::LockfileQuery;
pub use locked::LockfileView;
pub use locked::PlanView;
pub use locked::PlannedView;
pub use locked::StuckView;
pub use policy::HitCaller;
pub use policy::MovedRelease;
pub use policy::Replay;
pub use policy::ReplayOrder;
pub use policy::Tried;
pub use recalls::AcknowledgementOrder;
pub use recalls::AcknowledgementView;
pub use recalls::Missing;
pub use recalls::NoticeView;
pub use recalls::Pull;
pub use recalls::Recall;
pub use recalls::Recalled;
pub use recalls::RequestOrder;
pub use waivers::WaiverEnd;
pub use waivers::WaiverMark;
pub use waivers::WaiverOrder;
pub use waivers::WaiverPeople;
pub use waivers::WaiverView;
pub use waivers::Waivers;
pub use waivers::WaiversQuery;

use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::admin::schema;
use crate::model::digest::Digest;
use crate::model::finding::Action;
use crate::model::finding::FindingKind;
use crate::model::package::EcosystemId;
use crate::model::time::Timestamp;
use crate::model::token::Role;

/// Where a release stands, without the time until which it does.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Nothing is known yet.
    Quarantined,
    /// Screening found nothing against it; its bytes are inspected at the first download.
    Admissible,
    /// Waits for its time, or for as long as a finding or a person holds it.
    Held,
    /// Waits for people.
    InReview,
    /// Passed the whole workflow.
    Approved,
    Rejected,
    /// Was approved once, and is not any more.
    Revoked,
}

impl Standing {
    pub const ALL: [Standing; 7] = [
        Standing::Quarantined,
        Standing::Admissible,
        Standing::Held,
        Standing::InReview,
        Standing::Approved,
        Standing::Rejected,
        Standing::Revoked,
    ];

    /// The text on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Standing::Quarantined => "quarantined",
            Standing::Admissible => "admissible",
            Standing::Held => "held",
            Standing::InReview => "in_review",
            Standing::Approved => "approved",
            Standing::Rejected => "rejected",
            Standing::Revoked => "revoked",
        }
    }
}

impl std::fmt::Display for Standing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A release in a list.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Summary {
    /// `left-pad`, `@acme/web`.
    #[schema(example = "left-pad")]
    pub package: String,
    #[schema(schema_with = schema::ecosystem)]
    pub ecosystem: EcosystemId,
    #[schema(example = "1.3.0")]
    pub version: String,
    pub standing: Standing,
    /// It is served all the same, because policy only observes.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub observed: bool,
    /// When it opens by itself, if it does.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(schema_with = schema::time)]
    pub opens_at: Option<Timestamp>,
    /// As upstream claims.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(schema_with = schema::time)]
    pub published_at: Option<Timestamp>,
    /// Each kind once.
    #[schema(schema_with = schema::finding_kinds)]
    pub findings: Vec<FindingKind>,
    /// How often it was asked for while it was not served.
    pub wanted: u64,
    /// How many people ask that it be let through.
    #[serde(default)]
    pub requests: u64,
    /// The one wording, without a link.
    #[schema(
        example = "left-pad@1.3.0 is held: published 9 hours ago, opens 2026-11-27 14:05 UTC (minimum age 7 days). 1.2.0 is approved."
    )]
    pub sentence: String,
}

/// One page of releases.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Releases {
    pub releases: Vec<Summary>,
    /// For the next page; null on the last.
    pub next_cursor: Option<String>,
    /// Whether this page is the last one.
    pub complete: bool,
}

/// What waits for people.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Queue {
    /// Most wanted first.
    pub waiting: Vec<Summary>,
    /// Work that was given up after its last try.
    pub parked: Vec<Parked>,
    /// False when more waits than was asked for or looked at.
    pub complete: bool,
}

/// An inspection that was given up.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Parked {
    #[schema(example = "left-pad")]
    pub package: String,
    #[schema(example = "1.3.0")]
    pub version: String,
    #[schema(example = "left-pad-1.3.0.tgz")]
    pub file: String,
    pub attempts: u32,
    /// What went wrong the last time.
    pub error: String,
    /// When the work was queued.
    #[schema(schema_with = schema::time)]
    pub since: Timestamp,
}

/// A package: how many of its releases stand where, and the newest of them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Package {
    #[schema(example = "left-pad")]
    pub package: String,
    #[schema(schema_with = schema::ecosystem)]
    pub ecosystem: EcosystemId,
    /// By the text of the standing; a standing without releases is absent.
    #[schema(example = json!({ "approved": 11, "held": 1 }))]
    pub standings: std::collections::BTreeMap<String, u64>,
    /// Newest first, at most 100.
    pub releases: Vec<Summary>,
    /// Of the package, not only of this list.
    pub total: u64,
}

/// One release: where it stands, why, and what would change it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct ReleaseView {
    #[schema(example = "left-pad")]
    pub package: String,
    #[schema(schema_with = schema::ecosystem)]
    pub ecosystem: EcosystemId,
    #[schema(example = "1.3.0")]
    pub version: String,
    pub standing: Standing,
    /// It is served all the same, because policy only observes.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub observed: bool,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(schema_with = schema::time)]
    pub opens_at: Option<Timestamp>,
    /// As upstream claims.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(schema_with = schema::time)]
    pub published_at: Option<Timestamp>,
    /// From when its age counts: the publish time, but never before a sight that lacked it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(schema_with = schema::time)]
    pub age_counts_from: Option<Timestamp>,
    /// When upstream was first seen without it, after it had it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(schema_with = schema::time)]
    pub removed_at: Option<Timestamp>,
    /// Who published it here; absent for what upstream has.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(example = "maria")]
    pub submitted_by: Option<String>,
    /// Why policy asks neither its age nor what is inside; absent where it does.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(example = "our own registry")]
    pub trusted: Option<String>,
    /// The advisory whose fix it is, where that is why it opens earlier than others of its age.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(example = "GHSA-aaaa-bbbb-cccc")]
    pub fix_of: Option<String>,
    /// Releases of other packages that it belongs together with: they open together or not at all.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    #[schema(example = json!(["@acme/core@2.0.0"]))]
    pub siblings: Vec<String>,
    pub wanted: u64,
    /// How many people ask that it be let through; the history has their words.
    #[serde(default)]
    pub requests: u64,
    /// The one wording, without a link.
    #[schema(
        example = "left-pad@1.3.0 is held: published 9 hours ago, opens 2026-11-27 14:05 UTC (minimum age 7 days). 1.2.0 is approved."
    )]
    pub sentence: String,
    /// The page that says the same to people.
    #[schema(example = "http://127.0.0.1:4873/-/airlock/r/left-pad@1.3.0")]
    pub link: String,
    /// Of the bytes that were inspected, else as the index states. A decision may be bound to it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(schema_with = schema::digest)]
    pub digest: Option<Digest>,
    /// The package's: it rises with every change. A decision may be bound to it.
    pub revision: u64,
    pub approvals: Approvals,
    pub findings: Vec<FindingView>,
    /// What it does that the release it was compared with did not; absent where nothing was compared.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub change: Option<ChangeView>,
    pub artifacts: Vec<ArtifactView>,
    /// What speaks for it besides its bytes; none before it was inspected, and of what was published here.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub evidence: Option<EvidenceView>,
    /// Oldest first.
    pub history: Vec<Event>,
    /// In words, what would change where it stands.
    #[schema(example = json!(["opens 2026-11-27 14:05 UTC by itself"]))]
    pub would_change: Vec<String>,
}

/// How many people approved these very bytes, and how many it takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Approvals {
    pub given: u32,
    pub needed: u32,
}

/// One thing that a check found, and what policy does about it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct FindingView {
    #[schema(schema_with = schema::finding_kind)]
    pub kind: FindingKind,
    #[schema(schema_with = schema::action)]
    pub action: Action,
    pub stage: Stage,
    /// What was seen. May quote what an attacker wrote; control and invisible characters are replaced.
    #[schema(example = "postinstall: node setup.js")]
    pub evidence: String,
    /// People approved in sight of it, so that it does not count.
    pub covered: bool,
    /// The waiver by which it does not count.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub waived: Option<WaiverMark>,
    /// What this kind of finding means.
    #[schema(example = "its manifest runs a program when it is installed")]
    pub why: String,
    /// The rule of policy that says what it does, and why; absent where that is what holds for all packages.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(example = "policy.rules[0]: it brings programs on purpose")]
    pub rule: Option<String>,
}

/// From what a finding was made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// From the index alone.
    Screening,
    /// From the bytes.
    Inspection,
}

/// A file of a release.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct ArtifactView {
    #[schema(example = "left-pad-1.3.0.tgz")]
    pub file: String,
    /// Of the inspected bytes, else as the index states.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(schema_with = schema::digest)]
    pub digest: Option<Digest>,
    /// Bytes; known once inspected.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(schema_with = schema::time)]
    pub inspected_at: Option<Timestamp>,
}

/// Something that happened to a release.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Event {
    #[schema(schema_with = schema::time)]
    pub at: Timestamp,
    /// The name of a person's token, `airlock`, or `upstream`.
    #[schema(example = "maria")]
    pub by: String,
    #[schema(example = "approve")]
    pub what: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(schema_with = schema::digest)]
    pub digest: Option<Digest>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(schema_with = schema::time)]
    pub expires_at: Option<Timestamp>,
}

/// A stretch of the ledger, oldest first.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Audit {
    pub entries: Vec<Entry>,
    /// What to give as `after` for the next stretch; null at the end.
    pub next_after: Option<u64>,
}

/// One record of the ledger.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Entry {
    pub sequence: u64,
    #[schema(schema_with = schema::time)]
    pub at: Timestamp,
    /// The name of a person's token, or `airlock`.
    #[schema(example = "maria")]
    pub by: String,
    /// In words, a line for each command.
    #[schema(example = json!(["approved left-pad@1.3.0: read the diff, see ticket 812"]))]
    pub what: Vec<String>,
    /// As the ledger keeps them.
    #[schema(value_type = Vec<Object>)]
    pub commands: Vec<Value>,
    /// SHA-256 of the record as it lies in the ledger, 64 hexadecimal digits.
    pub hash: String,
    /// The hash of the record before.
    pub previous: String,
}

/// What proving the whole ledger came to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({ "sound": true, "records": 1284, "head": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" }))]
pub struct Proof {
    pub sound: bool,
    /// How many records were proved.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub records: Option<u64>,
    /// The hash of the last record, 64 hexadecimal digits.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub head: Option<String>,
    /// The last record that is sound.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub after: Option<u64>,
    /// Where the chain breaks, in words.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub place: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Tokens {
    /// Oldest first, revoked ones too.
    pub tokens: Vec<TokenView>,
}

/// A token without its secret.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct TokenView {
    /// 12 hexadecimal digits.
    #[schema(example = "5f0c9a1be27d")]
    pub id: String,
    #[schema(example = "maria")]
    pub name: String,
    #[schema(schema_with = schema::role)]
    pub role: Role,
    #[schema(schema_with = schema::time)]
    pub created_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(schema_with = schema::time)]
    pub expires_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(schema_with = schema::time)]
    pub revoked_at: Option<Timestamp>,
}

/// A token just made. The secret is told here and never again.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct NewToken {
    #[serde(flatten)]
    pub view: TokenView,
    /// `airlock_<id>_<secret>`.
    pub token: String,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Users {
    /// By name, disabled ones too.
    pub users: Vec<UserView>,
}

/// A user without its password.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct UserView {
    #[schema(example = "maria")]
    pub name: String,
    /// Its own; groups of the configuration may give others besides.
    #[schema(schema_with = schema::role)]
    pub role: Role,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub email: Option<String>,
    pub has_password: bool,
    /// The identity provider it signs in with.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub provider: Option<String>,
    #[schema(schema_with = schema::time)]
    pub made_at: Timestamp,
    /// Since when it is let in nowhere.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(schema_with = schema::time)]
    pub disabled_at: Option<Timestamp>,
}

/// An error, as RFC 9457 has it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({ "type": "about:blank", "title": "Forbidden", "status": 403, "detail": "this needs the role approver" }))]
pub struct ProblemView {
    #[serde(rename = "type")]
    pub kind: String,
    pub title: String,
    pub status: u16,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub detail: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub instance: Option<String>,
}
