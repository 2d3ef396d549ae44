//! Hosts that serve as drops. The list is `hosts.txt`, compiled in; names decay within hours, so that it holds services only,
//! never the host of one attack.

use std::ops::Range;

const LIST: &str = include_str!("hosts.txt");

/// How far before a name its scheme may stand: a long name below the host, and a user.
const REACH_BYTES: usize = 120;

/// Names, each with why it is in the list.
pub(super) fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
    LIST.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('\t'))
}

/// Whether a name of the list that stands at `place` is the host that an address leads to, or the value of a key `host`. A
/// list of names, such as that of public suffixes, is none of both.
pub(super) fn is_addressed(text: &[u8], place: &Range<usize>) -> bool {
    let ends = match text.get(place.end) {
        Some(b'.') => !text.get(place.end + 1).is_some_and(u8::is_ascii_alphanumeric),
        Some(b) => !b.is_ascii_alphanumeric() && !matches!(b, b'-' | b'_'),
        None => true,
    };
    let before = text.get(place.start.saturating_sub(REACH_BYTES)..place.start).unwrap_or_default();
    if !ends || before.last().is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')) {
        return false;
    }
    let authority = before.iter().rev().take_while(|b| b.is_ascii_alphanumeric() || b"._-@:${}".contains(b)).count();
    let (rest, _) = before.split_at(before.len() - authority);
    if rest.ends_with(b"//") {
        return true;
    }
    let quoted = rest.strip_suffix(b"'").or_else(|| rest.strip_suffix(b"\"")).or_else(|| rest.strip_suffix(b"`"));
    quoted.is_some_and(|rest| {
        let rest = rest.trim_ascii_end();
        let rest = rest.strip_suffix(b":").or_else(|| rest.strip_suffix(b"=")).unwrap_or(b"");
        let key = rest.trim_ascii_end();
        let key = key.strip_suffix(b"\"").or_else(|| key.strip_suffix(b"'")).unwrap_or(key);
        key.to_ascii_lowercase().ends_with(b"host") || key.to_ascii_lowercase().ends_with(b"hostname")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_has_a_name_and_a_reason() {
        let lines = LIST.lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(all().count(), lines);
        for (name, why) in all() {
            assert!(name.contains('.') && name == name.to_ascii_lowercase() && why.len() > 10, "{name}");
        }
    }

    #[test]
    fn only_what_is_addressed_counts() {
        let addressed = |text: &str| {
            let at = text.find("file.io").unwrap();
            is_addressed(text.as_bytes(), &(at..at + 7))
        };
        for text in [
            "'https://file.io/x'",
            "https://a.b.file.io",
            "`https://${id}.file.io/`",
            "{ hostname: 'file.io' }",
            "\"host\":\"x.file.io\"",
            "//u@file.io:80",
        ] {
            assert!(addressed(text), "{text}");
        }
        for text in [
            "['file.io','a']",
            "https://myfile.io",
            "https://file.io.example",
            "https://file.io-x",
            "import file.io",
            "https://a.example/file.io",
            "'file.io'",
        ] {
            assert!(!addressed(text), "{text}");
        }
    }
}
