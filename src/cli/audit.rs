//! `airlock audit [verify|export]`: the ledger, read by people.

use std::path::Path;
use std::path::PathBuf;

use crate::admin::wire::Audit;
use crate::admin::wire::Entry;
use crate::admin::wire::Proof;
use crate::app;
use crate::cli::failure::Failure;
use crate::cli::failure::Outcome;
use crate::cli::page;
use crate::cli::page::Cell;
use crate::cli::page::Look;
use crate::cli::page::Tone;
use crate::cli::remote::Remote;
use crate::cli::remote::RemoteFlags;

/// Entries that one request of an export asks for.
const EXPORT_PAGE: u64 = 500;
/// A page that says there is more and brings nothing would never end.
const EXPORT_PAGES_MAX: u64 = 100_000_000;

#[derive(clap::Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub struct AuditFlags {
    #[command(subcommand)]
    pub command: Option<AuditCommand>,
    /// Show what came after this entry [default: the newest entries]
    #[arg(long, value_name = "N")]
    pub after: Option<u64>,
    /// How many entries to show, 1 to 500
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=500))]
    pub limit: u64,
    #[command(flatten)]
    pub remote: RemoteFlags,
}

#[derive(clap::Subcommand, Debug)]
pub enum AuditCommand {
    /// Proves the whole ledger: any change, gap or reorder is found and its place told
    Verify {
        /// Prove the ledger in this folder itself, while no server runs on it
        #[arg(long, value_name = "DIR")]
        data_dir: Option<PathBuf>,
        #[command(flatten)]
        remote: RemoteFlags,
    },
    /// Writes the whole ledger to standard output, one JSON object a line, oldest first
    Export {
        /// Only what came after this entry
        #[arg(long, value_name = "N", default_value_t = 0)]
        after: u64,
        #[command(flatten)]
        remote: RemoteFlags,
    },
}

pub fn run(flags: &AuditFlags) -> Result<Outcome, Failure> {
    match &flags.command {
        None => show_page(flags),
        Some(AuditCommand::Verify { data_dir: Some(folder), remote }) => verify_folder(folder, remote.json),
        Some(AuditCommand::Verify { data_dir: None, remote }) => verify(remote),
        Some(AuditCommand::Export { after, remote }) => export(&Remote::new(remote)?, *after),
    }
}

fn ask(remote: &Remote, after: u64, limit: u64) -> Result<crate::cli::remote::Answer<Audit>, Failure> {
    remote.get::<Audit>(&["audit"], &[("after", after.to_string()), ("limit", limit.to_string())])
}

fn show_page(flags: &AuditFlags) -> Result<Outcome, Failure> {
    let remote = Remote::new(&flags.remote)?;
    let after = match flags.after {
        Some(after) => after,
        None => newest(|after| ask(&remote, after, 1).map(|answer| !answer.read.entries.is_empty()))?.saturating_sub(flags.limit),
    };
    let answer = ask(&remote, after, flags.limit)?;
    page::write(&if flags.remote.json { answer.text + "\n" } else { show(&answer.read, Look::of_stdout()) })?;
    Ok(Outcome::Green)
}

/// The sequence of the newest entry, 0 for none. Sequences have no gaps, so that doubling and halving find it in a few
/// dozen questions: `is_after(n)` says whether an entry follows `n`.
fn newest<E>(is_after: impl Fn(u64) -> Result<bool, E>) -> Result<u64, E> {
    if !is_after(0)? {
        return Ok(0);
    }
    let (mut known, mut beyond) = (0_u64, 1_u64);
    while beyond < u64::MAX / 2 && is_after(beyond)? {
        known = beyond;
        beyond *= 2;
    }
    // An entry follows `known`; none follows `beyond`.
    while beyond - known > 1 {
        let middle = known + (beyond - known) / 2;
        if is_after(middle)? { known = middle } else { beyond = middle }
    }
    Ok(beyond)
}

fn show(audit: &Audit, look: Look) -> String {
    let mut rows = Vec::new();
    for entry in &audit.entries {
        let blank = String::new();
        for (at, what) in entry.what.iter().chain(entry.what.is_empty().then_some(&blank)).enumerate() {
            let first = |text: String| if at == 0 { Cell::plain(text) } else { Cell::plain("") };
            rows.push(vec![first(entry.sequence.to_string()), first(entry.at.for_people()), first(entry.by.clone()), Cell::plain(what)]);
        }
    }
    if rows.is_empty() {
        return "The ledger has no entries there.\n".to_owned();
    }
    let mut out = page::table(look, "", &["ENTRY", "AT", "BY", "WHAT"], &rows);
    if let Some(next) = audit.next_after {
        out.push_str(&format!("\nairlock audit --after {next} goes on.\n"));
    }
    out
}

fn verify(flags: &RemoteFlags) -> Result<Outcome, Failure> {
    let answer = Remote::new(flags)?.get::<Proof>(&["audit", "verify"], &[])?;
    page::write(&if flags.json { answer.text + "\n" } else { show_proof(&answer.read, Look::of_stdout()) })?;
    Ok(if answer.read.sound { Outcome::Green } else { Outcome::Red })
}

fn verify_folder(folder: &Path, json: bool) -> Result<Outcome, Failure> {
    let proof = app::verify(folder).map_err(|error| Failure::failed(error.to_string(), ""))?;
    if json {
        let text =
            serde_json::to_string(&proof).map_err(|error| Failure::failed(format!("the proof could not be written: {error}"), ""))?;
        page::write(&(text + "\n"))?;
    } else {
        page::write(&show_proof(&proof, Look::of_stdout()))?;
    }
    Ok(if proof.sound { Outcome::Green } else { Outcome::Red })
}

fn show_proof(proof: &Proof, look: Look) -> String {
    if proof.sound {
        let (records, head) = (proof.records.unwrap_or(0), proof.head.as_deref().unwrap_or("-"));
        return format!(
            "{}: {records} entries, each chained to the one before. Head {head}\n",
            look.paint("The ledger is sound", Tone::Good)
        );
    }
    let place = proof.place.as_deref().unwrap_or("an unknown place");
    let after = proof.after.unwrap_or(0);
    let verdict = look.paint("The ledger is broken", Tone::Bad);
    let rest = page::paragraph(
        look,
        &format!("after entry {after}: {place}. Keep the data dir as it is, stop the server, and compare with a backup."),
    );
    format!("{verdict} {rest}")
}

fn export(remote: &Remote, after: u64) -> Result<Outcome, Failure> {
    let mut after = after;
    for _ in 0..EXPORT_PAGES_MAX {
        let audit = ask(remote, after, EXPORT_PAGE)?.read;
        let Some(last) = audit.entries.last().map(|entry| entry.sequence) else { break };
        let read_on = page::write_more(&lines(&audit.entries)?)?;
        if !read_on || audit.next_after.is_none() || last <= after {
            break;
        }
        after = last;
    }
    Ok(Outcome::Green)
}

fn lines(entries: &[Entry]) -> Result<String, Failure> {
    let mut out = String::new();
    for entry in entries {
        let line = serde_json::to_string(entry)
            .map_err(|error| Failure::failed(format!("entry {} could not be written: {error}", entry.sequence), ""))?;
        out.push_str(&line);
        out.push('\n');
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell as Counter;

    const PLAIN: Look = Look { colour: false, width: 100 };

    #[test]
    fn the_newest_entry_is_found() {
        for head in [0, 1, 2, 3, 4, 5, 63, 64, 65, 1_000, 1_000_000] {
            let asked = Counter::new(0);
            let is_after = |after: u64| {
                asked.set(asked.get() + 1);
                Ok::<bool, ()>(after < head)
            };
            assert_eq!(newest(is_after), Ok(head));
            assert!(asked.get() < 50, "{head}: {}", asked.get());
        }
    }

    #[test]
    fn a_page_is_a_table() {
        let audit: Audit = serde_json::from_str(
            r#"{"entries":[{"sequence":7,"at":"2026-11-20T10:00:00Z","by":"maria","what":["approved left-pad@1.3.0: read it","queued left-pad-1.3.0.tgz"],"commands":[],"hash":"a","previous":"b"}],"next_after":7}"#,
        )
        .unwrap();
        let expected = "\
ENTRY  AT                    BY     WHAT
7      2026-11-20 10:00 UTC  maria  approved left-pad@1.3.0: read it
                                    queued left-pad-1.3.0.tgz

airlock audit --after 7 goes on.
";
        assert_eq!(show(&audit, PLAIN), expected);
        assert_eq!(lines(&audit.entries).unwrap().lines().count(), 1);
    }

    #[test]
    fn a_proof_says_where_it_breaks() {
        let proof = |text: &str| serde_json::from_str::<Proof>(text).unwrap();
        assert_eq!(
            show_proof(&proof(r#"{"sound":true,"records":12,"head":"9f86"}"#), PLAIN),
            "The ledger is sound: 12 entries, each chained to the one before. Head 9f86\n"
        );
        let broken = show_proof(&proof(r#"{"sound":false,"after":7,"place":"segment 1 at byte 512"}"#), PLAIN);
        assert!(broken.starts_with("The ledger is broken after entry 7: segment 1 at byte 512."), "{broken}");
    }
}
