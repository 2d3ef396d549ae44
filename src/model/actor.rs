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

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Actor::Airlock => f.write_str("airlock"),
            Actor::Person(name) => f.write_str(name),
        }
    }
}
