//! One walk over JSON text that checks its grammar and hands out where its pieces stand, the very text of each; nothing
//! is unescaped. The first sight of a package spends most of its time on its JSON, hence by hand and once.

use crate::ecosystem::json::JsonFault;
use crate::ecosystem::json::Place;

/// The very text of a value whose grammar was checked. Its keys, depth, surrogates and range of numbers were not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Raw<'t>(&'t str);

impl<'t> Raw<'t> {
    pub fn get(self) -> &'t str {
        self.0
    }
}

/// A string as it stands in the text, without its quotes.
#[derive(Clone, Copy, Debug)]
pub struct Quoted<'t> {
    pub inside: &'t str,
    pub has_escapes: bool,
}

/// Walks over a text. Errors say what was met where; after one, nothing more is to be asked.
pub struct Scanner<'t> {
    text: &'t str,
    at: usize,
    /// What closes each object and array that is open here.
    open: Vec<u8>,
    /// The most that were open at once.
    deepest: usize,
}

impl<'t> Scanner<'t> {
    pub fn new(text: &'t str) -> Scanner<'t> {
        Scanner { text, at: 0, open: Vec::new(), deepest: 0 }
    }

    /// Whether an object comes next.
    pub fn is_at_object(&mut self) -> bool {
        self.blank();
        self.peek() == Some(b'{')
    }

    /// Goes over an object; `each` is given every key, not unescaped, and goes over its value.
    pub fn object<E: From<JsonFault>>(&mut self, mut each: impl FnMut(&mut Self, Quoted<'t>) -> Result<(), E>) -> Result<Raw<'t>, E> {
        self.blank();
        let start = self.at;
        self.open(b'{', b'}')?;
        if !self.closes() {
            loop {
                let key = self.key()?;
                each(self, key)?;
                if !self.goes_on()? {
                    break;
                }
            }
        }
        Ok(self.since(start))
    }

    pub fn is_at_array(&mut self) -> bool {
        self.blank();
        self.peek() == Some(b'[')
    }

    /// Begins an object whose keys [`Scanner::next_key`] gives one by one.
    pub fn open_object(&mut self) -> Result<(), JsonFault> {
        self.open(b'{', b'}')
    }

    /// The next key of the object that is open, and where it stands; its value is to be gone over before the next. `None`
    /// closes it.
    pub fn next_key(&mut self, is_first: bool) -> Result<Option<(usize, Quoted<'t>)>, JsonFault> {
        if if is_first { self.closes() } else { !self.goes_on()? } {
            return Ok(None);
        }
        self.blank();
        let at = self.at;
        Ok(Some((at, self.key()?)))
    }

    /// Begins an array whose elements are gone over while [`Scanner::next_element`] says that there is one.
    pub fn open_array(&mut self) -> Result<(), JsonFault> {
        self.open(b'[', b']')
    }

    pub fn next_element(&mut self, is_first: bool) -> Result<bool, JsonFault> {
        if is_first { Ok(!self.closes()) } else { self.goes_on() }
    }

    /// How many bytes were gone over.
    pub fn at(&self) -> usize {
        self.at
    }

    /// How many objects and arrays were open at once at most, above those that are open here, since this was last asked:
    /// `{"a":[]}` is 2 deep.
    pub fn take_depth(&mut self) -> usize {
        std::mem::replace(&mut self.deepest, self.open.len()) - self.open.len()
    }

    /// Goes over one value of any kind.
    pub fn value(&mut self) -> Result<Raw<'t>, JsonFault> {
        self.blank();
        let start = self.at;
        let outside = self.open.len();
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.string()?;
                }
                Some(b'{') => {
                    self.open(b'{', b'}')?;
                    if !self.closes() {
                        self.pass_key()?;
                        continue;
                    }
                }
                Some(b'[') => {
                    self.open(b'[', b']')?;
                    if !self.closes() {
                        continue;
                    }
                }
                Some(b'-' | b'0'..=b'9') => self.number()?,
                Some(b't') => self.word("true")?,
                Some(b'f') => self.word("false")?,
                Some(b'n') => self.word("null")?,
                Some(_) | None => return Err(self.unexpected("a value")),
            }
            // A value ended, and with it perhaps what it stands in.
            loop {
                if self.open.len() == outside {
                    return Ok(self.since(start));
                }
                let is_object = self.open.last() == Some(&b'}');
                if self.goes_on()? {
                    if is_object {
                        self.pass_key()?;
                    } else {
                        self.blank();
                    }
                    break;
                }
            }
        }
    }

    /// Nothing but blanks may follow.
    pub fn end(&mut self) -> Result<(), JsonFault> {
        self.blank();
        if self.at == self.text.len() { Ok(()) } else { Err(self.unexpected("the end")) }
    }

    fn since(&self, start: usize) -> Raw<'t> {
        Raw(self.text.get(start..self.at).unwrap_or_default())
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Goes over what stands between two values.
    #[inline]
    pub fn blank(&mut self) {
        while let Some(b' ' | b'\n' | b'\t' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    #[inline]
    fn take(&mut self, byte: u8, what: &'static str) -> Result<(), JsonFault> {
        if self.peek() != Some(byte) {
            return Err(self.unexpected(what));
        }
        self.at += 1;
        Ok(())
    }

    fn open(&mut self, opening: u8, closing: u8) -> Result<(), JsonFault> {
        self.take(opening, "an object")?;
        self.open.push(closing);
        self.deepest = self.deepest.max(self.open.len());
        self.blank();
        Ok(())
    }

    /// Whether the innermost object or array ends here; then it is closed.
    fn closes(&mut self) -> bool {
        let closes = self.peek().is_some_and(|byte| self.open.last() == Some(&byte));
        if closes {
            self.open.pop();
            self.at += 1;
        }
        closes
    }

    /// Whether another element follows; else the innermost object or array is closed.
    fn goes_on(&mut self) -> Result<bool, JsonFault> {
        self.blank();
        if self.peek() == Some(b',') {
            self.at += 1;
            return Ok(true);
        }
        if self.closes() { Ok(false) } else { Err(self.unexpected("a comma or the end of what is open")) }
    }

    /// A key and the colon after it.
    fn key(&mut self) -> Result<Quoted<'t>, JsonFault> {
        self.blank();
        let start = self.at + 1;
        let has_escapes = self.string()?;
        let inside = self.text.get(start..self.at - 1).unwrap_or_default();
        self.blank();
        self.take(b':', "a colon")?;
        Ok(Quoted { inside, has_escapes })
    }

    /// A key that nobody asks for, up to its value.
    fn pass_key(&mut self) -> Result<(), JsonFault> {
        self.blank();
        self.string()?;
        self.blank();
        self.take(b':', "a colon")?;
        self.blank();
        Ok(())
    }

    /// A string. Whether it has escapes.
    fn string(&mut self) -> Result<bool, JsonFault> {
        self.take(b'"', "a string")?;
        let mut has_escapes = false;
        loop {
            self.at = plain_end(self.text.as_bytes(), self.at);
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(has_escapes);
                }
                Some(b'\\') => {
                    has_escapes = true;
                    self.escape()?;
                }
                Some(_) | None => return Err(self.unexpected("the end of a string")),
            }
        }
    }

    fn escape(&mut self) -> Result<(), JsonFault> {
        const DIGITS: usize = 4;
        self.at += 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
            Some(b'u') => {
                self.at += 1;
                let digits = self.text.as_bytes().get(self.at..self.at + DIGITS);
                if !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
                    return Err(self.unexpected("four hexadecimal digits"));
                }
                self.at += DIGITS;
            }
            Some(_) | None => return Err(self.unexpected("an escape")),
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), JsonFault> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    /// At least one.
    fn digits(&mut self) -> Result<(), JsonFault> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at > start { Ok(()) } else { Err(self.unexpected("a digit")) }
    }

    fn word(&mut self, word: &'static str) -> Result<(), JsonFault> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        if !rest.starts_with(word.as_bytes()) {
            return Err(self.unexpected("a value"));
        }
        self.at += word.len();
        Ok(())
    }

    pub fn place(&self) -> Place {
        Place::of(self.text.as_bytes(), self.at)
    }

    #[cold]
    fn unexpected(&self, what: &str) -> JsonFault {
        JsonFault::Malformed { why: format!("expected {what} at {}", self.place()) }
    }
}

/// Where from `at` on the first byte stands that is no plain character of a string: a quote, a backslash, a control
/// character; the end where none does. Eight bytes at a time: a borrow out of a lower byte can only blame a higher one, and
/// the lowest that is blamed counts.
#[inline]
fn plain_end(text: &[u8], mut at: usize) -> usize {
    const WORD: usize = size_of::<u64>();
    const fn each(byte: u8) -> u64 {
        u64::from_ne_bytes([byte; WORD])
    }
    let is_zero = |bytes: u64| bytes.wrapping_sub(each(1)) & !bytes;
    while let Some(word) = text.get(at..).and_then(|rest| rest.first_chunk::<WORD>()) {
        let bytes = u64::from_le_bytes(*word);
        let control = bytes.wrapping_sub(each(b' ')) & !bytes;
        let stops = (control | is_zero(bytes ^ each(b'"')) | is_zero(bytes ^ each(b'\\'))) & each(0x80);
        if stops != 0 {
            return at + stops.trailing_zeros() as usize / 8;
        }
        at += WORD;
    }
    let rest = text.get(at..).unwrap_or_default();
    at + rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..b' ')).unwrap_or(rest.len())
}

#[cfg(test)]
mod tests;
