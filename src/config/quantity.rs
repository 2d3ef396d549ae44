//! Durations and sizes as people write them, `7d` and `100MB`, and the shortest such text of a value.

use std::time::Duration;

use bytesize::ByteSize;

const UNITS_OF_TIME: [(u128, &str); 5] = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s"), (1, "ms")];
const UNITS_OF_SIZE: [(u64, &str); 3] = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];

/// `7d`, `24h`, `1h 30m`, `500ms`. Months and years are refused: they have no fixed length, and `M` looks like minutes.
pub fn read_duration(text: &str) -> Option<Duration> {
    const KNOWN: [&str; 6] = ["w", "d", "h", "m", "s", "ms"];
    let mut units = text.split(|c: char| c.is_ascii_digit() || c.is_whitespace()).filter(|unit| !unit.is_empty());
    if !units.all(|unit| KNOWN.contains(&unit)) {
        return None;
    }
    humantime::parse_duration(text).ok()
}

/// The shortest text that `read_duration` reads back. What is finer than a millisecond is cut.
pub fn write_duration(duration: Duration) -> String {
    let millis = duration.as_millis();
    if millis == 0 {
        return "0s".to_owned();
    }
    // One day is written as 24h, which is how people say it.
    let unit = UNITS_OF_TIME.iter().find(|(unit, name)| millis.is_multiple_of(*unit) && (*name != "d" || millis > *unit));
    unit.map_or_else(|| format!("{millis}ms"), |(unit, name)| format!("{}{name}", millis / unit))
}

/// `100MB` (decimal), `64MiB`, `512` (bytes). Fractions only where they give whole bytes.
pub fn read_size(text: &str) -> Option<u64> {
    let size = text.parse::<ByteSize>().ok()?.as_u64();
    let digits = text.split(|c: char| !c.is_ascii_digit()).next()?;
    let whole = text.split_once('.').is_none();
    // The crate cuts fractions of bytes and stops at the largest number instead of refusing.
    let cut = !whole && (size == 0 || !size.is_multiple_of(1_000) && !size.is_multiple_of(1_024));
    (!digits.is_empty() && !cut && size < u64::MAX).then_some(size)
}

/// The shortest text in decimal units that `read_size` reads back.
pub fn write_size(size: u64) -> String {
    let unit = UNITS_OF_SIZE.iter().find(|(unit, _)| size != 0 && size.is_multiple_of(*unit));
    unit.map_or_else(|| format!("{size}B"), |(unit, name)| format!("{}{name}", size / unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, seconds) in
            [("7d", 604_800), ("24h", 86_400), ("5m", 300), ("0s", 0), ("1h 30m", 5_400), ("1h30m", 5_400), ("2w", 1_209_600)]
        {
            assert_eq!(read_duration(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        for bad in ["", "7", "-7d", "7x", "1M", "1y", "1 month", "d", "1e9d", "99999999999999999999d", "1.5.5d", "7d!"] {
            assert_eq!(read_duration(bad), None, "{bad}");
        }
        for text in ["7d", "24h", "36h", "5m", "90s", "1500ms", "0s"] {
            assert_eq!(write_duration(read_duration(text).unwrap()), text);
        }
    }

    #[test]
    fn sizes() {
        for (text, size) in
            [("100MB", 100_000_000), ("64MiB", 67_108_864), ("512", 512), ("1.5GB", 1_500_000_000), ("7B", 7), ("1 kB", 1_000)]
        {
            assert_eq!(read_size(text), Some(size), "{text}");
        }
        for bad in ["", "-1MB", "1XB", "MB", "1.2.3GB", "99999999999999999999GB", "0.0001kB", "1.23456789kB", "1e9"] {
            assert_eq!(read_size(bad), None, "{bad}");
        }
        for text in ["100MB", "256MB", "2GB", "1kB", "1234B", "0B"] {
            assert_eq!(write_size(read_size(text).unwrap()), text);
        }
    }
}
