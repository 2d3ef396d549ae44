//! npm's ranges of versions: which version satisfies which range, exactly as npm's clients have it.
//! Source: node-semver, "Range Grammar" and `satisfies` without `includePrerelease`.

use std::cmp::Ordering;

use semver::Prerelease;
use semver::Version as Semantic;

use crate::protocol::npm::order::semantic;

/// Longest range that is read, in bytes, and how much one may hold.
const RANGE_BYTES_MAX: usize = 1_024;
const ALTERNATIVES_MAX: usize = 64;
const COMPARATORS_MAX: usize = 64;

/// A range: one of its alternatives has to hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Range(Vec<Vec<Comparator>>);

/// One bound. All of an alternative have to hold.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Comparator {
    operator: Operator,
    version: Semantic,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Operator {
    Less,
    LessOrEqual,
    Equal,
    GreaterOrEqual,
    Greater,
}

impl Range {
    /// `None` for what is no range, such as a tag.
    pub fn parse(text: &str) -> Option<Range> {
        if text.len() > RANGE_BYTES_MAX {
            return None;
        }
        let alternatives: Vec<&str> = text.split("||").collect();
        if alternatives.len() > ALTERNATIVES_MAX {
            return None;
        }
        let mut all = alternatives.into_iter().map(alternative).collect::<Option<Vec<_>>>()?;
        // Beside one that everything satisfies no other counts, not even with the prereleases that it names.
        if let Some(any) = all.iter().position(Vec::is_empty) {
            all = vec![all.swap_remove(any)];
        }
        Some(Range(all))
    }

    pub fn is_satisfied_by(&self, version: &Semantic) -> bool {
        self.0.iter().any(|all| {
            let holds = all.iter().all(|one| one.holds(version));
            // A prerelease is only meant where a bound names a prerelease of the same version.
            let is_meant =
                version.pre.is_empty() || all.iter().any(|one| !one.version.pre.is_empty() && numbers(&one.version) == numbers(version));
            holds && is_meant
        })
    }
}

/// Whether the version satisfies the range. What is no version satisfies none; what is no range is satisfied by none.
pub fn satisfies(range: &str, version: &str) -> bool {
    Range::parse(range).zip(semantic(version)).is_some_and(|(range, version)| range.is_satisfied_by(&version))
}

impl Comparator {
    fn holds(&self, version: &Semantic) -> bool {
        let order = version.cmp_precedence(&self.version);
        match self.operator {
            Operator::Less => order == Ordering::Less,
            Operator::LessOrEqual => order != Ordering::Greater,
            Operator::Equal => order == Ordering::Equal,
            Operator::GreaterOrEqual => order != Ordering::Less,
            Operator::Greater => order == Ordering::Greater,
        }
    }
}

fn numbers(version: &Semantic) -> (u64, u64, u64) {
    (version.major, version.minor, version.patch)
}

/// A version of which the last places may be missing or wild.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Partial {
    major: Option<u64>,
    minor: Option<u64>,
    patch: Option<u64>,
    pre: Prerelease,
    /// A number stands behind a wild place.
    is_mixed: bool,
}

impl Partial {
    fn parse(text: &str) -> Option<Partial> {
        let text = text.trim_start_matches(['v', '=', ' ']);
        let text = text.split_once('+').map_or(text, |(text, _)| text);
        let (places, pre) = text.split_once('-').map_or((text, None), |(places, pre)| (places, Some(pre)));
        let mut numbers = [None; 3];
        let (mut is_wild, mut is_mixed) = (false, false);
        let mut count = 0;
        for place in places.split('.') {
            let number = numbers.get_mut(count)?;
            count += 1;
            if matches!(place, "x" | "X" | "*") || (place.is_empty() && places.is_empty()) {
                is_wild = true;
                continue;
            }
            let is_number = place.bytes().all(|byte| byte.is_ascii_digit()) && (place.len() == 1 || !place.starts_with('0'));
            let read: u64 = place.parse().ok().filter(|_| is_number)?;
            if read >= 1 << 53 {
                return None;
            }
            // What stands behind a wild place counts for nothing.
            is_mixed |= is_wild;
            *number = Some(read).filter(|_| !is_wild);
        }
        let [major, minor, patch] = numbers;
        let pre = match pre {
            Some("") => return None,
            Some(pre) if patch.is_some() => Prerelease::new(pre).ok()?,
            Some(_) if count == 3 => Prerelease::EMPTY,
            Some(_) => return None,
            None => Prerelease::EMPTY,
        };
        Some(Partial { major, minor, patch, pre, is_mixed })
    }

    /// The least version that it speaks of.
    fn least(&self) -> Semantic {
        let mut version = Semantic::new(self.major.unwrap_or(0), self.minor.unwrap_or(0), self.patch.unwrap_or(0));
        version.pre = self.pre.clone();
        version
    }

    /// The first version, prereleases counted, that it does not speak of any more. `None`: it speaks of all.
    fn end(&self) -> Option<Semantic> {
        match (self.major, self.minor, self.patch) {
            (None, _, _) => None,
            (Some(major), None, _) => Some(first(major + 1, 0, 0)),
            (Some(major), Some(minor), None) => Some(first(major, minor + 1, 0)),
            (Some(major), Some(minor), Some(patch)) => Some(first(major, minor, patch + 1)),
        }
    }
}

/// `1.2.3-0`: below every prerelease of it that anybody makes.
fn first(major: u64, minor: u64, patch: u64) -> Semantic {
    let mut version = Semantic::new(major, minor, patch);
    version.pre = Prerelease::new("0").unwrap_or(Prerelease::EMPTY);
    version
}

fn alternative(text: &str) -> Option<Vec<Comparator>> {
    let text = text.trim();
    if let Some((from, to)) = text.split_once(" - ") {
        return hyphen(from, to);
    }
    let mut all = Vec::new();
    let mut words = text.split_whitespace().peekable();
    while let Some(word) = words.next() {
        let version = word.trim_start_matches(['<', '>', '=', '~', '^']);
        let operator = word.get(..word.len() - version.len())?;
        // An operator may stand apart from its version.
        let version = if version.is_empty() && !operator.is_empty() {
            words.next_if(|next| !next.starts_with(['<', '>', '=', '~', '^'])).unwrap_or("")
        } else {
            version
        };
        bounds(operator, version, &mut all)?;
        if all.len() > COMPARATORS_MAX {
            return None;
        }
    }
    Some(without_least(all))
}

/// That a version is at least the least there is says nothing.
fn without_least(mut all: Vec<Comparator>) -> Vec<Comparator> {
    let least = Semantic::new(0, 0, 0);
    all.retain(|one| one.operator != Operator::GreaterOrEqual || one.version != least);
    all
}

fn hyphen(from: &str, to: &str) -> Option<Vec<Comparator>> {
    let (from, to) = (Partial::parse(from.trim())?, Partial::parse(to.trim())?);
    let mut all = Vec::new();
    if from.major.is_some() {
        all.push(Comparator { operator: Operator::GreaterOrEqual, version: from.least() });
    }
    if to.patch.is_some() {
        all.push(Comparator { operator: Operator::LessOrEqual, version: to.least() });
    } else if let Some(end) = to.end() {
        all.push(Comparator { operator: Operator::Less, version: end });
    }
    Some(without_least(all))
}

/// The bounds that one word of an alternative sets.
fn bounds(operator: &str, version: &str, all: &mut Vec<Comparator>) -> Option<()> {
    let partial = Partial::parse(version)?;
    let is_bare = version.is_empty() && !operator.is_empty();
    if is_bare || (partial.is_mixed && !operator.starts_with(['~', '^'])) {
        return None;
    }
    let mut push = |operator, version| all.push(Comparator { operator, version });
    match operator {
        "" | "=" => match partial.patch {
            Some(_) => push(Operator::Equal, partial.least()),
            None => within(&partial, partial.end(), &mut push),
        },
        "~" | "~>" => {
            let end = Partial { patch: None, ..partial.clone() }.end();
            within(&partial, end, &mut push);
        }
        "^" => {
            let end = match (partial.major, partial.minor, partial.patch) {
                (Some(0), Some(0), Some(_)) => partial.end(),
                (Some(0), Some(_), _) => Partial { patch: None, ..partial.clone() }.end(),
                (_, _, _) => Partial { minor: None, patch: None, ..partial.clone() }.end(),
            };
            within(&partial, end, &mut push);
        }
        ">=" => push(Operator::GreaterOrEqual, partial.least()),
        "<" => match partial.major {
            // Below every version there is.
            None => push(Operator::Less, first(0, 0, 0)),
            Some(_) if partial.patch.is_none() => push(Operator::Less, first(partial.major.unwrap_or(0), partial.minor.unwrap_or(0), 0)),
            Some(_) => push(Operator::Less, partial.least()),
        },
        ">" => match (partial.patch, partial.end()) {
            (Some(_), _) => push(Operator::Greater, partial.least()),
            (None, Some(end)) => push(Operator::GreaterOrEqual, Semantic { pre: Prerelease::EMPTY, ..end }),
            (None, None) => push(Operator::Less, first(0, 0, 0)),
        },
        "<=" => match (partial.patch, partial.end()) {
            (Some(_), _) => push(Operator::LessOrEqual, partial.least()),
            (None, Some(end)) => push(Operator::Less, end),
            (None, None) => {}
        },
        _ => return None,
    }
    Some(())
}

fn within(partial: &Partial, end: Option<Semantic>, push: &mut impl FnMut(Operator, Semantic)) {
    if let Some(end) = end {
        push(Operator::GreaterOrEqual, partial.least());
        push(Operator::Less, end);
    }
}

#[cfg(test)]
mod tests;
