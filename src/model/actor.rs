//! Who did something: a person by the name of their token, or Airlock itself.

use std::fmt;

use serde::Deserialize;
use serde::Serialize;

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "name")]
pub enum Actor {
    /// Airlock itself: workflow, policy, start and stop.
    Airlock,
    /// A person or program, by the name its token was made with.
    Person(String),
}

/// Whether two names are one person's. Names of people differ by more than capitals.
pub fn is_one_name(left: &str, right: &str) -> bool {
    left.eq_ignore_ascii_case(right)
}

/// Whether the person is one of these.
pub fn is_among(person: &str, people: &[String]) -> bool {
    people.iter().any(|one| is_one_name(one, person))
}

/// Adds those of `more` who are not there yet, and never `but`.
pub fn join(people: &mut Vec<String>, more: &[String], but: &str) {
    for one in more {
        if !is_one_name(one, but) && !is_among(one, people) {
            people.push(one.clone());
        }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Actor::Airlock => f.write_str("airlock"),
            Actor::Person(name) => f.write_str(name),
        }
    }
}
