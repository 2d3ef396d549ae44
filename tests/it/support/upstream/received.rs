//! One request as the scenario upstream received it.

use bytes::Bytes;
use http::HeaderMap;
use http::Method;

#[derive(Clone, Debug)]
pub struct Received {
    pub method: Method,
    /// As it came, still encoded, query included: `/@acme%2fweb?write=true`.
    pub raw: String,
    /// Decoded once, below the prefix, without query: `/@acme/web`.
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// The status it was answered with; 0 where the connection was cut instead.
    pub answered: u16,
}

impl Received {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub fn mentions(&self, text: &str) -> bool {
        let wanted = text.to_lowercase();
        let has = |bytes: &[u8]| String::from_utf8_lossy(bytes).to_lowercase().contains(&wanted);
        let headers = || self.headers.iter().any(|(name, value)| has(name.as_str().as_bytes()) || has(value.as_bytes()));
        has(self.raw.as_bytes()) || has(self.path.as_bytes()) || has(&self.body) || headers()
    }
}
