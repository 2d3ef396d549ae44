//! What an audit asks, read no further than it is answered: a body that is small enough can name very much.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::Deserializer;
use serde::de::DeserializeSeed;
use serde::de::Error;
use serde::de::IgnoredAny;
use serde::de::MapAccess;
use serde::de::SeqAccess;
use serde::de::Visitor;

/// Packages of one question, and their releases together. Large workspaces have some thousands of each.
pub const PACKAGES_MAX: usize = 20_000;
pub const RELEASES_MAX: usize = 50_000;
/// Places in a tree that releases stand at: one release may stand at many.
pub const PLACES_MAX: usize = 100_000;

/// Why a body is no question.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NotAQuestion {
    Malformed(String),
    /// It names more of them than this.
    TooMany {
        what: &'static str,
        max: usize,
    },
}

/// How many may come yet.
pub struct Left {
    what: &'static str,
    max: usize,
    taken: Cell<usize>,
}

impl Left {
    pub const fn of(what: &'static str, max: usize) -> Left {
        Left { what, max, taken: Cell::new(0) }
    }

    /// One more.
    pub fn take<E: Error>(&self) -> Result<(), E> {
        self.taken.set(self.taken.get() + 1);
        if self.is_exceeded() { Err(E::custom("there are too many")) } else { Ok(()) }
    }

    fn is_exceeded(&self) -> bool {
        self.taken.get() > self.max
    }

    /// Reads `text` by a seed that takes from `left`, to its end.
    pub fn read<'t, S: DeserializeSeed<'t>>(left: &[&Left], text: &'t [u8], seed: S) -> Result<S::Value, NotAQuestion> {
        let mut deserializer = serde_json::Deserializer::from_slice(text);
        let read = seed.deserialize(&mut deserializer).and_then(|value| deserializer.end().map(|()| value));
        read.map_err(|error| match left.iter().find(|left| left.is_exceeded()) {
            Some(left) => NotAQuestion::TooMany { what: left.what, max: left.max },
            None => NotAQuestion::Malformed(error.to_string()),
        })
    }
}

/// Versions by package: what npm's bulk audit asks.
pub fn bulk(text: &[u8]) -> Result<BTreeMap<String, Vec<String>>, NotAQuestion> {
    let (packages, releases) = (Left::of("packages", PACKAGES_MAX), Left::of("releases", RELEASES_MAX));
    Left::read(&[&packages, &releases], text, Packages { packages: &packages, releases: &releases })
}

struct Packages<'l> {
    packages: &'l Left,
    releases: &'l Left,
}

impl<'de> DeserializeSeed<'de> for Packages<'_> {
    type Value = BTreeMap<String, Vec<String>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Packages<'_> {
    type Value = BTreeMap<String, Vec<String>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("versions by package")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut packages: Self::Value = BTreeMap::new();
        while let Some(name) = map.next_key::<String>()? {
            self.packages.take()?;
            let versions = map.next_value_seed(Versions(self.releases))?;
            packages.entry(name).or_default().extend(versions);
        }
        Ok(packages)
    }
}

struct Versions<'l>(&'l Left);

impl<'de> DeserializeSeed<'de> for Versions<'_> {
    type Value = Vec<String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Versions<'_> {
    type Value = Vec<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of versions")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut versions = Vec::new();
        while let Some(version) = list.next_element()? {
            self.0.take()?;
            versions.push(version);
        }
        Ok(versions)
    }
}

/// What stands where something else might: as much of it as is of use.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Loose {
    #[default]
    Nothing,
    True,
    Text(String),
    Other,
}

impl<'de> Deserialize<'de> for Loose {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Loose, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Loose;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("anything")
            }

            fn visit_unit<E>(self) -> Result<Loose, E> {
                Ok(Loose::Nothing)
            }

            fn visit_bool<E>(self, is: bool) -> Result<Loose, E> {
                Ok(if is { Loose::True } else { Loose::Other })
            }

            fn visit_str<E>(self, text: &str) -> Result<Loose, E> {
                Ok(Loose::Text(text.to_owned()))
            }

            fn visit_i64<E>(self, _: i64) -> Result<Loose, E> {
                Ok(Loose::Other)
            }

            fn visit_u64<E>(self, _: u64) -> Result<Loose, E> {
                Ok(Loose::Other)
            }

            fn visit_f64<E>(self, _: f64) -> Result<Loose, E> {
                Ok(Loose::Other)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Loose, A::Error> {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Loose::Other)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Loose, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Loose::Other)
            }
        }
        deserializer.deserialize_any(Any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_versions_by_package() {
        let asked = bulk(br#" {"b":["1.0.0","1.0.0"],"a":[],"b":["2.0.0"]} "#).unwrap();
        let expect = [("a".to_owned(), vec![]), ("b".to_owned(), ["1.0.0", "1.0.0", "2.0.0"].map(str::to_owned).to_vec())];
        assert_eq!(asked, BTreeMap::from(expect));
        for bad in [&b""[..], b"[]", b"{}x", b"{\"a\":\"1\"}", b"{\"a\":[1]}", b"{\"a\":[\"1\"", b"null"] {
            assert!(matches!(bulk(bad), Err(NotAQuestion::Malformed(_))), "{bad:?}");
        }
    }

    #[test]
    fn what_is_too_much_is_not_read() {
        let versions = |count: usize| vec!["\"1\""; count].join(",");
        let too_many = |what, max| Err(NotAQuestion::TooMany { what, max });
        let one = |count| format!("{{\"a\":[{}]}}", versions(count));
        assert!(bulk(one(RELEASES_MAX).as_bytes()).is_ok());
        assert_eq!(bulk(one(RELEASES_MAX + 1).as_bytes()), too_many("releases", RELEASES_MAX));
        // The same name again is no way round, and what comes behind is not looked at.
        let twice = format!("{{\"a\":[{}],\"a\":[{}],nonsense", versions(RELEASES_MAX), versions(1));
        assert_eq!(bulk(twice.as_bytes()), too_many("releases", RELEASES_MAX));
        let names = |count: usize| (0..count).map(|at| format!("\"p{at}\":[]")).collect::<Vec<String>>().join(",");
        assert!(bulk(format!("{{{}}}", names(PACKAGES_MAX)).as_bytes()).is_ok());
        assert_eq!(bulk(format!("{{{}}}", names(PACKAGES_MAX + 1)).as_bytes()), too_many("packages", PACKAGES_MAX));
    }
}
