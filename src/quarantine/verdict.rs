//! A verdict: where a release stands, and everything one can say about why. Made by the judgement, read by everybody.

use std::sync::Arc;

use crate::model::decision::Decision;
use crate::model::digest::Digest;
use crate::model::digest::DocumentDigest;
use crate::model::finding::Action;
use crate::model::finding::Finding;
use crate::model::finding::FindingKind;
use crate::model::standing::Standing;
use crate::model::time::Timestamp;
use crate::model::waiver::Waiver;
use crate::quarantine::age::AgeRule;
use crate::quarantine::approval::can_be_covered;
use crate::quarantine::context::Tie;

/// Where a release stands, and everything one can say about why.
#[derive(Clone, PartialEq, Debug)]
pub struct Verdict {
    pub standing: Standing,
    /// It is served although it does not stand open: nothing but policy keeps it back, and policy only observes.
    pub observed: bool,
    /// What is known of its bytes is of these bytes, by the present edition of the inspection.
    pub inspected: bool,
    pub findings: Vec<Judged>,
    /// From when its age counts: the publish time, but never before a sight that lacked it.
    pub age_counts_from: Timestamp,
    pub reason: Reason,
    /// The first instant after now at which the verdict may be another one.
    pub changes_at: Option<Timestamp>,
    /// The last instant up to now at which it became what it is: an opening, a decision, an inspection, a change upstream.
    pub changed_at: Option<Timestamp>,
    pub approvals_given: u32,
    pub approvals_needed: u32,
    /// The bytes it stands for: those inspected, else those the index states.
    pub digest: Option<Digest>,
    /// Why policy asks neither its age nor what is inside, where it does not.
    pub trusted: Option<Box<str>>,
    /// The advisory whose fix it is, where that is why its age is enough.
    pub fix_of: Option<Box<str>>,
    /// The gravest vulnerability that is known of it.
    pub gravest: Option<Box<Vulnerability>>,
    /// What it belongs together with, where that counts for it.
    pub tie: Option<Arc<Tie>>,
}

/// A known vulnerability of a release, in short.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Vulnerability {
    pub id: Box<str>,
    /// CVSS base score in tenths; 0 where there is none.
    pub score: u8,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Judged {
    pub finding: Finding,
    /// What makes it this finding and no other: see [`crate::quarantine::mark::of`].
    pub mark: DocumentDigest,
    pub action: Action,
    /// People approved in sight of it.
    pub covered: bool,
    /// By which it does not count, where people waived it.
    pub waived: Option<Arc<Waiver>>,
    pub stage: Stage,
    /// The rule of policy that says so and why, where that is not what holds for all packages.
    pub rule: Option<Box<str>>,
}

impl Verdict {
    /// A finding for which no number of people opens it.
    pub fn hopeless(&self) -> Option<&Judged> {
        self.findings.iter().find(|one| one.action > Action::Note && !can_be_covered(one.finding.kind))
    }

    /// Whether clients may have it: it stands open, or policy only observes.
    pub const fn is_served(&self) -> bool {
        match self.standing {
            Standing::Approved | Standing::Admissible => true,
            Standing::Quarantined | Standing::Held { .. } | Standing::InReview | Standing::Rejected | Standing::Revoked => self.observed,
        }
    }
}

impl Judged {
    /// Whether policy does with it what it says.
    pub fn counts(&self) -> bool {
        !self.covered && self.waived.is_none()
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    Screening,
    Inspection,
}

/// Which rule decided.
#[derive(Clone, PartialEq, Debug)]
pub enum Reason {
    /// Nothing stands against it.
    Clear,
    Age {
        opens_at: Timestamp,
        rule: AgeRule,
    },
    /// It would be open, or be held for its age only, and what it belongs together with opens later or not at all.
    Tied {
        tie: Arc<Tie>,
        /// When it opens by its own age, where it has not by that.
        by_age: Option<Timestamp>,
    },
    Finding {
        kind: FindingKind,
        evidence: String,
    },
    Person(Decision),
    /// Its submitter asked that people look at it.
    Staged,
    /// Its inspection crashed until it was given up. Known by the jobs; never by [`crate::quarantine::judge::judge`].
    GivenUp {
        error: String,
    },
}
