//! Single flight: callers who ask for the same at the same time share one answer. The fetch is a task of its own, so a
//! caller that goes away, the first one too, takes nothing from the others.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use tokio::sync::watch;
use tracing::Instrument;
use tracing::Span;

/// Different fetches under way at once, abandoned ones too.
pub const FLIGHTS_MAX: usize = 4_096;

type Flying<K, V> = Arc<Mutex<HashMap<K, watch::Receiver<Option<V>>>>>;

#[derive(Debug)]
pub struct Flights<K: Eq + Hash, V> {
    flying: Flying<K, V>,
    flights_max: usize,
    joined: AtomicU64,
}

/// Why there is no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lost {
    /// The maximum of flights is reached; nothing was started.
    Full,
    Crashed,
}

/// Takes the flight off the board when it has ended, by a panic too.
struct Landing<K: Eq + Hash, V> {
    flying: Flying<K, V>,
    key: K,
}

impl<K: Eq + Hash, V> Drop for Landing<K, V> {
    fn drop(&mut self) {
        self.flying.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

impl<K, V> Flights<K, V>
where
    K: Clone + Eq + Hash + Send + 'static,
    V: Clone + Send + Sync + 'static,
{
    pub fn new(flights_max: usize) -> Flights<K, V> {
        Flights { flying: Arc::default(), flights_max, joined: AtomicU64::new(0) }
    }

    /// How many callers were given another caller's answer.
    pub fn joined(&self) -> u64 {
        self.joined.load(Ordering::Relaxed)
    }

    /// The answer of the flight under way for `key`, else of a new one. `fetch` must end by itself: nothing cancels it.
    pub async fn join<F>(&self, key: K, fetch: F) -> Result<V, Lost>
    where
        F: Future<Output = V> + Send + 'static,
    {
        let mut answer = self.board(key, fetch)?;
        match answer.wait_for(Option::is_some).await {
            Ok(value) => value.clone().ok_or(Lost::Crashed),
            Err(_) => Err(Lost::Crashed),
        }
    }

    fn board<F>(&self, key: K, fetch: F) -> Result<watch::Receiver<Option<V>>, Lost>
    where
        F: Future<Output = V> + Send + 'static,
    {
        let mut flying = self.flying.lock().unwrap_or_else(PoisonError::into_inner);
        let full = flying.len() >= self.flights_max;
        match flying.entry(key.clone()) {
            Entry::Occupied(flight) => {
                self.joined.fetch_add(1, Ordering::Relaxed);
                Ok(flight.get().clone())
            }
            Entry::Vacant(_) if full => Err(Lost::Full),
            Entry::Vacant(free) => {
                let (tell, answer) = watch::channel(None);
                free.insert(answer.clone());
                let flying = Arc::clone(&self.flying);
                let flight = async move {
                    // Locals, so that a panic takes the flight off the board before the waiting hear of it.
                    let tell = tell;
                    let landing = Landing { flying, key };
                    let value = fetch.await;
                    drop(landing);
                    tell.send_replace(Some(value));
                };
                tokio::spawn(flight.instrument(Span::current()));
                Ok(answer)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use futures_util::future::join_all;
    use std::sync::atomic::AtomicUsize;
    use tokio::sync::Semaphore;

    #[tokio::test]
    async fn fifty_callers_share_one_flight() {
        let flights = Flights::new(8);
        let started = Arc::new(AtomicUsize::new(0));
        let gate = Arc::new(Semaphore::new(0));
        let callers = (0..50).map(|_| {
            let (started, gate) = (Arc::clone(&started), Arc::clone(&gate));
            flights.join("key", async move {
                let _open = gate.acquire().await;
                started.fetch_add(1, Ordering::SeqCst)
            })
        });
        let opener = async {
            while flights.joined() < 49 {
                tokio::task::yield_now().await;
            }
            gate.add_permits(1);
        };
        let (answers, ()) = tokio::join!(join_all(callers), opener);
        assert_eq!(answers, vec![Ok(0); 50]);
        assert_eq!(started.load(Ordering::SeqCst), 1);
        assert!(flights.flying.lock().unwrap().is_empty());
        assert_eq!(flights.join("key", async { 7 }).await, Ok(7), "an ended flight is not shared");
    }

    #[tokio::test]
    async fn a_dropped_leader_leaves_the_flight_to_the_others() {
        let flights = Flights::new(8);
        let gate = Arc::new(Semaphore::new(0));
        let held = Arc::clone(&gate);
        let mut leader = Box::pin(flights.join(1, async move {
            let _open = held.acquire().await;
            "leader's"
        }));
        assert!((&mut leader).now_or_never().is_none());
        let mut follower = Box::pin(flights.join(1, async { "follower's" }));
        assert!((&mut follower).now_or_never().is_none());
        drop(leader);
        gate.add_permits(1);
        assert_eq!(follower.await, Ok("leader's"));
    }

    #[tokio::test]
    async fn a_crash_is_told_to_all_and_leaves_nothing_behind() {
        let flights: Flights<u8, u8> = Flights::new(8);
        let crash = async { if flights_are_cursed() { panic!("on purpose") } else { 1 } };
        let (first, second) = tokio::join!(flights.join(1, crash), flights.join(1, async { 2 }));
        assert_eq!((first, second), (Err(Lost::Crashed), Err(Lost::Crashed)));
        assert_eq!(flights.join(1, async { 3 }).await, Ok(3));
    }

    fn flights_are_cursed() -> bool {
        true
    }

    #[tokio::test]
    async fn a_full_board_starts_nothing_but_still_shares() {
        let flights = Flights::new(1);
        let gate = Arc::new(Semaphore::new(0));
        let held = Arc::clone(&gate);
        let mut first = Box::pin(flights.join(1, async move {
            let _open = held.acquire().await;
            1
        }));
        assert!((&mut first).now_or_never().is_none());
        assert_eq!(flights.join(2, async { 2 }).await, Err(Lost::Full));
        let mut again = Box::pin(flights.join(1, async { 3 }));
        assert!((&mut again).now_or_never().is_none());
        gate.add_permits(1);
        assert_eq!((first.await, again.await), (Ok(1), Ok(1)));
    }
}
