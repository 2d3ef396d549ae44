//! How long to wait before asking again: jittered exponential back-off, and what Retry-After says.

use std::time::Duration;

use jiff::fmt::rfc2822::DateTimeParser;

use crate::model::time::Timestamp;

/// No Retry-After is believed beyond this.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(3_600);
/// A fetch waits this long at most because upstream asks for it; for more the caller is told to come back.
pub const RETRY_AFTER_WAIT_MAX: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Backoff {
    pub base: Duration,
    pub max: Duration,
}

impl Backoff {
    pub const DEFAULT: Backoff = Backoff { base: Duration::from_millis(250), max: Duration::from_secs(5) };

    /// Between a half and the whole of `base` doubled `retries_done` times, so that callers who failed together do not
    /// come back together.
    pub fn pause(self, retries_done: u32) -> Duration {
        let mut random = [0; 4];
        // Without randomness the whole pause is as good.
        let part = match getrandom::fill(&mut random) {
            Ok(()) => u32::from_le_bytes(random),
            Err(_) => u32::MAX,
        };
        self.jittered(retries_done, part)
    }

    fn jittered(self, retries_done: u32, part: u32) -> Duration {
        let whole = self.base.saturating_mul(2_u32.saturating_pow(retries_done)).min(self.max);
        whole / 2 + (whole / 2).mul_f64(f64::from(part) / f64::from(u32::MAX))
    }
}

/// Seconds or an HTTP-date; at most `RETRY_AFTER_MAX`; `None` where it is neither. Source: RFC 9110, 10.2.3.
pub fn retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    let asked = if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        text.parse().map_or(RETRY_AFTER_MAX, Duration::from_secs)
    } else {
        let at = DateTimeParser::new().parse_timestamp(text).ok()?;
        Timestamp::from_millis(at.as_millisecond()).since(now)
    };
    Some(asked.min(RETRY_AFTER_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_maximum_within_their_jitter() {
        let backoff = Backoff { base: Duration::from_millis(100), max: Duration::from_millis(700) };
        for (done, least, most) in [(0, 50, 100), (1, 100, 200), (2, 200, 400), (3, 350, 700), (4_000, 350, 700)] {
            assert_eq!(backoff.jittered(done, 0), Duration::from_millis(least));
            assert_eq!(backoff.jittered(done, u32::MAX), Duration::from_millis(most));
            let pause = backoff.pause(done);
            assert!((Duration::from_millis(least)..=Duration::from_millis(most)).contains(&pause), "{pause:?}");
        }
    }

    #[test]
    fn jitter_differs() {
        let pauses: Vec<Duration> = (0..16).map(|_| Backoff::DEFAULT.pause(3)).collect();
        assert!(pauses.iter().any(|pause| *pause != pauses[0]));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_and_capped() {
        let now = Timestamp::parse("1994-11-06T08:49:37Z").unwrap();
        for (text, seconds) in [
            ("0", Some(0)),
            (" 120 ", Some(120)),
            ("99999999999999999999999999", Some(3_600)),
            ("Sun, 06 Nov 1994 08:50:07 GMT", Some(30)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("Fri, 31 Dec 1999 23:59:59 GMT", Some(3_600)),
            ("-1", None),
            ("1.5", None),
            ("", None),
            ("soon", None),
        ] {
            assert_eq!(retry_after(text, now), seconds.map(Duration::from_secs), "{text:?}");
        }
    }
}
