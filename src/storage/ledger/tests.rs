//! The ledger against torn writes, damage, a full disk and failing syncs.

use std::path::PathBuf;
use std::sync::atomic::Ordering;

use tempfile::TempDir;

use super::*;
use crate::model::actor::Actor;
use crate::model::time::Timestamp;
use crate::storage::ledger::file::DiskFiles;
use crate::storage::ledger::file::faulty::Faults;
use crate::storage::ledger::file::faulty::FaultyFiles;
use crate::storage::ledger::frame::Header;
use crate::storage::ledger::writer::AppendError;
use crate::storage::record::Command;

struct Bench {
    folder: TempDir,
    segment_bytes_max: u64,
}

impl Bench {
    fn new(segment_bytes_max: u64) -> Bench {
        Bench { folder: tempfile::tempdir().unwrap(), segment_bytes_max }
    }

    /// With `count` records, each durable on its own; as a crash leaves it.
    fn filled(count: u64, segment_bytes_max: u64) -> Bench {
        let bench = Bench::new(segment_bytes_max);
        let (ledger, mut writer) = bench.open().unwrap();
        for _ in 0..count {
            append(&ledger, &mut writer, 1).unwrap();
        }
        bench
    }

    fn open(&self) -> Result<(Ledger, Writer), LedgerError> {
        Ledger::open(self.folder.path(), Arc::new(DiskFiles), self.segment_bytes_max)
    }

    fn segments(&self) -> Vec<PathBuf> {
        segment::list(self.folder.path()).unwrap().into_iter().map(|(_, path)| path).collect()
    }

    /// Where each frame of a segment begins, and its end.
    fn frames(&self, path: &Path) -> Vec<u64> {
        let mut frames = Frames::first(path).ok().unwrap();
        let mut starts = Vec::new();
        while let Step::Frame(_) = frames.step().unwrap() {
            starts.push(frames.offset());
        }
        starts.push(frames.next_offset());
        starts
    }
}

fn record(sequence: Sequence) -> Record {
    let text = format!("policy {}", sequence.0);
    let commands = vec![Command::Policy { digest: DocumentDigest::of(text.as_bytes()), text }];
    Record { version: Record::VERSION, sequence, at: Timestamp::from_millis(0), actor: Actor::Airlock, commands }
}

fn append(ledger: &Ledger, writer: &mut Writer, count: usize) -> Result<(), AppendError> {
    let mut group = writer.group();
    for _ in 0..count {
        group.push(&record(group.next())).unwrap();
    }
    ledger.extend(writer.append(group)?);
    Ok(())
}

fn sequences(ledger: &Ledger) -> Vec<u64> {
    ledger.entries(Sequence(0), 1_000).unwrap().into_iter().map(|entry| entry.record.sequence.0).collect()
}

/// What opening says of damage; panics when it opens.
fn damage(bench: &Bench) -> (PathBuf, u64, Sequence) {
    match bench.open() {
        Err(LedgerError::Damaged(ScanError::Broken { after, file, offset, .. })) => (file, offset, after),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it opened"),
    }
}

#[test]
fn a_tail_torn_at_any_byte_is_cut() {
    let bench = Bench::filled(3, u64::MAX);
    let path = bench.segments().remove(0);
    let whole = std::fs::read(&path).unwrap();
    let frames = bench.frames(&path);
    let (last, end) = (usize::try_from(frames[2]).unwrap(), whole.len());
    for length in last..end {
        for filler in [&[][..], &[0; 100][..]] {
            // The length was written to the disk, the bytes were not.
            let torn = [&whole[..length], filler].concat();
            std::fs::write(&path, torn).unwrap();
            let (ledger, mut writer) = bench.open().unwrap();
            assert_eq!(sequences(&ledger), [1, 2], "cut at {length}");
            assert_eq!(std::fs::metadata(&path).unwrap().len(), last as u64);
            append(&ledger, &mut writer, 1).unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), whole, "the next record lies where the torn one lay");
        }
    }
}

#[test]
fn a_byte_changed_anywhere_earlier_stops_the_start_and_names_the_place() {
    let bench = Bench::filled(5, 700);
    let segments = bench.segments();
    assert!(segments.len() > 1);
    for (place, path) in segments.iter().enumerate() {
        let whole = std::fs::read(path).unwrap();
        let frames = bench.frames(path);
        let last = place + 1 == segments.len();
        let end = if last { frames[frames.len() - 2] } else { whole.len() as u64 };
        for at in 0..usize::try_from(end).unwrap() {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x10;
            std::fs::write(path, &damaged).unwrap();
            let (file, offset, _) = damage(&bench);
            let frame = frames.iter().rev().find(|start| **start <= at as u64).copied().unwrap_or(0);
            assert_eq!((&file, offset), (path, frame), "byte {at} of {}", path.display());
            assert_eq!(std::fs::read(path).unwrap(), damaged, "nothing is repaired");
        }
        std::fs::write(path, &whole).unwrap();
    }
    bench.open().unwrap();
}

#[test]
fn a_new_segment_is_witnessed_as_it_begins() {
    let bench = Bench::filled(5, 700);
    let begins: Vec<u64> = segment::list(bench.folder.path()).unwrap().into_iter().map(|(first, _)| first.0).collect();
    assert!(begins.len() > 1);
    // Nothing was closed in order, and still nobody takes a lost segment for a torn end.
    assert_eq!(head::read(bench.folder.path()).unwrap().sequence.0, begins[begins.len() - 1]);
    std::fs::remove_file(bench.segments().pop().unwrap()).unwrap();
    assert!(matches!(bench.open(), Err(LedgerError::Missing { .. })));
}

#[test]
fn a_missing_end_is_told_from_a_torn_one() {
    let bench = Bench::filled(3, u64::MAX);
    bench.open().unwrap().0.write_head();
    let path = bench.segments().remove(0);
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    assert!(matches!(bench.open(), Err(LedgerError::Missing { last: 2, durable: 3, .. })));
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(bench.open(), Err(LedgerError::Missing { last: 0, durable: 3, .. })));
    std::fs::write(&path, &whole).unwrap();
    bench.open().unwrap();
}

#[test]
fn a_rewritten_record_a_gap_and_a_swap_are_found() {
    let forge = |change: &dyn Fn(&Bench, &[PathBuf])| {
        let bench = Bench::filled(6, 300);
        let (ledger, _) = bench.open().unwrap();
        assert!(matches!(ledger.verify().unwrap(), Proof::Sound { records: 6, .. }));
        let segments = bench.segments();
        change(&bench, &segments);
        let proof = ledger.verify().unwrap();
        let Proof::Broken { after, place } = proof else { panic!("nothing was found") };
        assert!(bench.open().is_err());
        (after.0, place)
    };
    // A record with another text and a checksum that agrees: only the chain tells.
    let (after, place) = forge(&|bench, segments| {
        let frames = bench.frames(&segments[1]);
        let whole = std::fs::read(&segments[1]).unwrap();
        let mut frame = whole[usize::try_from(frames[0]).unwrap()..usize::try_from(frames[1]).unwrap()].to_vec();
        let header = Header::read(frame[..frame::HEADER_BYTES].try_into().unwrap()).unwrap();
        let mut changed = header.record(&frame).unwrap();
        changed.at = Timestamp::from_millis(1);
        let previous = header.previous;
        frame.clear();
        frame::write(&changed, &previous, &mut frame).unwrap();
        std::fs::write(&segments[1], [segment::MAGIC.as_slice(), &frame, &whole[usize::try_from(frames[1]).unwrap()..]].concat()).unwrap();
    });
    assert!(place.contains("does not continue") && after >= 2, "{place}");
    let (_, place) = forge(&|_, segments| std::fs::remove_file(&segments[1]).unwrap());
    assert!(place.contains("missing"), "{place}");
    let (after, place) = forge(&|_, segments| std::fs::remove_file(segments.last().unwrap()).unwrap());
    assert!(place.contains("missing") && after >= 4, "{place}");
    let (_, place) = forge(&|_, segments| {
        let (one, two) = (std::fs::read(&segments[0]).unwrap(), std::fs::read(&segments[1]).unwrap());
        std::fs::write(&segments[0], two).unwrap();
        std::fs::write(&segments[1], one).unwrap();
    });
    assert!(place.contains("where record 1 belongs"), "{place}");
}

#[test]
fn segments_follow_one_another() {
    let bench = Bench::new(1_000);
    let (ledger, mut writer) = bench.open().unwrap();
    for _ in 0..30 {
        append(&ledger, &mut writer, 1).unwrap();
    }
    let expected: Vec<u64> = (1..=30).collect();
    assert_eq!(sequences(&ledger), expected);
    assert!(bench.segments().len() > 3);
    assert_eq!(bench.segments()[0].file_name().unwrap(), "00000000000000000001.seg");
    for after in 0..30 {
        assert_eq!(ledger.entries(Sequence(after), 1).unwrap()[0].record.sequence, Sequence(after + 1));
    }
    std::fs::write(bench.folder.path().join("00000000000000000099.seg-new"), "half").unwrap();
    drop(writer);
    let (ledger, mut writer) = bench.open().unwrap();
    assert_eq!(sequences(&ledger), expected);
    append(&ledger, &mut writer, 5).unwrap();
    assert_eq!(ledger.entries(Sequence(30), 10).unwrap().len(), 5);
    assert!(matches!(ledger.verify().unwrap(), Proof::Sound { records: 35, .. }));
}

#[test]
fn a_group_is_one_sync() {
    let bench = Bench::new(u64::MAX);
    let faults = Faults::new();
    let (ledger, mut writer) = Ledger::open(bench.folder.path(), Arc::new(FaultyFiles(Arc::clone(&faults))), u64::MAX).unwrap();
    append(&ledger, &mut writer, 1).unwrap();
    let before = faults.syncs.load(Ordering::SeqCst);
    append(&ledger, &mut writer, 100).unwrap();
    assert_eq!(faults.syncs.load(Ordering::SeqCst), before + 1);
}

#[test]
fn a_full_disk_refuses_and_changes_nothing() {
    for segment_bytes_max in [u64::MAX, 500] {
        let bench = Bench::new(segment_bytes_max);
        let faults = Faults::new();
        let files = || Arc::new(FaultyFiles(Arc::clone(&faults)));
        let (ledger, mut writer) = Ledger::open(bench.folder.path(), files(), segment_bytes_max).unwrap();
        append(&ledger, &mut writer, 3).unwrap();
        let bytes = || bench.segments().iter().map(|path| std::fs::read(path).unwrap()).collect::<Vec<_>>().concat();
        let before = bytes();
        for room in 0..300 {
            faults.room.store(room, Ordering::SeqCst);
            assert!(matches!(append(&ledger, &mut writer, 2), Err(AppendError::Full)), "with room for {room} bytes");
            assert!(bytes().starts_with(&before) && bytes().len() <= before.len() + segment::MAGIC.len());
        }
        faults.room.store(u64::MAX, Ordering::SeqCst);
        append(&ledger, &mut writer, 2).unwrap();
        assert_eq!(sequences(&ledger), [1, 2, 3, 4, 5]);
        drop(writer);
        assert_eq!(sequences(&bench.open().unwrap().0), [1, 2, 3, 4, 5]);
    }
}

#[test]
fn after_a_failed_sync_nothing_is_accepted() {
    let bench = Bench::new(u64::MAX);
    let faults = Faults::new();
    let (ledger, mut writer) = Ledger::open(bench.folder.path(), Arc::new(FaultyFiles(Arc::clone(&faults))), u64::MAX).unwrap();
    append(&ledger, &mut writer, 1).unwrap();
    faults.sync_fails.store(true, Ordering::SeqCst);
    assert!(matches!(append(&ledger, &mut writer, 1), Err(AppendError::Broken(_))));
    faults.sync_fails.store(false, Ordering::SeqCst);
    assert!(matches!(append(&ledger, &mut writer, 1), Err(AppendError::Broken(_))));
    assert_eq!(sequences(&ledger), [1]);
}

#[test]
fn what_cannot_be_taken_back_breaks_the_writer() {
    let bench = Bench::new(u64::MAX);
    let faults = Faults::new();
    let (ledger, mut writer) = Ledger::open(bench.folder.path(), Arc::new(FaultyFiles(Arc::clone(&faults))), u64::MAX).unwrap();
    append(&ledger, &mut writer, 1).unwrap();
    faults.room.store(10, Ordering::SeqCst);
    faults.truncate_fails.store(true, Ordering::SeqCst);
    assert!(matches!(append(&ledger, &mut writer, 1), Err(AppendError::Broken(_))));
    drop(writer);
    assert_eq!(sequences(&bench.open().unwrap().0), [1]);
}

#[test]
fn a_record_of_a_newer_version_is_not_cut_off_as_torn() {
    let bench = Bench::filled(2, u64::MAX);
    let path = bench.segments().remove(0);
    let mut bytes = std::fs::read(&path).unwrap();
    let last = usize::try_from(bench.frames(&path)[1]).unwrap();
    bytes[last + 16] = 9;
    let sum = crc32c::crc32c_append(crc32c::crc32c(&bytes[last..last + 4]), &bytes[last + 8..]);
    bytes[last + 4..last + 8].copy_from_slice(&sum.to_le_bytes());
    std::fs::write(&path, bytes).unwrap();
    assert_eq!(damage(&bench), (path, last as u64, Sequence(1)));
}
