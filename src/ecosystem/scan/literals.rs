//! All literals of the scan, looked for at once: a text is gone over once, whatever their number.
//!
//! Of each literal the rarest four bytes are kept. Every four bytes of a text are asked for in a table of one bit each, which
//! depends on nothing before it, so that a core works on several places at a time; where the bit is set, the literals
//! that have those four are compared. An automaton over the same literals waits for each byte's state before the next
//! (docs/decisions/0018-scanner.md).

use std::sync::LazyLock;

use crate::ecosystem::scan::drops;
use crate::ecosystem::scan::reach;
use crate::ecosystem::scan::rules::RuleSet;
use crate::ecosystem::scan::rules::Rules;
use crate::model::profile::Capability;

/// What a literal is looked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Wanted {
    /// Wakes these rules.
    Rules(RuleSet),
    /// The text of an import follows.
    Import,
    Call(Capability),
    /// `p://` or `s://`, of which the last three bytes count.
    Address,
    /// `host`, before the name of one.
    HostKey,
    /// A name of the list of drops.
    Drop,
}

/// Bytes of a literal that are asked for in the table.
const KEY_BYTES: usize = 4;
/// Keys are spread over that many bits: few enough to stay in a core's nearest cache.
const BITS: usize = 1 << 16;

const HEAD_SHIFT: u32 = 6;

struct Literal {
    text: Vec<u8>,
    /// Where its key begins in it.
    key_at: usize,
    wanted: Vec<Wanted>,
}

pub(super) struct Literals {
    table: Box<[u64; BITS / 64]>,
    /// By the place of its bit, sorted: which literals have a key there.
    places: Vec<(u16, u16)>,
    /// Where in `places` those begin whose upper bits are this number.
    heads: Box<[u16; BITS >> HEAD_SHIFT]>,
    literals: Vec<Literal>,
    /// Rules with a literal shorter than a key, each with that literal, which is looked for by itself.
    short: Vec<(&'static [u8], RuleSet)>,
    pub(super) rules: Rules,
}

/// Built once.
pub(super) static LITERALS: LazyLock<Literals> = LazyLock::new(Literals::new);

impl Literals {
    fn new() -> Literals {
        let rules = Rules::new();
        let mut literals: Vec<Literal> = Vec::new();
        let mut short: Vec<(&'static [u8], RuleSet)> = Vec::new();
        let mut want = |text: &[u8], wanted: Wanted| {
            let text = text.to_ascii_lowercase();
            match literals.iter_mut().find(|known| known.text == text) {
                Some(known) => known.wanted.push(wanted),
                None => literals.push(Literal { key_at: rarest(&text), text, wanted: vec![wanted] }),
            }
        };
        for (place, rule) in rules.all() {
            for literal in rule.literals {
                let rules: RuleSet = 1 << place;
                if literal.len() >= KEY_BYTES {
                    want(literal, Wanted::Rules(rules));
                } else {
                    match short.iter_mut().find(|(known, _)| known == literal) {
                        Some((_, known)) => *known |= rules,
                        None => short.push((literal, rules)),
                    }
                }
            }
        }
        for import in reach::IMPORTS {
            want(import, Wanted::Import);
        }
        for (call, capability) in reach::CALLS {
            want(call, Wanted::Call(capability));
        }
        for (host, _) in drops::all() {
            want(host.as_bytes(), Wanted::Drop);
        }
        for (text, wanted) in
            [(b"p://".as_slice(), Wanted::Address), (b"s://", Wanted::Address), (b"host", Wanted::HostKey), (b"hostname", Wanted::HostKey)]
        {
            want(text, wanted);
        }
        let mut table = Box::new([0; BITS / 64]);
        let mut places = Vec::new();
        for (number, literal) in literals.iter().enumerate() {
            let key = literal.text.iter().skip(literal.key_at).take(KEY_BYTES).fold(0, |word, byte| next(word, *byte));
            let place = place_of(key);
            if let Some(bits) = table.get_mut(usize::from(place / 64)) {
                *bits |= 1_u64 << (place % 64);
            }
            places.push((place, u16::try_from(number).unwrap_or(u16::MAX)));
        }
        places.sort_unstable();
        let mut heads = Box::new([0; BITS >> HEAD_SHIFT]);
        for (number, head) in heads.iter_mut().enumerate() {
            let begins = places.partition_point(|(place, _)| usize::from(*place) >> HEAD_SHIFT < number);
            *head = u16::try_from(begins).unwrap_or(u16::MAX);
        }
        Literals { table, places, heads, literals, short, rules }
    }

    /// Calls `found` with what is wanted, its start and its end, for every literal in `text`, also those that overlap. Of a
    /// short literal only the first place is told.
    #[inline]
    pub(super) fn each(&self, text: &[u8], mut found: impl FnMut(Wanted, usize, usize)) {
        // Those of other scripts all begin with one of three bytes, which most texts have none of.
        let foreign = memchr::memchr3(0xe2, 0xef, 0xf3, text).is_some();
        for (literal, rules) in self.short.iter().filter(|(literal, _)| foreign || literal.is_ascii()) {
            if let Some(at) = memchr::memmem::find(text, literal) {
                found(Wanted::Rules(*rules), at, at + literal.len());
            }
        }
        let mut word = 0;
        for (at, byte) in text.iter().enumerate() {
            word = next(word, *byte);
            let place = place_of(word);
            let bits = self.table.get(usize::from(place / 64)).copied().unwrap_or_default();
            if bits >> (place % 64) & 1 != 0 {
                self.compare(text, at + 1, place, &mut found);
            }
        }
    }

    /// The literals whose key may end at `key_end`.
    fn compare(&self, text: &[u8], key_end: usize, place: u16, found: &mut impl FnMut(Wanted, usize, usize)) {
        let first = self.heads.get(usize::from(place >> HEAD_SHIFT)).copied().unwrap_or_default();
        let near = self.places.get(usize::from(first)..).unwrap_or_default().iter();
        for (_, number) in near.take_while(|(known, _)| *known <= place).filter(|(known, _)| *known == place) {
            let Some(literal) = self.literals.get(usize::from(*number)) else { continue };
            let Some(start) = key_end.checked_sub(literal.key_at + KEY_BYTES) else { continue };
            let end = start + literal.text.len();
            if text.get(start..end).is_some_and(|here| here.eq_ignore_ascii_case(&literal.text)) {
                for wanted in &literal.wanted {
                    found(*wanted, start, end);
                }
            }
        }
    }
}

/// The last four bytes, in one case: two letters that differ in it only become the same, and so do a few other bytes.
const fn next(word: u32, byte: u8) -> u32 {
    word >> 8 | ((byte | 0x20) as u32) << 24
}

/// Where the bit of a key stands: the upper half of a product, in which all four bytes have a part.
const fn place_of(word: u32) -> u16 {
    let [_, _, low, high] = word.wrapping_mul(0x9e37_79b1).to_le_bytes();
    u16::from_le_bytes([low, high])
}

/// Where the four bytes begin that code has least of.
fn rarest(literal: &[u8]) -> usize {
    // Roughly in the order in which JavaScript has them, the most common last.
    const COMMON: &[u8] = b"zjqkvwxygb_0123456789-/\"'=:hmupdlcfai.()onsrte ";
    let weight = |byte: &u8| COMMON.iter().position(|common| common == byte).map_or(0, |at| at * at);
    let windows = literal.windows(KEY_BYTES).enumerate();
    windows.min_by_key(|(_, key)| key.iter().map(weight).sum::<usize>()).map_or(0, |(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_literals_are_found_also_where_they_overlap() {
        let mut found = Vec::new();
        LITERALS.each(b"https://HOSTNAME", |wanted, start, end| found.push((wanted, start, end)));
        found.sort_by_key(|(_, start, end)| (*start, *end));
        assert_eq!(found, [(Wanted::Address, 4, 8), (Wanted::HostKey, 8, 12), (Wanted::HostKey, 8, 16)]);
    }

    #[test]
    fn every_literal_is_found_in_any_case_and_at_either_end() {
        for literal in &LITERALS.literals {
            for text in [literal.text.clone(), literal.text.to_ascii_uppercase()] {
                for (before, after) in [("", ""), ("__", ""), ("", "__"), ("q\u{e9}", "\n")] {
                    let whole = [before.as_bytes(), &text, after.as_bytes()].concat();
                    let mut places = Vec::new();
                    LITERALS.each(&whole, |wanted, start, end| places.push((wanted, start, end)));
                    for wanted in &literal.wanted {
                        assert!(places.contains(&(*wanted, before.len(), before.len() + text.len())), "{whole:?}");
                    }
                }
            }
        }
        for (literal, rules) in &LITERALS.short {
            assert!(literal.is_ascii() || [0xe2, 0xef, 0xf3].contains(&literal[0]), "{literal:?}");
            let mut seen = 0;
            LITERALS.each(&[b"a", *literal].concat(), |wanted, _, _| {
                if let Wanted::Rules(rules) = wanted {
                    seen |= rules
                }
            });
            assert_eq!(seen & rules, *rules, "{literal:?}");
        }
    }
}
