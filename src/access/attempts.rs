//! Attempts to sign in that failed: too many from one address or for one name, and no more are looked at for a while.
//! Names are counted as they are presented, whether somebody is called so or not. Where somebody signed in before, they are
//! counted apart: guesses from elsewhere lock nobody out there.

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
/// How long an address is one that somebody signs in from.
const FAMILIAR_FOR: Duration = Duration::from_secs(30 * 24 * 3_600);
/// Addresses with names that are remembered so; past it the one is forgotten that was used longest ago.
const FAMILIAR_MAX: usize = 10_000;
/// Longer names are counted by their beginning.
const NAME_CHARS_MAX: usize = 64;

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Source {
    /// Of IPv6 the first 64 bits, which is what one subscriber has.
    Address(IpAddr),
    /// In lower case, from wherever it never signed in.
    Name(String),
    /// From where it did.
    Familiar(IpAddr, String),
}

impl Source {
    const fn bounds(&self) -> (u32, Duration) {
        match self {
            Source::Address(_) => (OF_ADDRESS_MAX, OF_ADDRESS_WITHIN),
            Source::Name(_) | Source::Familiar(..) => (OF_NAME_MAX, OF_NAME_WITHIN),
        }
    }
}

struct Failures {
    count: u32,
    since: Timestamp,
}

#[derive(Default)]
pub struct Attempts(Mutex<Counted>);

#[derive(Default)]
struct Counted {
    failures: HashMap<Source, Failures>,
    /// Who signed in from where, and until when that is remembered.
    familiar: HashMap<(IpAddr, String), Timestamp>,
}

/// One attempt, counted as a failure until it is said to have succeeded.
pub struct Attempt<'a> {
    attempts: &'a Attempts,
    address: IpAddr,
    name: String,
    sources: [Source; 2],
}

/// How long nothing more is looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Blocked(pub Duration);

impl Attempts {
    /// Whether one more would be looked at now.
    pub fn may_begin(&self, address: IpAddr, name: &str, now: Timestamp) -> Result<(), Blocked> {
        let all = self.lock();
        all.open(&all.sources(subscriber(address), &counted(name), now), now)
    }

    /// Counted before anything is compared, so that many at a time are no more than one after the other.
    pub fn begin(&self, address: IpAddr, name: &str, now: Timestamp) -> Result<Attempt<'_>, Blocked> {
        let (address, name) = (subscriber(address), counted(name));
        let mut all = self.lock();
        let sources = all.sources(address, &name, now);
        all.open(&sources, now)?;
        for source in &sources {
            if all.failures.len() >= REMEMBERED_MAX && !all.failures.contains_key(source) {
                forget_some(&mut all.failures, now);
            }
            let failures = all.failures.entry(source.clone()).or_insert(Failures { count: 0, since: now });
            if now >= failures.since.plus(source.bounds().1) {
                *failures = Failures { count: 0, since: now };
            }
            failures.count += 1;
        }
        drop(all);
        Ok(Attempt { attempts: self, address, name, sources })
    }

    fn lock(&self) -> MutexGuard<'_, Counted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counted {
    fn sources(&self, address: IpAddr, name: &str, now: Timestamp) -> [Source; 2] {
        let is_familiar = self.familiar.get(&(address, name.to_owned())).is_some_and(|until| now < *until);
        let name = if is_familiar { Source::Familiar(address, name.to_owned()) } else { Source::Name(name.to_owned()) };
        [Source::Address(address), name]
    }

    fn open(&self, sources: &[Source], now: Timestamp) -> Result<(), Blocked> {
        let longest = sources.iter().filter_map(|source| wait(&self.failures, source, now)).max();
        longest.map_or(Ok(()), |longest| Err(Blocked(longest)))
    }

    fn is_familiar_from_here_on(&mut self, address: IpAddr, name: String, now: Timestamp) {
        if self.familiar.len() >= FAMILIAR_MAX
            && !self.familiar.contains_key(&(address, name.clone()))
            && let Some(oldest) = self.familiar.iter().min_by_key(|(_, until)| **until).map(|(who, _)| who.clone())
        {
            self.familiar.remove(&oldest);
        }
        self.familiar.insert((address, name), now.plus(FAMILIAR_FOR));
    }
}

impl Attempt<'_> {
    /// Takes back this one attempt; others may be guessing at the name, or from the address. What failed before where the
    /// name signs in was its own mistyping.
    pub fn succeeded(self, now: Timestamp) {
        let mut all = self.attempts.lock();
        for source in &self.sources {
            match source {
                Source::Address(_) | Source::Name(_) => {
                    if let Some(failures) = all.failures.get_mut(source) {
                        failures.count = failures.count.saturating_sub(1);
                    }
                }
                Source::Familiar(..) => _ = all.failures.remove(source),
            }
        }
        all.is_familiar_from_here_on(self.address, self.name, now);
    }
}

fn counted(name: &str) -> String {
    name.chars().take(NAME_CHARS_MAX).collect::<String>().to_lowercase()
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

/// What one who sends from many addresses is known by.
pub(super) fn subscriber(address: IpAddr) -> IpAddr {
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
    fn success_clears_the_name_where_it_signed_in_and_not_the_address() {
        let attempts = Attempts::default();
        for n in 0..OF_ADDRESS_MAX - 1 {
            let attempt = attempts.begin(address(1), "ann", at(0)).unwrap();
            if n % 2 == 1 {
                attempt.succeeded(at(0));
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
    fn who_guesses_at_a_name_locks_it_where_it_never_signed_in() {
        let attempts = Attempts::default();
        attempts.begin(address(1), "Ann", at(0)).unwrap().succeeded(at(0));
        for n in 0..OF_NAME_MAX {
            assert!(attempts.begin(address(10 + u8::try_from(n).unwrap()), "ann", at(1)).is_ok());
        }
        assert!(attempts.may_begin(address(2), "ann", at(2)).is_err() && attempts.begin(address(2), "ann", at(2)).is_err());
        attempts.begin(address(1), "ann", at(2)).unwrap().succeeded(at(2));
        // Her success is no reason to let others guess on.
        assert!(attempts.begin(address(2), "ann", at(3)).is_err());
        for _ in 0..OF_NAME_MAX {
            assert!(attempts.begin(address(1), "ann", at(3)).is_ok());
        }
        assert_eq!(attempts.begin(address(1), "ann", at(3)).err(), Some(Blocked(OF_NAME_WITHIN)), "nor is it a way to guess without end");
        attempts.begin(address(1), "bob", at(4)).unwrap().succeeded(at(4));
        assert!(attempts.may_begin(address(1), "ann", at(4)).is_err(), "what signs in is a name, not an address");
    }

    #[test]
    fn who_waits_has_not_failed() {
        let attempts = Attempts::default();
        for _ in 0..100 {
            assert!(attempts.may_begin(address(1), "ann", at(0)).is_ok());
        }
        assert!(attempts.begin(address(1), "ann", at(0)).is_ok());
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
        assert!(attempts.lock().failures.len() <= REMEMBERED_MAX + 1);
        assert!(attempts.begin(address(2), "ann", at(2)).is_err());
    }

    #[test]
    fn where_people_sign_in_is_remembered_for_a_time_and_within_a_bound() {
        let attempts = Attempts::default();
        for n in 0..u32::try_from(FAMILIAR_MAX).unwrap() + 10 {
            let [_, a, b, c] = n.to_be_bytes();
            attempts.begin(IpAddr::from([11, a, b, c]), "ann", at(u64::from(n))).unwrap().succeeded(at(u64::from(n)));
        }
        let all = attempts.lock();
        assert_eq!(all.familiar.len(), FAMILIAR_MAX);
        let is_familiar = |host: u8, at| all.sources(IpAddr::from([11, 0, 0, host]), "ann", at)[1] != Source::Name("ann".into());
        assert!(!is_familiar(9, at(10)) && is_familiar(10, at(10)));
        assert!(!is_familiar(10, at(10).plus(FAMILIAR_FOR)));
    }
}
