//! `airlock approve|reject|hold|reopen`: a person's decision on one release.

use crate::admin::wire::DecisionOrder;
use crate::admin::wire::ReleaseView;
use crate::admin::wire::Standing;
use crate::cli::failure::Failure;
use crate::cli::failure::Outcome;
use crate::cli::page;
use crate::cli::page::Look;
use crate::cli::queue::tone;
use crate::cli::queue::words;
use crate::cli::remote::Remote;
use crate::cli::remote::RemoteFlags;
use crate::cli::target::ReleaseTarget;
use crate::cli::target::expiry;
use crate::cli::target::reason;
use crate::clock::Clock;
use crate::model::decision::Verb;
use crate::model::finding::printable;
use crate::model::package::PackageName;
use crate::model::package::Version;

const NAME_BYTES_MAX: usize = PackageName::BYTES_MAX + Version::BYTES_MAX + '@'.len_utf8();

#[derive(clap::Args, Debug)]
pub struct DecisionFlags {
    /// The release: left-pad@1.3.0
    #[arg(value_name = "NAME@VERSION")]
    pub target: ReleaseTarget,
    /// Why; kept for good in the ledger
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// When the decision stops counting: 30d, 2027-01-31
    #[arg(long, value_name = "WHEN")]
    pub expires: Option<String>,
    /// Refuse when the release's bytes are others: sha512-…, as `explain` shows it
    #[arg(long, value_name = "DIGEST")]
    pub digest: Option<String>,
    #[command(flatten)]
    pub remote: RemoteFlags,
}

fn order(flags: &DecisionFlags, verb: Verb, clock: &Clock) -> Result<DecisionOrder, Failure> {
    let expires_at = flags.expires.as_deref().map(|text| expiry(text, clock)).transpose()?;
    if verb == Verb::Reopen && expires_at.is_some() {
        return Err(Failure::usage("a reopening takes effect once and does not expire", "leave --expires away"));
    }
    Ok(DecisionOrder { decision: verb, reason: reason(&flags.reason)?, digest: flags.digest.clone(), revision: None, expires_at })
}

pub fn run(flags: &DecisionFlags, verb: Verb, clock: &Clock) -> Result<Outcome, Failure> {
    let order = order(flags, verb, clock)?;
    let (package, version) = (flags.target.package.as_str(), flags.target.version.as_str());
    let answer = Remote::new(&flags.remote)?.post::<ReleaseView>(&["releases", package, version, "decisions"], &order)?;
    page::write(&if flags.remote.json { answer.text + "\n" } else { show(&answer.read, verb, Look::of_stdout()) })?;
    Ok(Outcome::Green)
}

/// What the decision led to, which is not always what was decided: an approval may be one of two.
pub fn show(release: &ReleaseView, verb: Verb, look: Look) -> String {
    let name = printable(&format!("{}@{}", release.package, release.version), NAME_BYTES_MAX);
    let mut out = format!("Recorded: {verb} {name}. It is now {}.\n", look.paint(&words(release.standing), tone(release.standing)));
    if verb == Verb::Approve && release.standing != Standing::Approved {
        let approvals = release.approvals;
        if approvals.given < approvals.needed {
            out.push_str(&format!(
                "{} of {} approvals are given; another person has to approve it too.\n",
                approvals.given, approvals.needed
            ));
        }
        out.push_str(&page::paragraph(look, &release.sentence));
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const PLAIN: Look = Look { colour: false, width: 120 };

    fn release(standing: &str, given: u32) -> ReleaseView {
        serde_json::from_value(json!({
            "package": "left-pad", "ecosystem": "npm", "version": "1.3.0", "standing": standing, "wanted": 0,
            "sentence": "left-pad@1.3.0 is in review.", "link": "http://x/", "revision": 1,
            "approvals": { "given": given, "needed": 2 }, "findings": [], "artifacts": [], "history": [], "would_change": []
        }))
        .unwrap()
    }

    #[test]
    fn a_decision_says_what_came_of_it() {
        assert_eq!(show(&release("approved", 2), Verb::Approve, PLAIN), "Recorded: approve left-pad@1.3.0. It is now approved.\n");
        let half = "Recorded: approve left-pad@1.3.0. It is now in review.\n1 of 2 approvals are given; another person has to approve it too.\nleft-pad@1.3.0 is in review.\n";
        assert_eq!(show(&release("in_review", 1), Verb::Approve, PLAIN), half);
    }
}
