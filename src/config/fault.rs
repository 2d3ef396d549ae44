//! What is wrong with a configuration: where, which key, what, and what to do. Never holds a secret.

use std::fmt;
use std::sync::Arc;

use crate::model::finding::printable;

/// Where a value was written. Ordered as people read: the file from its top, then variables, then flags.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Place {
    /// Lines and columns count from 1, columns in characters. Line 0: the file as a whole.
    File {
        file: Arc<str>,
        line: usize,
        column: usize,
    },
    Variable(String),
    Flag(&'static str),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::File { file, line: 0, .. } => f.write_str(file),
            Place::File { file, line, column } => write!(f, "{file}:{line}:{column}"),
            Place::Variable(name) => write!(f, "environment variable {name}"),
            Place::Flag(name) => f.write_str(name),
        }
    }
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Fault {
    pub place: Place,
    /// The full path of the key, `policy.release_age.minimum`; empty where no key can be named.
    pub key: String,
    pub wrong: String,
    pub remedy: String,
}

impl Fault {
    const TEXT_BYTES_MAX: usize = 600;

    pub fn new(place: Place, key: impl Into<String>, wrong: impl AsRef<str>, remedy: impl AsRef<str>) -> Fault {
        let clean = |text: &str| printable(text, Fault::TEXT_BYTES_MAX);
        Fault { place, key: clean(&key.into()), wrong: clean(wrong.as_ref()), remedy: clean(remedy.as_ref()) }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        write!(f, "{}\n    {}", self.wrong, self.remedy)
    }
}

/// Every fault of a configuration, sorted by place; never empty.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub struct Faults(pub Vec<Fault>);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => f.write_str("the configuration has a fault:")?,
            count => write!(f, "the configuration has {count} faults:")?,
        }
        for fault in &self.0 {
            write!(f, "\n{fault}")?;
        }
        Ok(())
    }
}
