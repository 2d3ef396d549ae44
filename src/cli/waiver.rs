//! `airlock waiver add|list|end`: findings that do not count for some packages, until a date.

use crate::admin::wire::WaiverEnd;
use crate::admin::wire::WaiverOrder;
use crate::admin::wire::WaiverPeople;
use crate::admin::wire::WaiverView;
use crate::admin::wire::Waivers;
use crate::cli::failure::Failure;
use crate::cli::failure::Outcome;
use crate::cli::page;
use crate::cli::page::Cell;
use crate::cli::page::Look;
use crate::cli::page::Tone;
use crate::cli::remote::Remote;
use crate::cli::remote::RemoteFlags;
use crate::cli::target::Target;
use crate::cli::target::expiry;
use crate::cli::target::reason;
use crate::clock::Clock;
use crate::model::finding::FindingKind;
use crate::model::pattern::PackagePattern;

#[derive(clap::Subcommand, Debug)]
pub enum WaiverCommand {
    /// Waives findings of packages, or of one release; where policy rejects them, another person waives them too
    Add {
        /// What it is about: left-pad, left-pad@1.3.0, "@acme/*" (all of a scope takes an admin)
        #[arg(value_name = "NAME[@VERSION]|@SCOPE/*", required = true)]
        subjects: Vec<Subject>,
        /// What does not count, by the name that explain shows; may be given several times
        #[arg(long = "finding", value_name = "KIND", required = true, value_parser = kind)]
        findings: Vec<FindingKind>,
        /// Why; kept for good in the ledger
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// When it stops counting: 90d, 2027-01-31; at most 366 days ahead
        #[arg(long, value_name = "WHEN", default_value = "30d")]
        expires: String,
        #[command(flatten)]
        remote: RemoteFlags,
    },
    /// Lists the waivers that count
    List {
        /// Those too that count no more
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        remote: RemoteFlags,
    },
    /// Ends a waiver before its time
    End {
        /// As `list` shows it
        id: String,
        /// Why; kept for good in the ledger
        #[arg(long, value_name = "TEXT")]
        reason: String,
        #[command(flatten)]
        remote: RemoteFlags,
    },
}

/// What a waiver is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Subject {
    Scope(PackagePattern),
    Named(Target),
}

impl std::str::FromStr for Subject {
    type Err = String;

    fn from_str(text: &str) -> Result<Subject, String> {
        // A name with a * in it is none that a waiver is for.
        if text.contains('*') {
            return PackagePattern::parse(text).map(Subject::Scope).map_err(|error| error.to_string());
        }
        text.parse().map(Subject::Named)
    }
}

fn kind(text: &str) -> Result<FindingKind, String> {
    FindingKind::parse(text).ok_or_else(|| "no finding is called so; `airlock explain` shows their names".to_owned())
}

pub fn run(command: &WaiverCommand, clock: &Clock) -> Result<Outcome, Failure> {
    match command {
        WaiverCommand::Add { subjects, findings, reason: why, expires, remote } => {
            let order = order(subjects, findings, why, expires, clock)?;
            let answer = Remote::new(remote)?.post::<WaiverView>(&["waivers"], &order)?;
            page::write(&if remote.json { answer.text + "\n" } else { show_new(&answer.read) })?;
        }
        WaiverCommand::List { all, remote } => {
            let answer = Remote::new(remote)?.get::<Waivers>(&["waivers"], &[("ended", all.to_string())])?;
            page::write(&if remote.json { answer.text + "\n" } else { show_list(&answer.read, Look::of_stdout()) })?;
        }
        WaiverCommand::End { id, reason: why, remote } => {
            let order = WaiverEnd { reason: reason(why)? };
            let answer = Remote::new(remote)?.post::<WaiverView>(&["waivers", id, "end"], &order)?;
            let told = format!("Waiver {} has ended: {} of {} count again.\n", answer.read.id, findings(&answer.read), about(&answer.read));
            page::write(&if remote.json { answer.text + "\n" } else { told })?;
        }
    }
    Ok(Outcome::Green)
}

fn order(subjects: &[Subject], findings: &[FindingKind], why: &str, expires: &str, clock: &Clock) -> Result<WaiverOrder, Failure> {
    let mut packages = Vec::new();
    let mut version = None;
    for subject in subjects {
        match subject {
            Subject::Scope(pattern) => packages.push(pattern.to_string()),
            Subject::Named(target) => {
                packages.push(target.package.to_string());
                version = target.version.as_ref().map(ToString::to_string).or(version);
            }
        }
    }
    if version.is_some() && subjects.len() > 1 {
        return Err(Failure::usage(
            "a waiver for one release is for that one only",
            "name the release alone, and make another waiver for the rest",
        ));
    }
    let expires_at = expiry(expires, clock)?;
    Ok(WaiverOrder { packages, version, findings: findings.to_vec(), reason: reason(why)?, expires_at })
}

fn about(waiver: &WaiverView) -> String {
    let version = waiver.version.as_ref().map_or_else(String::new, |version| format!("@{version}"));
    waiver.packages.join(", ") + &version
}

fn findings(waiver: &WaiverView) -> String {
    let kinds: Vec<&str> = waiver.findings.iter().map(|kind| kind.as_str()).collect();
    kinds.join(", ")
}

fn lacking(waiver: &WaiverView) -> Vec<&WaiverPeople> {
    waiver.people.iter().filter(|one| one.given < one.needed).collect()
}

/// What the waiver led to: it may be one of two.
fn show_new(waiver: &WaiverView) -> String {
    let until = waiver.expires_at.for_people();
    let mut out = format!("Recorded: waiver {}. {} of {} until {until}.\n", waiver.id, findings(waiver), about(waiver));
    for one in lacking(waiver) {
        out.push_str(&format!(
            "{} of {} people waived {}; until another person does so too, it counts.\n",
            one.given, one.needed, one.finding
        ));
    }
    out
}

fn show_list(waivers: &Waivers, look: Look) -> String {
    if waivers.waivers.is_empty() {
        return "There are no waivers.\n".to_owned();
    }
    let row = |waiver: &WaiverView| {
        let (state, shade) = match (&waiver.ended_by, waiver.counts, lacking(waiver).is_empty()) {
            (Some(by), _, _) => (format!("ended by {by}"), Tone::Dim),
            (None, false, _) => ("expired".to_owned(), Tone::Dim),
            (None, true, true) => ("counts".to_owned(), Tone::Good),
            (None, true, false) => ("needs another".to_owned(), Tone::Wait),
        };
        vec![
            Cell::new(&waiver.id, Tone::Strong),
            Cell::new(state, shade),
            Cell::plain(waiver.expires_at.for_people()),
            Cell::plain(waiver.by.join(", ")),
            Cell::plain(about(waiver)),
            Cell::plain(findings(waiver)),
            Cell::plain(&waiver.reason),
        ]
    };
    let rows: Vec<Vec<Cell>> = waivers.waivers.iter().map(row).collect();
    page::table(look, "", &["WAIVER", "STATE", "UNTIL", "BY", "ABOUT", "FINDINGS", "REASON"], &rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::Timestamp;

    const PLAIN: Look = Look { colour: false, width: 160 };

    fn waiver(given: u32, more: &str) -> WaiverView {
        let text = format!(
            r#"{{"id":"5f0c9a1be27d","packages":["esbuild"],"findings":["install_gained"],"reason":"its build was read","by":["maria"],
              "made_at":"2026-11-20T12:00:00Z","expires_at":"2026-12-20T12:00:00Z","counts":true,
              "people":[{{"finding":"install_gained","given":{given},"needed":2}}]{more}}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn what_is_still_lacking_is_said() {
        let whole = "Recorded: waiver 5f0c9a1be27d. install_gained of esbuild until 2026-12-20 12:00 UTC.\n";
        assert_eq!(show_new(&waiver(2, "")), whole);
        let half = format!("{whole}1 of 2 people waived install_gained; until another person does so too, it counts.\n");
        assert_eq!(show_new(&waiver(1, "")), half);
    }

    #[test]
    fn a_list_is_a_table() {
        assert_eq!(show_list(&Waivers { waivers: Vec::new() }, PLAIN), "There are no waivers.\n");
        let ended = waiver(1, r#","version":"0.21.5","ended_at":"2026-11-21T12:00:00Z","ended_by":"airlock""#);
        let list = show_list(&Waivers { waivers: vec![waiver(1, ""), waiver(2, ""), ended] }, PLAIN);
        let expected = "\
WAIVER        STATE             UNTIL                 BY     ABOUT           FINDINGS        REASON
5f0c9a1be27d  needs another     2026-12-20 12:00 UTC  maria  esbuild         install_gained  its build was read
5f0c9a1be27d  counts            2026-12-20 12:00 UTC  maria  esbuild         install_gained  its build was read
5f0c9a1be27d  ended by airlock  2026-12-20 12:00 UTC  maria  esbuild@0.21.5  install_gained  its build was read
";
        assert_eq!(list, expected);
    }

    #[test]
    fn a_release_is_waived_alone() {
        let clock = Clock::test(Timestamp::parse("2026-11-20T12:00:00Z").unwrap());
        let of = |subjects: &[&str]| {
            let subjects: Vec<Subject> = subjects.iter().map(|text| text.parse().unwrap()).collect();
            order(&subjects, &[FindingKind::InstallGained], "why", "30d", &clock)
        };
        let both = of(&["esbuild", "@esbuild/*"]).unwrap();
        assert_eq!((both.packages, both.version), (vec!["esbuild".to_owned(), "@esbuild/*".to_owned()], None));
        assert_eq!(of(&["@acme/web@1.0.0"]).unwrap().version.as_deref(), Some("1.0.0"));
        assert_eq!(of(&["esbuild", "@acme/web@1.0.0"]).unwrap_err().code(), 2);
        for wrong in ["acme/*", "@acme/w*", "a b", "left-pad@"] {
            assert!(wrong.parse::<Subject>().is_err(), "{wrong}");
        }
    }
}
