//! The part of YAML that programs write: maps and lists by indentation or in brackets, texts in every style. What two readers
//! could read differently, and what lets a short text become a long one, is refused: anchors, aliases, tags, merged keys,
//! directives, tabs, and quoted texts over several lines. It goes over the text once, and what it does is bounded by the text.

mod scalar;

use std::borrow::Cow;
use std::cell::Cell;

use crate::ecosystem::tree::Broken;
use crate::ecosystem::tree::Budget;
use crate::ecosystem::tree::DEPTH_MAX;
use crate::ecosystem::tree::Fault;
use crate::ecosystem::tree::Key;
use crate::ecosystem::tree::Node;
use crate::ecosystem::tree::Value;
use crate::ecosystem::tree::map;
use crate::ecosystem::tree::place;
use crate::ecosystem::tree::yaml::scalar::Within;

/// Documents in one text, parted by `---`.
const DOCUMENTS_MAX: usize = 16;

/// The trees of a text's documents.
pub fn yaml(text: &str) -> Result<Vec<Node<'_>>, Fault> {
    let mut reader = Reader { text, at: 0, line: Cell::default(), budget: Budget::new() };
    reader.documents().map_err(|broken| broken.told(text))
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    /// Where the line that was looked at last begins and ends, so that no line is looked for twice.
    line: Cell<(usize, usize)>,
    budget: Budget,
}

/// How a value stands behind its key.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Behind {
    /// On the line of a key only what fits on a line.
    Key,
    /// Behind a hyphen, or the colon of a long key, a map or list may begin.
    Sign,
}

impl<'t> Reader<'t> {
    fn documents(&mut self) -> Result<Vec<Node<'t>>, Broken> {
        let odd =
            |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t') || matches!(c, '\u{feff}' | '\u{85}' | '\u{2028}' | '\u{2029}');
        if let Some(at) = self.text.find(odd) {
            return Err(Broken::new(at, "a character that YAML does not allow, or that ends lines for some readers only"));
        }
        let mut documents = Vec::new();
        loop {
            self.pass_blanks()?;
            while self.passes("---") || self.passes("...") {
                self.pass_blanks()?;
            }
            if self.rest().is_empty() {
                return Ok(documents);
            }
            if documents.len() == DOCUMENTS_MAX {
                return Err(self.broken(format!("more than {DOCUMENTS_MAX} documents")));
            }
            documents.push(self.block(None, 0)?);
            self.pass_blanks()?;
            if !self.rest().is_empty() && !self.is_at_mark() {
                return Err(self.broken("this belongs to nothing above it"));
            }
        }
    }

    fn broken(&self, why: impl Into<String>) -> Broken {
        Broken::new(self.at, why)
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn next(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at + 1).copied()
    }

    /// Where the line begins and ends.
    fn line(&self) -> (usize, usize) {
        let (start, end) = self.line.get();
        if (start..=end).contains(&self.at) && end > start {
            return (start, end);
        }
        let (before, after) = self.text.as_bytes().split_at_checked(self.at).unwrap_or_default();
        let start = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
        let end = memchr::memchr(b'\n', after).map_or(self.text.len(), |length| self.at + length);
        self.line.set((start, end));
        (start, end)
    }

    /// What stands from here to the end of the line.
    fn rest_of_line(&self) -> &'t str {
        let rest = self.text.get(self.at..self.line().1).unwrap_or_default();
        rest.strip_suffix('\r').unwrap_or(rest)
    }

    fn pass_line(&mut self) {
        self.at = self.line().1;
    }

    /// Bytes of its line before the place: only spaces are, where it matters.
    fn column(&self) -> usize {
        self.at - self.line().0
    }

    /// Whether a blank or nothing stands before: only there a comment may begin.
    fn is_after_blank(&self) -> bool {
        self.at.checked_sub(1).is_none_or(|before| matches!(self.text.as_bytes().get(before), Some(b' ' | b'\n')))
    }

    fn is_at_mark(&self) -> bool {
        let rest = self.rest();
        let is_mark = |mark| rest.strip_prefix(mark).is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\n', '\r']));
        self.column() == 0 && (is_mark("---") || is_mark("..."))
    }

    /// Goes over a line that parts documents and has nothing else on it.
    fn passes(&mut self, mark: &str) -> bool {
        let is_whole = self.is_at_mark() && self.rest_of_line().trim_end() == mark;
        if is_whole {
            self.at += mark.len();
        }
        is_whole
    }

    /// Goes over spaces, comments and ends of lines, up to what stands next.
    fn pass_blanks(&mut self) -> Result<(), Broken> {
        loop {
            match self.peek() {
                Some(b' ' | b'\n' | b'\r') => self.at += 1,
                Some(b'#') if self.is_after_blank() => self.pass_line(),
                Some(b'\t') => return Err(self.broken("a tab where spaces belong")),
                Some(_) | None => return Ok(()),
            }
        }
    }

    /// Goes over spaces and a comment up to the end of the line. Whether nothing else stood there.
    fn ends_line(&mut self) -> Result<bool, Broken> {
        self.pass_spaces();
        match self.peek() {
            Some(b'#') if self.is_after_blank() => {
                self.pass_line();
                Ok(true)
            }
            Some(b'\t') => Err(self.broken("a tab where spaces belong")),
            None | Some(b'\n') => Ok(true),
            Some(b'\r') if self.next() == Some(b'\n') => Ok(true),
            Some(_) => Ok(false),
        }
    }

    fn pass_spaces(&mut self) {
        while self.peek() == Some(b' ') {
            self.at += 1;
        }
    }

    fn must_end_line(&mut self) -> Result<(), Broken> {
        if self.ends_line()? { Ok(()) } else { Err(self.broken("something follows a value on its line")) }
    }

    fn enter(&mut self, depth: usize) -> Result<(), Broken> {
        self.budget.take(self.at)?;
        if depth >= DEPTH_MAX { Err(self.broken(format!("nested deeper than {DEPTH_MAX}"))) } else { Ok(()) }
    }

    /// What stands here, at the beginning of its line or behind a hyphen. `outer` is the column of what it belongs to.
    fn block(&mut self, outer: Option<usize>, depth: usize) -> Result<Node<'t>, Broken> {
        self.enter(depth)?;
        let (at, column) = (self.at, self.column());
        if self.is_item() {
            return Ok(Node { at: place(at), value: self.list(column, depth)? });
        }
        if self.is_at_key()? {
            return Ok(Node { at: place(at), value: self.pairs(column, depth)? });
        }
        let value = self.inline(outer, depth)?;
        self.must_end_line()?;
        Ok(Node { at: place(at), value })
    }

    fn is_item(&self) -> bool {
        self.peek() == Some(b'-') && matches!(self.next(), None | Some(b' ' | b'\n' | b'\r')) && !self.is_at_mark()
    }

    fn list(&mut self, column: usize, depth: usize) -> Result<Value<'t>, Broken> {
        let mut elements = Vec::new();
        while self.is_item() && self.column() == column {
            self.at += 1;
            elements.push(self.below(column, Behind::Sign, depth + 1)?);
            self.pass_blanks()?;
        }
        if self.column() > column && !self.rest().is_empty() {
            return Err(self.broken("indented deeper than the list above it"));
        }
        Ok(Value::List(elements))
    }

    /// What belongs to a key or a hyphen: on the same line, or indented deeper on those that follow.
    fn below(&mut self, outer: usize, behind: Behind, depth: usize) -> Result<Node<'t>, Broken> {
        if !self.ends_line()? {
            if behind == Behind::Sign {
                return self.block(Some(outer), depth);
            }
            self.enter(depth)?;
            let at = self.at;
            let value = self.inline(Some(outer), depth)?;
            self.must_end_line()?;
            return Ok(Node { at: place(at), value });
        }
        let end = self.at;
        self.pass_blanks()?;
        // A list may stand in the very column of the key that it belongs to.
        let is_list = self.column() == outer && self.is_item() && behind == Behind::Key;
        let is_below = !self.rest().is_empty() && !self.is_at_mark() && (self.column() > outer || is_list);
        if is_below {
            return self.block(Some(outer), depth);
        }
        self.budget.take(end)?;
        Ok(Node { at: place(end), value: Value::Nothing })
    }

    /// Whether a key stands here: a text with a colon behind it, on one line.
    fn is_at_key(&mut self) -> Result<bool, Broken> {
        let start = self.at;
        let found = match self.peek() {
            Some(b'?') if matches!(self.next(), Some(b' ')) => return Ok(true),
            Some(b'"' | b'\'') => self.quoted().is_ok() && self.is_colon(),
            Some(b'{' | b'[') | None => false,
            Some(_) => {
                let line = self.rest_of_line();
                line.ends_with(':') || line.contains(": ")
            }
        };
        self.at = start;
        Ok(found)
    }

    fn is_colon(&self) -> bool {
        self.peek() == Some(b':') && matches!(self.next(), None | Some(b' ' | b'\n' | b'\r'))
    }

    fn pairs(&mut self, column: usize, depth: usize) -> Result<Value<'t>, Broken> {
        let mut pairs = Vec::new();
        while self.column() == column && !self.rest().is_empty() && !self.is_at_mark() {
            if !self.is_at_key()? {
                return Err(self.broken("neither a key with a colon, nor indented as what belongs to the key above"));
            }
            let behind = if self.peek() == Some(b'?') { Behind::Sign } else { Behind::Key };
            let key = self.key(column)?;
            pairs.push((key, self.below(column, behind, depth + 1)?));
            self.pass_blanks()?;
        }
        if self.column() > column && !self.rest().is_empty() {
            return Err(self.broken("indented deeper than the keys above it"));
        }
        map(pairs)
    }

    /// A key and its colon. Long ones stand behind a question mark, and their colon on the next line.
    fn key(&mut self, column: usize) -> Result<Key<'t>, Broken> {
        self.budget.take(self.at)?;
        let is_marked = self.peek() == Some(b'?') && self.next() == Some(b' ');
        if is_marked {
            self.at += 1;
            self.pass_spaces();
        }
        let at = self.at;
        let text = match self.peek() {
            Some(b'"' | b'\'') => self.quoted()?,
            Some(_) | None => Cow::Borrowed(self.plain(Within::Lines)?),
        };
        if is_marked {
            self.must_end_line()?;
            self.pass_blanks()?;
            if self.column() != column {
                return Err(self.broken("the colon of a key that begins with a question mark does not stand below it"));
            }
        }
        if !self.is_colon() {
            return Err(self.broken("a key without a colon"));
        }
        self.at += 1;
        if text == "<<" {
            return Err(Broken::new(at, "merged keys are not read"));
        }
        Ok(Key { at: place(at), text })
    }

    /// A value that is no map or list by indentation.
    fn inline(&mut self, outer: Option<usize>, depth: usize) -> Result<Value<'t>, Broken> {
        match self.peek() {
            Some(b'{' | b'[') => self.bracketed(depth),
            Some(b'"' | b'\'') => self.quoted().map(Value::Text),
            Some(b'|' | b'>') => self.literal(outer).map(Value::Text),
            Some(_) | None => self.folded(outer).map(Value::Text),
        }
    }

    fn bracketed(&mut self, depth: usize) -> Result<Value<'t>, Broken> {
        let is_map = self.peek() == Some(b'{');
        let (closing, mut pairs, mut elements) = (if is_map { b'}' } else { b']' }, Vec::new(), Vec::new());
        self.at += 1;
        loop {
            self.pass_blanks()?;
            if self.peek() == Some(closing) {
                self.at += 1;
                return if is_map { map(pairs) } else { Ok(Value::List(elements)) };
            }
            if is_map {
                self.budget.take(self.at)?;
                let at = self.at;
                let text = self.short()?;
                self.pass_blanks()?;
                if self.peek() != Some(b':') {
                    return Err(self.broken("a key without a colon"));
                }
                self.at += 1;
                self.pass_blanks()?;
                pairs.push((Key { at: place(at), text }, self.within(depth + 1)?));
            } else {
                elements.push(self.within(depth + 1)?);
            }
            self.pass_blanks()?;
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(byte) if byte == closing => {}
                Some(_) | None => return Err(self.broken("neither a comma nor the end of what is in brackets")),
            }
        }
    }

    /// A value in brackets.
    fn within(&mut self, depth: usize) -> Result<Node<'t>, Broken> {
        self.enter(depth)?;
        let at = self.at;
        let value = match self.peek() {
            Some(b'{' | b'[') => self.bracketed(depth)?,
            Some(_) | None => Value::Text(self.short()?),
        };
        Ok(Node { at: place(at), value })
    }

    /// A text in brackets.
    fn short(&mut self) -> Result<Cow<'t, str>, Broken> {
        match self.peek() {
            Some(b'"' | b'\'') => self.quoted(),
            Some(_) | None => self.plain(Within::Brackets).map(Cow::Borrowed),
        }
    }
}

#[cfg(test)]
mod tests;
