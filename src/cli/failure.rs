//! How a command ends when it does not: what was wrong, where, and what to do.

use std::fmt;
use std::io;

use crate::config::Faults;
use crate::config::NpmError;

/// How a command ended that ran to its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// Done, or green.
    Green,
    /// Held or denied.
    Red,
}

#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("{0}")]
    Configuration(#[from] Faults),
    #[error("{0}")]
    Upstream(#[from] NpmError),
    #[error("{0}")]
    Usage(Told),
    #[error("{0}")]
    Failed(Told),
    /// Told already, in the form that was asked for.
    #[error("")]
    ToldFaults,
    #[error("the answer could not be written")]
    Output(#[from] io::Error),
}

#[derive(Debug)]
pub struct Told {
    pub wrong: String,
    pub remedy: String,
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.wrong)?;
        if self.remedy.is_empty() { Ok(()) } else { write!(f, "\n    {}", self.remedy) }
    }
}

impl Failure {
    pub fn usage(wrong: impl Into<String>, remedy: impl Into<String>) -> Failure {
        Failure::Usage(Told { wrong: wrong.into(), remedy: remedy.into() })
    }

    pub fn failed(wrong: impl Into<String>, remedy: impl Into<String>) -> Failure {
        Failure::Failed(Told { wrong: wrong.into(), remedy: remedy.into() })
    }

    /// 1 held, denied or failed; 2 wrong usage or configuration.
    pub fn code(&self) -> u8 {
        match self {
            Failure::Configuration(_) | Failure::Upstream(_) | Failure::Usage(_) | Failure::ToldFaults => 2,
            Failure::Failed(_) | Failure::Output(_) => 1,
        }
    }
}
