//! The bytes of a file as the text that is looked through: UTF-16 is turned into UTF-8, everything else stays as it is.

/// How a file's text is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Encoding {
    /// UTF-8, or anything in which ASCII is itself, or no text.
    Plain,
    Utf16 {
        big_endian: bool,
    },
    /// Four bytes a character: nothing that runs code reads it, and neither do we.
    Utf32,
}

impl Encoding {
    /// By the byte order mark, or where every second of the first bytes is zero and the others are text.
    pub(super) fn of(head: &[u8]) -> Encoding {
        const LOOKED_AT_BYTES: usize = 64;
        const FEWEST_BYTES: usize = 8;
        match head {
            [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => return Encoding::Utf32,
            [0xff, 0xfe, ..] => return Encoding::Utf16 { big_endian: false },
            [0xfe, 0xff, ..] => return Encoding::Utf16 { big_endian: true },
            _ => {}
        }
        let head = head.get(..LOOKED_AT_BYTES).unwrap_or(head);
        let (pairs, _) = head.as_chunks::<2>();
        if head.len() < FEWEST_BYTES {
            return Encoding::Plain;
        }
        let text = |b: u8| b.is_ascii_graphic() || b.is_ascii_whitespace();
        if pairs.iter().all(|[low, high]| *high == 0 && text(*low)) {
            Encoding::Utf16 { big_endian: false }
        } else if pairs.iter().all(|[high, low]| *high == 0 && text(*low)) {
            Encoding::Utf16 { big_endian: true }
        } else {
            Encoding::Plain
        }
    }
}

/// Decodes UTF-16 piece by piece. What is no UTF-16 becomes U+FFFD.
#[derive(Debug)]
pub(super) struct Utf16 {
    big_endian: bool,
    odd: Option<u8>,
    surrogate: Option<u16>,
}

impl Utf16 {
    pub(super) const fn new(big_endian: bool) -> Utf16 {
        Utf16 { big_endian, odd: None, surrogate: None }
    }

    /// Adds the text of `bytes` to `out`, at most one and a half times as long.
    pub(super) fn decode(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        for byte in bytes {
            let Some(first) = self.odd.take() else {
                self.odd = Some(*byte);
                continue;
            };
            let unit = if self.big_endian { u16::from_be_bytes([first, *byte]) } else { u16::from_le_bytes([first, *byte]) };
            match self.surrogate.take() {
                Some(high) if is_low(unit) => push(&[high, unit], out),
                Some(high) => {
                    push(&[high], out);
                    self.begin(unit, out);
                }
                None => self.begin(unit, out),
            }
        }
    }

    fn begin(&mut self, unit: u16, out: &mut Vec<u8>) {
        if is_high(unit) { self.surrogate = Some(unit) } else { push(&[unit], out) }
    }
}

const fn is_high(unit: u16) -> bool {
    matches!(unit, 0xd800..=0xdbff)
}

const fn is_low(unit: u16) -> bool {
    matches!(unit, 0xdc00..=0xdfff)
}

fn push(units: &[u16], out: &mut Vec<u8>) {
    for c in char::decode_utf16(units.iter().copied()) {
        let mut buffer = [0; 4];
        out.extend_from_slice(c.unwrap_or(char::REPLACEMENT_CHARACTER).encode_utf8(&mut buffer).as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str, big_endian: bool) -> Vec<u8> {
        text.encode_utf16().flat_map(|unit| if big_endian { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
    }

    #[test]
    fn utf16_is_known_with_and_without_its_mark() {
        for big_endian in [false, true] {
            assert_eq!(Encoding::of(&bytes("\u{feff}x", big_endian)), Encoding::Utf16 { big_endian });
            assert_eq!(Encoding::of(&bytes("const x = 1;", big_endian)), Encoding::Utf16 { big_endian });
        }
        for plain in [b"".as_slice(), b"const x = 1;", b"\0\0\0\0\0\0\0\0", b"\x7fELF\x02\x01\x01\0\0\0\0\0", b"a\0b", "äöü".as_bytes()]
        {
            assert_eq!(Encoding::of(plain), Encoding::Plain, "{plain:?}");
        }
        assert_eq!(Encoding::of(b"\xff\xfe\0\0x\0\0\0"), Encoding::Utf32);
    }

    #[test]
    fn every_cut_gives_the_same_text() {
        let text = "eval(😀) \u{e0101}ä";
        for big_endian in [false, true] {
            let bytes = bytes(text, big_endian);
            for cut in 0..bytes.len() {
                let (mut decoder, mut out) = (Utf16::new(big_endian), Vec::new());
                decoder.decode(&bytes[..cut], &mut out);
                decoder.decode(&bytes[cut..], &mut out);
                assert_eq!(String::from_utf8(out).unwrap(), text, "{cut}");
            }
        }
        let (mut decoder, mut out) = (Utf16::new(false), Vec::new());
        decoder.decode(&[0x00, 0xd8, 0x00, 0xd8, 0x00, 0xdc, b'a', 0, 0x00, 0xdc, b'b', 0], &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), "\u{fffd}\u{10000}a\u{fffd}b");
    }
}
