//! Everything that was ever stored can still be read: one of each form, of each past version, in `tests/fixtures/records`.

use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::model::job::Job;
use crate::model::token::Token;
use crate::storage::ledger::Ledger;
use crate::storage::ledger::file::DiskFiles;
use crate::storage::record::Command;
use crate::storage::record::Inspection;
use crate::storage::record::PackageState;
use crate::storage::record::Record;
use crate::storage::record::Sequence;
use crate::storage::state::IndexNote;
use crate::storage::summary::Summary;

/// A new variant needs a name here, a file `record-<name>-v1.json`, and a place in `COMMANDS`.
fn name(command: &Command) -> &'static str {
    match command {
        Command::Sight(_) => "sight",
        Command::Inspected { .. } => "inspected",
        Command::Decided { .. } => "decided",
        Command::Policy { .. } => "policy",
        Command::TokenCreated { .. } => "token_created",
        Command::TokenRevoked { .. } => "token_revoked",
        Command::JobQueued { .. } => "job_queued",
        Command::JobLeased { .. } => "job_leased",
        Command::JobDone { .. } => "job_done",
        Command::JobFailed { .. } => "job_failed",
        Command::Submitted { .. } => "submitted",
        Command::Amended { .. } => "amended",
        Command::Assigned { .. } => "assigned",
        Command::UserMade { .. } => "user_made",
        Command::UserChanged { .. } => "user_changed",
        Command::KeyMade { .. } => "key_made",
        Command::Waived { .. } => "waived",
        Command::WaiverEnded { .. } => "waiver_ended",
        Command::Requested { .. } => "requested",
        Command::Acknowledged { .. } => "acknowledged",
        Command::Rejudged { .. } => "rejudged",
        Command::EditionBegun { .. } => "edition_begun",
        Command::FeedHeard { .. } => "feed_heard",
    }
}

const COMMANDS: [&str; 23] = [
    "sight",
    "inspected",
    "decided",
    "policy",
    "token_created",
    "token_revoked",
    "job_queued",
    "job_leased",
    "job_done",
    "job_failed",
    "submitted",
    "amended",
    "assigned",
    "user_made",
    "user_changed",
    "key_made",
    "waived",
    "waiver_ended",
    "requested",
    "acknowledged",
    "rejudged",
    "edition_begun",
    "feed_heard",
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/records")
}

/// Reads it, and writes it again to the same JSON: nothing in it went unread.
fn read<T: Serialize + DeserializeOwned>(text: &str) -> T {
    let value: T = serde_json::from_str(text).unwrap();
    let expected: serde_json::Value = serde_json::from_str(text).unwrap();
    assert_eq!(serde_json::to_value(&value).unwrap(), expected);
    value
}

fn records() -> Vec<Record> {
    let mut records: Vec<Record> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("record-"))
        .map(|path| read(&std::fs::read_to_string(path).unwrap()))
        .collect();
    records.sort_by_key(|record| record.sequence);
    records
}

#[test]
fn each_stored_form_reads_and_none_is_missing() {
    let mut forms = BTreeSet::new();
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let file = path.file_name().unwrap().to_str().unwrap().to_owned();
        let Some(form) = file.strip_suffix(".json").and_then(|stem| stem.rsplit_once("-v")).map(|(form, _)| form.to_owned()) else {
            assert!(file.ends_with(".seg"), "{file} is not named like a stored form");
            continue;
        };
        let text = std::fs::read_to_string(&path).unwrap();
        match form.as_str() {
            "package_state" => drop(read::<PackageState>(&text)),
            "inspection" => drop(read::<Inspection>(&text)),
            "index_note" => drop(read::<IndexNote>(&text)),
            "summary" => drop(read::<Summary>(&text)),
            "job" => drop(read::<Job>(&text)),
            "token" => drop(read::<Token>(&text)),
            record => {
                let record_name = record.strip_prefix("record-").unwrap_or_else(|| panic!("{file} is of no known form"));
                assert!(read::<Record>(&text).commands.iter().any(|command| name(command) == record_name), "{file}");
            }
        }
        forms.insert(form);
    }
    let commands = COMMANDS.iter().map(|command| format!("record-{command}"));
    let others = ["package_state", "inspection", "index_note", "summary", "job", "token"].map(str::to_owned);
    let missing: Vec<String> = commands.chain(others).filter(|form| !forms.contains(form)).collect();
    assert!(missing.is_empty(), "no fixture of {missing:?}");
}

/// The bytes of a segment, frames and chain and all, as version 1 wrote them.
#[test]
fn a_segment_of_version_1_reads() {
    let bench = tempfile::tempdir().unwrap();
    std::fs::copy(folder().join("ledger-v1.seg"), bench.path().join("00000000000000000001.seg")).unwrap();
    let (ledger, _) = Ledger::open(bench.path(), Arc::new(DiskFiles), u64::MAX).unwrap();
    let stored: Vec<Record> = ledger.entries(Sequence(0), 100).unwrap().into_iter().map(|entry| entry.record).collect();
    let last = stored.last().map(|record| record.sequence);
    assert_eq!(last, Some(Sequence(10)));
    // Kinds of records that came later are not in it.
    let then: Vec<Record> = records().into_iter().filter(|record| Some(record.sequence) <= last).collect();
    assert_eq!(stored, then);
}
