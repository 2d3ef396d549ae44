//! The ledger proves itself: every change, gap and reorder in its file is found, and its place told.

use std::path::Path;

use airlock::app;

use crate::support::binary::files_below;
use crate::support::scenario::Scenario;

/// Bytes before a record's text. Source: `storage::ledger::frame`.
const HEADER_BYTES: usize = 52;

/// Where each record lies in a segment, its own header included; the segment's head is what stands before the first.
fn frames(bytes: &[u8]) -> Vec<std::ops::Range<usize>> {
    let length = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    let sequence = |at: usize| u64::from_le_bytes(bytes[at + 8..at + 16].try_into().unwrap());
    let first = (0..bytes.len() - HEADER_BYTES).find(|at| sequence(*at) == 1 && bytes[at + 20..at + 52] == [0; 32] && length(*at) > 0);
    let mut at = first.unwrap();
    let mut frames = Vec::new();
    while at + HEADER_BYTES <= bytes.len() && length(at) > 0 {
        let end = at + HEADER_BYTES + length(at);
        frames.push(at..end);
        at = end;
    }
    frames
}

fn check(folder: &Path, segment: &Path, damaged: &[u8], what: &str) {
    std::fs::write(segment, damaged).unwrap();
    match app::verify(folder) {
        Ok(proof) => {
            assert!(!proof.sound, "{what} is not found");
            let (after, place) = (proof.after.unwrap(), proof.place.unwrap());
            assert!(after < 20 && !place.is_empty(), "{what}: after {after}, {place}");
        }
        Err(error) => assert!(error.to_string().contains("ledger"), "{what}: {error}"),
    }
}

#[tokio::test]
async fn every_damage_is_found_and_its_place_told() {
    let airlock = Scenario::new().package("left-pad", |p| _ = p.release("1.0.0")).gated().await;
    airlock.tarball("left-pad", "1.0.0").await;
    for decision in ["hold", "approve", "reject"] {
        assert_eq!(airlock.decide("left-pad", "1.0.0", decision, "a reason that somebody might want to change").await.status, 200);
    }
    let proof = airlock.as_admin("GET", "/-/airlock/v1/audit/verify").send().await.json();
    assert_eq!(proof["sound"], true, "{proof}");
    // The chain as it is told is a chain.
    let audit = airlock.as_admin("GET", "/-/airlock/v1/audit?limit=500").send().await.json();
    let entries = audit["entries"].as_array().unwrap();
    for (at, two) in entries.windows(2).enumerate() {
        assert_eq!(two[0]["hash"], two[1]["previous"]);
        assert_eq!(two[0]["sequence"], at + 1);
    }
    assert_eq!(entries.last().unwrap()["hash"], proof["head"]);
    assert_eq!(proof["records"], entries.len());

    // The folder outlives the server that is stopped here.
    let copy = tempfile::TempDir::new().unwrap();
    let folder = copy.path();
    let data = airlock.data_dir();
    for file in files_below(&data) {
        let to = folder.join(file.strip_prefix(&data).unwrap());
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(&file, &to).unwrap();
    }
    airlock.shutdown().await;
    assert!(app::verify(folder).unwrap().sound);
    let segment = files_below(&folder.join("ledger")).into_iter().find(|file| file.metadata().unwrap().len() > 2_000).unwrap();
    let honest = std::fs::read(&segment).unwrap();
    let frames = frames(&honest);
    assert_eq!(frames.len(), entries.len());

    for (at, frame) in frames.iter().enumerate() {
        for place in [frame.start + 5, frame.start + 21, frame.start + HEADER_BYTES, frame.end - 1] {
            let mut damaged = honest.clone();
            damaged[place] ^= 1;
            check(folder, &segment, &damaged, &format!("a changed byte in record {}", at + 1));
        }
    }
    let without = |at: usize| [&honest[..frames[at].start], &honest[frames[at].end..]].concat();
    for at in 0..frames.len() - 1 {
        check(folder, &segment, &without(at), &format!("record {} taken out", at + 1));
        let (first, second) = (frames[at].clone(), frames[at + 1].clone());
        let swapped = [&honest[..first.start], &honest[second.clone()], &honest[first], &honest[second.end..]].concat();
        check(folder, &segment, &swapped, &format!("records {} and {} swapped", at + 1, at + 2));
    }
    let text = String::from_utf8_lossy(&honest[frames[frames.len() - 1].clone()]).into_owned();
    assert!(text.contains("somebody might want"), "{text}");
    std::fs::write(&segment, &honest).unwrap();
    assert!(app::verify(folder).unwrap().sound);
}
