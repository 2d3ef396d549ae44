//! `airlock advisories import|status`: what others found out about releases, brought to a server that may not fetch it itself.

use std::fs::File;
use std::io;
use std::io::Read;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use rawzip::CompressionMethod;
use rawzip::ZipArchiveWriter;
use rawzip::path::EntryPath;

use crate::admin::wire::Advisories;
use crate::admin::wire::FeedView;
use crate::admin::wire::Import;
use crate::admin::wire::UnreadableRecord;
use crate::cli::failure::Failure;
use crate::cli::failure::Outcome;
use crate::cli::page;
use crate::cli::page::Cell;
use crate::cli::page::Look;
use crate::cli::page::Tone;
use crate::cli::pieces::Pieces;
use crate::cli::remote::Remote;
use crate::cli::remote::RemoteFlags;
use crate::model::finding::printable;

const ZIP: &str = "application/zip";
/// Folders within folders.
const DEPTH_MAX: usize = 16;
const FILES_MAX: usize = 2_000_000;
const PIECE_BYTES: usize = 128 * 1_024;
const TEXT_BYTES_MAX: usize = 300;
const MENDING: &str =
    "Each is read again whenever the feed is heard, and no longer missed once it can be read or is gone. Until then a corrected
copy stands in for it: airlock advisories import ID.json, named and with the id as the feed has it.
";

#[derive(clap::Subcommand, Debug)]
pub enum AdvisoriesCommand {
    /// Brings OSV records to the server: a zip such as all.zip, a folder of JSON files, or one JSON file
    Import {
        /// The zip, the folder or the JSON file
        path: PathBuf,
        /// These are only some records: join them with those brought so before, instead of taking them for all there is
        #[arg(long)]
        add: bool,
        #[command(flatten)]
        remote: RemoteFlags,
    },
    /// Shows how old what is known is, and how much it is; exit 1 if it is too old to open releases by
    Status {
        #[command(flatten)]
        remote: RemoteFlags,
    },
}

pub fn run(command: &AdvisoriesCommand) -> Result<Outcome, Failure> {
    match command {
        AdvisoriesCommand::Import { path, add, remote } => import(path, *add, remote),
        AdvisoriesCommand::Status { remote } => {
            let answer = Remote::new(remote)?.get::<Advisories>(&["advisories"], &[])?;
            page::write(&if remote.json { answer.text + "\n" } else { show_status(&answer.read, Look::of_stdout()) })?;
            Ok(if answer.read.fresh == Some(false) { Outcome::Red } else { Outcome::Green })
        }
    }
}

fn import(path: &Path, add: bool, remote: &RemoteFlags) -> Result<Outcome, Failure> {
    let unreadable =
        |error: io::Error| Failure::usage(format!("{} cannot be read: {error}", path.display()), "name a zip, a folder or a JSON file");
    let is_folder = std::fs::metadata(path).map_err(unreadable)?.is_dir();
    let is_zip = !is_folder && begins_as_zip(path).map_err(unreadable)?;
    let whole = (is_folder || is_zip) && !add;
    let from = path.to_owned();
    let send = move |pieces: &mut Pieces| if is_zip { io::copy(&mut File::open(&from)?, pieces).map(drop) } else { pack(&from, pieces) };
    let answer = Remote::new(remote)?.upload::<Import>(&["advisories"], &[("whole", whole.to_string())], ZIP, send)?;
    page::write(&if remote.json { answer.text + "\n" } else { show_import(&answer.read, whole, Look::of_stdout()) })?;
    Ok(if answer.read.unreadable == 0 { Outcome::Green } else { Outcome::Red })
}

fn begins_as_zip(path: &Path) -> io::Result<bool> {
    let mut head = Vec::new();
    File::open(path)?.take(2).read_to_end(&mut head)?;
    Ok(head == b"PK")
}

/// One JSON file, or all of a folder, as a zip that names each by its path.
fn pack(path: &Path, to: &mut Pieces) -> io::Result<()> {
    let mut archive = ZipArchiveWriter::new(to);
    let mut files = 0;
    if path.is_dir() {
        pack_folder(path, path, 0, &mut files, &mut archive)?;
    } else {
        let name = path.file_name().map_or_else(|| "record.json".into(), |name| name.to_string_lossy().into_owned());
        // The server looks at files that are called so.
        let name = if name.ends_with(".json") { name } else { format!("{name}.json") };
        pack_file(path, &name, &mut archive)?;
    }
    archive.finish().map_err(io::Error::other)?;
    Ok(())
}

/// In order, so that the same folder is sent in the same way. Links are not followed.
fn pack_folder<W: Write>(root: &Path, folder: &Path, depth: usize, files: &mut usize, archive: &mut ZipArchiveWriter<W>) -> io::Result<()> {
    if depth > DEPTH_MAX {
        return Err(io::Error::other(format!("{} lies more than {DEPTH_MAX} folders deep", folder.display())));
    }
    let mut entries = std::fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let (path, kind) = (entry.path(), entry.file_type()?);
        if kind.is_dir() {
            pack_folder(root, &path, depth + 1, files, archive)?;
        } else if kind.is_file() && path.extension().is_some_and(|extension| extension == "json") {
            *files += 1;
            if *files > FILES_MAX {
                return Err(io::Error::other(format!("there are more than {FILES_MAX} files")));
            }
            let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
            pack_file(&path, &name, archive)?;
        }
    }
    Ok(())
}

fn pack_file<W: Write>(path: &Path, name: &str, archive: &mut ZipArchiveWriter<W>) -> io::Result<()> {
    let told = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    let mut file = File::open(path).map_err(told)?;
    let start = archive.new_file(EntryPath::conformant(name)).compression_method(CompressionMethod::DEFLATE).start();
    let (mut entry, config) = start.map_err(io::Error::other)?;
    let mut writer = config.wrap(flate2::write::DeflateEncoder::new(&mut entry, flate2::Compression::fast()));
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let read = file.read(&mut piece).map_err(told)?;
        let Some(bytes) = piece.get(..read).filter(|bytes| !bytes.is_empty()) else { break };
        writer.write_all(bytes)?;
    }
    let (encoder, descriptor) = writer.finish().map_err(io::Error::other)?;
    encoder.finish()?;
    entry.finish(descriptor).map_err(io::Error::other)?;
    Ok(())
}

fn show_import(import: &Import, whole: bool, look: Look) -> String {
    let mut out = format!("Advisories about npm packages that were read: {}.\n", import.advisories);
    if import.unreadable > 0 {
        let count = import.unreadable;
        out.push_str(
            &look.paint(&format!("{count} could not be read and were passed over, so that what is known gets no younger:"), Tone::Bad),
        );
        out.push('\n');
        out.push_str(&faults(&import.faults));
    } else if whole {
        out.push_str(&format!("What is known counts as of {}.\n", import.as_of.for_people()));
    }
    out
}

fn faults(faults: &[UnreadableRecord]) -> String {
    let one =
        |fault: &UnreadableRecord| format!("  {}: {}\n", printable(&fault.record, TEXT_BYTES_MAX), printable(&fault.why, TEXT_BYTES_MAX));
    faults.iter().map(one).collect()
}

fn show_status(state: &Advisories, look: Look) -> String {
    let mut out = match (state.fresh, state.as_of) {
        (Some(true), Some(as_of)) => look.paint(&format!("What is known counts as of {}.", as_of.for_people()), Tone::Good),
        (Some(false), Some(as_of)) if as_of.millis() > 0 => {
            let text = format!("What is known counts as of {}, which is too old: nothing new opens by its age.", as_of.for_people());
            look.paint(&text, Tone::Bad)
        }
        (Some(false), _) => look.paint("Nothing was heard yet: nothing opens by its age.", Tone::Bad),
        (Some(true) | None, _) => "No feed of advisories is configured, and none was imported.".to_owned(),
    };
    out.push('\n');
    if let Some(error) = &state.last_error {
        out.push_str(&look.paint(&format!("It was not heard when it was asked last: {}", printable(error, TEXT_BYTES_MAX)), Tone::Bad));
        out.push('\n');
    }
    if !state.feeds.is_empty() {
        let row = |feed: &FeedView| {
            let count = |number: u64| Cell::plain(number.to_string());
            vec![
                Cell::new(&feed.name, Tone::Strong),
                Cell::plain(feed.as_of.for_people()),
                count(feed.advisories),
                count(feed.vulnerabilities),
                count(feed.unreadable),
                Cell::new(feed.lost.as_deref().unwrap_or_default(), Tone::Bad),
            ]
        };
        let rows: Vec<Vec<Cell>> = state.feeds.iter().map(row).collect();
        out.push_str(&page::table(look, "", &["FEED", "AS OF", "ADVISORIES", "VULNERABILITIES", "UNREADABLE", "LOST"], &rows));
    }
    for feed in state.feeds.iter().filter(|feed| feed.unreadable > 0) {
        let count = feed.unreadable;
        let text = format!("{count} of the records of {} could not be read, so that what is known gets no younger:", feed.name);
        out.push_str(&format!("\n{}\n", look.paint(&text, Tone::Bad)));
        out.push_str(&faults(&feed.faults));
        out.push_str(MENDING);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Look = Look { colour: false, width: 100 };

    #[test]
    fn an_import_says_what_was_passed_over() {
        let import: Import = serde_json::from_str(
            r#"{"advisories":3,"unreadable":1,"faults":[{"record":"npm/MAL-1.json","why":"it is not an OSV record"}],"as_of":"2099-01-01T00:00:00Z"}"#,
        )
        .unwrap();
        let shown = show_import(&import, true, PLAIN);
        assert!(
            shown.contains("were read: 3.") && shown.contains("  npm/MAL-1.json: it is not an OSV record") && !shown.contains("as of"),
            "{shown}"
        );
        let sound = Import { unreadable: 0, faults: Vec::new(), ..import };
        assert!(show_import(&sound, true, PLAIN).contains("as of 2099-01-01 00:00 UTC"));
        assert!(!show_import(&sound, false, PLAIN).contains("as of"));
    }

    #[test]
    fn the_status_says_whether_what_is_known_is_enough() {
        let state: Advisories = serde_json::from_str(
            r#"{"feeds":[{"name":"osv","as_of":"2099-01-01T00:00:00Z","advisories":7,"vulnerabilities":2,"unreadable":0}],
                "fresh":true,"as_of":"2099-01-01T00:00:00Z","advisories":[]}"#,
        )
        .unwrap();
        assert!(show_status(&state, PLAIN).starts_with("What is known counts as of 2099-01-01 00:00 UTC.\n"));
        let stale = Advisories { fresh: Some(false), last_error: Some("it did not answer".into()), ..state };
        let shown = show_status(&stale, PLAIN);
        assert!(shown.contains("too old") && shown.contains("it did not answer"), "{shown}");
        let never = Advisories { as_of: Some(crate::model::time::Timestamp::from_millis(0)), feeds: Vec::new(), ..stale };
        assert!(show_status(&never, PLAIN).contains("Nothing was heard yet"));
        let none = Advisories { fresh: None, as_of: None, last_error: None, ..never };
        assert!(show_status(&none, PLAIN).contains("No feed"));
    }
}
