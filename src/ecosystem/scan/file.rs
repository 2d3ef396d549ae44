//! One file while it is looked through, window by window.

use std::ops::Range;

use crate::ecosystem::scan::class::Class;
use crate::ecosystem::scan::class::Classes;
use crate::ecosystem::scan::clues::Clues;
use crate::ecosystem::scan::drops;
use crate::ecosystem::scan::literals::LITERALS;
use crate::ecosystem::scan::literals::Literals;
use crate::ecosystem::scan::literals::Wanted;
use crate::ecosystem::scan::names;
use crate::ecosystem::scan::reach;
use crate::ecosystem::scan::reach::Reach;
use crate::ecosystem::scan::rules::RuleSet;
use crate::ecosystem::scan::rules::Tells;
use crate::ecosystem::scan::seen::Seen;
use crate::ecosystem::scan::unseen;
use crate::model::finding::printable;
use crate::model::signal::Signal;
use crate::model::signal::SignalKind;

/// Bytes of an excerpt, and how many of them stand before the place itself.
const EXCERPT_BYTES_MAX: usize = 160;
const LEAD_BYTES: usize = 24;
/// Lines longer than this are not written for people.
const READABLE_BYTES: usize = 1_000;

pub(super) struct File {
    path: String,
    class: Class,
    /// Rules that spoke, and are not asked again.
    spoken: RuleSet,
    pub(super) signals: Vec<(SignalKind, String)>,
    pub(super) clues: Clues,
    pub(super) reach: Reach,
    /// Where the first window that is to come begins, in what was counted already.
    counted: usize,
}

impl File {
    pub(super) fn new(path: &str, class: Class) -> File {
        let path = path.to_owned();
        File { path, class, spoken: 0, signals: Vec::new(), clues: Clues::default(), reach: Reach::default(), counted: 0 }
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) const fn set_class(&mut self, class: Class) {
        self.class = class;
    }

    /// The next window begins `bytes` later, in the middle of this one.
    pub(super) const fn went_on(&mut self, bytes: usize) {
        self.counted = self.counted.saturating_sub(bytes);
    }

    /// Whether it may be run as it stands.
    pub(super) const fn is_command(&self) -> bool {
        Classes::COMMANDS.has(self.class)
    }

    /// Looks at one window. An error says why that cannot be done.
    pub(super) fn look(&mut self, literals: &Literals, text: &[u8], seen: &mut Seen) -> Result<(), &'static str> {
        let is_program = self.class.is_program();
        if is_program {
            seen.count(text.get(self.counted..).unwrap_or_default());
        }
        self.counted = text.len();
        let mut woken: RuleSet = 0;
        literals.each(text, |wanted, start, end| match wanted {
            Wanted::Rules(rules) => woken |= rules,
            Wanted::Import if is_program => {
                if let Some(specifier) = reach::specifier(text, end) {
                    self.imports(specifier, seen);
                }
            }
            Wanted::Call(capability) if is_program => {
                if !self.reach.has(capability) && reach::is_call(text, start, end) {
                    self.reach.add(capability);
                }
            }
            Wanted::Address if is_program => {
                if let Some(host) = names::of_address(text, start + 1, self.class == Class::Script) {
                    self.names(host, text, start..end, seen);
                }
            }
            Wanted::HostKey if is_program => {
                if let Some(host) = names::of_key(text, start, end) {
                    self.names(host, text, start..end, seen);
                }
            }
            Wanted::Drop if Classes::COMMANDS.has(self.class) => {
                if drops::is_addressed(text, &(start..end)) {
                    self.tell(SignalKind::DropHost, text, start..end);
                }
            }
            Wanted::Import | Wanted::Call(_) | Wanted::Address | Wanted::HostKey | Wanted::Drop => {}
        });
        if self.class == Class::Prose {
            // What is written for people may show how such code looks, but not in lines that nobody can read.
            for line in text.split(|b| *b == b'\n').filter(|line| line.len() > READABLE_BYTES) {
                self.ask(literals, woken & !self.spoken, line)?;
            }
        } else {
            self.ask(literals, woken & !self.spoken, text)?;
        }
        if Classes::CODE.has(self.class)
            && let Some(place) = unseen::behind_blanks(text)
        {
            self.tell(SignalKind::WhitespaceHidden, text, place);
        }
        Ok(())
    }

    fn imports(&mut self, specifier: &str, seen: &mut Seen) {
        if specifier.starts_with('.') {
            seen.import(specifier);
        } else if let Some(capability) = reach::of_module(specifier) {
            self.reach.add(capability);
        }
    }

    fn names(&mut self, host: String, text: &[u8], place: Range<usize>, seen: &mut Seen) {
        if names::is_public_number(&host) {
            self.tell(SignalKind::PublicAddress, text, place);
        }
        seen.host(host);
    }

    /// Asks the rules whose literals stand in the window.
    fn ask(&mut self, literals: &Literals, rules: RuleSet, text: &[u8]) -> Result<(), &'static str> {
        let mut left = rules;
        while left != 0 {
            let place = left.trailing_zeros() as usize;
            left &= left - 1;
            let Some(rule) = literals.rules.get(place) else { continue };
            if !rule.classes.has(self.class) {
                continue;
            }
            let Some(found) = literals.rules.find(place, text)? else { continue };
            self.spoken |= 1 << place;
            match rule.tells {
                Tells::Signal(kind) => self.tell(kind, text, found),
                Tells::Clue(clue) => self.clues.add(clue, || excerpt(text, &found)),
            }
        }
        Ok(())
    }

    fn tell(&mut self, kind: SignalKind, text: &[u8], place: Range<usize>) {
        if !self.signals.iter().any(|(known, _)| *known == kind) {
            self.signals.push((kind, excerpt(text, &place)));
        }
    }

    /// All signals, those included that its clues are together.
    pub(super) fn told(self) -> (String, Class, Reach, Vec<(SignalKind, String)>) {
        let mut signals = self.signals;
        let kinds: Vec<SignalKind> = signals.iter().map(|(kind, _)| *kind).collect();
        for (kind, excerpt) in self.clues.signals(&kinds) {
            if !signals.iter().any(|(known, _)| *known == kind) {
                signals.push((kind, printable(&excerpt, EXCERPT_BYTES_MAX)));
            }
        }
        (self.path, self.class, self.reach, signals)
    }
}

/// The signals of commands that are run as they stand, by whatever names them. An error says why they cannot be looked through.
pub fn of_commands(commands: &str, file: &str) -> Result<Vec<Signal>, &'static str> {
    let mut seen = Seen::default();
    let mut looked = File::new(file, Class::Script);
    looked.look(&LITERALS, commands.as_bytes(), &mut seen)?;
    let (_, _, _, signals) = looked.told();
    Ok(signals.into_iter().map(|(kind, excerpt)| Signal { kind, file: file.to_owned(), excerpt }).collect())
}

/// What stands around `place`, runs of blanks as one.
fn excerpt(text: &[u8], place: &Range<usize>) -> String {
    let start = place.start.saturating_sub(LEAD_BYTES);
    let around = text.get(start..(place.start + EXCERPT_BYTES_MAX).min(text.len())).unwrap_or_default();
    let around = String::from_utf8_lossy(around);
    let words: Vec<&str> = around.trim_start_matches('\u{fffd}').split_ascii_whitespace().collect();
    printable(&words.join(" "), EXCERPT_BYTES_MAX)
}
