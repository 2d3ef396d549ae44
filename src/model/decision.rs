//! What a person decided of a release. Policy's own outcome is never stored: it is computed again.

use std::fmt;

use serde::Deserialize;
use serde::Serialize;

use crate::model::digest::Digest;
use crate::model::digest::DocumentDigest;
use crate::model::finding::FindingKind;
use crate::model::time::Timestamp;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    Approve,
    Reject,
    Hold,
    /// Forgets earlier decisions and inspections; policy judges anew.
    Reopen,
    /// Takes back what was approved.
    Revoke,
}

impl Verb {
    pub const ALL: [Verb; 5] = [Verb::Approve, Verb::Reject, Verb::Hold, Verb::Reopen, Verb::Revoke];

    pub const fn as_str(self) -> &'static str {
        match self {
            Verb::Approve => "approve",
            Verb::Reject => "reject",
            Verb::Hold => "hold",
            Verb::Reopen => "reopen",
            Verb::Revoke => "revoke",
        }
    }

    pub fn parse(text: &str) -> Option<Verb> {
        Verb::ALL.into_iter().find(|verb| verb.as_str() == text)
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Decision {
    pub verb: Verb,
    /// The name of the person's token.
    pub by: String,
    /// Who else could have decided so under that name: see [`crate::model::principal::Principal::behind`].
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub behind: Vec<String>,
    pub at: Timestamp,
    pub reason: String,
    /// The bytes an approval is for: those inspected, else those the index states. An approval of other bytes is none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub digest: Option<Digest>,
    /// What the index said of the release when it was approved; an approval of another entry is none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub substance: Option<DocumentDigest>,
    /// The findings an approval was given in sight of; one that comes later is not covered.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub covers: Vec<FindingKind>,
    /// What else an approval rests on; one that was recorded without it counts by the kinds in `covers`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub basis: Option<Box<Basis>>,
    /// When the decision stops counting.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub expires_at: Option<Timestamp>,
}

/// What an approval was given in sight of, so that it is for nothing else.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Basis {
    /// Of every finding there was, noted ones too, in order: by it a judgement can be told to be the same again.
    pub findings: DocumentDigest,
    /// Which policy judged: the digest that the ledger recorded it under.
    pub policy: DocumentDigest,
    /// Those findings that policy minded, by their marks: another finding of the same kind is not covered.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub marks: Vec<DocumentDigest>,
}

impl Decision {
    pub const REASON_BYTES_MAX: usize = 1_000;

    pub fn counts_at(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|expires_at| now < expires_at)
    }
}
