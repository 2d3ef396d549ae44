//! Strict JSON: text that two readers could read differently is refused, not interpreted.
//! `strict` reads a whole document into a value; `entries` only splits an object, keeping each value's text as it is;
//! `keeping` reads as a reader would that keeps the first or the last of two equal keys, to see whether it matters.

mod entries;
mod scan;

pub use crate::ecosystem::json::entries::ENTRIES_MAX;
pub use crate::ecosystem::json::entries::Key;
pub use crate::ecosystem::json::entries::Pair;
pub use crate::ecosystem::json::entries::duplicate;
pub use crate::ecosystem::json::entries::entries;
pub use crate::ecosystem::json::scan::Quoted;
pub use crate::ecosystem::json::scan::Raw;
pub use crate::ecosystem::json::scan::Scanner;

use std::cell::RefCell;
use std::fmt;
use std::str;

use serde::de::DeserializeSeed;
use serde::de::MapAccess;
use serde::de::SeqAccess;
use serde::de::Visitor;
use serde_json::Map;
use serde_json::Number;
use serde_json::Value;

use crate::model::finding::printable;

/// Keys that reach an object's prototype in JavaScript, where the same text means something else than here.
const FORBIDDEN_KEYS: [&str; 3] = ["__proto__", "constructor", "prototype"];

/// Bytes of a key that an error repeats.
const SHOWN_KEY_BYTES_MAX: usize = 80;

/// How much of a document [`strict`] accepts. Depth counts objects and arrays: `{"a":[]}` is 2 deep.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bounds {
    pub bytes_max: usize,
    pub depth_max: usize,
}

/// Which of the values of a key counts that stands twice in one object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Keep {
    First,
    Last,
}

/// Where in the text, both counted from 1; the column counts bytes. Columns of faults found after a token point at its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    pub line: usize,
    pub column: usize,
}

impl Place {
    /// Of the byte at `at`.
    fn of(text: &[u8], at: usize) -> Place {
        let before = text.get(..at).unwrap_or(text);
        let line_start = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
        Place { line: memchr::memchr_iter(b'\n', before).count() + 1, column: before.len() - line_start + 1 }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} column {}", self.line, self.column)
    }
}

/// Why a text is not read.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum JsonFault {
    #[error("the document is {bytes} bytes, more than {max}")]
    TooLarge { bytes: usize, max: usize },
    #[error("a byte order mark stands before the text")]
    ByteOrderMark,
    #[error("not UTF-8 at {0}")]
    NotUtf8(Place),
    #[error("nested deeper than {max} at {place}")]
    TooDeep { max: usize, place: Place },
    #[error("the key {key:?} stands twice in one object, at {place}")]
    DuplicateKey { key: String, place: Place },
    #[error("the key {key:?} is not allowed, at {place}")]
    ForbiddenKey { key: String, place: Place },
    #[error("more than {max} keys in one object, at {place}")]
    TooManyEntries { max: usize, place: Place },
    /// Grammar, lone surrogates and numbers that are not finite. `why` is the parser's sentence, with the place.
    #[error("not JSON: {why}")]
    Malformed { why: String },
}

/// Whether a key reaches an object's prototype.
#[inline]
pub fn is_forbidden(key: &str) -> bool {
    // Asked of every key there is, of which nearly none begins like one.
    key.starts_with(['_', 'c', 'p']) && FORBIDDEN_KEYS.contains(&key)
}

/// Reads a whole document under the strict rules: UTF-8 without a byte order mark, no key twice in an object (compared after
/// escapes), none of [`FORBIDDEN_KEYS`], within `bounds`, only finite numbers, no lone surrogates, nothing after the value.
pub fn strict(text: &[u8], bounds: Bounds) -> Result<Value, JsonFault> {
    read(text, bounds, None)
}

/// As [`strict`], except that a key may stand twice, at any depth.
pub fn keeping(text: &[u8], bounds: Bounds, keep: Keep) -> Result<Value, JsonFault> {
    read(text, bounds, Some(keep))
}

fn read(text: &[u8], bounds: Bounds, keep: Option<Keep>) -> Result<Value, JsonFault> {
    if text.len() > bounds.bytes_max {
        return Err(JsonFault::TooLarge { bytes: text.len(), max: bounds.bytes_max });
    }
    let text = decoded(text)?;
    let broken = RefCell::new(None);
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let reader = StrictValue { depth_left: bounds.depth_max, keep, broken: &broken };
    let value = reader.deserialize(&mut deserializer).and_then(|value| deserializer.end().map(|()| value));
    value.map_err(|err| located(broken.take(), &err, bounds.depth_max))
}

/// The text that bytes are: UTF-8 without a byte order mark.
pub fn decoded(text: &[u8]) -> Result<&str, JsonFault> {
    if text.starts_with(b"\xef\xbb\xbf") {
        return Err(JsonFault::ByteOrderMark);
    }
    str::from_utf8(text).map_err(|err| JsonFault::NotUtf8(Place::of(text, err.valid_up_to())))
}

/// A rule of ours that was broken. It is kept beside serde's error, which carries text only.
enum Broken {
    TooDeep,
    Duplicate(String),
    Forbidden(String),
}

fn record<E: serde::de::Error>(broken: &RefCell<Option<Broken>>, rule: Broken) -> E {
    broken.replace(Some(rule));
    E::custom("refused")
}

fn located(broken: Option<Broken>, err: &serde_json::Error, depth_max: usize) -> JsonFault {
    let place = Place { line: err.line(), column: err.column() };
    let shown = |key: String| printable(&key, SHOWN_KEY_BYTES_MAX);
    match broken {
        Some(Broken::TooDeep) => JsonFault::TooDeep { max: depth_max, place },
        Some(Broken::Duplicate(key)) => JsonFault::DuplicateKey { key: shown(key), place },
        Some(Broken::Forbidden(key)) => JsonFault::ForbiddenKey { key: shown(key), place },
        None => JsonFault::Malformed { why: err.to_string() },
    }
}

#[derive(Clone, Copy)]
struct StrictValue<'b> {
    /// How many more objects or arrays may be opened from here.
    depth_left: usize,
    /// None: a key that stands twice is a fault.
    keep: Option<Keep>,
    broken: &'b RefCell<Option<Broken>>,
}

impl StrictValue<'_> {
    fn inner<E: serde::de::Error>(self) -> Result<Self, E> {
        match self.depth_left.checked_sub(1) {
            Some(depth_left) => Ok(StrictValue { depth_left, ..self }),
            None => Err(record(self.broken, Broken::TooDeep)),
        }
    }
}

impl<'de> DeserializeSeed<'de> for StrictValue<'_> {
    type Value = Value;
    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for StrictValue<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut values = Vec::new();
        while let Some(value) = seq.next_element_seed(inner)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut values = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            if is_forbidden(&key) {
                return Err(record(self.broken, Broken::Forbidden(key)));
            }
            let twice = values.contains_key(&key);
            if twice && self.keep.is_none() {
                return Err(record(self.broken, Broken::Duplicate(key)));
            }
            let value = map.next_value_seed(inner)?;
            if !twice || self.keep == Some(Keep::Last) {
                values.insert(key, value);
            }
        }
        Ok(Value::Object(values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { bytes_max: 1_000, depth_max: 4 };

    #[track_caller]
    fn refused(text: &[u8], sentence: &str) {
        assert_eq!(strict(text, BOUNDS).unwrap_err().to_string(), sentence);
    }

    #[track_caller]
    fn value(text: &str) -> Value {
        strict(text.as_bytes(), BOUNDS).unwrap()
    }

    #[test]
    fn reads_what_serde_reads() {
        for text in [r#"{"a":[1,-2,3.5,1e3,true,false,null,"\u0073\ud83d\ude00"],"b":{}}"#, " [] ", "\"x\"", "18446744073709551616", "-0"] {
            assert_eq!(value(text), serde_json::from_str::<Value>(text).unwrap(), "{text}");
        }
    }

    #[test]
    fn a_byte_order_mark_is_refused() {
        refused(b"\xef\xbb\xbf{}", "a byte order mark stands before the text");
        value(r#"{"a":"\ufeff"}"#);
    }

    #[test]
    fn text_that_is_not_utf8_is_refused() {
        refused(b"{\n \"a\": \"\xff\"}", "not UTF-8 at line 2 column 8");
        refused(b"{\"a\": \"\xed\xa0\x80\"}", "not UTF-8 at line 1 column 8");
        value("{\"a\": \"é\"}");
    }

    #[test]
    fn a_key_that_stands_twice_is_refused() {
        refused(br#"{"a":1,"a":1}"#, r#"the key "a" stands twice in one object, at line 1 column 10"#);
        refused(br#"{"a":1,"\u0061":1}"#, r#"the key "a" stands twice in one object, at line 1 column 15"#);
        refused(br#"[{"x":{"b":1,"b":2}}]"#, r#"the key "b" stands twice in one object, at line 1 column 16"#);
        value(r#"{"a":1,"A":1,"b":{"a":1}}"#);
    }

    #[test]
    fn a_key_that_stands_twice_can_be_read_both_ways() {
        let text = br#"{"a":1,"b":[{"c":1,"c":2}],"a":3}"#;
        for (keep, expected) in [(Keep::First, r#"{"a":1,"b":[{"c":1}]}"#), (Keep::Last, r#"{"a":3,"b":[{"c":2}]}"#)] {
            assert_eq!(keeping(text, BOUNDS, keep).unwrap(), value(expected));
            assert!(matches!(keeping(br#"{"__proto__":1}"#, BOUNDS, keep), Err(JsonFault::ForbiddenKey { .. })));
            assert!(matches!(keeping(br#"{"a":1,"a":1e999}"#, BOUNDS, keep), Err(JsonFault::Malformed { .. })));
        }
    }

    #[test]
    fn keys_of_prototypes_are_refused() {
        refused(br#"{"__proto__":1}"#, r#"the key "__proto__" is not allowed, at line 1 column 12"#);
        refused(br#"{"a":{"\u005f_proto__":1}}"#, r#"the key "__proto__" is not allowed, at line 1 column 22"#);
        refused(br#"{"constructor":1}"#, r#"the key "constructor" is not allowed, at line 1 column 14"#);
        refused(br#"{"prototype":1}"#, r#"the key "prototype" is not allowed, at line 1 column 12"#);
        value(r#"{"proto":"__proto__","a":["constructor"]}"#);
    }

    #[test]
    fn depth_and_size_have_limits() {
        value("[[[[1]]]]");
        refused(b"[[[[[1]]]]]", "nested deeper than 4 at line 1 column 5");
        refused(br#"{"a":{"a":{"a":{"a":{}}}}}"#, "nested deeper than 4 at line 1 column 22");
        let deep = [b"[".repeat(100_000), b"]".repeat(100_000)].concat();
        let bounds = Bounds { bytes_max: 1_000_000, depth_max: 32 };
        assert!(matches!(strict(&deep, bounds), Err(JsonFault::TooDeep { max: 32, .. })));
        refused(&b" ".repeat(1_001), "the document is 1001 bytes, more than 1000");
        refused(&b" ".repeat(1_000), "not JSON: EOF while parsing a value at line 1 column 1000");
    }

    #[test]
    fn numbers_are_finite_and_surrogates_paired() {
        refused(b"[1e999]", "not JSON: number out of range at line 1 column 6");
        refused(b"[-1e999]", "not JSON: number out of range at line 1 column 7");
        value("[1e308]");
        for text in [br#"["\ud800"]"#.as_slice(), br#"["\udc00"]"#, br#"["\ud800\u0041"]"#, br#"{"\ud800":1}"#] {
            assert!(matches!(strict(text, BOUNDS), Err(JsonFault::Malformed { .. })));
        }
        value(r#"["\ud83d\ude00"]"#);
    }

    #[test]
    fn only_one_value_of_plain_json() {
        for text in ["{} {}", "{}\0", "{a:1}", "{'a':1}", "[1,]", "// x\n1", "NaN", "Infinity", "01", "\"\t\"", ""] {
            assert!(matches!(strict(text.as_bytes(), BOUNDS), Err(JsonFault::Malformed { .. })), "{text}");
        }
    }
}
