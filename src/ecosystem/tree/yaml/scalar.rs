//! Texts of YAML in every style: plain, in quotes, folded over lines, and behind `|` or `>`.

use std::borrow::Cow;

use crate::ecosystem::tree::Broken;
use crate::ecosystem::tree::yaml::Reader;

/// Where a text without quotes ends besides at the end of its line.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Within {
    Lines,
    Brackets,
}

impl<'t> Reader<'t> {
    /// A text without quotes, as far as it goes on its line.
    pub(super) fn plain(&mut self, within: Within) -> Result<&'t str, Broken> {
        let rest = self.rest();
        let first = rest.chars().next().unwrap_or('\n');
        let is_sign = match first {
            '-' | '?' | ':' => {
                let ends = |next: char| next.is_whitespace() || (within == Within::Brackets && ",[]{}".contains(next));
                rest.chars().nth(1).is_none_or(ends)
            }
            '&' | '*' | '!' => return Err(self.broken("anchors, aliases and tags are not read")),
            other => ",[]{}#|>@`\"'%\n\r\t".contains(other),
        };
        if is_sign {
            return Err(self.broken("a value is missing, or begins with a sign that has a meaning of its own"));
        }
        let line = self.rest_of_line();
        let bytes = line.as_bytes();
        let mut end = line.len();
        for (at, byte) in bytes.iter().enumerate() {
            let next = bytes.get(at + 1);
            let ends = match byte {
                b'#' => at > 0 && bytes[at - 1] == b' ',
                b':' => next.is_none_or(|next| *next == b' ' || (within == Within::Brackets && b",[]{}".contains(next))),
                b',' | b'[' | b']' | b'{' | b'}' => within == Within::Brackets,
                b'\t' => return Err(Broken::new(self.at + at, "a tab where spaces belong")),
                _ => false,
            };
            if ends {
                end = at;
                break;
            }
        }
        let text = line.get(..end).unwrap_or_default().trim_end_matches([' ', '\r']);
        self.at += text.len();
        Ok(text)
    }

    /// A text without quotes that may go on over lines that are indented deeper than what it belongs to.
    pub(super) fn folded(&mut self, outer: Option<usize>) -> Result<Cow<'t, str>, Broken> {
        let mut text = Cow::Borrowed(self.plain(Within::Lines)?);
        loop {
            let end = self.at;
            if !self.ends_line()? {
                return Ok(text);
            }
            if self.text.as_bytes().get(end..self.at).is_some_and(|between| between.contains(&b'#')) {
                return Ok(text);
            }
            let line_end = self.at;
            while matches!(self.peek(), Some(b' ' | b'\n' | b'\r')) {
                self.at += 1;
            }
            let is_deeper = outer.is_some_and(|outer| self.column() > outer);
            if !is_deeper || self.peek().is_none_or(|byte| byte == b'#') {
                self.at = line_end;
                return Ok(text);
            }
            let between = self.text.as_bytes().get(line_end..self.at).unwrap_or_default();
            let breaks = memchr::memchr_iter(b'\n', between).count();
            if self.is_at_key()? || self.is_item() {
                return Err(self.broken("indented as what belongs to the text above"));
            }
            let more = self.plain(Within::Lines)?;
            let text = text.to_mut();
            text.push_str(if breaks > 1 { "\n" } else { " " });
            text.push_str(more);
        }
    }

    /// A text in quotes, on one line.
    pub(super) fn quoted(&mut self) -> Result<Cow<'t, str>, Broken> {
        let start = self.at;
        let quote = self.peek().unwrap_or(b'"');
        let line = self.rest_of_line();
        let bytes = line.as_bytes();
        let (mut at, mut is_plain) = (1, true);
        loop {
            match bytes.get(at) {
                None => return Err(Broken::new(start, "a quoted text does not end on its line")),
                Some(byte) if *byte == quote && quote == b'\'' && bytes.get(at + 1) == Some(&b'\'') => (at, is_plain) = (at + 2, false),
                Some(byte) if *byte == quote => break,
                Some(b'\\') if quote == b'"' => (at, is_plain) = (at + 2, false),
                Some(_) => at += 1,
            }
        }
        self.at = start + at + 1;
        let inside = line.get(1..at).unwrap_or_default();
        match (is_plain, quote) {
            (true, _) => Ok(Cow::Borrowed(inside)),
            (false, b'\'') => Ok(Cow::Owned(inside.replace("''", "'"))),
            (false, _) => {
                // The escapes that programs write are those that JSON has.
                let unescaped = serde_json::from_str(&format!("\"{inside}\""));
                unescaped.map(Cow::Owned).map_err(|_| Broken::new(start, "a quoted text with an escape that is not read"))
            }
        }
    }

    /// A text behind `|` or `>`. Which line ends it keeps is not told apart, for nobody asks for such a text's very letters.
    pub(super) fn literal(&mut self, outer: Option<usize>) -> Result<Cow<'t, str>, Broken> {
        self.at += 1;
        let mut stated = None;
        loop {
            match self.peek() {
                Some(b'+' | b'-') => self.at += 1,
                Some(digit @ b'1'..=b'9') if stated.is_none() => {
                    stated = Some(usize::from(digit - b'0'));
                    self.at += 1;
                }
                Some(_) | None => break,
            }
        }
        self.must_end_line()?;
        let least = outer.map_or(0, |outer| outer + 1);
        let mut indent = stated.map(|stated| outer.unwrap_or(0) + stated);
        let mut text = String::new();
        self.pass_line();
        while self.peek().is_some() {
            let before = self.at;
            self.at += 1;
            let line = self.rest_of_line();
            let depth = line.len() - line.trim_start_matches(' ').len();
            let is_blank = depth == line.len();
            if !is_blank && depth < indent.unwrap_or(least) {
                self.at = before;
                break;
            }
            if !is_blank {
                let indent = *indent.get_or_insert(depth);
                text.push_str(line.get(indent..).unwrap_or_default());
            }
            text.push('\n');
            self.pass_line();
        }
        Ok(Cow::Owned(text.trim_end_matches('\n').to_owned()))
    }
}
