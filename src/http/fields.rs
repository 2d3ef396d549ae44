//! The fields of a request's head, wherever they lie: in a map, or as they stand in what was read.

use http::HeaderMap;
use http::HeaderName;

/// Header fields. Names are compared without case.
pub trait Fields: Sync {
    /// The values of every field of that name, in their order.
    fn all<'f>(&'f self, name: &'f HeaderName) -> impl Iterator<Item = &'f [u8]>;

    fn first<'f>(&'f self, name: &'f HeaderName) -> Option<&'f [u8]> {
        self.all(name).next()
    }

    /// The values that are visible ASCII; what is not says nothing.
    fn texts<'f>(&'f self, name: &'f HeaderName) -> impl Iterator<Item = &'f str> {
        self.all(name).filter_map(text)
    }

    /// The value of a field that stands there at most once.
    ///
    /// # Errors
    /// It stands there more often.
    fn only<'f>(&'f self, name: &'f HeaderName) -> Result<Option<&'f [u8]>, Repeated> {
        let mut values = self.all(name);
        match (values.next(), values.next()) {
            (first, None) => Ok(first),
            (_, Some(_)) => Err(Repeated),
        }
    }
}

/// A field that may stand there once stands there more often.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Repeated;

/// A value as text, if it is visible ASCII with spaces and tabs.
pub fn text(value: &[u8]) -> Option<&str> {
    let is_visible = value.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\t'));
    std::str::from_utf8(value).ok().filter(|_| is_visible)
}

impl Fields for HeaderMap {
    fn all<'f>(&'f self, name: &'f HeaderName) -> impl Iterator<Item = &'f [u8]> {
        self.get_all(name).iter().map(http::HeaderValue::as_bytes)
    }
}

/// A request without a body whose head is read and not taken apart: most of what registry clients send.
#[derive(Clone, Copy, Debug)]
pub struct Plain<'r, F> {
    pub is_head: bool,
    /// Raw.
    pub path: &'r str,
    pub query: Option<&'r str>,
    pub fields: &'r F,
}
