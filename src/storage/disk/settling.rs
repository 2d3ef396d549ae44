//! Blobs settle: a file is under its name, whole, as soon as it was put or moved, and is put down on the disk behind the
//! answers, together with the others of the last seconds. A power cut before that loses it, or leaves it damaged, which
//! its hash tells; then it is fetched again.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::RecvTimeoutError;
use std::sync::mpsc::SyncSender;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::Instant;

use crate::model::digest::Digest;
use crate::storage::disk::files::Shards;

/// How long a blob may lie in the system's memory alone before it is put down.
const SETTLED_AFTER: Duration = Duration::from_secs(5);
/// Blobs in one batch, and blobs that wait for the next; whoever puts one more waits too.
const WAITING_MAX: usize = 512;

/// Told of each blob that the disk did not take, after it was set aside.
pub type Doubted = Box<dyn Fn(&Digest) + Send>;

/// The thread that puts blobs down.
pub struct Settling {
    queue: Mutex<Option<SyncSender<Digest>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Settling {
    /// `zones`: the folders that a blob may lie in, the likeliest first.
    pub fn begin(zones: Vec<Arc<Shards>>, doubted: Doubted) -> io::Result<Settling> {
        let (queue, waiting) = sync_channel(WAITING_MAX);
        let thread = thread::Builder::new().name("blobs".to_owned()).spawn(move || run(&zones, &waiting, &doubted))?;
        Ok(Settling { queue: Mutex::new(Some(queue)), thread: Mutex::new(Some(thread)) })
    }

    /// Says that a blob was written or moved. Blocks while too many wait.
    pub fn note(&self, digest: &Digest) {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // After the end nothing waits any more: what is put then is the system's to put down.
        let _ = queue.map(|queue| queue.send(*digest));
    }

    /// Puts down everything that waits, and ends. Blocks.
    pub fn end(&self) {
        drop(self.queue.lock().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("what puts blobs down on the disk crashed");
        }
    }
}

impl Drop for Settling {
    fn drop(&mut self) {
        self.end();
    }
}

fn run(zones: &[Arc<Shards>], waiting: &Receiver<Digest>, doubted: &Doubted) {
    while let Ok(first) = waiting.recv() {
        let mut batch = BTreeSet::from([first]);
        let until = Instant::now() + SETTLED_AFTER;
        while batch.len() < WAITING_MAX {
            match waiting.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(next) => batch.insert(next),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            };
        }
        if let Err(fault) = settle(zones, &batch, doubted) {
            tracing::error!(%fault, "blobs could not be put down on the disk; what it did not take is fetched again");
        }
    }
}

/// The files before their names, each folder once. One that fails keeps no other from its turn; the first failure is told.
/// After a failure the system forgets what it could not write, so that a file that looks whole now may not stay so: it is set
/// aside, and what is asked for again is fetched again.
fn settle(zones: &[Arc<Shards>], batch: &BTreeSet<Digest>, doubted: &Doubted) -> io::Result<()> {
    let mut outcome = Ok(());
    let mut found: Vec<Vec<String>> = vec![Vec::new(); zones.len()];
    for digest in batch {
        let hex = digest.hex();
        for (zone, found) in zones.iter().zip(&mut found) {
            match zone.sync(&hex) {
                Ok(true) => {
                    found.push(hex);
                    break;
                }
                Ok(false) => {}
                Err(fault) => {
                    let aside = zone.set_aside(&hex);
                    doubted(digest);
                    tracing::error!(%digest, %fault, ?aside, "the disk did not take a blob: it is not served from there any more");
                    outcome = outcome.and(Err(fault));
                }
            }
        }
    }
    for (zone, found) in zones.iter().zip(&found) {
        outcome = outcome.and(zone.sync_names(found.iter().map(String::as_str)));
    }
    outcome
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn zone(folder: &tempfile::TempDir, name: &str) -> Arc<Shards> {
        Arc::new(Shards::open(folder.path().join(name)).unwrap())
    }

    #[test]
    fn what_waits_is_put_down_before_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let zones = [zone(&folder, "approved"), zone(&folder, "quarantine")];
        let settling = Settling::begin(zones.to_vec(), Box::new(|_| {})).unwrap();
        let digest = Digest::of(b"blob");
        zones[1].write(&digest.hex(), |mut file| file.write_all(b"blob")).unwrap();
        settling.note(&digest);
        settling.note(&Digest::of(b"gone"));
        settling.end();
        // Nobody takes it any more, and nobody waits for that.
        settling.note(&digest);
        settling.end();
    }

    #[test]
    fn a_blob_is_looked_for_in_each_zone_and_one_that_is_gone_is_no_fault() {
        let folder = tempfile::tempdir().unwrap();
        let zones = [zone(&folder, "approved"), zone(&folder, "quarantine")];
        let (approved, quarantined, gone) = (Digest::of(b"a"), Digest::of(b"q"), Digest::of(b"g"));
        let (told, doubts) = std::sync::mpsc::channel();
        let doubted: Doubted = Box::new(move |digest| told.send(*digest).unwrap());
        zones[0].write(&approved.hex(), |mut file| file.write_all(b"a")).unwrap();
        zones[1].write(&quarantined.hex(), |mut file| file.write_all(b"q")).unwrap();
        settle(&zones, &BTreeSet::from([approved, quarantined, gone]), &doubted).unwrap();
        assert!(doubts.try_recv().is_err());
        // A folder in its place: it is there and cannot be what it should be.
        std::fs::remove_dir_all(folder.path().join("approved")).unwrap();
        std::fs::write(folder.path().join("approved"), "").unwrap();
        assert!(settle(&zones, &BTreeSet::from([approved]), &doubted).is_err());
        assert_eq!(doubts.try_recv().unwrap(), approved, "it is not held for proven any longer");
    }
}
