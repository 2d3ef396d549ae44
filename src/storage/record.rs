//! What the ledger records, and the projection that a fold over it gives. Stored forms: a change here needs a new
//! version in `Record::VERSION` and a fixture in `tests/fixtures/records`.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Deserialize;
use serde::Serialize;

use crate::model::actor::Actor;
use crate::model::actor::is_one_name;
use crate::model::advisory::FeedFault;
use crate::model::decision::Decision;
use crate::model::digest::Digest;
use crate::model::digest::DocumentDigest;
use crate::model::digest::IntegrityOutcome;
use crate::model::evidence::Evidence;
use crate::model::facts::Facts;
use crate::model::job::Work;
use crate::model::local::NameOwner;
use crate::model::package::PackageId;
use crate::model::package::Version;
use crate::model::principal::Workflow;
use crate::model::release::ReleaseId;
use crate::model::stage::StageId;
use crate::model::time::Timestamp;
use crate::model::token::Token;
use crate::model::token::TokenId;
use crate::model::user::User;
use crate::model::user::UserChange;
use crate::model::waiver::Request;
use crate::model::waiver::Waiver;
use crate::model::waiver::WaiverId;

/// A position in the ledger; the first record is 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sequence(pub u64);

/// One commit: what the ledger keeps of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Record {
    pub version: u16,
    pub sequence: Sequence,
    pub at: Timestamp,
    pub actor: Actor,
    pub commands: Vec<Command>,
}

impl Record {
    pub const VERSION: u16 = 1;
}

/// What changes. Applied in order, all or none.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "command")]
pub enum Command {
    Sight(Sight),
    Inspected {
        release: ReleaseId,
        file: String,
        inspection: Box<Inspection>,
    },
    Decided {
        release: ReleaseId,
        decision: Decision,
    },
    /// Which policy judges from here on: its digest and its whole text.
    Policy {
        digest: DocumentDigest,
        text: String,
    },
    TokenCreated {
        token: Token,
    },
    TokenRevoked {
        id: TokenId,
    },
    /// Adds the work unless the same work is there already.
    JobQueued {
        work: Work,
        due_at: Timestamp,
    },
    /// Counts an attempt. Written by `State::lease` and by callers that queue work they begin at once.
    JobLeased {
        work: Work,
        until: Timestamp,
    },
    JobDone {
        work: Work,
    },
    /// Not done: to be tried again when due, or, without a time, parked for people.
    JobFailed {
        work: Work,
        error: String,
        retry_at: Option<Timestamp>,
    },
    /// A release was published here. It is judged like any other.
    Submitted {
        release: ReleaseId,
        submission: Submission,
    },
    /// What the owners of a package that is at home here changed, and who starred it.
    Amended {
        package: PackageId,
        by: String,
        changes: Vec<Amendment>,
    },
    /// To whom the name belongs from here on.
    Assigned {
        package: PackageId,
        to: NameOwner,
    },
    UserMade {
        user: User,
    },
    UserChanged {
        name: String,
        change: UserChange,
    },
    /// A key that signs what is published here. The private half is a file; this half stays served for good.
    KeyMade {
        key: SealKey,
    },
    Waived {
        waiver: Waiver,
    },
    WaiverEnded {
        id: WaiverId,
        /// Who ended it; Airlock itself, where its reason was gone.
        by: String,
        reason: String,
    },
    /// Somebody asks that a release be let through. One who asked already asks again with other words.
    Requested {
        release: ReleaseId,
        request: Request,
    },
    /// Somebody who had pulled a release that was taken back says that it is gone from where they had it.
    Acknowledged {
        release: ReleaseId,
        acknowledgement: Acknowledgement,
    },
    /// Another policy judges, and this is what it changed of what was in use.
    Rejudged {
        policy: DocumentDigest,
        rejudged: Rejudged,
    },
    /// From here on this edition of the inspection looks at what is inspected.
    EditionBegun {
        edition: u16,
    },
    /// A feed of advisories was heard. What it said is kept beside the ledger, by this digest.
    FeedHeard {
        feed: String,
        heard: FeedHeard,
    },
}

/// What a policy changed of what is in use here when it took over. Nobody decided it: it is what follows from both policies.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Rejudged {
    /// The policy that judged before, by its digest.
    pub before: DocumentDigest,
    /// Releases that are served now and were not, at most [`Rejudged::NAMED_MAX`].
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub opened: Vec<ReleaseId>,
    /// Releases that were served and are not now, at most as many.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub closed: Vec<ReleaseId>,
    pub opened_total: u64,
    pub closed_total: u64,
}

impl Rejudged {
    pub const NAMED_MAX: usize = 1_000;

    pub const fn since(before: DocumentDigest) -> Rejudged {
        Rejudged { before, opened: Vec::new(), closed: Vec::new(), opened_total: 0, closed_total: 0 }
    }

    pub fn add(&mut self, release: ReleaseId, is_open: bool) {
        let (named, total) = if is_open { (&mut self.opened, &mut self.opened_total) } else { (&mut self.closed, &mut self.closed_total) };
        *total += 1;
        if named.len() < Rejudged::NAMED_MAX {
            named.push(release);
        }
    }
}

/// What was heard of a feed of advisories, and when.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FeedHeard {
    /// How old what it said is: it counts from here.
    pub as_of: Timestamp,
    /// Of everything that counts of it.
    pub digest: DocumentDigest,
    pub advisories: u64,
    /// Records that could not be read and were passed over.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub unreadable: u64,
    /// The first of these.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub faults: Vec<FeedFault>,
}

/// That a release which was taken back is gone from somewhere.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Acknowledgement {
    pub by: String,
    /// Whose pulls it is about, where those are not their own: the name of a token, or an address.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub of: Option<String>,
    pub at: Timestamp,
    /// What was done.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub note: String,
}

/// What was submitted. The bytes are among the blobs, by their digest; the manifest is here.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Submission {
    pub id: StageId,
    pub at: Timestamp,
    pub by: String,
    /// The submitter's name and those of all who could have submitted it under that name: none of them may approve it.
    pub behind: Vec<String>,
    /// It waits for people even where submissions are trusted.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub staged: bool,
    pub digest: Digest,
    /// 40 lower-case hexadecimal digits.
    pub sha1: String,
    /// Length in bytes.
    pub size: u64,
    /// The release's text as it is served, sealed: at most `MANIFEST_BYTES_MAX`.
    pub manifest: String,
    /// Each is to point at it once it may be seen.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub tags: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub workflow: Option<Workflow>,
    /// The sigstore bundle that came with it, as it came.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub provenance: Option<String>,
    /// Its publisher's client asked that callers without a name are told nothing of the package. Whether that is so is said
    /// by [`Amendment::Restricted`].
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub asked_restricted: bool,
}

impl Submission {
    pub const MANIFEST_BYTES_MAX: usize = 2 * 1_024 * 1_024;
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "amend")]
pub enum Amendment {
    Tagged {
        tag: String,
        version: Version,
    },
    Untagged {
        tag: String,
    },
    /// Without a text it is deprecated no more.
    Deprecated {
        version: Version,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        text: Option<String>,
    },
    /// It leaves the index, and its version is never published again.
    Withdrawn {
        version: Version,
    },
    /// From here on these and no others; never none.
    Owners {
        names: BTreeSet<String>,
    },
    Starred {
        by: String,
        on: bool,
    },
    /// Whether callers without a name are told that there is no such package.
    Restricted {
        on: bool,
    },
}

/// The public half of a signing key.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SealKey {
    /// `SHA256:` and the unpadded base64 of the SHA-256 of the key's SPKI.
    pub id: String,
    pub public_spki_base64: String,
    pub made_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub expires_at: Option<Timestamp>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// An index that was seen, as a difference to the one before.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Sight {
    pub package: PackageId,
    pub at: Timestamp,
    /// Of what upstream said.
    pub source: DocumentDigest,
    /// The split document that was kept of it, in `Documents`.
    pub document: DocumentDigest,
    /// The first sight of the package: `added` is all of it, and nothing in it counts as absent before.
    pub first: bool,
    /// The last time at which the releases in `added` were known to be absent; only without `first`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub absent_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub added: Vec<Version>,
    /// Upstream took them down.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub removed: Vec<Version>,
    /// They were taken down before and are back with the same bytes stated.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub returned: Vec<Version>,
    /// Their bytes are stated differently than before.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub changed: Vec<Version>,
}

/// What inspection found in which bytes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Inspection {
    pub at: Timestamp,
    /// Which edition of the inspection looked; an older one is looked at again.
    pub edition: u16,
    /// Of the bytes that were looked at. They stay the release's bytes for good.
    pub digest: Digest,
    /// Length in bytes.
    pub size: u64,
    pub integrity: IntegrityOutcome,
    pub facts: Facts,
    /// What the index said of the release, by `Ecosystem::substance`: with another entry, these facts are of another release.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub substance: Option<DocumentDigest>,
    /// What spoke for the release besides its bytes; none where nobody looked.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub evidence: Option<Box<Evidence>>,
}

impl Inspection {
    /// Whether these bytes are the release's from then on. Bytes that are not those stated never are.
    pub fn pins(&self) -> bool {
        match self.integrity {
            IntegrityOutcome::Agrees | IntegrityOutcome::WeaklyAgrees | IntegrityOutcome::Unstated => true,
            IntegrityOutcome::Disagrees { .. } => false,
        }
    }
}

/// Everything the ledger knows of one package. One value in one key; its size grows with decisions and inspections, not
/// with releases.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct PackageState {
    /// The sequence of the last record that touched the package: its revision.
    pub revision: Sequence,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub first_seen_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_sight: Option<LastSight>,
    /// Only releases of which there is something to say.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub releases: BTreeMap<Version, ReleaseState>,
    /// Only of a package that is at home here.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub local: Option<Local>,
    /// What was at home here before the name was given to upstream.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub given_up: Option<Local>,
}

impl PackageState {
    /// What is known of a release because it was published here; withdrawn ones too.
    pub fn submission(&self, version: &Version) -> Option<&LocalRelease> {
        self.local.as_ref().and_then(|local| local.releases.get(version))
    }
}

/// A package that is at home here. Its manifests are in the ledger: see [`LocalRelease::sequence`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Local {
    pub assigned_at: Timestamp,
    /// The first publisher, until the owners say otherwise; none before the first release.
    #[serde(skip_serializing_if = "BTreeSet::is_empty", default)]
    pub owners: BTreeSet<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub restricted: bool,
    /// What each tag was wished to point at, the newest wish first; never an empty list.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub tags: BTreeMap<String, Vec<Version>>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty", default)]
    pub stars: BTreeSet<String>,
    /// Withdrawn ones too.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub releases: BTreeMap<Version, LocalRelease>,
}

impl Local {
    pub fn is_owner(&self, name: &str) -> bool {
        self.owners.iter().any(|owner| is_one_name(owner, name))
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LocalRelease {
    pub id: StageId,
    pub at: Timestamp,
    pub by: String,
    pub behind: Vec<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub staged: bool,
    /// Of the record that holds its manifest: `State::entries(sequence - 1, 1)`.
    pub sequence: Sequence,
    pub digest: Digest,
    pub sha1: String,
    pub size: u64,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub workflow: Option<Workflow>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub deprecated: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub withdrawn_at: Option<Timestamp>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LastSight {
    pub at: Timestamp,
    pub source: DocumentDigest,
    pub document: DocumentDigest,
}

#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ReleaseState {
    /// An index seen then lacked it: it is no older than that, whatever upstream claims.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub absent_at: Option<Timestamp>,
    /// The first sight of it, where that was not the package's.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub seen_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub changed_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub removed_at: Option<Timestamp>,
    /// When bytes of it were first found to be its own. No later inspection and no reopening changes it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub first_inspected_at: Option<Timestamp>,
    /// By file name. Shared: a state is copied whenever a record changes it, and a map makes room for eleven at a time.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub inspections: BTreeMap<String, Arc<Inspection>>,
    /// Oldest first, since the last reopening.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub decisions: Vec<Decision>,
    /// The digest pinned by an inspection that a reopening forgot; other bytes are still other bytes.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub pins: BTreeMap<String, Digest>,
    /// Who asks that it be let through, each once, oldest first; at most [`ReleaseState::REQUESTS_MAX`].
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub requests: Vec<Request>,
    /// By whom, each once, oldest first; at most [`ReleaseState::ACKNOWLEDGEMENTS_MAX`].
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub acknowledgements: Vec<Acknowledgement>,
}

impl ReleaseState {
    pub const REQUESTS_MAX: usize = 100;
    pub const ACKNOWLEDGEMENTS_MAX: usize = 1_000;
}
