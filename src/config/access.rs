//! `[access]`: what a caller without a token may do.

use crate::config::key::Key;
use crate::config::key::quoted;

#[derive(Clone, PartialEq, Debug)]
pub struct Access {
    pub anonymous: Anonymous,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Anonymous {
    Reader,
    None,
}

impl Default for Access {
    fn default() -> Access {
        Access { anonymous: Anonymous::Reader }
    }
}

pub(super) fn keys() -> Vec<Key> {
    vec![Key::new(
        "access.anonymous",
        "what callers without a token may do: \"reader\", or \"none\"",
        |config| {
            Some(quoted(match config.access.anonymous {
                Anonymous::Reader => "reader",
                Anonymous::None => "none",
            }))
        },
        |draft, value| {
            draft.config.access.anonymous = value.choice(&[("reader", Anonymous::Reader), ("none", Anonymous::None)])?;
            Ok(())
        },
    )]
}
