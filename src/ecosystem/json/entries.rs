//! An object split into its pairs, each value the very text that it is.

use std::borrow::Borrow;
use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;
use std::ops::Deref;

use serde::Deserialize;
use serde::Deserializer;
use serde::de::MapAccess;
use serde::de::Visitor;
use serde_json::value::RawValue;

use crate::ecosystem::json::Broken;
use crate::ecosystem::json::JsonFault;
use crate::ecosystem::json::decoded;
use crate::ecosystem::json::located;
use crate::ecosystem::json::record;

/// How many pairs [`entries`] splits an object into, so that five bytes of text never cost fifty of memory without end.
pub const ENTRIES_MAX: usize = 200_000;

/// A key, unescaped: a piece of the text itself, unless it was written with escapes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Key<'t>(Cow<'t, str>);

pub type Pair<'t> = (Key<'t>, &'t RawValue);

impl Deref for Key<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Key<'_> {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl PartialEq<&str> for Key<'_> {
    fn eq(&self, other: &&str) -> bool {
        self.0 == *other
    }
}

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Key<'de>, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Key<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// The pairs of the object that `text` is, in order; a key that stands twice comes twice. Keys are unescaped; values are
/// the very text. Values are checked for grammar only: not for their own keys, depth, surrogates or range of numbers.
pub fn entries(text: &[u8]) -> Result<Vec<Pair<'_>>, JsonFault> {
    struct Pairs<'b>(&'b RefCell<Option<Broken>>);
    impl<'de> Visitor<'de> for Pairs<'_> {
        type Value = Vec<Pair<'de>>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut pairs = Vec::new();
            while let Some(pair) = map.next_entry()? {
                if pairs.len() == ENTRIES_MAX {
                    return Err(record(self.0, Broken::TooManyEntries));
                }
                pairs.push(pair);
            }
            Ok(pairs)
        }
    }
    let text = decoded(text)?;
    let broken = RefCell::new(None);
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let pairs = deserializer.deserialize_map(Pairs(&broken)).and_then(|pairs| deserializer.end().map(|()| pairs));
    pairs.map_err(|err| located(broken.take(), &err, 0))
}

/// A key that stands twice among `pairs`.
pub fn duplicate<'p>(pairs: &'p [Pair<'_>]) -> Option<&'p str> {
    // Packers sort dependencies, and they are most of all keys.
    if pairs.is_sorted_by(|(left, _), (right, _)| left < right) {
        return None;
    }
    let mut keys: Vec<&str> = pairs.iter().map(|(key, _)| &**key).collect();
    // By length first: most comparisons then look at no text.
    keys.sort_unstable_by_key(|key| (key.len(), *key));
    keys.windows(2).find(|two| two[0] == two[1]).map(|two| two[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_keep_order_duplicates_and_the_very_text() {
        let pairs = entries(br#" {"b": [1, 2] , "a":{"x" :1e999},"b":"\u0061"} "#).unwrap();
        let shown: Vec<(&str, &str)> = pairs.iter().map(|(key, value)| (&**key, value.get())).collect();
        assert_eq!(shown, [("b", "[1, 2]"), ("a", r#"{"x" :1e999}"#), ("b", r#""\u0061""#)]);
        assert_eq!(duplicate(&pairs), Some("b"));
        assert_eq!(duplicate(&pairs[..2]), None);
    }

    #[test]
    fn entries_are_of_one_object() {
        for bad in [b"[]".as_slice(), b"{} x", b"{", b"{\"a\":}", b"\xef\xbb\xbf{}", b"{\"a\":\"\xff\"}", b"null"] {
            assert!(entries(bad).is_err());
        }
        assert_eq!(entries(b"{}").unwrap().len(), 0);
    }

    #[test]
    fn entries_are_counted() {
        let many = format!("{{{}\"\":0}}", "\"\":0,".repeat(ENTRIES_MAX));
        assert!(matches!(entries(many.as_bytes()), Err(JsonFault::TooManyEntries { .. })));
    }

    #[test]
    fn deep_text_does_not_exhaust_the_stack() {
        let deep = [b"{\"a\":".as_slice(), &b"[".repeat(1_000_000), &b"]".repeat(1_000_000), b"}"].concat();
        assert_eq!(entries(&deep).unwrap().len(), 1);
    }
}
