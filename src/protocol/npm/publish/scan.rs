//! The body of a publish as it streams in: the tarball that it carries as text is decoded on the way and never stands in
//! memory whole; everything else is gathered, to be read strictly once it is all there.
//!
//! This is no parser: it follows strings, brackets, commas and colons. What it takes for the tarball is a tarball only if
//! the rest, read strictly, is JSON in which that value stands where it stood here.

use data_encoding::BASE64;

/// Everything but tarballs, in bytes: of a body with a tarball, and of one without, which may be a large packument that is
/// written back.
pub const BESIDES_BYTES_MAX: usize = 8 * 1_024 * 1_024;
pub const PACKUMENT_BYTES_MAX: usize = 32 * 1_024 * 1_024;
/// Values in it, about: they take more room once they are read.
const VALUES_MAX: usize = 750_000;
/// How deep objects and arrays may be nested.
pub const DEPTH_MAX: usize = 64;
/// A key in the first three levels, in bytes.
const KEY_BYTES_MAX: usize = 512;
/// Base64 text that is decoded at once; a multiple of four.
const TEXT_BYTES: usize = 64 * 1_024;

/// Where tarballs stand: `_attachments.<file>.data`.
pub const ATTACHMENTS: &str = "_attachments";
pub const DATA: &str = "data";
/// Of attachments that are text and stay where they are.
pub const SIGSTORE: &str = ".sigstore";

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ScanFault {
    #[error("besides its tarball the body is larger than {0} bytes")]
    TooLarge(usize),
    #[error("the body has more than {VALUES_MAX} values")]
    TooManyValues,
    #[error("the body is nested deeper than {DEPTH_MAX}")]
    TooDeep,
    #[error("a key of the body is longer than {KEY_BYTES_MAX} bytes")]
    KeyTooLong,
    #[error("a key of the body is written with escapes where npm's clients use none")]
    EscapedKey,
    #[error("the body carries more than one tarball")]
    SecondTarball,
    #[error("the data of the tarball is not base64: {0}")]
    NotBase64(&'static str),
    #[error("the body ended before it was whole")]
    CutShort,
}

/// What a body was besides its tarball.
#[derive(PartialEq, Eq, Debug)]
pub struct Scanned {
    /// The body with `""` for the tarball's data. Not looked at further: whether it is JSON is to be seen.
    pub skeleton: Vec<u8>,
    /// The key that the tarball stood under, as it was written.
    pub tarball: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum At {
    /// Between strings.
    Outside,
    String {
        is_key: bool,
        escaped: bool,
    },
    /// Inside the tarball's data.
    Data {
        escaped: bool,
    },
}

/// Reads a body piece by piece, however it is cut.
pub struct Scan {
    skeleton: Vec<u8>,
    skeleton_bytes_max: usize,
    values: usize,
    at: At,
    /// What is open: whether each is an object.
    open: Vec<bool>,
    /// Whether the next string is a key.
    key_next: bool,
    /// The keys on the way to where we are, in the first three levels.
    keys: [Vec<u8>; 3],
    tarball: Option<String>,
    /// Base64 that is not decoded yet.
    text: Vec<u8>,
}

impl Scan {
    /// Gathers at most so many bytes.
    pub fn new(skeleton_bytes_max: usize) -> Scan {
        Scan {
            skeleton: Vec::new(),
            skeleton_bytes_max,
            values: 0,
            at: At::Outside,
            open: Vec::new(),
            key_next: false,
            keys: Default::default(),
            tarball: None,
            text: Vec::new(),
        }
    }

    /// What is gathered in memory by now, in bytes.
    pub fn gathered(&self) -> usize {
        self.skeleton.len()
    }

    /// Whether a tarball has begun.
    pub fn has_tarball(&self) -> bool {
        self.tarball.is_some()
    }

    /// Takes the next piece; appends to `tarball` what it decodes.
    pub fn feed(&mut self, mut piece: &[u8], tarball: &mut Vec<u8>) -> Result<(), ScanFault> {
        while !piece.is_empty() {
            let taken = match self.at {
                At::Outside => self.outside(piece)?,
                At::String { is_key, escaped } => self.string(piece, is_key, escaped)?,
                At::Data { escaped } => self.data(piece, escaped, tarball)?,
            };
            piece = piece.get(taken..).unwrap_or_default();
        }
        Ok(())
    }

    /// # Errors
    /// The body ended inside a string or inside what is open.
    pub fn finish(self) -> Result<Scanned, ScanFault> {
        if self.at != At::Outside || !self.open.is_empty() {
            return Err(ScanFault::CutShort);
        }
        Ok(Scanned { skeleton: self.skeleton, tarball: self.tarball })
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<(), ScanFault> {
        if self.skeleton.len() + bytes.len() > self.skeleton_bytes_max {
            return Err(ScanFault::TooLarge(self.skeleton_bytes_max));
        }
        self.skeleton.extend_from_slice(bytes);
        Ok(())
    }

    /// Up to the next string, or to the end. How many bytes that were.
    fn outside(&mut self, piece: &[u8]) -> Result<usize, ScanFault> {
        for (at, byte) in piece.iter().enumerate() {
            match byte {
                b'{' | b'[' => {
                    if self.open.len() == DEPTH_MAX {
                        return Err(ScanFault::TooDeep);
                    }
                    self.open.push(*byte == b'{');
                    self.key_next = *byte == b'{';
                    self.count()?;
                }
                b'}' | b']' => {
                    self.open.pop();
                    self.key_next = false;
                }
                b',' => {
                    self.key_next = self.open.last() == Some(&true);
                    self.count()?;
                }
                b':' => self.key_next = false,
                b'"' => {
                    let taken = at + 1;
                    self.keep(piece.get(..taken).unwrap_or_default())?;
                    self.begin()?;
                    return Ok(taken);
                }
                _ => {}
            }
        }
        self.keep(piece)?;
        Ok(piece.len())
    }

    fn count(&mut self) -> Result<(), ScanFault> {
        self.values += 1;
        if self.values > VALUES_MAX { Err(ScanFault::TooManyValues) } else { Ok(()) }
    }

    /// A string begins.
    fn begin(&mut self) -> Result<(), ScanFault> {
        if self.key_next && self.open.last() == Some(&true) {
            if let Some(key) = self.keys.get_mut(self.open.len() - 1) {
                key.clear();
            }
            self.at = At::String { is_key: true, escaped: false };
            return Ok(());
        }
        let [attachments, file, data] = &self.keys;
        let stands_there = self.open == [true; 3] && *attachments == ATTACHMENTS.as_bytes() && *data == DATA.as_bytes();
        if !stands_there || file.ends_with(SIGSTORE.as_bytes()) {
            self.at = At::String { is_key: false, escaped: false };
            return Ok(());
        }
        if self.tarball.is_some() {
            return Err(ScanFault::SecondTarball);
        }
        self.tarball = Some(String::from_utf8_lossy(file).into_owned());
        self.skeleton_bytes_max = self.skeleton_bytes_max.min(BESIDES_BYTES_MAX);
        self.at = At::Data { escaped: false };
        Ok(())
    }

    /// Up to the end of a string, to its next escape, or to the end of the piece.
    fn string(&mut self, piece: &[u8], is_key: bool, escaped: bool) -> Result<usize, ScanFault> {
        if escaped {
            self.at = At::String { is_key, escaped: false };
            self.keep(piece.get(..1).unwrap_or_default())?;
            return Ok(1);
        }
        let end = memchr::memchr2(b'"', b'\\', piece);
        let plain = piece.get(..end.unwrap_or(piece.len())).unwrap_or_default();
        let level = self.open.len().saturating_sub(1);
        let is_watched = is_key && (level < 2 || level == 2 && *self.keys[0] == *ATTACHMENTS.as_bytes());
        if is_watched && let Some(key) = self.keys.get_mut(level) {
            if key.len() + plain.len() > KEY_BYTES_MAX {
                return Err(ScanFault::KeyTooLong);
            }
            key.extend_from_slice(plain);
        }
        let Some(end) = end else {
            self.keep(plain)?;
            return Ok(piece.len());
        };
        if piece.get(end) == Some(&b'"') {
            self.at = At::Outside;
            self.key_next = false;
        } else if is_watched {
            return Err(ScanFault::EscapedKey);
        } else {
            self.at = At::String { is_key, escaped: true };
        }
        self.keep(piece.get(..=end).unwrap_or_default())?;
        Ok(end + 1)
    }

    /// Up to the end of the tarball's data, to its next escape, or to the end of the piece.
    fn data(&mut self, piece: &[u8], escaped: bool, tarball: &mut Vec<u8>) -> Result<usize, ScanFault> {
        if escaped {
            // A slash is the one character of base64 that JSON has an escape for.
            if piece.first() != Some(&b'/') {
                return Err(ScanFault::NotBase64("it has an escape"));
            }
            self.at = At::Data { escaped: false };
            self.text.push(b'/');
            return Ok(1);
        }
        let end = memchr::memchr2(b'"', b'\\', piece);
        let mut plain = piece.get(..end.unwrap_or(piece.len())).unwrap_or_default();
        while !plain.is_empty() {
            let room = TEXT_BYTES.saturating_sub(self.text.len()).max(1).min(plain.len());
            let (now, later) = plain.split_at(room);
            self.text.extend_from_slice(now);
            plain = later;
            if self.text.len() >= TEXT_BYTES {
                self.decode(tarball, false)?;
            }
        }
        let Some(end) = end else { return Ok(piece.len()) };
        if piece.get(end) == Some(&b'\\') {
            self.at = At::Data { escaped: true };
            return Ok(end + 1);
        }
        self.decode(tarball, true)?;
        self.at = At::Outside;
        self.keep(b"\"")?;
        Ok(end + 1)
    }

    /// Decodes what there is; before the end all but the last four characters, which may be padded.
    fn decode(&mut self, tarball: &mut Vec<u8>, is_end: bool) -> Result<(), ScanFault> {
        const QUANTUM: usize = 4;
        let whole = if is_end { self.text.len() } else { self.text.len().saturating_sub(1) / QUANTUM * QUANTUM };
        let text = self.text.get(..whole).unwrap_or_default();
        let unpadded = if is_end { whole.saturating_sub(2) } else { whole };
        if memchr::memchr(b'=', text.get(..unpadded).unwrap_or_default()).is_some() {
            return Err(ScanFault::NotBase64("it goes on after its padding"));
        }
        if whole % QUANTUM != 0 {
            return Err(ScanFault::NotBase64("its length is no multiple of four"));
        }
        let length = BASE64.decode_len(whole).map_err(|_| ScanFault::NotBase64("its length is no multiple of four"))?;
        let start = tarball.len();
        tarball.resize(start + length, 0);
        let decoded = BASE64.decode_mut(text, tarball.get_mut(start..).unwrap_or_default());
        let decoded = decoded.map_err(|_| ScanFault::NotBase64("it has other characters, or a padding that is not canonical"))?;
        tarball.truncate(start + decoded);
        self.text.drain(..whole);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(pieces: &[&[u8]]) -> Result<(Scanned, Vec<u8>), ScanFault> {
        let mut scan = Scan::new(PACKUMENT_BYTES_MAX);
        let mut tarball = Vec::new();
        for piece in pieces {
            scan.feed(piece, &mut tarball)?;
        }
        Ok((scan.finish()?, tarball))
    }

    fn whole(body: &str) -> Result<(Scanned, Vec<u8>), ScanFault> {
        scan(&[body.as_bytes()])
    }

    /// Whatever the cuts, the same comes of it.
    #[track_caller]
    fn check(body: &str, skeleton: &str, key: Option<&str>, tarball: &[u8]) {
        let expect = (Scanned { skeleton: skeleton.as_bytes().to_vec(), tarball: key.map(str::to_owned) }, tarball.to_vec());
        for cut in 0..=body.len() {
            let (left, right) = body.as_bytes().split_at(cut);
            assert_eq!(scan(&[left, right]).as_ref(), Ok(&expect), "cut at {cut}");
        }
        let single: Vec<&[u8]> = body.as_bytes().chunks(1).collect();
        assert_eq!(scan(&single).as_ref(), Ok(&expect));
    }

    #[test]
    fn the_tarball_is_decoded_wherever_it_stands() {
        let body =
            r#"{"_id":"x","n":[{"_attachments":1}],"_attachments":{"x-1.tgz":{"length":7,"data":"dGFyYmFsbA==","z":"\"\\"}},"v":{}}"#;
        check(body, &body.replace("dGFyYmFsbA==", ""), Some("x-1.tgz"), b"tarball");
        let first = r#"{ "_attachments" : { "x-1.tgz" : { "data" : "\/\/8=" } } , "a": "_attachments" }"#;
        check(first, r#"{ "_attachments" : { "x-1.tgz" : { "data" : "" } } , "a": "_attachments" }"#, Some("x-1.tgz"), b"\xff\xff");
        let empty = r#"{"_attachments":{"x-1.tgz":{"data":""}}}"#;
        check(empty, empty, Some("x-1.tgz"), b"");
    }

    #[test]
    fn what_stands_elsewhere_is_no_tarball() {
        for body in [
            r#"{"_attachments":{"x-1.sigstore":{"data":"{\"a\":1}"}}}"#,
            r#"{"_attachments":{"x":{"data":1,"b":{"data":"eA=="}}}}"#,
            r#"{"_attachments":{"x":{"data":["eA=="]}}}"#,
            r#"{"_attachments":{"x":["data","eA=="]}}"#,
            r#"{"a":{"_attachments":{"x":{"data":"eA=="}}}}"#,
            r#"{"attachments":{"x":{"data":"eA=="}}}"#,
            r#"[{"_attachments":{"x":{"data":"eA=="}}}]"#,
            r#"{"versions":{"1.0.0":{"a\"b":"c","long":"\u0041"}}}"#,
            "null",
        ] {
            check(body, body, None, b"");
        }
    }

    #[test]
    fn a_key_of_a_sibling_says_nothing() {
        let body = r#"{"_attachments":{"a":{"data":1},"b":{"x":"eA=="}},"c":{"d":{"data":"eA=="}}}"#;
        check(body, body, None, b"");
    }

    #[test]
    fn large_data_is_decoded_in_pieces() {
        let bytes: Vec<u8> = (0..300_001_u32).map(|at| (at * 7 % 251) as u8).collect();
        let body = format!(r#"{{"_attachments":{{"x.tgz":{{"data":"{}"}}}}}}"#, BASE64.encode(&bytes));
        for size in [1_000, 4_095, 65_536, 65_537, 1_000_000] {
            let pieces: Vec<&[u8]> = body.as_bytes().chunks(size).collect();
            let (scanned, tarball) = scan(&pieces).unwrap();
            assert!(tarball == bytes, "pieces of {size}");
            assert_eq!(scanned.skeleton, br#"{"_attachments":{"x.tgz":{"data":""}}}"#);
        }
    }

    #[test]
    fn what_is_not_base64_is_refused() {
        for data in ["eA", "eA=", "eA===", "eA==eA==", "e A=", "eB==", "e\\u0041==", "eA==\\n", "e-_=", "=eA=", "====", "=", "eA=\u{e9}"] {
            let body = format!(r#"{{"_attachments":{{"x.tgz":{{"data":"{data}"}}}}}}"#);
            assert!(matches!(whole(&body), Err(ScanFault::NotBase64(_))), "{data}");
        }
        let late = format!("{}=={}", "A".repeat(TEXT_BYTES - 2), "A".repeat(8));
        let body = format!(r#"{{"_attachments":{{"x.tgz":{{"data":"{late}"}}}}}}"#);
        assert!(matches!(whole(&body), Err(ScanFault::NotBase64(_))));
    }

    #[test]
    fn limits_and_what_hides_a_key() {
        let two = r#"{"_attachments":{"a.tgz":{"data":"eA=="},"b.tgz":{"data":"eA=="}}}"#;
        assert_eq!(whole(two), Err(ScanFault::SecondTarball));
        for escaped in [
            r#"{"\u005fattachments":{}}"#,
            r#"{"_attachments":{"a\u002etgz":{}}}"#,
            r#"{"_attachments":{"a.tgz":{"d\u0061ta":"x"}}}"#,
            r#"{"versions":{"1.0\u002e0":{}}}"#,
        ] {
            assert_eq!(whole(escaped), Err(ScanFault::EscapedKey), "{escaped}");
        }
        assert_eq!(whole(&format!("{}{}", "[".repeat(65), "]".repeat(65))), Err(ScanFault::TooDeep));
        assert_eq!(whole(&format!("[{}1]", "1,".repeat(VALUES_MAX))), Err(ScanFault::TooManyValues));
        assert_eq!(whole(&format!("\"{}\"", "x".repeat(PACKUMENT_BYTES_MAX))), Err(ScanFault::TooLarge(PACKUMENT_BYTES_MAX)));
        let long = "x".repeat(BESIDES_BYTES_MAX);
        assert!(whole(&format!("\"{long}\"")).is_ok());
        let tarball = r#""_attachments":{"a.tgz":{"data":"eA=="}}"#;
        for beside in [format!("{{{tarball},\"x\":\"{long}\"}}"), format!("{{\"x\":\"{long}\",{tarball}}}")] {
            assert_eq!(whole(&beside), Err(ScanFault::TooLarge(BESIDES_BYTES_MAX)));
        }
        assert_eq!(whole(&format!("{{\"{}\":1}}", "x".repeat(KEY_BYTES_MAX + 1))), Err(ScanFault::KeyTooLong));
        for cut in [r#"{"a":"#, r#"{"a":"b"#, r#"{"_attachments":{"x.tgz":{"data":"eA=="#] {
            assert_eq!(whole(cut), Err(ScanFault::CutShort), "{cut}");
        }
    }
}
