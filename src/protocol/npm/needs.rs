//! What npm asks for next when it installs a release, and which version it takes: guesses by which the catalog is ready
//! before it is asked. What is spelled in ways that are not read here is left out, and then waits like any first request.

use std::collections::HashSet;

use semver::Version as Semantic;
use semver::VersionReq;

use crate::ecosystem::Need;
use crate::model::package::PackageId;
use crate::model::package::Version;
use crate::protocol::npm::claims::INSTALLED_FIELDS;
use crate::protocol::npm::claims::is_exotic;
use crate::protocol::npm::manifest::Manifest;
use crate::protocol::npm::manifest::as_text;
use crate::protocol::npm::order::semantic;

/// Of one release, and the length of a range in bytes.
const NEEDS_MAX: usize = 256;
/// Manifests above this, in bytes, are not looked at: what they need waits like any first request.
const MANIFEST_BYTES_MAX: usize = 64 * 1024;
const RANGE_BYTES_MAX: usize = 256;
/// Alternatives of one range: `1 || 2 || 3`.
const ALTERNATIVES_MAX: usize = 16;

/// Dependencies that npm installs along, in the order they stand; optional peers it leaves alone.
pub fn needs(manifest: &[u8]) -> Vec<Need> {
    if manifest.len() > MANIFEST_BYTES_MAX {
        return Vec::new();
    }
    let Ok(manifest) = Manifest::split(manifest) else { return Vec::new() };
    let waived = optional_peers(&manifest);
    let mut needs = Vec::new();
    for field in INSTALLED_FIELDS {
        for (name, wanted) in manifest.object(field).unwrap_or_default() {
            if needs.len() >= NEEDS_MAX {
                return needs;
            }
            if field == "peerDependencies" && waived.contains(&*name) {
                continue;
            }
            if let Some(wanted) = as_text(wanted)
                && wanted.len() <= RANGE_BYTES_MAX
                && !is_exotic(&wanted)
            {
                needs.extend(need(&name, wanted.trim()));
            }
        }
    }
    needs
}

fn optional_peers(manifest: &Manifest<'_>) -> HashSet<String> {
    let meta = manifest.object("peerDependenciesMeta").unwrap_or_default();
    let optional = meta.into_iter().filter(|(_, meta)| {
        let meta = serde_json::from_str::<serde_json::Value>(meta.get());
        meta.is_ok_and(|meta| meta.get("optional") == Some(&serde_json::Value::Bool(true)))
    });
    optional.map(|(name, _)| name.to_string()).collect()
}

/// Whose the dependency is: of an alias the package behind it.
pub fn needed(name: &str, wanted: &str) -> Option<PackageId> {
    if is_exotic(wanted) { None } else { Some(need(name, wanted.trim())?.package) }
}

/// `npm:other@1` is a need of another package under an alias.
pub fn need(name: &str, wanted: &str) -> Option<Need> {
    let (name, range) = match wanted.strip_prefix("npm:") {
        Some(target) => match target.char_indices().skip(1).find(|(_, c)| *c == '@') {
            Some((at, _)) => (target.get(..at)?, target.get(at + 1..)?),
            None => (target, "*"),
        },
        None => (name, wanted),
    };
    Some(Need { package: PackageId::npm(name).ok()?, range: range.to_owned() })
}

/// The tag of that name; else `latest` where it fits, else the newest that fits. Source: npm-pick-manifest.
pub fn choose<'v>(range: &str, pointers: &'v [(String, Version)], versions: &[&'v Version]) -> Option<&'v Version> {
    let tagged = |tag: &str| pointers.iter().find(|(name, _)| name == tag).map(|(_, version)| version);
    if let Some(version) = tagged(range) {
        return Some(version);
    }
    let alternatives: Vec<VersionReq> = range.split("||").take(ALTERNATIVES_MAX).filter_map(requirement).collect();
    let fits = |version: &Semantic| alternatives.iter().any(|one| one.matches(version));
    let latest = tagged("latest").filter(|version| semantic(version.as_str()).is_some_and(|version| fits(&version)));
    latest.or_else(|| {
        let fitting = versions.iter().filter_map(|version| Some((semantic(version.as_str()).filter(&fits)?, *version)));
        fitting.max_by(|(left, _), (right, _)| left.cmp(right)).map(|(_, version)| version)
    })
}

/// Whether a range of an advisory speaks of this version. What cannot be read, and a prerelease, is said to be affected: too
/// much is told before too little.
pub fn is_affected(range: &str, version: &str) -> bool {
    let Some(version) = semantic(version).filter(|version| version.pre.is_empty()) else { return true };
    range.split("||").any(|one| requirement(one).is_none_or(|one| one.matches(&version)))
}

/// Whether npm would take it for a range of versions, and so never for a tag.
pub fn is_range(text: &str) -> bool {
    text.split("||").all(|alternative| requirement(alternative).is_some())
}

/// One alternative of npm's range grammar. Source: node-semver, "Range Grammar".
fn requirement(alternative: &str) -> Option<VersionReq> {
    let alternative = alternative.trim();
    if alternative.is_empty() || alternative == "x" || alternative == "X" {
        return Some(VersionReq::STAR);
    }
    if let Some((from, to)) = alternative.split_once(" - ") {
        return VersionReq::parse(&format!(">={}, <={}", bare(from), bare(to))).ok();
    }
    let mut comparators = Vec::new();
    let mut operator = String::new();
    for word in alternative.split_whitespace() {
        let version = word.trim_start_matches(['<', '>', '=', '~', '^']);
        operator.push_str(word.get(..word.len() - version.len())?);
        if version.is_empty() {
            continue;
        }
        let version = bare(version);
        // Without an operator it is that very version here, and anything compatible to the crate.
        if operator.is_empty() && !version.contains(['x', 'X', '*']) {
            operator.push('=');
        }
        comparators.push(format!("{}{version}", if operator == "~>" { "~" } else { &operator }));
        operator.clear();
    }
    VersionReq::parse(&comparators.join(", ")).ok()
}

fn bare(version: &str) -> &str {
    version.trim().trim_start_matches(['v', 'V', '='])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(manifest: &str, expect: &[(&str, &str)]) {
        let found = needs(manifest.as_bytes());
        let found: Vec<(&str, &str)> = found.iter().map(|need| (need.package.name.as_str(), need.range.as_str())).collect();
        assert_eq!(found, expect, "{manifest}");
    }

    #[test]
    fn what_is_installed_along_is_needed() {
        check(r#"{"dependencies":{"b":"^1","a":" ~2.0.0 "},"devDependencies":{"c":"*"}}"#, &[("b", "^1"), ("a", "~2.0.0")]);
        check(r#"{"dependencies":{"a":"1"},"optionalDependencies":{"@s/o":"2"}}"#, &[("a", "1"), ("@s/o", "2")]);
        check(
            r#"{"peerDependencies":{"p":"1","q":"2","r":"3"},"peerDependenciesMeta":{"q":{"optional":true},"r":{"optional":false}}}"#,
            &[("p", "1"), ("r", "3")],
        );
        check(r#"{"dependencies":{"a":"npm:@s/b@^2","c":"npm:d"}}"#, &[("@s/b", "^2"), ("d", "*")]);
    }

    #[test]
    fn what_no_registry_serves_and_what_cannot_be_read_is_not() {
        check(r#"{"dependencies":{"a":"git+https://x.example/a.git","b":"file:../b","../c":"1","d":7,"e":"x/y"}}"#, &[]);
        check(r#"{"dependencies":["a"]}"#, &[]);
        check("no manifest", &[]);
        let many: Vec<String> = (0..NEEDS_MAX + 5).map(|number| format!(r#""p{number}":"1""#)).collect();
        assert_eq!(needs(format!(r#"{{"dependencies":{{{}}}}}"#, many.join(",")).as_bytes()).len(), NEEDS_MAX);
    }

    #[track_caller]
    fn chosen(range: &str, expect: Option<&str>) {
        let version = |text: &&str| Version::parse(text).unwrap();
        let versions: Vec<Version> = ["1.0.0", "1.2.0", "1.2.9", "2.0.0", "2.1.0", "3.0.0-rc.1", "junk"].iter().map(version).collect();
        let pointers = [("latest".to_owned(), version(&"2.0.0")), ("next".to_owned(), version(&"3.0.0-rc.1"))];
        let all: Vec<&Version> = versions.iter().collect();
        assert_eq!(choose(range, &pointers, &all).map(Version::as_str), expect, "{range}");
    }

    #[test]
    fn the_version_that_npm_would_take() {
        for (range, expect) in [
            ("", Some("2.0.0")),
            ("*", Some("2.0.0")),
            ("latest", Some("2.0.0")),
            ("next", Some("3.0.0-rc.1")),
            ("^1.0.0", Some("1.2.9")),
            ("~1.2.0", Some("1.2.9")),
            ("~> 1.2", Some("1.2.9")),
            ("1.2.0", Some("1.2.0")),
            ("=v1.2.0", Some("1.2.0")),
            ("1", Some("1.2.9")),
            ("1.x", Some("1.2.9")),
            ("1.2.*", Some("1.2.9")),
            ("^2", Some("2.0.0")),
            (">2.0.0", Some("2.1.0")),
            (">= 1.0.0 < 1.2.9", Some("1.2.0")),
            ("1.0.0 - 1.2.5", Some("1.2.0")),
            ("^1.0.0 || ^2.1.0", Some("2.1.0")),
            ("0.x || nonsense", None),
            ("^7", None),
            ("beta", None),
        ] {
            chosen(range, expect);
        }
    }
}
