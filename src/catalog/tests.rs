//! The catalog before an upstream that is slow, and a disk that is full.

mod advisories;
mod home;
mod incoming;

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::AtomicBool;

use async_trait::async_trait;
use bytes::Bytes;
use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use url::Url;

use super::*;
use crate::catalog::shelf::Heard;
use crate::config::policy::Policy;
use crate::ecosystem::sigstore::root::TrustRoot;
use crate::model::actor::Actor;
use crate::model::digest::DocumentDigest;
use crate::model::index::Index;
use crate::model::job::Job;
use crate::model::job::Work;
use crate::model::package::EcosystemId;
use crate::model::package::Version;
use crate::protocol::npm::Npm;
use crate::quarantine::Ecosystems;
use crate::quarantine::feeds::Feeds;
use crate::storage::advisories::Advisories;
use crate::storage::disk::DiskBlobs;
use crate::storage::disk::DiskDocuments;
use crate::storage::disk::KeyFile;
use crate::storage::memory::MemoryState;
use crate::storage::record::Command;
use crate::storage::state::Batch;
use crate::upstream::Validators;

const FRESH_FOR: Duration = Duration::from_secs(300);

/// Documents on a disk that may be full.
struct Disk {
    documents: DiskDocuments,
    is_full: AtomicBool,
}

#[async_trait]
impl Documents for Disk {
    fn put(&self, document: &[u8]) -> io::Result<DocumentDigest> {
        if self.is_full.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.documents.put(document)
    }

    async fn get(&self, digest: &DocumentDigest) -> io::Result<Option<Bytes>> {
        self.documents.get(digest).await
    }

    async fn remove(&self, digest: &DocumentDigest) -> io::Result<()> {
        self.documents.remove(digest).await
    }
}

struct World {
    catalog: Arc<Catalog>,
    disk: Arc<Disk>,
    state: Arc<MemoryState>,
    clock: Clock,
    answer: Arc<Mutex<Option<String>>>,
    folder: TempDir,
}

fn package() -> PackageId {
    PackageId::npm("x").unwrap()
}

fn packument(versions: &[&str]) -> String {
    let one = |version: &&str| {
        format!(
            r#""{version}":{{"name":"x","version":"{version}","dist":{{"tarball":"http://127.0.0.1/x-{version}.tgz","shasum":"da39a3ee5e6b4b0d3255bfef95601890afd80709"}}}}"#
        )
    };
    let versions: Vec<String> = versions.iter().map(one).collect();
    format!(r#"{{"name":"x","dist-tags":{{}},"versions":{{{}}}}}"#, versions.join(","))
}

/// Before an upstream that gives `answer` to every question, 404 where that is empty, or none at all while there is none.
async fn world() -> World {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    let answer: Arc<Mutex<Option<String>>> = Arc::default();
    let answers = Arc::clone(&answer);
    tokio::spawn(async move {
        loop {
            let (mut connection, _) = listener.accept().await.unwrap();
            let answers = Arc::clone(&answers);
            tokio::spawn(async move {
                let mut request = [0; 8_192];
                let _ = connection.read(&mut request).await;
                let Some(body) = answers.lock().unwrap().clone() else { return std::future::pending().await };
                let status = if body.is_empty() { "404 Not Found" } else { "200 OK" };
                let head = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
                let _ = connection.write_all(format!("{head}{body}").as_bytes()).await;
            });
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::test(Timestamp::parse("2026-11-20T12:00:00Z").unwrap());
    let config = crate::config::upstream::Upstream { fresh_for: FRESH_FOR, ..crate::config::upstream::Upstream::default() };
    let upstreams = Arc::new(Upstreams::new(&config, url, "test", clock.clone()).unwrap());
    let state = Arc::new(MemoryState::new());
    let quarantine = gate(&state, Policy::default(), folder.path(), &upstreams, &clock);
    let disk = Arc::new(Disk { documents: DiskDocuments::open(folder.path()).unwrap(), is_full: AtomicBool::new(false) });
    let pulls = Pulls::open(&folder.path().join("pulls")).unwrap();
    let catalog = Catalog::new(
        Arc::new(quarantine),
        state.clone(),
        disk.clone(),
        upstreams,
        pulls,
        KeyFile::below(folder.path()),
        clock.clone(),
        &config,
    );
    World { catalog: Arc::new(catalog), disk, state, clock, answer, folder }
}

fn gate(state: &Arc<MemoryState>, policy: Policy, folder: &std::path::Path, upstreams: &Arc<Upstreams>, clock: &Clock) -> Quarantine {
    let npm: Arc<dyn Ecosystem> = Arc::new(Npm);
    let ecosystems: Ecosystems = [(EcosystemId::Npm, npm)].into();
    let blobs = Arc::new(DiskBlobs::open(folder).unwrap());
    let advisories = Advisories::open(folder, &BTreeMap::new()).unwrap();
    let feeds = Feeds::new(advisories, BTreeMap::new(), &crate::config::feeds::Osv::default(), None);
    let root = Arc::new(TrustRoot::public());
    Quarantine::new(state.clone(), blobs, upstreams.clone(), ecosystems, Arc::new(policy), clock.clone(), feeds, root)
}

impl World {
    fn says(&self, versions: &[&str]) {
        *self.answer.lock().unwrap() = Some(packument(versions));
    }

    fn has_nothing(&self) {
        *self.answer.lock().unwrap() = Some(String::new());
    }

    async fn document(&self) -> DocumentDigest {
        self.state.package(&package()).await.unwrap().last_sight.clone().unwrap().document
    }
}

#[tokio::test]
async fn a_full_disk_takes_away_nothing_that_is_known() {
    let world = world().await;
    world.says(&["1.0.0"]);
    world.disk.is_full.store(true, Ordering::SeqCst);
    let first = world.catalog.shelf(&package()).await.map(drop);
    assert!(matches!(first, Err(CatalogError::StorageFull(_))), "{first:?}");
    world.disk.is_full.store(false, Ordering::SeqCst);
    assert_eq!(world.catalog.shelf(&package()).await.unwrap().index.rows.len(), 1);
    world.disk.is_full.store(true, Ordering::SeqCst);
    world.says(&["1.0.0", "1.1.0"]);
    world.clock.advance(FRESH_FOR);
    let sighted = world.catalog.exposed(&package()).await.unwrap();
    assert_eq!(sighted.stale_for, Some(FRESH_FOR));
}

#[tokio::test]
async fn the_document_before_is_removed() {
    let world = world().await;
    world.says(&["1.0.0"]);
    world.catalog.shelf(&package()).await.unwrap();
    let before = world.document().await;
    world.says(&["1.0.0", "1.1.0"]);
    world.clock.advance(FRESH_FOR);
    world.catalog.shelf(&package()).await.unwrap();
    let now = world.document().await;
    assert_ne!(before, now);
    assert_eq!(world.disk.get(&before).await.unwrap(), None);
    assert!(world.disk.get(&now).await.unwrap().is_some());
}

#[tokio::test]
async fn what_was_read_from_disk_does_not_overwrite_what_was_seen_since() {
    let world = world().await;
    world.says(&["1.0.0"]);
    world.catalog.shelf(&package()).await.unwrap();
    let old = world.state.package(&package()).await.unwrap();
    let kept = world.disk.get(&world.document().await).await.unwrap().unwrap();
    world.says(&["1.0.0", "1.1.0"]);
    world.clock.advance(FRESH_FOR);
    world.catalog.shelf(&package()).await.unwrap();
    // As if the read had begun before: the old document is there still, and memory has nothing.
    world.disk.put(&kept).unwrap();
    world.catalog.shelves.clear();
    world.catalog.known(&package(), &old).await.unwrap();
    assert!(world.catalog.shelves.get(&package()).is_none());
}

#[tokio::test]
async fn a_slow_upstream_is_waited_for_only_for_a_while_where_something_is_known() {
    let world = world().await;
    world.says(&["1.0.0"]);
    world.catalog.shelf(&package()).await.unwrap();
    *world.answer.lock().unwrap() = None;
    world.clock.advance(FRESH_FOR);
    tokio::time::pause();
    let begun = tokio::time::Instant::now();
    let sighted = world.catalog.exposed(&package()).await.unwrap();
    assert_eq!(sighted.stale_for, Some(FRESH_FOR));
    assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
    let again = tokio::time::Instant::now();
    world.catalog.exposed(&package()).await.unwrap();
    assert!(again.elapsed() < Duration::from_secs(1), "the next one does not wait");
}

#[tokio::test]
async fn a_job_whose_package_cannot_be_had_is_parked_at_last() {
    let world = world().await;
    *world.answer.lock().unwrap() = Some("no packument".to_owned());
    let release = ReleaseId { package: package(), version: Version::parse("1.0.0").unwrap() };
    let work = Work::Inspect { release, file: "x-1.0.0.tgz".to_owned() };
    let at = world.clock.now();
    let commands = vec![Command::JobQueued { work, due_at: at }];
    world.state.commit(Batch { at, actor: Actor::Airlock, conditions: Vec::new(), commands }).await.unwrap();
    let job = world.state.jobs(1).await.unwrap().remove(0);
    for attempts in 1..=5 {
        assert!(world.catalog.quarantine.parked().await.unwrap().is_empty());
        world.catalog.work_off(&Job { attempts, ..job.clone() }).await;
        world.clock.advance(Duration::from_secs(60));
    }
    let parked = world.catalog.quarantine.parked().await.unwrap();
    let error = parked[0].last_error.clone().unwrap();
    assert!(error.starts_with("its package could not be had"), "{error}");
}

#[test]
fn a_package_of_forty_megabytes_stays_in_memory() {
    let nothing = Index {
        package: package(),
        source: DocumentDigest::of(b""),
        frame: Bytes::new(),
        pointers: Vec::new(),
        earlier: Vec::new(),
        rows: Vec::new(),
        text: Bytes::from(vec![0; 40_000_000]),
    };
    let heard = Heard { checked_at: Timestamp::from_millis(0), quiet_until: None, validators: Validators::default() };
    let shelves = shelves();
    shelves.insert(package(), Arc::new(Shelf::new(Arc::new(nothing), heard)));
    assert!(shelves.get(&package()).is_some());
}

#[tokio::test]
async fn a_glance_holds_while_nothing_moved() {
    let world = world().await;
    let catalog = &world.catalog;
    assert!(catalog.glance(&package()).await.is_none(), "nothing was seen");
    world.says(&["1.0.0"]);
    let stamp = *catalog.exposed(&package()).await.unwrap().exposed.stamp();
    catalog.shelves.clear();
    assert_eq!(catalog.glance(&package()).await.map(|glance| glance.stamp), Some(stamp), "it needs no index");
    let release = ReleaseId { package: package(), version: Version::parse("1.0.0").unwrap() };
    let decision = crate::model::decision::Decision {
        verb: crate::model::decision::Verb::Hold,
        by: "ann".into(),
        behind: vec![],
        at: world.clock.now(),
        reason: "why".into(),
        digest: None,
        substance: None,
        covers: vec![],
        basis: None,
        expires_at: None,
    };
    let commands = vec![Command::Decided { release, decision }];
    world.state.commit(Batch { at: world.clock.now(), actor: Actor::Airlock, conditions: vec![], commands }).await.unwrap();
    assert!(catalog.glance(&package()).await.is_none(), "a decision moved it");
    catalog.exposed(&package()).await.unwrap();
    assert!(catalog.glance(&package()).await.is_some());
    world.clock.advance(FRESH_FOR);
    assert!(catalog.glance(&package()).await.is_none(), "upstream is to be asked");
}

#[tokio::test]
async fn an_index_that_is_read_back_is_not_foreseen_again() {
    let world = world().await;
    world.says(&["1.0.0"]);
    world.catalog.exposed(&package()).await.unwrap();
    world.catalog.shelves.clear();
    assert!(!world.catalog.shelf(&package()).await.unwrap().is_first_read(), "it was read since upstream confirmed it");
    world.clock.advance(FRESH_FOR);
    assert!(world.catalog.shelf(&package()).await.unwrap().is_first_read(), "upstream was asked again");
}
