//! One release's manifest, split once into its pairs: keys decoded, each value the very text that upstream sent.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::ecosystem::json::FORBIDDEN_KEYS;
use crate::ecosystem::json::JsonFault;
use crate::ecosystem::json::Pair;
use crate::ecosystem::json::duplicate;
use crate::ecosystem::json::entries;
use crate::model::finding::printable;

/// How deep objects and arrays may be nested, a manifest and the head of a packument alike.
pub const DEPTH_MAX: usize = 64;

/// How much of an offending text a fault repeats, in bytes.
const SHOWN_BYTES_MAX: usize = 80;

/// Why a manifest cannot be read, in words that follow "its index entry cannot be read:".
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Fault {
    #[error(transparent)]
    Json(#[from] JsonFault),
    #[error("{place} has the key {key:?} twice")]
    Twice { place: &'static str, key: String },
    #[error("{place} has the key {key:?}, which is not allowed")]
    Forbidden { place: &'static str, key: String },
    #[error("it is nested deeper than {max}")]
    TooDeep { max: usize },
    #[error("its {field} is missing")]
    Missing { field: &'static str },
    #[error("its {field} is not {wanted}")]
    Shape { field: &'static str, wanted: &'static str },
    #[error("its {field} {found:?} disagrees with {expected:?}, under which it stands")]
    Disagrees { field: &'static str, found: String, expected: String },
    #[error("{0:?} is not a semantic version")]
    NotAVersion(String),
    #[error("its version stands twice in the index")]
    SameVersion,
}

impl Fault {
    pub fn disagrees(field: &'static str, found: &str, expected: &str) -> Fault {
        Fault::Disagrees { field, found: printable(found, SHOWN_BYTES_MAX), expected: printable(expected, SHOWN_BYTES_MAX) }
    }

    pub fn not_a_version(text: &str) -> Fault {
        Fault::NotAVersion(printable(text, SHOWN_BYTES_MAX))
    }
}

/// The pairs of a manifest, in upstream's order, no key twice and none that means something else in JavaScript.
pub struct Manifest<'t> {
    pub pairs: Vec<Pair<'t>>,
}

impl<'t> Manifest<'t> {
    pub fn split(text: &'t [u8]) -> Result<Manifest<'t>, Fault> {
        if is_deeper_than(text, DEPTH_MAX) {
            return Err(Fault::TooDeep { max: DEPTH_MAX });
        }
        Ok(Manifest { pairs: split(text, "its manifest")? })
    }

    pub fn get(&self, key: &str) -> Option<&'t RawValue> {
        get(&self.pairs, key)
    }

    /// A string that must be there.
    pub fn text(&self, field: &'static str) -> Result<Cow<'t, str>, Fault> {
        text(&self.pairs, field, field)
    }

    /// The pairs of an object. Nothing, `null`, `""`, `false` and `[]`, which old manifests have for "none", are none.
    pub fn object(&self, field: &'static str) -> Result<Vec<Pair<'t>>, Fault> {
        match self.get(field) {
            Some(value) if value.get().starts_with('{') => split(value.get().as_bytes(), field),
            Some(value) if !is_nothing(value.get()) => Err(Fault::Shape { field, wanted: "an object" }),
            Some(_) | None => Ok(Vec::new()),
        }
    }

    /// Whether the field is `true` and nothing else.
    pub fn is_true(&self, field: &str) -> bool {
        self.get(field).is_some_and(|value| value.get() == "true")
    }
}

pub fn get<'t>(pairs: &[Pair<'t>], key: &str) -> Option<&'t RawValue> {
    pairs.iter().find(|(name, _)| **name == *key).map(|(_, value)| *value)
}

/// The string under `key`, which faults call `field`.
pub fn text<'t>(pairs: &[Pair<'t>], key: &str, field: &'static str) -> Result<Cow<'t, str>, Fault> {
    let value = get(pairs, key).ok_or(Fault::Missing { field })?;
    as_text(value).ok_or(Fault::Shape { field, wanted: "a string" })
}

/// The string that `value` is, copied only where it has escapes.
pub fn as_text(value: &RawValue) -> Option<Cow<'_, str>> {
    let inside = value.get().strip_prefix('"')?.strip_suffix('"')?;
    if memchr::memchr(b'\\', inside.as_bytes()).is_none() {
        return Some(Cow::Borrowed(inside));
    }
    serde_json::from_str(value.get()).ok().map(Cow::Owned)
}

/// Splits an object; `place` is what faults call it.
pub fn split<'t>(text: &'t [u8], place: &'static str) -> Result<Vec<Pair<'t>>, Fault> {
    checked(entries(text)?, place)
}

/// `pairs`, if no key stands twice and none means something else in JavaScript.
pub fn checked<'t>(pairs: Vec<Pair<'t>>, place: &'static str) -> Result<Vec<Pair<'t>>, Fault> {
    if let Some((key, _)) = pairs.iter().find(|(key, _)| FORBIDDEN_KEYS.contains(&&**key)) {
        return Err(Fault::Forbidden { place, key: (**key).to_owned() });
    }
    if let Some(key) = duplicate(&pairs) {
        return Err(Fault::Twice { place, key: printable(key, SHOWN_BYTES_MAX) });
    }
    Ok(pairs)
}

/// Whether JSON `text`, whose grammar was checked, nests deeper than `depth_max`: a glance at brackets outside strings.
pub fn is_deeper_than(text: &[u8], depth_max: usize) -> bool {
    // Nearly all manifests open fewer brackets than they may nest.
    if memchr::memchr2_iter(b'{', b'[', text).nth(depth_max).is_none() {
        return false;
    }
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        match byte {
            b'{' | b'[' => {
                depth += 1;
                if depth > depth_max {
                    return true;
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => at = string_end(text, at + 1),
            _ => {}
        }
        at += 1;
    }
    false
}

/// Where the quote stands that ends the string whose first character is at `from`; the end of `text` where none does.
fn string_end(text: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(found) = text.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        at += found;
        if text.get(at) == Some(&b'"') {
            return at;
        }
        at += 2;
    }
    text.len()
}

fn is_nothing(value: &str) -> bool {
    let inside = value.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    matches!(value, "null" | "\"\"" | "false") || inside.is_some_and(|inside| inside.trim_ascii().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_is_counted_outside_strings() {
        for (text, depth) in [
            (r#"{}"#, 1),
            (r#"{"a":[{"b":[]}],"c":[[],[],{}]}"#, 4),
            (r#"{"a":"[[[[","b":"\"[[","\\":[]}"#, 2),
            ("1", 0),
            (r#"["\\",[]]"#, 2),
        ] {
            assert!(!is_deeper_than(text.as_bytes(), depth), "{text}");
            assert!(depth == 0 || is_deeper_than(text.as_bytes(), depth - 1), "{text}");
        }
    }

    #[test]
    fn a_manifest_is_split_or_at_fault() {
        let good = Manifest::split(br#"{"name":"x","scripts":{"a":"b"},"bin":[ ],"os":["linux"]}"#).unwrap();
        assert_eq!(good.text("name"), Ok("x".into()));
        assert_eq!(good.object("scripts").unwrap().len(), 1);
        assert_eq!(good.object("bin").unwrap().len() + good.object("none").unwrap().len(), 0);
        assert_eq!(good.object("os").unwrap_err().to_string(), "its os is not an object");
        assert_eq!(good.text("os").unwrap_err().to_string(), "its os is not a string");
        assert_eq!(good.text("version").unwrap_err().to_string(), "its version is missing");
        let fault = |text: &[u8]| Manifest::split(text).err().map(|fault| fault.to_string()).unwrap_or_default();
        assert_eq!(fault(br#"{"a":1,"a":2}"#), r#"its manifest has the key "a" twice"#);
        assert_eq!(fault(br#"{"\u005f_proto__":1}"#), r#"its manifest has the key "__proto__", which is not allowed"#);
        assert_eq!(fault(&[b"{\"a\":".as_slice(), &b"[".repeat(64), &b"]".repeat(64), b"}"].concat()), "it is nested deeper than 64");
        assert!(fault(b"[]").starts_with("not JSON"));
    }
}
