//! The rules: each has literals, which are looked for everywhere at once, and a pattern, which is asked only where one of them
//! stands. A literal is part of whatever the pattern can match, so that nothing is missed.
//!
//! Patterns are over bytes, without Unicode, in time linear to the text. Repeats with a bound are short, because a long one
//! costs a state for each of its steps.

mod harm;
mod minor;
mod obscured;
mod theft;

use std::ops::Range;
use std::sync::OnceLock;

use regex::bytes::Regex;
use regex::bytes::RegexBuilder;

use crate::ecosystem::scan::class::Classes;
use crate::ecosystem::scan::clues::Clue;
use crate::model::signal::SignalKind;

/// What it means that a rule applies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Tells {
    Signal(SignalKind),
    /// Nothing by itself; a file's clues together may be a signal.
    Clue(Clue),
}

/// How a rule finds its place in a text in which one of its literals stands.
#[derive(Clone, Copy)]
pub(super) enum How {
    /// The first literal is the place; the others only wake the rule.
    Literal,
    Pattern(&'static str),
    /// The pattern, where the place it found is accepted: the whole text, and where in it.
    Filtered(&'static str, fn(&[u8], Range<usize>) -> bool),
    /// By hand.
    By(fn(&[u8]) -> Option<Range<usize>>),
}

pub(super) struct Rule {
    pub(super) tells: Tells,
    pub(super) classes: Classes,
    /// Case does not count, unless they are shorter than four bytes.
    pub(super) literals: &'static [&'static [u8]],
    pub(super) how: How,
}

impl Rule {
    const fn signal(kind: SignalKind, classes: Classes, literals: &'static [&'static [u8]], how: How) -> Rule {
        Rule { tells: Tells::Signal(kind), classes, literals, how }
    }

    const fn clue(clue: Clue, literals: &'static [&'static [u8]], how: How) -> Rule {
        Rule { tells: Tells::Clue(clue), classes: Classes::CODE, literals, how }
    }
}

/// A set of rules, by their place in [`Rules::all`].
pub(super) type RuleSet = u128;

/// All rules, and their patterns once they were needed.
pub(super) struct Rules {
    all: Vec<&'static Rule>,
    patterns: Vec<OnceLock<Option<Regex>>>,
}

impl Rules {
    pub(super) fn new() -> Rules {
        let all: Vec<&Rule> = [obscured::RULES, theft::RULES, harm::RULES, minor::RULES].into_iter().flatten().collect();
        let patterns = all.iter().map(|_| OnceLock::new()).collect();
        Rules { all, patterns }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (usize, &'static Rule)> {
        self.all.iter().copied().enumerate()
    }

    pub(super) fn get(&self, place: usize) -> Option<&'static Rule> {
        self.all.get(place).copied()
    }

    /// Where the rule applies first. An error means that its pattern is broken, so that nobody can say.
    pub(super) fn find(&self, place: usize, text: &[u8]) -> Result<Option<Range<usize>>, &'static str> {
        const BROKEN: &str = "a rule of the scan is broken";
        let rule = self.get(place).ok_or(BROKEN)?;
        let pattern = |pattern: &str| {
            let built = self.patterns.get(place).map(|slot| slot.get_or_init(|| build(pattern)));
            built.and_then(Option::as_ref).ok_or(BROKEN)
        };
        match rule.how {
            How::Literal => {
                let literal = rule.literals.first().copied().unwrap_or_default();
                Ok(find_any_case(text, literal))
            }
            How::Pattern(regex) => Ok(pattern(regex)?.find(text).map(|found| found.range())),
            How::Filtered(regex, accepts) => {
                let regex = pattern(regex)?;
                let mut from = 0;
                // Places do not overlap, and each search goes on behind the last: one walk over the text in all.
                while let Some(found) = regex.find_at(text, from) {
                    if accepts(text, found.range()) {
                        return Ok(Some(found.range()));
                    }
                    from = found.end().max(from + 1);
                }
                Ok(None)
            }
            How::By(find) => Ok(find(text)),
        }
    }
}

fn build(pattern: &str) -> Option<Regex> {
    const SIZE_BYTES_MAX: usize = 1 << 20;
    const CACHE_BYTES_MAX: usize = 4 << 20;
    let mut builder = RegexBuilder::new(pattern);
    builder.unicode(false).size_limit(SIZE_BYTES_MAX).dfa_size_limit(CACHE_BYTES_MAX).build().ok()
}

/// The first place of `literal`, whatever its case.
fn find_any_case(text: &[u8], literal: &[u8]) -> Option<Range<usize>> {
    let first = *literal.first()?;
    let mut from = 0;
    loop {
        let rest = text.get(from..)?;
        let at = from + memchr::memchr2(first.to_ascii_lowercase(), first.to_ascii_uppercase(), rest)?;
        match text.get(at..at + literal.len()) {
            Some(here) if here.eq_ignore_ascii_case(literal) => return Some(at..at + literal.len()),
            Some(_) => from = at + 1,
            None => return None,
        }
    }
}

/// What stands in the `reach` bytes before `at`.
fn before(text: &[u8], at: usize, reach: usize) -> &[u8] {
    text.get(at.saturating_sub(reach)..at).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_can_be_built_and_every_rule_can_wake() {
        let rules = Rules::new();
        assert!(rules.all.len() <= RuleSet::BITS as usize);
        for (place, rule) in rules.all() {
            assert!(rules.find(place, b"x").is_ok(), "{:?}", rule.tells);
            assert!(!rule.literals.is_empty(), "{:?}", rule.tells);
            // Of a short one case counts, so it may have none.
            let shorts = rule.literals.iter().filter(|literal| literal.len() < 4);
            assert!(
                shorts.into_iter().all(|literal| literal.len() > 1 && !literal.iter().any(|b| b.is_ascii_alphabetic() && *b != b'x')),
                "{:?}",
                rule.tells
            );
        }
    }

    #[test]
    fn a_literal_is_found_in_any_case() {
        assert_eq!(find_any_case(b"s Shai-HULUD", b"shai-hulud"), Some(2..12));
        assert_eq!(find_any_case(b"shai-hulu", b"shai-hulud"), None);
        assert_eq!(find_any_case(b"", b"x"), None);
    }
}
