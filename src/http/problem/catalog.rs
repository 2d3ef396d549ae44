//! What the catalog cannot tell, and what cannot be decided.

use crate::catalog::CatalogError;
use crate::catalog::advisories::NotAudited;
use crate::catalog::explanation::DecideOrFind;
use crate::catalog::lockfile::NotChecked;
use crate::catalog::passthrough::NotPassed;
use crate::catalog::replay::TrialError;
use crate::catalog::requests::RequestOrFind;
use crate::catalog::review::ReviewError;
use crate::http::problem::Kind;
use crate::http::problem::Problem;
use crate::http::problem::REASON_PHRASE_BYTES_MAX;
use crate::model::finding::printable;
use crate::quarantine::decide::DecideError;
use crate::quarantine::feeds::hear::Blame;
use crate::quarantine::feeds::hear::HearError;
use crate::quarantine::gate::NotForReview;
use crate::quarantine::recalls::AcknowledgeError;
use crate::quarantine::requests::RequestError;
use crate::quarantine::waivers::WaiveError;

impl From<CatalogError> for Problem {
    fn from(error: CatalogError) -> Problem {
        let text = error.to_string();
        match error {
            CatalogError::UnknownPackage(_) | CatalogError::UnknownRelease { .. } => Problem::new(Kind::Unknown, text),
            CatalogError::Refused(refusal) => Problem { refusal: Some(refusal), ..Problem::new(Kind::Refused, text) },
            CatalogError::NotYet { retry_after, .. } => Problem::new(Kind::NotYet, text).retry_after(retry_after),
            // The upstream room has logged it already.
            CatalogError::Upstream { retry_after: Some(wait), .. } => Problem::new(Kind::NotYet, text).retry_after(wait),
            CatalogError::Upstream { retry_after: None, .. } => Problem::new(Kind::Upstream, text),
            CatalogError::Loop => Problem::new(Kind::Loop, text.clone()).logged(text),
            CatalogError::Storage(why) => Problem::internal(why),
            CatalogError::StorageFull(why) => Problem::new(Kind::StorageFull, why.clone()).logged(why),
        }
    }
}

impl From<TrialError> for Problem {
    fn from(error: TrialError) -> Problem {
        let text = error.to_string();
        match error {
            TrialError::Faults(_) | TrialError::Days => Problem::new(Kind::Unacceptable, text),
            TrialError::Busy => Problem::new(Kind::Conflict, text),
            TrialError::Catalog(error) => error.into(),
        }
    }
}

impl From<NotAudited> for Problem {
    fn from(error: NotAudited) -> Problem {
        let text = error.to_string();
        match error {
            NotAudited::NotOffered => Problem::new(Kind::Unknown, text),
            // The upstream room has logged it already.
            NotAudited::Upstream { retry_after: Some(wait), .. } => Problem::new(Kind::NotYet, text).retry_after(wait),
            NotAudited::Upstream { retry_after: None, .. } => Problem::new(Kind::Upstream, text),
            NotAudited::Catalog(error) => error.into(),
        }
    }
}

impl From<NotChecked> for Problem {
    fn from(error: NotChecked) -> Problem {
        let text = printable(&error.to_string(), REASON_PHRASE_BYTES_MAX);
        match error {
            NotChecked::Unreadable(_) => Problem::new(Kind::Unacceptable, text),
            NotChecked::TooManyPackages => Problem::new(Kind::TooLarge, text),
            NotChecked::Busy { retry_after } => Problem::new(Kind::NotYet, text).retry_after(retry_after),
            NotChecked::Catalog(error) => error.into(),
        }
    }
}

impl From<DecideError> for Problem {
    fn from(error: DecideError) -> Problem {
        let text = error.to_string();
        let kind = match &error {
            DecideError::UnknownRelease(_) => Kind::Unknown,
            DecideError::OwnSubmission { .. } => Kind::Forbidden,
            DecideError::Nobody => Kind::Unauthenticated,
            DecideError::DigestMoved { .. }
            | DecideError::RevisionMoved { .. }
            | DecideError::NothingToDecide(_)
            | DecideError::AlreadyApproved { .. }
            | DecideError::SameHand { .. } => Kind::Conflict,
            DecideError::ReasonMissing
            | DecideError::ReasonTooLong { .. }
            | DecideError::ExpiryInPast(_)
            | DecideError::ExpiryMeaningless(_) => Kind::Unacceptable,
            DecideError::Commit(commit) if commit.is_disk_full() => Kind::StorageFull,
            DecideError::Commit(_) | DecideError::Read(_) => return Problem::internal(text),
        };
        Problem::new(kind, text)
    }
}

impl From<WaiveError> for Problem {
    fn from(error: WaiveError) -> Problem {
        let text = error.to_string();
        let kind = match &error {
            WaiveError::Nobody => Kind::Unauthenticated,
            WaiveError::TooWide | WaiveError::OwnSubmission { .. } => Kind::Forbidden,
            WaiveError::Unknown(_) => Kind::Unknown,
            WaiveError::Ended(_) | WaiveError::Already { .. } | WaiveError::TooMany { .. } => Kind::Conflict,
            WaiveError::ReasonMissing
            | WaiveError::ReasonTooLong { .. }
            | WaiveError::Packages { .. }
            | WaiveError::VersionOfMany
            | WaiveError::NoFindings
            | WaiveError::NeverWaived { .. }
            | WaiveError::ExpiryInPast(_)
            | WaiveError::ExpiryTooFar { .. } => Kind::Unacceptable,
            WaiveError::Commit(commit) if commit.is_disk_full() => Kind::StorageFull,
            WaiveError::Commit(_) | WaiveError::Read(_) | WaiveError::Random(_) => return Problem::internal(text),
        };
        Problem::new(kind, text)
    }
}

impl From<RequestOrFind> for Problem {
    fn from(error: RequestOrFind) -> Problem {
        match error {
            RequestOrFind::Request(error) => error.into(),
            RequestOrFind::Find(error) => error.into(),
        }
    }
}

impl From<RequestError> for Problem {
    fn from(error: RequestError) -> Problem {
        let text = error.to_string();
        let kind = match &error {
            RequestError::UnknownRelease(_) => Kind::Unknown,
            RequestError::Nobody => Kind::Unauthenticated,
            RequestError::ReasonMissing | RequestError::ReasonTooLong { .. } => Kind::Unacceptable,
            RequestError::NothingToAsk(_) => Kind::Conflict,
            RequestError::TooMany { retry_after, .. } => return Problem::new(Kind::TooManyRequests, text).retry_after(*retry_after),
            RequestError::Commit(commit) if commit.is_disk_full() => Kind::StorageFull,
            RequestError::Commit(_) | RequestError::Read(_) => return Problem::internal(text),
        };
        Problem::new(kind, text)
    }
}

impl From<AcknowledgeError> for Problem {
    fn from(error: AcknowledgeError) -> Problem {
        let text = error.to_string();
        let kind = match &error {
            AcknowledgeError::Nobody => Kind::Unauthenticated,
            AcknowledgeError::OfOthers => Kind::Forbidden,
            AcknowledgeError::NoteTooLong { .. } | AcknowledgeError::NotAName => Kind::Unacceptable,
            AcknowledgeError::NotRecalled(_) | AcknowledgeError::TooMany { .. } => Kind::Conflict,
            AcknowledgeError::Commit(commit) if commit.is_disk_full() => Kind::StorageFull,
            AcknowledgeError::Commit(_) | AcknowledgeError::Read(_) => return Problem::internal(text),
        };
        Problem::new(kind, text)
    }
}

impl From<HearError> for Problem {
    fn from(error: HearError) -> Problem {
        let text = error.to_string();
        match error.blame() {
            Blame::Brought => Problem::new(Kind::Unacceptable, text),
            Blame::TooLarge => Problem::new(Kind::TooLarge, text),
            Blame::Feed => Problem::new(Kind::Upstream, text),
            Blame::Setup => Problem::new(Kind::Conflict, text),
            Blame::FullDisk => Problem::new(Kind::StorageFull, text.clone()).logged(text),
            Blame::Ours => Problem::internal(text),
        }
    }
}

impl From<NotPassed> for Problem {
    fn from(error: NotPassed) -> Problem {
        Problem::new(Kind::NotYet, error.to_string()).retry_after(error.retry_after)
    }
}

impl From<ReviewError> for Problem {
    fn from(error: ReviewError) -> Problem {
        let text = error.to_string();
        match error {
            ReviewError::Unknown(_) | ReviewError::Bytes(NotForReview::NotAReviewer(_) | NotForReview::NoBytes(_)) => {
                Problem::new(Kind::Unknown, text)
            }
            ReviewError::NotYet { retry_after } => Problem::new(Kind::NotYet, text).retry_after(retry_after),
            ReviewError::NotYours(error) => (*error).into(),
            ReviewError::Find(error) => error.into(),
            ReviewError::Decide(error) => error.into(),
            ReviewError::Bytes(NotForReview::Blob(_) | NotForReview::Read(_)) => Problem::internal(text),
        }
    }
}

impl From<DecideOrFind> for Problem {
    fn from(error: DecideOrFind) -> Problem {
        match error {
            DecideOrFind::Decide(error) => error.into(),
            DecideOrFind::Find(error) => error.into(),
        }
    }
}
