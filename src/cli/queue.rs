//! `airlock queue`: what waits for people, most wanted first.

use crate::admin::wire::Queue;
use crate::admin::wire::Standing;
use crate::admin::wire::Summary;
use crate::cli::failure::Failure;
use crate::cli::failure::Outcome;
use crate::cli::page;
use crate::cli::page::Cell;
use crate::cli::page::Look;
use crate::cli::page::Tone;
use crate::cli::remote::Remote;
use crate::cli::remote::RemoteFlags;
use crate::model::time::Timestamp;

#[derive(clap::Args, Debug)]
pub struct QueueFlags {
    /// How many to show, 1 to 500
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=500))]
    pub limit: u64,
    #[command(flatten)]
    pub remote: RemoteFlags,
}

pub fn run(flags: &QueueFlags) -> Result<Outcome, Failure> {
    let answer = Remote::new(&flags.remote)?.get::<Queue>(&["queue"], &[("limit", flags.limit.to_string())])?;
    page::write(&if flags.remote.json { answer.text + "\n" } else { show(&answer.read, Look::of_stdout()) })?;
    Ok(Outcome::Green)
}

pub fn tone(standing: Standing) -> Tone {
    match standing {
        Standing::Approved | Standing::Admissible => Tone::Good,
        Standing::Quarantined | Standing::Held | Standing::InReview => Tone::Wait,
        Standing::Rejected | Standing::Revoked => Tone::Bad,
    }
}

/// As people say it: `in review`.
pub fn words(standing: Standing) -> String {
    standing.as_str().replace('_', " ")
}

pub fn time_or_dash(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "-".to_owned(), Timestamp::for_people)
}

pub fn findings(release: &Summary) -> String {
    let kinds: Vec<&str> = release.findings.iter().map(|kind| kind.as_str()).collect();
    if kinds.is_empty() { "-".to_owned() } else { kinds.join(", ") }
}

fn show(queue: &Queue, look: Look) -> String {
    let mut out = String::new();
    if queue.waiting.is_empty() && queue.parked.is_empty() {
        out.push_str("Nothing waits for people.\n");
    }
    if !queue.waiting.is_empty() {
        let row = |release: &Summary| {
            vec![
                Cell::new(format!("{}@{}", release.package, release.version), Tone::Strong),
                Cell::new(words(release.standing), tone(release.standing)),
                Cell::plain(release.requests.to_string()),
                Cell::plain(release.wanted.to_string()),
                Cell::plain(time_or_dash(release.opens_at)),
                Cell::plain(findings(release)),
            ]
        };
        let rows: Vec<Vec<Cell>> = queue.waiting.iter().map(row).collect();
        out.push_str(&page::table(look, "", &["RELEASE", "STANDING", "REQUESTS", "WANTED", "OPENS", "FINDINGS"], &rows));
        out.push_str("\nairlock explain NAME@VERSION says why; airlock approve or reject NAME@VERSION --reason TEXT decides.\n");
    }
    if !queue.parked.is_empty() {
        let heading = "Given up after their last try; airlock reopen NAME@VERSION --reason TEXT tries again:";
        out.push_str(if queue.waiting.is_empty() { "" } else { "\n" });
        out.push_str(&look.paint(heading, Tone::Bad));
        out.push('\n');
        let row = |parked: &crate::admin::wire::Parked| {
            vec![
                Cell::new(format!("{}@{}", parked.package, parked.version), Tone::Strong),
                Cell::plain(parked.since.for_people()),
                Cell::plain(parked.attempts.to_string()),
                Cell::plain(&parked.error),
            ]
        };
        let rows: Vec<Vec<Cell>> = queue.parked.iter().map(row).collect();
        out.push_str(&page::table(look, "", &["RELEASE", "SINCE", "TRIES", "LAST ERROR"], &rows));
    }
    if !queue.complete {
        out.push_str("\nMore waits than is shown; --limit shows more.\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Look = Look { colour: false, width: 100 };

    #[test]
    fn an_empty_queue_says_so() {
        let queue: Queue = serde_json::from_str(r#"{"waiting":[],"parked":[],"complete":true}"#).unwrap();
        assert_eq!(show(&queue, PLAIN), "Nothing waits for people.\n");
    }

    #[test]
    fn a_queue_is_a_table() {
        let queue: Queue = serde_json::from_str(
            r#"{"waiting":[
                {"package":"left-pad","ecosystem":"npm","version":"1.3.0","standing":"in_review","findings":["missing_integrity","build_command"],"wanted":12,"requests":2,"sentence":"x"},
                {"package":"@acme/web","ecosystem":"npm","version":"2.0.0","standing":"held","opens_at":"2026-11-27T14:05:00Z","findings":[],"wanted":0,"sentence":"x"}],
              "parked":[{"package":"express","version":"5.0.0","file":"express-5.0.0.tgz","attempts":8,"error":"502\u001b[31m","since":"2026-11-20T10:00:00Z"}],
              "complete":false}"#,
        )
        .unwrap();
        let expected = "\
RELEASE          STANDING   REQUESTS  WANTED  OPENS                 FINDINGS
left-pad@1.3.0   in review  2         12      -                     missing_integrity, build_command
@acme/web@2.0.0  held       0         0       2026-11-27 14:05 UTC  -

airlock explain NAME@VERSION says why; airlock approve or reject NAME@VERSION --reason TEXT decides.

Given up after their last try; airlock reopen NAME@VERSION --reason TEXT tries again:
RELEASE        SINCE                 TRIES  LAST ERROR
express@5.0.0  2026-11-20 10:00 UTC  8      502\u{fffd}[31m

More waits than is shown; --limit shows more.
";
        assert_eq!(show(&queue, PLAIN), expected);
    }
}
