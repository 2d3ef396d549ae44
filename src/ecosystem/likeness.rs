//! Which names are one slip away from a name that many people type: a letter too few, too many, wrong or in the wrong place,
//! words swapped, separators left out, a digit that looks like a letter, a scope spelled otherwise or run into the name. Names are held as
//! hashes under a base that nobody outside knows; what a name is like is told from the name itself.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::hash::RandomState;

/// Longer names are like nothing: nobody types them.
const NAME_BYTES_MAX: usize = 64;
/// Shorter names are all alike.
const NAME_BYTES_MIN: usize = 4;
/// From this length on a letter that is wrong, missing or too many is a slip; before it, only two that changed places are.
const LETTER_BYTES_MIN: usize = 6;
/// Words of a name that are put in other orders.
const WORDS_MAX: usize = 4;
/// What names are made of.
const ALPHABET: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789-_.";

/// A name that another is like, and how.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Like {
    pub name: String,
    pub slip: Slip,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Slip {
    Letter,
    Swapped,
    Words,
    Separators,
    LooksAlike,
    Scope,
}

impl Slip {
    pub const fn words(self) -> &'static str {
        match self {
            Slip::Letter => "one letter differs",
            Slip::Swapped => "two letters changed places",
            Slip::Words => "the same words in another order",
            Slip::Separators => "only separators differ",
            Slip::LooksAlike => "it looks the same",
            Slip::Scope => "its scope is another",
        }
    }
}

/// Names that people know.
pub struct Names {
    base: u64,
    /// Those that are imitated.
    famous: Set,
    /// Scopes of them, `@acme`.
    scopes: Set,
    /// Their plain forms, each with the name.
    plain: HashMap<u64, Box<str>>,
    /// The same for those of several words, in the order of the alphabet.
    words: HashMap<u64, Box<str>>,
    /// All that are in real use.
    known: Known,
    /// Scopes of these.
    known_scopes: Known,
}

impl Names {
    /// `famous` are imitated; `known` are in real use, and what is in real use imitates nobody.
    pub fn of<'n>(famous: impl Iterator<Item = &'n str> + Clone, known: impl Iterator<Item = &'n str> + Clone) -> Names {
        let base = RandomState::new().hash_one("base") % (MODULUS - 512) + 256;
        let hash = |text: &str| hash(base, text);
        let scope = |name: &'n str| name.split_once('/').map(|(scope, _)| scope);
        let all = famous.clone().chain(known);
        let (mut plain, mut words) = (HashMap::new(), HashMap::new());
        for name in famous.clone() {
            let form = plain_of(name);
            if form.len() >= LETTER_BYTES_MIN && form != name {
                plain.entry(hash(&form)).or_insert_with(|| Box::from(name));
            }
            if let Some(sorted) = sorted_words(name) {
                words.entry(hash(&sorted)).or_insert_with(|| Box::from(name));
            }
        }
        Names {
            base,
            famous: Set::of(famous.clone().filter(|name| !name.starts_with('@')).map(hash)),
            scopes: Set::of(famous.filter_map(scope).map(hash)),
            plain,
            words,
            known: Known::of(all.clone().map(hash)),
            known_scopes: Known::of(all.filter_map(scope).map(hash)),
        }
    }

    /// Whether the name is in real use.
    pub fn knows(&self, name: &str) -> bool {
        self.known.has(hash(self.base, name))
    }

    /// The well-known name that this one is a slip away from, unless it is in real use itself.
    pub fn like(&self, name: &str) -> Option<Like> {
        if !(NAME_BYTES_MIN..=NAME_BYTES_MAX).contains(&name.len()) || self.knows(name) {
            return None;
        }
        match name.split_once('/') {
            Some((scope, rest)) => self.scope_like(scope).map(|scope| Like { name: format!("{scope}/{rest}"), slip: Slip::Scope }),
            None => {
                let slipped = self.slipped(name, &self.famous, LETTER_BYTES_MIN);
                slipped.map(|(name, slip)| Like { name, slip }).or_else(|| self.same_form(name))
            }
        }
    }

    fn scope_like(&self, scope: &str) -> Option<String> {
        let name = scope.strip_prefix('@')?;
        if name.len() < NAME_BYTES_MIN || self.known_scopes.has(hash(self.base, scope)) {
            return None;
        }
        self.slipped(scope, &self.scopes, LETTER_BYTES_MIN).map(|(scope, _)| scope)
    }

    /// Words in another order, separators left out, digits for letters.
    fn same_form(&self, name: &str) -> Option<Like> {
        let form = plain_of(name);
        if let Some(other) = self.plain.get(&hash(self.base, &form)).filter(|other| ***other != *name) {
            let slip = match () {
                () if other.starts_with('@') => Slip::Scope,
                () if without_separators(other) == without_separators(name) => Slip::Separators,
                () => Slip::LooksAlike,
            };
            return Some(Like { name: other.to_string(), slip });
        }
        if form.len() >= LETTER_BYTES_MIN && form != name && self.famous.has(hash(self.base, &form)) {
            let slip = if without_separators(name) == form { Slip::Separators } else { Slip::LooksAlike };
            return Some(Like { name: form, slip });
        }
        let sorted = sorted_words(name)?;
        let other = self.words.get(&hash(self.base, &sorted)).filter(|other| ***other != *name)?;
        Some(Like { name: other.to_string(), slip: Slip::Words })
    }

    /// The member of `set` that is one letter, or two neighbours, away. Every such text is tried, by its hash, which is put
    /// together from those of what stands before and after the slip.
    fn slipped(&self, name: &str, set: &Set, letter_bytes_min: usize) -> Option<(String, Slip)> {
        let bytes = name.as_bytes();
        let length = bytes.len();
        let mut before = vec![0_u64; length + 1];
        let mut powers = vec![1_u64; length + 2];
        for (at, byte) in bytes.iter().enumerate() {
            before[at + 1] = push(self.base, before[at], *byte);
        }
        for at in 1..powers.len() {
            powers[at] = times(powers[at - 1], self.base);
        }
        // What stands from `at` on.
        let after = |at: usize| plus(before[length], MODULUS - times(before[at], powers[length - at]));
        let first = usize::from(name.starts_with('@'));
        let whole = |bytes: Vec<u8>, slip| {
            let text = String::from_utf8(bytes).ok()?;
            (!differ_in_number(name, &text)).then_some((text, slip))
        };
        for at in first..length.saturating_sub(1) {
            let (one, other) = (bytes[at], bytes[at + 1]);
            let hash = plus(times(push(self.base, push(self.base, before[at], other), one), powers[length - at - 2]), after(at + 2));
            if one != other && set.has(hash) {
                let mut found = bytes.to_vec();
                found.swap(at, at + 1);
                let found = whole(found, Slip::Swapped);
                if found.is_some() {
                    return found;
                }
            }
        }
        if length + 1 < letter_bytes_min {
            return None;
        }
        for at in first..=length {
            let rest = (at < length).then(|| after(at + 1));
            // Without the letter at this place.
            if let Some(rest) = rest
                && length > letter_bytes_min
                && set.has(plus(times(before[at], powers[length - at - 1]), rest))
                && let Some(found) = whole([&bytes[..at], &bytes[at + 1..]].concat(), Slip::Letter)
            {
                return Some(found);
            }
            for letter in ALPHABET {
                let pushed = push(self.base, before[at], *letter);
                // With another letter at this place, or with one more before it.
                if let Some(rest) = rest
                    && length >= letter_bytes_min
                    && set.has(plus(times(pushed, powers[length - at - 1]), rest))
                    && let Some(found) = whole([&bytes[..at], &[*letter], &bytes[at + 1..]].concat(), Slip::Letter)
                {
                    return Some(found);
                }
                if set.has(plus(times(pushed, powers[length - at]), after(at)))
                    && let Some(found) = whole([&bytes[..at], &[*letter], &bytes[at..]].concat(), Slip::Letter)
                {
                    return Some(found);
                }
            }
        }
        None
    }
}

/// Whether both have numbers and differ in nothing else: `part-1` and `part-2`, `base32` and `base64` are brothers, not slips.
fn differ_in_number(left: &str, right: &str) -> bool {
    let without = |text: &str| {
        let mut shape = String::with_capacity(text.len());
        for c in text.chars() {
            let c = if c.is_ascii_digit() { '0' } else { c };
            if !(c == '0' && shape.ends_with('0')) {
                shape.push(c);
            }
        }
        shape
    };
    let shape = without(left);
    shape.contains('0') && shape == without(right)
}

const fn is_separator(c: char) -> bool {
    matches!(c, '-' | '_' | '.' | '@' | '/')
}

fn without_separators(name: &str) -> String {
    name.chars().filter(|c| !is_separator(*c)).collect()
}

/// Without separators, what looks like something else written as that: `@babel/c0re` and `babel-core` are `babelcore`.
fn plain_of(name: &str) -> String {
    let letters = name.chars().filter(|c| !is_separator(*c)).map(|c| match c {
        '0' => 'o',
        '1' => 'l',
        '3' => 'e',
        '5' => 's',
        '7' => 't',
        other => other,
    });
    letters.collect()
}

/// The words of a name of two to four, in the order of the alphabet.
fn sorted_words(name: &str) -> Option<String> {
    if name.starts_with('@') {
        return None;
    }
    let mut words: Vec<&str> = name.split(is_separator).filter(|word| !word.is_empty()).collect();
    if !(2..=WORDS_MAX).contains(&words.len()) {
        return None;
    }
    words.sort_unstable();
    Some(words.join("-"))
}

/// A set of hashes of which a few digits are kept: of as many names as are known one in tens of thousands is taken for one of them
/// by chance, and nobody can tell which.
struct Known(Vec<u32>);

impl Known {
    fn of(hashes: impl Iterator<Item = u64>) -> Known {
        let mut sorted: Vec<u32> = hashes.map(few_digits).collect();
        sorted.sort_unstable();
        sorted.dedup();
        sorted.shrink_to_fit();
        Known(sorted)
    }

    fn has(&self, hash: u64) -> bool {
        self.0.binary_search(&few_digits(hash)).is_ok()
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the rest is what is left out")]
const fn few_digits(hash: u64) -> u32 {
    hash as u32
}

/// A set of hashes.
struct Set {
    sorted: Vec<u64>,
    /// A bit for each, by its lowest digits: most that is asked for is not there, and is told so by this alone.
    bits: Vec<u64>,
}

impl Set {
    fn of(hashes: impl Iterator<Item = u64>) -> Set {
        let mut sorted: Vec<u64> = hashes.collect();
        sorted.sort_unstable();
        sorted.dedup();
        let mut bits = vec![0; (sorted.len() * 16).next_power_of_two().max(64) / 64];
        for hash in &sorted {
            let (word, bit) = place(*hash, bits.len());
            bits[word] |= bit;
        }
        Set { sorted, bits }
    }

    fn has(&self, hash: u64) -> bool {
        let (word, bit) = place(hash, self.bits.len());
        self.bits.get(word).is_some_and(|bits| bits & bit != 0) && self.sorted.binary_search(&hash).is_ok()
    }
}

/// `words` is a power of two.
const fn place(hash: u64, words: usize) -> (usize, u64) {
    ((hash >> 6) as usize & (words - 1), 1 << (hash & 63))
}

/// A prime.
const MODULUS: u64 = (1 << 61) - 1;

const fn plus(left: u64, right: u64) -> u64 {
    let sum = left + right;
    if sum >= MODULUS { sum - MODULUS } else { sum }
}

#[expect(clippy::cast_possible_truncation, reason = "what is cut off is in the other half")]
const fn times(left: u64, right: u64) -> u64 {
    let product = left as u128 * right as u128;
    plus((product as u64) & MODULUS, (product >> 61) as u64)
}

const fn push(base: u64, before: u64, byte: u8) -> u64 {
    plus(times(before, base), byte as u64 + 1)
}

fn hash(base: u64, text: &str) -> u64 {
    text.bytes().fold(0, |hash, byte| push(base, hash, byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        let famous = ["lodash", "express", "axios", "html-webpack-plugin", "cross-env", "@babel/core", "@types/node", "rimraf", "vue"];
        Names::of(famous.into_iter(), ["expresso", "@bavel/core"].into_iter())
    }

    #[track_caller]
    fn check(name: &str, expect: Option<(&str, Slip)>) {
        let found = names().like(name);
        assert_eq!(found.as_ref().map(|like| (like.name.as_str(), like.slip)), expect, "{name}");
    }

    #[test]
    fn one_slip_is_alike() {
        for (name, like, slip) in [
            ("lodahs", "lodash", Slip::Swapped),
            ("axois", "axios", Slip::Swapped),
            ("lodas", "lodash", Slip::Letter),
            ("odash", "lodash", Slip::Letter),
            ("lodashh", "lodash", Slip::Letter),
            ("llodash", "lodash", Slip::Letter),
            ("lodesh", "lodash", Slip::Letter),
            ("1odash", "lodash", Slip::Letter),
            ("l0da5h", "lodash", Slip::LooksAlike),
            ("crossenv", "cross-env", Slip::Letter),
            ("cross.env", "cross-env", Slip::Letter),
            ("htmlwebpackplugin", "html-webpack-plugin", Slip::Separators),
            ("webpack-html-plugin", "html-webpack-plugin", Slip::Words),
            ("babel-core", "@babel/core", Slip::Scope),
            ("types-node", "@types/node", Slip::Scope),
            ("@babell/core", "@babel/core", Slip::Scope),
            ("@bable/anything", "@babel/anything", Slip::Scope),
            ("@typse/node", "@types/node", Slip::Scope),
        ] {
            check(name, Some((like, slip)));
        }
    }

    #[test]
    fn brothers_differ_in_their_number_only() {
        let names = Names::of(["part-1", "base64-text", "left-part"].into_iter(), [].into_iter());
        for name in ["part-2", "part-12", "base32-text", "base46-text"] {
            assert_eq!(names.like(name), None, "{name}");
        }
        for (name, like) in [("part-1s", "part-1"), ("bsae64-text", "base64-text"), ("left-part1", "left-part")] {
            assert_eq!(names.like(name).map(|one| one.name).as_deref(), Some(like), "{name}");
        }
    }

    #[test]
    fn what_is_in_use_or_further_away_or_short_is_not() {
        for name in [
            "lodash",
            "expresso",
            "@babel/core",
            "@babel/cores",
            "@bavel/core",
            "@mine/lodash",
            "lodaaaash",
            "ldoahs",
            "axioss",
            "axio",
            "veu",
            "vuex",
            "node-types-more",
            "",
            "@",
            "@/",
            "ш",
        ] {
            check(name, None);
        }
        check(&"x".repeat(NAME_BYTES_MAX + 1), None);
        assert_eq!(Names::of([].into_iter(), [].into_iter()).like("lodash"), None);
    }

    /// Hashes that are put together are those of the texts.
    #[test]
    fn every_letter_that_slips_is_found_everywhere() {
        let name = "abcdefgh";
        let names = Names::of([name].into_iter(), [].into_iter());
        let slips = |name: &str| names.like(name).map(|like| like.name);
        for at in 0..name.len() {
            let (head, tail) = name.split_at(at);
            let (letter, rest) = tail.split_at(1);
            for (slipped, is_slip) in [
                (format!("{head}{rest}"), true),
                (format!("{head}z{rest}"), true),
                (format!("{head}z{tail}"), true),
                (format!("{head}{letter}{letter}{rest}"), true),
                (format!("{head}zz{rest}"), false),
                (format!("{head}zy{tail}"), false),
            ] {
                assert_eq!(slips(&slipped).is_some(), is_slip, "{slipped}");
            }
        }
    }
}
