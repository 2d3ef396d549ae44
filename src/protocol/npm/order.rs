//! Which version is newer, and which may stand in for which: semantic versioning as npm uses it.

use std::cmp::Ordering;

use crate::ecosystem::Track;
use crate::model::package::Version;

/// Largest number in a version's first three places that npm's clients read. Source: semver, `MAX_SAFE_INTEGER`.
const NUMBER_MAX: u64 = (1 << 53) - 1;

/// `None` for what npm's clients would not take for a version either.
pub fn semantic(text: &str) -> Option<semver::Version> {
    let version = semver::Version::parse(text).ok()?;
    let readable = [version.major, version.minor, version.patch].into_iter().all(|number| number <= NUMBER_MAX);
    readable.then_some(version)
}

/// Which is newer. What is no semantic version is older than all that are, and ordered among its like by its text, so that
/// the order is total. Two that differ in build metadata only are not equal.
pub fn precedence(left: &Version, right: &Version) -> Ordering {
    match (semantic(left.as_str()), semantic(right.as_str())) {
        (Some(left), Some(right)) => left.cmp(&right),
        (Some(_), None) => Ordering::Greater,
        (None, Some(_)) => Ordering::Less,
        (None, None) => left.cmp(right),
    }
}

/// Major and prerelease class: the letters that the first prerelease identifier starts with, so that `rc1`, `rc.2` and
/// `rc-abc` are one class and `2.0.0-0` is of the class without a name.
pub fn track(version: &Version) -> Option<Track> {
    let version = semantic(version.as_str())?;
    let class = || version.pre.as_str().chars().take_while(char::is_ascii_alphabetic).collect::<String>();
    Some(Track { major: version.major, prerelease: (!version.pre.is_empty()).then(class) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        Version::parse(text).unwrap()
    }

    #[test]
    fn versions_are_ordered_as_npm_orders_them() {
        let sorted = [
            "18446744073709551616.0.0",
            "9007199254740992.0.0",
            "one",
            "v1.0.0",
            "0.0.1-0",
            "0.0.1",
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-rc.1",
            "1.0.0",
            "1.0.0+a",
            "1.0.0+b",
            "1.2.0",
            "1.10.0",
            "9007199254740991.0.0",
        ];
        for (place, left) in sorted.iter().enumerate() {
            for (other, right) in sorted.iter().enumerate() {
                assert_eq!(precedence(&version(left), &version(right)), place.cmp(&other), "{left} {right}");
            }
        }
    }

    #[test]
    fn tracks_are_major_and_prerelease_class() {
        #[track_caller]
        fn check(text: &str, expect: Option<(u64, Option<&str>)>) {
            let found = track(&version(text)).map(|track| (track.major, track.prerelease));
            assert_eq!(found, expect.map(|(major, class)| (major, class.map(str::to_owned))));
        }
        check("2.3.4", Some((2, None)));
        check("2.3.4+build", Some((2, None)));
        check("2.0.0-beta.3", Some((2, Some("beta"))));
        check("2.0.0-rc1", Some((2, Some("rc"))));
        check("2.0.0-canary-1a2b", Some((2, Some("canary"))));
        check("2.0.0-0", Some((2, Some(""))));
        check("2", None);
        check("v2.0.0", None);
        check("99999999999999999999.0.0", None);
    }
}
