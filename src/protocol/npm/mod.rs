//! npm's dialect.

pub mod inspect;
