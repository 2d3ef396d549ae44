//! `airlock check LOCKFILE`: what becomes of every release in it, when the last of them opens, and what would make it green.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;

use crate::admin::wire::LockedIntegrity;
use crate::admin::wire::LockedVerdict;
use crate::admin::wire::LockedView;
use crate::admin::wire::LockfileView;
use crate::admin::wire::PlanView;
use crate::admin::wire::PlannedView;
use crate::cli::failure::Failure;
use crate::cli::failure::Outcome;
use crate::cli::page;
use crate::cli::page::Cell;
use crate::cli::page::Look;
use crate::cli::page::Tone;
use crate::cli::remote::Remote;
use crate::cli::remote::RemoteFlags;
use crate::model::lockfile::LOCKFILE_BYTES_MAX;

/// Entries, changes and stuck releases that are shown, each.
const SHOWN_MAX: usize = 200;

#[derive(clap::Args, Debug)]
pub struct CheckLockfileFlags {
    /// package-lock.json, npm-shrinkwrap.json, pnpm-lock.yaml, yarn.lock, bun.lock or deno.lock
    #[arg(value_name = "LOCKFILE")]
    pub lockfile: PathBuf,
    #[command(flatten)]
    pub remote: RemoteFlags,
}

/// Red when an install would not go through.
pub fn run(flags: &CheckLockfileFlags) -> Result<Outcome, Failure> {
    let text = read(&flags.lockfile)?;
    let name = flags.lockfile.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let remote = Remote::new(&flags.remote)?;
    let answer = remote.send_whole::<LockfileView>(&["lockfile"], &[("name", name)], text)?;
    let path = flags.lockfile.display().to_string();
    page::write(&if flags.remote.json {
        answer.text + "\n"
    } else {
        show(&answer.read, &path, remote.base().as_str(), Look::of_stdout())
    })?;
    Ok(if answer.read.green { Outcome::Green } else { Outcome::Red })
}

/// The whole file, unless it is larger than any lockfile may be.
pub fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let unreadable = |why: String| Failure::usage(format!("{} cannot be read: {why}", path.display()), "name a lockfile that is there");
    let file = File::open(path).map_err(|error| unreadable(error.to_string()))?;
    let mut text = Vec::new();
    let most = u64::try_from(LOCKFILE_BYTES_MAX).unwrap_or(u64::MAX);
    file.take(most.saturating_add(1)).read_to_end(&mut text).map_err(|error| unreadable(error.to_string()))?;
    if text.len() > LOCKFILE_BYTES_MAX {
        return Err(Failure::usage(format!("{} has more than {LOCKFILE_BYTES_MAX} bytes", path.display()), "no lockfile is that large"));
    }
    Ok(text)
}

fn count(number: usize, one: &str, many: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {many}") }
}

fn tone(verdict: LockedVerdict) -> Tone {
    match verdict {
        LockedVerdict::Allowed | LockedVerdict::Local | LockedVerdict::Bundled => Tone::Good,
        LockedVerdict::Held => Tone::Wait,
        LockedVerdict::Denied | LockedVerdict::Unknown | LockedVerdict::Elsewhere => Tone::Bad,
    }
}

/// Whether an install goes past it.
fn is_green(entry: &LockedView) -> bool {
    tone(entry.verdict) == Tone::Good && entry.integrity != LockedIntegrity::Differs
}

fn show(lockfile: &LockfileView, path: &str, server: &str, look: Look) -> String {
    let mut out = String::new();
    let red: Vec<&LockedView> = lockfile.entries.iter().filter(|entry| !is_green(entry)).collect();
    let rows: Vec<Vec<Cell>> = red.iter().take(SHOWN_MAX).map(|entry| row(entry)).collect();
    if !rows.is_empty() {
        out.push_str(&page::table(look, "", &["LINE", "RELEASE", "VERDICT", "WHY"], &rows));
        if red.len() > rows.len() {
            out.push_str(&format!("… and {} more; --json has all\n", red.len() - rows.len()));
        }
        out.push('\n');
    }
    out.push_str(&summary(lockfile, path, look));
    out.push_str(&observing(lockfile, look));
    out.push_str(&rewriting(&red, path, server, look));
    out.push_str(&plan(&lockfile.plan, look));
    out
}

fn row(entry: &LockedView) -> Vec<Cell> {
    let alias = entry.alias.as_ref().map(|alias| format!(" (as {alias})")).unwrap_or_default();
    let version = if entry.version.is_empty() { String::new() } else { format!("@{}", entry.version) };
    let differs = entry.integrity == LockedIntegrity::Differs;
    let (word, shade) = match (tone(entry.verdict), differs) {
        (Tone::Good, true) => ("other bytes", Tone::Bad),
        (shade, _) => (entry.verdict.as_str(), shade),
    };
    let detail = entry.integrity_detail.as_deref().filter(|_| differs);
    let why: Vec<&str> = [entry.sentence.as_deref(), detail].into_iter().flatten().collect();
    vec![
        Cell::new(entry.line.to_string(), Tone::Dim),
        Cell::new(format!("{}{version}{alias}", entry.package), Tone::Strong),
        Cell::new(word, shade),
        Cell::plain(why.join(" ")),
    ]
}

fn summary(lockfile: &LockfileView, path: &str, look: Look) -> String {
    let counts: Vec<String> = LockedVerdict::ALL
        .iter()
        .filter_map(|verdict| lockfile.counts.get(verdict.as_str()).map(|count| format!("{count} {}", verdict.as_str())))
        .collect();
    let entries = count(lockfile.entries.len(), "entry", "entries");
    let of = if counts.is_empty() { String::new() } else { format!(": {}", counts.join(", ")) };
    let (word, shade, rest) = match (lockfile.green, lockfile.opens_at) {
        (true, _) => ("Green", Tone::Good, "an install goes through.".to_owned()),
        (false, Some(at)) => ("Not green", Tone::Wait, format!("it will be by itself {}, when the last of these opens.", at.for_people())),
        (false, None) => ("Not green", Tone::Bad, "that takes more than time: people, or another lockfile.".to_owned()),
    };
    let told = page::paragraph(look, &format!("{path} ({} {}), {entries}{of}.", lockfile.format, lockfile.edition));
    format!("{told}{}: {rest}\n", look.paint(word, shade))
}

/// Where policy only observes, red is what enforcing would make of it, and not what an install meets now.
fn observing(lockfile: &LockfileView, look: Look) -> String {
    if !lockfile.observing {
        return String::new();
    }
    let served = lockfile.entries.iter().filter(|entry| entry.observed).count();
    let of = match served {
        0 => "No entry is served only because of that.".to_owned(),
        1 => "1 entry above is served now all the same, and would be kept back if policy were enforced.".to_owned(),
        many => format!("{many} entries above are served now all the same, and would be kept back if policy were enforced."),
    };
    let told = format!("Policy only observes (policy.mode = \"observe\"): this is what enforcing it would make of the lockfile. {of}");
    page::paragraph(look, &told)
}

/// What is a registry's and goes past this one can be pointed here.
fn rewriting(red: &[&LockedView], path: &str, server: &str, look: Look) -> String {
    let past = red.iter().filter(|entry| entry.verdict == LockedVerdict::Elsewhere && entry.standing.is_some()).count();
    if past == 0 {
        return String::new();
    }
    let told = format!("{} past this registry. Point the lockfile here:", count(past, "entry is fetched", "entries are fetched"));
    format!("\n{}  airlock lock rewrite {path} --registry {server}\n", page::paragraph(look, &told))
}

fn plan(plan: &PlanView, look: Look) -> String {
    let mut out = String::new();
    if !plan.changes.is_empty() {
        out.push_str(&format!("\n{}\n", look.paint("Versions that are open", Tone::Strong)));
        let rows: Vec<Vec<Cell>> = plan.changes.iter().take(SHOWN_MAX).map(change).collect();
        out.push_str(&page::table(look, "  ", &[], &rows));
        if plan.changes.len() > rows.len() {
            out.push_str(&format!("  … and {} more; --json has all\n", plan.changes.len() - rows.len()));
        }
        if !plan.steps.is_empty() {
            out.push('\n');
        }
        for step in &plan.steps {
            // Whole, so that it can be pasted; cleaned, for it holds names of others.
            out.push_str(&format!("  {}\n", crate::model::finding::printable(step, STEP_BYTES_MAX)));
        }
    }
    if !plan.stuck.is_empty() {
        out.push_str(&format!("\n{}\n", look.paint("Nothing stands in for", Tone::Strong)));
        let row = |stuck: &crate::admin::wire::StuckView| {
            vec![Cell::new(format!("{}@{}", stuck.package, stuck.version), Tone::Strong), Cell::plain(&stuck.why)]
        };
        let rows: Vec<Vec<Cell>> = plan.stuck.iter().take(SHOWN_MAX).map(row).collect();
        out.push_str(&page::table(look, "  ", &[], &rows));
        if plan.stuck.len() > rows.len() {
            out.push_str(&format!("  … and {} more; --json has all\n", plan.stuck.len() - rows.len()));
        }
    }
    out
}

const STEP_BYTES_MAX: usize = 60_000;

fn change(change: &PlannedView) -> Vec<Cell> {
    let (from, to) = (change.from.as_deref(), change.to.as_deref());
    let what = match (from, to) {
        (Some(from), Some(to)) => format!("{from} to {to}"),
        (None, Some(to)) => format!("comes in at {to}"),
        (Some(from), None) => format!("{from} is not needed any more"),
        (None, None) => String::new(),
    };
    let note = if change.follows && from.is_some() && to.is_some() { "by itself, with the others" } else { "" };
    vec![Cell::new(&change.package, Tone::Strong), Cell::plain(what), Cell::new(note, Tone::Dim)]
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Look = Look { colour: false, width: 100 };

    fn lockfile(text: &str) -> LockfileView {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_green_lockfile_is_two_lines() {
        let green = lockfile(
            r#"{"format":"package-lock","edition":"3","green":true,"counts":{"allowed":2,"local":1},"plan":{"complete":true,"changes":[],"stuck":[],"steps":[]},
            "entries":[{"package":"a","version":"1.0.0","line":5,"verdict":"allowed","integrity":"agrees"},
            {"package":"b","version":"1.0.0","line":6,"verdict":"allowed","integrity":"unstated"},{"package":"c","version":"","line":7,"verdict":"local","integrity":"unstated"}]}"#,
        );
        let expect = "package-lock.json (package-lock 3), 3 entries: 2 allowed, 1 local.\nGreen: an install goes through.\n";
        assert_eq!(show(&green, "package-lock.json", "http://a/", PLAIN), expect);
    }

    #[test]
    fn what_is_not_green_is_told_with_what_to_do() {
        let red = lockfile(
            r#"{"format":"yarn.lock","edition":"1","green":false,"opens_at":"2026-11-27T14:05:00Z","counts":{"held":1,"elsewhere":1,"allowed":1},
            "entries":[{"package":"left","version":"1.2.1","alias":"l","line":5,"verdict":"held","standing":"held","sentence":"left@1.2.1 is held.","integrity":"agrees"},
            {"package":"b","version":"1.0.0","line":6,"verdict":"elsewhere","standing":"approved","sentence":"It is fetched from https://h.example/b.","integrity":"agrees"},
            {"package":"c","version":"1.0.0","line":7,"verdict":"allowed","standing":"approved","integrity":"differs","integrity_detail":"the lockfile has x, and here it is y"}],
            "plan":{"complete":false,"changes":[{"package":"left","from":"1.2.1","to":"1.2.0"},{"package":"n","to":"2.0.0","follows":true},{"package":"o","from":"1.0.0","follows":true}],
            "stuck":[{"package":"d","version":"1.0.0","why":"no release of it is open"}],"steps":["yarn \u001b[31mup"]}}"#,
        );
        let expect = "\
LINE  RELEASE            VERDICT      WHY
5     left@1.2.1 (as l)  held         left@1.2.1 is held.
6     b@1.0.0            elsewhere    It is fetched from https://h.example/b.
7     c@1.0.0            other bytes  the lockfile has x, and here it is y

yarn.lock (yarn.lock 1), 3 entries: 1 allowed, 1 held, 1 elsewhere.
Not green: it will be by itself 2026-11-27 14:05 UTC, when the last of these opens.

1 entry is fetched past this registry. Point the lockfile here:
  airlock lock rewrite yarn.lock --registry http://a/

Versions that are open
  left  1.2.1 to 1.2.0
  n     comes in at 2.0.0
  o     1.0.0 is not needed any more

  yarn \u{fffd}[31mup

Nothing stands in for
  d@1.0.0  no release of it is open
";
        assert_eq!(show(&red, "yarn.lock", "http://a/", PLAIN), expect);
    }

    #[test]
    fn a_gate_that_only_observes_says_so() {
        let told = |observed: &str| {
            let text = format!(
                r#"{{"format":"package-lock","edition":"3","green":false,"observing":true,"counts":{{"held":1}},"plan":{{"complete":true,"changes":[],"stuck":[],"steps":[]}},
                "entries":[{{"package":"a","version":"1.0.0","line":5,"verdict":"held","sentence":"It is held.","integrity":"agrees"{observed}}}]}}"#
            );
            show(&lockfile(&text), "package-lock.json", "http://a/", Look { colour: false, width: 400 })
        };
        let of = "Policy only observes (policy.mode = \"observe\"): this is what enforcing it would make of the lockfile.";
        let one = "1 entry above is served now all the same, and would be kept back if policy were enforced.";
        assert!(told(r#","observed":true"#).contains(&format!("{of} {one}")), "{}", told(r#","observed":true"#));
        assert!(told("").contains(&format!("{of} No entry is served only because of that.")), "{}", told(""));
    }

    #[test]
    fn a_file_is_read_whole_or_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("yarn.lock");
        assert_eq!(read(&path).unwrap_err().code(), 2);
        std::fs::write(&path, "x").unwrap();
        assert_eq!(read(&path).unwrap(), b"x");
        let large = File::create(&path).unwrap();
        large.set_len(u64::try_from(LOCKFILE_BYTES_MAX).unwrap() + 1).unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("more than"));
    }
}
