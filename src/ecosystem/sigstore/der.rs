//! DER, as far as it takes to find the extensions of a certificate whose form was checked already: a value and what follows it.
//! Source: X.690, 8.1 and 10.1.

/// A value: its tag, and what is inside.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Value<'d> {
    pub tag: u8,
    pub inside: &'d [u8],
}

pub const OCTET_STRING: u8 = 0x04;
pub const OBJECT_IDENTIFIER: u8 = 0x06;
pub const UTF8_STRING: u8 = 0x0c;
pub const SEQUENCE: u8 = 0x30;

/// Values, one after the other, until what comes is none; reads at most [`Values::MAX`].
pub struct Values<'d> {
    rest: &'d [u8],
    left: usize,
}

impl<'d> Values<'d> {
    const MAX: usize = 256;

    pub const fn of(text: &'d [u8]) -> Values<'d> {
        Values { rest: text, left: Values::MAX }
    }

    /// The next value, if it has this tag; nothing is passed over.
    pub fn tagged(&mut self, tag: u8) -> Option<Value<'d>> {
        self.next().filter(|value| value.tag == tag)
    }
}

impl<'d> Iterator for Values<'d> {
    type Item = Value<'d>;

    fn next(&mut self) -> Option<Value<'d>> {
        self.left = self.left.checked_sub(1)?;
        let (&tag, rest) = self.rest.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            // Lengths in one to three bytes.
            0x81..=0x83 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
            }
            _ => return None,
        };
        let (inside, rest) = rest.split_at_checked(length)?;
        self.rest = rest;
        Some(Value { tag, inside })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_split_and_what_is_cut_is_none() {
        let long = [&[SEQUENCE, 0x82, 0x01, 0x00][..], &[7; 256]].concat();
        let text = [&[OCTET_STRING, 2, 8, 9][..], &long, &[1, 0x81, 1, 0xff]].concat();
        let values: Vec<Value<'_>> = Values::of(&text).collect();
        assert_eq!(values.iter().map(|value| (value.tag, value.inside.len())).collect::<Vec<_>>(), [(4, 2), (0x30, 256), (1, 1)]);
        for cut in [&[][..], &[4], &[4, 2, 8], &[4, 0x82, 1], &[4, 0x80], &[4, 0x84, 0, 0, 0, 1, 8], &[4, 0xff]] {
            assert_eq!(Values::of(cut).next(), None, "{cut:?}");
        }
        assert_eq!(Values::of(&[4, 0].repeat(1_000)).count(), Values::MAX);
    }
}
