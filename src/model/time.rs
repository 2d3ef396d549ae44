//! An instant, as milliseconds since the Unix epoch: what the ledger keeps and what ages are counted from.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde::Deserializer;
use serde::Serialize;
use serde::Serializer;

/// Milliseconds since 1970-01-01T00:00:00Z. Written in JSON as RFC 3339 with milliseconds and `Z`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Timestamp(i64);

#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not an RFC 3339 time such as 2026-11-27T14:05:00Z")]
pub struct NotATime(String);

impl Timestamp {
    pub const fn from_millis(millis: i64) -> Timestamp {
        Timestamp(millis)
    }

    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Any RFC 3339 text, offsets and fractions included, as mirrors send them. Source: RFC 3339.
    pub fn parse(text: &str) -> Result<Timestamp, NotATime> {
        text.parse::<jiff::Timestamp>().map(|at| Timestamp(at.as_millisecond())).map_err(|_| NotATime(text.chars().take(64).collect()))
    }

    /// Later by `by`; stops at the largest instant instead of wrapping.
    pub fn plus(self, by: Duration) -> Timestamp {
        Timestamp(self.0.saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
    }

    pub fn minus(self, by: Duration) -> Timestamp {
        Timestamp(self.0.saturating_sub(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
    }

    /// How long after `earlier` this is; zero when it is not after.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// `2026-11-27 14:05 UTC`, the form people are shown, rounded up to the minute so that it is never too early.
    pub fn for_people(self) -> String {
        const MINUTE: i64 = 60_000;
        let up = self.0.saturating_add(MINUTE - 1).div_euclid(MINUTE).saturating_mul(MINUTE);
        match jiff::Timestamp::from_millisecond(up) {
            Ok(at) => at.strftime("%Y-%m-%d %H:%M UTC").to_string(),
            Err(_) => "never".to_owned(),
        }
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(at) => write!(f, "{at:.3}"),
            Err(_) => write!(f, "9999-12-31T23:59:59.999Z"),
        }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Timestamp::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// `9 hours`, `7 days`, `1 minute`: the two-digit reading of a duration that people are shown, rounded down.
pub fn roughly(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (count, unit) = match seconds {
        0..60 => (seconds, "second"),
        60..3_600 => (seconds / 60, "minute"),
        3_600..172_800 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    if count == 1 { format!("{count} {unit}") } else { format!("{count} {unit}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_offsets_and_writes_utc() {
        let at = Timestamp::parse("2025-10-03T14:00:00.5+02:00").unwrap();
        assert_eq!(at.to_string(), "2025-10-03T12:00:00.500Z");
        assert_eq!(at.for_people(), "2025-10-03 12:01 UTC");
        assert!(Timestamp::parse("yesterday").is_err());
    }

    #[test]
    fn reads_durations_as_people_do() {
        for (seconds, text) in [(59, "59 seconds"), (60, "1 minute"), (9 * 3_600, "9 hours"), (86_400, "24 hours"), (7 * 86_400, "7 days")]
        {
            assert_eq!(roughly(Duration::from_secs(seconds)), text);
        }
    }
}
