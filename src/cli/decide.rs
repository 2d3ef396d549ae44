//! `airlock approve|reject|hold|reopen|recall`: a person's decision on one release.

use serde_json::Value;
use serde_json::json;

use crate::admin::wire::DecisionOrder;
use crate::admin::wire::Pull;
use crate::admin::wire::Recall;
use crate::admin::wire::ReleaseView;
use crate::admin::wire::Standing;
use crate::cli::failure::Failure;
use crate::cli::failure::Outcome;
use crate::cli::page;
use crate::cli::page::Cell;
use crate::cli::page::Look;
use crate::cli::page::Tone;
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

#[derive(clap::Args, Debug)]
pub struct RecallFlags {
    /// The release: left-pad@1.3.0
    #[arg(value_name = "NAME@VERSION")]
    pub target: ReleaseTarget,
    /// Why; kept for good in the ledger
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
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
fn show(release: &ReleaseView, verb: Verb, look: Look) -> String {
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

pub fn recall(flags: &RecallFlags) -> Result<Outcome, Failure> {
    let remote = Remote::new(&flags.remote)?;
    let order = DecisionOrder { decision: Verb::Revoke, reason: reason(&flags.reason)?, digest: None, revision: None, expires_at: None };
    let (package, version) = (flags.target.package.as_str(), flags.target.version.as_str());
    let release = remote.post::<ReleaseView>(&["releases", package, version, "decisions"], &order)?;
    let pulls = remote.get::<Recall>(&["recalls", package, version], &[])?;
    if flags.remote.json {
        let raw = |text: &str| serde_json::from_str::<Value>(text).unwrap_or(Value::Null);
        page::write_json(&json!({ "release": raw(&release.text), "recall": raw(&pulls.text) }))?;
    } else {
        let look = Look::of_stdout();
        page::write(&(show(&release.read, Verb::Revoke, look) + &show_pulls(&pulls.read, look)))?;
    }
    Ok(Outcome::Green)
}

fn show_pulls(recall: &Recall, look: Look) -> String {
    if recall.pulls.is_empty() {
        return "Nobody pulled it through this Airlock.\n".to_owned();
    }
    let times = if recall.total == 1 { "once".to_owned() } else { format!("{} times", recall.total) };
    let mut out = format!("It was pulled {times}; tell these:\n\n");
    let row = |pull: &Pull| {
        vec![
            Cell::new(pull.by.as_deref().unwrap_or("(no token)"), Tone::Strong),
            Cell::plain(&pull.address),
            Cell::plain(pull.count.to_string()),
            Cell::plain(pull.at_first.for_people()),
            Cell::plain(pull.at_last.for_people()),
            Cell::plain(&pull.user_agent),
        ]
    };
    let rows: Vec<Vec<Cell>> = recall.pulls.iter().map(row).collect();
    out.push_str(&page::table(look, "  ", &["WHO", "ADDRESS", "TIMES", "FIRST", "LAST", "CLIENT"], &rows));
    out
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn a_recall_says_who_pulled_it() {
        let recall = |text: &str| serde_json::from_str::<Recall>(text).unwrap();
        assert_eq!(
            show_pulls(&recall(r#"{"package":"a","version":"1.0.0","pulls":[],"total":0}"#), PLAIN),
            "Nobody pulled it through this Airlock.\n"
        );
        let one = recall(
            r#"{"package":"a","version":"1.0.0","total":3,"pulls":[{"at_first":"2026-11-20T10:00:00Z","at_last":"2026-11-20T11:00:00Z","count":3,"address":"10.0.4.17","user_agent":"npm/11.19.1"}]}"#,
        );
        let expected = "\
It was pulled 3 times; tell these:

  WHO         ADDRESS    TIMES  FIRST                 LAST                  CLIENT
  (no token)  10.0.4.17  3      2026-11-20 10:00 UTC  2026-11-20 11:00 UTC  npm/11.19.1
";
        assert_eq!(show_pulls(&one, PLAIN), expected);
    }
}
