//! `airlock recall`: takes back a release, says who pulled it, and keeps track of who got rid of it.

use serde_json::Value;
use serde_json::json;

use crate::admin::wire::AcknowledgementOrder;
use crate::admin::wire::AcknowledgementView;
use crate::admin::wire::DecisionOrder;
use crate::admin::wire::Missing;
use crate::admin::wire::Pull;
use crate::admin::wire::Recall;
use crate::admin::wire::ReleaseView;
use crate::cli::decide::show;
use crate::cli::failure::Failure;
use crate::cli::failure::Outcome;
use crate::cli::page;
use crate::cli::page::Cell;
use crate::cli::page::Look;
use crate::cli::page::Tone;
use crate::cli::remote::Remote;
use crate::cli::remote::RemoteFlags;
use crate::cli::target::ReleaseTarget;
use crate::cli::target::reason;
use crate::model::decision::Verb;

#[derive(clap::Args, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct RecallFlags {
    #[command(subcommand)]
    pub command: Option<RecallCommand>,
    /// The release: left-pad@1.3.0
    #[arg(value_name = "NAME@VERSION", required = true)]
    pub target: Option<ReleaseTarget>,
    /// Why; kept for good in the ledger
    #[arg(long, value_name = "TEXT", required = true)]
    pub reason: Option<String>,
    #[command(flatten)]
    pub remote: RemoteFlags,
}

#[derive(clap::Subcommand, Debug)]
pub enum RecallCommand {
    /// Says that a recalled release is gone from where you had it
    Ack {
        /// The release: left-pad@1.3.0
        #[arg(value_name = "NAME@VERSION")]
        target: ReleaseTarget,
        /// What was done
        #[arg(long, value_name = "TEXT", default_value = "")]
        note: String,
        /// Whose pulls it is about, by their token's name or their address, where those are not your own; takes an approver
        #[arg(long = "for", value_name = "NAME|ADDRESS")]
        of: Option<String>,
        #[command(flatten)]
        remote: RemoteFlags,
    },
    /// Shows who pulled a release, who got rid of it, and who has not; exit 1 while somebody has not
    Status {
        /// The release: left-pad@1.3.0
        #[arg(value_name = "NAME@VERSION")]
        target: ReleaseTarget,
        #[command(flatten)]
        remote: RemoteFlags,
    },
}

pub fn run(flags: &RecallFlags) -> Result<Outcome, Failure> {
    match (&flags.command, &flags.target, &flags.reason) {
        (Some(RecallCommand::Ack { target, note, of, remote }), _, _) => acknowledge(target, note, of.as_deref(), remote),
        (Some(RecallCommand::Status { target, remote }), _, _) => status(target, remote),
        (None, Some(target), Some(why)) => recall(target, why, &flags.remote),
        (None, _, _) => Err(Failure::usage("the release or the reason is missing", "write airlock recall NAME@VERSION --reason TEXT")),
    }
}

fn recall(target: &ReleaseTarget, why: &str, flags: &RemoteFlags) -> Result<Outcome, Failure> {
    let remote = Remote::new(flags)?;
    let order = DecisionOrder { decision: Verb::Revoke, reason: reason(why)?, digest: None, revision: None, expires_at: None };
    let (package, version) = (target.package.as_str(), target.version.as_str());
    let release = remote.post::<ReleaseView>(&["releases", package, version, "decisions"], &order)?;
    let pulls = remote.get::<Recall>(&["recalls", package, version], &[])?;
    if flags.json {
        let raw = |text: &str| serde_json::from_str::<Value>(text).unwrap_or(Value::Null);
        page::write_json(&json!({ "release": raw(&release.text), "recall": raw(&pulls.text) }))?;
    } else {
        let look = Look::of_stdout();
        page::write(&(show(&release.read, Verb::Revoke, look) + &show_pulls(&pulls.read, look)))?;
    }
    Ok(Outcome::Green)
}

fn acknowledge(target: &ReleaseTarget, note: &str, of: Option<&str>, flags: &RemoteFlags) -> Result<Outcome, Failure> {
    let order = AcknowledgementOrder { note: note.trim().to_owned(), of: of.map(str::to_owned) };
    let (package, version) = (target.package.as_str(), target.version.as_str());
    let path = ["recalls", package, version, "acknowledgements"];
    let answer = Remote::new(flags)?.post::<AcknowledgementView>(&path, &order)?;
    let of = answer.read.of.as_ref().map_or_else(String::new, |of| format!(" for {of}"));
    let told = page::paragraph(Look::of_stdout(), &format!("Recorded{of}: {package}@{version} is gone."));
    page::write(&if flags.json { answer.text + "\n" } else { told })?;
    Ok(Outcome::Green)
}

/// Red while somebody who pulled it has not got rid of it.
fn status(target: &ReleaseTarget, flags: &RemoteFlags) -> Result<Outcome, Failure> {
    let answer = Remote::new(flags)?.get::<Recall>(&["recalls", target.package.as_str(), target.version.as_str()], &[])?;
    let outcome = if answer.read.missing.is_empty() { Outcome::Green } else { Outcome::Red };
    page::write(&if flags.json { answer.text + "\n" } else { show_status(&answer.read, Look::of_stdout()) })?;
    Ok(outcome)
}

fn show_pulls(recall: &Recall, look: Look) -> String {
    if recall.pulls.is_empty() {
        return "Nobody pulled it through this Airlock.\n".to_owned();
    }
    let times = if recall.total == 1 { "once".to_owned() } else { format!("{} times", recall.total) };
    let tell = if recall.recalled.is_some() { "; tell these" } else { "" };
    let mut out = format!("It was pulled {times}{tell}:\n\n");
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

fn show_status(recall: &Recall, look: Look) -> String {
    let name = format!("{}@{}", recall.package, recall.version);
    let head = match &recall.recalled {
        Some(recalled) => format!("{name} was recalled {} by {}: {}", recalled.at.for_people(), recalled.by, recalled.reason),
        None => format!("{name} is not recalled."),
    };
    let mut out = page::paragraph(look, &head);
    out.push_str(&show_pulls(recall, look));
    if !recall.acknowledgements.is_empty() {
        out.push_str("\nIt is gone from:\n\n");
        let row = |one: &AcknowledgementView| {
            let whose = one.of.as_ref().unwrap_or(&one.by);
            let by = one.of.as_ref().map_or("-", |_| one.by.as_str());
            vec![Cell::new(whose, Tone::Good), Cell::plain(one.at.for_people()), Cell::plain(by), Cell::plain(&one.note)]
        };
        let rows: Vec<Vec<Cell>> = recall.acknowledgements.iter().map(row).collect();
        out.push_str(&page::table(look, "  ", &["WHO", "AT", "SAID BY", "NOTE"], &rows));
    }
    if !recall.missing.is_empty() {
        out.push_str("\nThese have not said that it is gone:\n\n");
        let row = |one: &Missing| match (&one.by, &one.address) {
            (Some(by), _) => vec![Cell::new(by, Tone::Bad)],
            (None, address) => vec![Cell::new(address.as_deref().unwrap_or("?"), Tone::Bad)],
        };
        out.push_str(&page::table(look, "  ", &[], &recall.missing.iter().map(row).collect::<Vec<_>>()));
    }
    for notice in &recall.notices {
        let to = notice.to.as_deref().unwrap_or("an address that is configured no more");
        let how = if notice.given_up { "was given up" } else { "is tried again" };
        let error = notice.error.as_ref().map_or_else(String::new, |error| format!(": {error}"));
        out.push('\n');
        out.push_str(&page::paragraph(look, &format!("The notice to {to} {how} after {} tries{error}", notice.attempts)));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Look = Look { colour: false, width: 120 };
    const PULLS: &str = r#""total":3,"pulls":[{"at_first":"2026-11-20T10:00:00Z","at_last":"2026-11-20T11:00:00Z","count":3,"address":"10.0.4.17","user_agent":"npm/11.19.1"}]"#;

    fn read(more: &str) -> Recall {
        serde_json::from_str(&format!(r#"{{"package":"a","version":"1.0.0",{more}}}"#)).unwrap()
    }

    #[test]
    fn a_recall_says_who_pulled_it() {
        assert_eq!(show_pulls(&read(r#""pulls":[],"total":0"#), PLAIN), "Nobody pulled it through this Airlock.\n");
        let one = read(&format!(r#"{PULLS},"recalled":{{"at":"2026-11-20T12:00:00Z","by":"maria","reason":"malware"}}"#));
        let expected = "\
It was pulled 3 times; tell these:

  WHO         ADDRESS    TIMES  FIRST                 LAST                  CLIENT
  (no token)  10.0.4.17  3      2026-11-20 10:00 UTC  2026-11-20 11:00 UTC  npm/11.19.1
";
        assert_eq!(show_pulls(&one, PLAIN), expected);
    }

    #[test]
    fn who_got_rid_of_it_is_told_and_who_has_not() {
        let more = r#""recalled":{"at":"2026-11-20T12:00:00Z","by":"maria","reason":"malware"},
          "acknowledgements":[{"at":"2026-11-20T13:00:00Z","by":"joe","note":"thrown away"},{"at":"2026-11-20T13:00:00Z","by":"joe","of":"ci","note":""}],
          "missing":[{"address":"10.0.4.17"},{"by":"ann"}],
          "notices":[{"to":"https://hooks.example","event":"recalled","attempts":3,"given_up":false,"error":"it took too long"}]"#;
        let expected = "\
a@1.0.0 was recalled 2026-11-20 12:00 UTC by maria: malware
Nobody pulled it through this Airlock.

It is gone from:

  WHO  AT                    SAID BY  NOTE
  joe  2026-11-20 13:00 UTC  -        thrown away
  ci   2026-11-20 13:00 UTC  joe

These have not said that it is gone:

  10.0.4.17
  ann

The notice to https://hooks.example is tried again after 3 tries: it took too long
";
        let shown = show_status(&read(&format!(r#""pulls":[],"total":0,{more}"#)), PLAIN);
        let trimmed: Vec<&str> = shown.lines().map(str::trim_end).collect();
        assert_eq!(trimmed.join("\n") + "\n", expected);
    }
}
