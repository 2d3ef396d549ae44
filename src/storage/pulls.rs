//! Who pulled which release: appended in batches, off the serving path, to one file a day. Not part of the ledger: it is
//! read when a release is recalled.

pub mod since;

use std::collections::HashMap;
use std::fs;
use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::iter;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;

use crate::model::finding::printable;
use crate::model::pull::PullCount;
use crate::model::pull::Puller;
use crate::model::release::ReleaseId;
use crate::model::time::Timestamp;

/// Pulls that wait to be written; more are counted as lost, never waited for.
const WAITING_MAX: usize = 65_536;
/// Pulls are summed up for so long before they are written.
const BATCH_FOR: Duration = Duration::from_millis(500);
/// Days of pulls that are kept.
const DAYS_KEPT: i64 = 400;
const TEXT_BYTES_MAX: usize = 200;
const DAY_MILLIS: i64 = 24 * 3_600 * 1_000;

/// One line of a day's file.
#[derive(Serialize, Deserialize)]
struct Line {
    release: ReleaseId,
    #[serde(flatten)]
    puller: Puller,
    first_at: Timestamp,
    last_at: Timestamp,
    count: u64,
}

enum Message {
    Pulled(ReleaseId, Puller, Timestamp),
    /// Write everything down, then answer.
    Flush(mpsc::SyncSender<()>),
}

pub struct Pulls {
    folder: PathBuf,
    /// Bounded by `waiting`: a bounded channel would hold room for all that may wait from its first moment on, 8 MB.
    sender: mpsc::Sender<Message>,
    waiting: Arc<AtomicUsize>,
    hurry: Arc<Hurry>,
    lost: AtomicU64,
    writer: Mutex<Option<thread::JoinHandle<()>>>,
}

impl Pulls {
    /// Keeps pulls in `folder`, which is made if it is not there.
    pub fn open(folder: &Path) -> io::Result<Arc<Pulls>> {
        fs::create_dir_all(folder)?;
        let (sender, receiver) = mpsc::channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let hurry = Arc::new(Hurry::default());
        let (to, taken, hurried) = (folder.to_owned(), Arc::clone(&waiting), Arc::clone(&hurry));
        let writer = thread::Builder::new().name("pulls".to_owned()).spawn(move || write_all(&to, &receiver, &taken, &hurried))?;
        let writer = Mutex::new(Some(writer));
        Ok(Arc::new(Pulls { folder: folder.to_owned(), sender, waiting, hurry, lost: AtomicU64::new(0), writer }))
    }

    /// Never waits.
    pub fn record(&self, release: ReleaseId, puller: Puller, at: Timestamp) {
        let has_room = self.waiting.fetch_add(1, Ordering::Relaxed) < WAITING_MAX;
        if !has_room || self.sender.send(Message::Pulled(release, puller, at)).is_err() {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Pulls that were not recorded because the disk was too slow.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Who pulled `release`, most recent last. Reads all days that are kept.
    pub async fn of(self: &Arc<Self>, release: &ReleaseId) -> io::Result<Vec<PullCount>> {
        let this = Arc::clone(self);
        let release = release.clone();
        let read = move || {
            this.flush();
            this.read(&release)
        };
        tokio::task::spawn_blocking(read).await.map_err(io::Error::other)?
    }

    /// Returns when everything recorded before is written.
    pub fn flush(&self) {
        let (done, written) = mpsc::sync_channel(1);
        if self.sender.send(Message::Flush(done)).is_ok() {
            self.hurry.now();
            // The writer died when nothing comes; what it had written is there.
            let _ = written.recv();
        }
    }

    fn read(&self, release: &ReleaseId) -> io::Result<Vec<PullCount>> {
        let mut counts: HashMap<Puller, PullCount> = HashMap::new();
        for file in days(&self.folder)? {
            for line in BufReader::new(File::open(file)?).split(b'\n') {
                // A line that a crash cut or a disk garbled is skipped; the rest counts.
                let Ok(line) = serde_json::from_slice::<Line>(&line?) else { continue };
                if line.release != *release {
                    continue;
                }
                let fresh = PullCount { puller: line.puller.clone(), first_at: line.first_at, last_at: line.last_at, count: 0 };
                let sum = counts.entry(line.puller).or_insert(fresh);
                sum.first_at = sum.first_at.min(line.first_at);
                sum.last_at = sum.last_at.max(line.last_at);
                sum.count += line.count;
            }
        }
        let mut all: Vec<PullCount> = counts.into_values().collect();
        all.sort_by(|left, right| left.last_at.cmp(&right.last_at).then_with(|| left.puller.cmp(&right.puller)));
        Ok(all)
    }

    /// Writes what waits and ends the writer.
    pub fn close(&self) {
        self.flush();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(writer);
    }
}

fn days(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)?.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "jsonl"));
    files.sort();
    Ok(files)
}

/// Cuts a rest short.
#[derive(Default)]
struct Hurry {
    asked: Mutex<bool>,
    changed: Condvar,
}

impl Hurry {
    fn now(&self) {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_one();
    }

    fn rest(&self, for_at_most: Duration) {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let rested = self.changed.wait_timeout_while(asked, for_at_most, |asked| !*asked);
        *rested.unwrap_or_else(PoisonError::into_inner).0 = false;
    }
}

/// By day since the epoch, release and puller: the first and the last time, and how often.
type Sums = HashMap<(i64, ReleaseId, Puller), (Timestamp, Timestamp, u64)>;

/// Rests between batches and not on each message, so that who records a pull has nobody to wake.
fn write_all(folder: &Path, messages: &mpsc::Receiver<Message>, waiting_count: &AtomicUsize, hurry: &Hurry) {
    while let Ok(first) = messages.recv() {
        if let Message::Pulled(..) = first {
            hurry.rest(BATCH_FOR);
        }
        let mut sums: Sums = HashMap::new();
        let mut waiting = Vec::new();
        for message in iter::once(first).chain(messages.try_iter().take(WAITING_MAX)) {
            match message {
                Message::Pulled(release, puller, at) => {
                    waiting_count.fetch_sub(1, Ordering::Relaxed);
                    let sum = sums.entry((at.millis().div_euclid(DAY_MILLIS), release, puller)).or_insert((at, at, 0));
                    sum.0 = sum.0.min(at);
                    sum.1 = sum.1.max(at);
                    sum.2 += 1;
                }
                Message::Flush(done) => waiting.push(done),
            }
        }
        if let Err(error) = write(folder, &sums) {
            tracing::error!(%error, folder = %folder.display(), pulls = sums.len(), "pulls could not be written down");
        }
        for done in waiting {
            let _ = done.send(());
        }
    }
}

fn write(folder: &Path, sums: &Sums) -> io::Result<()> {
    let mut days: HashMap<i64, Vec<u8>> = HashMap::new();
    for ((day, release, puller), (first_at, last_at, count)) in sums {
        let puller = Puller { user_agent: printable(&puller.user_agent, TEXT_BYTES_MAX), ..puller.clone() };
        let line = Line { release: release.clone(), puller, first_at: *first_at, last_at: *last_at, count: *count };
        let text = days.entry(*day).or_default();
        serde_json::to_writer(&mut *text, &line).map_err(io::Error::other)?;
        text.push(b'\n');
    }
    for (day, text) in days {
        let day: String = Timestamp::from_millis(day.saturating_mul(DAY_MILLIS)).to_string().chars().take(10).collect();
        let file = folder.join(format!("{day}.jsonl"));
        let is_new = !file.exists();
        OpenOptions::new().create(true).append(true).open(&file)?.write_all(&text)?;
        if is_new {
            forget_old(folder, &day)?;
        }
    }
    Ok(())
}

fn forget_old(folder: &Path, today: &str) -> io::Result<()> {
    let Ok(today) = Timestamp::parse(&format!("{today}T00:00:00Z")) else { return Ok(()) };
    let oldest: String = Timestamp::from_millis(today.millis() - DAYS_KEPT * DAY_MILLIS).to_string().chars().take(10).collect();
    for file in days(folder)? {
        if file.file_stem().and_then(|stem| stem.to_str()).is_some_and(|day| day < oldest.as_str()) {
            fs::remove_file(file)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::package::PackageId;
    use crate::model::package::Version;

    fn release(version: &str) -> ReleaseId {
        ReleaseId { package: PackageId::npm("left-pad").unwrap(), version: Version::parse(version).unwrap() }
    }

    fn puller(name: &str) -> Puller {
        Puller { by: Some(name.into()), address: "127.0.0.1".parse().unwrap(), user_agent: "npm/11".into() }
    }

    #[tokio::test]
    async fn sums_up_who_pulled_what_and_survives_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let pulls = Pulls::open(folder.path()).unwrap();
        let at = |text: &str| Timestamp::parse(text).unwrap();
        pulls.record(release("1.0.0"), puller("ci"), at("2026-11-20T10:00:00Z"));
        pulls.record(release("1.0.0"), puller("ci"), at("2026-11-21T10:00:00Z"));
        pulls.record(release("1.0.0"), puller("dev"), at("2026-11-20T11:00:00Z"));
        pulls.record(release("2.0.0"), puller("dev"), at("2026-11-20T11:00:00Z"));
        pulls.close();
        fs::write(folder.path().join("2026-11-19.jsonl"), b"{\"garbled\":\"\xff\xfe\"}\n").unwrap();
        fs::write(folder.path().join("2026-11-22.jsonl"), "{\"cut").unwrap();
        let pulls = Pulls::open(folder.path()).unwrap();
        let found = pulls.of(&release("1.0.0")).await.unwrap();
        let shown: Vec<_> = found.iter().map(|one| (one.puller.by.as_deref().unwrap(), one.count)).collect();
        assert_eq!(shown, [("dev", 1), ("ci", 2)]);
        assert_eq!(found[1].first_at, at("2026-11-20T10:00:00Z"));
    }
}
