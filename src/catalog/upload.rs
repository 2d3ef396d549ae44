//! What comes in from those who publish, while it comes in: whose turn it is, how much memory it may take, and the bytes of
//! a file on their way to the disk, gone again unless they are submitted.
//!
//! A body may take minutes to arrive, and nobody knows before whether it will. So what all share is taken only while it is
//! used: no thread waits for a client, memory beyond little is taken as it is filled, and one caller has few places.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Mutex;
use tokio::sync::MutexGuard;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;

use crate::catalog::Catalog;
use crate::catalog::submit::SubmitError;
use crate::model::digest::Digest;
use crate::quarantine::workflow::lock;
use crate::storage::blob;
use crate::storage::blob::BlobError;
use crate::storage::blob::Receiving;

/// Bodies that come in at once, until what is made of them is recorded: of all callers, and of one. Whoever has more waits
/// until one of their own is through.
pub const BODIES_MAX: usize = 48;
pub const BODIES_OF_ONE_MAX: usize = 6;
/// The same of bodies whose senders may publish nothing under the name: apart, so that they hold up nobody who may, and not
/// themselves where they may.
pub const BODIES_OF_STRANGERS_MAX: usize = 8;
pub const BODIES_OF_ONE_STRANGER_MAX: usize = 2;
/// How long a body waits for its turn.
const TURN_WAIT: Duration = Duration::from_secs(20);
/// What is gathered of a body in memory that nobody else has to go without, in bytes: nearly all are smaller.
const FREE_BYTES: usize = 256 * 1_024;
/// What is gathered of all others beyond that together, in bytes.
const GATHERED_BYTES_MAX: usize = 96 * 1_024 * 1_024;
/// What is taken of that at once, in bytes.
const SHARE_BYTES: usize = 256 * 1_024;
/// Large questions that are read at once.
const ASKED_MAX: usize = 4;
/// Large questions that are answered at once: until then what was read is in memory.
const ANSWERED_MAX: usize = 16;
/// Locks for bytes that are being kept; more than are kept at once, so that hardly two share one.
const KEEPING_LOCKS: usize = 32;
/// Submissions that are looked into at once: their bytes are in memory then.
pub const EXAMINED_MAX: usize = 2;

/// Room for bodies, for what is gathered of them, and for what is looked into.
pub(super) struct Docks {
    all: Arc<Semaphore>,
    strangers: Arc<Semaphore>,
    of_one: std::sync::Mutex<HashMap<String, Arc<Semaphore>>>,
    gathered: Arc<Semaphore>,
    /// A large text takes many times its length while it is read: one that is written at a time, and some that are asked.
    written: Arc<Semaphore>,
    asked: Arc<Semaphore>,
    answered: Arc<Semaphore>,
    /// By digest: who keeps bytes and records that they are there does so alone.
    keeping: [Mutex<()>; KEEPING_LOCKS],
    pub(super) tables: Semaphore,
}

impl Default for Docks {
    fn default() -> Docks {
        Docks {
            all: Arc::new(Semaphore::new(BODIES_MAX)),
            strangers: Arc::new(Semaphore::new(BODIES_OF_STRANGERS_MAX)),
            of_one: std::sync::Mutex::default(),
            gathered: Arc::new(Semaphore::new(GATHERED_BYTES_MAX / SHARE_BYTES)),
            written: Arc::new(Semaphore::new(1)),
            asked: Arc::new(Semaphore::new(ASKED_MAX)),
            answered: Arc::new(Semaphore::new(ANSWERED_MAX)),
            keeping: Default::default(),
            tables: Semaphore::new(EXAMINED_MAX),
        }
    }
}

/// What a text is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Text {
    /// Something is to be recorded.
    Written,
    /// Something is to be known, by anybody.
    Asked,
}

/// Whose body it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sender {
    /// Of somebody who may publish.
    Publisher,
    Stranger,
}

/// The turn of one body. Dropped, it is another's.
pub struct Turn {
    own: Own,
    _all: OwnedSemaphorePermit,
    gathered: Option<OwnedSemaphorePermit>,
}

/// One of the few places of a caller, or the wait for it.
struct Own {
    docks: Arc<Docks>,
    caller: String,
    places: Option<Arc<Semaphore>>,
    place: Option<OwnedSemaphorePermit>,
}

impl Turn {
    /// Room for `bytes` of the body in memory, in all.
    ///
    /// # Errors
    /// Others take too much.
    pub fn make_room(&mut self, bytes: usize) -> Result<(), SubmitError> {
        let needed = bytes.saturating_sub(FREE_BYTES).div_ceil(SHARE_BYTES);
        let held = self.gathered.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let Some(more) = needed.checked_sub(held).filter(|more| *more > 0) else { return Ok(()) };
        let more = u32::try_from(more).map_err(|_| SubmitError::TooManyAtOnce)?;
        let taken = Arc::clone(&self.own.docks.gathered).try_acquire_many_owned(more).map_err(|_| SubmitError::TooManyAtOnce)?;
        match &mut self.gathered {
            Some(held) => held.merge(taken),
            none => *none = Some(taken),
        }
        Ok(())
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let mut of_one = lock(&self.docks.of_one);
        self.place = None;
        self.places = None;
        // Whoever else has a place, or waits for one, has another handle.
        if of_one.get(&self.caller).is_some_and(|places| Arc::strong_count(places) == 1) {
            of_one.remove(&self.caller);
        }
    }
}

impl Docks {
    pub(super) async fn keeping(&self, digest: &Digest) -> Option<MutexGuard<'_, ()>> {
        let lock = self.keeping.get(usize::from(digest.raw().first().copied().unwrap_or_default()) % KEEPING_LOCKS)?;
        Some(lock.lock().await)
    }

    async fn answering(&self, bytes: usize) -> Option<Option<OwnedSemaphorePermit>> {
        if bytes <= FREE_BYTES {
            return Some(None);
        }
        let place = Arc::clone(&self.answered).acquire_owned();
        tokio::time::timeout(TURN_WAIT, place).await.ok()?.ok().map(Some)
    }

    async fn turn(self: &Arc<Self>, caller: &str, sender: Sender) -> Result<Turn, SubmitError> {
        let (all, caller, of_one_max) = match sender {
            Sender::Publisher => (&self.all, caller.to_owned(), BODIES_OF_ONE_MAX),
            // No name has a blank in it.
            Sender::Stranger => (&self.strangers, format!("stranger {caller}"), BODIES_OF_ONE_STRANGER_MAX),
        };
        let places = {
            let mut of_one = lock(&self.of_one);
            Arc::clone(of_one.entry(caller.clone()).or_insert_with(|| Arc::new(Semaphore::new(of_one_max))))
        };
        let mut own = Own { docks: Arc::clone(self), caller, places: Some(Arc::clone(&places)), place: None };
        let both = async {
            // First one's own: who waits for that keeps nobody else waiting.
            own.place = places.acquire_owned().await.ok();
            Arc::clone(all).acquire_owned().await.ok()
        };
        match tokio::time::timeout(TURN_WAIT, both).await {
            Ok(Some(all)) => Ok(Turn { own, _all: all, gathered: None }),
            Ok(None) | Err(_) => Err(SubmitError::TooManyAtOnce),
        }
    }
}

/// A file on its way in.
pub struct Upload(Option<Receiving>);

/// Bytes that came in whole, not yet anybody's.
pub struct Received(pub(super) blob::Received);

impl Catalog {
    /// The turn of a body of this caller's. Waits for it, but not for long.
    pub async fn turn(&self, caller: &str, sender: Sender) -> Result<Turn, SubmitError> {
        self.docks.turn(caller, sender).await
    }

    /// Leave to keep what was read of a question of so many bytes until it is answered, for which upstreams may be waited for:
    /// `Some(None)` for a small one, which needs none. `None`: others wait already, and for long.
    pub async fn answering(&self, bytes: usize) -> Option<Option<OwnedSemaphorePermit>> {
        self.docks.answering(bytes).await
    }

    /// Leave to read so much text. `None`: it is small, and needs none. To be held by the reading itself, which goes on when
    /// nobody waits for it any more.
    pub async fn desk(&self, kind: Text, bytes: usize) -> Option<OwnedSemaphorePermit> {
        if bytes <= FREE_BYTES {
            return None;
        }
        match kind {
            Text::Written => Arc::clone(&self.docks.written).acquire_owned().await.ok(),
            Text::Asked => Arc::clone(&self.docks.asked).acquire_owned().await.ok(),
        }
    }

    /// Begins to receive a file. What is written is gone when it, or what came of it, is dropped.
    pub async fn upload(&self) -> Result<Upload, SubmitError> {
        Ok(Upload(Some(self.quarantine.receive().await?)))
    }
}

impl Upload {
    /// Hashes and writes the next bytes. Once it failed it fails for good.
    pub async fn write(&mut self, piece: Bytes) -> Result<(), SubmitError> {
        let mut receiving = self.take()?;
        let written = tokio::task::spawn_blocking(move || receiving.write(&piece).map(|()| receiving));
        self.0 = Some(written.await.map_err(|crash| BlobError::Incoming(io::Error::other(crash)))??);
        Ok(())
    }

    pub fn finish(mut self) -> Result<Received, SubmitError> {
        Ok(Received(self.take()?.finish()))
    }

    fn take(&mut self) -> Result<Receiving, BlobError> {
        self.0.take().ok_or_else(|| BlobError::Incoming(io::Error::other("what came before could not be written")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn turns(docks: &Arc<Docks>, caller: &str, count: usize) -> Vec<Turn> {
        let mut turns = Vec::new();
        for _ in 0..count {
            turns.push(docks.turn(caller, Sender::Publisher).await.unwrap());
        }
        turns
    }

    #[tokio::test(start_paused = true)]
    async fn one_caller_leaves_room_for_others_and_waits_for_itself() {
        let docks = Arc::new(Docks::default());
        let mut of_eve = turns(&docks, "eve", BODIES_OF_ONE_MAX).await;
        assert!(matches!(docks.turn("eve", Sender::Publisher).await, Err(SubmitError::TooManyAtOnce)), "after a while");
        let of_maria = docks.turn("maria", Sender::Publisher).await.unwrap();
        let next = tokio::spawn({
            let docks = Arc::clone(&docks);
            async move { docks.turn("eve", Sender::Publisher).await.is_ok() }
        });
        tokio::task::yield_now().await;
        of_eve.pop();
        assert!(next.await.unwrap());
        drop((of_eve, of_maria));
        assert!(lock(&docks.of_one).is_empty(), "nobody is remembered for good");
        assert_eq!(docks.all.available_permits(), BODIES_MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_is_not_forgotten_when_others_leave() {
        let docks = Arc::new(Docks::default());
        let of_eve = turns(&docks, "eve", BODIES_OF_ONE_MAX).await;
        let waiting = tokio::spawn({
            let docks = Arc::clone(&docks);
            async move { docks.turn("eve", Sender::Publisher).await.unwrap() }
        });
        tokio::task::yield_now().await;
        drop(of_eve);
        let one = waiting.await.unwrap();
        let others = turns(&docks, "eve", BODIES_OF_ONE_MAX - 1).await;
        assert!(docks.turn("eve", Sender::Publisher).await.is_err(), "it counts with those that came after");
        drop((one, others));
        assert!(lock(&docks.of_one).is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn large_questions_wait_for_a_place_and_small_ones_need_none() {
        let docks = Docks::default();
        let mut places = Vec::new();
        for _ in 0..ANSWERED_MAX {
            places.push(docks.answering(FREE_BYTES + 1).await.unwrap().unwrap());
        }
        assert!(docks.answering(FREE_BYTES + 1).await.is_none(), "after a while");
        assert!(docks.answering(FREE_BYTES).await.unwrap().is_none());
        places.pop();
        assert!(docks.answering(FREE_BYTES + 1).await.unwrap().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn strangers_hold_up_strangers_only() {
        let docks = Arc::new(Docks::default());
        let mut strangers = Vec::new();
        for number in 0..BODIES_OF_STRANGERS_MAX {
            strangers.push(docks.turn(&format!("stranger-{number}"), Sender::Stranger).await.unwrap());
        }
        assert!(matches!(docks.turn("one more", Sender::Stranger).await, Err(SubmitError::TooManyAtOnce)));
        let mut publishers = Vec::new();
        for number in 0..BODIES_MAX {
            publishers.push(docks.turn(&format!("publisher-{number}"), Sender::Publisher).await.unwrap());
        }
        assert!(matches!(docks.turn("one more", Sender::Publisher).await, Err(SubmitError::TooManyAtOnce)));
        strangers.truncate(2);
        let of_one = [docks.turn("eve", Sender::Stranger).await.unwrap(), docks.turn("eve", Sender::Stranger).await.unwrap()];
        assert!(matches!(docks.turn("eve", Sender::Stranger).await, Err(SubmitError::TooManyAtOnce)));
        publishers.pop();
        docks.turn("eve", Sender::Publisher).await.unwrap();
        drop(of_one);
    }

    #[tokio::test]
    async fn only_what_is_large_takes_of_what_all_share() {
        let docks = Arc::new(Docks::default());
        let all = docks.gathered.available_permits();
        let mut small = docks.turn("a", Sender::Publisher).await.unwrap();
        small.make_room(FREE_BYTES).unwrap();
        assert_eq!(docks.gathered.available_permits(), all);
        let mut large = docks.turn("b", Sender::Publisher).await.unwrap();
        for megabytes in [1, 2, 2, 32, 96] {
            large.make_room(megabytes * 1_024 * 1_024).unwrap();
        }
        let mut other = docks.turn("c", Sender::Publisher).await.unwrap();
        assert!(matches!(other.make_room(32 * 1_024 * 1_024), Err(SubmitError::TooManyAtOnce)));
        small.make_room(FREE_BYTES).unwrap();
        drop(large);
        other.make_room(32 * 1_024 * 1_024).unwrap();
        drop(other);
        assert_eq!(docks.gathered.available_permits(), all);
    }
}
