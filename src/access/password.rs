//! Passwords: hashed with argon2id, compared in the same time whoever's they are, and never more at once than memory is
//! set aside for.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use argon2::Algorithm;
use argon2::Argon2;
use argon2::Params;
use argon2::Version;
use argon2::password_hash::PasswordHasher;
use argon2::password_hash::PasswordVerifier;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;

use crate::model::user::PasswordHash;

/// The longest password, in bytes.
pub const BYTES_MAX: usize = 1_024;

// Source: OWASP's password storage cheat sheet, for argon2id.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const SALT_BYTES: usize = 16;
/// What hashes made with these parameters begin with.
const MADE_SO: &str = "$argon2id$v=19$m=19456,t=2,p=1$";
/// Compared with where there is no hash. No password is known that gives it.
const DECOY: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Computed at a time: each takes 19 MiB.
const AT_ONCE: usize = 2;
/// Waiting for their turn.
const WAITING_MAX: usize = 64;

#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    #[error("too many people sign in at this moment; try again shortly")]
    Busy,
    #[error("a password cannot be hashed: {0}")]
    Broken(String),
}

pub struct Passwords {
    turns: Arc<Semaphore>,
    waiting: AtomicUsize,
    computed: Arc<AtomicU64>,
}

impl Default for Passwords {
    fn default() -> Passwords {
        Passwords { turns: Arc::new(Semaphore::new(AT_ONCE)), waiting: AtomicUsize::new(0), computed: Arc::default() }
    }
}

impl Passwords {
    pub async fn hash(&self, password: &str) -> Result<PasswordHash, PasswordError> {
        let mut salt = [0_u8; SALT_BYTES];
        getrandom::fill(&mut salt).map_err(|error| PasswordError::Broken(error.to_string()))?;
        let password = password.to_owned();
        let turn = self.turn().await?;
        let hash = turn.compute(move |argon2| argon2.hash_password_with_salt(password.as_bytes(), &salt).map(|hash| hash.to_string()));
        let phc = hash.await?.map_err(|error| PasswordError::Broken(error.to_string()))?;
        Ok(PasswordHash::new(phc))
    }

    /// Whether `hash` was made of `password`. Without a hash it was not, which takes as long to say.
    pub async fn verify(&self, password: &str, hash: Option<&PasswordHash>) -> Result<bool, PasswordError> {
        self.turn().await?.verify(password, hash).await
    }

    /// Waits until one more may be computed.
    pub async fn turn(&self) -> Result<Turn, PasswordError> {
        let _waiting = Waiting::begin(&self.waiting)?;
        let turn = Arc::clone(&self.turns).acquire_owned().await;
        Ok(Turn { permit: turn.map_err(|error| PasswordError::Broken(error.to_string()))?, computed: Arc::clone(&self.computed) })
    }

    /// How many hashes were computed: the same for every attempt to sign in.
    #[cfg(test)]
    pub fn computed(&self) -> u64 {
        self.computed.load(Ordering::Relaxed)
    }
}

/// Leave to compute one hash.
pub struct Turn {
    permit: OwnedSemaphorePermit,
    computed: Arc<AtomicU64>,
}

impl Turn {
    /// As [`Passwords::verify`].
    pub async fn verify(self, password: &str, hash: Option<&PasswordHash>) -> Result<bool, PasswordError> {
        if password.len() > BYTES_MAX {
            return Ok(false);
        }
        let phc = hash.map_or(DECOY, PasswordHash::reveal).to_owned();
        let password = password.to_owned();
        let is_same = self.compute(move |argon2| argon2.verify_password(password.as_bytes(), phc.as_str()).is_ok()).await?;
        Ok(is_same && hash.is_some())
    }

    /// Off the threads that serve.
    async fn compute<T: Send + 'static>(self, compute: impl FnOnce(Argon2<'static>) -> T + Send + 'static) -> Result<T, PasswordError> {
        let broken = |error: String| PasswordError::Broken(error);
        let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|error| broken(error.to_string()))?;
        let Turn { permit, computed } = self;
        let work = move || {
            // Given back when it is over, also where nobody waits for it any more.
            let _permit = permit;
            computed.fetch_add(1, Ordering::Relaxed);
            compute(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
        };
        tokio::task::spawn_blocking(work).await.map_err(|error| broken(error.to_string()))
    }
}

struct Waiting<'p>(&'p AtomicUsize);

impl<'p> Waiting<'p> {
    fn begin(count: &'p AtomicUsize) -> Result<Waiting<'p>, PasswordError> {
        let before = count.fetch_add(1, Ordering::Relaxed);
        let waiting = Waiting(count);
        if before >= WAITING_MAX { Err(PasswordError::Busy) } else { Ok(waiting) }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Whether a hash is as strong as one made now.
pub fn is_as_made_now(hash: &PasswordHash) -> bool {
    hash.reveal().starts_with(MADE_SO)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_known_by_its_hash() {
        let passwords = Passwords::default();
        let hash = passwords.hash("correct horse").await.unwrap();
        assert!(is_as_made_now(&hash) && !hash.reveal().contains("horse"));
        assert_ne!(passwords.hash("correct horse").await.unwrap(), hash, "salted");
        assert!(passwords.verify("correct horse", Some(&hash)).await.unwrap());
        assert!(!passwords.verify("correct horsf", Some(&hash)).await.unwrap());
        assert!(!passwords.verify("", Some(&hash)).await.unwrap());
        let weaker = PasswordHash::new(hash.reveal().replace("t=2", "t=1"));
        assert!(!is_as_made_now(&weaker));
    }

    #[tokio::test]
    async fn who_is_unknown_costs_as_much() {
        let passwords = Passwords::default();
        let hash = passwords.hash("correct horse").await.unwrap();
        let before = passwords.computed();
        assert!(!passwords.verify("wrong", Some(&hash)).await.unwrap());
        assert_eq!(passwords.computed(), before + 1);
        assert!(!passwords.verify("wrong", None).await.unwrap());
        assert_eq!(passwords.computed(), before + 2);
        // The decoy is computed whole: were it malformed, nothing would be.
        let decoy = PasswordHash::new(DECOY.to_owned());
        assert!(is_as_made_now(&decoy));
        let read = argon2::password_hash::phc::PasswordHash::new(DECOY).unwrap();
        assert_eq!(read.hash.unwrap().as_bytes().len(), 32);
    }

    #[tokio::test]
    async fn a_crowd_is_refused_and_forgotten() {
        let passwords = Passwords::default();
        passwords.waiting.store(WAITING_MAX, Ordering::Relaxed);
        assert!(matches!(passwords.verify("x", None).await, Err(PasswordError::Busy)));
        assert_eq!(passwords.waiting.load(Ordering::Relaxed), WAITING_MAX);
    }
}
