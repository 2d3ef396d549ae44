//! A circuit breaker: after many failures in a row an origin is left alone for a while, then one request may probe it.
//! Time is the model's, so that a test moves it.

use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use crate::clock::Clock;
use crate::model::time::Timestamp;

/// Failed attempts in a row (a retry counts) that open the breaker.
pub const FAILURES_MAX: u32 = 8;
/// How long it stays open the first time; doubled each time that the probe fails too.
pub const PAUSE: Duration = Duration::from_secs(10);
pub const PAUSE_MAX: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub struct Breaker {
    clock: Clock,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    Closed { failures: u32 },
    Open { since: Timestamp, pause: Duration, probing: bool },
}

/// Leave for one attempt, to be settled by its outcome. Dropped unsettled, it counts as neither, so that a cancelled
/// probe does not keep the next one out.
#[derive(Debug)]
pub struct Pass<'a> {
    breaker: &'a Breaker,
    probe: bool,
    settled: bool,
}

impl Breaker {
    pub fn new(clock: Clock) -> Breaker {
        Breaker { clock, state: Mutex::new(State::Closed { failures: 0 }) }
    }

    /// Errs with the time until a probe is due, at least one second.
    pub fn admit(&self) -> Result<Pass<'_>, Duration> {
        let now = self.clock.now();
        match &mut *self.lock() {
            State::Closed { .. } => Ok(Pass { breaker: self, probe: false, settled: false }),
            State::Open { since, pause, probing } => {
                let left = remaining(now, *since, *pause);
                if *probing || !left.is_zero() {
                    return Err(left.max(Duration::from_secs(1)));
                }
                *probing = true;
                Ok(Pass { breaker: self, probe: true, settled: false })
            }
        }
    }

    /// Open or half-open.
    pub fn is_open(&self) -> bool {
        match &*self.lock() {
            State::Closed { .. } => false,
            State::Open { .. } => true,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A wall clock that was set back would keep the breaker open for as long; then it counts as due.
fn remaining(now: Timestamp, since: Timestamp, pause: Duration) -> Duration {
    if now < since { Duration::ZERO } else { pause.saturating_sub(now.since(since)) }
}

impl Pass<'_> {
    /// The origin answered. Returns whether this closed the breaker.
    pub fn succeeded(mut self) -> bool {
        self.settled = true;
        let mut state = self.breaker.lock();
        let was_open = match &*state {
            State::Closed { .. } => false,
            State::Open { .. } => true,
        };
        *state = State::Closed { failures: 0 };
        was_open
    }

    /// The origin failed, and asked for `patience` if it said so. Returns whether this opened the breaker.
    pub fn failed(mut self, patience: Option<Duration>) -> bool {
        self.settled = true;
        let since = self.breaker.clock.now();
        let mut state = self.breaker.lock();
        match &mut *state {
            State::Closed { failures } => {
                *failures += 1;
                if *failures < FAILURES_MAX {
                    return false;
                }
                let pause = patience.unwrap_or(PAUSE).clamp(PAUSE, PAUSE_MAX);
                *state = State::Open { since, pause, probing: false };
                true
            }
            State::Open { pause, .. } if self.probe => {
                let pause = (*pause * 2).max(patience.unwrap_or(PAUSE)).clamp(PAUSE, PAUSE_MAX);
                *state = State::Open { since, pause, probing: false };
                false
            }
            // Admitted before it opened: nothing new.
            State::Open { .. } => false,
        }
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if self.settled || !self.probe {
            return;
        }
        match &mut *self.breaker.lock() {
            State::Closed { .. } => {}
            State::Open { probing, .. } => *probing = false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened() -> (Clock, Breaker) {
        let clock = Clock::test(Timestamp::from_millis(1_000_000));
        let breaker = Breaker::new(clock.clone());
        for n in 1..=FAILURES_MAX {
            assert!(!breaker.is_open());
            assert_eq!(breaker.admit().unwrap().failed(None), n == FAILURES_MAX);
        }
        assert!(breaker.is_open());
        (clock, breaker)
    }

    #[test]
    fn a_success_between_failures_keeps_it_closed() {
        let breaker = Breaker::new(Clock::test(Timestamp::from_millis(0)));
        for _ in 0..3 {
            for _ in 1..FAILURES_MAX {
                assert!(!breaker.admit().unwrap().failed(None));
            }
            assert!(!breaker.admit().unwrap().succeeded());
        }
        assert!(!breaker.is_open());
    }

    #[test]
    fn open_lets_nothing_pass_until_the_pause_is_over_then_one_probe() {
        let (clock, breaker) = opened();
        assert_eq!(breaker.admit().unwrap_err(), PAUSE);
        clock.advance(PAUSE - Duration::from_millis(1));
        assert_eq!(breaker.admit().unwrap_err(), Duration::from_secs(1));
        clock.advance(Duration::from_millis(1));
        let probe = breaker.admit().unwrap();
        assert!(breaker.admit().is_err(), "a second one beside the probe");
        assert!(probe.succeeded());
        assert!(!breaker.is_open());
        assert!(breaker.admit().is_ok());
    }

    #[test]
    fn a_failed_probe_doubles_the_pause_up_to_its_maximum() {
        let (clock, breaker) = opened();
        let mut pause = PAUSE;
        for _ in 0..6 {
            clock.advance(pause);
            assert!(!breaker.admit().unwrap().failed(None));
            pause = (pause * 2).min(PAUSE_MAX);
            assert_eq!(breaker.admit().unwrap_err(), pause);
        }
        assert_eq!(pause, PAUSE_MAX);
    }

    #[test]
    fn a_dropped_probe_makes_room_for_the_next() {
        let (clock, breaker) = opened();
        clock.advance(PAUSE);
        drop(breaker.admit().unwrap());
        assert!(breaker.admit().is_ok());
    }

    #[test]
    fn patience_that_upstream_asks_for_is_kept_within_the_maximum() {
        for (asked, kept) in [(1, PAUSE), (30, Duration::from_secs(30)), (86_400, PAUSE_MAX)] {
            let breaker = Breaker::new(Clock::test(Timestamp::from_millis(0)));
            for _ in 0..FAILURES_MAX {
                breaker.admit().unwrap().failed(Some(Duration::from_secs(asked)));
            }
            assert_eq!(breaker.admit().unwrap_err(), kept);
        }
    }

    #[test]
    fn late_failures_do_not_prolong_and_a_late_success_closes() {
        let clock = Clock::test(Timestamp::from_millis(0));
        let breaker = Breaker::new(clock.clone());
        let early = breaker.admit().unwrap();
        let lucky = breaker.admit().unwrap();
        for _ in 0..FAILURES_MAX {
            breaker.admit().unwrap().failed(None);
        }
        clock.advance(Duration::from_secs(5));
        assert!(!early.failed(None));
        assert_eq!(breaker.admit().unwrap_err(), PAUSE - Duration::from_secs(5));
        assert!(lucky.succeeded());
        assert!(!breaker.is_open());
    }

    #[test]
    fn a_clock_set_back_does_not_keep_it_open() {
        assert_eq!(remaining(Timestamp::from_millis(5), Timestamp::from_millis(9), PAUSE), Duration::ZERO);
    }
}
