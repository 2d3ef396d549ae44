//! What people said against a release, for those who have it already.

use crate::model::decision::Verb;
use crate::model::finding::printable;
use crate::model::release::ReleaseId;
use crate::model::time::Timestamp;
use crate::storage::record::ReleaseState;

const REASON_BYTES_MAX: usize = 200;

/// `left-pad@1.0.0 was revoked by maria: malware after all`, where a person's last word is that it is not to be used.
pub fn warning(release: &ReleaseId, state: &ReleaseState, now: Timestamp) -> Option<String> {
    let last = state.decisions.iter().rfind(|decision| decision.counts_at(now))?;
    let said = match last.verb {
        Verb::Revoke => "was revoked",
        Verb::Reject => "is rejected",
        Verb::Approve | Verb::Hold | Verb::Reopen => return None,
    };
    Some(format!("{release} {said} by {}: {}", last.by, printable(&last.reason, REASON_BYTES_MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::decision::Decision;
    use crate::model::package::PackageId;
    use crate::model::package::Version;

    #[test]
    fn only_the_last_word_that_counts_warns() {
        let release = ReleaseId { package: PackageId::npm("x").unwrap(), version: Version::parse("1.0.0").unwrap() };
        let decision = |verb, expires_at: Option<i64>| Decision {
            verb,
            by: "maria".into(),
            behind: Vec::new(),
            at: Timestamp::from_millis(0),
            reason: "bad".into(),
            digest: None,
            substance: None,
            covers: Vec::new(),
            basis: None,
            expires_at: expires_at.map(Timestamp::from_millis),
        };
        let check = |decisions: Vec<Decision>, expect: Option<&str>| {
            let state = ReleaseState { decisions, ..ReleaseState::default() };
            assert_eq!(warning(&release, &state, Timestamp::from_millis(10)).as_deref(), expect);
        };
        check(vec![], None);
        check(vec![decision(Verb::Approve, None), decision(Verb::Revoke, None)], Some("x@1.0.0 was revoked by maria: bad"));
        check(vec![decision(Verb::Reject, None)], Some("x@1.0.0 is rejected by maria: bad"));
        check(vec![decision(Verb::Reject, Some(5))], None);
        check(vec![decision(Verb::Reject, None), decision(Verb::Approve, None)], None);
        check(vec![decision(Verb::Hold, None)], None);
    }
}
