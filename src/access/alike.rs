//! Requests that present the same name and password at the same time: one of them is looked at, the others wait for it. An
//! install sends some fifty at once, and one hash says as much as fifty.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::sync::OwnedMutexGuard;
use tokio::time::timeout;

use crate::access::password::PasswordError;
use crate::model::digest::DocumentDigest;

/// Names with their passwords that are looked at, or waited for, at a time.
const PLACES_MAX: usize = 1_000;
/// How long one waits for another. A hash takes a twentieth of a second.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// By what name and password give under a secret key.
#[derive(Default)]
pub struct Alike(Mutex<HashMap<DocumentDigest, Place>>);

#[derive(Default)]
struct Place {
    /// Who is looked at and who waits.
    here: usize,
    /// How many came so far.
    came: u64,
    /// Of those that came, how many had come when somebody was looked at who was wrong.
    wrong: u64,
    turn: Arc<tokio::sync::Mutex<()>>,
}

/// While it is held, no other of its kind is looked at.
pub struct Alone<'a> {
    alike: &'a Alike,
    digest: DocumentDigest,
    /// Whether one was wrong who was looked at after this one had come: then so is this one.
    pub is_wrong: bool,
    /// How many had come when this one's turn came.
    came: u64,
    turn: Option<OwnedMutexGuard<()>>,
}

impl Alone<'_> {
    /// It was looked at and is wrong: who waits since before that need not be looked at.
    pub fn was_wrong(&self) {
        if let Some(place) = self.alike.lock().get_mut(&self.digest) {
            place.wrong = self.came;
        }
    }
}

impl Alike {
    /// # Errors
    /// `Busy`: too many others, or those before take too long.
    pub async fn alone(&self, digest: DocumentDigest) -> Result<Alone<'_>, PasswordError> {
        let (turn, number) = {
            let mut places = self.lock();
            if places.len() >= PLACES_MAX && !places.contains_key(&digest) {
                return Err(PasswordError::Busy);
            }
            let place = places.entry(digest).or_default();
            place.here += 1;
            place.came += 1;
            (Arc::clone(&place.turn), place.came)
        };
        // From here on it leaves its place, also where nobody waits for it any more.
        let mut alone = Alone { alike: self, digest, is_wrong: false, came: number, turn: None };
        alone.turn = Some(timeout(WAIT_MAX, turn.lock_owned()).await.map_err(|_| PasswordError::Busy)?);
        if let Some(place) = self.lock().get(&digest) {
            (alone.is_wrong, alone.came) = (number <= place.wrong, place.came);
        }
        Ok(alone)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<DocumentDigest, Place>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        let mut places = self.alike.lock();
        drop(self.turn.take());
        if let Some(place) = places.get_mut(&self.digest) {
            place.here -= 1;
            if place.here == 0 {
                places.remove(&self.digest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn digest(text: &str) -> DocumentDigest {
        DocumentDigest::of(text.as_bytes())
    }

    #[tokio::test]
    async fn one_is_looked_at_while_others_of_its_kind_wait() {
        let alike = Alike::default();
        let first = alike.alone(digest("a")).await.unwrap();
        let mut second = Box::pin(alike.alone(digest("a")));
        assert!(second.as_mut().now_or_never().is_none());
        // Another kind does not wait for them, and one that goes away is waited for by nobody.
        drop(alike.alone(digest("b")).await.unwrap());
        let mut third = Box::pin(alike.alone(digest("a")));
        assert!(third.as_mut().now_or_never().is_none());
        drop(second);
        drop(first);
        drop(third.await.unwrap());
        assert!(alike.lock().is_empty());
    }

    #[tokio::test]
    async fn who_had_come_before_one_was_looked_at_who_is_wrong_is_wrong_too() {
        let alike = Alike::default();
        let first = alike.alone(digest("a")).await.unwrap();
        let mut crowd: Vec<_> = (0..5).map(|_| Box::pin(alike.alone(digest("a")))).collect();
        for one in &mut crowd {
            assert!(one.as_mut().now_or_never().is_none());
        }
        // What it presents may have become right since the first was looked at.
        first.was_wrong();
        drop(first);
        let mut crowd = crowd.into_iter();
        let second = crowd.next().unwrap().await.unwrap();
        assert!(!second.is_wrong);
        second.was_wrong();
        let mut late = Box::pin(alike.alone(digest("a")));
        assert!(late.as_mut().now_or_never().is_none());
        drop(second);
        for one in crowd {
            assert!(one.await.unwrap().is_wrong);
        }
        assert!(!late.await.unwrap().is_wrong);
        assert!(alike.lock().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_has_an_end() {
        let alike = Alike::default();
        let first = alike.alone(digest("a")).await.unwrap();
        assert!(matches!(alike.alone(digest("a")).await, Err(PasswordError::Busy)));
        assert_eq!(alike.lock().values().map(|place| place.here).sum::<usize>(), 1);
        drop(first);
        assert!(alike.lock().is_empty());
    }

    #[tokio::test]
    async fn there_are_only_so_many_at_a_time() {
        let alike = Alike::default();
        let mut held = Vec::new();
        for n in 0..PLACES_MAX {
            held.push(alike.alone(digest(&n.to_string())).await.unwrap());
        }
        assert!(matches!(alike.alone(digest("more")).await, Err(PasswordError::Busy)));
        held.pop();
        assert!(alike.alone(digest("more")).await.is_ok());
    }
}
