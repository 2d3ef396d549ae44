//! JSON as a tree, and JSON as people write it: with comments, and with commas after the last element.

use std::borrow::Cow;

use crate::ecosystem::json::JsonFault;
use crate::ecosystem::json::Scanner;
use crate::ecosystem::tree::Broken;
use crate::ecosystem::tree::Budget;
use crate::ecosystem::tree::DEPTH_MAX;
use crate::ecosystem::tree::Fault;
use crate::ecosystem::tree::Key;
use crate::ecosystem::tree::Lines;
use crate::ecosystem::tree::Node;
use crate::ecosystem::tree::Value;
use crate::ecosystem::tree::map;
use crate::ecosystem::tree::place;

/// The tree of a JSON text.
pub fn json(text: &str) -> Result<Node<'_>, Fault> {
    let mut reader = Reader { text, budget: Budget::new(), scanner: Scanner::new(text) };
    let root = reader.value(0).and_then(|root| reader.scanner.end().map(|()| root).map_err(Stop::Json));
    root.map_err(|stop| match stop {
        Stop::Json(fault) => Fault { line: Lines::new(text).of(reader.scanner.at()), why: without_place(&fault) },
        Stop::Broken(broken) => broken.told(text),
    })
}

/// The JSON that a text is without its comments and its commas before a closing bracket: blanks stand in their place, so that
/// everything else stands where it stood. What is no such text is left as it is.
pub fn commented_json(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    let mut plain: Vec<u8> = Vec::new();
    let mut blank = |from: usize, to: usize| {
        if plain.is_empty() {
            plain.extend_from_slice(bytes);
        }
        for byte in plain.get_mut(from..to).unwrap_or_default() {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
    };
    let mut at = 0;
    // A comma that a value stands before and nothing has followed yet, and what stood before it.
    let mut comma = None;
    let mut last = b'{';
    while let Some(byte) = bytes.get(at) {
        match (byte, bytes.get(at + 1)) {
            (b'/', Some(b'/')) => {
                let end = memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |length| at + length);
                blank(at, end);
                at = end;
                continue;
            }
            (b'/', Some(b'*')) => {
                let Some(length) = memchr::memmem::find(&bytes[at + 2..], b"*/") else { break };
                blank(at, at + length + 4);
                at += length + 4;
                continue;
            }
            (b'"', _) => {
                (comma, last) = (None, b'"');
                at = string_end(bytes, at);
                continue;
            }
            (b',', _) => comma = (!matches!(last, b'{' | b'[' | b',' | b':')).then_some(at),
            (b'}' | b']', _) => {
                if let Some(comma) = comma.take() {
                    blank(comma, comma + 1);
                }
            }
            (b' ' | b'\n' | b'\r' | b'\t', _) => {
                at += 1;
                continue;
            }
            (_, _) => comma = None,
        }
        last = *byte;
        at += 1;
    }
    // Only ASCII was written over, and by ASCII: over all bytes of whole comments.
    match String::from_utf8(plain) {
        Ok(plain) if !plain.is_empty() => Cow::Owned(plain),
        Ok(_) | Err(_) => Cow::Borrowed(text),
    }
}

/// Behind the string that begins at `at`.
fn string_end(bytes: &[u8], at: usize) -> usize {
    let mut at = at + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// The scanner says where besides; the line is told once.
fn without_place(fault: &JsonFault) -> String {
    let said = fault.to_string();
    match said.rfind(" at line ") {
        Some(at) => said.get(..at).unwrap_or(&said).to_owned(),
        None => said,
    }
}

enum Stop {
    Json(JsonFault),
    Broken(Broken),
}

impl From<JsonFault> for Stop {
    fn from(fault: JsonFault) -> Stop {
        Stop::Json(fault)
    }
}

impl From<Broken> for Stop {
    fn from(broken: Broken) -> Stop {
        Stop::Broken(broken)
    }
}

struct Reader<'t> {
    text: &'t str,
    budget: Budget,
    scanner: Scanner<'t>,
}

impl<'t> Reader<'t> {
    fn value(&mut self, depth: usize) -> Result<Node<'t>, Stop> {
        self.scanner.blank();
        let at = self.scanner.at();
        self.budget.take(at)?;
        if depth >= DEPTH_MAX {
            return Err(Broken::new(at, format!("nested deeper than {DEPTH_MAX}")).into());
        }
        let value = if self.scanner.is_at_object() {
            let mut pairs = Vec::new();
            self.scanner.open_object()?;
            while let Some((key_at, key)) = self.scanner.next_key(pairs.is_empty())? {
                self.budget.take(key_at)?;
                let text = if key.has_escapes { Cow::Owned(unescaped(key_at, &format!("\"{}\"", key.inside))?) } else { key.inside.into() };
                pairs.push((Key { at: place(key_at), text }, self.value(depth + 1)?));
            }
            map(pairs)?
        } else if self.scanner.is_at_array() {
            let mut elements = Vec::new();
            self.scanner.open_array()?;
            while self.scanner.next_element(elements.is_empty())? {
                elements.push(self.value(depth + 1)?);
            }
            Value::List(elements)
        } else {
            let raw = self.scanner.value()?.get();
            match raw.strip_prefix('"').and_then(|raw| raw.strip_suffix('"')) {
                Some(inside) if !inside.contains('\\') => Value::Text(Cow::Borrowed(inside)),
                Some(_) => Value::Text(Cow::Owned(unescaped(at, raw)?)),
                None => Value::Bare(raw),
            }
        };
        debug_assert!(self.text.is_char_boundary(at), "every value begins with ASCII");
        Ok(Node { at: place(at), value })
    }
}

fn unescaped(at: usize, raw: &str) -> Result<String, Broken> {
    serde_json::from_str(raw).map_err(|_| Broken::new(at, "not JSON: a lone surrogate in a text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_know_where_they_stand() {
        let text = "{\n  \"a\": [1, \"b\\n\", {\"\\u0063\": true}],\n  \"d\": {}\n}";
        let root = json(text).unwrap();
        let list = root.get("a").unwrap();
        let shown: Vec<Option<&str>> = list.elements().iter().map(Node::word).collect();
        assert_eq!(shown, [Some("1"), Some("b\n"), None]);
        assert!(list.elements()[2].is_true_of("c") && root.get("d").unwrap().is_map());
        assert_eq!(text.as_bytes()[list.elements()[1].at()], b'"');
        assert_eq!(Lines::new(text).of(root.get("d").unwrap().at()), 3);
        assert_eq!((list.elements()[0].text(), list.elements()[0].word()), (None, Some("1")));
    }

    #[track_caller]
    fn refused(text: &str, expect: &str) {
        assert_eq!(json(text).unwrap_err().to_string(), expect);
    }

    #[test]
    fn faults_name_their_line() {
        refused("{\n\"a\": 1,\n\"a\": 2}", "line 3: the key \"a\" stands twice");
        refused("{\n\"b\": 1,\n\"a\": 2,\n\"b\": 2}", "line 4: the key \"b\" stands twice");
        refused("{\"__proto__\": 1}", "line 1: the key \"__proto__\" is not allowed");
        refused("{\n\"a\": 1,\n}", "line 3: not JSON: expected a string");
        refused("{}\n\nx", "line 3: not JSON: expected the end");
        refused("[\n\"\\ud800\"]", "line 2: not JSON: a lone surrogate in a text");
        refused("", "line 1: not JSON: expected a value");
        let deep = format!("{}1{}", "[".repeat(1_000_000), "]".repeat(1_000_000));
        refused(&deep, "line 1: nested deeper than 48");
        let many = format!("[{}0]", "0,".repeat(NODES_MAX_HERE));
        assert!(json(&many).unwrap_err().why.starts_with("more than"));
    }

    const NODES_MAX_HERE: usize = crate::ecosystem::tree::NODES_MAX;

    #[test]
    fn comments_and_last_commas_are_blanks() {
        let text = "// é\n{ \"a//b\": [1, 2, /* , ] */ ], \"c\": \"\\\",}\",\n}";
        let plain = commented_json(text);
        assert_eq!(plain.len(), text.len());
        let root = json(&plain).unwrap();
        assert_eq!(root.get("a//b").unwrap().elements().len(), 2);
        assert_eq!(root.text_of("c"), Some("\",}"));
        assert!(text[root.get("c").unwrap().at()..].starts_with("\"\\\""));
        assert!(matches!(commented_json("{}"), Cow::Borrowed("{}")));
        for wrong in ["{,}", "[1,,]", "{\"a\":1,,}", "/* [", "[,1]"] {
            assert!(json(&commented_json(wrong)).is_err(), "{wrong}");
        }
    }
}
