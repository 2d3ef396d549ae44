//! Which packages a rule is about, by a name with stars in it.

use std::fmt;
use std::sync::Arc;

use crate::model::package::NotAName;
use crate::model::package::PackageName;
use crate::model::package::as_one_string;

/// `left-pad`, `eslint-*`, `@acme/*`, `@*/types`. A star stands for any run of characters, none among them, but a slash. One star
/// alone stands for every package: that it left out those of scopes nobody would mean.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct NameGlob(Arc<str>);

const EVERY: &str = "*";
const STARS_MAX: usize = 4;
/// In no name and no pattern: stands for what a star of another pattern stands for.
const SOME: u8 = 1;

impl NameGlob {
    pub fn parse(text: &str) -> Result<NameGlob, NotAName> {
        let wrong = |why| NotAName::Malformed { name: text.chars().take(PackageName::BYTES_MAX).collect(), why };
        if text.contains("**") {
            return Err(wrong("two stars beside each other say no more than one"));
        }
        if text.bytes().filter(|b| *b == b'*').count() > STARS_MAX {
            return Err(wrong("it has more than four stars"));
        }
        PackageName::npm(&text.replace('*', "x")).map_err(|error| match error {
            NotAName::Malformed { why, .. } => wrong(why),
            NotAName::Empty | NotAName::TooLong { .. } => error,
        })?;
        Ok(NameGlob(Arc::from(text)))
    }

    pub fn matches(&self, package: &PackageName) -> bool {
        *self.0 == *EVERY || matches(self.0.as_bytes(), package.as_str().as_bytes())
    }

    /// Whether it matches every package that `other` matches.
    pub fn covers(&self, other: &NameGlob) -> bool {
        if *self.0 == *EVERY || *other.0 == *EVERY {
            return *self.0 == *EVERY;
        }
        // What matches where the other has anything at all matches whatever the other has there.
        let text: Vec<u8> = other.0.bytes().map(|b| if b == b'*' { SOME } else { b }).collect();
        matches(self.0.as_bytes(), &text)
    }

    /// Whether some package is matched by both.
    pub fn overlaps(&self, other: &NameGlob) -> bool {
        *self.0 == *EVERY || *other.0 == *EVERY || meet(self.0.as_bytes(), other.0.as_bytes())
    }

    /// A name that it matches.
    pub fn example(&self, filling: &str) -> String {
        self.0.replace('*', filling)
    }
}

/// In time linear to the text for each star: only the last star is ever tried again, since a later one can make up for it.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut read) = (0, 0);
    let mut last_star = None;
    while let Some(next) = text.get(read) {
        match pattern.get(at) {
            Some(b'*') => {
                last_star = Some((at, read));
                at += 1;
            }
            Some(wanted) if wanted == next => {
                at += 1;
                read += 1;
            }
            Some(_) | None => match last_star {
                // A star takes one character more, unless that is the slash.
                Some((star, from)) if text.get(from) != Some(&b'/') => {
                    last_star = Some((star, from + 1));
                    at = star + 1;
                    read = from + 1;
                }
                Some(_) | None => return false,
            },
        }
    }
    pattern.get(at..).is_some_and(|rest| rest.iter().all(|b| *b == b'*'))
}

/// Whether one text is matched by both patterns. `reached[j]`: the patterns agree so far, `j` characters into the right one.
fn meet(left: &[u8], right: &[u8]) -> bool {
    let close = |reached: &mut Vec<bool>| {
        // A star of the right may stand for nothing.
        for j in 0..right.len() {
            if reached[j] && right[j] == b'*' {
                reached[j + 1] = true;
            }
        }
    };
    let mut reached = vec![false; right.len() + 1];
    reached[0] = true;
    close(&mut reached);
    for one in left {
        let mut next = vec![false; right.len() + 1];
        for j in 0..=right.len() {
            let other = right.get(j);
            if *one == b'*' {
                // It stands for nothing, or for what the right has next.
                next[j] |= reached[j];
                if next[j] && other.is_some_and(|b| *b != b'/') {
                    next[j + 1] = true;
                }
            } else if reached[j] {
                match other {
                    Some(b'*') if *one != b'/' => next[j] = true,
                    Some(b) if b == one => next[j + 1] = true,
                    Some(_) | None => {}
                }
            }
        }
        close(&mut next);
        reached = next;
    }
    reached[right.len()]
}

impl fmt::Display for NameGlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

as_one_string!(NameGlob);

#[cfg(test)]
mod tests {
    use super::*;

    fn glob(text: &str) -> NameGlob {
        NameGlob::parse(text).unwrap()
    }

    #[test]
    fn a_star_stands_for_all_but_a_slash() {
        for (pattern, package, expect) in [
            ("left-pad", "left-pad", true),
            ("left-pad", "left-pads", false),
            ("eslint-*", "eslint-plugin-import", true),
            ("eslint-*", "eslint-", true),
            ("eslint-*", "@acme/eslint-x", false),
            ("*-loader", "css-loader", true),
            ("*-loader", "css-loader-loader", true),
            ("*-loader", "@acme/css-loader", false),
            ("*lint*in*", "eslint-plugin", true),
            ("*lint*in*", "eslint-plug", false),
            ("a*b*c", "aXbYbZc", true),
            ("@acme/*", "@acme/web", true),
            ("@acme/*", "@acme-x/web", false),
            ("@*/types", "@acme/types", true),
            ("@*/types", "@acme/type", false),
            ("@*/*", "@acme/web", true),
            ("@*/*", "left-pad", false),
            ("*", "left-pad", true),
            ("*", "@acme/web", true),
        ] {
            assert_eq!(glob(pattern).matches(&PackageName::npm(package).unwrap()), expect, "{pattern} {package}");
        }
    }

    #[test]
    fn what_no_package_is_called_is_no_pattern() {
        for bad in ["", "@acme", "**", "a**", "acme/*", "@a/b/*", "a b*", "../*", "*a*a*a*a*a", "left-pad@1.*", "@/*"] {
            assert!(NameGlob::parse(bad).is_err(), "{bad}");
        }
        assert!(NameGlob::parse(&"a".repeat(215)).is_err());
    }

    #[test]
    fn one_covers_another_where_it_matches_all_that_the_other_does() {
        for (wide, narrow, expect) in [
            ("*", "@acme/*", true),
            ("@acme/*", "*", false),
            ("@acme/*", "@acme/web", true),
            ("@acme/*", "@acme/w*", true),
            ("@acme/w*", "@acme/*", false),
            ("@*/*", "@acme/*", true),
            ("a*", "a*b", true),
            ("a*b", "a*", false),
            ("*a*", "*a", true),
            ("*a", "*a*", false),
            ("left-pad", "left-pad", true),
            ("*b*", "a*c", false),
            ("@*/*", "a*", false),
        ] {
            assert_eq!(glob(wide).covers(&glob(narrow)), expect, "{wide} {narrow}");
        }
    }

    #[test]
    fn two_overlap_where_a_package_is_matched_by_both() {
        for (left, right, expect) in [
            ("a*", "*b", true),
            ("a*", "b*", false),
            ("@acme/*", "@*/eslint-*", true),
            ("@acme/*", "@other/*", false),
            ("@acme/*", "a*", false),
            ("*", "@acme/*", true),
            ("a*b", "a*c", false),
            ("a*b*", "*cb", true),
            ("left-pad", "left-*", true),
            ("left-pad", "left-p", false),
        ] {
            assert_eq!(glob(left).overlaps(&glob(right)), expect, "{left} {right}");
            assert_eq!(glob(right).overlaps(&glob(left)), expect, "{right} {left}");
        }
    }

    #[test]
    fn its_example_is_matched() {
        for pattern in ["left-pad", "eslint-*", "@acme/*", "@*/types", "*"] {
            let name = PackageName::npm(&glob(pattern).example("selftest")).unwrap();
            assert!(glob(pattern).matches(&name), "{pattern} {name}");
        }
    }
}
