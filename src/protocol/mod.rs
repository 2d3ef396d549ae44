//! The dialects: one folder for each protocol that clients speak.

pub mod npm;
