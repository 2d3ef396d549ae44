//! Passwords that were right a moment ago: a client that sends name and password with every request is not asked for a
//! hash each time. Neither is kept, only what both give under a key that lives as long as the process.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::time::Duration;

use crate::access::attempts::subscriber;
use crate::model::digest::DocumentDigest;
use crate::model::time::Timestamp;
use crate::model::user::PasswordHash;

const FOR: Duration = Duration::from_secs(5 * 60);
const MAX: usize = 1_000;
const KEY_BYTES: usize = 32;

struct Entry {
    /// Of the password as it was then: a changed one is asked for anew.
    hash: PasswordHash,
    until: Timestamp,
}

#[derive(Default)]
pub struct Remembered {
    key: OnceLock<[u8; KEY_BYTES]>,
    entries: Mutex<HashMap<DocumentDigest, Entry>>,
}

impl Remembered {
    /// Whether this password was right, from there, for the hash that counts now. From elsewhere it is a guess, and counted.
    pub fn has(&self, name: &str, password: &str, from: IpAddr, hash: &PasswordHash, now: Timestamp) -> bool {
        let Some(digest) = self.digest(name, password, from) else { return false };
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.get(&digest).is_some_and(|entry| now < entry.until && entry.hash == *hash)
    }

    pub fn put(&self, name: &str, password: &str, from: IpAddr, hash: &PasswordHash, now: Timestamp) {
        let Some(digest) = self.digest(name, password, from) else { return };
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= MAX {
            entries.retain(|_, entry| now < entry.until);
        }
        if entries.len() >= MAX
            && let Some(oldest) = entries.iter().min_by_key(|(_, entry)| entry.until).map(|(digest, _)| *digest)
        {
            entries.remove(&oldest);
        }
        entries.insert(digest, Entry { hash: hash.clone(), until: now.plus(FOR) });
    }

    /// What both give, from there. `None` without randomness: then nothing is remembered. A prefix of its own length, so no two
    /// pairs are one text.
    pub fn digest(&self, name: &str, password: &str, from: IpAddr) -> Option<DocumentDigest> {
        let key = match self.key.get() {
            Some(key) => key,
            None => {
                let mut key = [0; KEY_BYTES];
                getrandom::fill(&mut key).ok()?;
                self.key.get_or_init(|| key)
            }
        };
        let length = u64::try_from(name.len()).ok()?.to_be_bytes();
        let from = match subscriber(from) {
            IpAddr::V4(four) => four.to_ipv6_mapped().octets(),
            IpAddr::V6(six) => six.octets(),
        };
        Some(DocumentDigest::of(&[key.as_slice(), &from, &length, name.to_ascii_lowercase().as_bytes(), password.as_bytes()].concat()))
    }
}
