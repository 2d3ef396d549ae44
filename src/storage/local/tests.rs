//! The store of one machine against an engine that lies, breaks or is gone, against a full disk, and under load.

use std::path::PathBuf;
use std::sync::atomic::Ordering;

use tempfile::TempDir;

use super::*;
use crate::model::actor::Actor;
use crate::model::digest::Digest;
use crate::model::digest::IntegrityOutcome;
use crate::model::facts::Facts;
use crate::model::job::Work;
use crate::model::package::Version;
use crate::model::release::ReleaseId;
use crate::storage::ledger::LedgerError;
use crate::storage::ledger::file::faulty::Faults;
use crate::storage::ledger::file::faulty::FaultyFiles;
use crate::storage::record::Command;
use crate::storage::record::Inspection;
use crate::storage::state::Condition;

fn package(number: usize) -> PackageId {
    PackageId::npm(&format!("package-{number}")).unwrap()
}

/// One inspected release; digests do not deflate, so that a few make a value that is too large for sled.
fn inspected(number: usize, version: usize) -> Command {
    let release = ReleaseId { package: package(number), version: Version::parse(&format!("{version}.0.0")).unwrap() };
    let digest = Digest::of(format!("{number} {version}").as_bytes());
    let inspection = Inspection {
        at: Timestamp::from_millis(0),
        edition: 1,
        digest,
        size: 1,
        integrity: IntegrityOutcome::Agrees,
        facts: Facts::default(),
        substance: None,
        evidence: None,
    };
    Command::Inspected { release, file: format!("package-{number}-{version}.0.0.tgz"), inspection: Box::new(inspection) }
}

fn batch(commands: Vec<Command>) -> Batch {
    Batch { at: Timestamp::from_millis(0), actor: Actor::Airlock, conditions: vec![], commands }
}

const PACKAGES: usize = 12;
const LARGE: usize = 3;

/// Small values and some that lie in files, jobs and a policy.
async fn fill(state: &LocalState) {
    for number in 0..PACKAGES {
        let versions = if number < LARGE { 150 } else { 2 };
        let mut commands: Vec<Command> = (0..versions).map(|version| inspected(number, version)).collect();
        let release = ReleaseId { package: package(number), version: Version::parse("9.0.0").unwrap() };
        commands.push(Command::JobQueued { work: Work::Inspect { release, file: "f".into() }, due_at: Timestamp::from_millis(0) });
        state.commit(batch(commands)).await.unwrap();
    }
    state.commit(batch(vec![Command::Policy { digest: DocumentDigest::of(b"p"), text: "p".into() }])).await.unwrap();
}

async fn answers(state: &LocalState) -> impl PartialEq + std::fmt::Debug + use<> {
    let mut packages = Vec::new();
    for number in 0..PACKAGES {
        packages.push((state.revision(&package(number)).await.unwrap(), state.package(&package(number)).await.unwrap()));
    }
    let page = state.packages(None, 100).await.unwrap();
    (packages, page, state.jobs(100).await.unwrap(), state.policy().await.unwrap(), state.verify().await.unwrap())
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

fn asides(folder: &Path) -> usize {
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with("projection.set-aside-")).count()
}

/// Fills a store, stops it, spoils its projection's folder, and expects every answer to be the one before, now and after
/// another stop.
async fn check(clean: bool, spoil: impl Fn(&Path)) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let state = LocalState::open(folder.path()).unwrap();
    fill(&state).await;
    let before = answers(&state).await;
    if clean {
        state.close().await;
    } else {
        state.shared.shelf.put_away();
    }
    drop(state);
    spoil(&folder.path().join("projection"));
    for _ in 0..2 {
        let state = LocalState::open(folder.path()).unwrap();
        assert_eq!(answers(&state).await, before);
        state.close().await;
    }
    folder
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_projection_is_folded_anew() {
    for clean in [true, false] {
        check(clean, |projection| std::fs::remove_dir_all(projection).unwrap()).await;
        check(clean, |projection| std::fs::remove_dir_all(projection.join("sled")).unwrap()).await;
        check(clean, |projection| std::fs::remove_dir_all(projection.join("values")).unwrap()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_truncated_projection_is_folded_anew() {
    for clean in [true, false] {
        for part in [0, 1, 2, 3] {
            check(clean, |projection| {
                for path in files(projection) {
                    let bytes = std::fs::read(&path).unwrap();
                    std::fs::write(&path, &bytes[..bytes.len() * part / 4]).unwrap();
                }
            })
            .await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_projection_overwritten_with_noise_is_folded_anew() {
    // A small generator with a fixed seed: the same noise in every run.
    let mut noise = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = move || {
        noise ^= noise << 13;
        noise ^= noise >> 7;
        noise ^= noise << 17;
        noise
    };
    let seeds: Vec<u64> = (0..3).map(|_| next()).collect();
    for clean in [true, false] {
        for seed in &seeds {
            check(clean, |projection| {
                for path in files(projection) {
                    let mut bytes = std::fs::read(&path).unwrap();
                    let mut word = *seed;
                    for page in bytes.chunks_mut(512) {
                        word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                        if word >> 62 == 0 {
                            page.fill_with(|| {
                                word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                                word.to_le_bytes()[7]
                            });
                        }
                    }
                    std::fs::write(&path, bytes).unwrap();
                }
            })
            .await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_of_another_life_is_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    let state = LocalState::open(folder.path()).unwrap();
    state.commit(batch(vec![inspected(1, 1)])).await.unwrap();
    state.close().await;
    drop(state);
    check(true, |projection| {
        std::fs::remove_dir_all(projection).unwrap();
        std::fs::rename(folder.path().join("projection"), projection).unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_that_did_not_survive_its_opening_is_set_aside() {
    let folder = check(true, |projection| std::fs::write(projection.join("OPENING"), "").unwrap()).await;
    assert_eq!(asides(folder.path()), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_that_breaks_while_running_changes_no_answer() {
    let folder = tempfile::tempdir().unwrap();
    let state = LocalState::open(folder.path()).unwrap();
    fill(&state).await;
    let before = answers(&state).await;
    for round in 0..4 {
        state.shared.shelf.put_away();
        state.shared.shelf.cool();
        match round {
            0 => state.shared.shelf.break_engine(|engine| engine.break_by_panic()),
            1 => state.shared.shelf.break_engine(|engine| engine.break_by_hang()),
            2 => std::fs::remove_dir_all(folder.path().join("projection/values")).unwrap(),
            _ => {
                for path in files(&folder.path().join("projection/values")) {
                    std::fs::write(path, "noise").unwrap();
                }
            }
        }
        assert_eq!(answers(&state).await, before);
        assert!(asides(folder.path()) <= 2);
    }
    assert_eq!(state.health().await, Ok(()));
    let sequence = state.commit(batch(vec![inspected(1, 999)])).await.unwrap();
    assert_eq!(state.package(&package(1)).await.unwrap().revision, sequence);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_an_engine_everything_is_kept_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let state = LocalState::open(folder.path()).unwrap();
    fill(&state).await;
    let before = answers(&state).await;
    drop(state);
    // The engine did not survive its opening, and where it would be set aside lies something else.
    std::fs::write(folder.path().join("projection/OPENING"), "").unwrap();
    std::fs::create_dir_all(folder.path().join(format!("projection.set-aside-{}/x", u64::MAX))).unwrap();
    for _ in 0..2 {
        let state = LocalState::open(folder.path()).unwrap();
        assert!(state.shared.shelf.is_in_memory());
        assert_eq!(answers(&state).await, before);
        state.close().await;
    }
}

/// How a store ended before it is opened again.
#[derive(Clone, Copy, Debug)]
enum End {
    /// Killed, and all that changed after the checkpoint had reached the engine.
    KilledLate,
    /// Killed before any of it did.
    KilledEarly,
    /// The machine went down.
    MachineDown,
}

/// A checkpoint, changes of some packages after it, an end: the same answers, and as many records folded as expected.
async fn check_checkpoint(end: End, expect_folded: u64) {
    let folder = tempfile::tempdir().unwrap();
    let projection = folder.path().join("projection");
    let state = LocalState::open(folder.path()).unwrap();
    fill(&state).await;
    assert!(state.shared.shelf.checkpoint());
    let frozen = tempfile::tempdir().unwrap();
    copy(&projection, frozen.path());
    // Of a large one, of a small one, of one that is new, and of one twice.
    for (number, version) in [(1, 999), (5, 999), (PACKAGES, 1), (5, 1_000)] {
        state.commit(batch(vec![inspected(number, version)])).await.unwrap();
    }
    state.shared.shelf.put_away();
    let before = answers(&state).await;
    let fifth = state.package(&package(5)).await.unwrap();
    assert!(fifth.releases.contains_key(&Version::parse("1000.0.0").unwrap()));
    drop(state);
    match end {
        End::KilledLate => {}
        End::KilledEarly => {
            std::fs::remove_dir_all(&projection).unwrap();
            copy(frozen.path(), &projection);
        }
        End::MachineDown => {
            std::fs::write(projection.join("RUNNING"), "of another life").unwrap();
            // And once more, before there is another checkpoint.
            drop(LocalState::open(folder.path()).unwrap());
        }
    }
    let state = LocalState::open(folder.path()).unwrap();
    assert_eq!(state.shared.shelf.folded(), expect_folded, "{end:?}");
    assert_eq!(answers(&state).await, before, "{end:?}");
    assert_eq!(asides(folder.path()), 0, "{end:?}");
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &to);
        } else {
            std::fs::copy(&path, &to).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_kill_only_what_is_behind_the_checkpoint_is_folded() {
    check_checkpoint(End::KilledLate, 4).await;
    check_checkpoint(End::KilledEarly, 4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_the_machine_went_down_everything_is_folded() {
    check_checkpoint(End::MachineDown, PACKAGES as u64 + 1 + 4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_engine_holds_of_another_ledger_is_not_built_upon() {
    let folder = tempfile::tempdir().unwrap();
    let state = LocalState::open(folder.path()).unwrap();
    fill(&state).await;
    assert!(state.shared.shelf.checkpoint());
    let backup = tempfile::tempdir().unwrap();
    copy(&folder.path().join("ledger"), backup.path());
    let frozen = tempfile::tempdir().unwrap();
    state.commit(batch(vec![inspected(5, 999)])).await.unwrap();
    state.shared.shelf.put_away();
    drop(state);
    copy(&folder.path().join("projection"), frozen.path());
    // The ledger is put back from the backup and goes on differently: other records stand where the engine's came from.
    std::fs::remove_dir_all(folder.path().join("ledger")).unwrap();
    copy(backup.path(), &folder.path().join("ledger"));
    std::fs::remove_dir_all(folder.path().join("projection")).unwrap();
    let state = LocalState::open(folder.path()).unwrap();
    for (number, version) in [(6, 999), (5, 7)] {
        state.commit(batch(vec![inspected(number, version)])).await.unwrap();
    }
    let before = answers(&state).await;
    drop(state);
    std::fs::remove_dir_all(folder.path().join("projection")).unwrap();
    copy(frozen.path(), &folder.path().join("projection"));
    let state = LocalState::open(folder.path()).unwrap();
    assert_eq!(answers(&state).await, before);
    assert_eq!(asides(folder.path()), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_that_wait_share_a_sync() {
    let folder = tempfile::tempdir().unwrap();
    let faults = Faults::new();
    let files = Arc::new(FaultyFiles(Arc::clone(&faults)));
    let state = Arc::new(LocalState::open_on(folder.path(), files, u64::MAX).unwrap());
    state.commit(batch(vec![inspected(0, 0)])).await.unwrap();
    faults.gate.close();
    let commit = |version| {
        let state = Arc::clone(&state);
        tokio::spawn(async move { state.commit(batch(vec![inspected(0, version)])).await.unwrap() })
    };
    let first = commit(1_000);
    wait_until(|| faults.gate.waiting.load(Ordering::SeqCst) == 1).await;
    let before = faults.syncs.load(Ordering::SeqCst);
    // The writer waits at the gate with the first; all others gather behind it.
    let others: Vec<_> = (0..100).map(commit).collect();
    wait_until(|| state.requests.capacity() == WAITING_MAX - 100).await;
    faults.gate.open();
    assert_eq!(first.await.unwrap(), Sequence(2));
    let mut sequences: Vec<_> = futures_util::future::join_all(others).await.into_iter().map(|done| done.unwrap().0).collect();
    sequences.sort_unstable();
    assert_eq!(sequences, (3..=102).collect::<Vec<_>>());
    assert_eq!(faults.syncs.load(Ordering::SeqCst) - before, 2, "one for the first, one for the hundred");
}

/// Lets others run until it holds; panics when it does not come to hold.
async fn wait_until(holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(30), "it never came to hold");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_commits_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let faults = Faults::new();
    let state = LocalState::open_on(folder.path(), Arc::new(FaultyFiles(Arc::clone(&faults))), u64::MAX).unwrap();
    fill(&state).await;
    let before = answers(&state).await;
    faults.room.store(20, Ordering::SeqCst);
    for _ in 0..3 {
        let refused = state.commit(batch(vec![inspected(0, 999)])).await.unwrap_err();
        assert!(matches!(&refused, CommitError::DiskFull { path } if *path == folder.path().display().to_string()));
    }
    assert!(matches!(state.lease(Timestamp::from_millis(9), Duration::from_secs(1), 1).await, Err(CommitError::DiskFull { .. })));
    assert_eq!(answers(&state).await, before);
    assert!(state.shared.refusing().is_some());
    faults.room.store(u64::MAX, Ordering::SeqCst);
    assert_eq!(state.health().await, Ok(()), "it looks whether there is room again");
    state.commit(batch(vec![inspected(0, 999)])).await.unwrap();
    assert_eq!(state.lease(Timestamp::from_millis(9), Duration::from_secs(1), 1).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_failed_sync_only_reading_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let faults = Faults::new();
    let state = LocalState::open_on(folder.path(), Arc::new(FaultyFiles(Arc::clone(&faults))), u64::MAX).unwrap();
    fill(&state).await;
    let before = answers(&state).await;
    faults.sync_fails.store(true, Ordering::SeqCst);
    assert!(matches!(state.commit(batch(vec![inspected(0, 999)])).await, Err(CommitError::Broken(_))));
    faults.sync_fails.store(false, Ordering::SeqCst);
    assert!(matches!(state.commit(batch(vec![inspected(0, 999)])).await, Err(CommitError::Broken(_))));
    assert!(state.health().await.is_err());
    assert_eq!(answers(&state).await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conflict_with_what_never_came_to_be_is_no_conflict() {
    let folder = tempfile::tempdir().unwrap();
    let faults = Faults::new();
    let state = Arc::new(LocalState::open_on(folder.path(), Arc::new(FaultyFiles(Arc::clone(&faults))), u64::MAX).unwrap());
    faults.room.store(0, Ordering::SeqCst);
    let tries = (0..30).map(|_| {
        let state = Arc::clone(&state);
        let conditions = vec![Condition::Revision { package: package(0), is: Sequence(0) }];
        tokio::spawn(async move { state.commit(Batch { conditions, ..batch(vec![inspected(0, 0)]) }).await.unwrap_err() })
    });
    for refused in futures_util::future::join_all(tries).await {
        assert!(matches!(refused.unwrap(), CommitError::DiskFull { .. }));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_than_one_batch_can_hold_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let state = LocalState::open(folder.path()).unwrap();
    let text = "x".repeat(ledger::frame::RECORD_BYTES_MAX);
    let huge = Command::Policy { digest: DocumentDigest::of(b"p"), text };
    assert!(matches!(state.commit(batch(vec![huge])).await, Err(CommitError::TooLarge { .. })));
    assert_eq!(state.commit(batch(vec![inspected(0, 0)])).await.unwrap(), Sequence(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_ledger_stops_the_start_and_names_the_place() {
    let folder = tempfile::tempdir().unwrap();
    let state = LocalState::open(folder.path()).unwrap();
    fill(&state).await;
    state.close().await;
    drop(state);
    let path = folder.path().join("ledger/00000000000000000001.seg");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let Err(error) = LocalState::open(folder.path()) else { panic!("it opened") };
    assert!(matches!(&error, OpenError::Ledger(LedgerError::Damaged(_))));
    let message = error.to_string();
    assert!(message.contains("00000000000000000001.seg at byte 16"), "{message}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_do_not_open_one_folder() {
    let folder = tempfile::tempdir().unwrap();
    let _first = LocalState::open(folder.path()).unwrap();
    assert!(matches!(LocalState::open(folder.path()), Err(OpenError::InUse { .. })));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_states_are_files_and_old_ones_go() {
    let folder = tempfile::tempdir().unwrap();
    let state = LocalState::open(folder.path()).unwrap();
    fill(&state).await;
    state.shared.shelf.put_away();
    let values = folder.path().join("projection/values");
    assert_eq!(files(&values).len(), LARGE);
    state.commit(batch(vec![inspected(0, 500)])).await.unwrap();
    state.shared.shelf.put_away();
    assert_eq!(files(&values).len(), LARGE + 1, "a kill may bring back the value that names the old one");
    assert!(state.shared.shelf.checkpoint());
    assert_eq!(files(&values).len(), LARGE);
}
