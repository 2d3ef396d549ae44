//! `airlock policy test|diff|replay`: tries a policy before it bites.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;

use serde::Serialize;

use crate::admin::wire::HitCaller;
use crate::admin::wire::MovedRelease;
use crate::admin::wire::Replay;
use crate::admin::wire::ReplayOrder;
use crate::admin::wire::Tried;
use crate::app::try_policy;
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
use crate::clock::Clock;
use crate::config;
use crate::config::Config;
use crate::config::Flags;
use crate::config::POLICY_BYTES_MAX;
use crate::config::cases::read_cases;
use crate::config::difference::Difference;
use crate::config::difference::Effect;
use crate::config::difference::differences;
use crate::config::read_policy;

const CASES_BYTES_MAX: usize = 4_000_000;
/// Releases and callers that are shown to people; `--json` has all.
const SHOWN_MAX: usize = 30;

#[derive(clap::Subcommand, Debug)]
pub enum PolicyCommand {
    /// Judges releases that a file describes, and compares with what it expects; exit 1 when one comes out otherwise
    Test {
        /// Cases in TOML: see docs/judgement.md
        file: PathBuf,
        /// The configuration whose policy is tried [default: ./airlock.toml]
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Answer in JSON, for programs
        #[arg(long)]
        json: bool,
    },
    /// Says what two policies differ in, and, with --releases, which of the releases that a server knows they part on
    Diff {
        /// A configuration
        old: PathBuf,
        /// Another
        new: PathBuf,
        /// Ask the server which of its releases would be newly blocked or allowed
        #[arg(long)]
        releases: bool,
        #[command(flatten)]
        remote: RemoteFlags,
    },
    /// Judges what was pulled from a server anew, by another policy: what it would have blocked, and whom
    Replay {
        /// A configuration
        candidate: PathBuf,
        /// How far back
        #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=400))]
        days: u32,
        #[command(flatten)]
        remote: RemoteFlags,
    },
}

pub fn run(command: &PolicyCommand, clock: &Clock) -> Result<Outcome, Failure> {
    match command {
        PolicyCommand::Test { file, config, json } => test(file, config.clone(), *json, clock),
        PolicyCommand::Diff { old, new, releases, remote } => diff(old, new, *releases, remote),
        PolicyCommand::Replay { candidate, days, remote } => replay(candidate, *days, remote),
    }
}

/// The text of a file, which says by its faults what is wrong with it.
fn read(path: &Path, bytes_max: usize) -> Result<String, Failure> {
    let unreadable =
        |why: String| Failure::usage(format!("{} cannot be read: {why}", path.display()), "name a TOML file that you may read");
    let mut text = String::new();
    let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
    File::open(path).and_then(|file| file.take(limit).read_to_string(&mut text)).map_err(|error| unreadable(error.to_string()))?;
    if text.len() > bytes_max { Err(unreadable(format!("it is longer than {bytes_max} bytes"))) } else { Ok(text) }
}

fn test(file: &Path, config: Option<PathBuf>, json: bool, clock: &Clock) -> Result<Outcome, Failure> {
    let cases = read_cases(&file.display().to_string(), &read(file, CASES_BYTES_MAX)?)?;
    let config = Config::load(config::file(config).as_deref(), config::environment::variables(), &Flags::default())?;
    let tried = try_policy(&config.policy, &cases, clock.now());
    let passed = tried.iter().all(|one| one.passed);
    page::write(&if json { written(&tried)? } else { show_tried(&tried, Look::of_stdout()) })?;
    Ok(if passed { Outcome::Green } else { Outcome::Red })
}

fn written(value: &impl Serialize) -> Result<String, Failure> {
    let text = serde_json::to_string(value).map_err(|error| Failure::failed(format!("the answer could not be written: {error}"), ""))?;
    Ok(text + "\n")
}

fn show_tried(tried: &[Tried], look: Look) -> String {
    let mut rows = Vec::new();
    for one in tried {
        let (mark, shade) = if one.passed { ("ok", Tone::Good) } else { ("RED", Tone::Bad) };
        let is = format!("{}{}", one.standing.replace('_', " "), if one.served { ", served" } else { "" });
        rows.push(vec![Cell::new(mark, shade), Cell::plain(is), Cell::new(&one.case, Tone::Strong)]);
        for line in &one.differs {
            rows.push(vec![Cell::plain(""), Cell::plain(""), Cell::new(line, Tone::Bad)]);
        }
        if !one.passed {
            rows.push(vec![Cell::plain(""), Cell::plain(""), Cell::new(format!("{}: {}", one.place, one.sentence), Tone::Dim)]);
        }
    }
    let red = tried.iter().filter(|one| !one.passed).count();
    let sum = if red == 0 { format!("all {} as expected", tried.len()) } else { format!("{red} of {} are not as expected", tried.len()) };
    let tone = if red == 0 { Tone::Good } else { Tone::Bad };
    page::table(look, "", &["", "STANDS", "CASE"], &rows) + "\n" + &look.paint(&sum, tone) + "\n"
}

/// One difference for programs.
#[derive(Serialize)]
struct Changed<'d> {
    key: &'d str,
    before: Option<&'d str>,
    after: Option<&'d str>,
    removed: &'d [String],
    added: &'d [String],
    reordered: bool,
    effect: &'static str,
}

#[derive(Serialize)]
struct Diff<'d> {
    changed: Vec<Changed<'d>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    releases: Option<Replay>,
}

const fn effect(effect: Effect) -> &'static str {
    match effect {
        Effect::Stricter => "stricter",
        Effect::Milder => "milder",
        Effect::Other => "other",
    }
}

fn changed(one: &Difference) -> Changed<'_> {
    let Difference { key, before, after, removed, added, reordered, effect: way, .. } = one;
    let (before, after) = (before.as_deref(), after.as_deref());
    Changed { key, before, after, removed, added, reordered: *reordered, effect: effect(*way) }
}

fn diff(old: &Path, new: &Path, releases: bool, remote: &RemoteFlags) -> Result<Outcome, Failure> {
    let (before, after) = (read(old, POLICY_BYTES_MAX)?, read(new, POLICY_BYTES_MAX)?);
    let name = |path: &Path| path.display().to_string();
    let differences = differences(&read_policy(&name(old), &before)?, &read_policy(&name(new), &after)?);
    let replayed = if releases {
        let order = ReplayOrder { candidate: after, baseline: Some(before), days: None };
        Some(Remote::new(remote)?.post::<Replay>(&["policy", "replay"], &order)?.read)
    } else {
        None
    };
    if remote.json {
        page::write(&written(&Diff { changed: differences.iter().map(changed).collect(), releases: replayed })?)?;
        return Ok(Outcome::Green);
    }
    let look = Look::of_stdout();
    let mut out = show_differences(&differences, look);
    if let Some(replayed) = &replayed {
        out.push('\n');
        out.push_str(&show_replay(replayed, look));
    }
    page::write(&out)?;
    Ok(Outcome::Green)
}

fn show_differences(differences: &[Difference], look: Look) -> String {
    if differences.is_empty() {
        return "The two policies mean the same.\n".to_owned();
    }
    let mut rows = Vec::new();
    for one in differences {
        let shade = match one.effect {
            Effect::Stricter => Tone::Good,
            Effect::Milder => Tone::Bad,
            Effect::Other => Tone::Plain,
        };
        let way = match one.effect {
            Effect::Stricter | Effect::Milder => effect(one.effect),
            Effect::Other => "",
        };
        let text = |value: &Option<String>, is_default: bool| {
            let value = value.as_deref().unwrap_or("nothing");
            if is_default { format!("{value} (the default)") } else { value.to_owned() }
        };
        let entries = one.removed.iter().map(|entry| format!("- {entry}")).chain(one.added.iter().map(|entry| format!("+ {entry}")));
        let mut lines: Vec<String> = entries.collect();
        if one.reordered {
            lines.push("the same entries in another order".to_owned());
        }
        if lines.is_empty() {
            lines.push(format!("{} -> {}", text(&one.before, one.before_is_default), text(&one.after, one.after_is_default)));
        }
        for (at, line) in lines.iter().enumerate() {
            let (key, way) = if at == 0 { (one.key.as_str(), way) } else { ("", "") };
            rows.push(vec![Cell::new(way, shade), Cell::new(key, Tone::Strong), Cell::plain(line)]);
        }
    }
    page::table(look, "", &[], &rows)
}

fn replay(candidate: &Path, days: u32, remote: &RemoteFlags) -> Result<Outcome, Failure> {
    let text = read(candidate, POLICY_BYTES_MAX)?;
    // Told here with the file's own name.
    read_policy(&candidate.display().to_string(), &text)?;
    let order = ReplayOrder { candidate: text, baseline: None, days: Some(days) };
    let answer = Remote::new(remote)?.post::<Replay>(&["policy", "replay"], &order)?;
    page::write(&if remote.json { answer.text + "\n" } else { show_replay(&answer.read, Look::of_stdout()) })?;
    Ok(if answer.read.newly_blocked_total == 0 && answer.read.complete { Outcome::Green } else { Outcome::Red })
}

fn count(number: u64, one: &str, many: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {many}") }
}

fn caller(hit: &HitCaller) -> String {
    hit.by.as_ref().map_or_else(|| hit.address.clone(), |by| format!("{by} ({})", hit.address))
}

fn show_replay(replay: &Replay, look: Look) -> String {
    let of = match replay.from {
        Some(from) => format!(
            "{} since {}: {} would have been refused.",
            count(replay.pulls, "pull", "pulls"),
            from.for_people(),
            if replay.refused_pulls == 0 { "none".to_owned() } else { replay.refused_pulls.to_string() }
        ),
        None => format!("{} that are known here, as of now.", count(replay.releases, "release", "releases")),
    };
    let mut out = page::paragraph(look, &of);
    section(&mut out, look, "Newly blocked", replay.newly_blocked_total, &replay.newly_blocked, replay.from.is_some());
    if !replay.hit.is_empty() {
        heading(&mut out, look, &format!("Who would have been refused: {}", count(replay.hit_total, "caller", "callers")));
        let row = |hit: &HitCaller| {
            vec![
                Cell::new(caller(hit), Tone::Strong),
                Cell::plain(count(hit.pulls, "pull", "pulls")),
                Cell::plain(count(hit.releases, "release", "releases")),
                Cell::plain(format!("last {}", hit.last_at.for_people())),
            ]
        };
        out.push_str(&page::table(look, "  ", &[], &replay.hit.iter().take(SHOWN_MAX).map(row).collect::<Vec<_>>()));
        more(&mut out, replay.hit_total, replay.hit.len());
    }
    section(&mut out, look, "Newly allowed", replay.newly_allowed_total, &replay.newly_allowed, false);
    if replay.unknown > 0 {
        let pulls = match replay.unknown_pulls {
            0 => String::new(),
            pulls => format!(", {} and not counted above", count(pulls, "pull", "pulls")),
        };
        out.push_str(&format!("\nOf {}{pulls}, nothing is known here any more.\n", count(replay.unknown, "release", "releases")));
    }
    if !replay.complete {
        out.push_str("\nThere was more than could be looked at: fewer days take less time.\n");
    }
    out
}

fn heading(out: &mut String, look: Look, text: &str) {
    out.push('\n');
    out.push_str(&look.paint(text, Tone::Strong));
    out.push('\n');
}

fn section(out: &mut String, look: Look, title: &str, total: u64, moved: &[MovedRelease], with_pulls: bool) {
    heading(out, look, &format!("{title}: {}", if total == 0 { "none".to_owned() } else { count(total, "release", "releases") }));
    let mut rows = Vec::new();
    for one in moved.iter().take(SHOWN_MAX) {
        let how_often = if with_pulls {
            count(one.pulls, "pull", "pulls")
        } else if one.wanted > 0 {
            format!("asked for {} in vain", if one.wanted == 1 { "once".to_owned() } else { format!("{} times", one.wanted) })
        } else {
            String::new()
        };
        rows.push(vec![
            Cell::new(format!("{}@{}", one.package, one.version), Tone::Strong),
            Cell::new(format!("{} -> {}", words(one.before), words(one.after)), tone(one.after)),
            Cell::plain(how_often),
        ]);
    }
    out.push_str(&page::table(look, "  ", &[], &rows));
    for one in moved.iter().take(SHOWN_MAX) {
        out.push_str(&page::paragraph(look, &format!("    {}", one.sentence)));
    }
    more(out, total, moved.len());
}

fn more(out: &mut String, total: u64, told: usize) {
    let shown = u64::try_from(told.min(SHOWN_MAX)).unwrap_or(u64::MAX);
    if total > shown {
        out.push_str(&format!("  … and {} more (--json has the first 1000)\n", total - shown));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Look = Look { colour: false, width: 100 };

    #[test]
    fn cases_are_a_table_and_red_ones_say_why() {
        let one = |case: &str, differs: &[&str]| Tried {
            case: case.to_owned(),
            place: "cases.toml:1:1".to_owned(),
            passed: differs.is_empty(),
            differs: differs.iter().map(|one| (*one).to_owned()).collect(),
            standing: "in_review".to_owned(),
            served: false,
            sentence: "left-pad@1.0.0 waits for review: x.".to_owned(),
        };
        let shown = show_tried(&[one("builds wait", &[]), one("natives pass", &["served: expected served, is not served"])], PLAIN);
        let expected = "\
\x20    STANDS     CASE
ok   in review  builds wait
RED  in review  natives pass
                served: expected served, is not served
                cases.toml:1:1: left-pad@1.0.0 waits for review: x.

1 of 2 are not as expected
";
        assert_eq!(shown, expected);
    }

    #[test]
    fn differences_are_told_by_key() {
        let read = |text: &str| read_policy("p", text).unwrap();
        let shown =
            show_differences(&differences(&read(""), &read("policy.release_age = { minimum = \"3d\", exempt = [\"@types/*\"] }")), PLAIN);
        let expected = "\
milder  policy.release_age.minimum  \"7d\" (the default) -> \"3d\"
        policy.release_age.exempt   + \"@types/*\"
";
        assert_eq!(shown, expected);
        assert_eq!(show_differences(&[], PLAIN), "The two policies mean the same.\n");
    }
}
