//! One release's manifest, split once into its pairs: keys decoded, each value the very text that upstream sent.

use std::borrow::Cow;
use std::ops::Range;

use crate::ecosystem::json::ENTRIES_MAX;
use crate::ecosystem::json::JsonFault;
use crate::ecosystem::json::Key;
use crate::ecosystem::json::Pair;
use crate::ecosystem::json::Quoted;
use crate::ecosystem::json::Raw;
use crate::ecosystem::json::Scanner;
use crate::ecosystem::json::decoded;
use crate::ecosystem::json::duplicate;
use crate::ecosystem::json::entries;
use crate::ecosystem::json::is_forbidden;
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
    #[error("it has more than {ENTRIES_MAX} keys")]
    TooManyKeys,
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
    /// Of each pair that is an object, where its own pairs lie in `inner`.
    objects: Vec<Range<usize>>,
    /// The pairs of all those objects: keys neither unescaped nor compared before they are asked for.
    inner: Vec<(Quoted<'t>, Raw<'t>)>,
}

impl<'t> Manifest<'t> {
    pub fn split(text: &'t [u8]) -> Result<Manifest<'t>, Fault> {
        let mut scanner = Scanner::new(decoded(text)?);
        let (_, manifest) = Manifest::scan(&mut scanner)?;
        scanner.end()?;
        manifest
    }

    /// Goes over the value that comes next and splits it on the way. Errors of the text itself are told apart from those of
    /// a manifest that is JSON.
    pub fn scan(scanner: &mut Scanner<'t>) -> Result<(Raw<'t>, Result<Manifest<'t>, Fault>), JsonFault> {
        const PAIRS: usize = 32;
        if !scanner.is_at_object() {
            return Ok((scanner.value()?, Err(Fault::Shape { field: "manifest", wanted: "an object" })));
        }
        let mut pairs = Vec::with_capacity(PAIRS);
        let mut objects = Vec::with_capacity(PAIRS);
        let mut inner = Vec::with_capacity(4 * PAIRS);
        let mut fault = None;
        scanner.take_depth();
        let text = scanner.object(|scanner, key| {
            let first = inner.len();
            let value = if scanner.is_at_object() {
                scanner.object(|scanner, key| {
                    let value = scanner.value()?;
                    if inner.len() <= ENTRIES_MAX {
                        inner.push((key, value));
                    }
                    Ok::<_, JsonFault>(())
                })?
            } else {
                scanner.value()?
            };
            // Once there is a fault nothing more is kept, however much there is.
            if fault.is_none() {
                match Key::of(key) {
                    Ok(_) if pairs.len() == ENTRIES_MAX => fault = Some(Fault::TooManyKeys),
                    Ok(key) => {
                        pairs.push((key, value));
                        objects.push(first..inner.len());
                    }
                    Err(bad) => fault = Some(bad.into()),
                }
            }
            Ok::<_, JsonFault>(())
        })?;
        if scanner.take_depth() > DEPTH_MAX {
            fault = Some(Fault::TooDeep { max: DEPTH_MAX });
        }
        if inner.len() > ENTRIES_MAX {
            fault = Some(Fault::TooManyKeys);
        }
        let manifest = match fault {
            Some(fault) => Err(fault),
            None => checked(pairs, "its manifest").map(|pairs| Manifest { pairs, objects, inner }),
        };
        Ok((text, manifest))
    }

    pub fn get(&self, key: &str) -> Option<Raw<'t>> {
        get(&self.pairs, key)
    }

    /// A string that must be there.
    pub fn text(&self, field: &'static str) -> Result<Cow<'t, str>, Fault> {
        text(&self.pairs, field, field)
    }

    /// The pairs of an object. Nothing, `null`, `""`, `false` and `[]`, which old manifests have for "none", are none.
    pub fn object(&self, field: &'static str) -> Result<Vec<Pair<'t>>, Fault> {
        let Some(at) = self.pairs.iter().position(|(key, _)| *key == field) else { return Ok(Vec::new()) };
        match self.pairs.get(at) {
            Some((_, value)) if value.get().starts_with('{') => {
                let inner = self.objects.get(at).and_then(|range| self.inner.get(range.clone())).unwrap_or_default();
                let mut pairs = Vec::with_capacity(inner.len());
                for (key, value) in inner {
                    pairs.push((Key::of(*key)?, *value));
                }
                checked(pairs, field)
            }
            Some((_, value)) if !is_nothing(value.get()) => Err(Fault::Shape { field, wanted: "an object" }),
            Some(_) | None => Ok(Vec::new()),
        }
    }

    /// Whether the field is `true` and nothing else.
    pub fn is_true(&self, field: &str) -> bool {
        self.get(field).is_some_and(|value| value.get() == "true")
    }
}

pub fn get<'t>(pairs: &[Pair<'t>], key: &str) -> Option<Raw<'t>> {
    pairs.iter().find(|(name, _)| **name == *key).map(|(_, value)| *value)
}

/// The string under `key`, which faults call `field`.
pub fn text<'t>(pairs: &[Pair<'t>], key: &str, field: &'static str) -> Result<Cow<'t, str>, Fault> {
    let value = get(pairs, key).ok_or(Fault::Missing { field })?;
    as_text(value).ok_or(Fault::Shape { field, wanted: "a string" })
}

/// The string that `value` is, copied only where it has escapes.
pub fn as_text(value: Raw<'_>) -> Option<Cow<'_, str>> {
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
    if let Some((key, _)) = pairs.iter().find(|(key, _)| is_forbidden(key)) {
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
    fn nothing_more_is_kept_of_a_manifest_with_too_many_keys() {
        let many = format!("{{{}\"\":0}}", "\"\":0,".repeat(ENTRIES_MAX));
        assert!(matches!(Manifest::scan(&mut Scanner::new(&many)), Ok((_, Err(Fault::TooManyKeys)))));
        let fewer = format!("{{{}\"a\":0}}", "\"a\":0,".repeat(3));
        assert!(matches!(Manifest::scan(&mut Scanner::new(&fewer)), Ok((_, Err(Fault::Twice { .. })))));
    }

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
        assert_eq!(fault(b"[]"), "its manifest is not an object");
    }
}
