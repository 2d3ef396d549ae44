//! Files of the data folder deleted, cut and overwritten while the server is away: every answer afterwards is the one
//! before. The projection can be had again from the ledger alone; documents and blobs need upstream.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream;
use serde_json::Value;
use tempfile::TempDir;
use tokio::task::JoinSet;

use super::dice::Dice;
use super::install::Install;
use super::person::Person;
use super::world;
use crate::support::binary::Launch;
use crate::support::binary::Server;
use crate::support::binary::files_below;
use crate::support::http::Call;
use crate::support::upstream::Upstream;
use crate::support::within;

const PACKAGES: usize = 40;
const AT_ONCE: usize = 6;
const PAGE_BYTES: usize = 4_096;

/// By request: status, ETag, body.
type Answers = BTreeMap<String, (u16, Option<String>, Bytes)>;

/// An Airlock that is known well: what it holds after a clean and after an unclean stop, and all it says.
struct Known {
    upstream: Arc<Upstream>,
    launch: Launch,
    clean: TempDir,
    unclean: TempDir,
    answers: Answers,
}

#[derive(Clone, Copy, Debug)]
enum Stop {
    Clean,
    Unclean,
}

#[derive(Clone, Copy, Debug)]
enum Damage {
    Deleted,
    /// Every file, each at a place of its own.
    Cut,
    /// Every file is there and has no byte: what a power cut leaves of a file that was renamed and not put down yet.
    Emptied,
    /// The largest file, which is the engine's own.
    LargestCut,
    /// A page of every file.
    Noise,
    /// Most pages of every file.
    MuchNoise,
}

impl Damage {
    fn strike(self, folder: &Path, dice: &mut Dice) {
        let files = files_below(folder);
        assert!(!files.is_empty(), "nothing in {} to damage", folder.display());
        match self {
            Damage::Deleted => fs::remove_dir_all(folder).unwrap(),
            Damage::Cut => files.iter().for_each(|file| cut(file, dice)),
            Damage::Emptied => files.iter().for_each(|file| fs::OpenOptions::new().write(true).open(file).unwrap().set_len(0).unwrap()),
            Damage::LargestCut => cut(files.iter().max_by_key(|file| fs::metadata(file).unwrap().len()).unwrap(), dice),
            Damage::Noise => files.iter().for_each(|file| overwrite(file, dice, 1)),
            Damage::MuchNoise => files.iter().for_each(|file| overwrite(file, dice, 20)),
        }
    }
}

fn cut(file: &Path, dice: &mut Dice) {
    let length = fs::metadata(file).unwrap().len();
    let kept = dice.below(usize::try_from(length).unwrap().max(1)) as u64;
    fs::OpenOptions::new().write(true).open(file).unwrap().set_len(kept).unwrap();
}

/// Pages of noise, at most `pages`, not past the end.
fn overwrite(file: &Path, dice: &mut Dice, pages: usize) {
    let length = usize::try_from(fs::metadata(file).unwrap().len()).unwrap();
    let open = fs::OpenOptions::new().write(true).open(file).unwrap();
    for _ in 0..pages {
        let at = dice.below(length.div_ceil(PAGE_BYTES).max(1)) * PAGE_BYTES;
        let noise = dice.bytes(PAGE_BYTES.min(length - at));
        open.write_all_at(&noise, at as u64).unwrap();
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() { copy(&path, &target) } else { _ = fs::copy(&path, &target).unwrap() }
    }
}

/// Everything it says: tokens, queue, each release explained, each packument in both forms, each tarball.
async fn answers(server: &Server) -> Answers {
    // Under a host of its own the base of all links is the same on every port.
    let call = |path: &str| Call::get(server.address(), path).header("host", "localhost").bearer(&server.admin_token());
    within("the queue to be whole", async { while call("/-/airlock/v1/queue").send().await.json()["complete"] != Value::Bool(true) {} })
        .await;
    let releases = || (0..PACKAGES).flat_map(|index| versions(index).map(move |version| (index, version)));
    let mut answers = Answers::new();
    // What is asked for in vain is counted and shown, so tarballs come last.
    let phases: [Vec<(String, &str)>; 4] = [
        vec![("/-/airlock/v1/tokens".to_owned(), "*/*"), ("/-/airlock/v1/queue".to_owned(), "*/*")],
        releases().map(|(index, version)| (world::release_path(index, version), "*/*")).collect(),
        (0..PACKAGES)
            .flat_map(|index| ["application/json", "application/vnd.npm.install-v1+json"].map(|form| (world::packument_path(index), form)))
            .collect(),
        releases().map(|(index, version)| (world::tarball_path(index, version), "*/*")).collect(),
    ];
    for phase in phases {
        let asked = phase.into_iter().map(|(path, accept)| {
            let call = call(&path).header("accept", accept);
            async move { (format!("{path} as {accept}"), call.send().await) }
        });
        let replies: Vec<_> = stream::iter(asked).buffer_unordered(AT_ONCE).collect().await;
        for (what, reply) in replies {
            assert!(reply.complete, "{what}");
            let etag = reply.header("etag").map(str::to_owned);
            answers.insert(what, (reply.status, etag, reply.body));
        }
    }
    answers
}

fn versions(index: usize) -> impl Iterator<Item = &'static str> {
    let odd = world::has_odd(index).then_some(world::ODD);
    odd.into_iter().chain([world::FIRST, world::OPEN, world::YOUNG])
}

fn assert_same(now: &Answers, before: &Answers, after_what: &str) {
    assert!(now.keys().eq(before.keys()));
    let readable = |body: &Bytes| String::from_utf8_lossy(&body[..body.len().min(3_000)]).into_owned();
    for (what, (status, etag, body)) in now {
        let (status_before, etag_before, body_before) = &before[what];
        assert!(
            (status, body) == (status_before, body_before),
            "after {after_what} the answer to {what} is another:\n{status} {}\nand before:\n{status_before} {}",
            readable(body),
            readable(body_before)
        );
        assert_eq!(etag, etag_before, "after {after_what} {what} has another tag");
    }
}

impl Known {
    async fn new() -> Known {
        let upstream = Arc::new(world::scenario(PACKAGES).start().await);
        let server = Launch::at(&upstream).start().await;
        let at = server.address();
        let install = Install::of(PACKAGES, Arc::clone(&upstream));
        let person = Person::of(PACKAGES, server.admin_token());
        Person::decide(&person, at, &install, 2 * PACKAGES).await;
        let mut tasks = JoinSet::new();
        install.spawn(at, &mut tasks);
        tasks.join_all().await;
        server.run(&["token", "create", "--role", "reader", "--name", "ann"]).await.assert_success();
        answers(&server).await;
        let (_, launch) = server.stop().await;
        let clean = TempDir::new().unwrap();
        copy(&launch.data_dir(), clean.path());
        let server = launch.start().await;
        let known = answers(&server).await;
        assert!(
            known.values().any(|(status, ..)| *status == 403) && known.values().filter(|(status, ..)| *status == 200).count() > PACKAGES
        );
        let launch = server.kill();
        let unclean = TempDir::new().unwrap();
        copy(&launch.data_dir(), unclean.path());
        Known { upstream, launch, clean, unclean, answers: known }
    }

    /// Puts the data folder back as it was, damages `part` of it, starts, and compares every answer.
    async fn holds(&self, stop: Stop, part: &[&str], damage: Damage, dice: &mut Dice) {
        let data = self.launch.data_dir();
        fs::remove_dir_all(&data).unwrap();
        match stop {
            Stop::Clean => copy(self.clean.path(), &data),
            Stop::Unclean => copy(self.unclean.path(), &data),
        }
        for part in part {
            damage.strike(&data.join(part), dice);
        }
        let server = self.launch.clone().start().await;
        let what = format!("{damage:?} on {part:?} after a stop that was {stop:?}");
        assert_same(&answers(&server).await, &self.answers, &what);
        server.run(&["audit", "verify"]).await.assert_success();
        server.kill();
    }
}

/// The projection folder is all that sled and its neighbours keep.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_projection_changes_no_answer() {
    let mut dice = Dice::thrown("projection");
    let known = Known::new().await;
    let damages = [Damage::Deleted, Damage::Cut, Damage::LargestCut, Damage::Noise, Damage::MuchNoise];
    for damage in damages {
        known.holds(Stop::Unclean, &["projection"], damage, &mut dice).await;
    }
    known.upstream.die().await;
    for damage in damages {
        known.holds(Stop::Clean, &["projection"], damage, &mut dice).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_documents_and_blobs_change_no_answer() {
    let mut dice = Dice::thrown("documents_and_blobs");
    let known = Known::new().await;
    known.holds(Stop::Clean, &["documents"], Damage::Deleted, &mut dice).await;
    known.holds(Stop::Clean, &["documents"], Damage::Cut, &mut dice).await;
    known.holds(Stop::Unclean, &["documents"], Damage::Noise, &mut dice).await;
    known.holds(Stop::Clean, &["quarantine", "approved"], Damage::Deleted, &mut dice).await;
    known.holds(Stop::Unclean, &["quarantine", "approved"], Damage::Cut, &mut dice).await;
    known.holds(Stop::Unclean, &["quarantine", "approved"], Damage::Noise, &mut dice).await;
    known.holds(Stop::Unclean, &["documents", "quarantine", "approved"], Damage::Emptied, &mut dice).await;
    known.holds(Stop::Clean, &["projection", "documents", "quarantine", "approved"], Damage::Deleted, &mut dice).await;
}
