//! What a command is about, as people type it: a package, or one release of it; a day; a reason.

use std::str::FromStr;
use std::time::Duration;

use crate::cli::failure::Failure;
use crate::clock::Clock;
use crate::config::read_duration;
use crate::model::decision::Decision;
use crate::model::package::PackageName;
use crate::model::package::Version;
use crate::model::time::Timestamp;

/// `left-pad@1.3.0`, `@acme/web@2.0.0`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReleaseTarget {
    pub package: PackageName,
    pub version: Version,
}

/// `left-pad`, or one of its releases.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Target {
    pub package: PackageName,
    pub version: Option<Version>,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Target, String> {
        // An @ in front belongs to the scope.
        let (name, version) = match text.rfind('@').filter(|at| *at > 0) {
            Some(at) => (&text[..at], Some(&text[at + 1..])),
            None => (text, None),
        };
        let package = PackageName::npm(name).map_err(|error| error.to_string())?;
        if version == Some("") {
            return Err(format!("the version is missing behind the @: write {package}@1.0.0, or {package} alone"));
        }
        let version = version.map(Version::parse).transpose().map_err(|error| format!("behind the @ stands no version: {error}"))?;
        Ok(Target { package, version })
    }
}

impl FromStr for ReleaseTarget {
    type Err = String;

    fn from_str(text: &str) -> Result<ReleaseTarget, String> {
        let Target { package, version } = text.parse()?;
        let version = version.ok_or_else(|| format!("the version is missing: write {package}@VERSION"))?;
        Ok(ReleaseTarget { package, version })
    }
}

/// A reason as it is sent: not blank, not too long.
pub fn reason(text: &str) -> Result<String, Failure> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Failure::usage(
            "the reason is empty",
            "say why, for those who read the ledger later: --reason \"read the diff, see ticket 812\"",
        ));
    }
    if text.len() > Decision::REASON_BYTES_MAX {
        return Err(Failure::usage(
            format!("the reason is longer than {} bytes", Decision::REASON_BYTES_MAX),
            "shorten it, and link to the rest",
        ));
    }
    Ok(text.to_owned())
}

/// `30d` from now, or a day `2027-01-31` (its first instant in UTC), or an RFC 3339 time. Must lie ahead.
pub fn expiry(text: &str, clock: &Clock) -> Result<Timestamp, Failure> {
    const MOST: Duration = Duration::from_secs(3_650 * 24 * 3_600);
    let now = clock.now();
    let day = || format!("{text}T00:00:00Z");
    let at = match read_duration(text) {
        Some(duration) if duration > MOST => None,
        Some(duration) => Some(now.plus(duration)),
        None => Timestamp::parse(text).or_else(|_| Timestamp::parse(&day())).ok(),
    };
    match at {
        Some(at) if at > now => Ok(at),
        Some(_) => Err(Failure::usage(format!("{text:?} is not ahead"), "name a time that is still to come, such as --expires 30d")),
        None => {
            Err(Failure::usage(format!("{text:?} is no time"), "write --expires 30d, --expires 2027-01-31, or a full time with its offset"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_package_or_a_release() {
        let check = |text: &str| {
            text.parse::<Target>().map(|target| (target.package.to_string(), target.version.map(|version| version.to_string())))
        };
        assert_eq!(check("left-pad"), Ok(("left-pad".to_owned(), None)));
        assert_eq!(check("left-pad@1.3.0"), Ok(("left-pad".to_owned(), Some("1.3.0".to_owned()))));
        assert_eq!(check("@acme/web"), Ok(("@acme/web".to_owned(), None)));
        assert_eq!(check("@acme/web@2.0.0-rc.1+b"), Ok(("@acme/web".to_owned(), Some("2.0.0-rc.1+b".to_owned()))));
        for bad in ["", "@acme", "left-pad@", "a b", "../x", "left-pad@1 2", "@", "a/b@1.0.0"] {
            assert!(check(bad).is_err(), "{bad}");
        }
        assert!("left-pad".parse::<ReleaseTarget>().unwrap_err().contains("left-pad@VERSION"));
    }

    #[test]
    fn an_expiry_lies_ahead() {
        let clock = Clock::test(Timestamp::parse("2026-11-20T12:00:00Z").unwrap());
        let check = |text: &str| expiry(text, &clock).map(|at| at.to_string()).map_err(|failure| failure.code());
        assert_eq!(check("30d"), Ok("2026-12-20T12:00:00.000Z".to_owned()));
        assert_eq!(check("2027-01-31"), Ok("2027-01-31T00:00:00.000Z".to_owned()));
        assert_eq!(check("2027-01-31T10:00:00+02:00"), Ok("2027-01-31T08:00:00.000Z".to_owned()));
        for bad in ["0s", "2026-11-20", "soon", "", "1M", "99999w", "-3d"] {
            assert_eq!(check(bad), Err(2), "{bad}");
        }
    }

    #[test]
    fn a_reason_says_something() {
        assert_eq!(reason("  why \n").unwrap(), "why");
        assert_eq!(reason(" ").unwrap_err().code(), 2);
        assert_eq!(reason(&"x".repeat(1_001)).unwrap_err().code(), 2);
    }
}
