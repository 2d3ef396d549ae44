//! `airlock explain NAME[@VERSION]`: where it stands, every finding, what would change it and when.

use crate::admin::wire::Package;
use crate::admin::wire::ReleaseView;
use crate::admin::wire::Standing;
use crate::cli::failure::Failure;
use crate::cli::failure::Outcome;
use crate::cli::page;
use crate::cli::page::Cell;
use crate::cli::page::Look;
use crate::cli::page::Tone;
use crate::cli::queue::findings;
use crate::cli::queue::time_or_dash;
use crate::cli::queue::tone;
use crate::cli::queue::words;
use crate::cli::remote::Remote;
use crate::cli::remote::RemoteFlags;
use crate::cli::target::Target;
use crate::model::finding::Action;
use crate::model::finding::printable;

const BASELINE_BYTES_MAX: usize = 256;

#[derive(clap::Args, Debug)]
pub struct ExplainFlags {
    /// A package, or one release of it: left-pad, @acme/web@2.0.0
    #[arg(value_name = "NAME[@VERSION]")]
    pub target: Target,
    #[command(flatten)]
    pub remote: RemoteFlags,
}

/// Red when one release was asked for and is not open.
pub fn run(flags: &ExplainFlags) -> Result<Outcome, Failure> {
    let remote = Remote::new(&flags.remote)?;
    let look = Look::of_stdout();
    let package = flags.target.package.as_str();
    let (text, shown, outcome) = match &flags.target.version {
        Some(version) => {
            let answer = remote.get::<ReleaseView>(&["releases", package, version.as_str()], &[])?;
            let open = answer.read.observed || matches!(answer.read.standing, Standing::Approved | Standing::Admissible);
            (answer.text, show_release(&answer.read, look), if open { Outcome::Green } else { Outcome::Red })
        }
        None => {
            let answer = remote.get::<Package>(&["packages", package], &[])?;
            (answer.text, show_package(&answer.read, look), Outcome::Green)
        }
    };
    page::write(&if flags.remote.json { text + "\n" } else { shown })?;
    Ok(outcome)
}

fn heading(out: &mut String, look: Look, text: &str) {
    out.push('\n');
    out.push_str(&look.paint(text, Tone::Strong));
    out.push('\n');
}

fn bytes(size: u64) -> String {
    bytesize::ByteSize(size).display().si().to_string()
}

pub fn show_release(release: &ReleaseView, look: Look) -> String {
    let mut out = page::table(
        look,
        "",
        &[],
        &[vec![
            Cell::new(format!("{}@{}", release.package, release.version), Tone::Strong),
            Cell::new(words(release.standing), tone(release.standing)),
        ]],
    );
    out.push_str(&page::paragraph(look, &release.sentence));
    out.push('\n');
    let mut rows = Vec::new();
    let mut row = |name: &str, text: String| rows.push(vec![Cell::new(name, Tone::Dim), Cell::plain(text)]);
    row("published", release.published_at.map_or_else(|| "unknown".to_owned(), |at| at.for_people()));
    if let Some(at) = release.age_counts_from.filter(|at| Some(*at) != release.published_at) {
        row("age counts from", at.for_people());
    }
    if let Some(at) = release.opens_at {
        row("opens", at.for_people());
    }
    if let Some(at) = release.removed_at {
        row("removed upstream", at.for_people());
    }
    row("approvals", format!("{} of {}", release.approvals.given, release.approvals.needed));
    row("asked for", if release.wanted == 1 { "once".to_owned() } else { format!("{} times", release.wanted) });
    if let [first, rest @ ..] = release.siblings.as_slice() {
        let more = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
        row("together with", format!("{first}{more}"));
    }
    if release.requests > 0 {
        row("requested by", if release.requests == 1 { "one person".to_owned() } else { format!("{} people", release.requests) });
    }
    if let Some(digest) = &release.digest {
        row("digest", digest.sri());
    }
    row("link", release.link.clone());
    out.push_str(&page::table(look, "  ", &[], &rows));
    if !release.findings.is_empty() {
        heading(&mut out, look, "Findings");
        let mut rows = Vec::new();
        for finding in &release.findings {
            let (action, shade) = match (finding.covered, finding.action) {
                _ if finding.waived.is_some() => ("waived", Tone::Good),
                (true, Action::Note | Action::Hold | Action::Review | Action::Reject) => ("approved", Tone::Good),
                (false, Action::Note) => ("note", Tone::Plain),
                (false, Action::Hold) => ("hold", Tone::Wait),
                (false, Action::Review) => ("review", Tone::Wait),
                (false, Action::Reject) => ("reject", Tone::Bad),
            };
            rows.push(vec![Cell::new(action, shade), Cell::plain(finding.kind.as_str()), Cell::plain(&finding.why)]);
            if let Some(rule) = &finding.rule {
                rows.push(vec![Cell::plain(""), Cell::plain(""), Cell::new(format!("by {rule}"), Tone::Dim)]);
            }
            if let Some(waiver) = &finding.waived {
                let until = waiver.expires_at.for_people();
                let why = format!("waived until {until} by {}: {} (waiver {})", waiver.by.join(", "), waiver.reason, waiver.id);
                rows.push(vec![Cell::plain(""), Cell::plain(""), Cell::plain(why)]);
            }
            if !finding.evidence.is_empty() {
                rows.push(vec![Cell::plain(""), Cell::plain(""), Cell::new(format!("seen: {}", finding.evidence), Tone::Dim)]);
            }
        }
        out.push_str(&page::table(look, "  ", &[], &rows));
    }
    if let Some(evidence) = &release.evidence {
        heading(&mut out, look, "What speaks for it");
        let row = |(what, text): (&'static str, String)| vec![Cell::new(what, Tone::Dim), Cell::plain(text)];
        out.push_str(&page::table(look, "  ", &[], &evidence.lines().into_iter().map(row).collect::<Vec<_>>()));
    }
    if let Some(change) = &release.change {
        heading(&mut out, look, &format!("What changed since {}", printable(&change.baseline, BASELINE_BYTES_MAX)));
        let rows: Vec<Vec<Cell>> = change.lines().iter().map(|text| vec![Cell::plain("-"), Cell::plain(text)]).collect();
        out.push_str(&page::table(look, "  ", &[], &rows));
    }
    if !release.artifacts.is_empty() {
        heading(&mut out, look, "Files");
        let row = |file: &crate::admin::wire::ArtifactView| {
            vec![
                Cell::plain(&file.file),
                Cell::plain(file.size.map_or_else(|| "-".to_owned(), bytes)),
                Cell::plain(file.inspected_at.map_or_else(|| "not inspected".to_owned(), |at| format!("inspected {}", at.for_people()))),
            ]
        };
        out.push_str(&page::table(look, "  ", &[], &release.artifacts.iter().map(row).collect::<Vec<_>>()));
    }
    if !release.history.is_empty() {
        heading(&mut out, look, "History");
        let row = |event: &crate::admin::wire::Event| {
            let until = event.expires_at.map(|at| format!(" (until {})", at.for_people())).unwrap_or_default();
            let reason = event.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
            vec![Cell::plain(event.at.for_people()), Cell::plain(&event.by), Cell::plain(format!("{}{until}{reason}", event.what))]
        };
        out.push_str(&page::table(look, "  ", &[], &release.history.iter().map(row).collect::<Vec<_>>()));
    }
    if !release.would_change.is_empty() {
        heading(&mut out, look, "What would change it");
        let rows: Vec<Vec<Cell>> = release.would_change.iter().map(|text| vec![Cell::plain("-"), Cell::plain(text)]).collect();
        out.push_str(&page::table(look, "  ", &[], &rows));
    }
    out
}

fn show_package(package: &Package, look: Look) -> String {
    let counts: Vec<String> = package.standings.iter().map(|(standing, count)| format!("{count} {}", standing.replace('_', " "))).collect();
    let releases = if package.total == 1 { "1 release".to_owned() } else { format!("{} releases", package.total) };
    let of = if counts.is_empty() { String::new() } else { format!(": {}", counts.join(", ")) };
    let mut out = page::paragraph(look, &format!("{} has {releases}{of}", package.package));
    if package.releases.is_empty() {
        return out;
    }
    out.push('\n');
    let row = |release: &crate::admin::wire::Summary| {
        vec![
            Cell::new(&release.version, Tone::Strong),
            Cell::new(words(release.standing), tone(release.standing)),
            Cell::plain(time_or_dash(release.published_at)),
            Cell::plain(time_or_dash(release.opens_at)),
            Cell::plain(findings(release)),
        ]
    };
    let rows: Vec<Vec<Cell>> = package.releases.iter().map(row).collect();
    out.push_str(&page::table(look, "  ", &["VERSION", "STANDING", "PUBLISHED", "OPENS", "FINDINGS"], &rows));
    if u64::try_from(rows.len()).is_ok_and(|shown| shown < package.total) {
        out.push_str(&format!("\nThe newest {} of {} are shown.\n", rows.len(), package.total));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Look = Look { colour: false, width: 100 };

    #[test]
    fn a_release_is_explained_in_full() {
        let release: ReleaseView = serde_json::from_str(
            r#"{"package":"left-pad","ecosystem":"npm","version":"1.3.0","standing":"held","opens_at":"2026-11-27T14:05:00Z",
              "published_at":"2026-11-20T14:05:00Z","age_counts_from":"2026-11-20T14:05:00Z","wanted":1,
              "sentence":"left-pad@1.3.0 is held: published 9 hours ago, opens 2026-11-27 14:05 UTC (minimum age 7 days). 1.2.0 is approved.",
              "link":"http://127.0.0.1:4873/-/airlock/r/left-pad@1.3.0","revision":7,"approvals":{"given":0,"needed":1},
              "findings":[{"kind":"install_script","action":"note","stage":"screening","evidence":"postinstall: node \u001bx.js","covered":false,"why":"its manifest runs a program when it is installed"}],
              "change":{"baseline":"1.2.0\u202e","install_steps":["postinstall: node x.js"],"hosts":["drop.example"],
                "dependencies":[{"name":"new","range":"^1","first_published_at":"2026-11-19T00:00:00Z"},{"name":"old","range":"2"}],
                "unpacked_bytes_before":100,"unpacked_bytes":120,"entropy_before":1,"entropy":2,"files_added":1,"files_changed":2,"files_removed":0},
              "artifacts":[{"file":"left-pad-1.3.0.tgz","size":12345,"inspected_at":"2026-11-20T15:00:00Z"}],
              "history":[{"at":"2026-11-20T14:30:00Z","by":"maria","what":"hold","reason":"wait for ticket 812"}],
              "would_change":["opens 2026-11-27 14:05 UTC by itself"]}"#,
        )
        .unwrap();
        let expected = "\
left-pad@1.3.0  held
left-pad@1.3.0 is held: published 9 hours ago, opens 2026-11-27 14:05 UTC (minimum age 7 days).
1.2.0 is approved.

  published  2026-11-20 14:05 UTC
  opens      2026-11-27 14:05 UTC
  approvals  0 of 1
  asked for  once
  link       http://127.0.0.1:4873/-/airlock/r/left-pad@1.3.0

Findings
  note  install_script  its manifest runs a program when it is installed
                        seen: postinstall: node \u{fffd}x.js

What changed since 1.2.0\u{fffd}
  -  installing runs: postinstall: node x.js
  -  its code names: drop.example
  -  it needs: new@^1 (there since 2026-11-19 00:00 UTC), old@2
  -  1 files added, 2 changed, 0 removed; 100 to 120 bytes unpacked

Files
  left-pad-1.3.0.tgz  12.3 kB  inspected 2026-11-20 15:00 UTC

History
  2026-11-20 14:30 UTC  maria  hold: wait for ticket 812

What would change it
  -  opens 2026-11-27 14:05 UTC by itself
";
        assert_eq!(show_release(&release, PLAIN), expected);
    }

    #[test]
    fn a_package_is_an_overview() {
        let package: Package = serde_json::from_str(
            r#"{"package":"left-pad","ecosystem":"npm","standings":{"approved":11,"in_review":1},"total":12,"releases":[
              {"package":"left-pad","ecosystem":"npm","version":"1.3.0","standing":"in_review","published_at":"2026-11-01T00:00:00Z","findings":["build_command"],"wanted":2,"sentence":"x"}]}"#,
        )
        .unwrap();
        let expected = "\
left-pad has 12 releases: 11 approved, 1 in review

  VERSION  STANDING   PUBLISHED             OPENS  FINDINGS
  1.3.0    in review  2026-11-01 00:00 UTC  -      build_command

The newest 1 of 12 are shown.
";
        assert_eq!(show_package(&package, PLAIN), expected);
    }
}
