//! An object split into its pairs, each value the very text that it is.

use std::borrow::Borrow;
use std::borrow::Cow;
use std::ops::Deref;

use crate::ecosystem::json::JsonFault;
use crate::ecosystem::json::decoded;
use crate::ecosystem::json::scan::Quoted;
use crate::ecosystem::json::scan::Raw;
use crate::ecosystem::json::scan::Scanner;

/// How many pairs [`entries`] splits an object into, so that five bytes of text never cost fifty of memory without end.
pub const ENTRIES_MAX: usize = 200_000;

/// A key, unescaped: a piece of the text itself, unless it was written with escapes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Key<'t>(Cow<'t, str>);

pub type Pair<'t> = (Key<'t>, Raw<'t>);

impl Deref for Key<'_> {
    type Target = str;

    #[inline]
    fn deref(&self) -> &str {
        match &self.0 {
            Cow::Borrowed(text) => text,
            Cow::Owned(text) => text,
        }
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

impl<'t> Key<'t> {
    /// Unescaped. Errors: a lone surrogate.
    #[inline]
    pub fn of(quoted: Quoted<'t>) -> Result<Key<'t>, JsonFault> {
        if quoted.has_escapes { Key::unescaped(quoted.inside) } else { Ok(Key(Cow::Borrowed(quoted.inside))) }
    }

    fn unescaped(inside: &str) -> Result<Key<'t>, JsonFault> {
        let owned = serde_json::from_str(&format!("\"{inside}\"")).map(|text| Key(Cow::Owned(text)));
        owned.map_err(|error| JsonFault::Malformed { why: format!("in a key, {error}") })
    }
}

/// The pairs of the object that `text` is, in order; a key that stands twice comes twice. Keys are unescaped; values are
/// the very text. Values are checked for grammar only: not for their own keys, depth, surrogates or range of numbers.
pub fn entries(text: &[u8]) -> Result<Vec<Pair<'_>>, JsonFault> {
    let mut pairs = Vec::new();
    let mut scanner = Scanner::new(decoded(text)?);
    scanner.object(|scanner, key| {
        if pairs.len() == ENTRIES_MAX {
            return Err(JsonFault::TooManyEntries { max: ENTRIES_MAX, place: scanner.place() });
        }
        pairs.push((Key::of(key)?, scanner.value()?));
        Ok(())
    })?;
    scanner.end()?;
    Ok(pairs)
}

/// A key that stands twice among `pairs`.
pub fn duplicate<'p>(pairs: &'p [Pair<'_>]) -> Option<&'p str> {
    // Packers sort dependencies, and they are most of all keys.
    if pairs.is_sorted_by(|(left, _), (right, _)| left < right) {
        return None;
    }
    // Keys that differ nearly always do so in their lengths, beginnings or ends, which are sorted much faster.
    let mut marks: Vec<u64> = pairs.iter().map(|(key, _)| mark(key)).collect();
    marks.sort_unstable();
    if marks.is_sorted_by(|left, right| left < right) {
        return None;
    }
    let mut keys: Vec<&str> = pairs.iter().map(|(key, _)| &**key).collect();
    keys.sort_unstable();
    keys.windows(2).find(|two| two[0] == two[1]).map(|two| two[0])
}

/// The same for equal keys.
fn mark(key: &str) -> u64 {
    let bytes = key.as_bytes();
    let ends = match (bytes.first_chunk(), bytes.last_chunk()) {
        (Some(first), Some(last)) => u64::from_le_bytes(*first) ^ u64::from_le_bytes(*last).rotate_left(29),
        (_, _) => bytes.iter().fold(0, |mark, byte| mark << 8 | u64::from(*byte)),
    };
    ends ^ (key.len() as u64).rotate_right(8)
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
