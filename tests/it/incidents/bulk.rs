//! Text that only takes up space, the same on every run: what real payloads are large with, without a payload.

use std::fmt::Write as _;

use serde::Deserialize;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bulk {
    /// Plain functions, as people write them.
    Plain,
    /// One line of calls with texts that nobody reads.
    Dense,
    /// Lists of hexadecimal texts.
    Hex,
}

/// Numbers that look random and are not.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % below
    }

    fn text(&mut self, letters: &[u8], length: usize) -> String {
        (0..length).map(|_| char::from(letters[self.next(letters.len())])).collect()
    }
}

impl Bulk {
    /// At least `bytes` of it, to the end of the last piece.
    pub fn text(self, bytes: usize) -> String {
        const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz";
        const ALL: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789#$%&*+,-.;:<>?@^_|~";
        const HEX: &[u8] = b"0123456789abcdef";
        let mut numbers = Numbers(u64::try_from(bytes).unwrap());
        let mut text = String::new();
        while text.len() < bytes {
            match self {
                Bulk::Plain => {
                    let (name, a, b) = (numbers.text(LETTERS, 8), numbers.text(LETTERS, 4), numbers.text(LETTERS, 5));
                    writeln!(text, "function {name}({a}, {b}) {{\n  // Adds the two, and nothing else.\n  return {a} + {b};\n}}\n")
                        .unwrap();
                }
                Bulk::Dense => {
                    let (name, opaque) = (numbers.text(LETTERS, 3), numbers.text(ALL, 48));
                    write!(text, "{name}(\"{opaque}\");").unwrap();
                }
                Bulk::Hex => writeln!(text, "  \"{}\",", numbers.text(HEX, 64)).unwrap(),
            }
        }
        text
    }
}

#[test]
fn bulk_is_as_long_as_asked_and_the_same_every_time() {
    for bulk in [Bulk::Plain, Bulk::Dense, Bulk::Hex] {
        let text = bulk.text(5_000);
        assert!((5_000..5_400).contains(&text.len()), "{bulk:?} {}", text.len());
        assert_eq!(text, bulk.text(5_000));
    }
}
