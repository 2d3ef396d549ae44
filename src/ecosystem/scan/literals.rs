//! All literals of the scan in one automaton: a text is gone over once, whatever their number.

use std::sync::LazyLock;

use aho_corasick::Anchored;
use aho_corasick::automaton::Automaton;
use aho_corasick::automaton::StateID;
use aho_corasick::dfa::DFA;

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
    /// `://`
    Address,
    /// `host`, before the name of one.
    HostKey,
    /// A name of the list of drops.
    Drop,
}

pub(super) struct Literals {
    automaton: DFA,
    start: StateID,
    /// By pattern of the automaton; several where one literal is looked for for several reasons.
    wanted: Vec<(Vec<u8>, Vec<Wanted>)>,
    pub(super) rules: Rules,
}

/// Built once. `None` only if the literals themselves cannot be built into an automaton, which a test rules out.
pub(super) static LITERALS: LazyLock<Option<Literals>> = LazyLock::new(Literals::new);

impl Literals {
    fn new() -> Option<Literals> {
        let rules = Rules::new();
        let mut wanted: Vec<(Vec<u8>, Vec<Wanted>)> = Vec::new();
        let mut want = |literal: &[u8], one: Wanted| {
            let literal = literal.to_ascii_lowercase();
            match wanted.iter_mut().find(|(known, _)| *known == literal) {
                Some((_, all)) => all.push(one),
                None => wanted.push((literal, vec![one])),
            }
        };
        for (place, rule) in rules.all() {
            for literal in rule.literals {
                want(literal, Wanted::Rules(1 << place));
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
        want(b"://", Wanted::Address);
        want(b"host", Wanted::HostKey);
        want(b"hostname", Wanted::HostKey);
        let mut builder = DFA::builder();
        builder.ascii_case_insensitive(true).start_kind(aho_corasick::StartKind::Unanchored).prefilter(false);
        let automaton = builder.build(wanted.iter().map(|(literal, _)| literal)).ok()?;
        let start = automaton.start_state(Anchored::No).ok()?;
        Some(Literals { automaton, start, wanted, rules })
    }

    /// Calls `found` with what is wanted, its start and its end, for every literal in `text`, also those that overlap.
    #[inline]
    pub(super) fn each(&self, text: &[u8], mut found: impl FnMut(Wanted, usize, usize)) {
        let mut state = self.start;
        for (at, byte) in text.iter().enumerate() {
            state = self.automaton.next_state(Anchored::No, state, *byte);
            if self.automaton.is_special(state) && self.automaton.is_match(state) {
                for index in 0..self.automaton.match_len(state) {
                    let pattern = self.automaton.match_pattern(state, index);
                    let Some((literal, all)) = self.wanted.get(pattern.as_usize()) else { continue };
                    let start = at + 1 - literal.len();
                    for wanted in all {
                        found(*wanted, start, at + 1);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_literals_are_found_also_where_they_overlap() {
        let literals = LITERALS.as_ref().unwrap();
        let mut found = Vec::new();
        literals.each(b"x://HOSTNAME", |wanted, start, end| found.push((wanted, start, end)));
        assert_eq!(found, [(Wanted::Address, 1, 4), (Wanted::HostKey, 4, 8), (Wanted::HostKey, 4, 12)]);
        for (literal, _) in &literals.wanted {
            let mut count = 0;
            literals.each(&[b"__", literal.as_slice(), b"__"].concat(), |_, _, _| count += 1);
            assert!(count > 0, "{literal:?}");
        }
    }
}
