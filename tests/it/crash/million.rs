//! A data folder as after long use, to measure on: packages with their documents, some releases inspected, some decided,
//! some waiting for people. Made through the store's own doors, a record for each step that the workflow would write.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use airlock::catalog::kept;
use airlock::ecosystem::Ecosystem;
use airlock::ecosystem::Fetched;
use airlock::ecosystem::Reading;
use airlock::model::actor::Actor;
use airlock::model::decision::Decision;
use airlock::model::decision::Verb;
use airlock::model::digest::Digest;
use airlock::model::digest::IntegrityOutcome;
use airlock::model::facts::Facts;
use airlock::model::index::Index;
use airlock::model::index::Row;
use airlock::model::job::Work;
use airlock::model::package::PackageId;
use airlock::model::release::ReleaseId;
use airlock::model::time::Timestamp;
use airlock::protocol::npm::Npm;
use airlock::quarantine::checks::inspection::EDITION;
use airlock::storage::disk::DiskDocuments;
use airlock::storage::document::Documents;
use airlock::storage::local::LocalState;
use airlock::storage::record::Command;
use airlock::storage::record::Inspection;
use airlock::storage::record::Sight;
use airlock::storage::state::Batch;
use airlock::storage::state::IndexNote;
use airlock::storage::state::State;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream;

/// Packages that are made at once: their commits share a sync.
const AT_ONCE: usize = 128;
/// Of every so many packages one has a release that a person rejected, and of twice as many one has a release that waits.
const DECIDED_EVERY: usize = 50;

/// How much is made.
#[derive(Clone, Copy, Debug)]
struct Size {
    packages: usize,
    releases_each: usize,
    inspected_each: usize,
}

impl Size {
    /// `AIRLOCK_MADE=<packages>x<releases each>x<inspected each>`, or a million releases of which 3 % were inspected.
    #[expect(clippy::disallowed_methods, reason = "how much a test makes is no setting of Airlock")]
    fn asked() -> Size {
        let text = std::env::var("AIRLOCK_MADE").unwrap_or_else(|_| "10000x100x3".to_owned());
        let numbers: Vec<usize> = text.split('x').map(|number| number.parse().expect("AIRLOCK_MADE is like 10000x100x3")).collect();
        let [packages, releases_each, inspected_each] = numbers[..] else { panic!("AIRLOCK_MADE is like 10000x100x3") };
        Size { packages, releases_each, inspected_each }
    }
}

/// About 1.5 KB, as long as the middle of what registries have.
fn manifest(package: &str, version: &str) -> String {
    let integrity = Digest::of(format!("{package}@{version}").as_bytes()).sri();
    let depends: Vec<String> = (0..24).map(|number| format!(r#""some-dependency-{number}":"^{number}.2.1""#)).collect();
    format!(
        r#"{{"name":"{package}","version":"{version}","description":"A package made up to measure on, with a description","license":"MIT","main":"lib/index.js","types":"lib/index.d.ts","engines":{{"node":">=18"}},"keywords":["made","up","measure"],"author":{{"name":"Ann","email":"ann@team.example"}},"repository":{{"type":"git","url":"git+https://git.example/{package}.git"}},"scripts":{{"test":"node --test","build":"tsc -p ."}},"dependencies":{{{}}},"devDependencies":{{{}}},"_npmUser":{{"name":"ann","email":"ann@team.example"}},"maintainers":[{{"name":"ann","email":"ann@team.example"}}],"dist":{{"integrity":"{integrity}","shasum":"da39a3ee5e6b4b0d3255bfef95601890afd80709","tarball":"https://registry.example/{package}/-/{package}-{version}.tgz","fileCount":42,"unpackedSize":123456}}}}"#,
        depends[..8].join(","),
        depends[8..].join(",")
    )
}

/// What upstream would say of package `number`, read as it is from upstream.
fn index(number: usize, size: Size) -> Index {
    let name = format!("made-up-{number}");
    let versions: Vec<String> = (0..size.releases_each).map(|minor| format!("1.{minor}.0")).collect();
    let manifests: Vec<String> = versions.iter().map(|version| format!(r#""{version}":{}"#, manifest(&name, version))).collect();
    let times: Vec<String> = versions.iter().map(|version| format!(r#""{version}":"2022-03-01T12:00:00.000Z""#)).collect();
    let text = format!(
        r#"{{"name":"{name}","dist-tags":{{"latest":"{}"}},"versions":{{{}}},"time":{{"created":"2020-01-01T00:00:00Z",{}}},"readme":""}}"#,
        versions.last().unwrap(),
        manifests.join(","),
        times.join(",")
    );
    let package = PackageId::npm(&name).unwrap();
    let path = Npm.locate(&package);
    match Npm.read(&package, &[Fetched { path, body: Bytes::from(text) }]).unwrap() {
        Reading::Complete(index) => index,
        Reading::NeedMore(_) => panic!("npm needs one document"),
    }
}

/// The two records of an inspection.
fn inspected(index: &Index, row: &Row, at: Timestamp, odd: bool) -> [Vec<Command>; 2] {
    let release = ReleaseId { package: index.package.clone(), version: row.version.clone() };
    let artifact = &row.artifacts[0];
    let work = Work::Inspect { release: release.clone(), file: artifact.file.clone() };
    let facts = Facts { files: 42, unpacked_bytes: 123_456, implicit_build: odd.then(|| "binding.gyp".to_owned()), ..Facts::default() };
    let inspection = Inspection {
        at,
        edition: EDITION,
        digest: artifact.integrity.sha512.unwrap(),
        size: 30_000,
        integrity: IntegrityOutcome::Agrees,
        facts,
        substance: Some(Npm.substance(&index.manifest(row))),
        evidence: None,
    };
    let due_at = at;
    let until = at.plus(std::time::Duration::from_secs(60));
    [
        vec![Command::JobQueued { work: work.clone(), due_at }, Command::JobLeased { work: work.clone(), until }],
        vec![Command::Inspected { release, file: artifact.file.clone(), inspection: Box::new(inspection) }, Command::JobDone { work }],
    ]
}

async fn make(state: &LocalState, documents: &DiskDocuments, number: usize, size: Size) {
    let at = Timestamp::parse("2026-11-20T12:00:00Z").unwrap();
    let index = tokio::task::spawn_blocking(move || index(number, size)).await.unwrap();
    let document = documents.put(&kept::write(&index)).unwrap();
    let sight = Sight {
        package: index.package.clone(),
        at,
        source: index.source,
        document,
        first: true,
        absent_at: None,
        added: index.rows.iter().map(|row| row.version.clone()).collect(),
        removed: vec![],
        returned: vec![],
        changed: vec![],
    };
    let mut records = vec![vec![Command::Sight(sight)]];
    let newest = index.rows.iter().rev().take(size.inspected_each);
    let odd = number.is_multiple_of(2 * DECIDED_EVERY);
    records.extend(newest.enumerate().flat_map(|(nth, row)| inspected(&index, row, at, odd && nth == 0)));
    if number.is_multiple_of(DECIDED_EVERY) {
        let release = ReleaseId { package: index.package.clone(), version: index.rows[0].version.clone() };
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
        records.push(vec![Command::Decided { release, decision }]);
    }
    for commands in records {
        state.commit(Batch { at, actor: Actor::Airlock, conditions: vec![], commands }).await.unwrap();
    }
    state.put_note(&index.package, IndexNote { source: index.source, checked_at: at, etag: None, last_modified: None }).await;
}

/// Makes `target/tmp/million`, on which `airlock serve --data-dir` may then be measured: `docs/performance.md` says how.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "makes what is measured on, and asserts nothing: cargo test --release --test it -- --ignored --nocapture crash::million"]
async fn makes_a_million_releases() {
    let size = Size::asked();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("million");
    _ = std::fs::remove_dir_all(&folder);
    let began = Instant::now();
    let state = Arc::new(LocalState::open(&folder).unwrap());
    let documents = Arc::new(DiskDocuments::open(&folder).unwrap());
    stream::iter(0..size.packages).for_each_concurrent(AT_ONCE, |number| make(&state, &documents, number, size)).await;
    state.close().await;
    eprintln!("{size:?} in {}, made in {:?}", folder.display(), began.elapsed());
}
