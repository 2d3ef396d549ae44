//! A store with many packages, opened after a clean and after an unclean stop: the same states either way.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use airlock::model::actor::Actor;
use airlock::model::decision::Decision;
use airlock::model::decision::Verb;
use airlock::model::digest::Digest;
use airlock::model::digest::DocumentDigest;
use airlock::model::digest::IntegrityOutcome;
use airlock::model::facts::Facts;
use airlock::model::package::PackageId;
use airlock::model::package::Version;
use airlock::model::release::ReleaseId;
use airlock::model::time::Timestamp;
use airlock::storage::local::LocalState;
use airlock::storage::record::Command;
use airlock::storage::record::Inspection;
use airlock::storage::record::PackageState;
use airlock::storage::record::Sight;
use airlock::storage::state::Batch;
use airlock::storage::state::Proof;
use airlock::storage::state::State;
use futures_util::StreamExt;
use futures_util::stream;

const RELEASES_EACH: usize = 20;
/// Commits that wait at once.
const AT_ONCE: usize = 64;
/// Packages on one page.
const PAGE: usize = 500;

/// Everything that is known of package `number`: its sight; of every fourth two inspections, of every fiftieth a decision.
fn commands(number: usize, at: Timestamp) -> Vec<Command> {
    let package = PackageId::npm(&format!("made-up-{number}")).unwrap();
    let text = package.to_string();
    let digest = DocumentDigest::of(text.as_bytes());
    let added: Vec<Version> = (0..RELEASES_EACH).map(|minor| Version::parse(&format!("1.{minor}.0")).unwrap()).collect();
    let release = |version: &Version| ReleaseId { package: package.clone(), version: version.clone() };
    let mut commands = Vec::new();
    if number.is_multiple_of(4) {
        for version in &added[RELEASES_EACH - 2..] {
            let digest = Digest::of(format!("{text}@{version}").as_bytes());
            let facts = Facts { files: 12, unpacked_bytes: 40_000, ..Facts::default() };
            let inspection = Inspection {
                at,
                edition: 1,
                digest,
                size: 10_000,
                integrity: IntegrityOutcome::Agrees,
                facts,
                substance: None,
                evidence: None,
            };
            let file = format!("made-up-{number}-{version}.tgz");
            commands.push(Command::Inspected { release: release(version), file, inspection: Box::new(inspection) });
        }
    }
    if number.is_multiple_of(50) {
        let reason = "nobody here needs it".to_owned();
        let decision = Decision {
            verb: Verb::Reject,
            by: "ann".into(),
            behind: vec![],
            at,
            reason,
            digest: None,
            substance: None,
            covers: vec![],
            basis: None,
            expires_at: None,
        };
        commands.push(Command::Decided { release: release(&added[0]), decision });
    }
    let sight = Sight {
        package: package.clone(),
        at,
        source: digest,
        document: digest,
        first: true,
        absent_at: None,
        added,
        removed: vec![],
        returned: vec![],
        changed: vec![],
    };
    commands.insert(0, Command::Sight(sight));
    commands
}

/// Through the store's own door, a record each.
async fn fill(state: &Arc<LocalState>, packages: usize) {
    let at = Timestamp::parse("2026-11-20T12:00:00Z").unwrap();
    let commits = (0..packages).flat_map(|number| commands(number, at)).map(|command| {
        let state = Arc::clone(state);
        let batch = Batch { at, actor: Actor::Airlock, conditions: vec![], commands: vec![command] };
        async move { _ = state.commit(batch).await.unwrap() }
    });
    stream::iter(commits).buffered(AT_ONCE).collect::<Vec<()>>().await;
}

fn open(folder: &Path) -> Arc<LocalState> {
    Arc::new(LocalState::open(folder).unwrap())
}

async fn states(state: &LocalState) -> Vec<(PackageId, Arc<PackageState>)> {
    let mut all: Vec<(PackageId, Arc<PackageState>)> = Vec::new();
    loop {
        let page = state.packages(all.last().map(|(package, _)| package), PAGE).await.unwrap();
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clean_or_not_the_same_is_known() {
    const PACKAGES: usize = 300;
    let folder = tempfile::tempdir().unwrap();
    let state = open(folder.path());
    fill(&state, PACKAGES).await;
    let known = states(&state).await;
    assert_eq!(known.len(), PACKAGES);
    state.close().await;
    drop(state);
    let after_clean = open(folder.path());
    assert_eq!(states(&after_clean).await, known);
    drop(after_clean);
    let after_unclean = open(folder.path());
    assert_eq!(states(&after_unclean).await, known);
    assert!(matches!(after_unclean.verify().await.unwrap(), Proof::Sound { .. }));
}

/// 100,000 releases in `target/tmp/start-clean` and `…-unclean`, which `airlock serve --data-dir` may then be timed on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures, and asserts nothing: cargo test --release --test it -- --ignored --nocapture crash::start"]
async fn measures_100_000_releases() {
    const PACKAGES: usize = 5_000;
    for clean in [true, false] {
        let name = if clean { "start-clean" } else { "start-unclean" };
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        _ = std::fs::remove_dir_all(&folder);
        let state = open(&folder);
        let began = Instant::now();
        fill(&state, PACKAGES).await;
        eprintln!("{name}: filled in {:?}", began.elapsed());
        if clean {
            state.close().await;
        }
        drop(state);
    }
}
