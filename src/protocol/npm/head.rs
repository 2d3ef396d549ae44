//! A packument's top level, split in one pass over its text: by far the largest part of it is `versions`, which is split
//! on the way.

use std::cell::Cell;
use std::fmt;

use serde::Deserializer as _;
use serde::de::DeserializeSeed;
use serde::de::MapAccess;
use serde::de::Visitor;

use crate::ecosystem::Unreadable;
use crate::ecosystem::json::Key;
use crate::ecosystem::json::Pair;
use crate::protocol::npm::manifest::Fault;
use crate::protocol::npm::manifest::checked;

/// Most releases a packument may have; the largest known has about 15,000.
pub const VERSIONS_MAX: usize = 50_000;

/// Most keys on a packument's top level.
const KEYS_MAX: usize = 1_000;

const VERSIONS: &str = "versions";

/// The pairs of a packument's top level, no key twice, and those of `versions` apart, in which a key may stand twice.
#[derive(Debug)]
pub struct Head<'d> {
    pub pairs: Vec<Pair<'d>>,
    pub versions: Vec<Pair<'d>>,
}

/// Errors: what is no JSON object, is ambiguous on its top level, or has too many releases.
pub fn split(document: &[u8]) -> Result<Head<'_>, Unreadable> {
    let text = std::str::from_utf8(document).map_err(|error| Unreadable::Malformed(format!("not UTF-8: {error}")))?;
    let over = Cell::new(None);
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let read = deserializer.deserialize_map(Top { over: &over }).and_then(|head| deserializer.end().map(|()| head));
    let (pairs, versions) = match (read, over.take()) {
        (_, Some(limit)) => return Err(limit),
        (Ok(head), None) => head,
        (Err(error), None) => return Err(Unreadable::Malformed(format!("not JSON: {error}"))),
    };
    let malformed = |fault: Fault| Unreadable::Malformed(fault.to_string());
    let pairs = checked(pairs, "the document").map_err(malformed)?;
    let twice = || malformed(Fault::Twice { place: "the document", key: VERSIONS.to_owned() });
    let mut versions = versions.into_iter();
    match (versions.next(), versions.next()) {
        (_, Some(_)) => Err(twice()),
        (found, None) => Ok(Head { pairs, versions: found.unwrap_or_default() }),
    }
}

/// Reads the top level: its pairs, and what stands under each `versions`.
struct Top<'o> {
    over: &'o Cell<Option<Unreadable>>,
}

impl<'d> Visitor<'d> for Top<'_> {
    type Value = (Vec<Pair<'d>>, Vec<Vec<Pair<'d>>>);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'d>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut pairs, mut versions) = (Vec::new(), Vec::new());
        while let Some(key) = map.next_key::<Key<'d>>()? {
            if pairs.len() + versions.len() == KEYS_MAX {
                return Err(too_many(self.over, "the number of keys", KEYS_MAX));
            }
            if key == VERSIONS {
                versions.push(map.next_value_seed(Releases { over: self.over })?);
            } else {
                pairs.push((key, map.next_value()?));
            }
        }
        Ok((pairs, versions))
    }
}

struct Releases<'o> {
    over: &'o Cell<Option<Unreadable>>,
}

impl<'d> DeserializeSeed<'d> for Releases<'_> {
    type Value = Vec<Pair<'d>>;

    fn deserialize<D: serde::Deserializer<'d>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'d> Visitor<'d> for Releases<'_> {
    type Value = Vec<Pair<'d>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of versions")
    }

    fn visit_map<A: MapAccess<'d>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut releases = Vec::new();
        while let Some(release) = map.next_entry()? {
            if releases.len() == VERSIONS_MAX {
                return Err(too_many(self.over, "the number of versions", VERSIONS_MAX));
            }
            releases.push(release);
        }
        Ok(releases)
    }
}

/// Keeps which limit was met, because serde's errors carry text only.
fn too_many<E: serde::de::Error>(over: &Cell<Option<Unreadable>>, what: &'static str, max: usize) -> E {
    over.set(Some(Unreadable::TooLarge { what, max: max as u64 }));
    E::custom("over a limit")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_top_level_and_its_versions_are_split_at_once() {
        let head = split(br#" {"name":"x", "versions" : {"1":{"a" :1},"1":[2]},"v\u0065":3} "#).unwrap();
        let shown = |pairs: &[Pair<'_>]| pairs.iter().map(|(key, value)| format!("{}={}", &**key, value.get())).collect::<Vec<_>>();
        assert_eq!(shown(&head.pairs), ["name=\"x\"", "ve=3"]);
        assert_eq!(shown(&head.versions), ["1={\"a\" :1}", "1=[2]"]);
        assert_eq!(split(b"{}").unwrap().versions.len(), 0);
    }

    #[test]
    fn what_is_ambiguous_or_too_much_is_refused() {
        #[track_caller]
        fn check(text: &str, why: &str) {
            assert_eq!(split(text.as_bytes()).unwrap_err().to_string(), why);
        }
        let shape = "not a document of this format: ";
        check(r#"{"versions":{},"\u0076ersions":{}}"#, &format!("{shape}the document has the key \"versions\" twice"));
        check(r#"{"a":{},"a":{}}"#, &format!("{shape}the document has the key \"a\" twice"));
        check(
            r#"{"versions":[]}"#,
            &format!("{shape}not JSON: invalid type: sequence, expected an object of versions at line 1 column 12"),
        );
        check("[]", &format!("{shape}not JSON: invalid type: sequence, expected an object at line 1 column 0"));
        check("{} {}", &format!("{shape}not JSON: trailing characters at line 1 column 4"));
        assert_eq!(
            split(b"{\"a\":\"\xff\"}").unwrap_err().to_string(),
            format!("{shape}not UTF-8: invalid utf-8 sequence of 1 bytes from index 6")
        );
        let keys: Vec<String> = (0..=KEYS_MAX).map(|n| format!("\"{n}\":0")).collect();
        check(&format!("{{{}}}", keys.join(",")), "the number of keys is over its limit of 1000");
    }
}
