//! A document as a tree of texts, maps and lists, each with where it stands, so that a fault can name its line and a value
//! can be replaced in place. Of JSON, of JSON with comments, and of the part of YAML that programs write.

mod json;
mod yaml;

pub use crate::ecosystem::tree::json::commented_json;
pub use crate::ecosystem::tree::json::json;
pub use crate::ecosystem::tree::yaml::yaml;

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashSet;

use crate::model::finding::printable;

/// How deep maps and lists may be nested.
pub const DEPTH_MAX: usize = 48;
/// Texts, maps and lists of one document, keys included: some 40 bytes each.
pub const NODES_MAX: usize = 4_000_000;
/// Bytes of a key that a fault repeats.
const SHOWN_BYTES_MAX: usize = 80;

/// Why a text is not read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct Fault {
    /// Counted from 1.
    pub line: u32,
    pub why: String,
}

/// Where in the text a fault was found; its line is counted only when it is told.
#[derive(Debug)]
struct Broken {
    at: usize,
    why: String,
}

impl Broken {
    fn new(at: usize, why: impl Into<String>) -> Broken {
        Broken { at, why: why.into() }
    }

    fn told(self, text: &str) -> Fault {
        Fault { line: Lines::new(text).of(self.at), why: self.why }
    }
}

/// A value, and at which byte of the text it begins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Node<'t> {
    at: u32,
    pub value: Value<'t>,
}

/// A key of a map, unescaped.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Key<'t> {
    at: u32,
    pub text: Cow<'t, str>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value<'t> {
    /// Unescaped. Of YAML every scalar; of JSON its strings.
    Text(Cow<'t, str>),
    /// What is no string in JSON: a number, `true`, `false`, `null`.
    Bare(&'t str),
    /// No key twice.
    Map(Vec<(Key<'t>, Node<'t>)>),
    List(Vec<Node<'t>>),
    /// What YAML has where nothing stands.
    Nothing,
}

impl Key<'_> {
    pub fn at(&self) -> usize {
        self.at as usize
    }
}

impl<'t> Node<'t> {
    /// The byte at which it begins: of a quoted text its quote.
    pub fn at(&self) -> usize {
        self.at as usize
    }

    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            Value::Bare(_) | Value::Map(_) | Value::List(_) | Value::Nothing => None,
        }
    }

    /// As [`Node::text`], of numbers and words too.
    pub fn word(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            Value::Bare(text) => Some(text),
            Value::Map(_) | Value::List(_) | Value::Nothing => None,
        }
    }

    pub fn is_true(&self) -> bool {
        self.word() == Some("true")
    }

    /// The pairs of a map, in order; none of anything else.
    pub fn pairs(&self) -> &[(Key<'t>, Node<'t>)] {
        match &self.value {
            Value::Map(pairs) => pairs,
            Value::Text(_) | Value::Bare(_) | Value::List(_) | Value::Nothing => &[],
        }
    }

    /// The elements of a list; none of anything else.
    pub fn elements(&self) -> &[Node<'t>] {
        match &self.value {
            Value::List(elements) => elements,
            Value::Text(_) | Value::Bare(_) | Value::Map(_) | Value::Nothing => &[],
        }
    }

    pub fn get(&self, key: &str) -> Option<&Node<'t>> {
        self.pairs().iter().find(|(name, _)| name.text == key).map(|(_, node)| node)
    }

    /// The text under a key.
    pub fn text_of(&self, key: &str) -> Option<&str> {
        self.get(key)?.text()
    }

    pub fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    pub fn is_true_of(&self, key: &str) -> bool {
        self.get(key).is_some_and(Node::is_true)
    }

    pub fn is_map(&self) -> bool {
        matches!(self.value, Value::Map(_))
    }

    pub fn is_list(&self) -> bool {
        matches!(self.value, Value::List(_))
    }
}

/// In which line a byte is. Asked in rising order it goes over the text once.
pub struct Lines<'t> {
    text: &'t str,
    /// The last byte that was asked for, and its line.
    last: Cell<(usize, u32)>,
}

impl<'t> Lines<'t> {
    pub fn new(text: &'t str) -> Lines<'t> {
        Lines { text, last: Cell::new((0, 1)) }
    }

    pub fn of(&self, at: usize) -> u32 {
        let at = at.min(self.text.len());
        let (from, line) = if at < self.last.get().0 { (0, 1) } else { self.last.get() };
        let between = self.text.as_bytes().get(from..at).unwrap_or_default();
        let line = line.saturating_add(u32::try_from(memchr::memchr_iter(b'\n', between).count()).unwrap_or(u32::MAX));
        self.last.set((at, line));
        line
    }

    pub fn fault(&self, at: usize, why: impl Into<String>) -> Fault {
        Fault { line: self.of(at), why: why.into() }
    }
}

/// What a document may still hold.
struct Budget {
    nodes: usize,
}

impl Budget {
    fn new() -> Budget {
        Budget { nodes: NODES_MAX }
    }

    fn take(&mut self, at: usize) -> Result<(), Broken> {
        self.nodes = self.nodes.checked_sub(1).ok_or_else(|| Broken::new(at, format!("more than {NODES_MAX} values")))?;
        Ok(())
    }
}

/// A place as it is kept: no document is as large as four gigabytes.
fn place(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// A map, if none of its keys stands twice and none means something else in JavaScript.
fn map<'t>(pairs: Vec<(Key<'t>, Node<'t>)>) -> Result<Value<'t>, Broken> {
    if let Some((key, _)) = pairs.iter().find(|(key, _)| key.text == "__proto__") {
        return Err(Broken::new(key.at(), "the key \"__proto__\" is not allowed"));
    }
    // Lockfiles are sorted for the most part.
    if !pairs.is_sorted_by(|(left, _), (right, _)| left.text < right.text) {
        let mut seen = HashSet::with_capacity(pairs.len());
        if let Some((key, _)) = pairs.iter().find(|(key, _)| !seen.insert(&*key.text)) {
            return Err(Broken::new(key.at(), format!("the key {:?} stands twice", printable(&key.text, SHOWN_BYTES_MAX))));
        }
    }
    Ok(Value::Map(pairs))
}
