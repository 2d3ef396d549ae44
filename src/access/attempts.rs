//! Attempts to sign in that failed: too many from one address or for one name, and no more are looked at for a while.
//! Names are counted as they are presented, whether somebody is called so or not.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use crate::model::time::Timestamp;

const OF_ADDRESS_MAX: u32 = 20;
const OF_ADDRESS_WITHIN: Duration = Duration::from_secs(10 * 60);
const OF_NAME_MAX: u32 = 10;
const OF_NAME_WITHIN: Duration = Duration::from_secs(15 * 60);
/// Addresses and names that are remembered; past it those with the fewest failures are forgotten.
const REMEMBERED_MAX: usize = 10_000;
/// Longer names are counted by their beginning.
const NAME_CHARS_MAX: usize = 64;

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Source {
    /// Of IPv6 the first 64 bits, which is what one subscriber has.
    Address(IpAddr),
    /// In lower case.
    Name(String),
}

impl Source {
    const fn bounds(&self) -> (u32, Duration) {
        match self {
            Source::Address(_) => (OF_ADDRESS_MAX, OF_ADDRESS_WITHIN),
            Source::Name(_) => (OF_NAME_MAX, OF_NAME_WITHIN),
        }
    }
}

struct Failures {
    count: u32,
    since: Timestamp,
}

#[derive(Default)]
pub struct Attempts(Mutex<HashMap<Source, Failures>>);

/// One attempt, counted as a failure until it is said to have succeeded.
pub struct Attempt<'a> {
    attempts: &'a Attempts,
    address: Source,
    name: Source,
}

/// How long nothing more is looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Blocked(pub Duration);

impl Attempts {
    /// Counted before anything is compared, so that many at a time are no more than one after the other.
    pub fn begin(&self, address: IpAddr, name: &str, now: Timestamp) -> Result<Attempt<'_>, Blocked> {
        let attempt = Attempt {
            attempts: self,
            address: Source::Address(subscriber(address)),
            name: Source::Name(name.chars().take(NAME_CHARS_MAX).collect::<String>().to_lowercase()),
        };
        let mut all = self.lock();
        let waits = [&attempt.address, &attempt.name].into_iter().filter_map(|source| wait(&all, source, now));
        if let Some(longest) = waits.max() {
            return Err(Blocked(longest));
        }
        for source in [&attempt.address, &attempt.name] {
            if all.len() >= REMEMBERED_MAX && !all.contains_key(source) {
                forget_some(&mut all, now);
            }
            let failures = all.entry(source.clone()).or_insert(Failures { count: 0, since: now });
            if now >= failures.since.plus(source.bounds().1) {
                *failures = Failures { count: 0, since: now };
            }
            failures.count += 1;
        }
        drop(all);
        Ok(attempt)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Source, Failures>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attempt<'_> {
    /// Clears the name; of the address only this one attempt, for others may be guessing from there.
    pub fn succeeded(self) {
        let mut all = self.attempts.lock();
        all.remove(&self.name);
        if let Some(failures) = all.get_mut(&self.address) {
            failures.count = failures.count.saturating_sub(1);
        }
    }
}

fn wait(all: &HashMap<Source, Failures>, source: &Source, now: Timestamp) -> Option<Duration> {
    let (most, within) = source.bounds();
    let failures = all.get(source).filter(|failures| failures.count >= most)?;
    let until = failures.since.plus(within);
    (now < until).then(|| until.since(now).max(Duration::from_secs(1)))
}

fn forget_some(all: &mut HashMap<Source, Failures>, now: Timestamp) {
    all.retain(|source, failures| now < failures.since.plus(source.bounds().1));
    let fewest = all.values().map(|failures| failures.count).min().unwrap_or(0);
    if all.len() >= REMEMBERED_MAX {
        all.retain(|_, failures| failures.count > fewest);
    }
}

fn subscriber(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(six) => {
            let [a, b, c, d, ..] = six.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::parse("2026-11-20T12:00:00Z").unwrap().plus(Duration::from_secs(seconds))
    }

    fn address(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    #[test]
    fn a_name_is_locked_wherever_it_is_tried_from_and_in_whatever_case() {
        let attempts = Attempts::default();
        for n in 0..OF_NAME_MAX {
            let name = if n % 2 == 0 { "Ann" } else { "ann" };
            assert!(attempts.begin(address(n.try_into().unwrap()), name, at(0)).is_ok());
        }
        assert_eq!(attempts.begin(address(99), "ann", at(10)).err(), Some(Blocked(Duration::from_secs(890))));
        assert!(attempts.begin(address(99), "bob", at(10)).is_ok());
        assert!(attempts.begin(address(99), "ann", at(900)).is_ok());
    }

    #[test]
    fn an_address_is_locked_whatever_it_tries() {
        let attempts = Attempts::default();
        let six = |host: u16| IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, host]);
        for n in 0..OF_ADDRESS_MAX {
            assert!(attempts.begin(six(n.try_into().unwrap()), &format!("u{n}"), at(0)).is_ok());
        }
        assert!(attempts.begin(six(999), "other", at(1)).is_err());
        assert!(attempts.begin(IpAddr::from([0x2001, 0xdb8, 0, 2, 0, 0, 0, 1]), "other", at(1)).is_ok());
        assert!(attempts.begin(six(999), "other", at(600)).is_ok());
    }

    #[test]
    fn success_clears_the_name_and_not_the_address() {
        let attempts = Attempts::default();
        for n in 0..OF_ADDRESS_MAX - 1 {
            let attempt = attempts.begin(address(1), "ann", at(0)).unwrap();
            if n % 2 == 1 {
                attempt.succeeded();
            }
        }
        // Every second one failed, and nobody is locked: neither is at its bound.
        assert!(attempts.begin(address(1), "ann", at(1)).is_ok());
        for n in 0..OF_ADDRESS_MAX {
            _ = attempts.begin(address(2), &format!("u{n}"), at(0)).unwrap();
        }
        assert!(attempts.begin(address(2), "ann", at(1)).is_err());
    }

    #[test]
    fn what_is_remembered_has_a_bound_and_a_locked_name_outlives_a_crowd() {
        let attempts = Attempts::default();
        for _ in 0..OF_NAME_MAX {
            attempts.begin(address(1), "ann", at(0)).unwrap();
        }
        for n in 0..u32::try_from(REMEMBERED_MAX).unwrap() {
            let [_, a, b, c] = n.to_be_bytes();
            attempts.begin(IpAddr::from([11, a, b, c]), &format!("u{n}"), at(1)).unwrap();
        }
        assert!(attempts.lock().len() <= REMEMBERED_MAX + 1);
        assert!(attempts.begin(address(2), "ann", at(2)).is_err());
    }
}
